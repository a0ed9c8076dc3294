"""Jobs of many units of work carried out together: one hop to a thread, one commit to the disk.

What a turn reads and changes is little; what it waits for (a thread's turn, the disk) is not. So
jobs that are ready at the same moment go together, and what comes meanwhile goes next: under load
everybody shares one fsync, and nobody waits for company who did not offer to. Each unit stands for
itself all the same: it is kept whole or not at all, and one that fails takes no neighbour with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.errors import error_code, plainly, sentence
from bot.store.prepared import CHANNEL, EngineHand, Job, PostgresHand, SqliteHand, T
from bot.usecases.ports import Conflict, StoreUnavailable

if TYPE_CHECKING:
    from bot.store.pipeline import Pipeline

log = logging.getLogger(__name__)

MOST = 200
"""Units carried out in one transaction."""

Unit = Sequence[Job[object]]
Asked = tuple[Any, asyncio.Future[Any]]
"""What is to be done, and where its outcome is awaited."""


class Hands(Protocol):
    """Carries out jobs on a database, outside the ordinary transactions."""

    async def ask(self, job: Job[T]) -> T:
        """What a job reads: all of it at one moment. Raises StoreUnavailable."""
        ...

    async def commit(self, unit: Unit, within: float = 0.0) -> None:
        """Carry out jobs in order and make them durable together.

        Where one commit serves many, it may wait up to `within` seconds for company.
        Raises what a job raised, Conflict for rows another wrote, or StoreUnavailable; then
        nothing of this unit is kept.
        """
        ...

    async def close(self) -> None:
        """End what is under way and release the connections."""
        ...


class OnSqlite:
    """Two connections of our own, each in a thread: one reads, one writes for everybody."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        writers: asyncio.Lock,
        place: str,
        wait: float,
    ) -> None:
        """`writers` is held by whoever writes in this process; see SqlStore for the rest."""
        self._writers, self._place, self._wait = writers, place, wait
        self._reading = _Line(connect, _read_all, place)
        self._writing = _Line(connect, _write_all, place, self._alone_in_writing)

    async def ask(self, job: Job[T]) -> T:
        """See Hands."""
        found: T = await self._reading.stand_in(job)
        return found

    async def commit(self, unit: Unit, within: float = 0.0) -> None:
        """See Hands."""
        await self._writing.stand_in(unit, within)

    async def close(self) -> None:
        """See Hands."""
        await self._reading.close()
        await self._writing.close()

    @contextlib.asynccontextmanager
    async def _alone_in_writing(self) -> Any:
        try:
            async with asyncio.timeout(self._wait):
                await self._writers.acquire()
        except TimeoutError:
            raise StoreUnavailable(sentence("SQLITE_BUSY", self._place)) from None
        try:
            yield
        finally:
            self._writers.release()


class _Line:
    """Whoever comes is served with all who stand there; one round at a time, in one thread."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        serve: Callable[[sqlite3.Connection, list[Any], str], list[Any]],
        place: str,
        around: Callable[[], Any] = contextlib.nullcontext,
    ) -> None:
        self._connect, self._serve, self._place, self._around = connect, serve, place, around
        self._waiting: list[Asked] = []
        self._rounds: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._connection: sqlite3.Connection | None = None

    async def stand_in(self, what: Any, within: float = 0.0) -> Any:
        """Return what became of it, or raise it. It waits up to `within` seconds for company."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((what, outcome))
        if within > 0:
            loop.call_later(within, self._begin)
        else:
            self._begin()
        return await outcome

    def _begin(self) -> None:
        if self._waiting and (self._rounds is None or self._rounds.done()):
            self._rounds = asyncio.create_task(self._serve_all(), name="database")

    async def _serve_all(self) -> None:
        while self._waiting:
            now: list[Asked] = []
            try:
                async with self._around():
                    now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                    outcomes = await asyncio.get_running_loop().run_in_executor(
                        self._thread, self._round, [what for what, _ in now]
                    )
            except Exception as error:
                # Nobody's turn came, or the thread is gone: whoever waits is told.
                now, self._waiting = [*now, *self._waiting], []
                outcomes = [error] * len(now)
            for (_, awaited), outcome in zip(now, outcomes, strict=True):
                _answer(awaited, outcome)

    def _round(self, asked: list[Any]) -> list[Any]:
        """In the thread. Whatever goes wrong is an outcome."""
        try:
            with plainly(self._place):
                if self._connection is None:
                    self._connection = self._connect()
            return self._serve(self._connection, asked, self._place)
        except Exception as error:
            return [error] * len(asked)

    async def close(self) -> None:
        """Let whoever waits be served, and the round under way end."""
        self._begin()
        if self._rounds is not None:
            await asyncio.gather(self._rounds, return_exceptions=True)
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=False)


def _answer(awaited: asyncio.Future[Any], outcome: Any) -> None:
    """An error is raised where the outcome is awaited, if it still is."""
    if awaited.done():
        return
    if isinstance(outcome, BaseException):
        awaited.set_exception(outcome)
    else:
        awaited.set_result(outcome)


def _read_all(connection: sqlite3.Connection, jobs: list[Job[Any]], place: str) -> list[Any]:
    hand, found = SqliteHand(connection), list[Any]()
    for job in jobs:
        try:
            with plainly(place):
                connection.execute("BEGIN")
                try:
                    found.append(job(hand))
                finally:
                    connection.execute("ROLLBACK")
        except Exception as error:
            found.append(error)
    return found


def _write_all(connection: sqlite3.Connection, units: list[Unit], place: str) -> list[Any]:
    """One transaction for all; where the database itself fails, one for each."""
    hand, outcomes = SqliteHand(connection), list[Any]()
    try:
        with plainly(place):
            connection.execute("BEGIN IMMEDIATE")
            for unit in units:
                outcomes.append(_kept(connection, hand, unit))
            connection.execute("COMMIT")
    except StoreUnavailable as error:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if len(units) == 1:
            return [error]
        return [outcome for unit in units for outcome in _write_all(connection, [unit], place)]
    return outcomes


def _kept(connection: sqlite3.Connection, hand: SqliteHand, unit: Unit) -> Exception | None:
    """Carry out one unit, or leave no trace of it; why not. Raises the database's own errors."""
    connection.execute("SAVEPOINT unit")
    try:
        for job in unit:
            job(hand)
    except sqlite3.IntegrityError:
        refused: Exception = Conflict("Another process wrote the same row; load again.")
    except sqlite3.Error:
        raise
    except Exception as error:
        refused = error
    else:
        connection.execute("RELEASE unit")
        return None
    connection.execute("ROLLBACK TO unit")
    connection.execute("RELEASE unit")
    return refused


class _Refused(StoreUnavailable):
    """The server answered, and will not: nothing of what was said is kept."""


class OnPostgres:
    """A few connections beside the engine's, each used by one thread at a time.

    The server itself makes commits of several connections durable together.

    A connection that is lost, as when the server was started anew, is made again: at once where
    nothing was under way on it yet, at the next try otherwise.
    """

    def __init__(
        self, engine: AsyncEngine, place: str, connections: int, settings: Mapping[str, Any]
    ) -> None:
        """Connects to nothing yet; `engine` says where to, and how values are written there.

        `connections` at most; `settings` are the driver's. What concerns chats that `serves` says
        are ours is announced to nobody.
        """
        self._settings = settings
        url = engine.url.set(drivername="postgresql")
        self._address = url.render_as_string(hide_password=False)
        # As the engine writes, with the values' places numbered.
        self._dialect = PGDialectAsync_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        self._place = place
        self._idle: SimpleQueue[Pipeline] = SimpleQueue()
        self.serves: Callable[[int], bool] = lambda chat: False
        self._patient: list[Asked] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="database")

    async def ask(self, job: Job[T]) -> T:
        """See Hands."""
        found: T = await self._in_thread(lambda hand, _: job(hand))
        return found

    async def commit(self, unit: Unit, within: float = 0.0) -> None:
        """See Hands.

        The server brings commits together by itself; whoever has time goes along with the next.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[None] = loop.create_future()
        self._patient.append((unit, outcome))
        if within > 0:
            loop.call_later(within, self._begin)
        else:
            self._begin()
        await outcome

    def _begin(self) -> None:
        while self._patient:
            now, self._patient = self._patient[:MOST], self._patient[MOST:]
            task = asyncio.create_task(self._serve(now), name="database")
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, asked: list[Asked]) -> None:
        """All in one transaction; where one of them is refused, each in its own."""
        try:
            await self._in_thread(self._kept([unit for unit, _ in asked]))
        except Exception as error:
            # Where the server was lost, what was said may be kept: it is for each to try again.
            is_refused = not isinstance(error, StoreUnavailable) or isinstance(error, _Refused)
            if len(asked) > 1 and is_refused:
                for one in asked:
                    await self._serve([one])
                return
            for _, outcome in asked:
                _answer(outcome, error)
        else:
            for _, outcome in asked:
                _answer(outcome, None)

    def _kept(self, units: Sequence[Unit]) -> Callable[[PostgresHand, Pipeline], None]:
        def kept(hand: PostgresHand, pipeline: Pipeline) -> None:
            pipeline.send("BEGIN")
            for unit in units:
                for job in unit:
                    job(hand)
            hand.check()
            if (done := pipeline.send("COMMIT").done()) != b"COMMIT":
                raise StoreUnavailable(sentence(done.decode(), self._place))
            # Only now: whoever serves a chat from here on finds there what is kept.
            news = [f"{kind}:{chat}" for kind, chat in hand.news if not self.serves(chat)]
            if news:
                self._tell(pipeline, news)

        return kept

    def _tell(self, pipeline: Pipeline, news: Sequence[str]) -> None:
        """By itself, and without the disk: commits that announce wait for one another."""
        import psycopg

        try:
            pipeline.send("BEGIN")
            pipeline.send("SET LOCAL synchronous_commit TO off")
            for note in dict.fromkeys(news):
                pipeline.send("SELECT pg_notify($1, $2)", (CHANNEL, note))
            pipeline.send("COMMIT")
            pipeline.meet()
        except psycopg.Error as error:
            # It is kept all the same, and looked for every few seconds.
            log.warning("others were not told: %s", type(error).__name__)

    async def close(self) -> None:
        """Let what is under way end."""
        self._begin()
        if self._serving:
            await asyncio.wait(self._serving)
        await asyncio.to_thread(self._threads.shutdown)
        while not self._idle.empty():
            self._idle.get().close()

    async def _in_thread(self, work: Callable[[PostgresHand, Pipeline], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._with_connection, work)

    def _with_connection(self, work: Callable[[PostgresHand, Pipeline], T]) -> T:
        import psycopg

        with plainly(self._place, psycopg.Error):
            try:
                pipeline = self._idle.get_nowait()
            except Empty:
                pipeline = self._connected()
            else:
                if pipeline.is_hung_up:
                    pipeline.close()
                    pipeline = self._connected()
            try:
                return work(PostgresHand(pipeline, self._dialect), pipeline)
            except psycopg.IntegrityError:
                raise Conflict("Another process wrote the same row; load again.") from None
            except psycopg.Error as error:
                if pipeline.is_lost:
                    raise
                raise _Refused(sentence(error_code(error), self._place)) from None
            finally:
                if pipeline.rest():
                    self._idle.put(pipeline)
                else:
                    pipeline.close()

    def _connected(self) -> Pipeline:
        import psycopg

        # Loaded only where there is a server: whoever uses SQLite needs no driver of PostgreSQL.
        from bot.store.pipeline import Pipeline

        return Pipeline(psycopg.connect(self._address, autocommit=True, **self._settings))


def carry_out(unit: Unit, hand: EngineHand) -> None:
    """All jobs of a unit in order; Conflict where a row was written by another."""
    from sqlalchemy import exc

    try:
        for job in unit:
            job(hand)
    except exc.IntegrityError:
        raise Conflict("Another process wrote the same row; load again.") from None

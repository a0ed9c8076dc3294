"""One transaction on one connection: reading until the first write, then writing until the end.

Reading takes no lock, so a long list delays nobody. The first write ends the reading phase and
takes the write lock at once: two writers wait for each other instead of deadlocking half-way.
What was read before the first write may have changed by then; that is why a folder carries a
version and an inbox row its state. On both engines reading sees one moment. A prepared job may see
a later one than a list does, and on PostgreSQL each of its statements one of its own.
"""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Integer,
    Row,
    bindparam,
    cast,
    exc,
    func,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import Executable

from bot.store.errors import plainly, sentence
from bot.store.prepared import EngineHand, Job, T
from bot.store.together import Hands, carry_out
from bot.usecases.crew import LANES
from bot.usecases.ports import Conflict, StoreUnavailable

Phase = Literal["none", "reading", "writing"]
PHASE = "coach_phase"
"""The execution option by which the engine's `begin` hook knows which BEGIN to send."""

ISOLATION = {"reading": "REPEATABLE READ", "writing": "READ COMMITTED"}
"""PostgreSQL's; set with the BEGIN that comes anyway."""


def in_lanes(chat: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a chat is in one of the lanes given as `lanes`, by `lanes_given`."""
    given = bindparam("lanes", type_=BigInteger)
    return given.bitwise_rshift(cast(func.abs(chat) % LANES, Integer)).bitwise_and(1) == 1


def lanes_given(lanes: Collection[int] | None) -> int:
    """Lanes as the 64 bits of a database's whole number; None is all of them."""
    bits = sum(1 << lane for lane in lanes) if lanes is not None else (1 << LANES) - 1
    return bits - (1 << LANES) if bits >> (LANES - 1) else bits


class Transaction:
    """What the repositories share. `writers` queues this process's writers; None for no queue.

    `wait` is how many seconds to queue before giving up with StoreUnavailable. `hands` carry out
    prepared jobs where no ordinary statement has to stand beside them in one transaction.
    `index_is_apart` while files of the example index lie where we cannot erase them. `outgoing`
    counts how often messages were put into the outbox since the last commit.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        place: str,
        writers: asyncio.Lock | None,
        wait: float,
        hands: Hands,
        index_is_apart: bool = False,
    ) -> None:
        self.index_is_apart = index_is_apart
        self.outgoing = 0
        self._engine = engine
        self._place = place
        self._writers = writers
        self._wait = wait
        self._hands = hands
        self._later: list[Job[object]] = []
        self._phase: Phase = "none"
        self._queued = False
        self._connection: AsyncConnection | None = None
        self._undo: list[Callable[[], None]] = []
        self._then: list[Callable[[], None]] = []

    @classmethod
    def within(cls, connection: AsyncConnection, place: str) -> Transaction:
        """Go on in a transaction that somebody else began for writing; `commit` ends it."""
        # While a transaction writes, its jobs are its own: no other hands are asked.
        made = cls(connection.engine, place, None, 0, typing.cast(Hands, None))
        made._connection, made._phase = connection, "writing"
        return made

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def is_writing(self) -> bool:
        """Whether something was changed, so that what follows must see it."""
        return self._phase == "writing" or bool(self._later)

    async def ask(self, job: Job[T]) -> T:
        """What a prepared job reads; it sees what was changed before."""
        return await (self.now(job) if self.is_writing else self._hands.ask(job))

    async def now(self, job: Job[T]) -> T:
        """Change something by a prepared job whose outcome is needed at once."""
        connection = await self._writing()
        with plainly(self._place):
            return await connection.run_sync(lambda one: job(EngineHand(one)))

    async def at_once(self, job: Job[T]) -> T:
        """Change something and make it durable with what others change at this moment.

        Amid other changes of this transaction it is one of them, and durable with its commit.
        """
        if self.is_writing:
            return await self.now(job)
        outcome: list[T] = []
        await self._hands.commit([lambda hand: outcome.append(job(hand))])
        # A try that was undone with its company came before.
        return outcome[-1]

    def later(self, job: Job[object]) -> None:
        """Change something by a prepared job: with the next statement, or when it is committed.

        What it raises comes then, with nothing of this transaction kept.
        """
        self._later.append(job)

    async def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """All rows of a query."""
        connection = await (self._writing() if self.is_writing else self._in("reading"))
        with plainly(self._place):
            return (await connection.execute(statement)).all()

    async def write(
        self, statement: Executable, values: Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        """Change rows; how many. Raises Conflict when another process wrote the same row."""
        return (await self._change(statement, values)).rowcount

    async def write_returning(self, statement: Executable) -> Sequence[Row[Any]]:
        """Change rows and return what the statement's RETURNING names."""
        result = await self._change(statement, None)
        with plainly(self._place):
            return result.all()

    async def _change(
        self, statement: Executable, values: Sequence[Mapping[str, Any]] | None
    ) -> CursorResult[Any]:
        connection = await self._writing()
        with plainly(self._place):
            try:
                return await connection.execute(statement, values)
            except exc.IntegrityError:
                raise Conflict("Another process wrote the same row; load again.") from None

    async def _writing(self) -> AsyncConnection:
        """The connection, with all that was left for later done."""
        connection = await self._in("writing")
        if self._later:
            jobs, self._later = self._later, []
            with plainly(self._place):
                await connection.run_sync(lambda one: carry_out(jobs, EngineHand(one)))
        return connection

    def if_undone(self, undo: Callable[[], None]) -> None:
        """Call `undo` if what was written so far is rolled back."""
        self._undo.append(undo)

    def if_kept(self, then: Callable[[], None]) -> None:
        """Call `then` once what was written so far is durable."""
        self._then.append(then)

    async def commit(self, within: float = 0.0) -> None:
        """Make everything durable; the next statement begins a new transaction.

        What only prepared jobs change may wait up to `within` seconds for company.
        """
        if self._phase == "writing":
            connection = await self._writing()
            with plainly(self._place):
                await connection.commit()
        elif self._later:
            jobs, self._later = self._later, []
            await self._hands.commit(jobs, within)
        elif self._connection is not None:
            with plainly(self._place):
                await self._connection.commit()
        for then in self._then:
            then()
        self._then.clear()
        self._undo.clear()
        self.outgoing = 0
        self._leave_phase()

    async def close(self) -> None:
        """Undo what was not committed and give the connection back."""
        self._later.clear()
        self._then.clear()
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                with plainly(self._place):
                    await connection.close()
        finally:
            for undo in reversed(self._undo):
                undo()
            self._undo.clear()
            self._leave_phase()

    async def _in(self, phase: Phase) -> AsyncConnection:
        if self._connection is None:
            with plainly(self._place):
                self._connection = await self._engine.connect()
        if self._phase != phase:
            with plainly(self._place):
                await self._connection.rollback()
            if phase == "writing":
                await self._queue()
            options: dict[str, Any] = {PHASE: phase}
            if self.dialect == "postgresql":
                # What is read in several queries is of one moment; what is written is of now.
                options["isolation_level"] = ISOLATION[phase]
            with plainly(self._place):
                await self._connection.execution_options(**options)
            self._phase = phase
        return self._connection

    async def _queue(self) -> None:
        if self._writers is not None and not self._queued:
            try:
                async with asyncio.timeout(self._wait):
                    await self._writers.acquire()
            except TimeoutError:
                raise StoreUnavailable(sentence("SQLITE_BUSY", self._place)) from None
            self._queued = True

    def _leave_phase(self) -> None:
        self._phase = "none"
        if self._queued and self._writers is not None:
            self._writers.release()
        self._queued = False

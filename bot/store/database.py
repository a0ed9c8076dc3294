"""The database as a whole: opened, brought up to date, worked in, scrubbed, closed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, create_engine, event, exc, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from bot import plain
from bot.store.backups import SqlBackups
from bot.store.crew import PATIENCE
from bot.store.errors import newer, plainly
from bot.store.folders import Remembered, SqlFolders
from bot.store.groups import SqlGroups
from bot.store.indexes import SqlIndexes, SqlLeases
from bot.store.library import SqlLibrary
from bot.store.locks import MIGRATING
from bot.store.migrations import HEAD, REVISIONS
from bot.store.practice import SqlPractice, last_opening
from bot.store.prepared import Hand
from bot.store.queues import SqlInbox
from bot.store.roles import SqlAudit, SqlRoles
from bot.store.scrubbing import log_keeps, scrub_postgresql
from bot.store.seats import SqlSeats, seat_of
from bot.store.sending import SqlOutbox, SqlRecipients
from bot.store.spendings import SqlSpendings
from bot.store.together import Hands, OnPostgres, OnSqlite
from bot.store.transaction import PHASE, Transaction
from bot.usecases.backup_ports import Backups
from bot.usecases.index_ports import Indexes, Leases
from bot.usecases.library_ports import Library
from bot.usecases.ports import (
    Audit,
    Folders,
    Groups,
    Inbox,
    Met,
    Outbox,
    Receipt,
    Recipients,
    Roles,
    Seat,
    Seats,
    Spendings,
    StoreUnavailable,
    UnitOfWork,
)
from bot.usecases.practice_ports import Opening, Practice

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
CONNECTIONS = 10
"""With PostgreSQL at most, by one process; it takes 97 of all, unless told otherwise."""
ROOM_WITHIN = 10.0
"""Seconds to wait for one of them."""

_GIVES_UP_AFTER = "4s"
"""How long a migration on PostgreSQL waits for one table."""

_PRAGMAS = (
    # A commit is on the disk when it returns, not merely handed to the operating system.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # Deleted words are overwritten, and never copied to a temporary file.
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    # Readers and the one writer do not block each other.
    "PRAGMA journal_mode=WAL",
)


async def open_store(
    url: str, wait: float = 5.0, connections: int = CONNECTIONS, *, index_is_apart: bool = False
) -> SqlStore:
    """Connect, prove that writing is possible, and migrate to this program's version.

    `wait` is how many seconds to wait for a lock, `connections` how many this process may have
    with PostgreSQL at most; whoever needs one more waits for one. `index_is_apart` while the
    example index is on a server, whose files are not ours to erase. Raises NewerDatabase when a
    later version of the program wrote the file, StoreUnavailable (one plain sentence) when it
    cannot be used.
    """
    engine, place = engine_of(url, wait, connections)
    try:
        await _bring_to_head(engine, place)
    except BaseException:
        await engine.dispose()
        raise
    return SqlStore(engine, place, wait, connections, index_is_apart)


def attach(url: str, wait: float = 5.0) -> SqlStore:
    """The store of a process that is running already, whatever revision the database has by now.

    Nothing is connected or migrated yet. Raises StoreUnavailable for no address.
    """
    engine, place = engine_of(url, wait)
    return SqlStore(engine, place, wait)


def is_there(url: str) -> bool:
    """False for an SQLite file nobody has made yet. Raises StoreUnavailable for no address."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise StoreUnavailable("DATABASE_URL is not a database address.") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return True
    return Path(parsed.database).exists()


async def migrate(url: str) -> tuple[str | None, str]:
    """Bring a database up to date; its revision before (None: it was empty) and after.

    Raises NewerDatabase and StoreUnavailable like `open_store`.
    """
    engine, place = engine_of(url, wait=5.0)
    try:
        return await _bring_to_head(engine, place), HEAD
    finally:
        await engine.dispose()


async def log_of_words(url: str) -> str:
    """Why a database's write-ahead log keeps erased words longer than it must; else empty.

    Raises StoreUnavailable.
    """
    engine, place = engine_of(url, wait=5.0)
    try:
        if engine.dialect.name == "sqlite":
            return ""
        with plainly(place):
            async with engine.connect() as connection:
                await connection.execution_options(**{PHASE: "none"})
                return await log_keeps(connection)
    finally:
        await engine.dispose()


_REPOSITORIES: dict[str, Callable[[Transaction], Any]] = {
    "inbox": SqlInbox,
    "outbox": SqlOutbox,
    "recipients": SqlRecipients,
    "groups": SqlGroups,
    "seats": SqlSeats,
    "roles": SqlRoles,
    "audit": SqlAudit,
    "practice": SqlPractice,
    "library": SqlLibrary,
    "backups": SqlBackups,
    "indexes": SqlIndexes,
    "leases": SqlLeases,
    "spendings": SqlSpendings,
}


class SqlUnitOfWork:
    """One transaction. Leaving without commit rolls back."""

    folders: Folders
    inbox: Inbox
    outbox: Outbox
    recipients: Recipients
    groups: Groups
    seats: Seats
    roles: Roles
    audit: Audit
    practice: Practice
    library: Library
    backups: Backups
    indexes: Indexes
    leases: Leases
    spendings: Spendings

    def __init__(self, transaction: Transaction, remembered: Remembered) -> None:
        self._transaction = transaction
        self.folders = self._of_folders = SqlFolders(transaction, remembered)

    def __getattr__(self, name: str) -> Any:
        """A repository, made when it is first asked for: most turns need four of them."""
        if name not in _REPOSITORIES:
            raise AttributeError(name)
        made = _REPOSITORIES[name](self._transaction)
        setattr(self, name, made)
        return made

    async def meet(self, telegram_id: int, chat_id: int) -> Met:
        """Who is writing, in one read: one after another they would be three waits."""

        def look(hand: Hand) -> tuple[Seat | None, Any, Opening | None]:
            seat, opening = seat_of(hand, telegram_id), last_opening(hand, telegram_id)
            found = self._of_folders.look(hand, chat_id)
            return seat(), found, opening()

        seat, found, opening = await self._transaction.ask(look)
        return Met(seat, self._of_folders.opened(found), opening)

    async def __aenter__(self) -> Self:
        """Nothing is locked until the first statement."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo what was not committed."""
        await self._transaction.close()

    async def commit(self, within: float = 0.0) -> None:
        """Make everything since entering durable (fsync), or raise StoreUnavailable.

        It may wait up to `within` seconds for others, to share one fsync with them.
        """
        await self._transaction.commit(within)


class SqlStore:
    """The port Store on SQLite or PostgreSQL. Made by `open_store`."""

    def __init__(
        self,
        engine: AsyncEngine,
        place: str,
        wait: float,
        connections: int = CONNECTIONS,
        index_is_apart: bool = False,
    ) -> None:
        self._index_is_apart = index_is_apart
        self._engine = engine
        self._place = place
        self._wait = wait
        # SQLite has one writer at a time; queueing here is fairer than polling its lock.
        self._writers = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        self._hands: Hands = (
            OnPostgres(engine, place, _of_hands(connections), _session())
            if self._writers is None
            else OnSqlite(_directly(engine.url, wait), self._writers, place, wait)
        )
        self._remembered = Remembered()

    def knows_of_ours(self, serves: Callable[[int], bool]) -> None:
        """From now on a turn tells other processes nothing of chats that ours serves.

        Whoever serves them next looks at all that waits there.
        """
        if isinstance(self._hands, OnPostgres):
            self._hands.serves = serves

    def work(self) -> UnitOfWork:
        """A fresh unit of work."""
        return SqlUnitOfWork(
            Transaction(
                self._engine,
                self._place,
                self._writers,
                self._wait,
                self._hands,
                self._index_is_apart,
            ),
            self._remembered,
        )

    async def scrub(self, at: datetime) -> list[Receipt]:
        """Rewrite the file without free pages and empty the write-ahead log.

        Afterwards erased words are in none of the database's files; on PostgreSQL in no table,
        index or statistic, while its write-ahead log may keep them (see scrubbing.py).
        `count` is the pages rewritten or dropped because they could have held such words.
        Raises StoreUnavailable when another program keeps the files open for reading.
        """
        with plainly(self._place):
            async with self._engine.connect() as connection:
                await connection.execution_options(**{PHASE: "none"})
                if self._engine.dialect.name == "sqlite":
                    count = await self._scrub_sqlite(connection)
                else:
                    count = await scrub_postgresql(connection, self._place)
        return [Receipt("free_pages", count, at)]

    async def empty_log(self) -> None:
        """Bring the write-ahead log into the file and cut it to nothing; a few milliseconds.

        While another program reads, the log stays until the next time. Raises StoreUnavailable.
        """
        if self._engine.dialect.name != "sqlite":
            return
        assert self._writers is not None
        with plainly(self._place):
            async with self._engine.connect() as connection, self._writers:
                await connection.execution_options(**{PHASE: "none"})
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _scrub_sqlite(self, connection: AsyncConnection) -> int:
        assert self._writers is not None
        async with self._writers:
            free = (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar_one()
            log = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")).mappings()
            in_log = int(log.one()["log"])
            await connection.exec_driver_sql("VACUUM")
            emptied = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            if emptied.scalar_one():
                raise StoreUnavailable(
                    f"Another program is reading {self._place}, so erased words may still "
                    "stand in its log file; the erasure itself is kept. "
                    "Stop the other program and run the erasure again."
                )
            return int(free) + max(in_log, 0)

    async def close(self) -> None:
        """Release connections and files."""
        await self._hands.close()
        await self._engine.dispose()


def engine_of(url: str, wait: float, connections: int = CONNECTIONS) -> tuple[AsyncEngine, str]:
    """An engine and the words that name its database in a sentence; connects to nothing yet."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise StoreUnavailable(
            "DATABASE_URL is not a database address; nothing was changed. "
            "Write it like sqlite+aiosqlite:///data/coach.db."
        ) from None
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS:
        raise StoreUnavailable(
            f"DATABASE_URL names {kind}, which this program does not speak; nothing was "
            "changed. Use sqlite or postgresql."
        )
    parsed = parsed.set(drivername=_DRIVERS[kind])
    # Statements carry people's words: they must not appear in an error or a log.
    options: dict[str, Any] = {"hide_parameters": True, "json_serializer": plain.dumps}
    if kind == "sqlite":
        # The driver must not begin transactions by itself; the hook below does.
        options["connect_args"] = {"timeout": wait, "isolation_level": None}
    else:
        pool = connections - _of_hands(connections)
        options |= {"pool_size": pool, "max_overflow": 0, "pool_timeout": ROOM_WITHIN}
        options["connect_args"] = _session()
    try:
        engine = create_async_engine(parsed, **options)
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"The driver {error.name} for {kind} is not installed; nothing was changed. "
            "Install it, or use sqlite."
        ) from None
    if kind == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
    return engine, _place(parsed)


def _of_hands(connections: int) -> int:
    """How many of a process's connections carry out prepared jobs: nearly all that turns do."""
    return min(4, connections // 2)


def _session() -> dict[str, Any]:
    """How each of them waits, and what it is called in the server's list."""
    # Words go as UTF-8, however the database keeps them.
    return {**PATIENCE, "application_name": f"coach {os.getpid()}", "client_encoding": "utf8"}


def _directly(url: URL, wait: float) -> Callable[[], sqlite3.Connection]:
    """How to open the file by the driver itself, prepared as the engine prepares its own."""

    def connect() -> sqlite3.Connection:
        options = {"timeout": wait, "isolation_level": None, "check_same_thread": False}
        engine = create_engine(
            url.set(drivername="sqlite"), connect_args=options, poolclass=NullPool
        )
        event.listen(engine, "connect", _prepare)
        connection = engine.raw_connection()
        opened = connection.driver_connection
        connection.detach()
        assert isinstance(opened, sqlite3.Connection)
        return opened

    return connect


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the database {(url.database or ':memory:').removeprefix('file:')}"
    return f"the database {url.database} at {url.host or 'localhost'}"


def _prepare(connection: Any, record: object) -> None:
    try:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()
    except BaseException:
        # The pool forgets a connection that fails here, and its thread would stay behind.
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    phase = connection.get_execution_options().get(PHASE, "reading")
    if phase == "writing":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif phase == "reading":
        connection.exec_driver_sql("BEGIN")


async def _bring_to_head(engine: AsyncEngine, place: str) -> str | None:
    """Migrate in one transaction, which also proves that the database can be written."""
    with plainly(place):
        async with engine.connect() as connection:
            await connection.execution_options(**{PHASE: "writing"})
            await alone(connection)
            before = await connection.run_sync(revision_of, place)
            if before == HEAD:
                # SQLite grants a write lock on a file it cannot write; only writing tells.
                await connection.execute(
                    text("UPDATE alembic_version SET version_num = version_num")
                )
                await connection.rollback()
            else:
                if engine.dialect.name == "postgresql":
                    # Whoever changes a table waits for whoever reads it, and all others wait
                    # behind: better to give up and be run again.
                    await connection.execute(text(f"SET LOCAL lock_timeout = '{_GIVES_UP_AFTER}'"))
                await connection.run_sync(upgrade)
                await connection.commit()
    return before


async def alone(connection: AsyncConnection) -> None:
    """Until the transaction ends, nobody else changes the shape of the tables."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATING})


def revision_of(connection: Connection, place: str) -> str | None:
    """Where a database stands; None when it is empty.

    Raises NewerDatabase, and StoreUnavailable when it belongs to another program.
    """
    if not inspect(connection).has_table("alembic_version"):
        if inspect(connection).get_table_names():
            raise StoreUnavailable(
                f"{place[:1].upper()}{place[1:]} belongs to another program; nothing was "
                "changed. Choose another file."
            )
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if found is not None and found not in REVISIONS:
        raise newer(place)
    return str(found) if found is not None else None


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables to a revision, in the transaction of `connection`."""
    # Loaded only when there is something to migrate: Alembic takes longer than the rest.
    from alembic import command
    from alembic.config import Config

    config = Config()
    scripts = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)

"""A whole database into one file, beside whoever is working in it.

All of it is read in one transaction, so the file holds one moment. Only living rows are read:
what was erased stands in no page that could come along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Table, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store.backup_file import BackupWriter, Heading, TableBegins, is_being_written, size_of
from bot.store.database import engine_of, is_there, revision_of
from bot.store.errors import plainly
from bot.store.library_tables import backups
from bot.store.neutral import last_id, tables_of
from bot.store.transaction import PHASE
from bot.usecases.backup_ports import Backup
from bot.usecases.ports import StoreUnavailable

AT_ONCE = 500
"""Rows held in memory at a time."""

Progress = Callable[[int, int], None]
"""Told how many rows were written, of about how many."""


@dataclass(frozen=True)
class Made:
    """A backup that was made, of a database at this revision; whether it is noted there."""

    backup: Backup
    revision: str
    is_recorded: bool


NOTHING_THERE = (
    "There is no database yet, so there is nothing to back up. `coach migrate` makes one."
)


async def back_up(
    url: str, path: Path, backup_id: str, made_at: datetime, progress: Progress
) -> Made:
    """Write the database into `path`, readable by its owner only.

    The database is not migrated: this is what one does before migrating. One from before backups
    were recorded cannot record it. Raises StoreUnavailable, NewerDatabase, OSError.
    """
    if not is_there(url):
        raise StoreUnavailable(NOTHING_THERE)
    engine, place = engine_of(url, wait=5.0)
    backup = Backup(backup_id, made_at, str(path))
    try:
        with plainly(place):
            recorded = await _record(engine, place, backup)
        try:
            done, revision = await _write(engine, place, backup, progress)
        except BaseException:
            if recorded:
                with plainly(place):
                    await _forget(engine, backup)
            raise
        if recorded:
            with plainly(place):
                await _done(engine, done)
        return Made(done, revision, recorded)
    finally:
        await engine.dispose()


async def _write(
    engine: AsyncEngine, place: str, backup: Backup, progress: Progress
) -> tuple[Backup, str]:
    writer: BackupWriter | None = None
    try:
        with plainly(place):
            async with engine.connect() as connection:
                await _one_moment(connection)
                revision = await connection.run_sync(revision_of, place)
                if revision is None:
                    raise StoreUnavailable(NOTHING_THERE)
                tables = await connection.run_sync(tables_of)
                await _keep_still(connection, tables)
                # Errors of the disk we write to are told by their file, not as the database's.
                heading = Heading(backup.id, revision, backup.made_at)
                writer = _opened(Path(backup.path), heading)
                await _rows(connection, tables, writer, progress)
        size = writer.seal()
        writer.publish()
    except BaseException as error:
        if writer is not None:
            writer.discard()
        if isinstance(error, _DiskTrouble):
            raise error.error from None
        raise
    return replace(backup, state="done", size=size), revision


class _DiskTrouble(Exception):
    """The file could not be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def _opened(path: Path, heading: Heading) -> BackupWriter:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return BackupWriter(path, heading)
    except OSError as error:
        raise _DiskTrouble(error) from None


async def _one_moment(connection: AsyncConnection) -> None:
    """What is read from here on is as it was at the first read."""
    if connection.dialect.name == "postgresql":
        await connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    else:
        await connection.execution_options(**{PHASE: "reading"})


async def _keep_still(connection: AsyncConnection, tables: list[Table]) -> None:
    """Nobody may change the shape of a table while it is read; rows may change."""
    if connection.dialect.name == "postgresql" and tables:
        names = ", ".join(table.name for table in tables)
        await connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS SHARE MODE")


async def _rows(
    connection: AsyncConnection, tables: list[Table], writer: BackupWriter, progress: Progress
) -> None:
    total = 0
    for table in tables:
        counted = await connection.exec_driver_sql(f"SELECT count(*) FROM {table.name}")
        total += counted.scalar_one()
    written = 0
    for table in tables:
        last = await connection.run_sync(last_id, table)
        _to_disk(writer.table, TableBegins(table.name, tuple(c.name for c in table.c), last))
        wanted = select(table).order_by(*table.primary_key)
        result = await connection.stream(wanted, execution_options={"yield_per": AT_ONCE})
        async for some in result.partitions():
            _to_disk(writer.rows, [tuple(row) for row in some])
            written += len(some)
            progress(written, total)


def _to_disk(write: Callable[..., None], *what: object) -> None:
    try:
        write(*what)
    except OSError as error:
        raise _DiskTrouble(error) from None


async def _record(engine: AsyncEngine, place: str, backup: Backup) -> bool:
    """Note where the file will lie, before it holds a word."""
    async with engine.connect() as connection:
        await connection.execution_options(**{PHASE: "writing"})
        if await connection.run_sync(revision_of, place) is None:
            raise StoreUnavailable(NOTHING_THERE)
        if not await connection.run_sync(lambda c: inspect(c).has_table(backups.name)):
            return False
        await _tidy(connection, Path(backup.path).parent)
        await connection.execute(
            backups.insert().values(
                id=backup.id, made_at=backup.made_at, path=backup.path, state="writing", size=0
            )
        )
        await connection.commit()
    return True


async def _tidy(connection: AsyncConnection, folder: Path) -> None:
    """Settle backups in this folder that were interrupted: whole after all, or not there."""
    unfinished = await connection.execute(
        select(backups.c.id, backups.c.path).where(backups.c.state == "writing")
    )
    for row in unfinished.all():
        path = Path(row.path)
        if path.parent != folder or is_being_written(path):
            continue
        this = backups.c.id == row.id
        size = size_of(path)
        if size is not None:
            await connection.execute(backups.update().where(this).values(state="done", size=size))
        else:
            await connection.execute(backups.delete().where(this))


async def _done(engine: AsyncEngine, backup: Backup) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(**{PHASE: "writing"})
        await connection.execute(
            backups.update().where(backups.c.id == backup.id).values(state="done", size=backup.size)
        )
        await connection.commit()


async def _forget(engine: AsyncEngine, backup: Backup) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(**{PHASE: "writing"})
        await connection.execute(
            text("DELETE FROM backups WHERE id = :id AND state = 'writing'"), {"id": backup.id}
        )
        await connection.commit()

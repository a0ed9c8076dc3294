"""Erased words out of PostgreSQL's files.

Deleting a row leaves its bytes in the table until it is rewritten, and a copy of common values in
the planner's statistics, which ANALYZE does not empty for a table without rows. A transaction that
began before the deletion keeps the row alive even through a rewrite. The write-ahead log holds the
words until its segments are gone: at once where `wal_recycle` is off and we may ask for a
checkpoint, otherwise when they are written over.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from sqlalchemy import JSON, Column, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.locks import SCRUBBING
from bot.store.tables import Verbatim, metadata
from bot.usecases.ports import StoreUnavailable

OTHERS_END_WITHIN = 10.0
"""Seconds to wait for transactions that may still see what was deleted."""

OTHERS_SCRUB_WITHIN = 60.0
"""Seconds to wait for another process that is doing this."""

_OLDER = """
SELECT count(*) FROM (
  SELECT unnest(ARRAY[backend_xmin, backend_xid]) AS seen FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND (datname IS NULL OR datname = current_database())
  UNION ALL SELECT xmin FROM pg_replication_slots
  UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
) AS others WHERE seen IS NOT NULL AND age(seen) > age(CAST(:ours AS text)::xid)
"""
_TRY = f"SELECT pg_try_advisory_lock({SCRUBBING})"
_LET_GO = f"SELECT pg_advisory_unlock({SCRUBBING})"
_PAGES = "SELECT pg_database_size(current_database()) / 8192"
_KNOWN = "SELECT tablename, attname FROM pg_stats WHERE schemaname = current_schema()"
_LOG = """
SELECT current_setting('wal_recycle') AS recycled, current_setting('archive_mode') AS archived,
       (SELECT count(*) FROM pg_replication_slots) AS slots
"""


async def log_keeps(connection: AsyncConnection) -> str:
    """Why the write-ahead log keeps erased words longer than it must; empty when it does not."""
    found = (await connection.exec_driver_sql(_LOG)).one()
    why = []
    if found.recycled == "on":
        why.append(
            "old segments are kept to be written over (set wal_recycle = off and min_wal_size low)"
        )
    if found.archived != "off":
        why.append("segments are archived (let archives expire, and say so to residents)")
    if found.slots:
        why.append("a replication slot holds them back")
    return "; ".join(why)


async def scrub_postgresql(connection: AsyncConnection, place: str) -> int:
    """Rewrite every table without what was deleted; pages that went. Raises StoreUnavailable.

    Of several processes one does it at a time: two rewriting at once would trip each other up.
    """
    connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
    until = asyncio.get_running_loop().time() + OTHERS_SCRUB_WITHIN
    # Asked again and again: who waits inside PostgreSQL would be seen as somebody still reading.
    while not (await connection.exec_driver_sql(_TRY)).scalar_one():
        if asyncio.get_running_loop().time() > until:
            raise StoreUnavailable(
                f"Another process is still clearing {place}; the erasure itself is kept. "
                "Run it again later."
            )
        await asyncio.sleep(0.1)
    try:
        return await _scrub(connection, place)
    finally:
        with contextlib.suppress(exc.DBAPIError):  # A broken session holds no lock any more.
            await connection.exec_driver_sql(_LET_GO)


async def _scrub(connection: AsyncConnection, place: str) -> int:
    before = (await connection.exec_driver_sql(_PAGES)).scalar_one()
    await _until_nobody_sees(connection, place)
    await _forget_samples(connection)
    # Once more, for the samples: what was dropped a moment ago is seen by whoever began before.
    await _until_nobody_sees(connection, place)
    await connection.exec_driver_sql("VACUUM (FULL, ANALYZE)")
    await _forget_samples(connection)
    await _empty_log(connection)
    after = (await connection.exec_driver_sql(_PAGES)).scalar_one()
    return max(0, int(before) - int(after))


async def _until_nobody_sees(connection: AsyncConnection, place: str) -> None:
    """Wait for every transaction that began before now: its rows survive a rewrite."""
    ours = (await connection.exec_driver_sql("SELECT pg_current_xact_id()::xid")).scalar_one()
    until = asyncio.get_running_loop().time() + OTHERS_END_WITHIN
    while (await connection.execute(text(_OLDER), {"ours": str(ours)})).scalar_one():
        if asyncio.get_running_loop().time() > until:
            raise StoreUnavailable(
                f"Another program has been reading {place} since before, so erased words must "
                "still stand in its files; the erasure itself is kept. "
                "End that transaction or replica and run the erasure again."
            )
        await asyncio.sleep(0.1)


async def _forget_samples(connection: AsyncConnection) -> None:
    """Drop what the planner remembers of columns with words, and of tables without rows."""
    sampled = (await connection.exec_driver_sql(_KNOWN)).all()
    for table, column in [(str(row.tablename), str(row.attname)) for row in sampled]:
        known = metadata.tables.get(table)
        if known is None or column not in known.c:
            continue
        if _holds_words(known.c[column]):
            await _alter(connection, table, column, "SET STATISTICS 0")
        elif (
            await connection.exec_driver_sql(f'SELECT 1 FROM "{table}" LIMIT 1')
        ).first() is not None:
            continue
        kind = known.c[column].type.compile(connection.dialect)
        # Said of the type it already has, this rewrites nothing and drops the samples.
        await _alter(connection, table, column, f"TYPE {kind}")


def _holds_words(column: Column[Any]) -> bool:
    return isinstance(column.type, Verbatim | JSON)


async def _alter(connection: AsyncConnection, table: str, column: str, what: str) -> None:
    await connection.exec_driver_sql(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" {what}')


async def _empty_log(connection: AsyncConnection) -> None:
    """Let go of old log segments, where the database's owner may ask for that."""
    for command in ("SELECT pg_switch_wal()", "CHECKPOINT"):
        try:
            await connection.exec_driver_sql(command)
        except exc.ProgrammingError:
            return  # Not allowed: `coach doctor` says what whoever runs the server has to do.

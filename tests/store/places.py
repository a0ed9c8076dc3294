"""Where the contract of the store is tried: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import delete, select

from bot.store.database import SqlStore, open_store
from bot.store.tables import lanes, metadata
from bot.usecases.ports import Store
from tests import postgres
from tests.databases import IS_SQLITE
from tests.fakes_store import MemoryStore

ON_DISK = [
    *(["sqlite"] if IS_SQLITE else []),
    *(["postgresql"] if postgres.IS_HERE or postgres.MUST_PROVE else []),
]
PLACES = ["memory", *ON_DISK]
_EMPTY: list[str] = []
"""The PostgreSQL database that was migrated; the tests of a run use it one after another."""


@asynccontextmanager
async def opened(place: str, folder: Path) -> AsyncIterator[Store]:
    """An empty store at one of PLACES; `folder` is where a file may lie."""
    if place == "memory":
        yield MemoryStore()
        return
    store = await open_store(address(place, folder / "coach.db"))
    if place == "postgresql":
        await _emptied(store)
    yield store
    await store.close()


def address(place: str, file: Path) -> str:
    """Where a store lies: in `file`, or on the server of this run, which has to be emptied."""
    if place == "sqlite":
        return f"sqlite:///{file}"
    if not _EMPTY:
        _EMPTY.append(postgres.server().database())
    return _EMPTY[0]


async def _emptied(store: SqlStore) -> None:
    async with store._engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not lanes:
                await connection.execute(delete(table))


async def everything_held(store: Store) -> str:
    """All the store holds, as one text to search for words in."""
    if isinstance(store, MemoryStore):
        return repr(store.state)
    assert isinstance(store, SqlStore)
    async with store._engine.connect() as connection:
        held = [
            (await connection.execute(select(table))).all() for table in metadata.tables.values()
        ]
    return repr(held)

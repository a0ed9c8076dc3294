"""Where the contract of the store is tried: in memory, on SQLite, and wherever you say.

Set TEST_DATABASE_URL to a spare PostgreSQL database to try it there too; it is emptied.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import delete, select

from bot.store.database import SqlStore, open_store
from bot.store.tables import metadata
from bot.usecases.ports import Store
from tests.fakes_store import MemoryStore

ELSEWHERE = os.environ.get("TEST_DATABASE_URL")
PLACES = ["memory", "sqlite", *(["elsewhere"] if ELSEWHERE else [])]


@asynccontextmanager
async def opened(place: str, folder: Path) -> AsyncIterator[Store]:
    """An empty store at one of PLACES; `folder` is where a file may lie."""
    if place == "memory":
        yield MemoryStore()
        return
    url = ELSEWHERE if place == "elsewhere" else f"sqlite:///{folder / 'coach.db'}"
    assert url
    store = await open_store(url)
    async with store._engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))
    yield store
    await store.close()


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

"""Erased words stand in no table, index or statistic of PostgreSQL, nor for long in its log."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from bot.store import scrubbing
from bot.store.database import SqlStore, open_store
from bot.usecases.ports import InboxItem, OutboxItem, StoreUnavailable
from tests import postgres
from tests.store.samples import NOW
from tests.store.test_erased_from_disk import OTHERS, WORD, a_wordy_folder, save

pytestmark = pytest.mark.skipif(
    not (postgres.IS_HERE or postgres.MUST_PROVE), reason="PostgreSQL is not installed"
)


@pytest.fixture(scope="module")
def own() -> postgres.Server:
    """A server of its own: its settings are changed, and its log is read."""
    made = postgres.Server()
    made.start()
    return made


def said(url: str, command: str) -> list[tuple[object, ...]]:
    """What the database answers to somebody with every right."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute(command)  # type: ignore[arg-type]
        return found.fetchall() if found.description else []


@pytest.fixture
async def store(own: postgres.Server) -> AsyncIterator[SqlStore]:
    opened = await open_store(own.database())
    yield opened
    await opened.close()


def url_of(store: SqlStore) -> str:
    return store._engine.url.render_as_string(hide_password=False)


def holding(server: postgres.Server, word: str) -> list[str]:
    """Files of the whole server with the word in any of their bytes, after a checkpoint."""
    folder = Path(server.home) / "data"
    found = subprocess.run(
        ["grep", "-rlaF", "--", word, str(folder)], capture_output=True, text=True, check=False
    )
    return sorted(os.path.relpath(line, folder) for line in found.stdout.splitlines())


async def fill(store: SqlStore) -> None:
    await save(store, a_wordy_folder("r-1", 7001, WORD))
    await save(store, a_wordy_folder("r-2", 7002, OTHERS))
    async with store.work() as work:
        for number in range(40):
            await work.inbox.put(InboxItem(number, 7001, f"{WORD} " * 100, NOW))
            await work.outbox.add([OutboxItem(7001, {"text": WORD * 100})])
        await work.commit()
    said(url_of(store), "ANALYZE")
    said(url_of(store), "CHECKPOINT")


async def erase(store: SqlStore) -> None:
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()


async def test_erased_words_are_in_no_file_of_the_tables_and_wait_in_the_log(
    store: SqlStore, own: postgres.Server
) -> None:
    await fill(store)
    before = await asyncio.to_thread(holding, own, WORD)
    assert any(f.startswith("base/") for f in before), "the test must be able to see the words"
    assert any(f.startswith("pg_wal/") for f in before)
    samples = said(url_of(store), "SELECT most_common_vals::text FROM pg_stats")
    assert WORD in str(samples)
    await erase(store)
    await store.scrub(NOW)
    said(url_of(store), "CHECKPOINT")
    left = await asyncio.to_thread(holding, own, WORD)
    assert [f for f in left if not f.startswith("pg_wal/")] == []
    assert WORD not in str(said(url_of(store), "SELECT * FROM pg_stats"))
    # As PostgreSQL comes, it keeps old segments of its log to write over them some day.
    assert left, "if this fails, docs/operations.md may promise more"
    kept = await asyncio.to_thread(holding, own, OTHERS)
    assert any(f.startswith("base/") for f in kept), "the other resident stays"


async def test_without_recycling_the_log_forgets_them_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "wal_recycle", "off")
    fresh = postgres.Server()
    await asyncio.to_thread(fresh.start)
    store = await open_store(fresh.database())
    await fill(store)
    assert await asyncio.to_thread(holding, fresh, WORD)
    await erase(store)
    await store.scrub(NOW)
    assert await asyncio.to_thread(holding, fresh, WORD) == []
    await store.close()
    await asyncio.to_thread(fresh.close)


async def test_words_somebody_still_reads_are_not_said_to_be_gone(
    store: SqlStore, own: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "OTHERS_END_WITHIN", 0.5)
    await fill(store)
    with psycopg.connect(url_of(store).replace("+psycopg", "")) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM stories").fetchone()
        await erase(store)
        with pytest.raises(StoreUnavailable, match="run the erasure again"):
            await store.scrub(NOW)
    await store.scrub(NOW)
    said(url_of(store), "CHECKPOINT")
    left = await asyncio.to_thread(holding, own, WORD)
    assert [f for f in left if not f.startswith("pg_wal/")] == []


async def test_a_scrub_asked_for_while_others_write_ends_and_loses_nothing(
    store: SqlStore,
) -> None:
    await fill(store)
    await erase(store)

    async def write() -> int:
        for number in range(100, 160):
            async with store.work() as work:
                await work.inbox.put(InboxItem(number, 7002, "later", NOW))
                await work.commit()
        return 60

    written, _ = await asyncio.gather(write(), store.scrub(NOW))
    async with store.work() as work:
        kept = [item for item in await work.inbox.waiting() if item.update_id >= 100]
    assert len(kept) == written


async def test_processes_that_scrub_at_once_do_it_one_after_another(store: SqlStore) -> None:
    await fill(store)
    await erase(store)
    others = [await open_store(url_of(store)) for _ in range(2)]
    done = await asyncio.gather(*(one.scrub(NOW) for one in (store, *others)))
    assert [receipt.place for (receipt,) in done] == ["free_pages"] * 3
    for one in others:
        await one.close()

"""Old and new processes side by side while a release migrates the database under them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Connection

from bot.settings import Settings
from bot.store.crew import PostgresCrew
from bot.store.database import attach, engine_of, migrate, open_store, upgrade
from bot.store.migrations import HEAD, REVISIONS
from bot.usecases.ports import InboxItem, NewerDatabase, OutboxItem, Store, StoreUnavailable
from bot.wiring import Sharing
from tests.store.places import ON_DISK
from tests.store.samples import NOW, a_full_folder, a_newcomer
from tests.store.test_backup import fresh, within

NEEDS_POSTGRES = pytest.mark.skipif("postgresql" not in ON_DISK, reason="no PostgreSQL here")


def a_later_release(connection: Connection) -> None:
    """What a release may do in one step: new tables, new columns that may be left out."""
    run = connection.exec_driver_sql
    run("CREATE TABLE brain_waves (id TEXT PRIMARY KEY)")
    run("ALTER TABLE stories ADD COLUMN mood TEXT")
    run("ALTER TABLE outbox ADD COLUMN weight INTEGER DEFAULT 0 NOT NULL")
    run("CREATE INDEX ix_outbox_weight ON outbox (weight)")
    run("UPDATE alembic_version SET version_num = '20990101_brain_waves'")


async def work_on(store: Store, number: int, *, has_folder: bool = True) -> None:
    """What a process does all day."""
    async with store.work() as work:
        await work.inbox.put(InboxItem(number, 7001, "{}", NOW))
        if has_folder:
            if (folder := await work.folders.by_chat(7001)) is None:
                folder = a_full_folder()
            folder.session.turn += 1
            await work.folders.save(folder)
        await work.outbox.add([OutboxItem(7001, {"n": number})])
        await work.inbox.done([number], NOW)
        await work.commit()


@pytest.mark.parametrize("place", ON_DISK)
async def test_who_runs_already_goes_on_and_who_starts_is_refused(
    tmp_path: Path, place: str
) -> None:
    url = fresh(place, tmp_path)
    store = await open_store(url)
    await work_on(store, 1)
    await within(url, a_later_release)
    for number in range(2, 5):
        await work_on(store, number)
    async with store.work() as work:
        assert len(await work.outbox.waiting()) == 4
        assert await work.library.shared(NOW) == []
        await work.folders.erase("r-1", NOW)
        await work.commit()
    with pytest.raises(NewerDatabase, match="was written by a newer version of this program"):
        await open_store(url)
    settings = Settings(_env_file=None, coach_home=tmp_path, database_url=url)  # type: ignore[call-arg]
    assert await asyncio.to_thread(Sharing(settings)) == [], "examples of the library stay"
    await work_on(store, 9)
    await store.close()


class Deck:
    """Nothing to do but hold lanes."""

    def arrived(self, chat: int | None = None) -> None: ...

    def queued(self) -> None: ...

    def reassigned(self) -> None: ...

    def busy(self) -> frozenset[int]:
        return frozenset()


@NEEDS_POSTGRES
async def test_a_crew_at_sea_keeps_its_lanes_while_the_database_becomes_newer(
    tmp_path: Path,
) -> None:
    url = fresh("postgresql", tmp_path)
    await migrate(url)
    crew = PostgresCrew(url)
    await crew.join(Deck())
    assert crew.leads and crew.share == 1.0
    await within(url, a_later_release)
    with pytest.raises(NewerDatabase):
        await open_store(url)
    # Longer than a lease: it was renewed on the newer database.
    await asyncio.sleep(3.5)
    assert crew.leads and crew.share == 1.0
    await crew.leave()


@NEEDS_POSTGRES
async def test_a_migration_under_load_fails_no_turn(tmp_path: Path) -> None:
    """From before posts were known to this version, while a process of then works on.

    Its store is this program's on the older tables, doing what needs none of the new ones: folders
    hold what was lent to organizers, which that process would know nothing of.
    """
    url = fresh("postgresql", tmp_path)
    before = REVISIONS.index("20261127_crew")
    await within(url, lambda connection: upgrade(connection, REVISIONS[before]))
    store = attach(url)
    stop, turns = asyncio.Event(), 0

    async def works() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1
            await work_on(store, turns, has_folder=False)

    working = asyncio.create_task(works())
    await asyncio.sleep(0.3)
    seen = turns
    assert await migrate(url) == (REVISIONS[before], HEAD)
    await asyncio.sleep(0.3)
    stop.set()
    await working
    assert turns > seen > 0
    async with store.work() as work:
        assert (await work.inbox.counts())["done"] == turns
        assert (await work.outbox.counts())["waiting"] == turns
    await store.close()


@NEEDS_POSTGRES
async def test_a_migration_does_not_keep_everybody_waiting_behind_a_long_reader(
    tmp_path: Path,
) -> None:
    """A backup, say. Whoever wants to change a table gives up soon, in one sentence."""
    url = fresh("postgresql", tmp_path)
    before = REVISIONS.index("20261126_practice")
    await within(url, lambda connection: upgrade(connection, REVISIONS[before]))
    engine, _ = engine_of(url, 5)
    async with engine.connect() as reader:
        await reader.exec_driver_sql("LOCK TABLE outbox IN ACCESS SHARE MODE")
        begun = monotonic()
        with pytest.raises(StoreUnavailable, match=r"such as a backup.*nothing was changed"):
            await migrate(url)
        assert monotonic() - begun < 15
    await engine.dispose()
    assert await migrate(url) == (REVISIONS[before], HEAD)


@pytest.mark.parametrize("place", ON_DISK)
async def test_two_releases_at_once_end_in_one_migration(tmp_path: Path, place: str) -> None:
    url = fresh(place, tmp_path)
    await within(url, lambda connection: upgrade(connection, REVISIONS[0]))
    ends = await asyncio.gather(*(migrate(url) for _ in range(3)))
    assert sorted(before or "" for before, _ in ends) == [REVISIONS[0], HEAD, HEAD]
    store = await open_store(url)
    async with store.work() as work:
        await work.folders.save(a_newcomer())
    await store.close()

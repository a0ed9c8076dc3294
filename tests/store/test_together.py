"""Jobs carried out together stand each for itself, and share what costs."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, func, select

from bot.store.database import SqlStore, open_store
from bot.store.prepared import Hand, Prepared, SqliteHand, given
from bot.store.tables import inbox
from bot.store.together import MOST, OnSqlite
from bot.usecases.ports import AlreadyDone, Conflict, OutboxItem, StoreUnavailable
from tests.store.places import ON_DISK, opened
from tests.store.samples import NOW, a_full_folder, a_newcomer, an_update

COUNT = Prepared(select(func.count().label("number")).select_from(inbox))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = await open_store(f"sqlite:///{tmp_path}/coach.db", wait=0.3)
    yield store
    await store.close()


@pytest.fixture(params=ON_DISK)
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with opened(request.param, tmp_path) as store:
        assert isinstance(store, SqlStore)
        yield store


async def keep(store: SqlStore, number: int, within: float = 0.0) -> None:
    async with store.work() as work:
        await work.inbox.keep([an_update(number)])
        await work.commit(within)


async def waiting(store: SqlStore) -> list[int]:
    async with store.work() as work:
        return [item.update_id for item in await work.inbox.waiting()]


@pytest.mark.sqlite_file("its one writer's line")
async def test_units_ready_at_the_same_moment_share_commits(store: SqlStore) -> None:
    await keep(store, 0)
    commits: list[str] = []
    assert isinstance(store._hands, OnSqlite)
    connection = store._hands._writing._connection
    assert connection is not None
    connection.set_trace_callback(lambda said: commits.append(said) if said == "COMMIT" else None)
    await asyncio.gather(*(keep(store, number) for number in range(1, 101)))
    assert await waiting(store) == list(range(101))
    assert 1 <= len(commits) <= 5


@pytest.mark.sqlite_file("its one writer's line")
async def test_more_units_than_go_at_one_time_are_all_kept(store: SqlStore) -> None:
    await asyncio.gather(*(keep(store, number) for number in range(2 * MOST + 7)))
    assert await waiting(store) == list(range(2 * MOST + 7))


@pytest.mark.sqlite_file("its one writer's line")
async def test_a_unit_that_is_refused_leaves_no_trace_and_takes_no_neighbour_along(
    store: SqlStore,
) -> None:
    await keep(store, 1)
    async with store.work() as work:
        await work.inbox.done([1], NOW)
        await work.commit()

    async def twice() -> None:
        async with store.work() as work:
            await work.outbox.queue([OutboxItem(7001, {"kind": "say"})])
            await work.inbox.done([1], NOW)
            await work.commit()

    outcomes = await asyncio.gather(keep(store, 2), twice(), keep(store, 3), return_exceptions=True)
    assert [type(o) for o in outcomes] == [type(None), AlreadyDone, type(None)]
    assert await waiting(store) == [2, 3]
    async with store.work() as work:
        assert await work.outbox.queued() == []


@pytest.mark.sqlite_file("its one writer's line")
async def test_who_has_time_goes_with_whoever_comes_next(store: SqlStore) -> None:
    patient = asyncio.create_task(keep(store, 2, within=30))
    await asyncio.sleep(0.02)
    assert not patient.done()
    assert await waiting(store) == []
    await keep(store, 1)
    await asyncio.wait_for(patient, 1)
    assert await waiting(store) == [1, 2]


@pytest.mark.sqlite_file("its one writer's line")
async def test_who_has_time_goes_alone_when_it_is_over(store: SqlStore) -> None:
    await asyncio.wait_for(keep(store, 1, within=0.01), 5)
    assert await waiting(store) == [1]


@pytest.mark.sqlite_file("its one writer's line")
async def test_who_has_time_is_served_before_the_store_closes(
    store: SqlStore, tmp_path: Path
) -> None:
    patient = asyncio.create_task(keep(store, 1, within=30))
    await asyncio.sleep(0.01)
    await store.close()
    await asyncio.wait_for(patient, 5)
    with contextlib.closing(sqlite3.connect(tmp_path / "coach.db")) as file:
        assert file.execute("SELECT update_id FROM inbox").fetchall() == [(1,)]


@pytest.mark.sqlite_file("its one writer's line")
async def test_what_the_database_itself_refuses_fails_alone(store: SqlStore) -> None:
    def broken(hand: Hand) -> None:
        assert isinstance(hand, SqliteHand)
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = await asyncio.gather(
        keep(store, 1), store._hands.commit([broken]), keep(store, 2), return_exceptions=True
    )
    assert [type(o) for o in outcomes] == [type(None), StoreUnavailable, type(None)]
    assert await waiting(store) == [1, 2]


@pytest.mark.sqlite_file("its one writer's line")
async def test_a_locked_file_is_told_to_everybody_who_waits_and_goes_on_afterwards(
    store: SqlStore, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "coach.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(keep(store, 1), keep(store, 2), return_exceptions=True)
    assert [type(o) for o in outcomes] == [StoreUnavailable] * 2
    assert "locked by another program" in str(outcomes[0])
    other.execute("ROLLBACK")
    other.close()
    await keep(store, 3)
    assert await waiting(store) == [3]


@pytest.mark.sqlite_file("its one writer's line")
async def test_nothing_waits_for_whoever_was_cancelled(store: SqlStore) -> None:
    gone = asyncio.create_task(keep(store, 1))
    await asyncio.sleep(0)
    gone.cancel()
    await keep(store, 2)
    assert 2 in await waiting(store)


async def test_a_job_sees_what_its_unit_changed_before_and_others_do_not(
    either: SqlStore,
) -> None:
    async with either.work() as work:
        new = await work.inbox.keep([an_update(1), an_update(2)])
        assert new == set(), "not before it is committed"
        await work.folders.save(a_newcomer())
        found = await work.folders.by_chat(7001)
        assert found is not None and found.session.version == 1
        async with either.work() as other:
            assert await other.folders.by_chat(7001) is None
        await work.commit()
    assert new == {1, 2}


async def test_what_is_left_without_a_commit_is_not_kept(either: SqlStore) -> None:
    async with either.work() as work:
        await work.inbox.keep([an_update(1)])
        await work.folders.save(a_newcomer())
    assert await waiting(either) == []
    async with either.work() as work:
        assert await work.folders.by_chat(7001) is None


async def test_of_two_who_save_the_same_version_at_once_one_is_refused(either: SqlStore) -> None:
    async with either.work() as work:
        await work.folders.save(a_full_folder())
        await work.commit()

    async def said(words: str) -> None:
        async with either.work() as work:
            folder = await work.folders.by_chat(7001)
            assert folder is not None
            await ready.wait()
            folder.session.step = words
            await work.folders.save(folder)
            await work.commit()

    ready = asyncio.Event()
    both = [asyncio.create_task(said("one")), asyncio.create_task(said("other"))]
    await asyncio.sleep(0.2)
    ready.set()
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["Conflict", "NoneType"]
    assert Conflict in {type(o) for o in outcomes}


async def test_values_come_back_as_they_went_in_by_every_hand(either: SqlStore) -> None:
    """By the driver itself as by SQLAlchemy: times, JSON, odd characters, nothing at all."""
    folder = a_full_folder()
    folder.session.notes = {"odd": ["\x00", "\x1a", "\ud83d", None, 1.5, True]}
    async with either.work() as work:
        await work.folders.save(folder)
        await work.commit()
    async with either.work() as work:
        directly = await work.folders.by_chat(7001)
        (ordinarily,) = await work.folders.by_reference(folder.resident.id)
    assert directly == ordinarily == folder


@pytest.mark.sqlite_file("its one writer's line")
async def test_a_value_that_is_missing_is_a_mistake_of_ours(store: SqlStore) -> None:
    one = Prepared(select(inbox.c.chat_id).where(inbox.c.update_id == bindparam("number")))
    with pytest.raises(KeyError):
        await store._hands.ask(lambda hand: hand.rows(one))
    assert (await store._hands.ask(lambda hand: hand.rows(COUNT)))[0].number == 0
    assert given("x").key == "set_x"

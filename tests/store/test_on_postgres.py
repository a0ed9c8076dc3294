"""Jobs carried out on a server: few journeys, company for who has time, news for others only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import BigInteger, bindparam, update

from bot.store import together
from bot.store.database import SqlStore
from bot.store.pipeline import Pipeline
from bot.store.prepared import Hand, Prepared
from bot.store.tables import inbox, outbox
from bot.store.together import OnPostgres
from bot.usecases.ports import AlreadyDone, InboxItem, OutboxItem, StoreUnavailable
from tests import postgres
from tests.store.places import address, opened
from tests.store.samples import NOW, a_full_folder, an_update

TOO_LARGE = Prepared(update(inbox).values(attempts=bindparam("number", type_=BigInteger)))
CLAIM = Prepared(update(outbox).where(outbox.c.id == bindparam("item")).values(state="sending"))

pytestmark = pytest.mark.skipif(
    not (postgres.IS_HERE or postgres.MUST_PROVE), reason="PostgreSQL is not installed"
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with opened("postgresql", tmp_path) as store:
        assert isinstance(store, SqlStore)
        yield store


@pytest.fixture
def journeys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each meeting with the server was about."""
    seen: list[int] = []
    meet = Pipeline.meet

    def counting(pipeline: Pipeline) -> None:
        seen.append(len(pipeline._underway))
        meet(pipeline)

    monkeypatch.setattr(Pipeline, "meet", counting)
    return seen


async def keep(store: SqlStore, number: int, within: float = 0.0) -> None:
    async with store.work() as work:
        await work.inbox.keep([an_update(number)])
        await work.commit(within)


async def end(store: SqlStore, number: int, within: float = 0.0) -> None:
    async with store.work() as work:
        await work.inbox.done([number], NOW, 7001)
        await work.commit(within)


async def waiting(store: SqlStore) -> list[int]:
    async with store.work() as work:
        return [item.update_id for item in await work.inbox.waiting()]


async def test_a_turn_reads_once_and_writes_in_two_journeys(
    store: SqlStore, journeys: list[int]
) -> None:
    async def turn(number: int) -> None:
        async with store.work() as work:
            met = await work.meet(7001, 7001)
            assert met.folder is not None
            met.folder.session.step = f"step {number}"
            await work.folders.save(met.folder)
            queued = await work.outbox.queue([OutboxItem(7001, {"kind": "say", "n": number})])
            await work.inbox.done([number], NOW, 7001)
            await work.commit()
        assert queued[0].id is not None

    async with store.work() as work:
        await work.folders.save(a_full_folder())
        await work.commit()
    store.knows_of_ours(lambda chat: True)
    await turn(1)
    journeys.clear()
    await turn(2)
    assert len(journeys) == 3 and sum(journeys) >= 9


async def test_what_checks_nothing_is_kept_in_one_journey(
    store: SqlStore, journeys: list[int]
) -> None:
    async with store.work() as work:
        (item,) = await work.outbox.add([OutboxItem(7001, {"kind": "say"})])
        await work.commit()
    journeys.clear()
    async with store.work() as work:
        await work.outbox.sent(item, 5)
        await work.outbox.set_keyboard(7001, 5)
        await work.commit()
    assert len(journeys) == 1


async def test_whoever_has_time_goes_along_with_the_next(store: SqlStore) -> None:
    patient = asyncio.create_task(keep(store, 1, within=30))
    await asyncio.sleep(0.05)
    assert not patient.done() and await waiting(store) == []
    await keep(store, 2)
    await asyncio.wait_for(patient, 1)
    assert await waiting(store) == [1, 2]


async def test_whoever_has_time_goes_alone_when_it_is_over(store: SqlStore) -> None:
    await asyncio.wait_for(keep(store, 1, within=0.01), 5)
    assert await waiting(store) == [1]


@pytest.mark.parametrize("refused_has_time", [True, False])
async def test_one_that_is_refused_takes_no_company_with_it(
    store: SqlStore, refused_has_time: bool
) -> None:
    await end(store, 9)
    goes_first = asyncio.create_task(
        end(store, 9, within=30) if refused_has_time else keep(store, 1, within=30)
    )
    await asyncio.sleep(0.05)
    last = keep(store, 1) if refused_has_time else end(store, 9)
    outcomes = await asyncio.gather(goes_first, last, return_exceptions=True)
    refused, kept = outcomes if refused_has_time else reversed(outcomes)
    assert isinstance(refused, AlreadyDone) and kept is None
    assert await waiting(store) == [1]


@pytest.mark.parametrize("refused_has_time", [True, False])
async def test_one_that_the_server_refuses_takes_no_company_with_it(
    store: SqlStore, refused_has_time: bool
) -> None:
    def too_large(hand: Hand) -> None:
        hand.send(TOO_LARGE, number=2**40)

    within = 30.0
    refused = store._hands.commit([too_large], within if refused_has_time else 0.0)
    kept = keep(store, 1, 0.0 if refused_has_time else within)
    first = asyncio.create_task(refused if refused_has_time else kept)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    last = kept if refused_has_time else refused
    outcomes = await asyncio.gather(first, last, return_exceptions=True)
    failed, fine = outcomes if refused_has_time else reversed(outcomes)
    assert isinstance(failed, StoreUnavailable) and "22003" in str(failed)
    assert fine is None
    assert await waiting(store) == [1]


async def test_a_claim_tells_of_the_try_that_was_kept(store: SqlStore) -> None:
    """Where company spoilt the first try, what it found does not count."""
    async with store.work() as work:
        (item,) = await work.outbox.add([OutboxItem(-5, {"kind": "say"}, repeatable=False)])
        await work.commit()

    tries = 0

    def somebody_else_claims_at_the_second_try(hand: Hand) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            hand.before_keeping(lambda: hand.change(TOO_LARGE, number=2**40) and None)
        else:
            hand.send(CLAIM, item=item)

    patient = asyncio.create_task(store._hands.commit([somebody_else_claims_at_the_second_try], 30))
    await asyncio.sleep(0.05)
    async with store.work() as work:
        claimed = await work.outbox.sending(item)
    await patient
    assert tries == 2 and not claimed
    async with store.work() as work:
        assert (await work.outbox.counts())["sending"] == 1


async def test_news_that_cannot_be_told_leaves_what_is_kept_kept(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(together, "CHANNEL", "a channel's name may not be as long as this" * 3)
    await keep(store, 1)
    assert await waiting(store) == [1]
    assert "others were not told" in caplog.text
    monkeypatch.undo()
    await keep(store, 2)
    assert await waiting(store) == [1, 2]


async def test_words_are_kept_whatever_the_servers_alphabet(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    async with opened("postgresql", tmp_path) as another, another.work() as work:
        await work.inbox.keep([InboxItem(1, 7001, "Señora 🌱", NOW)])
        await work.commit()
        assert [item.payload for item in await work.inbox.waiting()] == ["Señora 🌱"]


async def test_whoever_is_cancelled_takes_no_company_with_it(store: SqlStore) -> None:
    patient = asyncio.create_task(keep(store, 1, within=30))
    await asyncio.sleep(0.05)
    gone = asyncio.create_task(keep(store, 2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait_for(patient, 5)
    assert 1 in await waiting(store)


async def test_whoever_has_time_is_served_before_the_store_closes(
    store: SqlStore, tmp_path: Path
) -> None:
    patient = asyncio.create_task(keep(store, 1, within=30))
    await asyncio.sleep(0.05)
    await store.close()
    await asyncio.wait_for(patient, 5)
    with psycopg.connect(address("postgresql", tmp_path).replace("+psycopg", "")) as other:
        assert other.execute("SELECT update_id FROM inbox").fetchall() == [(1,)]


async def test_others_are_told_of_chats_that_are_not_ours_once_it_is_kept(
    store: SqlStore, tmp_path: Path
) -> None:
    url = address("postgresql", tmp_path).replace("+psycopg", "")
    heard: list[str] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as listener:
        await listener.execute("LISTEN coach")
        store.knows_of_ours(lambda chat: chat == 7001)
        async with store.work() as work:
            await work.inbox.keep([an_update(1)])
            await work.outbox.queue([OutboxItem(-5, {"kind": "say"}), OutboxItem(7001, {})])
            await work.commit()
        await end(store, 1)
        async with store.work() as work:
            await work.outbox.queue([OutboxItem(-6, {"kind": "say"})])
            await work.inbox.done([1], NOW)
            with pytest.raises(AlreadyDone):
                await work.commit()
        async with store.work() as work:
            # The ordinary road does not know whose a chat is.
            await work.outbox.add([OutboxItem(-7, {"kind": "say"})])
            await work.commit()
        async for note in listener.notifies(timeout=0.5):
            heard.append(note.payload)
    assert heard == ["out:-5", "out:-7"]
    assert isinstance(store._hands, OnPostgres)


async def test_connections_are_used_again_and_never_more_than_there_are_hands(
    store: SqlStore,
) -> None:
    await asyncio.gather(*(keep(store, number) for number in range(100)))
    assert await waiting(store) == list(range(100))
    assert isinstance(store._hands, OnPostgres)
    assert 1 <= store._hands._idle.qsize() <= 4

"""What every store promises: the same claims on SQL and on the in-memory fake.

Inbox and outbox: test_queues_contract.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bot.core.consent import NameShown, Purpose
from bot.core.narrative import StoryOf
from bot.core.story import Folder, Identity, Origin, Story, StoryStatus, Telling
from bot.store.database import SqlStore
from bot.usecases.ports import Conflict, OutboxItem, Seat, Store, StoreUnavailable
from tests.contracts.test_practice_contract import a_delivery, a_schedule
from tests.fakes_store import MemoryStore
from tests.store.places import PLACES, everything_held, opened
from tests.store.samples import NOW, a_full_folder, a_newcomer, a_story, an_update, folders


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def save(store: Store, folder: Folder) -> None:
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()


async def load(store: Store, chat_id: int = 7001) -> Folder:
    async with store.work() as work:
        folder = await work.folders.by_chat(chat_id)
    assert folder is not None
    return folder


# --- one transaction ---


async def test_what_is_committed_is_there(store: Store) -> None:
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        await work.commit()
    async with store.work() as work:
        assert await work.inbox.waiting() == [an_update(1)]


async def test_leaving_without_commit_rolls_everything_back(store: Store) -> None:
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        await work.outbox.add([OutboxItem(7001, {"text": "hello"})])
        await work.outbox.set_keyboard(7001, 5)
        await work.folders.save(a_full_folder())
    async with store.work() as work:
        assert await work.inbox.waiting() == []
        assert await work.outbox.waiting() == []
        assert await work.outbox.keyboard(7001) is None
        assert await work.folders.by_chat(7001) is None


async def test_an_error_inside_rolls_back(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.work() as work:
            await work.inbox.put(an_update(1))
            raise ZeroDivisionError
    async with store.work() as work:
        assert await work.inbox.counts() == {"waiting": 0, "done": 0, "quarantined": 0}


async def test_a_unit_of_work_sees_its_own_writes_and_others_do_not_before_commit(
    store: Store,
) -> None:
    async with store.work() as writer, store.work() as reader:
        await writer.inbox.put(an_update(1))
        assert await writer.inbox.waiting() == [an_update(1)]
        assert await reader.inbox.waiting() == []


async def test_work_after_a_commit_needs_its_own_commit(store: Store) -> None:
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        await work.commit()
        await work.inbox.put(an_update(2))
    async with store.work() as work:
        assert await work.inbox.waiting() == [an_update(1)]


async def test_writers_at_the_same_time_all_get_through(store: Store) -> None:
    async def receive(number: int) -> None:
        async with store.work() as work:
            await work.inbox.waiting()
            await work.inbox.put(an_update(number, chat_id=number))
            await asyncio.sleep(0)
            await work.outbox.add([OutboxItem(number, {"n": number})])
            await work.commit()

    await asyncio.gather(*(receive(number) for number in range(1, 31)))
    async with store.work() as work:
        assert [item.update_id for item in await work.inbox.waiting()] == list(range(1, 31))
        assert len(await work.outbox.waiting()) == 30


async def test_a_cancelled_writer_leaves_nothing_and_blocks_nobody(store: Store) -> None:
    entered = asyncio.Event()

    async def receive() -> None:
        async with store.work() as work:
            await work.inbox.put(an_update(1))
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(receive())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.work() as work:
        assert await work.inbox.put(an_update(2))
        await work.commit()
        assert await work.inbox.waiting() == [an_update(2)]


# --- folders ---


async def test_a_folder_comes_back_with_every_field(store: Store) -> None:
    folder = a_full_folder()
    await save(store, folder)
    loaded = await load(store)
    assert loaded == folder
    assert list(loaded.stories[0].interpretation) == list(folder.stories[0].interpretation)
    assert loaded.resident.joined_at.tzinfo is not None


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=folders(), second=folders())
async def test_any_folder_comes_back_and_any_change_to_it_too(
    store: Store, first: Folder, second: Folder
) -> None:
    await save(store, first)
    assert await load(store, first.identity.chat_id) == first
    second.session.version = first.session.version
    await save(store, second)
    assert await load(store, second.identity.chat_id) == second
    async with store.work() as work:
        await work.folders.erase("r-any", NOW)
        await work.commit()


async def test_a_loaded_folder_is_a_copy(store: Store) -> None:
    await save(store, a_full_folder())
    loaded = await load(store)
    loaded.stories[0].parts[StoryOf.SELF].pieces.append("not saved")
    loaded.session.notes["not"] = "saved"
    assert "not saved" not in repr(await load(store))


async def test_an_unknown_chat_has_no_folder(store: Store) -> None:
    async with store.work() as work:
        assert await work.folders.by_chat(404) is None
        assert await work.folders.story("nowhere") is None
        assert await work.folders.by_reference("nobody") == []


async def test_whoever_writes_is_met_with_all_that_is_known_of_them(store: Store) -> None:
    async with store.work() as work:
        met = await work.meet(7001, 7001)
        assert (met.seat, met.folder, met.opening) == (None, None, None)
    await save(store, a_full_folder())
    async with store.work() as work:
        await work.seats.save(Seat(7001, 7001, awaiting="organizing.name"))
        await work.practice.save_schedule(a_schedule())
        await work.practice.claim([a_delivery(1)], set())
        await work.practice.open("d-1", 7001, NOW)
        await work.commit()
    for _ in range(2):
        async with store.work() as work:
            met = await work.meet(7001, 7001)
            assert met.seat == await work.seats.of(7001)
            assert met.seat is not None
            assert met.folder == await work.folders.by_chat(7001)
            assert met.folder is not None
            assert met.opening == await work.practice.last_opening(7001)
            assert met.opening is not None
            assert met.opening.delivery.id == "d-1"


async def test_each_save_moves_the_version_on_by_one(store: Store) -> None:
    folder = a_newcomer()
    await save(store, folder)
    assert folder.session.version == 1
    await save(store, folder)
    assert folder.session.version == 2 == (await load(store)).session.version


async def test_changing_what_was_loaded_within_one_unit_of_work_is_kept(store: Store) -> None:
    await save(store, a_full_folder())
    async with store.work() as work:
        folder = await work.folders.by_chat(7001)
        assert folder
        folder.session.notes["rounds"] = 3
        folder.stories[0].parts[StoryOf.NOW].tell("Come on Saturday.", Origin.EDITED, NOW)
        await work.folders.save(folder)
        folder.stories[1].listener = "Rosa"
        await work.folders.save(folder)
        await work.commit()
    assert await load(store) == folder


async def test_saving_an_outdated_folder_is_a_conflict_and_changes_nothing(store: Store) -> None:
    await save(store, a_newcomer())
    mine, theirs = await load(store), await load(store)
    theirs.session.step = "theirs"
    await save(store, theirs)
    mine.session.step = "mine"
    with pytest.raises(Conflict):
        await save(store, mine)
    assert mine.session.version == 1
    assert (await load(store)).session.step == "theirs"


async def test_a_change_between_load_and_save_in_one_unit_of_work_is_a_conflict(
    store: Store,
) -> None:
    await save(store, a_newcomer())
    async with store.work() as work:
        mine = await work.folders.by_chat(7001)
        assert mine
        await save(store, await load(store))
        with pytest.raises(Conflict):
            await work.folders.save(mine)
            await work.commit()


async def test_a_second_new_folder_for_the_same_person_is_a_conflict(store: Store) -> None:
    await save(store, a_newcomer())
    with pytest.raises(Conflict):
        await save(store, a_newcomer())
    with pytest.raises(Conflict):
        await save(store, a_newcomer("r-2", chat_id=7001))


async def test_an_erased_folder_is_not_brought_back_by_an_old_copy(store: Store) -> None:
    await save(store, a_full_folder())
    old = await load(store)
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    with pytest.raises(Conflict):
        await save(store, old)
    async with store.work() as work:
        assert await work.folders.by_chat(7001) is None


async def test_a_rolled_back_save_can_be_repeated(store: Store) -> None:
    folder = a_newcomer()
    async with store.work() as work:
        await work.folders.save(folder)
        await work.folders.save(folder)
        assert folder.session.version == 2
    assert folder.session.version == 0
    await save(store, folder)
    assert (await load(store)).session.version == 1


async def test_tellings_may_be_replaced_and_their_words_are_gone(store: Store) -> None:
    folder = a_full_folder()
    folder.stories[0].parts[StoryOf.SELF].tell("periwinkle", Origin.EDITED, NOW)
    await save(store, folder)
    part = folder.stories[0].parts[StoryOf.SELF]
    part.tellings = [Telling(3, "only this", Origin.REMOVED, NOW)]
    await save(store, folder)
    assert await load(store) == folder
    assert "periwinkle" not in await everything_held(store)


async def test_a_story_taken_out_of_the_folder_leaves_no_words(store: Store) -> None:
    folder = a_full_folder()
    folder.stories.append(a_story("s-gone", words="periwinkle"))
    folder.stories[-1].link = "periwinkle"
    await save(store, folder)
    assert "periwinkle" in await everything_held(store)
    folder.stories.pop()
    await save(store, folder)
    assert await load(store) == folder
    assert "periwinkle" not in await everything_held(store)


async def test_a_withdrawn_and_emptied_story_leaves_only_its_name(store: Store) -> None:
    folder = a_newcomer()
    folder.stories = [a_story("s-gone", words="periwinkle")]
    await save(store, folder)
    folder.stories = [Story("s-gone", "en", NOW, status=StoryStatus.WITHDRAWN, withdrawn_at=NOW)]
    await save(store, folder)
    assert await load(store) == folder
    held = await everything_held(store)
    assert "periwinkle" not in held
    assert "Elm Street" not in held


async def test_a_folder_is_found_by_resident_id_telegram_id_or_name_in_any_case(
    store: Store,
) -> None:
    await save(store, a_newcomer("r-1", 7001, "Íñigo STRASSE"))
    await save(store, a_newcomer("r-2", 7002, "íñigo straße"))
    await save(store, a_newcomer("r-3", 7003, "7001"))
    async with store.work() as work:

        async def found(reference: str) -> list[str]:
            return sorted(f.resident.id for f in await work.folders.by_reference(reference))

        assert await found("r-2") == ["r-2"]
        assert await found("ÍÑIGO straße") == ["r-1", "r-2"]
        assert await found("7001") == ["r-1", "r-3"]
        assert await found("07001") == []
        assert await found("Íñigo") == []
        assert await found("9" * 30) == []


async def test_a_story_leads_to_its_folder(store: Store) -> None:
    folder = a_full_folder()
    await save(store, folder)
    await save(store, a_newcomer("r-2", 7002))
    async with store.work() as work:
        assert await work.folders.story("r-1-s-2") == (folder, "r-1-s-2")


# --- lists ---


async def test_stories_are_listed_by_submission_then_drafts_by_date(store: Store) -> None:
    for number, days in enumerate([3, 1, None, 2, None]):
        folder = a_newcomer(f"r-{number}", 7000 + number)
        begun_at = NOW - timedelta(days=number)
        story = Story(f"s-{number}", "en", begun_at)
        if days is not None:
            story.status, story.submitted_at = StoryStatus.SUBMITTED, NOW + timedelta(days=days)
        folder.stories = [story]
        await save(store, folder)
    async with store.work() as work:
        ids = [row.story_id async for row in work.folders.rows()]
        assert ids == ["s-1", "s-3", "s-0", "s-4", "s-2"]
        drafts = [row.story_id async for row in work.folders.rows(StoryStatus.DRAFT)]
        assert drafts == ["s-4", "s-2"]


async def test_a_line_says_what_is_told_and_released_without_a_word_of_it(store: Store) -> None:
    folder = a_newcomer()
    story = a_story("s-1", words="one two three")
    story.parts[StoryOf.US].tellings = []
    story.parts[StoryOf.NOW].tell("come on Saturday", Origin.EDITED, NOW)
    folder.stories = [story]
    await save(store, folder)
    async with store.work() as work:
        (row,) = [row async for row in work.folders.rows()]
    assert row.stages == ("self", "now")
    assert row.words == 4 + 3 + 2  # "(self)" is a word; the link has two
    assert row.purposes == (Purpose.ORGANIZERS, Purpose.PUBLIC_LIBRARY)
    assert row.name_shown == NameShown.CHOSEN.value
    assert row.expires_at == NOW + timedelta(days=365)
    assert (row.resident_id, row.status) == ("r-1", StoryStatus.SUBMITTED)
    assert "three" not in repr(row)
    assert "neighbour" not in repr(row)


async def test_a_line_of_a_story_with_no_live_release_permits_nothing(store: Store) -> None:
    folder = a_newcomer()
    folder.stories = [Story("s-1", "en", NOW)]
    folder.stories[0].releases = [a_story().releases[0]]
    await save(store, folder)
    async with store.work() as work:
        (row,) = [row async for row in work.folders.rows()]
    assert (row.purposes, row.name_shown, row.expires_at, row.words) == ((), "", None, 0)


# --- erasing ---


async def test_erasing_leaves_nothing_of_the_resident_and_all_of_the_others(store: Store) -> None:
    gone, stays = a_full_folder(), a_full_folder("r-2", 7002)
    for folder in (gone, stays):
        await save(store, folder)
    async with store.work() as work:
        await work.inbox.put(an_update(1, payload="periwinkle"))
        await work.inbox.put(an_update(2, chat_id=7002))
        await work.inbox.quarantine([1], "ValueError")
        await work.outbox.add([OutboxItem(7001, {"text": "periwinkle"}), OutboxItem(7002, {})])
        await work.outbox.set_keyboard(7001, 5)
        await work.commit()
    at = NOW + timedelta(days=1)
    async with store.work() as work:
        receipts = await work.folders.erase("r-1", at)
        await work.commit()
    # 3 of identity, 2 examples, 2 stories of 3 parts, 6 tellings, 1 reading, 2 releases, 1 offer,
    # 3 answers
    assert [(r.place, r.count) for r in receipts] == [("database", 26), ("inbox", 1), ("outbox", 2)]
    assert {r.erased_at for r in receipts} == {at}
    held = await everything_held(store)
    for trace in ("periwinkle", "7001", "'r-1'"):
        assert trace not in held
    async with store.work() as work:
        assert await work.folders.by_chat(7001) is None
        assert [item.chat_id for item in await work.outbox.waiting()] == [7002]
        assert await work.outbox.keyboard(7001) is None
        assert await work.inbox.waiting() == [an_update(2, chat_id=7002)]
        assert [row.resident_id async for row in work.folders.rows()] == ["r-2", "r-2"]
    assert await load(store, 7002) == stays


async def test_an_update_erased_with_its_sender_is_still_recognised(store: Store) -> None:
    """Telegram may deliver the /forget itself again; it must not start everything over."""
    await save(store, a_newcomer())
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        await work.inbox.done([1], NOW)
        await work.folders.erase("r-1", NOW)
        await work.commit()
    async with store.work() as work:
        assert not await work.inbox.put(an_update(1))
        assert await work.inbox.waiting() == []


async def test_erasing_an_unknown_resident_gives_no_receipt(store: Store) -> None:
    async with store.work() as work:
        assert await work.folders.erase("nobody", NOW) == []


async def test_an_erased_person_may_come_back_as_a_new_resident(store: Store) -> None:
    await save(store, a_full_folder())
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    await save(store, a_newcomer("r-9", 7001))
    assert (await load(store)).identity == Identity(7001, 7001, "Amina Diallo")


async def test_scrubbing_gives_a_receipt_and_keeps_what_is_held(store: Store) -> None:
    folder = a_full_folder()
    await save(store, folder)
    (receipt,) = await store.scrub(NOW)
    assert (receipt.place, receipt.erased_at) == ("free_pages", NOW)
    assert await load(store) == folder


async def test_two_units_of_work_nested_in_one_task_end_in_a_sentence_not_a_hang(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(store, MemoryStore):
        monkeypatch.setattr("tests.fakes_store.WAIT", 0.05)
    elif isinstance(store, SqlStore):
        store._wait = 0.05
    async with store.work() as outer, store.work() as inner:
        await outer.inbox.put(an_update(1))
        with pytest.raises((StoreUnavailable, TimeoutError)):
            await asyncio.wait_for(inner.inbox.put(an_update(1)), 2)


def test_the_samples_are_independent() -> None:
    """A guard on this file: deepcopy and equality see every field of a folder."""
    folder = a_full_folder()
    other = deepcopy(folder)
    assert other == folder
    other.stories[0].releases[1] = other.stories[0].releases[1].ended(NOW, "revoked")
    assert other != folder

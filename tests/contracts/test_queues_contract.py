"""What every inbox and outbox promises: the same claims on SQL and on the in-memory fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.usecases.ports import AlreadyDone, InboxItem, OutboxItem, Queued, Store
from tests.store.places import PLACES, everything_held, opened
from tests.store.samples import NOW, an_update


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


# --- inbox ---


async def test_an_update_is_kept_once(store: Store) -> None:
    async with store.work() as work:
        assert await work.inbox.put(an_update(1, payload="first"))
        assert not await work.inbox.put(an_update(1, payload="second"))
        await work.commit()
    async with store.work() as work:
        assert not await work.inbox.put(an_update(1, payload="third"))
        assert [item.payload for item in await work.inbox.waiting()] == ["first"]


async def test_updates_wait_in_the_order_of_their_ids(store: Store) -> None:
    async with store.work() as work:
        for number in (3, 1, 2**40, 2):
            await work.inbox.put(an_update(number))
        assert [item.update_id for item in await work.inbox.waiting()] == [1, 2, 3, 2**40]
        assert [item.update_id for item in await work.inbox.waiting(limit=2)] == [1, 2]


async def test_a_handled_update_is_blank_and_its_repeat_is_recognised(store: Store) -> None:
    async with store.work() as work:
        await work.inbox.put(an_update(1, payload='{"text": "periwinkle"}'))
        await work.inbox.put(an_update(2))
        await work.inbox.done([1], NOW)
        await work.commit()
    assert "periwinkle" not in await everything_held(store)
    async with store.work() as work:
        assert await work.inbox.waiting() == [an_update(2)]
        assert not await work.inbox.put(an_update(1, payload="again"))
        assert await work.inbox.counts() == {"waiting": 1, "done": 1, "quarantined": 0}


async def test_what_is_handled_before_it_is_kept_is_recognised_too(store: Store) -> None:
    async with store.work() as work:
        assert await work.inbox.latest() == -1
        await work.inbox.put(an_update(2))
        await work.inbox.done([1, 2, 5], NOW, 7001)
        await work.commit()
    async with store.work() as work:
        assert await work.inbox.counts() == {"waiting": 0, "done": 3, "quarantined": 0}
        assert await work.inbox.latest() == 5
        assert not await work.inbox.put(an_update(5))
        assert await work.inbox.waiting() == []
        with pytest.raises(AlreadyDone):
            await work.inbox.done([5], NOW)
            await work.commit()


async def test_nothing_is_kept_of_a_second_handling(store: Store) -> None:
    async with store.work() as work:
        for number in (1, 2, 3):
            await work.inbox.put(an_update(number))
        await work.inbox.quarantine([2], "ValueError")
        await work.inbox.done([1, 2], NOW)
        await work.commit()
    async with store.work() as work:
        await work.outbox.add([OutboxItem(7001, {"kind": "say"})])
        with pytest.raises(AlreadyDone):
            await work.inbox.done([1, 3], NOW)
            await work.commit()
    async with store.work() as work:
        assert await work.inbox.counts() == {"waiting": 1, "done": 2, "quarantined": 0}
        assert await work.outbox.queued() == []


async def test_a_handled_id_means_a_new_update_after_a_silent_week(store: Store) -> None:
    """Telegram restarts update ids at random after a week without updates."""
    later = InboxItem(1, 7001, "new", NOW + timedelta(days=7))
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        assert not await work.inbox.put(later)
        await work.inbox.done([1], NOW)
        assert not await work.inbox.put(InboxItem(1, 7001, "new", NOW + timedelta(days=6)))
        assert await work.inbox.put(later)
        assert await work.inbox.waiting() == [later]


async def test_a_poison_update_is_set_aside_and_its_neighbours_go_on(store: Store) -> None:
    async with store.work() as work:
        for number in (1, 2, 3):
            await work.inbox.put(an_update(number))
        await work.inbox.quarantine([2], "ValueError")
        assert [item.update_id for item in await work.inbox.waiting()] == [1, 3]
        assert await work.inbox.counts() == {"waiting": 2, "done": 0, "quarantined": 1}


async def test_what_waits_in_some_chats_is_found_there_in_order(store: Store) -> None:
    later = NOW + timedelta(seconds=1)
    async with store.work() as work:
        for number, chat in ((4, 7001), (3, -50), (2, 7001), (1, 7002), (6, -50), (5, 7001)):
            await work.inbox.put(InboxItem(number, chat, f"{number}", later))
        await work.inbox.done([4], NOW)
        await work.inbox.quarantine([5], "ValueError")
        await work.inbox.attempted([2])
        await work.commit()
    async with store.work() as work:
        assert await work.inbox.waiting_in([]) == []
        assert await work.inbox.waiting_in([9]) == []
        assert await work.inbox.waiting_in([7001]) == [InboxItem(2, 7001, "2", later, attempts=1)]
        found = await work.inbox.waiting_in([-50, 7001])
        assert [item.update_id for item in found] == [2, 3, 6]


async def test_attempts_at_an_update_are_counted(store: Store) -> None:
    async with store.work() as work:
        await work.inbox.put(an_update(1))
        await work.inbox.attempted([1])
        await work.inbox.attempted([1, 99])
        assert [item.attempts for item in await work.inbox.waiting()] == [2]


async def test_thousands_of_updates_are_handled_in_one_call(store: Store) -> None:
    async with store.work() as work:
        for number in range(1200):
            await work.inbox.put(an_update(number))
        await work.inbox.done(list(range(1200)), NOW)
        assert await work.inbox.counts() == {"waiting": 0, "done": 1200, "quarantined": 0}


# --- outbox ---


async def test_messages_wait_in_the_order_they_were_added(store: Store) -> None:
    bodies = [{"text": f"ñ {n}", "buttons": [["yes", "no"]], "quiet": None} for n in range(3)]
    async with store.work() as work:
        first = await work.outbox.add([OutboxItem(7001, body) for body in bodies[:2]])
        second = await work.outbox.add([OutboxItem(7002, bodies[2])])
        waiting = await work.outbox.waiting()
        assert [item.id for item in waiting] == first + second == sorted(first + second)
        assert [item.body for item in waiting] == bodies
        assert [item.chat_id for item in waiting] == [7001, 7001, 7002]
        assert await work.outbox.waiting(limit=1) == waiting[:1]


async def test_sent_and_failed_messages_wait_no_longer_and_keep_no_words(store: Store) -> None:
    async with store.work() as work:
        one, two, three = await work.outbox.add(
            [OutboxItem(7001, {"text": f"periwinkle {n}"}) for n in range(3)]
        )
        await work.outbox.sent(one, 55)
        await work.outbox.failed(two, "Forbidden")
        await work.outbox.sent(three, None)
        await work.commit()
    assert "periwinkle" not in await everything_held(store)
    async with store.work() as work:
        assert await work.outbox.waiting() == []


async def test_attempts_at_a_message_are_counted(store: Store) -> None:
    async with store.work() as work:
        (one,) = await work.outbox.add([OutboxItem(7001, {})])
        await work.outbox.attempted(one)
        assert [item.attempts for item in await work.outbox.waiting()] == [1]


async def test_the_open_keyboard_of_a_chat_is_remembered_replaced_and_forgotten(
    store: Store,
) -> None:
    async with store.work() as work:
        assert await work.outbox.keyboard(7001) is None
        await work.outbox.set_keyboard(7001, 5)
        await work.outbox.set_keyboard(7001, 6)
        await work.outbox.set_keyboard(7002, 9)
        assert await work.outbox.keyboard(7001) == 6
        await work.outbox.set_keyboard(7001, None)
        assert await work.outbox.keyboard(7001) is None
        assert await work.outbox.keyboard(7002) == 9


async def test_what_was_queued_is_known_once_it_is_kept_as_if_it_were_read(store: Store) -> None:
    push = OutboxItem(-100, {"n": [1]}, urgency="push", repeatable=False, topic=3)
    async with store.work() as work:
        await work.outbox.set_keyboard(7001, 5)
        queued = await work.outbox.queue([OutboxItem(7001, {"n": 1}), push])
        assert queued == []
        await work.commit()
        assert [item.keyboard for item in queued] == [5, None]
        assert all(item.id for item in queued)
        assert [await work.outbox.one(item.id or 0) for item in queued] == queued
    async with store.work() as work:
        lost = await work.outbox.queue([push])
    assert lost == []


async def test_what_was_queued_is_not_all_that_waits_where_more_was_added(store: Store) -> None:
    async with store.work() as work:
        queued = await work.outbox.queue([OutboxItem(7001, {"n": 1})])
        await work.outbox.add([OutboxItem(-100, {"n": 2})])
        await work.commit()
        assert queued == []
        assert len(await work.outbox.queued()) == 2


async def test_how_a_message_is_to_be_sent_is_kept_with_it(store: Store) -> None:
    push = OutboxItem(-100, {"n": 1}, urgency="push", repeatable=False, topic=2**40)
    async with store.work() as work:
        one, two = await work.outbox.add([push, OutboxItem(7001, {})])
        await work.commit()
        kept, plain = await work.outbox.waiting()
        assert (kept.urgency, kept.repeatable, kept.topic) == ("push", False, 2**40)
        assert (plain.urgency, plain.repeatable, plain.topic) == ("reply", True, None)
        assert await work.outbox.one(one) == kept
        assert await work.outbox.queued() == [
            Queued(one, -100, "push"),
            Queued(two, 7001, "reply"),
        ]


async def test_the_queue_is_read_on_from_an_id_and_shows_only_what_waits(store: Store) -> None:
    async with store.work() as work:
        ids = await work.outbox.add([OutboxItem(7001, {"n": n}) for n in range(6)])
        await work.outbox.sent(ids[0], 1)
        await work.outbox.failed(ids[1], "BadRequest")
        await work.outbox.unknown(ids[2], "TimedOut")
        await work.outbox.sending(ids[3])
        assert [q.id for q in await work.outbox.queued()] == ids[4:]
        assert [q.id for q in await work.outbox.queued(after=ids[4])] == ids[5:]
        assert [q.id for q in await work.outbox.queued(limit=1)] == ids[4:5]
        for settled in ids[:3]:
            assert await work.outbox.one(settled) is None
        assert await work.outbox.one(ids[3]) is not None
        assert await work.outbox.one(ids[5] + 1) is None


async def test_a_message_on_its_way_waits_again_only_when_it_surely_was_not_sent(
    store: Store,
) -> None:
    async with store.work() as work:
        one, two = await work.outbox.add([OutboxItem(-100, {"word": "periwinkle"})] * 2)
        assert await work.outbox.sending(one)
        assert await work.outbox.sending(two)
        assert not await work.outbox.sending(two), "it is taken once"
        assert await work.outbox.waiting() == []
        await work.outbox.attempted(one)
        assert [(i.id, i.attempts) for i in await work.outbox.waiting()] == [(one, 1)]
        await work.outbox.unknown(two, "TimedOut")
        await work.outbox.attempted(two)
        assert not await work.outbox.sending(two)
        assert await work.outbox.one(two) is None
        await work.outbox.sent(one, 5)
        await work.commit()
    assert "periwinkle" not in await everything_held(store)


async def test_what_a_crash_left_on_its_way_becomes_unknown_and_keeps_no_words(
    store: Store,
) -> None:
    async with store.work() as work:
        ids = await work.outbox.add([OutboxItem(-100, {"word": "periwinkle"})] * 2)
        for each in ids:
            await work.outbox.sending(each)
        await work.commit()
    async with store.work() as work:
        assert await work.outbox.interrupted("Interrupted") == 2
        assert await work.outbox.interrupted("Interrupted") == 0
        assert await work.outbox.waiting() == []
        await work.commit()
    assert "periwinkle" not in await everything_held(store)


async def test_messages_are_counted_by_what_became_of_them(store: Store) -> None:
    async with store.work() as work:
        ids = await work.outbox.add([OutboxItem(7001, {})] * 7)
        await work.outbox.sending(ids[0])
        await work.outbox.sent(ids[1], 1)
        await work.outbox.sent(ids[2], 2)
        await work.outbox.failed(ids[3], "BadRequest")
        await work.outbox.unknown(ids[4], "TimedOut")
        assert await work.outbox.counts() == {
            "waiting": 2,
            "sending": 1,
            "sent": 2,
            "failed": 1,
            "unknown": 1,
        }

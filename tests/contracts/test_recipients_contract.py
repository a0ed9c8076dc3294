"""What every store promises about groups and about chats that cannot be written to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.usecases.ports import Conflict, Group, OutboxItem, Seat, Store
from tests.store.places import PLACES, everything_held, opened
from tests.store.samples import NOW, a_full_folder

GROUP = Group("g1", -100, "Río & friends", "member", NOW, 7001, "es", "America/Lima", 44, NOW)


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


# --- chats that cannot be written to ---


async def test_a_paused_chat_is_named_with_its_reason_until_it_is_resumed(store: Store) -> None:
    async with store.work() as work:
        assert await work.recipients.paused() == {}
        assert await work.recipients.pause(7001, "blocked", NOW)
        assert await work.recipients.pause(-(2**42), "kicked", NOW)
        await work.commit()
    async with store.work() as work:
        assert await work.recipients.paused() == {7001: "blocked", -(2**42): "kicked"}
        assert await work.recipients.resume(7001)
        assert not await work.recipients.resume(7001)
        assert await work.recipients.paused() == {-(2**42): "kicked"}


async def test_a_second_pause_is_not_new_and_keeps_the_first_time(store: Store) -> None:
    async with store.work() as work:
        await work.outbox.add([OutboxItem(7001, {})])
        assert await work.recipients.pause(7001, "blocked", NOW)
        assert not await work.recipients.pause(7001, "deactivated", NOW + timedelta(hours=5))
        assert await work.recipients.paused() == {7001: "deactivated"}
        assert await work.recipients.drop(NOW + timedelta(seconds=1)) == 1


async def test_a_pause_that_was_not_committed_is_none(store: Store) -> None:
    async with store.work() as work:
        await work.recipients.pause(7001, "blocked", NOW)
    async with store.work() as work:
        assert await work.recipients.paused() == {}


async def test_only_private_replies_outlive_a_pause_and_only_until_the_given_time(
    store: Store,
) -> None:
    async with store.work() as work:
        reply, *others = await work.outbox.add(
            [
                OutboxItem(7001, {"word": "reply"}),
                OutboxItem(7001, {"word": "periwinkle"}, urgency="push"),
                OutboxItem(-100, {"word": "periwinkle"}),
                OutboxItem(-100, {"word": "periwinkle"}, urgency="push"),
            ]
        )
        (free,) = await work.outbox.add([OutboxItem(7002, {}, urgency="push")])
        await work.recipients.pause(7001, "blocked", NOW)
        await work.recipients.pause(-100, "kicked", NOW)
        assert await work.recipients.drop(NOW) == len(others)
        assert [item.id for item in await work.outbox.waiting()] == [reply, free]
        assert await work.recipients.drop(NOW + timedelta(seconds=1)) == 1
        assert [item.id for item in await work.outbox.waiting()] == [free]
        assert (await work.outbox.counts())["failed"] == 4
        await work.commit()
    assert "periwinkle" not in await everything_held(store)


async def test_erasing_a_person_forgets_their_pause_and_which_groups_they_opened(
    store: Store,
) -> None:
    folder = a_full_folder()
    person = folder.identity
    async with store.work() as work:
        await work.folders.save(folder)
        await work.recipients.pause(person.chat_id, "blocked", NOW)
        await work.groups.save(replace(GROUP, added_by=person.telegram_id))
        await work.groups.save(replace(GROUP, id="g2", chat_id=-200, added_by=4))
        receipts = await work.folders.erase(folder.resident.id, NOW)
        assert [r.count for r in receipts if r.place == "outbox"] == [1]
        assert await work.recipients.paused() == {}
        assert [g.added_by for g in await work.groups.all()] == [None, 4]


# --- groups ---


async def test_a_group_comes_back_as_it_was_saved(store: Store) -> None:
    bare = Group("g2", -200, "", "restricted", NOW + timedelta(days=1))
    async with store.work() as work:
        await work.groups.save(bare)
        await work.groups.save(GROUP)
        await work.commit()
    async with store.work() as work:
        assert await work.groups.by_chat(-100) == GROUP
        assert await work.groups.by_chat(-200) == bare
        assert await work.groups.by_chat(-300) is None
        assert await work.groups.all() == [GROUP, bare]
        left = replace(GROUP, standing="left", topic=None)
        await work.groups.save(left)
        assert await work.groups.all() == [left, bare]


async def test_two_groups_cannot_hold_one_chat(store: Store) -> None:
    async with store.work() as work:
        await work.groups.save(GROUP)
        with pytest.raises(Conflict):
            await work.groups.save(replace(GROUP, id="g2"))


# --- a group that became a supergroup ---


async def test_everything_about_a_group_follows_it_to_its_new_id(store: Store) -> None:
    async with store.work() as work:
        ids = await work.outbox.add([OutboxItem(-100, {"n": n}) for n in range(3)])
        await work.outbox.sending(ids[0])
        await work.outbox.set_keyboard(-100, 5)
        await work.recipients.pause(-100, "no_rights", NOW)
        await work.groups.save(GROUP)
        assert await work.recipients.moved(-100, -1007)
        assert not await work.recipients.moved(-100, -1007)
        await work.commit()
    async with store.work() as work:
        assert [item.chat_id for item in await work.outbox.waiting()] == [-1007, -1007]
        on_its_way = await work.outbox.one(ids[0])
        assert on_its_way is not None and on_its_way.chat_id == -1007
        assert await work.outbox.keyboard(-100) is None
        assert await work.outbox.keyboard(-1007) == 5
        assert await work.recipients.paused() == {-1007: "no_rights"}
        assert await work.groups.all() == [replace(GROUP, chat_id=-1007)]


async def test_moving_twice_or_where_something_is_known_already_doubles_nothing(
    store: Store,
) -> None:
    newer = Group("g2", -1007, "Río", "administrator", NOW + timedelta(days=1))
    async with store.work() as work:
        await work.groups.save(replace(GROUP, standing="left"))
        await work.groups.save(newer)
        for chat, message in ((-100, 5), (-1007, 9)):
            await work.outbox.set_keyboard(chat, message)
            await work.recipients.pause(chat, "kicked", NOW)
        for _ in range(2):
            await work.recipients.moved(-100, -1007)
        assert await work.groups.all() == [replace(GROUP, chat_id=-1007, standing="administrator")]
        assert await work.outbox.keyboard(-1007) == 9
        assert await work.outbox.keyboard(-100) is None
        assert await work.recipients.paused() == {-1007: "kicked"}


# --- seats at the desk ---


async def test_a_seat_at_the_desk_comes_back_as_it_was_and_goes_with_its_person(
    store: Store,
) -> None:
    folder = a_full_folder()
    person = folder.identity
    seat = Seat(person.telegram_id, person.chat_id, "organizing.when", {"prompt": "p1"}, 4)
    async with store.work() as work:
        assert await work.seats.of(person.telegram_id) is None
        await work.folders.save(folder)
        await work.seats.save(Seat(person.telegram_id, person.chat_id))
        await work.seats.save(seat)
        await work.commit()
    async with store.work() as work:
        assert await work.seats.of(person.telegram_id) == seat
        await work.folders.erase(folder.resident.id, NOW)
        await work.commit()
    async with store.work() as work:
        assert await work.seats.of(person.telegram_id) is None

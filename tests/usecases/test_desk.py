"""The desk: every act, its answer and the update's end together, and nothing from old buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.turn import Heard, Line, Move, Say
from bot.usecases.desk import Desk, Room, Visit, button
from bot.usecases.outgoing import move_of
from bot.usecases.ports import Group, InboxItem, Store
from bot.usecases.residents import Sender
from tests.fakes import FixedClock, catalogue
from tests.store.places import PLACES, opened

ANA = Sender(7, 7)
NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Counting:
    """A room that writes a group for every visit, and fails when told to."""

    name = "counting"
    fails = False

    def __init__(self, store: Store) -> None:
        self._store = store

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        return ("home", ()) if heard.command == "count" else None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        if visit.verb == "add":
            async with self._store.work() as work:
                known = len(await work.groups.all())
                await work.groups.save(
                    Group(f"g{known}", -known - 1, visit.text or "", "member", NOW)
                )
                await work.commit()
        if self.fails:
            raise RuntimeError("a mistake of ours")
        if visit.verb == "ask":
            visit.seat.awaiting = "counting.add"
        choice = button("counting", "add", label="general.continue")
        return [Say((Line("general.continue"),), ((choice,),))]


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def desk(store: Store, room: type[Room] = Counting) -> Desk:
    return Desk(store, [room], catalogue(), FixedClock(NOW))


async def heard(store: Store, update_id: int, what: Heard, room: type[Room] = Counting) -> bool:
    async with store.work() as work:
        await work.inbox.put(InboxItem(update_id, 7, "{}", NOW))
        await work.commit()
    return await desk(store, room).hear(ANA, what, [update_id])


async def groups(store: Store) -> int:
    async with store.work() as work:
        return len(await work.groups.all())


async def waiting(store: Store) -> int:
    async with store.work() as work:
        return (await work.inbox.counts())["waiting"]


async def test_a_command_of_a_room_is_answered_and_its_update_ended(store: Store) -> None:
    assert await heard(store, 1, Heard(command="count"))
    assert await waiting(store) == 0
    async with store.work() as work:
        assert len(await work.outbox.waiting()) == 1


async def test_what_belongs_to_no_room_is_left_to_others(store: Store) -> None:
    assert not await heard(store, 1, Heard(text="a story"))
    assert not await heard(store, 2, Heard(command="help"))
    assert not await heard(store, 3, Heard(choice="on", turn=0))
    assert await waiting(store) == 3


async def test_a_typed_answer_goes_to_the_room_that_asked_and_only_once(store: Store) -> None:
    await heard(store, 1, Heard(command="count"))
    await heard(store, 2, Heard(choice="desk.counting.ask", turn=1))
    assert await heard(store, 3, Heard(text="Rio"))
    assert not await heard(store, 4, Heard(text="Rio"))
    assert await groups(store) == 1


async def test_going_on_to_something_else_means_the_next_words_are_not_the_answer(
    store: Store,
) -> None:
    await heard(store, 1, Heard(command="count"))
    await heard(store, 2, Heard(choice="desk.counting.ask", turn=1))
    assert not await heard(store, 3, Heard(command="help"))
    assert not await heard(store, 4, Heard(text="my story"))
    assert await groups(store) == 0


async def test_a_second_tap_on_the_same_button_does_nothing_but_show_where_one_is(
    store: Store,
) -> None:
    await heard(store, 1, Heard(command="count"))
    for number in (2, 3):
        assert await heard(store, number, Heard(choice="desk.counting.add", turn=1))
    assert await groups(store) == 1
    async with store.work() as work:
        says = [move_of(item.body) for item in await work.outbox.waiting()]
    assert [line.key for say in says if isinstance(say, Say) for line in say.lines].count(
        "desk.old_button"
    ) == 1


async def test_a_room_that_fails_leaves_nothing_behind(store: Store) -> None:
    await heard(store, 1, Heard(command="count"))

    class Failing(Counting):
        fails = True

    with pytest.raises(RuntimeError):
        await heard(store, 2, Heard(choice="desk.counting.add", turn=1), Failing)
    assert await groups(store) == 0
    assert await waiting(store) == 1
    assert await heard(store, 2, Heard(choice="desk.counting.add", turn=1))
    assert await groups(store) == 1


def test_an_argument_cannot_be_read_as_two() -> None:
    with pytest.raises(ValueError, match="full stop"):
        button("counting", "add", "a.b", label="general.continue")

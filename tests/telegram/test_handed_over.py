"""What a turn queued goes to the sender by hand: once, in order, with the right buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.console.people import Person
from bot.core.turn import Choice, Say
from bot.telegram import sender as sending_room
from bot.usecases.outgoing import body_of
from bot.usecases.ports import OutboxItem
from tests.telegram.sending import Desk, said, sending
from tests.telegram.stage import eventually


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sending(tmp_path) as desk:
        yield desk


async def queued(desk: Desk, who: Person, *moves: Say) -> Sequence[OutboxItem]:
    """In the outbox, with nobody told."""
    async with desk.store.work() as work:
        items = [OutboxItem(who.id, body_of(move, "en", 5)) for move in moves]
        kept = await work.outbox.queue(items)
        await work.commit()
    return kept


def asking(text: str) -> Say:
    """With a button."""
    return Say(said(text).lines, ((Choice("skip", "choices.skip"),),))


async def test_what_is_handed_over_is_not_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = desk.person()
    await desk.settled()
    read: list[int] = []
    one = type(desk.store.work().outbox).one

    async def seen(self: object, item_id: int) -> OutboxItem | None:
        read.append(item_id)
        return await one(self, item_id)  # type: ignore[arg-type]

    monkeypatch.setattr(type(desk.store.work().outbox), "one", seen)
    first, second = await queued(desk, ana, said("one"), said("two"))
    desk.sender.send([first, second])
    await desk.settled()
    assert desk.texts(ana) == ["one", "two"]
    assert read == [second.id], "what waits behind another may have to know what became of it"
    assert await desk.counts() == {"sent": 2}


async def test_what_somebody_found_and_sent_before_is_not_sent_again(desk: Desk) -> None:
    ana = desk.person()
    items = await queued(desk, ana, said("once"))
    desk.sender.wake()
    await desk.settled()
    desk.sender.send(items)
    await desk.settled()
    assert desk.texts(ana) == ["once"]


async def test_a_look_after_it_finds_nothing_to_send_again(desk: Desk) -> None:
    ana = desk.person()
    for n in range(3):
        desk.sender.send(await queued(desk, ana, said(f"{n}")))
        desk.sender.wake()
    await desk.settled()
    assert desk.texts(ana) == ["0", "1", "2"]


async def test_what_was_erased_is_not_sent_when_its_moment_is_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = desk.person()
    await desk.settled()
    monkeypatch.setattr(sending_room, "A_MOMENT", 0.0)
    (item,) = await queued(desk, ana, said("gone"))
    async with desk.store.work() as work:
        await work.outbox.failed(item.id or 0, "Erased")
        await work.commit()
    desk.sender.send([item])
    await desk.settled()
    assert desk.texts(ana) == []


async def test_only_the_newest_of_messages_that_come_at_once_has_buttons(desk: Desk) -> None:
    ana = desk.person()
    desk.sender.send(await queued(desk, ana, asking("first")))
    # Its keyboard is read before the first one's is noted, as by a turn that commits just then.
    second = await queued(desk, ana, asking("second"))
    await desk.settled()
    desk.sender.send(second)
    await desk.settled()
    assert [bool(e.buttons) for e in desk.entries(ana)] == [False, True]


async def test_a_paused_chat_is_looked_at_and_written_to_when_heard_of_again(desk: Desk) -> None:
    ana = desk.person()
    async with desk.store.work() as work:
        await work.recipients.pause(ana.id, "blocked", desk.clock.now())
        await work.commit()
    await desk.queue(ana.id, "waits")
    await desk.settled()
    assert desk.texts(ana) == []
    async with desk.store.work() as work:
        await work.recipients.heard_from(ana.id)
        kept = await work.outbox.queue([OutboxItem(ana.id, body_of(said("new"), "en", 5))])
        await work.commit()
    desk.sender.send(kept)
    await eventually(lambda: len(desk.texts(ana)) == 2)
    assert desk.texts(ana) == ["waits", "new"]

"""Replies before pushes, within Telegram's limits, and nobody waits for somebody else's refusal."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from bot.console.request import InProcessRequest
from bot.core.turn import Choice, Line, Say
from bot.store.tables import outbox
from bot.telegram import sender as sending_room
from bot.telegram.limits import Figures, Pace, Window
from bot.telegram.sender import Sender
from tests.telegram.sending import Desk, sending
from tests.telegram.stage import eventually

QUICK = Figures(
    overall=Window(30, 0.5, kept_for_replies=10),
    private=Pace(4, 0.2, kept_for_replies=2),
    group=Pace(2, 0.1, kept_for_replies=1),
    group_minute=Window(4, 1.0, kept_for_replies=1),
)
"""The real limits with less patience."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sending(tmp_path, figures=QUICK) as desk:
        yield desk


async def test_what_is_left_waits_in_order_per_chat_and_replies_go_before_pushes(
    tmp_path: Path,
) -> None:
    async with sending(tmp_path, is_started=False) as desk:
        ana = desk.person()
        for n in range(3):
            await desk.queue(ana.id, f"push {n}", urgency="push")
            await desk.queue(ana.id, f"reply {n}")
        desk.sender.start()
        await desk.settled()
        assert desk.texts(ana) == [f"{kind} {n}" for kind in ("reply", "push") for n in range(3)]


async def test_a_reply_is_not_held_up_by_pushes_to_a_hundred_groups(desk: Desk) -> None:
    ana = desk.person()
    crowds = [await desk.group(f"Group {n}") for n in range(100)]
    for crowd in crowds:
        await desk.queue(crowd.id, "practice", urgency="push", repeatable=False)
    await eventually(lambda: len(desk.posted_at) > 3)
    asked = asyncio.get_running_loop().time()
    await desk.queue(ana.id, "one", "two", "three")
    await eventually(lambda: len(desk.posted_at.get(ana.id, [])) == 3)
    assert desk.posted_at[ana.id][-1] - asked < 0.4
    assert len([c for c in crowds if desk.texts(c)]) < 100
    await desk.settled(20)
    assert all(desk.texts(crowd) == ["practice"] for crowd in crowds)


async def test_calls_that_reach_telegram_keep_the_limits(desk: Desk) -> None:
    ana, crowd = desk.person(), await desk.group()
    await desk.queue(ana.id, *(str(n) for n in range(10)))
    await desk.queue(crowd.id, *(str(n) for n in range(10)))
    await desk.settled()
    mine, theirs = desk.posted_at[ana.id], desk.posted_at[crowd.id]
    assert len(mine) == len(theirs) == 10
    assert mine[3] - mine[0] < 0.5, "a turn goes out at once"
    assert mine[9] - mine[0] >= 6 * 0.2 - 0.05
    for early, late in zip(theirs, theirs[4:], strict=False):
        assert late - early >= 0.9, "no more than four a window in a group"


async def test_edits_count_as_calls(desk: Desk) -> None:
    ana = desk.person()
    rows = ((Choice("skip", "choices.skip"),),)
    await desk.queue_moves(ana.id, *(Say((Line("rights.kept"),), rows) for _ in range(4)))
    await desk.settled()
    assert len(desk.api.calls) >= 7
    at = desk.posted_at[ana.id]
    assert at[-1] - at[0] >= 2 * 0.2 - 0.05, "three edits took the place of messages"


async def test_a_refused_chat_rests_exactly_as_long_as_asked_and_alone(desk: Desk) -> None:
    ana, eva = desk.person("Ana"), desk.person("Eva")
    desk.api.faults.too_many_requests("sendMessage", 1, chat_id=ana.id)
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await desk.queue(ana.id, "one", "two")
    await desk.queue(eva.id, "three")
    await desk.settled()
    assert desk.posted_at[eva.id][0] - asked < 0.5
    assert 1.0 <= desk.posted_at[ana.id][0] - asked < 1.4
    assert desk.texts(ana) == ["one", "two"]
    assert desk.api.calls.count("sendMessage") == 4, "one refusal, one more try"


async def test_when_several_chats_are_refused_at_once_everybody_rests_and_no_storm_follows(
    desk: Desk,
) -> None:
    people = [desk.person(f"Person {n}") for n in range(20)]
    for person in people[:3]:
        desk.api.faults.too_many_requests("sendMessage", 1, chat_id=person.id)
        await desk.queue(person.id, "one")
    await eventually(lambda: desk.api.calls.count("sendMessage") == 3)
    await asyncio.sleep(0.05)
    asked = asyncio.get_running_loop().time()
    for person in people[3:]:
        await desk.queue(person.id, "one")
    await asyncio.sleep(0.5)
    assert desk.api.calls.count("sendMessage") == 3
    assert not desk.sender.may_act(people[5].id)
    await desk.settled()
    assert all(desk.texts(person) == ["one"] for person in people)
    first = min(times[0] for times in desk.posted_at.values())
    assert first - asked >= 0.8
    assert desk.api.calls.count("sendMessage") == 23


async def test_a_hundred_messages_for_a_resting_chat_hold_up_nobody(desk: Desk) -> None:
    ana, eva = desk.person("Ana"), desk.person("Eva")
    desk.api.faults.too_many_requests("sendMessage", 600, chat_id=ana.id)
    await desk.queue(ana.id, *(str(n) for n in range(100)))
    await asyncio.sleep(0.1)
    await desk.queue(eva.id, "one")
    await eventually(lambda: desk.texts(eva) == ["one"], 1)
    assert desk.texts(ana) == []


class Slow(InProcessRequest):
    """A Telegram that takes its time for pushes."""

    async def do_request(self, url: str, *given: Any, **named: Any) -> tuple[int, bytes]:
        data = given[1] if len(given) > 1 else named.get("request_data")
        if data is not None and "push" in str(data.parameters.get("text", "")):
            await asyncio.sleep(0.7)
        return await super().do_request(url, *given, **named)


async def test_pushes_that_hang_leave_lines_free_for_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_room, "AT_ONCE", {"reply": 4, "push": 2})
    async with sending(tmp_path, request=Slow) as desk:
        ana = desk.person("Ana")
        for n in range(6):
            await desk.queue(desk.person(f"P{n}").id, "push", urgency="push")
        await asyncio.sleep(0.1)
        await desk.queue(ana.id, "one")
        await eventually(lambda: desk.texts(ana) == ["one"], 0.4)


async def test_a_message_erased_while_it_waits_is_not_sent(desk: Desk) -> None:
    ana = desk.person()
    desk.api.faults.too_many_requests("sendMessage", 1, chat_id=ana.id)
    await desk.queue(ana.id, "periwinkle")
    await eventually(lambda: desk.api.calls.count("sendMessage") == 1)
    async with desk.store.work() as work:
        (item,) = await work.outbox.waiting()
        assert item.id is not None
        await work.outbox.failed(item.id, "Erased")
        await work.commit()
    await desk.settled()
    assert desk.texts(ana) == []


async def test_messages_another_process_wrote_are_found_without_a_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_room, "LOOK_EVERY", 0.1)
    ana = desk.person()
    await desk.queue(ana.id, "one")
    await desk.settled()
    monkeypatch.setattr(Sender, "wake", lambda self: None)
    await desk.queue(ana.id, "two")
    await eventually(lambda: desk.texts(ana) == ["one", "two"], 2)


async def test_a_reply_is_sent_at_once_though_a_hundred_thousand_pushes_wait(
    tmp_path: Path,
) -> None:
    async with sending(tmp_path, figures=Figures()) as desk:
        ana = desk.person()
        numbers = itertools.count(1)
        async with desk.store._engine.begin() as connection:
            waiting = {"body": {}, "state": "waiting", "attempts": 0, "urgency": "push"}
            rows = [{"chat_id": -next(numbers) % 5_000 - 5_001} for _ in range(100_000)]
            await connection.execute(insert(outbox).values(waiting), rows)
        desk.sender.wake()
        await eventually(lambda: len(desk.sender._lineup) > 99_000, 20)
        loop = asyncio.get_running_loop()
        asked = loop.time()
        await desk.queue(ana.id, "one")
        await eventually(lambda: desk.texts(ana) == ["one"], 2)
        assert loop.time() - asked < 0.5

"""What is in the outbox reaches its chat in order, once, whatever Telegram answers."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from bot.console.botapi import AnswerLost, ConnectionLost
from bot.console.call import Call
from bot.console.refusal import Refused, bad_request
from bot.core.turn import Choice, Hand, Line, Move, Say
from bot.telegram.app import TelegramCoach
from bot.usecases.outgoing import body_of
from bot.usecases.ports import OutboxItem
from tests.telegram.stage import Stage, buttons, eventually, running


async def queue(stage: Stage, chat: int, *moves: Move, broken: bool = False) -> None:
    """Put moves into the outbox and let the sender find them."""
    items = [OutboxItem(chat, body_of(move, "en", 5)) for move in moves]
    if broken:
        items.insert(0, OutboxItem(chat, {"kind": "unheard of", "language": "en", "turn": 1}))
    async with stage.store.work() as work:
        await work.outbox.add(items)
        await work.commit()
    wake(stage.coach)


def wake(coach: TelegramCoach) -> None:
    coach._sender.wake()


def quoted(text: str) -> Say:
    return Say((Line("coaching.reflect.plain", {"quote": text}),))


async def test_too_many_requests_in_one_chat_stop_no_other(stage: Stage) -> None:
    ana, eva = stage.person("Ana"), stage.person("Eva")
    await stage.says(ana, "/start")
    await stage.says(eva, "/start")
    stage.entries(eva)
    stage.api.faults.too_many_requests("sendMessage", 1, chat_id=ana.id)
    started = asyncio.get_running_loop().time()
    await queue(stage, ana.id, quoted("one"), quoted("two"))
    await queue(stage, eva.id, quoted("three"))
    await eventually(lambda: bool(stage.entries(eva)), seconds=0.9)
    stage.entries(ana)
    await stage.settled()
    assert asyncio.get_running_loop().time() - started >= 1
    assert [e.text for e in stage.entries(ana)] == ["“one”", "“two”"]


async def test_a_person_who_blocked_the_bot_holds_up_nobody_and_is_answered_when_they_return(
    stage: Stage,
) -> None:
    ana, eva = stage.person("Ana"), stage.person("Eva")
    await stage.tells(ana, "one line")
    await stage.says(eva, "/start")
    stage.entries(ana)
    ana.blocks()
    await queue(stage, ana.id, quoted("unheard"))
    assert (await stage.says(eva, "/help"))[0]
    ana.unblocks()
    heard = await stage.says(ana, "another line")
    assert heard[0] == "“unheard”" and len(heard) > 1
    assert (await stage.typed(ana)).splitlines() == ["one line", "another line"]


async def test_a_lost_connection_is_tried_again_and_nothing_is_said_twice(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.api.faults.plan("sendMessage", ConnectionLost(), chat_id=ana.id)
    stage.api.faults.server_error("sendMessage", chat_id=ana.id)
    await queue(stage, ana.id, quoted("one"), quoted("two"))
    await stage.settled()
    assert [e.text for e in stage.entries(ana)][-2:] == ["“one”", "“two”"]


async def test_an_answer_lost_on_the_way_may_repeat_a_reply_but_never_loses_it(
    stage: Stage,
) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.api.faults.plan("sendMessage", AnswerLost(), chat_id=ana.id)
    await queue(stage, ana.id, quoted("one"), quoted("two"))
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == ["“one”", "“one”", "“two”"]


async def test_a_message_in_pieces_is_not_begun_anew_when_a_later_piece_fails(
    stage: Stage,
) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    long = "\n\n".join("word " * 300 for _ in range(7))

    faults, calls = stage.api.faults, itertools.count(1)
    take = faults.take

    def failing(call: Call) -> Exception | None:
        if call.method.lower() == "sendmessage" and next(calls) == 2:
            return ConnectionLost()
        return take(call)

    faults.take = failing  # type: ignore[method-assign]
    await queue(stage, ana.id, quoted(long))
    await stage.settled()
    texts = [e.text for e in stage.entries(ana)]
    assert len(texts) > 2 and "".join(texts).count("word") == 7 * 300


@pytest.mark.parametrize("refusal", ["message text is empty", "chat not found"])
async def test_a_message_telegram_refuses_does_not_hold_up_the_next(
    stage: Stage, refusal: str
) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.api.faults.plan("sendMessage", bad_request(refusal), chat_id=ana.id)
    await queue(stage, ana.id, quoted("refused"), quoted("next"))
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == ["“next”"]


async def test_a_message_that_cannot_be_rendered_does_not_hold_up_the_next(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    await queue(stage, ana.id, Say((Line("no.such.key"),)), quoted("next"), broken=True)
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == ["“next”"]


async def test_markup_that_telegram_cannot_parse_is_sent_plain_without_entities(
    stage: Stage,
) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    fault = bad_request("can't parse entities: unsupported start tag")
    stage.api.faults.plan("sendMessage", fault, chat_id=ana.id)
    await queue(stage, ana.id, quoted("<b>1 < 2 & 3"))
    await stage.settled()
    (entry,) = stage.entries(ana)
    assert "&lt;" not in entry.text and "1 < 2 & 3" in entry.text


async def test_a_token_revoked_meanwhile_loses_no_message(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.api.faults.plan("sendMessage", Refused(401, "Unauthorized"), chat_id=ana.id)
    await queue(stage, ana.id, quoted("one"))
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == ["“one”"]


async def test_only_the_last_message_has_buttons(stage: Stage) -> None:
    ana = stage.person()
    await stage.tells(ana, "one line", "two lines")
    await stage.presses(ana, "That's it")
    shown = [e for e in stage.api.transcript(ana) if e.buttons]
    assert len(shown) == 1


async def test_a_tick_changes_the_message_it_is_on_and_sends_no_other(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    first = stage.api.transcript(ana)[-1]
    rows = ((Choice("skip", "choices.skip", checked=True),),)
    await queue(stage, ana.id, Say((Line("rights.kept"),), rows, replaces=True))
    await stage.settled()
    last = stage.api.transcript(ana)[-1]
    assert (last.message_id, last.text, last.edited) == (first.message_id, "Nothing changed.", True)
    assert buttons([last]) == ["☑ Skip"]
    await queue(stage, ana.id, Say((Line("rights.kept"),), rows, replaces=True))
    await stage.settled()
    assert stage.api.transcript(ana)[-1].message_id == first.message_id


async def test_what_can_no_longer_be_edited_is_sent_anew(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    shown = ana.chat.last_keyboard()
    assert shown is not None
    stage.api.remove(ana.chat, shown)
    rows = ((Choice("skip", "choices.skip"),),)
    await queue(stage, ana.id, Say((Line("rights.kept"),), rows, replaces=True))
    await stage.settled()
    assert stage.api.transcript(ana)[-1].text == "Nothing changed."


async def test_files_arrive_whole_between_the_messages_around_them(stage: Stage) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.entries(ana)
    hand = Hand("my-data.txt", "línea <b>1</b>\n", Line("mydata.readable"))
    await queue(stage, ana.id, quoted("one"), hand, quoted("two"))
    await stage.settled()
    one, file, two = stage.entries(ana)
    assert (one.text, two.text) == ("“one”", "“two”")
    assert (file.document, file.content) == ("my-data.txt", "línea <b>1</b>\n".encode())


async def test_what_was_not_sent_before_the_end_is_sent_after_the_next_start(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as stage:
        ana = stage.person()
        await stage.says(ana, "/start")
        stage.api.faults.too_many_requests("sendMessage", 600, chat_id=ana.id)
        await queue(stage, ana.id, quoted("one"), quoted("two"))
        await asyncio.sleep(0.1)
    async with running(tmp_path) as stage:
        ana = stage.person()
        await stage.settled()
        assert [e.text for e in stage.entries(ana)] == ["“one”", "“two”"]


async def test_a_message_telegram_does_not_take_for_long_is_named_as_trouble_and_kept(
    stage: Stage,
) -> None:
    ana = stage.person()
    await stage.says(ana, "/start")
    stage.entries(ana)
    stage.api.faults.plan("sendMessage", ConnectionLost(), chat_id=ana.id, times=3)
    await queue(stage, ana.id, quoted("one"))
    await eventually(lambda: stage.coach.failure() is not None)
    assert "kept and will be sent later" in str(stage.coach.failure())
    await stage.settled()
    assert stage.coach.failure() is None
    assert [e.text for e in stage.entries(ana)] == ["“one”"]

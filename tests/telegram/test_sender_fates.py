"""What becomes of a message when Telegram says no, says nothing, or says that the chat moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.console.botapi import AnswerLost, ConnectionLost
from bot.console.refusal import Refused, bad_request, forbidden
from bot.core.story import Folder, Identity, Resident, Session
from bot.core.turn import Choice, Hand, Line, Say, Scrub
from bot.telegram import fates as fates_room
from bot.telegram import sender as sending_room
from bot.telegram.refusals import Closed, Moved, NotSent, Slow, Unsure, meaning
from bot.telegram.refusals import Refused as NeverAgain
from bot.usecases.ports import OutboxItem, PauseReason, UnitOfWork
from tests.telegram.sending import Desk, said, sending
from tests.telegram.stage import eventually

POST = {"urgency": "push", "repeatable": False}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sending(tmp_path) as desk:
        yield desk


# --- the declared policy for answers that never came ---


async def test_a_group_post_whose_answer_was_lost_is_unknown_and_never_repeated(
    desk: Desk,
) -> None:
    crowd = await desk.group()
    desk.api.faults.plan("sendMessage", AnswerLost(), chat_id=crowd.id)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.queue(crowd.id, "next", **POST)
    await desk.settled()
    assert desk.texts(crowd) == ["practice", "next"]
    assert await desk.counts() == {"unknown": 1, "sent": 1}


@pytest.mark.parametrize("trouble", [AnswerLost(), Refused(500, "Internal Server Error")])
async def test_a_reply_whose_answer_was_lost_is_tried_again(desk: Desk, trouble: Exception) -> None:
    ana = desk.person()
    desk.api.faults.plan("sendMessage", trouble, chat_id=ana.id)
    await desk.queue(ana.id, "one", "two")
    await desk.settled()
    assert list(dict.fromkeys(desk.texts(ana))) == ["one", "two"]
    assert await desk.counts() == {"sent": 2}


async def test_a_server_error_leaves_the_fate_of_a_group_post_open(desk: Desk) -> None:
    crowd = await desk.group()
    desk.api.faults.server_error("sendMessage", chat_id=crowd.id)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    assert await desk.counts() == {"unknown": 1}


@pytest.mark.parametrize("trouble", [ConnectionLost(), Refused(401, "Unauthorized")])
async def test_a_group_post_that_never_left_is_tried_again(desk: Desk, trouble: Exception) -> None:
    crowd = await desk.group()
    desk.api.faults.plan("sendMessage", trouble, chat_id=crowd.id)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    assert desk.texts(crowd) == ["practice"]
    assert await desk.counts() == {"sent": 1}


async def test_a_refused_group_post_waits_again_and_is_not_unknown_after_a_crash(
    tmp_path: Path,
) -> None:
    async with sending(tmp_path) as desk:
        crowd = await desk.group()
        desk.api.faults.too_many_requests("sendMessage", 600, chat_id=crowd.id)
        await desk.queue(crowd.id, "practice", **POST)
        await eventually(lambda: desk.api.calls.count("sendMessage") == 1)
        await asyncio.sleep(0.2)
        assert await desk.counts() == {"waiting": 1}
        api = desk.api
    async with sending(tmp_path, api=api) as desk:
        await desk.settled()
        assert desk.texts(crowd) == ["practice"]


async def test_a_group_post_is_on_its_way_on_disk_before_telegram_hears_of_it(desk: Desk) -> None:
    crowd = await desk.group()
    seen: list[dict[str, int]] = []
    post = desk.api.post

    async def counted() -> None:
        seen.append(await desk.counts())

    tasks: list[asyncio.Task[None]] = []

    def posting(*given: object, **named: object) -> object:
        tasks.append(asyncio.create_task(counted()))
        return post(*given, **named)  # type: ignore[arg-type]

    desk.api.post = posting  # type: ignore[assignment, method-assign]
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    await asyncio.gather(*tasks)
    assert seen[0] in ({"sending": 1}, {"sent": 1})
    assert desk.texts(crowd) == ["practice"]


@pytest.mark.parametrize("tried_before", [False, True])
async def test_a_group_post_erased_after_it_was_read_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tried_before: bool
) -> None:
    crowd = await desk.group()
    read, reads = fates_room._about, 0
    if tried_before:
        desk.api.faults.plan("sendMessage", ConnectionLost(), chat_id=crowd.id)

    async def erased_meanwhile(work: UnitOfWork, item: OutboxItem) -> int | None:
        nonlocal reads
        reads += 1
        if tried_before and reads == 1:
            return await read(work, item)
        async with desk.store.work() as other:
            await other.outbox.failed(item.id or 0, "Erased")
            await other.commit()
        return await read(work, item)

    monkeypatch.setattr(fates_room, "_about", erased_meanwhile)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    assert desk.texts(crowd) == []
    assert await desk.counts() == {"failed": 1}


async def test_a_group_post_found_on_its_way_at_the_start_is_unknown_and_not_sent(
    tmp_path: Path,
) -> None:
    async with sending(tmp_path, is_started=False) as desk:
        crowd, ana = await desk.group(), desk.person()
        on_its_way, _ = await desk.queue(crowd.id, "practice", "next", **POST)
        await desk.queue(ana.id, "reply")
        async with desk.store.work() as work:
            await work.outbox.sending(on_its_way)
            await work.commit()
        desk.sender.start()
        await desk.settled()
        assert desk.texts(crowd) == ["next"]
        assert desk.texts(ana) == ["reply"]
        assert await desk.counts() == {"unknown": 1, "sent": 2}


async def test_a_lost_answer_to_taking_buttons_away_does_not_make_a_post_unknown(
    desk: Desk,
) -> None:
    ana = desk.person()
    rows = ((Choice("skip", "choices.skip"),),)
    await desk.queue_moves(ana.id, Say((Line("rights.kept"),), rows))
    await desk.settled()
    desk.api.faults.plan("editMessageReplyMarkup", AnswerLost(), chat_id=ana.id)
    await desk.queue_moves(ana.id, Say((Line("rights.kept"),), rows), repeatable=False)
    await desk.settled()
    assert len(desk.entries(ana)) == 2
    assert await desk.counts() == {"sent": 2}


async def test_a_message_nobody_can_take_for_a_day_is_given_up(tmp_path: Path) -> None:
    async with sending(tmp_path) as desk:
        ana = desk.person()
        desk.sender._patience = 0.3
        desk.api.faults.plan("sendMessage", ConnectionLost(), chat_id=ana.id, times=2)
        await desk.queue(ana.id, "one", "two")
        await desk.settled()
        assert desk.texts(ana) == ["two"]
        assert await desk.counts() == {"failed": 1, "sent": 1}


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (RetryAfter(7), Slow(7)),
        (RetryAfter(timedelta(seconds=7)), Slow(7)),
        (ChatMigrated(-1009), Moved(-1009)),
        (InvalidToken(), NotSent()),
        (NetworkError("httpx.ConnectError: refused"), NotSent()),
        (TimedOut("Pool timeout: All connections ..."), NotSent()),
        (NetworkError("Too Many Requests: retry later"), NotSent()),
        (TimedOut(), Unsure()),
        (NetworkError("Bad Gateway"), Unsure()),
        (NetworkError("httpx.ReadError: "), Unsure()),
        (TelegramError("Invalid server response"), Unsure()),
        (Forbidden("Forbidden: bot can't send messages to bots"), NeverAgain()),
        (BadRequest("Message is too long"), NeverAgain()),
        (BadRequest("PEER_ID_INVALID"), NeverAgain()),
        (KeyError("no message"), NeverAgain()),
    ],
)
def test_an_error_means_that_something_was_sent_was_not_sent_or_may_have_been(
    error: Exception, means: object
) -> None:
    assert meaning(error, 7) == means


@pytest.mark.parametrize("cause", [httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ConnectError])
def test_connections_that_never_came_about_sent_nothing(cause: type[httpx.TransportError]) -> None:
    error = TimedOut()
    error.__cause__ = cause("no")
    assert meaning(error, 7) == NotSent()


# --- who cannot be written to ---

FORBIDDEN: list[tuple[str, PauseReason]] = [
    ("bot was blocked by the user", "blocked"),
    ("user is deactivated", "deactivated"),
    ("bot can't initiate conversation with a user", "blocked"),
    ("bot was kicked from the group chat", "kicked"),
    ("bot was kicked from the supergroup chat", "kicked"),
    ("bot is not a member of the supergroup chat", "kicked"),
    ("the group chat was deleted", "gone"),
]
BAD: list[tuple[str, PauseReason]] = [
    ("message thread not found", "topic_closed"),
    ("TOPIC_CLOSED", "topic_closed"),
    ("TOPIC_DELETED", "topic_closed"),
    ("not enough rights to send text messages to the chat", "no_rights"),
    ("have no rights to send a message", "no_rights"),
    ("need administrator rights in the channel chat", "no_rights"),
    ("CHAT_WRITE_FORBIDDEN", "no_rights"),
    ("CHAT_RESTRICTED", "no_rights"),
    ("group chat was deactivated", "gone"),
    ("chat not found", "gone"),
]


@pytest.mark.parametrize(("said_by_telegram", "reason"), FORBIDDEN)
def test_a_403_is_told_apart_by_its_words(said_by_telegram: str, reason: PauseReason) -> None:
    assert meaning(Forbidden(f"Forbidden: {said_by_telegram}"), 7) == Closed(reason)


@pytest.mark.parametrize(("said_by_telegram", "reason"), BAD)
def test_a_400_about_a_group_is_told_apart_by_its_words(
    said_by_telegram: str, reason: PauseReason
) -> None:
    assert meaning(BadRequest(f"Bad Request: {said_by_telegram}"), -7) == Closed(reason)


async def test_a_message_nobody_can_read_is_given_up_and_others_go_on(desk: Desk) -> None:
    ana = desk.person()
    async with desk.store.work() as work:
        await work.outbox.add([OutboxItem(ana.id, {}), OutboxItem(ana.id, {"kind": "unheard of"})])
        await work.commit()
    await desk.queue(ana.id, "still here")
    await desk.settled()
    assert desk.texts(ana) == ["still here"]
    assert (await desk.counts())["failed"] == 2
    assert desk.sender.trouble is None


async def test_a_look_that_began_before_a_pause_does_not_end_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = desk.person()
    ana.blocks()
    began, has_read, is_noted = asyncio.Event(), asyncio.Event(), asyncio.Event()
    recipients, pause = type(desk.store.work().recipients), desk.sender._pause
    paused = recipients.paused

    async def slowly(self: Any) -> Any:
        found = await paused(self)
        if began.is_set() and not has_read.is_set():
            has_read.set()
            await is_noted.wait()
        return found

    async def while_somebody_looks(item: OutboxItem, reason: PauseReason) -> None:
        began.set()
        desk.sender.wake()
        await has_read.wait()
        await pause(item, reason)
        is_noted.set()

    monkeypatch.setattr(recipients, "paused", slowly)
    monkeypatch.setattr(desk.sender, "_pause", while_somebody_looks)
    await desk.queue(ana.id, "one", "two")
    await desk.settled()
    assert desk.api.calls.count("sendMessage") == 1


async def test_who_blocked_the_bot_is_paused_and_answered_on_return(desk: Desk) -> None:
    ana = desk.person()
    ana.blocks()
    await desk.queue(ana.id, "one", "two")
    await desk.queue(ana.id, "nudge", urgency="push")
    await desk.settled()
    assert await desk.paused() == {ana.id: "blocked"}
    assert desk.api.calls.count("sendMessage") == 1, "asked once, not once per message"
    assert await desk.counts() == {"waiting": 2, "failed": 1}
    ana.unblocks()
    await desk.resume(ana.id)
    await desk.settled()
    assert desk.texts(ana) == ["one", "two"]


async def test_a_pause_lasts_over_a_restart(tmp_path: Path) -> None:
    async with sending(tmp_path) as desk:
        ana, api = desk.person(), desk.api
        ana.blocks()
        await desk.queue(ana.id, "one")
        await desk.settled()
    before = api.calls.count("sendMessage")
    async with sending(tmp_path, api=api) as desk:
        await desk.queue(ana.id, "two")
        await desk.settled()
        assert api.calls.count("sendMessage") == before
        ana.unblocks()
        await desk.resume(ana.id)
        await desk.settled()
        assert desk.texts(ana) == ["one", "two"]


async def test_replies_to_a_paused_person_are_dropped_after_a_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_room, "DROP_EVERY", 0)
    ana = desk.person()
    ana.deactivates()
    await desk.queue(ana.id, "one")
    await desk.settled()
    desk.clock.passes(hours=23)
    desk.sender.wake()
    await desk.settled()
    assert await desk.counts() == {"waiting": 1}
    desk.clock.passes(hours=2)
    desk.sender.wake()
    await asyncio.sleep(0.1)
    assert await desk.counts() == {"failed": 1}
    ana.unblocks()
    await desk.resume(ana.id)
    await desk.queue(ana.id, "two")
    await desk.settled()
    assert desk.texts(ana) == ["two"]


async def test_a_message_telegram_finds_wrong_pauses_nobody(desk: Desk) -> None:
    ana = desk.person()
    desk.api.faults.plan("sendMessage", bad_request("message is too long"), chat_id=ana.id)
    await desk.queue(ana.id, "one", "two")
    await desk.settled()
    assert await desk.paused() == {}
    assert desk.texts(ana) == ["two"]


# --- groups: trouble is told once ---


async def known_organizer(desk: Desk, name: str = "Olga", language: str = "en") -> int:
    """Somebody who added the bot to a group and talks with it too."""
    olga = desk.person(name)
    now = desk.clock.now()
    resident = replace(Resident(f"id-{name}", now, now), language=language)
    async with desk.store.work() as work:
        await work.folders.save(Folder(resident, Identity(olga.id, olga.id), Session()))
        await work.commit()
    return olga.id


@pytest.mark.parametrize(
    ("trouble", "reason", "word"),
    [
        (
            bad_request("not enough rights to send text messages to the chat"),
            "no_rights",
            "allowed",
        ),
        (bad_request("message thread not found"), "topic_closed", "topic"),
        (bad_request("TOPIC_CLOSED"), "topic_closed", "topic"),
        (forbidden("bot was kicked from the supergroup chat"), "kicked", "taken out"),
    ],
)
async def test_the_organizer_is_told_once_when_a_group_is_closed_to_the_bot(
    desk: Desk, trouble: Exception, reason: str, word: str
) -> None:
    await known_organizer(desk)
    olga = desk.api.person("Olga")
    crowd = await desk.group("Río & friends", by=olga)
    desk.api.faults.plan("sendMessage", trouble, chat_id=crowd.id, times=9)
    for n in range(3):
        await desk.queue(crowd.id, f"practice {n}", topic=44, **POST)
    await desk.settled()
    await desk.queue(crowd.id, "practice later", topic=44, **POST)
    await desk.settled()
    assert await desk.paused() == {crowd.id: reason}
    (told,) = desk.texts(olga)
    assert "Río & friends" in told and word in told
    assert desk.texts(crowd) == []
    assert desk.api.calls.count("sendMessage") == 2, "one refusal, one word to the organizer"


async def test_the_organizer_is_told_in_their_language(desk: Desk) -> None:
    await known_organizer(desk, language="es")
    olga = desk.api.person("Olga")
    crowd = await desk.group(by=olga)
    crowd.remove_bot(olga)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    (told,) = desk.texts(olga)
    assert "Me han sacado" in told


async def test_an_organizer_the_bot_does_not_know_is_not_written_to(desk: Desk) -> None:
    crowd = await desk.group(by=desk.api.person("Olga"))
    desk.api.faults.plan("sendMessage", bad_request("TOPIC_CLOSED"), chat_id=crowd.id)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    assert await desk.paused() == {crowd.id: "topic_closed"}
    assert await desk.counts() == {"failed": 1}


async def test_a_group_that_is_open_again_and_closes_again_is_trouble_again(desk: Desk) -> None:
    await known_organizer(desk)
    olga = desk.api.person("Olga")
    crowd = await desk.group(by=olga)
    for _ in range(2):
        desk.api.faults.plan("sendMessage", bad_request("TOPIC_CLOSED"), chat_id=crowd.id)
        await desk.queue(crowd.id, "practice", **POST)
        await desk.settled()
        await desk.resume(crowd.id)
    await desk.queue(crowd.id, "practice", **POST)
    await desk.settled()
    assert len(desk.texts(olga)) == 2
    assert desk.texts(crowd) == ["practice"]


# --- a group becomes a supergroup ---


async def test_messages_follow_a_group_to_its_new_id_in_order_and_nothing_is_doubled(
    desk: Desk,
) -> None:
    crowd = await desk.group()
    await desk.queue(crowd.id, "before", **POST)
    await desk.settled()
    fresh = crowd.moves()
    for n in range(5):
        await desk.queue(crowd.id, f"practice {n}", **POST)
    await desk.queue(crowd.id, "reply")
    await desk.settled()
    assert desk.texts(crowd)[:1] == ["before"]
    followed = [text for text in desk.texts(fresh) if text]
    assert [t for t in followed if t != "reply"] == [f"practice {n}" for n in range(5)]
    assert followed.count("reply") == 1
    async with desk.store.work() as work:
        (group,) = await work.groups.all()
    assert group.chat_id == fresh.id
    assert await desk.counts() == {"sent": 7}


async def test_a_group_that_moves_while_the_news_arrives_by_itself_gets_nothing_twice(
    desk: Desk,
) -> None:
    crowd = await desk.group()
    fresh = crowd.moves()
    desk.api.faults.too_many_requests("sendMessage", 1, chat_id=crowd.id)
    await desk.queue(crowd.id, "one", "two", **POST)
    await eventually(lambda: desk.api.calls.count("sendMessage") == 1)
    async with desk.store.work() as work:
        await work.recipients.moved(crowd.id, fresh.id)
        await work.commit()
    desk.sender.wake()
    await desk.settled()
    assert [t for t in desk.texts(fresh) if t] == ["one", "two"]


# --- topics, files ---


async def test_a_post_goes_to_its_topic_and_the_main_one_is_never_named(desk: Desk) -> None:
    crowd = await desk.group()
    topics: list[str] = []
    take = desk.api.faults.take

    def noted(call):  # type: ignore[no-untyped-def]
        if call.method.startswith("send"):
            topics.append(call.text("message_thread_id"))
        return take(call)

    desk.api.faults.take = noted  # type: ignore[method-assign]
    for topic in (44, 1, None):
        await desk.queue(crowd.id, "practice", topic=topic, **POST)
    await desk.queue_moves(crowd.id, Hand("a.txt", "a", Line("mydata.readable")), topic=44)
    await desk.settled()
    assert sorted(topics) == ["", "", "44", "44"]


async def test_a_text_of_more_than_four_messages_arrives_whole_as_a_file_with_its_question(
    desk: Desk,
) -> None:
    ana = desk.person()
    story = "\n\n".join(f"{n} 🏳️‍🌈 <b>" + "palabra " * 60 for n in range(60))
    rows = ((Choice("skip", "choices.skip"),),)
    lines = (Line("coaching.reflect.plain", {"quote": story}), Line("rights.kept"))
    await desk.queue_moves(ana.id, Say(lines, rows))
    await desk.settled()
    file, question = desk.entries(ana)
    assert file.content is not None
    assert file.content.decode() == f"“{story}”\n"
    assert file.document == "whole-text.txt" and "as a file" in file.text
    assert question.text == "Nothing changed." and question.buttons


async def test_a_text_of_four_messages_arrives_as_messages(desk: Desk) -> None:
    ana = desk.person()
    story = "\n\n".join("word " * 100 for _ in range(30)).strip()
    await desk.queue(ana.id, story)
    await desk.settled()
    texts = [e.text for e in desk.entries(ana)]
    assert len(texts) == 4
    assert sum(t.count("word") for t in texts) == 3000


async def test_the_same_file_is_uploaded_once_and_again_when_telegram_forgot_it(
    desk: Desk,
) -> None:
    people = [desk.person(name) for name in ("Ana", "Eva", "Ida")]
    hand = Hand("guide.txt", "how to tell", Line("mydata.readable"))
    uploads: list[bool] = []
    take = desk.api.faults.take

    def noted(call):  # type: ignore[no-untyped-def]
        uploads.append(bool(call.files))
        return take(call)

    desk.api.faults.take = noted  # type: ignore[method-assign]
    for person in people[:2]:
        await desk.queue_moves(person.id, hand)
        await desk.settled()
    assert uploads == [True, False]
    desk.api.files.clear()
    await desk.queue_moves(people[2].id, hand)
    await desk.settled()
    assert uploads == [True, False, False, True]
    for person in people:
        (entry,) = desk.entries(person)
        assert (entry.document, entry.content) == ("guide.txt", b"how to tell")


async def test_a_scrub_that_could_not_be_told_of_is_told_of_later(desk: Desk) -> None:
    ana = desk.person()
    desk.api.faults.plan("sendMessage", ConnectionLost(), chat_id=ana.id)
    await desk.queue_moves(ana.id, Scrub(Line("rights.forgotten")), said("receipt"))
    await desk.settled()
    assert desk.scrubs and len(desk.entries(ana)) == 2


async def test_posts_in_a_group_keep_their_buttons(desk: Desk) -> None:
    crowd = await desk.group()
    rows = ((Choice("skip", "choices.skip"),),)
    for _ in range(2):
        await desk.queue_moves(crowd.id, Say((Line("rights.kept"),), rows), **POST)
    await desk.settled()
    assert [bool(e.buttons) for e in desk.entries(crowd)] == [True, True]

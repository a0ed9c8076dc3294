"""Messages changed, forwarded, or of another kind: each answered once, by rule, the step kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.core.care import Safety, SpanKind
from bot.core.narrative import StoryOf
from bot.core.story import Origin
from bot.core.turn import Line
from tests.fakes import ScriptedScreener, catalogue
from tests.telegram.stage import Stage, eventually, running

SNOW = "I stood at the stop in the snow."
ROSA = "Rosa was there too."


def words(key: str, language: str = "en", **filled: str) -> str:
    """What a message says."""
    return catalogue().text(Line(key, filled), language)


async def tells(stage: Stage, *pieces: str) -> list[int]:
    """Ana tells a story of self; the ids of her messages."""
    ana = stage.person()
    await stage.tells(ana)
    sent = []
    for piece in pieces:
        sent += ana.says(piece)
        await stage.settled()
    stage.entries(ana)
    return sent


async def edits(stage: Stage, message_id: int, text: str) -> list[str]:
    """Change a message of hers; what the bot says."""
    ana = stage.person()
    ana.edits(message_id, text)
    await stage.settled()
    return [e.text for e in stage.entries(ana)]


# -- edited -------------------------------------------------------------------------------------


async def test_an_edited_piece_changes_the_telling_under_way(stage: Stage) -> None:
    first, _ = await tells(stage, SNOW, ROSA)
    assert await edits(stage, first, "I stood at the stop in the rain.") == [
        words("general.changed")
    ]
    assert await stage.typed(stage.person()) == f"I stood at the stop in the rain.\n{ROSA}"
    assert await edits(stage, first, "I sat at the stop.") == [words("general.changed")]
    assert await stage.typed(stage.person()) == f"I sat at the stop.\n{ROSA}"


async def test_an_edited_telling_becomes_a_new_version_and_is_not_coached_again(
    stage: Stage,
) -> None:
    _, second = await tells(stage, SNOW, ROSA)
    ana = stage.person()
    await stage.presses(ana, "That's it")
    assert await edits(stage, second, "Rosa and her brother were there too.") == [
        words("general.changed_told")
    ]
    folder = await stage.folder(ana)
    assert folder is not None and folder.story is not None
    tellings = folder.story.parts[StoryOf.SELF].tellings
    assert [t.text for t in tellings] == [
        f"{SNOW}\n{ROSA}",
        f"{SNOW}\nRosa and her brother were there too.",
    ]
    assert tellings[-1].origin is Origin.EDITED
    assert folder.session.step == "answering"
    undone = await stage.says(ana, "undo")
    assert undone and await stage.typed(ana) == f"{SNOW}\n{ROSA}"


async def test_an_edited_answer_changes_the_telling_it_joined(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    await stage.presses(ana, "That's it")
    (answer,) = ana.says("I was afraid of the dark.")
    await stage.settled()
    stage.entries(ana)
    assert await edits(stage, answer, "I was afraid of the quiet.") == [
        words("general.changed_told")
    ]
    assert await stage.typed(ana) == f"{SNOW}\nI was afraid of the quiet."


async def test_messages_sent_in_one_breath_are_changed_one_by_one(stage: Stage) -> None:
    ana = stage.person()
    await stage.tells(ana)
    sent = [n for text in ("one line", "two lines", "three lines") for n in ana.says(text)]
    await stage.settled()
    stage.entries(ana)
    await edits(stage, sent[1], "two lines, mended\nand a third")
    assert (await stage.typed(ana)).splitlines() == [
        "one line", "two lines, mended", "and a third", "three lines",
    ]  # fmt: skip


async def test_one_piece_of_a_long_paste_is_changed_alone(stage: Stage) -> None:
    ana = stage.person()
    await stage.tells(ana)
    sent = ana.says("\n".join(f"line {n} of a long paste" for n in range(400)))
    await stage.settled()
    assert len(stage.entries(ana)) == 1 and len(sent) > 1
    before = await stage.typed(ana)
    piece = ana.chat.messages[sent[-1]].text
    assert await edits(stage, sent[-1], "the end") == [words("general.changed")]
    assert await stage.typed(ana) == before.removesuffix(piece) + "the end"


async def test_a_closing_line_is_no_part_of_what_is_changed(stage: Stage) -> None:
    (only,) = await tells(stage, f"{SNOW}\nThat's it")
    await edits(stage, only, f"{ROSA}\nthat's it")
    assert await stage.typed(stage.person()) == ROSA


async def test_an_edit_ends_a_release_and_says_so_once(stage: Stage) -> None:
    (only,) = await tells(stage, SNOW)
    ana = stage.person()
    await stage.presses(ana, "That's it")
    await stage.says(ana, "release")
    for button in ("Go on", "☐ Let organizers here read it", "Next", "Next", "Next", "No name",
                   "1 year", "Release exactly this"):  # fmt: skip
        await stage.presses(ana, button)
    folder = await stage.folder(ana)
    assert folder is not None and folder.story is not None
    assert folder.story.live_release(stage.clock.now()) is not None
    assert await edits(stage, only, ROSA) == [words("releasing.voided")]
    folder = await stage.folder(ana)
    assert folder is not None and folder.story is not None
    assert folder.story.live_release(stage.clock.now()) is None


async def test_words_changed_before_release_are_looked_at_again_for_others_privacy(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as stage:
        stage.screener.passages.append((SpanKind.PHONE, "555 0199"))
        (only,) = await tells(stage, SNOW)
        ana = stage.person()
        await stage.presses(ana, "That's it")
        await stage.says(ana, "release")
        await stage.presses(ana, "Go on")
        answers = await edits(stage, only, f"{SNOW} Call 555 0199.")
        assert answers[0] == words("general.changed_told")
        assert "555 0199" in answers[1]


async def test_an_edit_that_changes_no_word_is_no_edit(stage: Stage) -> None:
    """Telegram says "edited" when a link's preview comes or a word is set bold."""
    (only,) = await tells(stage, SNOW)
    assert await edits(stage, only, SNOW) == []


async def test_what_is_no_part_of_a_story_any_more_is_explained_once(stage: Stage) -> None:
    (only,) = await tells(stage, SNOW)
    ana = stage.person()
    (skip,) = ana.says("skip")
    await stage.settled()
    stage.entries(ana)
    assert await edits(stage, skip, "skip this one please") == [words("general.edited")]
    assert await edits(stage, skip, "no, go on") == []
    ana.says("/cancel")
    await stage.settled()
    assert SNOW in await stage.typed(ana)
    assert only


async def test_an_edited_command_does_nothing(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    (command,) = ana.says("/help")
    await stage.settled()
    stage.entries(ana)
    assert await edits(stage, command, "/forget") == []
    folder = await stage.folder(ana)
    assert folder is not None and folder.session.step == "telling"


async def test_danger_in_an_edit_is_cared_for_and_not_kept(tmp_path: Path) -> None:
    screener = ScriptedScreener()
    screener.danger["tonight"] = Safety.CRISIS
    async with running(tmp_path, screener=screener) as stage:
        (only,) = await tells(stage, SNOW)
        answers = await edits(stage, only, "I will end it tonight.")
        assert words("care.safe_now") in answers[-1]
        assert await stage.typed(stage.person()) == SNOW


async def test_an_edit_before_consent_is_not_kept(stage: Stage) -> None:
    ana = stage.person()
    ana.says("/start")
    (early,) = ana.says("a first try at a story of mine")
    await stage.settled()
    stage.entries(ana)
    assert await edits(stage, early, "another try at a story") == [words("arriving.not_kept")]


async def test_the_messages_of_a_story_are_known_without_their_words(stage: Stage) -> None:
    await tells(stage, "the quetzal flew over the stop")
    folder = await stage.folder(stage.person())
    assert folder is not None
    assert "quetzal" not in json.dumps(folder.session.notes)
    assert folder.session.notes["sent"]


async def test_a_live_location_that_moves_is_not_answered(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    place = {"latitude": 1.0, "longitude": 2.0, "live_period": 900}
    message = {"message_id": 9000, "date": 0, "chat": ana.chat.payload(), "from": ana.payload()}
    for _ in range(3):
        stage.api.updates.put("edited_message", message | {"location": place})
    await stage.settled()
    assert stage.entries(ana) == []


# -- forwarded ----------------------------------------------------------------------------------


async def test_forwarded_words_count_only_when_their_teller_says_they_are_theirs(
    stage: Stage,
) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.sends_forward("The boiler died in January.")
    await stage.settled()
    (asked,) = stage.entries(ana)
    assert asked.text == words("general.forwarded", quote="The boiler died in January.")
    assert asked.buttons == (("Yes, I wrote it", "No, someone else did"),)
    assert await stage.typed(ana) == SNOW
    await stage.presses(ana, "Yes, I wrote it")
    assert await stage.typed(ana) == f"{SNOW}\nThe boiler died in January."


@pytest.mark.parametrize("answer", ["No, someone else did", "no", "skip"])
async def test_words_of_somebody_else_stay_out_and_are_forgotten(stage: Stage, answer: str) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.sends_forward("The quetzal died in January.")
    await stage.settled()
    stage.entries(ana)
    said = await stage.says(ana, answer)
    assert said[0] == words("general.not_theirs")
    folder = await stage.folder(ana)
    assert folder is not None and "quetzal" not in json.dumps(folder.session.notes)
    assert (folder.session.step, await stage.typed(ana)) == ("telling", SNOW)


async def test_writing_on_leaves_what_was_forwarded_out(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.sends_forward("The boiler died in January.")
    await stage.settled()
    await stage.says(ana, ROSA)
    assert await stage.typed(ana) == f"{SNOW}\n{ROSA}"


async def test_several_messages_forwarded_together_are_asked_about_once(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    for text in ("one of three", "two of three", "three of three"):
        ana.sends_forward(text)
    await stage.settled()
    assert 1 <= len(stage.entries(ana)) <= 2
    await stage.presses(ana, "Yes, I wrote it")
    assert (await stage.typed(ana)).splitlines() == [
        SNOW, "one of three", "two of three", "three of three",
    ]  # fmt: skip


async def test_danger_in_a_forwarded_message_is_cared_for(tmp_path: Path) -> None:
    screener = ScriptedScreener()
    screener.danger["tonight"] = Safety.CRISIS
    async with running(tmp_path, screener=screener) as stage:
        await tells(stage, SNOW)
        ana = stage.person()
        ana.sends_forward("I will end it tonight.")
        await stage.settled()
        assert words("care.safe_now") in stage.entries(ana)[-1].text


async def test_an_inline_bots_words_are_not_the_tellers_own(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    message = {"message_id": 9000, "date": 0, "chat": ana.chat.payload(), "from": ana.payload()}
    robot = {"id": 5, "is_bot": True, "first_name": "B"}
    stage.api.updates.put("message", message | {"text": "a ready text", "via_bot": robot})
    await stage.settled()
    assert await stage.typed(ana) == SNOW
    assert stage.entries(ana)


# -- of another kind ----------------------------------------------------------------------------

KINDS = ["voice", "photo", "sticker", "contact", "location", "poll"]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_each_kind_is_answered_in_words_of_its_own(stage: Stage, language: str) -> None:
    said = {kind: words(f"general.other.{kind}", language) for kind in (*KINDS, "document")}
    assert len(set(said.values())) == len(said)
    eva = stage.person("Eva", language)
    eva.starts()
    await stage.settled()
    stage.entries(eva)
    for kind in KINDS:
        getattr(eva, f"sends_{kind}")()
        await stage.settled()
        assert [e.text for e in stage.entries(eva)] == [said[kind]]
    eva.sends_document("my-story.txt", b"words in a file")
    await stage.settled()
    assert [e.text for e in stage.entries(eva)] == [said["document"]]


async def test_words_under_a_picture_are_asked_for_by_themselves(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.sends_photo("our stop, the night of the storm")
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == [words("general.other.caption")]
    ana.sends_album(4, "our stop again")
    await stage.settled()
    assert [e.text for e in stage.entries(ana)] == [words("general.other.caption")]
    assert await stage.typed(ana) == SNOW


async def test_danger_under_a_picture_is_cared_for(tmp_path: Path) -> None:
    screener = ScriptedScreener()
    screener.danger["tonight"] = Safety.CRISIS
    async with running(tmp_path, screener=screener) as stage:
        await tells(stage, SNOW)
        ana = stage.person()
        ana.sends_photo("I will end it tonight.")
        await stage.settled()
        assert words("care.safe_now") in stage.entries(ana)[-1].text


@pytest.mark.parametrize("kind", ["pinned_message", "message_auto_delete_timer_changed", "gift"])
async def test_what_telegram_says_about_a_chat_is_not_answered(stage: Stage, kind: str) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    message = {"message_id": 9000, "date": 0, "chat": ana.chat.payload(), "from": ana.payload()}
    stage.api.updates.put("message", message | {kind: {}})
    await stage.settled()
    assert stage.entries(ana) == []


async def test_pieces_of_a_paste_that_come_in_another_order_are_put_in_theirs(
    stage: Stage,
) -> None:
    ana = stage.person()
    await stage.tells(ana)
    about = {"date": 0, "chat": ana.chat.payload(), "from": ana.payload()}
    pieces = [f"piece {n} " + "word " * 600 + f"end of {n}" for n in range(3)]
    for n in (1, 0, 2):
        stage.api.updates.put("message", about | {"message_id": 9000 + n, "text": pieces[n]})
    await stage.settled()
    assert len(stage.entries(ana)) == 1
    assert await stage.typed(ana) == "\n".join(pieces)


# -- blocked, and presses that lead nowhere -----------------------------------------------------


async def test_blocking_pauses_a_person_and_unblocking_says_nothing(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.blocks()
    await stage.settled()
    async with stage.store.work() as work:
        assert await work.recipients.paused() == {ana.id: "blocked"}
    ana.unblocks()
    await stage.settled()
    async with stage.store.work() as work:
        assert await work.recipients.paused() == {}
    assert stage.entries(ana) == []
    assert await stage.says(ana, ROSA)


async def test_whoever_writes_again_is_answered_before_the_news_of_unblocking(
    stage: Stage,
) -> None:
    await tells(stage, SNOW)
    ana = stage.person()
    ana.blocks()
    await stage.settled()
    ana.chat.gone = None
    assert await stage.says(ana, ROSA)


async def test_a_press_that_cannot_be_read_or_is_forged_stops_spinning(stage: Stage) -> None:
    await tells(stage, SNOW)
    ana, eva = stage.person(), stage.person("Eva")
    for body in (
        {"id": "q1", "from": eva.payload(), "data": "0|skip", "message": {"chat": {"id": ana.id}}},
        {"id": "q2", "from": None, "data": {}},
        {"id": "q3", "from": ana.payload(), "data": "x", "message": {"chat": {"type": "channel"}}},
    ):
        stage.api.updates.put("callback_query", body)
    await stage.settled()
    await eventually(lambda: stage.api.calls.count("answerCallbackQuery") >= 3)

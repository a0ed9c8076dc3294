"""A voice note counts only once its words are confirmed or mended, and danger in it comes first."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.console.botapi import BotApi
from bot.console.request import InProcessRequest
from bot.core.care import Safety
from bot.core.turn import Abilities, Heard, Transcribe
from bot.llm.transcriber import ModelTranscriber
from bot.telegram.voice import TelegramRecordings, recording_of
from bot.usecases.listening import Listening
from bot.usecases.ports import FileGone, FileTooBig, TranscriptionUnavailable
from bot.usecases.residents import Residents
from tests.conversations.playing import Stage, opened
from tests.fakes import (
    FixedClock,
    ScriptedScreener,
    SteadyReader,
    catalogue,
    corpus_retriever,
)
from tests.llm.residents import Coached
from tests.llm.servers import hangs_up, refuses, sends, stalls, told_server

SPOKEN = "my hand was on my own door and I knocked on hers"
NOTE = Heard(other="voice", file="f1", size=4_000, profile_name="Ana Gil", language_code="en")


class Files:
    """Recordings as Telegram would give them, or not."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.fetched: list[str] = []

    async def fetch(self, file: str) -> bytes:
        self.fetched.append(file)
        if self.error:
            raise self.error
        return b"OggS"


class Scribe:
    """Writes down what it is told was said."""

    def __init__(self) -> None:
        self.hears = SPOKEN
        self.is_away = False

    async def transcribe(self, recording: bytes, language: str) -> str:
        if self.is_away:
            raise TranscriptionUnavailable("told")
        return self.hears


class Speaking(Coached):
    """A resident who may speak."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.files, self.scribe, self.screener = Files(), Scribe(), ScriptedScreener()
        ids = itertools.count(1)
        self.residents = Residents(
            self.store,
            SteadyReader(),
            self.screener,
            corpus_retriever(),
            catalogue(),
            FixedClock(),
            lambda: f"id{next(ids)}",
            listening=Listening(self.files, self.scribe, patience=0.5),
            able=Abilities(voice_at="model.example.org"),
        )


@pytest.fixture
async def ana() -> Speaking:
    speaking = Speaking()
    await speaking.joins()
    return speaking


async def story_of(ana: Coached) -> str:
    story = (await ana.folder()).story
    assert story is not None
    return story.whole() or "\n".join(story.parts["self"].pieces)  # type: ignore[index]


async def test_what_was_heard_is_shown_and_counts_only_when_confirmed(ana: Speaking) -> None:
    said = await ana.does(NOTE)
    assert ana.keys == ["model.voice.heard"] and SPOKEN in said[0]
    assert await story_of(ana) == ""
    await ana.presses("thats_right")
    await ana.presses("thats_it")
    assert await story_of(ana) == SPOKEN
    notes = (await ana.folder()).session.notes
    assert "voice_text" not in notes


async def test_typing_mends_it_and_what_was_heard_is_dropped(ana: Speaking) -> None:
    await ana.does(NOTE)
    await ana.presses("not_quite")
    assert ana.keys == ["model.voice.mend"]
    await ana.says("my hand was on my own door, then I knocked")
    await ana.presses("thats_it")
    assert await story_of(ana) == "my hand was on my own door, then I knocked"


async def test_left_out_it_leaves_no_trace(ana: Speaking) -> None:
    await ana.does(NOTE)
    await ana.presses("leave_out")
    assert ana.keys[0] == "general.left_out"
    assert SPOKEN not in json.dumps((await ana.folder()).session.notes)
    assert await story_of(ana) == ""


async def test_danger_that_is_spoken_stops_the_story(ana: Speaking) -> None:
    ana.scribe.hears = "I am going to end it tonight"
    ana.screener.danger["end it tonight"] = Safety.CRISIS
    await ana.does(NOTE)
    assert ana.keys[0] == "care.acknowledge"
    assert "end it" not in json.dumps((await ana.folder()).session.notes)


async def test_saying_thats_it_aloud_ends_the_telling(ana: Speaking) -> None:
    await ana.says("The boiler died in January and I knocked next door.")
    ana.scribe.hears = "That's it."
    await ana.does(NOTE)
    await ana.presses("thats_right")
    assert ana.keys[-1].startswith("questions.")


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (FileTooBig(), "model.voice.too_big"),
        (FileGone(), "model.voice.gone"),
        (TranscriptionUnavailable("x"), "model.voice.cannot"),
    ],
)
async def test_a_note_that_cannot_be_fetched_is_answered_plainly(
    ana: Speaking, error: Exception, key: str
) -> None:
    ana.files.error = error
    await ana.does(NOTE)
    assert ana.keys == [key]


async def test_a_note_over_twenty_megabytes_is_not_even_fetched(ana: Speaking) -> None:
    await ana.does(Heard(other="voice", file="f1", size=20_000_001))
    assert ana.keys == ["model.voice.too_big"] and ana.files.fetched == []


async def test_silence_and_a_deaf_server_are_said_as_what_they_are(ana: Speaking) -> None:
    ana.scribe.hears = "  … "
    await ana.does(NOTE)
    assert ana.keys == ["model.voice.nothing"]
    ana.scribe.is_away = True
    await ana.does(NOTE)
    assert ana.keys == ["model.voice.cannot"]


async def test_without_a_yes_the_kind_sentence_is_said_and_nothing_fetched() -> None:
    ana = Speaking()
    await ana.joins("model_no")
    await ana.does(NOTE)
    assert ana.keys == ["general.other.voice"] and ana.files.fetched == []


async def test_a_second_note_before_the_first_is_confirmed_takes_its_place(ana: Speaking) -> None:
    await ana.does(NOTE)
    ana.scribe.hears = "six of us were cooking there by nine"
    await ana.does(NOTE)
    await ana.presses("thats_right")
    await ana.presses("thats_it")
    assert await story_of(ana) == "six of us were cooking there by nine"


# -- over HTTP ----------------------------------------------------------------------------------


async def test_a_recording_is_sent_as_it_is_and_comes_back_as_words() -> None:
    with told_server(sends(200, {"text": f" {SPOKEN} "})) as server:
        scribe = ModelTranscriber("whisper-1", "key", server.where.base_url)
        assert await scribe.transcribe(b"OggS voice", "en") == SPOKEN
        (upload,) = server.uploads
        assert b"OggS voice" in upload and b"whisper-1" in upload and b"voice.ogg" in upload


@pytest.mark.parametrize(
    "fault", [refuses(401), refuses(413), hangs_up(), stalls(3), sends(200, {"words": 1})]
)
async def test_a_fault_of_the_transcriber_is_one_kind_of_error(fault: object) -> None:
    with told_server(fault) as server:  # type: ignore[arg-type]
        scribe = ModelTranscriber("whisper-1", "key", server.where.base_url, seconds=0.5)
        with pytest.raises(TranscriptionUnavailable):
            await scribe.transcribe(b"OggS", "en")


# -- from Telegram ------------------------------------------------------------------------------


def test_the_file_of_a_note_is_known_by_its_message() -> None:
    voice = {"voice": {"file_id": "f1", "file_size": 12, "duration": 3}}
    assert recording_of(voice) == ("f1", 12)
    assert recording_of({"audio": {"file_id": "f2"}}) == ("f2", None)
    assert recording_of({"photo": [{"file_id": "f3"}]}) == (None, None)


async def test_a_recording_is_fetched_and_one_that_is_gone_is_gone() -> None:
    api = BotApi(None)
    person = api.person("ana", "en")
    person.sends_voice(content=b"OggS spoken")
    (update,) = await api.updates.get(0, 10, 0)
    file, _ = recording_of(update["message"])  # type: ignore[arg-type]
    assert file is not None
    recordings = TelegramRecordings(api.token, "https://api.telegram.org", InProcessRequest(api))
    assert await recordings.fetch(file) == b"OggS spoken"
    with pytest.raises(FileGone):
        await recordings.fetch("no-such-file")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    rooms = SteadyReader(), ScriptedScreener(), corpus_retriever()
    async with opened(tmp_path, *rooms, "en") as playing:
        yield playing


async def test_where_nothing_is_set_up_a_note_gets_the_kind_sentence(stage: Stage) -> None:
    stage.person.says("/start")
    await stage.after("starts")
    stage.person.sends_voice()
    turn = await stage.after("speaks")
    assert [line.key for line in turn.lines] == ["general.other.voice"]


def test_the_need_for_words_names_its_file() -> None:
    assert Transcribe("f1").size is None

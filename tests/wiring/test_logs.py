"""No log line holds a word of a story, a name or a token, whatever goes wrong."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.commands.logs import log_to
from bot.console.botapi import BotApi, ConnectionLost
from bot.console.refusal import bad_request
from bot.core.care import Safety
from tests.fakes import ScriptedScreener
from tests.telegram.stage import running

MARKER, NAME, TOKEN = "quetzalcoatlus", "Ximena Borrowdale", "4242:verysecrettoken"


class Choking(ScriptedScreener):
    """Fails on some messages, with their words in the error."""

    async def safety(self, text: str, language: str) -> Safety:
        if "choke" in text:
            raise ValueError(f"cannot read {text!r}")
        return await super().safety(text, language)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Our log at its most talkative, beside whatever pytest had set up."""
    root, ours = logging.getLogger(), logging.getLogger("bot")
    before = (root.level, root.handlers[:], ours.level, logging.raiseExceptions)
    log_to(tmp_path / "coach.log", logging.DEBUG)
    yield tmp_path / "coach.log"
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[0])
    for handler in before[1]:
        root.addHandler(handler)
    ours.setLevel(before[2])
    logging.raiseExceptions = before[3]


def text_of(log: Path) -> str:
    return log.read_text(encoding="utf-8")


async def test_a_conversation_full_of_trouble_leaves_no_word_in_the_log(
    tmp_path: Path, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    api = BotApi(token=TOKEN)
    async with running(tmp_path / "home", api=api, screener=Choking()) as stage:
        person = stage.person(NAME)
        await stage.tells(person, f"The {MARKER} flew.")
        api.faults.plan("sendMessage", ConnectionLost())
        api.faults.too_many_requests("sendMessage", 1)
        api.faults.plan("sendMessage", bad_request(f"can't parse entities: {MARKER}"))
        await stage.says(person, f"The {MARKER} choke.")
        api.updates.put("message", {"text": MARKER, "chat": {"id": person.id}, "date": "x"})
        await stage.settled()
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "lost", "exception": ValueError(MARKER)})
        logging.getLogger("telegram").error("polling", exc_info=ValueError(f"{NAME} {TOKEN}"))
        await stage.says(person, "/mydata")
        await stage.says(person, "/forget")
        await stage.presses(person, "Erase everything")
    written = text_of(log)
    assert "turn failed" in written and "ValueError" in written
    captured = capfd.readouterr()
    for text in (written, captured.err, captured.out):
        for secret in (MARKER, *NAME.split(), TOKEN.partition(":")[2]):
            assert secret not in text
    assert "Traceback" not in captured.err


def test_only_its_owner_may_read_the_log(log: Path) -> None:
    logging.getLogger("bot").warning("something")
    assert log.stat().st_mode & 0o077 == 0
    assert "something" in text_of(log)


@pytest.fixture
def written(log: Path) -> Iterator[io.StringIO]:
    """Our log as JSON lines, hiding a secret; the fixture `log` puts everything back."""
    stream = io.StringIO()
    log_to(stream, logging.DEBUG, "json", ("sesame-open", "no"))
    yield stream


async def test_what_a_library_says_is_cut_to_its_fixed_words(written: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError(f"{MARKER} of {NAME}")

    task = asyncio.create_task(fails(), name=MARKER)
    await asyncio.sleep(0)
    del task
    library = logging.getLogger("some.library")
    library.warning("got %s from %s", MARKER, NAME)
    library.error("broken\n%s" % MARKER)  # noqa: UP031
    library.info(f"https://api.telegram.org/bot{TOKEN}/getMe")
    gc.collect()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {"got %s from %s", "broken"} <= {line["says"] for line in lines}
    assert "Task exception was never retrieved" in {line["says"] for line in lines}
    for secret in (MARKER, *NAME.split(), TOKEN.partition(":")[2]):
        assert secret not in written.getvalue()


def test_a_line_for_programs_has_time_level_room_and_words(written: io.StringIO) -> None:
    logging.getLogger("bot.telegram.lanes").warning("turn failed, try %d", 2)
    (line,) = [json.loads(one) for one in written.getvalue().splitlines()]
    assert set(line) == {"at", "level", "room", "says"}
    assert (line["level"], line["room"], line["says"]) == (
        "warning", "bot.telegram.lanes", "turn failed, try 2",
    )  # fmt: skip
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test_an_error_for_programs_is_its_kinds_and_places(written: io.StringIO) -> None:
    try:
        try:
            raise KeyError(MARKER)
        except KeyError as error:
            raise ValueError(NAME) from error
    except ValueError:
        logging.getLogger("bot").exception("no")
    (line,) = [json.loads(one) for one in written.getvalue().splitlines()]
    assert [p for p in line["places"] if not p.startswith(" ")] == ["ValueError", "KeyError"]
    assert MARKER not in str(line) and NAME not in str(line)


def test_tokens_and_secrets_are_hidden_wherever_they_turn_up(written: io.StringIO) -> None:
    logging.getLogger("bot").warning("at /bot%s/getMe with %s", TOKEN, "sesame-open")
    assert json.loads(written.getvalue())["says"] == "at /bot(hidden)/getMe with (hidden)"

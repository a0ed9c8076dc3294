"""`coach review`: the queue, one story, one act; every refusal one plain sentence."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.core.consent import Purpose
from bot.core.story import Folder
from tests.commands.shell import coach_here
from tests.usecases.library_world import CHOICE, World, world


def seeded(home: Path, prepare: Callable[[World], Awaitable[Folder]]) -> Folder:
    """A data directory with people in it, closed again."""

    async def make() -> Folder:
        async with world(home) as made:
            return await prepare(made)

    return asyncio.run(make())


def a_story(home: Path) -> str:
    prepared = seeded(home, lambda w: w.teller(Purpose.COACHING_EXAMPLES, Purpose.PRESS))
    return prepared.stories[0].id


def test_queue_show_and_approve_by_options(tmp_path: Path) -> None:
    story = a_story(tmp_path)
    (line,) = coach_here(tmp_path, "review", "--json").out.splitlines()
    assert json.loads(line)["story"] == story
    shown = json.loads(coach_here(tmp_path, "review", story[-32:], "--json").out)
    assert CHOICE in shown["text"] and shown["purposes"] == ["coaching_examples", "press"]
    done = coach_here(
        tmp_path, "review", story, "--approve", "--theme", "housing", "--place", "city",
        "--mark", f"self.choice={CHOICE}", "--sha256", shown["text_sha256"],
    )  # fmt: skip
    assert (done.code, done.err) == (0, ""), done
    assert coach_here(tmp_path, "review").out.strip() == "Nothing waits for review."


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--return", "tone", "--note", "x"], 1, "not a reason on the list"),
        (["--return", "contact_details"], 1, "Say in a note"),
        (["--approve", "--sha256", "0" * 64], 1, "changed or released anew"),
        (["--approve", "--mark", "self.choice=never said by them"], 1, "letter for letter"),
        (["--approve", "--mark", "nothing"], 2, "A mark is a move"),
        (["--approve", "--place", "moon"], 1, "kind on the list"),
        (["--approve", "--hold"], 2, "one act"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    tmp_path: Path, options: list[str], code: int, says: str
) -> None:
    story = a_story(tmp_path)
    done = coach_here(tmp_path, "review", story, *options)
    assert done.code == code and says in done.err
    (line,) = coach_here(tmp_path, "review", "--json").out.splitlines()
    assert json.loads(line)["claimed_until"] is None


def test_an_unknown_story_is_said(tmp_path: Path) -> None:
    assert "no story with that id" in coach_here(tmp_path, "review", "nope").err
    assert "Name the story" in coach_here(tmp_path, "review", "--approve").err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_story_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.commands.review import Wish, run

    async def three(made: World) -> Folder:
        for number in range(3):
            folder = await made.teller(words=f"Story {number}: \x1b[31m we stayed.")
            made.clock.passes(minutes=1)
        return folder

    seeded(tmp_path, three)
    monkeypatch.setenv("COACH_HOME", str(tmp_path))
    out = Terminal()
    typed = "a\nhousing, water\nr\n4\nLeave the number out.\ns\n"
    assert run(Wish(), False, Terminal(typed), out, io.StringIO()) == 0
    assert "Approved" in out.getvalue() and "Returned" in out.getvalue()
    assert "Decided: 2" in out.getvalue()
    assert "\x1b[31m we" not in out.getvalue()
    assert len(coach_here(tmp_path, "review", "--json").out.splitlines()) == 1

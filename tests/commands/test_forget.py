"""Erasing takes the words from every file there is, and says so place by place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.shell import coach
from tests.commands.test_refusals import JOINING
from tests.telegram.stage import database, on_disk


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database(tmp_path / "home")
    typed = JOINING + b"A quetzalcoatlus stood at the stop.\n/mydata\n"
    ended = coach(tmp_path / "home", "chat", "--as", "Ana", typed=typed)
    assert ended.code == 0
    assert b"quetzalcoatlus" in on_disk(tmp_path / "home")
    return tmp_path / "home"


def test_forgetting_in_the_chat_leaves_no_word_on_the_disk(home: Path) -> None:
    ended = coach(home, "chat", "--as", "Ana", typed=b"/forget\nerase everything\n")
    assert (ended.code, ended.err) == (0, "")
    assert "files: 2 erased" in ended.out
    held = on_disk(home)
    assert b"quetzalcoatlus" not in held and b"Ana" not in held
    assert not list((home / "received").iterdir())
    anew = coach(home, "chat", "--as", "Ana")
    assert "Shall we?" in anew.out, "a stranger again"


def test_forgetting_one_person_leaves_another_alone(home: Path) -> None:
    coach(home, "chat", "--as", "Eva", typed=JOINING + b"Eva saw a pterodactyl.\n/mydata\n")
    coach(home, "chat", "--as", "Ana", typed=b"/forget\nerase everything\n")
    held = on_disk(home)
    assert b"quetzalcoatlus" not in held and b"pterodactyl" in held
    assert len(list((home / "received").iterdir())) == 1


def test_coach_forget_leaves_no_word_on_the_disk(home: Path) -> None:
    ended = coach(home, "forget", "ana", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert "files: 2 erased" in ended.out and "database rows:" in ended.out
    held = on_disk(home)
    assert b"quetzalcoatlus" not in held and b"Ana" not in held


@pytest.mark.parametrize("typed", [b"", b"no\n", b"yess\n"])
def test_coach_forget_without_a_clear_yes_erases_nothing(home: Path, typed: bytes) -> None:
    ended = coach(home, "forget", "Ana", typed=typed)
    assert (ended.code, ended.err) == (1, "Nothing was erased.\n")
    assert b"quetzalcoatlus" in on_disk(home)


def test_coach_forget_of_nobody_says_so(home: Path) -> None:
    ended = coach(home, "forget", "Zoe", "--yes")
    assert ended.code == 1 and ended.err.startswith("Nobody is known as that.")


def test_coach_withdraw_of_no_story_says_so(home: Path) -> None:
    ended = coach(home, "withdraw", "nothing", "--yes")
    assert ended.code == 1 and ended.err.startswith("There is no story with that id")

"""`coach backup` and `coach restore` as whoever runs the machine meets them."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from bot.commands import doctor
from bot.settings import Settings
from bot.wiring import Parts
from tests.commands.shell import Ended, coach, coach_here
from tests.commands.test_refusals import JOINING
from tests.telegram.stage import database, on_disk


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database(tmp_path / "home")
    typed = JOINING + b"A quetzalcoatlus stood at the stop.\n"
    assert coach(tmp_path / "home", "chat", "--as", "Ana", typed=typed).code == 0
    return tmp_path / "home"


def made(home: Path, *options: str) -> dict[str, object]:
    ended = coach_here(home, "backup", "--json", *options)
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def listed(home: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for line in coach_here(home, "backup", "--list", "--json").out.splitlines()
    ]


def _backups(home: Path) -> str:
    """What `coach doctor` says of backups."""
    settings = Settings(_env_file=None, coach_home=home)  # type: ignore[call-arg]
    try:
        return asyncio.run(doctor._backups(Parts(settings)))
    except doctor.Trouble as trouble:
        return str(trouble)


@pytest.mark.sqlite_file("its bytes are looked at; tests/store/test_restoring.py tries both")
def test_a_backup_and_the_way_back(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    out.mkdir()
    assert _backups(home).startswith("none was made")
    ended = coach(home, "backup", "--out", str(out))
    assert _backups(home).endswith("1 in all")
    assert ended.code == 0
    (path,) = out.iterdir()
    assert ended.out.startswith("Backed up and checked, ") and str(path) in ended.out
    assert "not encrypted" in ended.err and "data folder" not in ended.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    coach(home, "chat", "--as", "Ana", typed=b"And then a pterodactyl came.\n")
    refused = coach(home, "restore", str(path))
    assert refused.code == 1 and refused.out == "" and "is not empty" in refused.err
    assert b"pterodactyl" in on_disk(home)
    ended = coach(home, "restore", str(path), "--replace")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("Restored ")
    assert "Applied again, from the database that was replaced: 0 stories withdrawn" in ended.out
    assert b"quetzalcoatlus" in (home / "coach.sqlite").read_bytes()
    assert b"pterodactyl" not in (home / "coach.sqlite").read_bytes()


@pytest.mark.sqlite_file("its bytes are looked at; tests/store/test_restoring.py tries both")
def test_into_an_empty_folder_it_says_what_cannot_be_known(home: Path, tmp_path: Path) -> None:
    path = str(made(home)["path"])
    ended = coach_here(tmp_path / "new", "restore", path)
    assert ended.code == 0
    assert "There was no database that could tell what was withdrawn" in ended.out
    assert b"quetzalcoatlus" in (tmp_path / "new" / "coach.sqlite").read_bytes()
    told = json.loads(coach_here(tmp_path / "newer", "restore", path, "--json").out)
    assert told["knew"] == "nothing" and told["rows"] > 0


@pytest.mark.sqlite_file("its bytes are looked at; tests/store/test_restoring.py tries both")
def test_forgetting_lists_the_backups_that_still_hold_the_words(home: Path, tmp_path: Path) -> None:
    first = made(home)
    ended = coach(home, "forget", "Ana", "--yes")
    command = f"coach backup --acknowledge {first['backup']}"
    assert f"destroy every copy of {first['path']}" in ended.out and command in ended.out
    assert b"quetzalcoatlus" not in (home / "coach.sqlite").read_bytes()
    shown = coach_here(home, "backup", "--list").out
    assert "TO DESTROY" in shown and "1 person forgotten" in shown
    assert "1 backup with words that were taken back since" in _backups(home)
    (line,) = listed(home)
    assert (line["backup"], line["forgotten_people"]) == (first["backup"], 1)
    restored = coach(home, "restore", str(first["path"]), "--replace")
    assert "1 person forgotten" in restored.out and command in restored.err
    assert b"quetzalcoatlus" not in (home / "coach.sqlite").read_bytes(), "forgotten is forgotten"
    assert coach_here(home, "backup", "--acknowledge", str(first["backup"])).code == 0
    assert "TO DESTROY" not in coach_here(home, "backup", "--list").out
    again = coach_here(home, "backup", "--acknowledge", str(first["backup"]))
    assert (again.code, again.out) == (1, "") and again.err.startswith("No backup with that id")


def test_older_backups_beyond_those_kept_are_removed(home: Path, tmp_path: Path) -> None:
    other = made(home, "--out", str(tmp_path / "other.backup"))
    paths = [made(home)["path"] for _ in range(2)]
    last = made(home, "--keep", "2")
    assert last["removed"] == paths[:1]
    assert not Path(str(paths[0])).exists()
    left = {line["path"] for line in listed(home) if line["gone_at"] is None}
    assert left == {other["path"], paths[1], last["path"]}, "another folder's are left alone"


@pytest.mark.parametrize("options", [("--list", "--keep", "2"), ("--list", "--acknowledge", "x"),
                                     ("--keep", "0"), ("--out",)])  # fmt: skip
def test_wrong_usage_is_said_and_nothing_is_made(home: Path, options: tuple[str, ...]) -> None:
    ended = coach_here(home, "backup", *options)
    assert ended.code == 2
    assert listed(home) == []


def _refused(ended: Ended, sentence: str) -> None:
    assert (ended.code, ended.out) == (1, "")
    assert sentence in ended.err and len(ended.err.strip().splitlines()) == 1


@pytest.mark.sqlite_file("its bytes are looked at; tests/store/test_restoring.py tries both")
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(home: Path, tmp_path: Path) -> None:
    path = Path(str(made(home)["path"]))
    damaged = tmp_path / "damaged.backup"
    damaged.write_bytes(path.read_bytes()[:-9])
    before = (home / "coach.sqlite").read_bytes()
    _refused(coach(home, "restore", str(damaged), "--replace"), "is damaged or cut short")
    _refused(coach(home, "restore", str(tmp_path / "none"), "--replace"), "No such file")
    (tmp_path / "diary").write_text("Dear diary")
    _refused(coach(home, "restore", str(tmp_path / "diary")), "is not a backup made by")
    _refused(coach(home, "restore", str(tmp_path)), "Is a directory")
    assert (home / "coach.sqlite").read_bytes() == before


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(home: Path) -> None:
    blocked = home / "blocked"
    blocked.write_text("a file, no folder")
    ended = coach(home, "backup", "--out", str(blocked / "a.backup"))
    assert ended.code == 1 and str(blocked) in ended.err
    assert listed(home) == []
    there = coach(home, "backup", "--out", str(blocked))
    _refused(there, "there is a file of that name already")
    assert blocked.read_text() == "a file, no folder"


def test_a_full_disk_leaves_no_backup_and_says_so(home: Path, tmp_path: Path) -> None:
    """The device /dev/full has no room for a single byte."""
    full = "import os\nos.fdopen = lambda handle, mode: open('/dev/full', mode)\n"
    out = tmp_path / "out"
    out.mkdir()
    ended = coach(home, "backup", "--out", str(out), before=full)
    _refused(ended, "The disk is full")
    assert list(out.iterdir()) == []
    assert listed(home) == []


def test_nothing_is_restored_under_a_running_coach(home: Path) -> None:
    path = str(made(home)["path"])
    holding = (
        "import fcntl, os\n"
        f"handle = os.open({str(home / 'coach.lock')!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
    )
    _refused(coach(home, "restore", path, "--replace", before=holding), "already running")

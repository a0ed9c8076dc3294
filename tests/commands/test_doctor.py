"""The doctor names each trouble and what to do about it, and examines everything else too."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.commands import doctor
from bot.wiring import Parts
from tests.telegram.stage import database

CARE = {
    "COACH_CARE_CALL": "988",
    "COACH_CARE_TEXT": "988",
    "COACH_CARE_PERSON": "Amina, 555 0100",
}


@pytest.fixture(autouse=True)
def healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where all is well, but for the heavy checks, which have tests of their own."""
    home = tmp_path / "home"
    database(home)
    monkeypatch.chdir(tmp_path)
    for name in ("TELEGRAM_BOT_TOKEN", "DATABASE_URL", "COACH_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COACH_HOME": str(home), **CARE}.items():
        monkeypatch.setenv(name, value)

    async def well(parts: object) -> str:
        return "fine"

    monkeypatch.setattr(doctor, "_examples", well)
    return home


def examine() -> tuple[int, dict[str, tuple[bool, str]]]:
    out, err = io.StringIO(), io.StringIO()
    code = doctor.run(True, out, err)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return code, {f["check"]: (f["well"], f["says"]) for f in found}


def test_all_is_well_and_every_check_is_named() -> None:
    code, found = examine()
    assert code == 0, found
    assert list(found) == [
        "settings", "disk", "database", "words", "reader", "screening", "examples", "token",
    ]  # fmt: skip


def test_people_read_a_line_a_check() -> None:
    out = io.StringIO()
    assert doctor.run(False, out, io.StringIO()) == 0
    lines = out.getvalue().splitlines()
    assert len(lines) == 8 and all(line.startswith("ok    ") for line in lines)


def test_a_missing_person_for_someone_in_danger_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COACH_CARE_TEXT")
    monkeypatch.delenv("COACH_CARE_PERSON")
    code, found = examine()
    assert code == 1 and not found["settings"][0]
    assert "COACH_CARE_PERSON" in found["settings"][1]
    assert found["database"][0], "the other checks go on"


def test_a_setting_that_cannot_be_used_is_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_LANGUAGE", "xx")
    code, found = examine()
    assert code == 1 and list(found) == ["settings"]
    assert "COACH_LANGUAGE cannot be used" in found["settings"][1]


def test_a_disk_nearly_full_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(total=10**9, used=10**9, free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    code, found = examine()
    assert code == 1 and found["disk"] == (
        False,
        "only 0 MB are free; make room before people lose words",
    )


def test_a_data_directory_that_cannot_be_made_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COACH_HOME", str(tmp_path / "file" / "home"))
    code, found = examine()
    assert code == 1 and not found["disk"][0] and "COACH_HOME" in found["disk"][1]


def test_a_damaged_database_is_trouble(healthy: Path) -> None:
    (healthy / "coach.sqlite").write_bytes(b"rubbish" * 500)
    code, found = examine()
    assert code == 1 and "damaged" in found["database"][1]


@pytest.mark.parametrize("part", ["reader", "screener", "words"])
def test_a_part_that_cannot_be_loaded_is_trouble(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(Parts, part, property(broken))
    code, found = examine()
    check = "screening" if part == "screener" else part
    assert code == 1 and not found[check][0]
    assert sum(not well for well, _ in found.values()) == 1


def test_an_unreachable_telegram_is_trouble_and_the_token_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:verysecret")
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", "http://127.0.0.1:9")
    code, found = examine()
    assert code == 1 and not found["token"][0]
    assert "could not be asked" in found["token"][1]
    assert "verysecret" not in str(found)

"""The doctor names each trouble and what to do about it, and examines everything else too."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.commands import doctor
from bot.store.database import open_store
from bot.usecases.ports import InboxItem
from bot.wiring import Parts, SystemClock
from tests.commands.telegram import TOKEN, Telegram
from tests.databases import database, left

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
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_URL", "DATABASE_URL", "COACH_LANGUAGE",
                 "OPENAI_API_KEY", "OPENAI_BASE_URL"):  # fmt: skip
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
        "settings", "disk", "database", "quarantine", "backups",
        "erasures", "words", "reader", "screening", "examples",
        "model", "token", "webhook",
    ]  # fmt: skip


def test_a_model_that_does_not_answer_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    code, found = examine()
    well, says = found["model"]
    assert code == 1 and not well and "OPENAI_BASE_URL" in says and "unreachable" in says


def test_people_read_a_line_a_check() -> None:
    out = io.StringIO()
    assert doctor.run(False, out, io.StringIO()) == 0
    lines = out.getvalue().splitlines()
    assert len(lines) == 13 and all(line.startswith("ok    ") for line in lines)


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


@pytest.mark.sqlite_file("a file with rubbish in it")
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


# -- what was set aside ------------------------------------------------------------------------


def set_aside(home: Path, *numbers: int) -> None:
    """Updates of these ids, with somebody's words, in quarantine."""

    async def put() -> None:
        store = await open_store(database(home))
        async with store.work() as work:
            for number in numbers:
                item = InboxItem(number, 7, '{"text": "periwinkle"}', SystemClock().now())
                await work.inbox.put(item)
            await work.inbox.quarantine(numbers, "KeyError")
            await work.commit()
        await store.close()

    asyncio.run(put())


def counts(home: Path) -> dict[str, int]:
    async def ask() -> dict[str, int]:
        store = await open_store(database(home))
        async with store.work() as work:
            found = dict(await work.inbox.counts())
        await store.close()
        return found

    return asyncio.run(ask())


def test_updates_set_aside_are_listed_by_id_kind_and_time(healthy: Path) -> None:
    set_aside(healthy, 100, 101)
    code, found = examine()
    well, says = found["quarantine"]
    assert code == 1 and not well
    today = f"{SystemClock().now():%Y-%m-%d}"
    assert says.startswith(
        f"2 updates set aside because they could not be handled: 100 (KeyError, {today}"
    )
    assert "coach doctor --retry" in says and "periwinkle" not in says


def test_programs_get_every_update_set_aside(healthy: Path) -> None:
    set_aside(healthy, *range(100, 120))
    out = io.StringIO()
    doctor.run(True, out, io.StringIO())
    (line,) = [
        x for x in map(json.loads, out.getvalue().splitlines()) if x["check"] == "quarantine"
    ]
    assert [d["update_id"] for d in line["details"]] == list(range(100, 120))
    assert set(line["details"][0]) == {"update_id", "kind", "received_at"}
    assert "and 10 more" in line["says"]


def test_what_was_set_aside_can_be_put_back_or_erased(healthy: Path) -> None:
    set_aside(healthy, 100, 101, -5)
    out = io.StringIO()
    assert doctor.run(False, out, io.StringIO(), retry=True) == 0
    assert out.getvalue().startswith("2 updates put back.")
    assert "1 without an id cannot be tried" in out.getvalue()
    assert counts(healthy) == {"waiting": 2, "done": 0, "quarantined": 1}
    out = io.StringIO()
    assert doctor.run(False, out, io.StringIO(), discard=True) == 0
    assert out.getvalue() == "1 update erased; their ids are remembered.\n"
    assert counts(healthy) == {"waiting": 2, "done": 1, "quarantined": 0}
    out = io.StringIO()
    assert doctor.run(False, out, io.StringIO(), retry=True) == 0
    assert out.getvalue() == "Nothing was set aside.\n"


def test_erased_updates_leave_no_word_on_the_disk(healthy: Path) -> None:
    set_aside(healthy, 100)
    doctor.run(False, io.StringIO(), io.StringIO(), discard=True)
    assert b"periwinkle" not in b"".join(left(healthy).values())


def test_one_thing_at_a_time_is_done_with_what_was_set_aside(healthy: Path) -> None:
    err = io.StringIO()
    assert doctor.run(False, io.StringIO(), err, retry=True, discard=True) == 2
    assert err.getvalue() == "Choose one: --retry or --discard.\n"


# -- what Telegram says ------------------------------------------------------------------------

OURS, OTHERS = "https://coach.example.org/x-path", "https://other.example.org/y-path"


@pytest.mark.parametrize(
    ("ours", "theirs", "info", "well", "words"),
    [
        ("", "", {}, True, "none, as `coach run` needs it; 3 updates wait at Telegram"),
        (OURS, OURS, {}, True, "on coach.example.org; 3 updates wait at Telegram"),
        ("", OTHERS, {}, False, "one on other.example.org is set at Telegram, and none in"),
        (OURS, "", {}, False, "none is set at Telegram; `coach web` sets the one on coach."),
        (OURS, OTHERS, {}, False, "Telegram brings updates to other.example.org, at another"),
        (
            OURS, OURS,
            {"last_error_date": int(time.time()) - 60, "last_error_message": "Read timeout"},
            False, "Read timeout; 3 updates wait at Telegram",
        ),
        (
            OURS, OURS,
            {"last_error_date": int(time.time()) - 86_400, "last_error_message": "Read timeout"},
            True, "on coach.example.org",
        ),
    ],
    ids=["none", "same", "left over", "not set", "another", "failing", "failed long ago"],
)  # fmt: skip
def test_the_webhook_at_telegram_is_compared_with_the_settings(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch,
    ours: str, theirs: str, info: dict[str, Any], well: bool, words: str,
) -> None:  # fmt: skip
    telegram.webhook, telegram.info = theirs, info
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", telegram.address)
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", ours)
    code, found = examine()
    assert found["token"] == (True, "of @coach_bot")
    assert found["webhook"][0] is well and words in found["webhook"][1], found["webhook"]
    assert code == (0 if well else 1)
    assert "-path" not in str(found) and "verysecret" not in str(found)


def test_a_token_telegram_does_not_know_is_trouble(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram.refusal = 401
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", telegram.address)
    code, found = examine()
    assert code == 1 and "does not know this token" in found["token"][1]

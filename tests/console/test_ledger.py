"""Ids rise for ever and the open buttons survive, but never a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from telegram import Bot
from telegram.error import BadRequest

from bot.console.botapi import BotApi
from bot.console.ledger import Ledger
from bot.console.request import InProcessRequest
from tests.console.conftest import EchoHost

SECRET = "my mother at the stop"


async def talk(path: Path) -> BotApi:
    api = BotApi(path)
    host = EchoHost(api)
    await host.start()
    api.person("Maria").says(SECRET)
    await host.idle()
    await host.stop()
    return api


async def test_open_buttons_can_be_pressed_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    await talk(path)
    api = BotApi(path)
    host = EchoHost(api)
    maria = api.person("maria ")
    assert maria.has_started
    await host.start()
    maria.presses("No")
    await host.idle()
    await host.stop()
    assert host.errors == []
    assert [e.text for e in api.transcript(maria)] == ["You pressed no"]
    assert BotApi(path).person("Maria").chat.last_keyboard() is None


async def test_no_word_and_no_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    await talk(path)
    written = path.read_text()
    assert "stop" not in written and "Maria" not in written and "Yes" in written
    assert path.stat().st_mode & 0o077 == 0


def test_ids_never_repeat_across_a_crash(tmp_path: Path) -> None:
    seen: list[int] = []
    for _ in range(3):
        ledger = Ledger.open(tmp_path / "console.json")
        seen += [ledger.next_id("update") for _ in range(150)]
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"reserved": {"update": "1"}, "chats": {}}',
        b'{"reserved": {"update": 1, "message": 1, "query": 1}, "chats": {"x": null}}',
        b'{"reserved": {"update": 1, "message": 1, "query": 1}, "chats": {"1": {"rows": 5}}}',
    ],
)
def test_a_damaged_file_is_set_aside_and_ids_go_on_higher(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "console.json"
    path.write_bytes(content)
    ledger = Ledger.open(path)
    assert ledger.set_aside is not None and ledger.set_aside.read_bytes() == content
    assert ledger.next_id("update") > 1_700_000_000
    assert json.loads(path.read_bytes())["chats"] == {}


def test_a_person_keeps_their_id_when_the_file_is_lost(tmp_path: Path) -> None:
    assert BotApi().person("María").id == BotApi(tmp_path / "new.json").person(" MARÍA").id


def test_a_full_disk_hands_out_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger.open(tmp_path / "console.json")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            ledger.next_id("update")
    assert list(tmp_path.iterdir()) == []
    assert ledger.next_id("update") == 1


async def test_a_group_of_an_earlier_run_can_be_posted_in_and_a_person_of_one_cannot(
    tmp_path: Path,
) -> None:
    before = BotApi(tmp_path / "console.json")
    ana, hall = before.person("Ana"), before.group("Hall")
    ana.starts()
    hall.add_bot(ana)
    api = BotApi(tmp_path / "console.json")
    async with Bot(api.token, request=InProcessRequest(api)) as bot:
        await bot.send_message(hall.id, "practice")
        with pytest.raises(BadRequest, match="not found"):
            await bot.send_message(ana.id, "nobody would ever read this")
    again = api.group("Hall")
    assert again.chat.name == "Hall"
    assert [e.text for e in api.transcript(again) if e.who == "bot"] == ["practice"]

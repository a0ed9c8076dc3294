"""The resident's conversation over a Bot API server that neither we nor our library wrote.

telegram-test-api from npm (`make independent` installs it) knows nine methods and no files, so the
dialogues end before files, and before buttons are first changed in place. With COACH_MUST_PROVE=1
its absence is a failure, not a reason to skip.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.console.botapi import BotApi
from bot.console.people import Person
from bot.usecases.residents import Residents
from tests.conversations.playing import TOKEN
from tests.conversations.script import dialogues
from tests.counterpart.programs import WAYS, free_port
from tests.proof.apart import CARE, Measure, Rooms, _parts, _play, _steady
from tests.proof.unhurried import defaults
from tests.telegram.stage import database

HERE = Path(__file__).parent / "independent"
INSTALLED = Path(__file__).parents[2] / ".tools" / "node" / "node_modules"
NODE = shutil.which("node")
MUST = os.environ.get("COACH_MUST_PROVE") == "1"
PATIENCE = 30.0
PLAYED = {"en": "en-self-to-release", "es": "es-hasta-el-permiso"}

pytestmark = pytest.mark.skipif(
    not MUST and (NODE is None or not INSTALLED.is_dir()),
    reason="needs node, and telegram-test-api from npm: `make independent`",
)


@dataclass
class Played:
    """What a person did in one turn, and what the bot had said by its end."""

    did: list[tuple[str, str | int]]
    said: list[str]
    offered: list[str]
    """The labels of the buttons to press next; none when there is nothing to press."""


@dataclass
class Recorded(Measure):
    """The dialogue in this process, action by action."""

    doing: list[tuple[str, str | int]] = field(default_factory=list)
    played: list[Played] = field(default_factory=list)

    def records(self) -> None:
        """Listen to what the person does from now on."""
        person, says, presses = self.person, self.person.says, self.person.presses_on

        def speak(text: str, **more: Any) -> list[int]:
            self.doing.append(("says", text))
            return says(text, **more)

        def press(message: int, data: str, **more: Any) -> str:
            shown = person.chat.last_keyboard()
            assert shown is not None
            flat = [b["callback_data"] for row in shown.rows() for b in row]
            self.doing.append(("presses", flat.index(data)))
            return presses(message, data, **more)

        person.says, person.presses_on = speak, press  # type: ignore[method-assign]

    async def after(self, did: str, *, typed: str = "", is_answer: bool = False) -> Any:
        turn = await super().after(did, typed=typed, is_answer=is_answer)
        entries = [e for e in self.api.transcript(self.person) if e.who == "bot"]
        if not any(e.document for e in entries):
            shown = self.person.chat.last_keyboard()
            rows = shown.rows() if shown is not None else []
            labels = [str(button["text"]) for row in rows for button in row]
            self.played.append(Played(self.doing, [_steady(e.text) for e in entries], labels))
        self.doing = []
        return turn


async def recorded(home: Path, language: str, rooms: Rooms) -> tuple[Person, list[Played]]:
    """Play a dialogue beside the bot."""
    dialogue = next(d for d in dialogues() if d.name == PLAYED[language])
    api = BotApi(token=TOKEN)
    stage = Recorded(home, _parts(home, rooms), api, api.person("Ana", dialogue.language))
    stage.records()
    await stage.start()
    try:
        await _play(stage, dialogue.steps)
    finally:
        await stage.stop()
    return stage.person, _before_edits(stage.played)


def _before_edits(played: list[Played]) -> list[Played]:
    """Up to where buttons are first changed in place: of that the server keeps no true record."""
    for number in range(1, len(played)):
        if len(played[number].said) <= len(played[number - 1].said):
            return played[:number]
    return played


class Client:
    """A person's client of the independent server."""

    def __init__(self, http: httpx.AsyncClient, person: Person) -> None:
        self._http, self._person = http, person
        self._chat = {"id": person.id, "type": "private", "first_name": person.name}

    async def does(self, kind: str, what: str | int) -> None:
        """Say a text or a command, or press a button by its place."""
        common = {"botToken": TOKEN, "from": self._person.payload(), "date": 1_800_000_000}
        if isinstance(what, int):
            last = [m for m in await self._history() if self._buttons(m)][-1]
            message = {"message_id": last["messageId"], "date": 1_800_000_000, "chat": self._chat}
            data = self._buttons(last)[what]["callback_data"]
            await self._post("/sendCallback", {**common, "message": message, "data": data})
            return
        body: dict[str, object] = {**common, "chat": self._chat, "text": what}
        if what.startswith("/"):
            length = len(what.split()[0])
            entity = {"type": "bot_command", "offset": 0, "length": length}
            await self._post("/sendCommand", {**body, "entities": [entity]})
        else:
            await self._post("/sendMessage", body)

    async def said(self) -> list[str]:
        """What the bot's messages say now, without markup."""
        return [_steady(_plain(m["message"])) for m in await self._history()]

    async def shows(self, turn: Played) -> bool:
        """Whether the chat has come to what it should show."""
        with_buttons = [b for m in await self._history() if (b := self._buttons(m))]
        # It keeps the buttons of a message that lost them, so that they say nothing then.
        labels = [str(button["text"]) for button in with_buttons[-1]] if with_buttons else []
        return await self.said() == turn.said and (not turn.offered or labels == turn.offered)

    async def _history(self) -> list[Mapping[str, Any]]:
        told = await self._post("/getUpdatesHistory", {"token": TOKEN})
        mine = str(self._person.id)
        return [m for m in told if str(m.get("message", {}).get("chat_id")) == mine]

    def _buttons(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
        rows = (message["message"].get("reply_markup") or {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]

    async def _post(self, path: str, body: object) -> Any:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()["result"]


def _plain(message: Mapping[str, Any]) -> str:
    text = str(message["text"])
    return html.unescape(re.sub(r"<[^>]*>", "", text)) if "parse_mode" in message else text


@asynccontextmanager
async def independent() -> AsyncIterator[httpx.AsyncClient]:
    """The server, on a port of its own."""
    assert NODE is not None and INSTALLED.is_dir(), "node and `make independent` are needed"
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        NODE, str(HERE / "server.js"), str(INSTALLED.parent), str(port)
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            async with asyncio.timeout(20):
                while True:
                    try:
                        await http.get(f"/bot{TOKEN}/getMe")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
            yield http
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("language", sorted(PLAYED))
@pytest.mark.parametrize("way", sorted(WAYS))
async def test_the_conversation_is_the_same_over_a_server_that_is_not_ours(
    way: str,
    language: str,
    tmp_path: Path,
    index: Path,
    real_rooms: Rooms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Residents.__init__, "__defaults__", defaults())
    person, played = await recorded(tmp_path / "measure", language, real_rooms)
    assert len(played) >= 10
    home = tmp_path / "home"
    database(home)
    shutil.copytree(index, home / "examples")
    async with independent() as http:
        coach = WAYS[way](home, str(http.base_url).rstrip("/"), TOKEN, "tests.proof.unhurried")
        coach.set(**CARE)
        await coach.start()
        client = Client(http, person)
        try:
            if way == "webhook":
                await coach.rests()
            for number, turn in enumerate(played):
                for kind, what in turn.did:
                    await client.does(kind, what)
                try:
                    async with asyncio.timeout(PATIENCE):
                        while not await client.shows(turn):  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                except TimeoutError:
                    assert await client.said() == turn.said
                    raise AssertionError(f"turn {number + 1}: {turn.did}") from None
        finally:
            await coach.kill()
        assert "Traceback" not in coach.told(), coach.told()

"""A dialogue played twice: beside the bot in one process, and over HTTP with the real program.

The first playing is the measure: after each thing a person did, the second chat must come to show
exactly what the first one showed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.console.botapi import BotApi
from bot.console.chats import Entry
from bot.console.people import Person
from bot.usecases.ports import Reader, Retriever, Screener
from tests.conversations.playing import TOKEN, CoachTurn, PlayedParts, Stage
from tests.conversations.script import ACTIONS, Dialogue
from tests.counterpart.server import HttpBotApi
from tests.fakes import FixedClock

Rooms = tuple[Reader, Screener, Retriever]
Shown = tuple[object, ...]

CARE = {
    "COACH_CARE_CALL": "555 0100",
    "COACH_CARE_TEXT": "555 0101",
    "COACH_CARE_PERSON": "Marta, at the hall",
}
"""What PlayedParts has, for a program's environment."""

PATIENCE = 20.0
"""Longest wait for a chat to show what it should."""


@dataclass(frozen=True)
class Turn:
    """What stood in the chat after one thing a person did."""

    shown: tuple[Shown, ...]
    language: str
    open_labels: tuple[tuple[str, ...], ...]


def shown(api: BotApi, person: Person) -> tuple[Shown, ...]:
    """A chat as a person sees it, with what differs from run to run taken out."""
    return tuple(_plain(entry) for entry in api.transcript(person))


def _plain(entry: Entry) -> Shown:
    content = _steady(_without_ids((entry.content or b"").decode()))
    styled = tuple(tuple(sorted(e.items())) for e in entry.entities)
    return entry.who, _steady(entry.text), entry.buttons, entry.document, content, styled


def _without_ids(file: str) -> str:
    """A file without the numbers Telegram gave the person's messages."""
    if not file.startswith("{"):
        return file
    held = json.loads(file)
    held["session"]["notes"].pop("sent", None)
    return json.dumps(held, indent=1)


CHANGING = re.compile(r"\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\d([T ][\d:.]+( UTC|Z|[+]00:00)?)?")
"""Opaque ids, and what the clock says."""


def _steady(text: str) -> str:
    return CHANGING.sub("…", text)


@dataclass
class Measure(Stage):
    """The bot in this process; `told` is what it came to show, turn by turn."""

    told: list[Turn] = field(default_factory=list)

    async def after(self, did: str, *, typed: str = "", is_answer: bool = False) -> CoachTurn:
        turn = await super().after(did, typed=typed, is_answer=is_answer)
        self.told.append(Turn(shown(self.api, self.person), turn.language, turn.open_labels))
        return turn


@dataclass
class Apart(Stage):
    """The program elsewhere; this side knows only what a person sees."""

    measure: Sequence[Turn] = ()
    troubles: Mapping[int, Any] = field(default_factory=dict)

    async def after(self, did: str, *, typed: str = "", is_answer: bool = False) -> CoachTurn:
        number = len(self.turns)
        meant = self.measure[number]
        try:
            async with asyncio.timeout(PATIENCE):
                while shown(self.api, self.person) != meant.shown:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(self._difference(number, did, typed)) from None
        turn = CoachTurn(
            number + 1, did, [], [], self.open_labels(), None, meant.language, typed, is_answer
        )
        self.turns.append(turn)
        if number in self.troubles:
            self.troubles[number]()
        return turn

    def _difference(self, number: int, did: str, typed: str) -> str:
        meant, seen = self.measure[number].shown, shown(self.api, self.person)
        same = 0
        while same < min(len(meant), len(seen)) and meant[same] == seen[same]:
            same += 1
        lines = [f"turn {number + 1} ({did} {typed[:60]!r}): the chats differ from message {same}"]
        lines += [f"  meant: {str(entry)[:400]}" for entry in meant[same:]]
        lines += [f"  shown: {str(entry)[:400]}" for entry in seen[same:]]
        return "\n".join(lines)


def _parts(home: Path, rooms: Rooms) -> PlayedParts:
    home.mkdir(parents=True, exist_ok=True)
    return PlayedParts(home, FixedClock(datetime.now(UTC)), *rooms)


async def _play(stage: Stage, steps: Sequence[Mapping[str, Any]]) -> None:
    for step in steps:
        action = next(k for k in step if k in ACTIONS)
        await ACTIONS[action](stage, step[action])


async def measured(
    home: Path, name: str, dialogue: Dialogue, rooms: Rooms, more: Sequence[Mapping[str, Any]]
) -> list[Turn]:
    """Play a dialogue, and a few steps more, beside the bot."""
    parts = _parts(home, rooms)
    api = BotApi(token=TOKEN)
    stage = Measure(home, parts, api, api.person(name, dialogue.language))
    await stage.start()
    try:
        await _play(stage, [*dialogue.steps, *more])
    finally:
        await stage.stop()
    return stage.told


async def played_apart(
    api: HttpBotApi,
    home: Path,
    name: str,
    dialogue: Dialogue,
    rooms: Rooms,
    more: Sequence[Mapping[str, Any]],
    measure: Sequence[Turn],
    troubles: Mapping[int, Any],
) -> Apart:
    """Play it as a person of the counterpart, whose bot runs elsewhere."""
    person = api.person(name, dialogue.language)
    stage = Apart(home, _parts(home, rooms), api, person, measure=measure, troubles=troubles)
    await _play(stage, [*dialogue.steps, *more])
    return stage

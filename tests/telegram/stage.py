"""The real bot on a real database, over the in-process Bot API, with scripted hearing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe

from telegram.request import BaseRequest

from bot.console.botapi import BotApi
from bot.console.chats import Entry
from bot.console.people import Person
from bot.console.request import InProcessRequest
from bot.core.narrative import StoryOf
from bot.core.report import Report
from bot.core.story import Folder
from bot.drawing.bars import png
from bot.exporting.archive import Archives
from bot.exporting.report_page import report_html
from bot.store.database import SqlStore, open_store
from bot.telegram.app import TelegramCoach
from bot.telegram.limits import Figures
from bot.usecases.desk.reviewing_screens import Staffed
from bot.usecases.exporting import Exporting
from bot.usecases.groups import Telegram
from bot.usecases.organized import Organized, organize
from bot.usecases.ports import Retriever, Screener, Store
from bot.usecases.residents import Residents
from bot.words.practice import load_library
from tests.databases import database, on_disk
from tests.fakes import (
    A_TUESDAY,
    FixedClock,
    ScriptedScreener,
    SteadyReader,
    catalogue,
    corpus_retriever,
)

__all__ = ["Stage", "buttons", "database", "eventually", "on_disk", "running"]

SECONDS = 20.0
"""Longest wait for the bot to come to rest; only a bot that hangs takes that long."""


@dataclass
class Stage:
    """A running bot and what stands around it."""

    home: Path
    api: BotApi
    store: SqlStore
    coach: TelegramCoach
    reader: SteadyReader
    screener: ScriptedScreener
    clock: FixedClock
    seen: dict[int, int] = field(default_factory=dict)

    def person(self, name: str = "Ana", language: str | None = "en") -> Person:
        """Somebody with a Telegram client."""
        return self.api.person(name, language)

    async def settled(self) -> None:
        """Wait until the bot has kept, handled and answered everything."""
        async with asyncio.timeout(SECONDS):
            await self.api.updates.confirmed()
            await self.coach.idle()

    def entries(self, person: Person) -> list[Entry]:
        """What the bot wrote to a person since this was last asked."""
        entries = [e for e in self.api.transcript(person) if e.who == "bot"]
        fresh = [e for e in entries if e.message_id > self.seen.get(person.id, 0)]
        if fresh:
            self.seen[person.id] = fresh[-1].message_id
        return fresh

    async def says(self, person: Person, text: str) -> list[str]:
        """Type a message; the bot's answers."""
        person.says(text)
        await self.settled()
        return [e.text for e in self.entries(person)]

    async def presses(self, person: Person, button: int | str) -> list[str]:
        """Press a button of the last keyboard; the bot's answers."""
        person.presses(button)
        await self.settled()
        return [e.text for e in self.entries(person)]

    async def joins(self, person: Person) -> None:
        """From hello to the first question."""
        await self.says(person, "/start")
        for button in ("Yes, in English", "18 or older", "Yes, begin"):
            await self.presses(person, button)

    async def tells(self, person: Person, *pieces: str) -> None:
        """Join, skip the sketches, and type pieces of a story of self."""
        await self.joins(person)
        for _ in StoryOf:
            await self.presses(person, "Skip")
        for piece in pieces:
            await self.says(person, piece)

    async def folder(self, person: Person) -> Folder | None:
        """What is held about a person."""
        async with self.store.work() as work:
            return await work.folders.by_chat(person.id)

    async def typed(self, person: Person, stage: StoryOf = StoryOf.SELF) -> str:
        """Everything kept of one part: what was told and what is not finished."""
        folder = await self.folder(person)
        assert folder is not None and folder.story is not None
        part = folder.story.parts[stage]
        return "\n".join([*([part.text] if part.text else []), *part.pieces])

    async def counts(self) -> dict[str, int]:
        """How many updates wait, are done, are set aside."""
        async with self.store.work() as work:
            return dict(await work.inbox.counts())


def _page(report: Report, language: str) -> str:
    return report_html(report, A_TUESDAY, language, lambda x: catalogue().text(x, language))


def _new_token() -> str:
    return token_urlsafe(18)


@asynccontextmanager
async def running(
    home: Path,
    *,
    api: BotApi | None = None,
    around: Callable[[Store], Store] = lambda store: store,
    screener: Screener | None = None,
    retriever: Retriever | None = None,
    reader: SteadyReader | None = None,
    clock: FixedClock | None = None,
    request: Callable[[BotApi], BaseRequest] = InProcessRequest,
    with_desk: bool = False,
    figures: Figures | None = None,
) -> AsyncIterator[Stage]:
    """The bot on the data directory `home`, started; stopped at the end.

    With a desk for organizers only when asked: loading practice prompts takes a moment.
    """
    store = await open_store(database(home))
    assert isinstance(store, SqlStore)
    api = api or BotApi(home / "console.json")
    clock = clock or FixedClock()
    reader, scripted = reader or SteadyReader(), ScriptedScreener()
    numbers = itertools.count(1)
    residents = Residents(
        around(store),
        reader,
        screener or scripted,
        retriever or corpus_retriever(),
        catalogue(),
        clock,
        lambda: f"id-{clock.now():%H%M%S%f}-{next(numbers)}-{home.name}",
    )

    def new_id() -> str:
        return f"{next(numbers):032x}"

    exporting = Exporting(store, Archives(catalogue().text), clock, new_id)
    staffed = Staffed(reader, exporting, home / "exports", _page, clock)

    def organized(telegram: Telegram, wake: Callable[[], None]) -> Organized:
        library = load_library(catalogue().languages)
        kept = around(store)
        return organize(
            kept, library, catalogue(), clock, new_id, _new_token, telegram, wake, staffed
        )

    coach = TelegramCoach(
        around(store), residents, catalogue(), clock, api.token,
        request=request(api), updates_request=InProcessRequest(api),
        organized=organized if with_desk else None,
        figures=figures,
        files=exporting.content,
        draw=png,
    )  # fmt: skip
    try:
        await coach.start()
        yield Stage(home, api, store, coach, reader, scripted, clock)
    finally:
        await coach.stop()
        await store.close()


async def eventually(claim: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until the claim is true."""
    async with asyncio.timeout(seconds):
        while True:
            if claim():
                return
            await asyncio.sleep(0.01)


def buttons(entries: Sequence[Entry]) -> list[str]:
    """Labels of the buttons under the last message that has any."""
    for entry in reversed(entries):
        if entry.buttons:
            return [label for row in entry.buttons for label in row]
    return []

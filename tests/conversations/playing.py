"""Plays a person's part against the real bot: python-telegram-bot, SQLite, the in-process Bot API.

Only the clock is fixed, and, where a dialogue says so, what the reader and the screener hear.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.console.botapi import BotApi
from bot.console.chats import Entry
from bot.console.people import Group, Person, buttons_of
from bot.console.request import InProcessRequest
from bot.core.story import Folder
from bot.core.turn import Choice, Line
from bot.settings import Settings
from bot.store.database import open_store
from bot.telegram.app import TelegramCoach
from bot.usecases.ports import Reader, Retriever, Screener, Store
from bot.wiring import Parts, care_lines, telegram_coach
from bot.words.catalogue import Catalogue
from tests.databases import database_files, kept, left
from tests.fakes import FixedClock

TOKEN = "1:conversations"


class ListeningCatalogue(Catalogue):
    """The real words, noting each line as it is put into a message."""

    def __init__(self, constants: dict[str, dict[str, str]]) -> None:
        super().__init__(constants=constants)
        self.noted: list[Line] = []

    def markup(self, line: Line, language: str) -> str:
        self.noted.append(line)
        return super().markup(line, language)


class PlayedParts(Parts):
    """The program's own parts, with the clock fixed and the given reader, screener, examples."""

    def __init__(
        self,
        home: Path,
        clock: FixedClock,
        reader: Reader,
        screener: Screener,
        search: Retriever,
        model: str | None = None,
    ) -> None:
        super().__init__(
            Settings(
                _env_file=None,  # type: ignore[call-arg]
                coach_home=home,
                openai_base_url=model,
                coach_care_call="555 0100",
                coach_care_text="555 0101",
                coach_care_person="Marta, at the hall",
            )
        )
        self.clock = clock  # type: ignore[assignment]
        plain = Catalogue()
        constants = {c: {"care_lines": care_lines(self.settings, plain, c)} for c in ("en", "es")}
        # Set on the instance, these stand in place of the cached properties.
        self.__dict__.update(
            words=ListeningCatalogue(constants), reader=reader, screener=screener, retriever=search
        )


@dataclass
class CoachTurn:
    """What the coach did after one thing the person did.

    `lines` are what the messages were made of; `open_labels` the buttons a person sees now, row
    by row; `folder` all that is held now, None when nothing is; `in_group` what the group was told.
    """

    number: int
    did: str
    entries: list[Entry]
    lines: list[Line]
    open_labels: tuple[tuple[str, ...], ...]
    folder: Folder | None
    language: str
    typed: str = ""
    is_answer: bool = False
    in_group: list[Entry] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All messages of the turn, one below another."""
        return "\n".join(e.text for e in self.entries)


@dataclass
class Stage:
    """One person, one bot, one database; `turns` is everything that happened."""

    home: Path
    parts: PlayedParts
    api: BotApi
    person: Person
    turns: list[CoachTurn] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    typed_before_consent: list[str] = field(default_factory=list)
    group: Group | None = None
    _coach: TelegramCoach | None = None
    _opened: AbstractAsyncContextManager[TelegramCoach] | None = None
    _reading: Store | None = None

    @property
    def words(self) -> ListeningCatalogue:
        words = self.parts.words
        assert isinstance(words, ListeningCatalogue)
        return words

    async def start(self) -> None:
        """Start the program on the data directory."""
        request, fetching = InProcessRequest(self.api), InProcessRequest(self.api)
        self._opened = telegram_coach(self.parts, TOKEN, request, fetching)
        self._coach = await self._opened.__aenter__()
        self._reading = await open_store(self.parts.settings.database)
        await self._coach.start()

    async def stop(self) -> None:
        """Stop it as an operator would."""
        assert self._coach is not None and self._opened is not None
        await self._coach.stop()
        await self._opened.__aexit__(None, None, None)
        await self._close_reading()

    async def kill(self) -> None:
        """Cut every task of the program off where it stands."""
        assert self._opened is not None
        own = asyncio.current_task()
        await self._close_reading()
        tasks = [t for t in asyncio.all_tasks() if t is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._opened.__aexit__(None, None, None)
        await self._close_reading()

    async def _close_reading(self) -> None:
        if self._reading is not None:
            await self._reading.close()
        self._reading = None

    async def after(self, did: str, *, typed: str = "", is_answer: bool = False) -> CoachTurn:
        """Wait for the bot to finish, and gather what it said since."""
        assert self._coach is not None
        async with asyncio.timeout(60):
            await self.api.updates.confirmed()
            await self._coach.idle()
        folder = await self.folder()
        language = (folder and folder.resident.language) or self.person.language_code or "en"
        if language not in self.words.languages:
            language = self.words.languages[0]
        turn = CoachTurn(
            len(self.turns) + 1,
            did,
            self._new_entries(),
            list(self.words.noted),
            self.open_labels(),
            folder,
            language,
            typed,
            is_answer,
            self._new_in_group(),
        )
        self.words.noted.clear()
        self.turns.append(turn)
        return turn

    def _new_entries(self) -> list[Entry]:
        said = [e for e in self.api.transcript(self.person) if e.who == "bot"]
        fresh = [e for e in said if self._changed(e)]
        self._seen.update({e.message_id: (e.text, e.buttons) for e in said})
        return fresh

    def _new_in_group(self) -> list[Entry]:
        if self.group is None:
            return []
        said = [e for e in self.api.transcript(self.group) if e.who == "bot"]
        fresh = [e for e in said if self._seen_in_group.get(e.message_id) != e.text]
        self._seen_in_group.update({e.message_id: e.text for e in said})
        return fresh

    def _changed(self, entry: Entry) -> bool:
        """New, or edited; losing its buttons to a later message is no change."""
        text, buttons = self._seen.get(entry.message_id, (None, ()))
        return entry.text != text or bool(entry.buttons and entry.buttons != buttons)

    def __post_init__(self) -> None:
        self._seen: dict[int, tuple[str, tuple[tuple[str, ...], ...]]] = {}
        self._seen_in_group: dict[int, str] = {}

    def open_labels(self) -> tuple[tuple[str, ...], ...]:
        """Labels of the buttons that can be pressed now."""
        shown = self.person.chat.last_keyboard()
        return tuple(tuple(str(b["text"]) for b in row) for row in shown.rows()) if shown else ()

    def press(self, label: str) -> None:
        """Press a button by its label, whether or not its box is ticked."""
        buttons = buttons_of(self.person.chat.last_keyboard())
        shown = [str(b["text"]) for b in buttons]
        found = [t for t in shown if t == label or re.sub(r"^[☑☐] ", "", t) == label]
        assert found, f"no button “{label}”; there are {shown}"
        self.person.presses(found[0])

    def old_button(self, label: str) -> tuple[int, str] | None:
        """A button shown earlier, as its message and data, though it is gone by now."""
        return self._old.get(label)

    _old: dict[str, tuple[int, str]] = field(default_factory=dict)

    def remember_buttons(self) -> None:
        """Keep the open buttons, to press them when they are stale."""
        shown = self.person.chat.last_keyboard()
        for button in buttons_of(shown):
            assert shown is not None
            self._old[str(button["text"])] = (shown.id, str(button["callback_data"]))

    async def folder(self) -> Folder | None:
        """All that is held about the person, as the database has it."""
        assert self._reading is not None
        async with self._reading.work() as work:
            return await work.folders.by_chat(self.person.id)

    def database_bytes(self) -> bytes:
        """Every byte of the database's files, SQLite's write-ahead log among them."""
        return b"".join(database_files(self.home).values())

    def is_kept(self, words: str) -> bool:
        """Whether the database holds these words, its log aside."""
        return words.encode() in kept(self.home)

    def left_in(self, words: str) -> list[str]:
        """Where in the database these words still stand, its log included."""
        return [name for name, held in left(self.home).items() if words.encode() in held]

    def choice_label(self, choice: str, language: str) -> str:
        """A plain button's label."""
        return self.words.label(Choice(choice, f"choices.{choice}"), language)


@asynccontextmanager
async def opened(
    home: Path,
    reader: Reader,
    screener: Screener,
    search: Retriever,
    language: str,
    model: str | None = None,
) -> AsyncIterator[Stage]:
    """A stage with the program running, stopped afterwards; `model` is a server's address."""
    clock = FixedClock()
    parts = PlayedParts(home, clock, reader, screener, search, model)
    api = BotApi(home / "console.json", token=TOKEN, now=lambda: clock.now().timestamp())
    stage = Stage(home, parts, api, api.person("ana", language))
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()

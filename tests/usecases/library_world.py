"""Tellers with released stories, and staff with their rights, on a real database."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.core.consent import AgeBand, NameShown, Participation, Purpose, Release, text_hash
from bot.core.narrative import StoryOf
from bot.core.story import Folder, Identity, Origin, Resident, Session, Story, StoryStatus
from bot.store.database import SqlStore, open_store
from bot.usecases.outgoing import move_of
from bot.usecases.people import CONSOLE, Actor
from bot.usecases.ports import AuditEntry, Grant, Right
from bot.usecases.reviewing import Reviewing
from tests.fakes import FixedClock
from tests.telegram.stage import database

REVIEWER, APPROVER, EXPORTER, INVITER, ORGANIZER = 501, 502, 503, 504, 505
NOBODY = 599
HOLDERS: dict[int, frozenset[Right]] = {
    REVIEWER: frozenset({"review"}),
    APPROVER: frozenset({"review", "approve"}),
    EXPORTER: frozenset({"export"}),
    INVITER: frozenset({"invite"}),
    ORGANIZER: frozenset({"organize"}),
}
CHALLENGE = "In January the boiler died and I heard coughing through the wall."
CHOICE = "My hand was on my own door; I turned and knocked on hers."
OUTCOME = "By nine, six of us were cooking there."


@dataclass
class World:
    """A store with people around it; `clock` stands still until told."""

    home: Path
    store: SqlStore
    clock: FixedClock
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.reviewing = Reviewing(self.store, self.clock)

    def new_id(self) -> str:
        return f"{next(self.numbers):032x}"

    async def grant(self, telegram_id: int, rights: frozenset[Right]) -> None:
        async with self.store.work() as work:
            await work.roles.grant(Grant(telegram_id, rights, self.clock.now(), CONSOLE))
            await work.commit()

    def folder(self, language: str = "en") -> Folder:
        """An adult who takes part, not saved yet."""
        now, number = self.clock.now(), 1000 + next(self.numbers)
        resident = Resident(self.new_id(), now, now, language, AgeBand.ADULT)
        resident.participation = Participation("2026-11", language, now)
        return Folder(resident, Identity(number, number, f"Teller {number}"), Session("done"))

    async def teller(
        self,
        *purposes: Purpose,
        words: str = f"{CHALLENGE} {CHOICE} {OUTCOME}",
        us: str = "",
        language: str = "en",
        name: str = "",
        days: int = 365,
        interpretation: dict[str, str] | None = None,
    ) -> Folder:
        """Somebody with one story told and released for the purposes, saved."""
        folder = self.folder(language)
        story = self.told(folder, words, us)
        story.interpretation = interpretation or {}
        self.release(folder, story, purposes or (Purpose.PUBLIC_LIBRARY,), name, days)
        await self.save(folder)
        return folder

    def told(self, folder: Folder, words: str, us: str = "") -> Story:
        """A story of the folder, not released."""
        story = Story(self.new_id(), folder.resident.language or "en", self.clock.now())
        story.parts[StoryOf.SELF].tell(words, Origin.TOLD, self.clock.now())
        if us:
            story.parts[StoryOf.US].tell(us, Origin.TOLD, self.clock.now())
        folder.stories.append(story)
        folder.session.story_id = story.id
        return story

    def release(
        self,
        folder: Folder,
        story: Story,
        purposes: Sequence[Purpose],
        name: str = "",
        days: int = 365,
    ) -> Release:
        """As the conversation does it."""
        now = self.clock.now()
        story.void_releases(now, "replaced")
        text = story.whole()
        made = Release(
            self.new_id(),
            text,
            text_hash(text),
            frozenset(purposes),
            NameShown.CHOSEN if name else NameShown.NONE,
            name,
            "2026-11",
            story.language,
            now,
            now + timedelta(days=days),
        )
        story.releases.append(made)
        story.status, story.submitted_at = StoryStatus.SUBMITTED, now
        return made

    async def save(self, folder: Folder) -> None:
        async with self.store.work() as work:
            await work.folders.save(folder)
            await work.commit()

    async def approve(
        self, folder: Folder, actor: Actor = APPROVER, labels: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Claim and approve a teller's last story as it stands."""
        story_id = folder.stories[-1].id
        await self.reviewing.claim(actor, story_id)
        seen = (await self.reviewing.sheet(actor, story_id)).text_sha256
        await self.reviewing.approve(actor, story_id, seen, labels)

    async def told_to(self, folder: Folder) -> list[str]:
        """Message keys that wait for a teller, in order."""
        async with self.store.work() as work:
            waiting = await work.outbox.waiting()
        return [
            line.key
            for item in waiting
            if item.chat_id == folder.identity.chat_id
            for line in move_of(item.body).lines  # type: ignore[union-attr]
        ]

    async def trail(self) -> list[AuditEntry]:
        async with self.store.work() as work:
            return [entry async for entry in work.audit.entries()]


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    """A migrated database with staff in it."""
    store = await open_store(database(home))
    assert isinstance(store, SqlStore)
    made = World(home, store, FixedClock())
    for telegram_id, rights in HOLDERS.items():
        await made.grant(telegram_id, rights)
    yield made
    await store.close()

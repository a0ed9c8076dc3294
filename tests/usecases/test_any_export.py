"""Under any sequence of acts, an export holds exactly what is released for it and approved."""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.consent import Purpose
from bot.core.library import Format, Profile
from bot.core.narrative import StoryOf
from bot.core.review import ReviewRefused
from bot.core.story import Folder, Origin
from bot.exporting.archive import Archives
from bot.exporting.home import Home
from bot.usecases.exporting import Exporting
from bot.usecases.library import Librarian
from bot.usecases.library_ports import ExportRecord
from bot.usecases.people import CONSOLE
from bot.usecases.staff import Staff
from tests.fakes import catalogue
from tests.usecases.library_world import APPROVER, REVIEWER, World, world
from tests.usecases.test_library import Index

USES = (Purpose.PUBLIC_LIBRARY, Purpose.PARTNER_LIBRARY, Purpose.ORGANIZERS, Purpose.PRESS)
TELLERS = 2

one_teller = st.integers(0, TELLERS - 1)
MEDDLING = st.one_of(
    st.tuples(st.just("edit"), one_teller),
    st.tuples(st.just("revoke"), one_teller),
    st.tuples(st.just("withdraw"), one_teller),
    st.tuples(st.just("forget"), one_teller),
)
ACTS = st.one_of(
    MEDDLING,
    st.tuples(st.just("release"), one_teller, st.frozensets(st.sampled_from(USES), min_size=1)),
    st.tuples(st.just("release_and_approve"), one_teller, st.frozensets(st.sampled_from(USES))),
    st.tuples(st.just("approve"), one_teller),
    st.tuples(st.just("return"), one_teller),
    st.tuples(st.just("wait"), st.integers(1, 250)),
    st.tuples(st.just("export"), st.sampled_from(Profile), st.none() | MEDDLING),
    st.tuples(st.just("export"), st.sampled_from(Profile), st.none() | MEDDLING),
)


@dataclass
class Held:
    """What we believe of one teller, kept apart from the program under test."""

    text: str = ""
    purposes: frozenset[Purpose] = frozenset()
    until: datetime | None = None
    is_approved: bool = False
    is_returned: bool = False
    gone: list[str] = field(default_factory=list)

    def ends(self) -> None:
        self.purposes, self.until = frozenset(), None
        self.is_approved = self.is_returned = False


class Meddling(Exporting):
    """An export during which something happens, once, before or after it is sealed."""

    meddle: Callable[[], Awaitable[None]] | None = None

    async def _sealed(self, record: ExportRecord) -> bool:
        await self._once()
        return await super()._sealed(record)

    async def _once(self) -> None:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            await meddle()


class Late(Meddling):
    """The same, between the file's name and its being noted."""

    async def _sealed(self, record: ExportRecord) -> bool:
        return await Exporting._sealed(self, record)

    async def _noted(self, record: ExportRecord) -> bool:
        await self._once()
        return await super()._noted(record)


class Life:
    """Two tellers, staff, and everything that may happen."""

    def __init__(self, house: World) -> None:
        self.house = house
        self.folders: list[Folder] = [house.folder() for _ in range(TELLERS)]
        self.held = [Held() for _ in range(TELLERS)]
        self.number = 0

    async def act(self, act: tuple[object, ...]) -> None:
        name, *given = act
        await getattr(self, f"do_{name}")(*given)

    async def folder(self, who: int) -> Folder:
        chat = self.folders[who].identity.chat_id
        async with self.house.store.work() as work:
            found = await work.folders.by_chat(chat)
        self.folders[who] = found or self.house.folder()
        if found is None:
            self.folders[who].identity = type(self.folders[who].identity)(chat, chat, "A teller")
        return self.folders[who]

    async def do_edit(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        self.number += 1
        text = f"Version {self.number} of what happened on the stairs."
        if folder.story is None:
            self.house.told(folder, text)
        else:
            folder.story.parts[StoryOf.SELF].tell(text, Origin.EDITED, self.house.clock.now())
            folder.story.void_releases(self.house.clock.now(), "edited")
        await self.house.save(folder)
        held.text = text
        held.ends()

    async def do_release(self, who: int, purposes: frozenset[Purpose]) -> None:
        if not self.held[who].text:
            await self.do_edit(who)
        folder, held = await self.folder(who), self.held[who]
        assert folder.story is not None
        made = self.house.release(folder, folder.story, sorted(purposes), days=400)
        await self.house.save(folder)
        held.ends()
        held.purposes, held.until = purposes, made.expires_at

    async def do_release_and_approve(self, who: int, purposes: frozenset[Purpose]) -> None:
        await self.do_release(who, purposes | {Purpose.PUBLIC_LIBRARY})
        await self.do_approve(who)

    async def do_approve(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        if folder.story is None:
            return
        with suppress(ReviewRefused):
            await self.house.approve(folder, APPROVER)
            held.is_approved = True

    async def do_return(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        if folder.story is None:
            return
        verbs, story = self.house.reviewing, folder.story.id
        with suppress(ReviewRefused):
            await verbs.claim(REVIEWER, story)
            seen = (await verbs.sheet(REVIEWER, story)).text_sha256
            await verbs.return_(REVIEWER, story, seen, "consent_unclear", "For whom is it?")
            held.is_returned = True

    async def do_revoke(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        if folder.story is not None:
            folder.story.void_releases(self.house.clock.now(), "revoked")
            await self.house.save(folder)
        held.ends()

    async def do_withdraw(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        if folder.story is not None:
            staff = Staff(self.house.store, catalogue(), self.house.clock, self.house.new_id)
            await staff.withdraw(folder.story.id)
        self._is_gone(held)

    async def do_forget(self, who: int) -> None:
        folder, held = await self.folder(who), self.held[who]
        async with self.house.store.work() as work:
            await work.folders.erase(folder.resident.id, self.house.clock.now())
            await work.commit()
        self._is_gone(held)

    def _is_gone(self, held: Held) -> None:
        if held.text:
            held.gone.append(held.text)
        held.text = ""
        held.ends()

    async def do_wait(self, days: int) -> None:
        self.house.clock.passes(days=days)

    async def do_export(self, profile: Profile, meddling: tuple[object, ...] | None) -> None:
        """The file holds what our own account says, as it is once the export is done."""
        out = self.house.home / "exports"
        for kind in (Meddling, Late) if meddling else (Exporting,):
            exporting = kind(
                self.house.store, Archives(catalogue().text), self.house.clock, self.house.new_id
            )
            if meddling is not None:
                assert isinstance(exporting, Meddling)
                exporting.meddle = lambda: self.act(meddling)
            done = await exporting.export(CONSOLE, profile, [Format.JSONL], out)
            assert self.texts(done.path) == self.permitted(profile.purpose)

    def permitted(self, purpose: Purpose) -> set[str]:
        now = self.house.clock.now()
        return {
            h.text
            for h in self.held
            if purpose in h.purposes and h.is_approved and h.until is not None and now < h.until
        }

    @staticmethod
    def texts(path: Path) -> set[str]:
        with zipfile.ZipFile(path) as held:
            lines = held.read("stories.jsonl").decode().splitlines()
        return {json.loads(line)["text"] for line in lines}

    async def ends(self) -> None:
        """Whatever was withdrawn is in no export that is still ours."""
        await Librarian(self.house.store, self.house.clock, Index(), Home(self.house.home)).finish()
        gone = {text for held in self.held for text in held.gone}
        for path in (self.house.home / "exports").glob("*.zip"):
            assert not self.texts(path) & gone
        assert not list((self.house.home / "exports").glob(".*"))


async def _live(acts: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as house:
            life = Life(house)
            for act in acts:
                await life.act(act)
            await life.ends()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(st.lists(ACTS, min_size=3, max_size=14))
def test_no_export_ever_holds_a_text_without_its_live_release_and_approval(
    acts: list[tuple[object, ...]],
) -> None:
    asyncio.run(_live(acts))

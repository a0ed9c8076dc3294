"""The library kept: found by staff, told to tellers, in step with index and files, erased for good.

What a transaction cannot do itself (the example index, exported files, free pages) it leaves as
a pending erasure; `Librarian.finish` does it, step by step, as often as it is interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from bot.core.consent import Offer, Purpose
from bot.core.library import LibraryEntry, Place, Wanted
from bot.core.quoting import quotation
from bot.core.review import ReviewState
from bot.core.story import Story, StoryStatus
from bot.core.turn import Line
from bot.usecases.library_ports import (
    FILES_AT,
    DataFolder,
    Examples,
    HomeFiles,
    News,
    PendingErasure,
)
from bot.usecases.people import Actor
from bot.usecases.ports import (
    Clock,
    Conflict,
    Receipt,
    RetrievalUnavailable,
    Store,
    StoreUnavailable,
    UnitOfWork,
)
from bot.usecases.reviewing import begins, require_any, tell

log = logging.getLogger(__name__)

PAGE = 200


@dataclass(frozen=True)
class Been:
    """Where one story of a teller stands and has been. `note` is the latest return's.

    `uses` are the live release's; `can_ask_second` while another reader may be asked for; `offer`
    is what organizers may post now.
    """

    story_id: str
    quote: str
    uses: tuple[Purpose, ...]
    state: ReviewState | None
    places: tuple[Place, ...]
    note: str = ""
    can_ask_second: bool = False
    offer: Offer | None = None


class Library:
    """Approved stories for staff, and for each teller where theirs have been."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Everything is passed in; wiring chooses."""
        self._store, self._clock = store, clock

    async def find(self, actor: Actor, wanted: Wanted, limit: int = 100) -> list[LibraryEntry]:
        """Approved stories as they are permitted now. Raises NotAllowed.

        With `wanted.purpose`, only those whose release covers it.
        """
        now = self._clock.now()
        found: list[LibraryEntry] = []
        after = ""
        async with self._store.work() as work:
            await require_any(work, actor, "review", "approve", "export")
            while len(found) < limit:
                page = await work.library.entries(now, wanted, after, PAGE)
                if not page:
                    break
                after = page[-1].release.id
                found += [e for e in page if wanted.accepts(e) and _is_whole(e, now)]
        return found[:limit]

    async def where(self, chat_id: int) -> list[Been]:
        """Where the stories of whoever writes in this chat stand and have been, oldest first."""
        now = self._clock.now()
        async with self._store.work() as work:
            folder = await work.folders.by_chat(chat_id)
            stories = folder.stories if folder else []
            return [
                await _been(work, story, now)
                for story in stories
                if (story.releases or story.offers) and story.status is not StoryStatus.WITHDRAWN
            ]


ERASING = "erasing"
LEASE = timedelta(seconds=30)
"""After so long without a sign of life another process erases instead."""
PATIENCE = 60.0
"""Seconds to wait for another process that is erasing."""


@dataclass(frozen=True)
class Apart:
    """What a process cannot erase alone.

    `home` is the id of its data folder where other processes have folders of their own, else None.
    `index` while the example index is on a server whose files are not ours.
    """

    home: str | None = None
    index: bool = False


class Librarian:
    """What has to be done beside people's acts; run it again and again. Holds a lock of its own.

    Of several processes one erases at a time, each its own data folder.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        examples: Examples,
        files: HomeFiles,
        apart: Apart | None = None,
    ) -> None:
        """`examples` and `files` are where words may lie beside the database."""
        self._store, self._clock = store, clock
        self._examples, self._files = examples, files
        self._apart = apart or Apart()
        self._finishing = asyncio.Lock()
        self._me = uuid4().hex

    async def finish(self, *, is_asked: bool = True) -> list[Receipt]:
        """Finish every pending erasure; what was erased, free pages of the database last.

        Each finished step is noted, so that a crash repeats at most one. What only others can do
        (another data folder, the files of an index server) stays pending. When another process is
        erasing, whoever `is_asked` for it waits until that is done. Raises what stood in the
        way (RetrievalUnavailable, OSError, StoreUnavailable) after trying all the others.
        """
        async with self._finishing:
            if self._apart.home is None:
                return await self._finish()
            if not await self._to_do():
                return []
            until = asyncio.get_running_loop().time() + PATIENCE
            while not await self._claimed():
                if not is_asked:
                    return []
                if asyncio.get_running_loop().time() > until:
                    raise StoreUnavailable("Another process is still erasing; try again later.")
                await asyncio.sleep(0.2)
            renewing = asyncio.create_task(self._go_on(), name="erasing goes on")
            try:
                return await self._finish()
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                async with self._store.work() as work:
                    await work.leases.release(ERASING, self._me)
                    await work.commit()

    async def _claimed(self) -> bool:
        now = self._clock.now()
        try:
            async with self._store.work() as work:
                is_ours = await work.leases.claim(ERASING, self._me, now, now + LEASE)
                await work.commit()
        except Conflict:
            return False
        return is_ours

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with contextlib.suppress(StoreUnavailable):
                await self._claimed()

    async def _finish(self) -> list[Receipt]:
        receipts: list[Receipt] = []
        clean: list[PendingErasure] = []
        trouble: Exception | None = None
        for one in await self._to_do():
            try:
                receipts += [r for r in await self._steps(one) if r.count]
                clean.append(one)
            except (RetrievalUnavailable, OSError, StoreUnavailable) as error:
                log.warning("an erasure is not finished: %s", type(error).__name__)
                trouble = error
        if any(_has_words(one) and "free_pages" not in one.steps for one in clean):
            receipts += await self._store.scrub(self._clock.now())
        async with self._store.work() as work:
            for one in clean:
                await self._settle(work, one)
            await work.commit()
        if trouble is not None:
            raise trouble
        return receipts

    async def _to_do(self) -> list[PendingErasure]:
        """Erasures of which something is left that this process can do."""
        async with self._store.work() as work:
            pending = await work.library.erasures()
            if self._apart == Apart():
                return pending
            homes = await work.library.homes() if pending else []
        mine = any(home.id == self._apart.home for home in homes)
        return [one for one in pending if self._left(one, mine) or _is_whole_done(one, homes)]

    def _left(self, one: PendingErasure, has_home: bool) -> bool:
        if "free_pages" not in one.steps:
            return True
        return has_home and _has_words(one) and self._files_step not in one.steps

    @property
    def _files_step(self) -> str:
        return "files" if self._apart.home is None else FILES_AT + self._apart.home

    async def _settle(self, work: UnitOfWork, one: PendingErasure) -> None:
        """It is finished, or it waits for what is not ours to do."""
        now = self._clock.now()
        if self._apart == Apart():
            await work.library.finished(one.id, now)
            return
        await work.library.erased(one.id, "free_pages", 0, now)
        (noted,) = [p for p in await work.library.erasures() if p.id == one.id]
        if _is_whole_done(noted, await work.library.homes()):
            await work.library.finished(one.id, now)

    async def _steps(self, pending: PendingErasure) -> list[Receipt]:
        """Index and files, each unless it is done already."""
        receipts = []
        index = "unused" if self._apart.index else "index"
        if pending.in_index and index not in pending.steps:
            count = await self._examples.renew(pending.story_ids)
            receipts.append(await self._done(pending, index, count))
        if _has_words(pending) and self._files_step not in pending.steps:
            count = await self._erase_files(pending)
            receipts.append(await self._done(pending, self._files_step, count))
        return receipts

    async def _erase_files(self, pending: PendingErasure) -> int:
        async with self._store.work() as work:
            held = await work.library.export_paths(pending.story_ids, self._apart.home)
            every = await work.library.export_paths(pending.story_ids)
        paths = [path for _, path in held]
        if self._apart.home is None:
            gone = set(await self._files.erase_exports(paths))
        else:
            gone = set(await self._files.erase_exports(paths, [path for _, path in every]))
        async with self._store.work() as work:
            for export_id, path in held:
                if path in gone:
                    await work.library.file_erased(export_id)
            await work.commit()
        chats = 0
        if pending.chat_sha256 is not None:
            chats = await self._files.erase_chat(pending.resident_sha256, pending.chat_sha256)
        return len(gone) + chats

    async def _done(self, pending: PendingErasure, step: str, count: int) -> Receipt:
        now = self._clock.now()
        async with self._store.work() as work:
            await work.library.erased(pending.id, step, count, now)
            await work.commit()
        if step in ("index", "unused"):
            return Receipt("index" if step == "index" else "index_later", count, now)
        return Receipt("files", count, now)

    async def sweep(self) -> int:
        """Tell tellers what they should hear, and let permissions that ended lapse; how many.

        Each piece of news is one commit with the note that it was told.
        """
        told = 0
        while True:
            now = self._clock.now()
            async with self._store.work() as work:
                news = await work.library.news(now)
            done = [await self._tell(one, now) for one in news]
            told += sum(done)
            if not any(done):
                return told

    async def _tell(self, news: News, now: datetime) -> bool:
        try:
            async with self._store.work() as work:
                found = await work.folders.story(news.story_id)
                if found is None:
                    return False
                folder, story = found[0], next(s for s in found[0].stories if s.id == found[1])
                release = next(r for r in story.releases if r.id == news.release_id)
                words = begins(story, release)
                refs = {"profile": f"review.for.{news.profile}"} if news.profile else {}
                if news.day is not None:
                    words["day"] = f"{news.day:%Y-%m-%d}"
                if news.what == "lapsed":
                    _lapse(story, news.release_id, now)
                    await work.folders.save(folder)
                else:
                    await work.library.told(news, now)
                await tell(work, folder, Line(f"review.told.{news.what}", words, refs))
                await work.commit()
        except Conflict:
            return False  # Somebody acted on the folder meanwhile: the next sweep looks again.
        return True


class Erasing:
    """A store whose scrubbing finishes what is to be erased beside the database first.

    Whoever waits for a scrub before saying that words are gone thereby waits for all of it.
    """

    def __init__(self, store: Store, finish: Callable[[], Awaitable[list[Receipt]]]) -> None:
        """`finish` is the librarian's."""
        self._store, self._finish = store, finish

    def work(self) -> UnitOfWork:
        """See ports.Store."""
        return self._store.work()

    async def scrub(self, at: datetime) -> list[Receipt]:
        """See ports.Store; raises StoreUnavailable also while something cannot be erased."""
        try:
            receipts = await self._finish()
        except (RetrievalUnavailable, OSError) as error:
            raise StoreUnavailable(
                "Something withdrawn could not be erased everywhere yet "
                f"({type(error).__name__}); it is used nowhere, and erasing is tried again."
            ) from None
        if any(r.place == "free_pages" for r in receipts):
            return receipts
        return [*receipts, *await self._store.scrub(at)]

    async def empty_log(self) -> None:
        """See ports.Store."""
        await self._store.empty_log()

    async def close(self) -> None:
        """See ports.Store."""
        await self._store.close()


def _lapse(story: Story, release_id: str, now: datetime) -> None:
    """End one release; a story without another goes back to its teller."""
    story.releases = [r.ended(now, "expired") if r.id == release_id else r for r in story.releases]
    if story.status is StoryStatus.SUBMITTED and story.live_release(now) is None:
        story.status, story.submitted_at = StoryStatus.DRAFT, None


def _is_whole(entry: LibraryEntry, now: datetime) -> bool:
    """Whether the approval still covers the story as it stands, for any use at all."""
    return any(entry.permits(purpose, now) for purpose in entry.release.purposes)


def _has_words(pending: PendingErasure) -> bool:
    """Whether words went with it, and not only the index is out of step."""
    return bool(pending.story_ids or pending.chat_sha256)


def _is_whole_done(pending: PendingErasure, homes: Sequence[DataFolder]) -> bool:
    """Whether nothing of it is left anywhere that we know of."""
    if "free_pages" not in pending.steps:
        return False
    if not _has_words(pending):
        return True
    if pending.in_index and "index" not in pending.steps:
        return False
    return all(FILES_AT + home.id in pending.steps for home in homes)


async def _been(work: UnitOfWork, story: Story, now: datetime) -> Been:
    release = story.live_release(now)
    submission = await work.library.submission(release.id) if release else None
    last = await work.library.last_note(story.id)
    state = None
    if release is not None:
        state = submission.state if submission else ReviewState.WAITING
    is_back = state in (ReviewState.RETURNED, ReviewState.HELD, ReviewState.ESCALATED)
    return Been(
        story.id,
        quotation(story.whole(), 8),
        tuple(p for p in Purpose if release and p in release.purposes),
        state,
        (
            *(Place(what, at, p) for what, at, p in await work.library.places(story.id)),
            *await _in_groups(work, story),
        ),
        last.note if last and state is ReviewState.RETURNED else "",
        is_back,
        story.live_offer(now),
    )


async def _in_groups(work: UnitOfWork, story: Story) -> list[Place]:
    """Where it stands or stood in groups: by its teller's own tap, and through organizers."""
    own = [
        Place("shared", release.released_at)
        for release in story.releases
        if Purpose.GROUP_POST in release.purposes
    ]
    followed = await work.practice.followed(story_id=story.id)
    if not followed:
        return own
    known = await work.practice.targets({f.follow_up.group_id for f in followed})
    titles = {t.group.id: t.group.title for t in known}
    return own + [
        Place(
            f"followed_{each.fate}",
            each.follow_up.posted_at,
            group=titles.get(each.follow_up.group_id, "?"),
        )
        for each in followed
        if each.fate != "failed"
    ]

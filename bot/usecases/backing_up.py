"""Answering for backups, and keeping a restored database from bringing back what was taken back."""

from __future__ import annotations

from collections.abc import Callable

from bot.core.story import StoryStatus
from bot.core.turn import Phrasebook
from bot.usecases.backup_ports import Backup, HoldsErased, Since
from bot.usecases.people import Actor, act, require
from bot.usecases.ports import Clock, Store, UnitOfWork
from bot.usecases.reviewing import who_sha256
from bot.usecases.staff import take_back


class NoSuchBackup(Exception):
    """Nothing was noted; the message is one plain sentence."""


class BackingUp:
    """Which backups there are, and answering for those that hold erased words."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Everything is passed in; wiring chooses."""
        self._store, self._clock = store, clock

    async def all(self, actor: Actor) -> list[Backup]:
        """Every backup that was recorded, newest first. Raises NotAllowed."""
        async with self._store.work() as work:
            await require(work, actor, "export")
            return await work.backups.all()

    async def holding_erased(self, actor: Actor) -> list[HoldsErased]:
        """Backups that hold words erased since, oldest first. Raises NotAllowed."""
        async with self._store.work() as work:
            await require(work, actor, "export")
            return await work.backups.holding_erased()

    async def acknowledge(self, actor: Actor, backup_id: str) -> None:
        """Answer for it: every copy of a backup was destroyed. Raises NotAllowed, NoSuchBackup."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "export")
            if all(b.id != backup_id or b.gone_at for b in await work.backups.all()):
                raise NoSuchBackup(
                    "No backup with that id is left; `coach backup --list` lists them."
                )
            await act(work, actor, "export", "destroyed", backup_id, now)
            await work.backups.gone(backup_id, "acknowledged", now, who_sha256(actor))
            await work.commit()

    async def beyond(self, number: int, counts: Callable[[Backup], bool]) -> list[Backup]:
        """Finished backups, of those that count, beyond the newest `number`."""
        async with self._store.work() as work:
            there = [b for b in await work.backups.all() if b.gone_at is None and counts(b)]
        return [b for b in there if b.state == "done"][number:]

    async def removed(self, backup_id: str) -> None:
        """Its file was deleted because newer ones are kept."""
        async with self._store.work() as work:
            await work.backups.gone(backup_id, "kept_newer", self._clock.now())
            await work.commit()


class Settling:
    """Applies to a restored database what its tellers decided after the backup was made."""

    def __init__(self, book: Phrasebook, new_id: Callable[[], str]) -> None:
        """Everything is passed in; wiring chooses."""
        self._book, self._new_id = book, new_id

    async def settle(self, work: UnitOfWork, since: Since) -> None:
        """Erase, withdraw and end, each as of when it was decided; commits nothing."""
        for resident_id, at in since.residents:
            await work.folders.erase(resident_id, at)
        for story_id, at in since.stories:
            found = await work.folders.story(story_id)
            if found is not None:
                folder, _ = found
                story = next(s for s in folder.stories if s.id == story_id)
                take_back(folder, story, self._book, at, self._new_id)
                await work.folders.save(folder)
        for story_id, release_id, at, because in since.releases:
            found = await work.folders.story(story_id)
            if found is None:
                continue
            folder, _ = found
            story = next(s for s in folder.stories if s.id == story_id)
            ended = [r.ended(at, because) if r.id == release_id else r for r in story.releases]
            offers = [
                o.ended(at, because) if o.release.id == release_id else o for o in story.offers
            ]
            if ended == story.releases and offers == story.offers:
                continue
            story.releases, story.offers = ended, offers
            if story.status is StoryStatus.SUBMITTED and all(r.ended_at for r in story.releases):
                story.status, story.submitted_at = StoryStatus.DRAFT, None
            await work.folders.save(folder)

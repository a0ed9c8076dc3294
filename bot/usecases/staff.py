"""What staff may do on a resident's behalf: erase everything, or withdraw one story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.core.conversation.releasing import emptied
from bot.core.conversation.talk import Talk
from bot.core.story import Folder, Story, StoryStatus
from bot.core.turn import Heard, Phrasebook
from bot.usecases.ports import Clock, Receipt, Store


class Staff:
    """Staff's verbs over the ports."""

    def __init__(
        self, store: Store, book: Phrasebook, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        """Everything is passed in; wiring chooses. The store's scrub erases all there is."""
        self._store, self._book, self._clock, self._new_id = store, book, clock, new_id

    async def find(self, reference: str) -> list[Folder]:
        """Folders that a resident id, Telegram number or name means."""
        async with self._store.work() as work:
            return await work.folders.by_reference(reference)

    async def forget(self, resident_id: str) -> list[Receipt]:
        """Erase everything held about a resident; a receipt per place."""
        now = self._clock.now()
        async with self._store.work() as work:
            receipts = await work.folders.erase(resident_id, now)
            await work.commit()
        # What was promised for later is done now, and its receipt is that of the doing.
        done = [r for r in receipts if r.place not in ("index", "index_later", "files")]
        return [*done, *await self._store.scrub(now)]

    async def withdraw(self, story_id: str) -> list[Receipt] | None:
        """Take every word of a story away; None when there is no such story."""
        now = self._clock.now()
        async with self._store.work() as work:
            found = await work.folders.story(story_id)
            if found is None:
                return None
            folder, _ = found
            story = next(s for s in folder.stories if s.id == story_id)
            if story.status is not StoryStatus.WITHDRAWN:
                take_back(folder, story, self._book, now, self._new_id)
                await work.folders.save(folder)
                await work.commit()
        return await self._store.scrub(now)


def take_back(
    folder: Folder, story: Story, book: Phrasebook, at: datetime, new_id: Callable[[], str]
) -> None:
    """Take every word of a story out of its folder; whoever was telling it is at their stories."""
    is_current = folder.story is story
    emptied(Talk(folder, Heard(), book, at, new_id), story)
    if is_current:
        folder.session.story_id = None
        folder.session.step = "my_stories"

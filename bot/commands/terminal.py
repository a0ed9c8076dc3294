"""What `coach chat` keeps about a person beside the database, and how it is erased."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from bot.core.story import Folder, StoryStatus
from bot.usecases.ports import Clock, Folders, Receipt, Store, StoryRow, UnitOfWork

Leave = Callable[[int], None]
"""Makes the console forget a chat, by its id."""


def received(home: Path, chat_id: int) -> Path:
    """Where files handed to a person in the terminal lie."""
    return home / "received" / str(chat_id)


def erase_files(home: Path, chat_id: int) -> int:
    """Remove the files handed to a person; how many there were. Raises OSError."""
    folder = received(home, chat_id)
    if not folder.is_dir():
        return 0
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return count


class StoreAndTerminal:
    """The store of `coach chat`: erasing a person there erases the terminal's memory as well."""

    def __init__(self, store: Store, home: Path, leave: Leave, clock: Clock) -> None:
        """`leave` makes the console forget a chat."""
        self._store, self._home, self._leave, self._clock = store, home, leave, clock

    def work(self) -> UnitOfWork:
        """A unit of work whose erasure reaches further."""
        work = self._store.work()
        work.folders = FoldersAndFiles(work.folders, self._erase)
        return work

    async def scrub(self, at: datetime) -> list[Receipt]:
        """See ports.Store."""
        return await self._store.scrub(at)

    async def empty_log(self) -> None:
        """See ports.Store."""
        await self._store.empty_log()

    async def close(self) -> None:
        """See ports.Store."""
        await self._store.close()

    def _erase(self, chat_id: int) -> list[Receipt]:
        count = erase_files(self._home, chat_id)
        self._leave(chat_id)
        return [Receipt("files", count, self._clock.now())] if count else []


class FoldersAndFiles:
    """Folders, whose erasure also takes a person's files. Files go first.

    If the database then fails, erasing again finds no files and takes the rest; the other way
    round a crash would leave files behind that nobody remembers.
    """

    def __init__(self, folders: Folders, erase: Callable[[int], list[Receipt]]) -> None:
        self._folders, self._erase = folders, erase

    async def erase(self, resident_id: str, at: datetime) -> list[Receipt]:
        """See ports.Folders; a receipt for files is added when there were any."""
        found = await self._folders.by_reference(resident_id)
        chats = {f.identity.chat_id for f in found if f.resident.id == resident_id}
        files = [receipt for chat in chats for receipt in self._erase(chat)]
        return [*await self._folders.erase(resident_id, at), *files]

    async def by_chat(self, chat_id: int) -> Folder | None:
        """See ports.Folders."""
        return await self._folders.by_chat(chat_id)

    async def by_reference(self, reference: str) -> list[Folder]:
        """See ports.Folders."""
        return await self._folders.by_reference(reference)

    async def save(self, folder: Folder) -> None:
        """See ports.Folders."""
        await self._folders.save(folder)

    def rows(self, status: StoryStatus | None = None) -> AsyncIterator[StoryRow]:
        """See ports.Folders."""
        return self._folders.rows(status)

    async def story(self, story_id: str) -> tuple[Folder, str] | None:
        """See ports.Folders."""
        return await self._folders.story(story_id)

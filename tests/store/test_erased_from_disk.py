"""Erased words stand in no byte of any file of the database."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.narrative import StoryOf
from bot.core.story import Folder, Origin, Story, StoryStatus
from bot.store.database import SqlStore, open_store
from bot.usecases.ports import InboxItem, OutboxItem, StoreUnavailable
from tests.databases import database, database_files
from tests.store.samples import NOW, a_full_folder, a_newcomer, a_story

WORD = "periwinkle"
OTHERS = "marigold"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(database(tmp_path), wait=0.5)
    yield opened
    await opened.close()


def are_held(home: Path, word: str) -> bool:
    """Whether any byte of the database's files holds the word."""
    return any(word.encode() in held for held in database_files(home).values())


def a_wordy_folder(resident_id: str, chat_id: int, word: str) -> Folder:
    """The word in every place where a resident's words are kept, often enough to fill pages."""
    folder = a_full_folder(resident_id, chat_id)
    folder.session.notes["draft"] = word
    for number in range(12):
        story = a_story(f"{resident_id}-w-{number}", words=f"{word} " * 300)
        story.listener = story.link = word
        story.interpretation["about"] = word
        story.kept_passages = (word,)
        for stage in StoryOf:
            story.parts[stage].sketch = word
            story.parts[stage].pieces = [word] * 50
        folder.stories.append(story)
    return folder


async def save(store: SqlStore, folder: Folder) -> None:
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()


async def test_an_erased_residents_words_are_in_no_byte(store: SqlStore, tmp_path: Path) -> None:
    await save(store, a_wordy_folder("r-1", 7001, WORD))
    await save(store, a_wordy_folder("r-2", 7002, OTHERS))
    async with store.work() as work:
        for number in range(40):
            await work.inbox.put(InboxItem(number, 7001, f"{WORD} " * 100, NOW))
            await work.outbox.add([OutboxItem(7001, {"text": WORD * 100})])
        await work.commit()
    assert are_held(tmp_path, WORD), "the test must be able to see the words"
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    (receipt,) = await store.scrub(NOW)
    assert receipt.count > 0
    assert not are_held(tmp_path, WORD)
    assert are_held(tmp_path, "Amina Diallo"), "the other resident stays"
    assert are_held(tmp_path, OTHERS)


async def test_handled_updates_and_sent_messages_are_in_no_byte(
    store: SqlStore, tmp_path: Path
) -> None:
    async with store.work() as work:
        for number in range(60):
            await work.inbox.put(InboxItem(number, 7001, f"{WORD} " * number, NOW))
        ids = await work.outbox.add([OutboxItem(7001, {"text": WORD * n}) for n in range(60)])
        await work.commit()
    async with store.work() as work:
        await work.inbox.done(list(range(60)), NOW)
        for item_id in ids[:30]:
            await work.outbox.sent(item_id, 1)
        for item_id in ids[30:]:
            await work.outbox.failed(item_id, "Forbidden")
        await work.commit()
    await store.scrub(NOW)
    assert not are_held(tmp_path, WORD)


@pytest.mark.parametrize("way", ["removed", "emptied", "replaced"])
async def test_a_withdrawn_storys_words_are_in_no_byte(
    store: SqlStore, tmp_path: Path, way: str
) -> None:
    folder = a_newcomer()
    folder.stories = [a_story("s-0", words=f"{OTHERS} " * 50), a_story("s-1", f"{WORD} " * 500)]
    await save(store, folder)
    if way == "removed":
        folder.stories.pop()
    elif way == "emptied":
        folder.stories[1] = Story("s-1", "en", NOW, StoryStatus.WITHDRAWN)
    else:
        story = folder.stories[1]
        story.releases, story.offers = [], []
        for part in story.parts.values():
            part.tellings = []
            part.tell("Something else.", Origin.TOLD, NOW)
    await save(store, folder)
    await store.scrub(NOW)
    assert not are_held(tmp_path, WORD)
    assert are_held(tmp_path, OTHERS)


async def test_words_never_committed_are_in_no_byte(store: SqlStore, tmp_path: Path) -> None:
    async with store.work() as work:
        await work.folders.save(a_wordy_folder("r-1", 7001, WORD))
    await store.scrub(NOW)
    assert not are_held(tmp_path, WORD)


@pytest.mark.sqlite_file("its write-ahead log")
async def test_a_scrub_that_could_not_finish_says_so(store: SqlStore, tmp_path: Path) -> None:
    """Another program still reading the old log would leave erased words in it."""
    await save(store, a_wordy_folder("r-1", 7001, WORD))
    reader = sqlite3.connect(tmp_path / "coach.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM stories").fetchone()
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    with pytest.raises(StoreUnavailable, match="Stop the other program and run the erasure again"):
        await store.scrub(NOW)
    reader.close()
    gc.collect()
    await store.scrub(NOW)
    assert not are_held(tmp_path, WORD)

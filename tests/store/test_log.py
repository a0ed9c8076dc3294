"""Words that were blanked leave the write-ahead log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.store.database import open_store
from bot.usecases.ports import InboxItem

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def holds(folder: Path, words: bytes) -> bool:
    """Whether any file of `folder` holds `words` in any byte."""
    return any(words in p.read_bytes() for p in folder.iterdir())


@pytest.mark.sqlite_file("its write-ahead log")
async def test_words_handled_and_blanked_are_in_no_byte_once_the_log_is_emptied(
    tmp_path: Path,
) -> None:
    store = await open_store(f"sqlite+aiosqlite:///{tmp_path / 'coach.sqlite'}")
    async with store.work() as work:
        await work.inbox.put(InboxItem(1, 7, '{"text": "marmalade skies"}', NOW))
        await work.commit()
    async with store.work() as work:
        await work.inbox.done([1], NOW)
        await work.commit()
    assert holds(tmp_path, b"marmalade")
    await store.empty_log()
    assert not holds(tmp_path, b"marmalade")
    await store.close()

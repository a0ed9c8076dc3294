"""What was committed survives kill -9 at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.store.database import open_store
from tests.databases import database

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from bot.store.database import open_store
from bot.usecases.ports import InboxItem, OutboxItem

async def main():
    store = await open_store(sys.argv[1])
    for number in range(1_000_000):
        async with store.work() as work:
            await work.inbox.put(InboxItem(number, 7001, "{}", datetime.now(UTC)))
            await work.outbox.add([OutboxItem(7001, {"number": number})])
            await work.commit()
        print(number, flush=True)

asyncio.run(main())
"""


async def both_queues(url: str) -> tuple[list[int], list[object]]:
    store = await open_store(url)
    async with store.work() as work:
        kept = [item.update_id for item in await work.inbox.waiting(limit=2**31)]
        unsent = [item.body["number"] for item in await work.outbox.waiting(limit=2**31)]
    await store.close()
    return kept, unsent


@pytest.mark.parametrize("lines", [1, 40, 137])
def test_every_printed_row_is_there_after_kill_9(tmp_path: Path, lines: int) -> None:
    url = database(tmp_path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    printed = [int(writer.stdout.readline()) for _ in range(lines)]
    os.kill(writer.pid, signal.SIGKILL)
    # A last line may be cut in the middle of a number: only whole lines were promised.
    with writer.stdout:
        rest = writer.stdout.read()
    writer.wait(timeout=10)
    printed += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    kept, unsent = asyncio.run(both_queues(url))
    assert kept[: len(printed)] == printed
    assert len(kept) - len(printed) in (0, 1), "at most the commit that was being printed"
    assert unsent == kept, "an update and its answers are kept together or not at all"

"""kill -9 while a push is being claimed: no group is missed, none has it twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.core.schedule import Rule
from bot.store.database import open_store
from tests.databases import database
from tests.usecases.pushing_world import ORGANIZER, World, plan

GROUPS = 400
TICKER = """
import asyncio, itertools, sys
from pathlib import Path
from bot.store.database import open_store
from bot.usecases import pushing
from tests.usecases.pushing_world import World

pushing.BATCH = 7

async def main():
    world = World(await open_store(sys.argv[1]), ids=itertools.count(int(sys.argv[2])))
    print("begins", flush=True)
    await world.pushing.tick()

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [0.02, 0.1, 0.25])
def test_a_push_killed_at_any_moment_reaches_every_group_once(tmp_path: Path, after: float) -> None:
    url = database(tmp_path)

    async def begin() -> None:
        store = await open_store(url)
        world = World(store)
        await world.allow(ORGANIZER)
        await world.add_groups(*(f"G{n}" for n in range(GROUPS)))
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
        await store.close()

    asyncio.run(begin())
    for run in range(1, 60):
        ticking = subprocess.Popen(
            [sys.executable, "-c", TICKER, url, str(run * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert ticking.stdout is not None
        with ticking.stdout:
            assert ticking.stdout.readline() == "begins\n"
            time.sleep(after * run)
            if ticking.poll() is not None:
                break
            os.kill(ticking.pid, signal.SIGKILL)
        ticking.wait(timeout=10)
    assert ticking.returncode == 0

    async def count() -> list[int]:
        store = await open_store(url)
        chats = [item.chat_id for item in await World(store).pushes()]
        await store.close()
        return chats

    chats = asyncio.run(count())
    assert len(chats) == len(set(chats)) == GROUPS

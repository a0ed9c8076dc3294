"""kill -9 while a follow-up is being posted: every group has it once, and its teller one word."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bot.core.schedule import Rule
from bot.store.database import open_store
from tests.databases import database
from tests.usecases.pushing_world import ORGANIZER, World, keys_of, plan
from tests.usecases.test_following import lent

GROUPS = 400
POSTER = """
import asyncio, itertools, sys
from bot.store.database import open_store
from bot.usecases.organizers import Refused
from tests.usecases.pushing_world import ORGANIZER, World
from tests.usecases.test_following import follow_ups

async def main():
    world = World(await open_store(sys.argv[1]), ids=itertools.count(int(sys.argv[2])))
    print("begins", flush=True)
    for offer in ("off-1", None):
        try:
            await follow_ups(world).post(ORGANIZER, "quiet", offer)
        except Refused as refused:
            assert refused.problem == "all_told", refused.problem

asyncio.run(main())
"""


MOMENTS = (0.01, 0.03, 0.06, 0.1, 0.15, 0.25, 0.4)
"""Seconds after which it is killed; then it may end."""


def test_a_follow_up_killed_at_any_moment_reaches_every_group_once(tmp_path: Path) -> None:
    url = database(tmp_path)

    async def begin() -> None:
        store = await open_store(url)
        world = World(store)
        await world.allow(ORGANIZER)
        ids = await world.add_groups(*(f"G{n}" for n in range(GROUPS)))
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), *ids))
        await world.pushing.tick()
        await world.send_all()
        await lent(world, *ids)
        await store.close()

    asyncio.run(begin())
    for run, moment in enumerate((*MOMENTS, None), 1):
        posting = subprocess.Popen(
            [sys.executable, "-c", POSTER, url, str(run * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert posting.stdout is not None
        with posting.stdout:
            assert posting.stdout.readline() == "begins\n"
            if moment is not None:
                time.sleep(moment)
                os.kill(posting.pid, signal.SIGKILL)
        posting.wait(timeout=60)
    assert posting.returncode == 0

    async def count() -> tuple[list[int], list[str], int]:
        store = await open_store(url)
        world = World(store)
        chats = [i.chat_id for i in await world.pushes() if i.chat_id < 0]
        news = [key for item in await world.notices() for key in keys_of(item)]
        async with store.work() as work:
            followed = len(await work.practice.followed())
        await store.close()
        return chats, news, followed

    chats, news, followed = asyncio.run(count())
    # Each group has the teller's words once, and the numbers once.
    assert sorted(chats.count(chat) for chat in set(chats)) == [2] * GROUPS
    assert news == ["offering.posted"] and followed == 2 * GROUPS

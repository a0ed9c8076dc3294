"""What ends, ends: also where a library below swallows a cancellation."""

from __future__ import annotations

import asyncio

from bot.telegram.ending import ended


async def test_a_task_whose_library_swallows_a_cancellation_is_ended_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended([task])
    assert task.cancelled() and swallowed == 3


async def test_what_a_task_raises_at_its_end_is_not_raised_to_who_ends_it() -> None:
    async def failing() -> None:
        raise ValueError("words")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await ended([task])
    assert isinstance(task.exception(), ValueError)

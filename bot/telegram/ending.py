"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

ASKED_AGAIN = 0.2
"""Seconds after which what runs on is told again to end."""


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until each has ended; what they raise is not raised here.

    Once is not enough: the `wait_for` of Python 3.11, also in the libraries below us, swallows a
    cancellation that comes together with what it waits for.
    """
    all_tasks = list(tasks)
    left = {task for task in all_tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASKED_AGAIN)
    await asyncio.gather(*all_tasks, return_exceptions=True)

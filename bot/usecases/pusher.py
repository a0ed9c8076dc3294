"""The clock of pushing: sleeps until something falls due, and wakes when a schedule changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.usecases.ports import Clock, StoreUnavailable
from bot.usecases.pushing import Pushing, Ticked

log = logging.getLogger(__name__)


class Pusher:
    """Looks at the clock when something falls due, and when a schedule was changed meanwhile."""

    LOOK = 2.0
    """Seconds between looks at what other processes changed; one small query each."""
    AT_LEAST = 60.0
    """Seconds after which everything is looked at anew: groups, zones, ends of messages."""

    def __init__(self, pushing: Pushing, clock: Clock, posted: Callable[[], None]) -> None:
        """`posted` is called when there is something new in the outbox."""
        self._pushing, self._clock, self._posted = pushing, clock, posted
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something changed in this process; look now."""
        self._wake.set()

    async def run(self) -> None:
        """Post what is due, for ever. A database out of reach is waited for."""
        while True:
            self._wake.clear()
            try:
                seen = await self._pushing.state()
                done = await self._pushing.tick(self._posted)
                if done != Ticked():
                    log.info("pushed to %d groups, left out %d", done.posted, done.left_out)
                self._posted()
                await self._sleep(seen)
            except StoreUnavailable:
                log.warning("pushing waits for the database")
                await asyncio.sleep(self.LOOK)

    async def _sleep(self, seen: frozenset[tuple[str, int]]) -> None:
        """Until the next slot, a change, or AT_LEAST; a clock set meanwhile is noticed too."""
        due = await self._pushing.next_due()
        slept = 0.0
        while slept < self.AT_LEAST:
            if due is not None and due <= self._clock.now():
                await asyncio.sleep(0.05)
                return
            step = self.LOOK
            if due is not None:
                step = min(step, max(0.01, (due - self._clock.now()).total_seconds()))
            try:
                await asyncio.wait_for(self._wake.wait(), step)
                return
            except TimeoutError:
                slept += step
            if await self._pushing.state() != seen:
                return

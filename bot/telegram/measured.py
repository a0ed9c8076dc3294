"""Turns, counted, and watched for the one that never ends."""

from __future__ import annotations

import time
from typing import Any

from bot.telegram.turns import Turns
from bot.telegram.updates import Incoming
from bot.usecases.ports import AlreadyDone, Meter, StoreUnavailable

LONGEST_TURN = 120.0
"""Seconds after which a turn that is still running counts as stuck."""
SILENT_SECONDS = 120.0
"""Seconds without a turn's end, while updates wait, after which the lanes count as stuck."""


class MeasuredTurns(Turns):
    """The same turns; what became of each is counted, and `ended_at` is when one last ended."""

    def __init__(self, meter: Meter, *given: Any) -> None:
        """`given` is what Turns takes."""
        super().__init__(*given)
        self._meter = meter
        self._running: dict[object, float] = {}
        self.ended_at = time.monotonic()

    @property
    def longest_running(self) -> float:
        """Seconds that the oldest turn under way has taken; 0 when none is."""
        return time.monotonic() - min(self._running.values(), default=time.monotonic())

    async def handle(self, turn: Incoming, update_ids: list[int]) -> None:
        """See lanes.Turns."""
        mark, fate = object(), "handled"
        self._running[mark] = time.monotonic()
        try:
            await super().handle(turn, update_ids)
        except AlreadyDone:
            fate = "ignored"
            raise
        except BaseException as error:
            fate = "delayed" if isinstance(error, StoreUnavailable) else "failed"
            raise
        finally:
            del self._running[mark]
            self._ended(fate)

    async def drop(self, update_ids: list[int], chat: int = 0) -> None:
        """See lanes.Turns."""
        await super().drop(update_ids, chat)
        self._ended("ignored")

    async def set_aside(
        self, chat: int, update_ids: list[int], reason: str, language: str | None
    ) -> None:
        """See lanes.Turns."""
        await super().set_aside(chat, update_ids, reason, language)
        self._ended("set_aside")

    def _ended(self, fate: str) -> None:
        self.ended_at = time.monotonic()
        self._meter.count("turn", fate)

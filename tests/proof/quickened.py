"""An event loop in which waiting takes no time: when nothing happens, its clock jumps ahead.

Only for what runs in one thread; hours of backing off pass in milliseconds, in the same order as
they would by the clock on the wall.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Waits for nobody: a wait that was asked for is added to the clock instead."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        ready = super().select(0)
        if not ready and timeout > 0:
            self.passed += timeout
        return ready


class QuickLoop(asyncio.SelectorEventLoop):
    """The loop; `time()` is seconds since it began, waits included."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._jumping.passed

    def does(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.run_until_complete(what)

"""A circuit breaker: a model that keeps failing is left alone for a while, then tried once."""

from __future__ import annotations

from collections.abc import Callable

FAILURES = 3
"""Failures in a row after which nobody is asked any more."""
REST = 30.0
"""Seconds of rest, doubled each time the trial fails."""
LONGEST_REST = 300.0


class Breaker:
    """Closed: all pass. Open: none until the rest is over. Half open: one trial decides."""

    def __init__(
        self, monotonic: Callable[[], float], failures: int = FAILURES, rest: float = REST
    ) -> None:
        """`monotonic` gives seconds; `rest` too."""
        self._monotonic, self._most, self._first_rest = monotonic, failures, rest
        self._failures = 0
        self._rest = rest
        self._opens_at: float | None = None
        self._is_trying = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._opens_at is None:
            return "closed"
        return "half_open" if self._monotonic() >= self._opens_at else "open"

    def lets_pass(self) -> bool:
        """Whether a call may begin; a true answer when half open is the one trial."""
        if self.state == "closed":
            return True
        if self.state == "open" or self._is_trying:
            return False
        self._is_trying = True
        return True

    def succeeded(self) -> None:
        """A call ended well: closed again."""
        self._failures, self._opens_at, self._rest = 0, None, self._first_rest
        self._is_trying = False

    def failed(self, *, hopeless: bool = False) -> None:
        """A call failed. `hopeless` failures, such as a wrong key, open it at once and for long."""
        self._failures += 1
        was_trial, self._is_trying = self._is_trying, False
        if hopeless:
            self._rest = LONGEST_REST
        elif was_trial:
            self._rest = min(self._rest * 2, LONGEST_REST)
        if hopeless or was_trial or self._failures >= self._most:
            self._opens_at = self._monotonic() + self._rest

    def gave_up(self) -> None:
        """A call was cancelled by us: it says nothing about the model."""
        self._is_trying = False

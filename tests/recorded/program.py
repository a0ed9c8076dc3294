"""`coach` on a Tuesday at noon that hardly passes: `python -m tests.recorded.program run`.

What people read names dates and times, so its clock begins where every run's does. Reader and
sender are unhurried as in tests.proof.unhurried.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from time import monotonic

from bot import wiring
from bot.telegram import app
from bot.usecases.residents import Residents
from tests.proof.unhurried import defaults, unlimited

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SLOWLY = 120.0
"""How many real seconds one of its seconds takes: a run never sees the minute change."""


class StillClock:
    """Noon, and a little later every time."""

    def __init__(self) -> None:
        self._begun = monotonic()

    def now(self) -> datetime:
        """See ports.Clock."""
        return NOON + timedelta(seconds=(monotonic() - self._begun) / SLOWLY)


if __name__ == "__main__":
    from bot.__main__ import main

    vars(wiring)["SystemClock"] = StillClock
    Residents.__init__.__defaults__ = defaults()
    vars(app)["Limits"] = unlimited
    sys.argv[0] = "coach"
    main()

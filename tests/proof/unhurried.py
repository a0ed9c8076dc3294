"""`coach` without its two clocks: `python -m tests.proof.unhurried run`.

Its reader has all the time it needs, and its messages are not spaced as Telegram's limits ask.
Both have tests of their own. Here, on a busy machine, the reader's deadline would decide what is
asked, and a dialogue of forty turns would take as many seconds as it has messages.
"""

from __future__ import annotations

import sys

from bot.telegram import app, limits
from bot.usecases.residents import PATIENCE, Residents

LONG = 60.0


def defaults() -> tuple[object, ...]:
    """What Residents is made with when nothing is said, but for its patience."""
    given: tuple[object, ...] = Residents.__init__.__defaults__ or ()
    return tuple(LONG if value == PATIENCE else value for value in given)


def unlimited(figures: limits.Figures | None) -> limits.Limits:
    """Limits that let everything through, except where Telegram itself asks to wait."""
    return limits.Limits(limits.UNLIMITED)


if __name__ == "__main__":
    from bot.__main__ import main

    Residents.__init__.__defaults__ = defaults()
    vars(app)["Limits"] = unlimited
    sys.argv[0] = "coach"
    main()

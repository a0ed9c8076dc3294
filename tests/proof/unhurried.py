"""`coach` that gives its reader all the time it needs: `python -m tests.proof.unhurried run`.

The reader's deadline has tests of its own; here, on a busy machine, it would decide what is asked,
and the same conversation would not come out twice.
"""

from __future__ import annotations

import sys

from bot.usecases.residents import PATIENCE, Residents

LONG = 60.0


def defaults() -> tuple[object, ...]:
    """What Residents is made with when nothing is said, but for its patience."""
    given: tuple[object, ...] = Residents.__init__.__defaults__ or ()
    return tuple(LONG if value == PATIENCE else value for value in given)


if __name__ == "__main__":
    from bot.__main__ import main

    Residents.__init__.__defaults__ = defaults()
    sys.argv[0] = "coach"
    main()

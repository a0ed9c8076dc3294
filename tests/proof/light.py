"""`coach` that hears nothing in a story and loads no model: `python -m tests.proof.light run`.

Killed every two seconds on a slow machine the whole program would spend its life loading. All that
is between Telegram, the disk and an answer is the program's own.
"""

from __future__ import annotations

import sys

from bot.wiring import Parts
from tests.fakes import AwayRetriever, ScriptedScreener, SteadyReader

if __name__ == "__main__":
    from bot.__main__ import main

    for name, room in (
        ("embedder", None),
        ("reader", SteadyReader()),
        ("screener", ScriptedScreener()),
        ("retriever", AwayRetriever()),
    ):
        setattr(Parts, name, room)
    sys.argv[0] = "coach"
    main()

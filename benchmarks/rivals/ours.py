"""Our bot, with Telegram's flood limits lifted: `python -m benchmarks.rivals.ours MODE run`.

No rival keeps the limits and the server enforces none; kept, they alone would be measured (30 calls
a second). MODE is `whole`, everything else as shipped; `stubbed`, where reading, screening and
retrieval answer at once and nothing is loaded; or `limited`, as shipped, limits kept. Everything
between Telegram, the disk and an answer is the program's own in each.
"""

from __future__ import annotations

import sys

from bot.__main__ import main  # first, for what it settles about threads
from bot.core.narrative import StoryOf
from bot.telegram import limits
from bot.wiring import Parts
from tests.fakes import AwayRetriever, ScriptedScreener, SteadyReader


class ReaderWithoutMemory(SteadyReader):
    """Keeps no list of what it was asked, which would be measured as the bot's memory."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = _Nothing()


class _Nothing(list[tuple[StoryOf, str, str]]):
    def append(self, _: object) -> None:
        """Forget it."""


def lift(mode: str) -> None:
    """Change what the mode changes."""
    if mode != "limited":
        limits.Figures = lambda: limits.UNLIMITED  # type: ignore[assignment,misc]
    if mode == "stubbed":
        for name, room in (
            ("embedder", None),
            ("reader", ReaderWithoutMemory()),
            ("screener", ScriptedScreener()),
            ("retriever", AwayRetriever()),
        ):
            setattr(Parts, name, room)


if __name__ == "__main__":
    lift(sys.argv.pop(1))
    sys.argv[0] = "coach"
    main()

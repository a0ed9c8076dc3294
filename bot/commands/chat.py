"""`coach chat`: the real bot, over an in-process Bot API, in this terminal."""

from __future__ import annotations

import asyncio
from typing import TextIO

from bot.commands.logs import log_to
from bot.settings import load_settings
from bot.wiring import Parts, owned

TOKEN = "1:terminal"
"""The in-process Bot API's own token; it opens nothing anywhere."""


def run(name: str, group: str | None, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """Talk until the input ends; 0, or 1 with one sentence when the bot cannot go on.

    2 for a name without letters or digits. Raises HomeBusy, StoreUnavailable and OSError.
    """
    for option, value in (("--as", name), ("--in", group)):
        if value is not None and not any(c.isalnum() for c in value):
            print(f"{option} needs a name with at least one letter or digit.", file=stderr)
            return 2
    settings = load_settings()
    with owned(settings.coach_home):
        log_to(settings.coach_home / "coach.log")
        return asyncio.run(_talk(Parts(settings), name, group, stdin, stdout, stderr))


async def _talk(
    parts: Parts, name: str, group: str | None, stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    from bot.commands.terminal import StoreAndTerminal
    from bot.console.botapi import BotApi
    from bot.console.chat import converse
    from bot.console.request import InProcessRequest
    from bot.keeping import note_home
    from bot.wiring import telegram_coach

    home = parts.settings.coach_home
    api = BotApi(home / "console.json", token=TOKEN)
    async with telegram_coach(
        parts,
        TOKEN,
        request=InProcessRequest(api),
        updates_request=InProcessRequest(api),
        around=lambda store: StoreAndTerminal(store, home, api.ledger.leave, parts.clock),
    ) as coach:
        await note_home(parts)
        return await converse(
            api, coach, name, group, stdin, stdout,
            stderr=stderr, language=parts.settings.coach_language,
        )  # fmt: skip

"""`coach chat`: the real bot, over an in-process Bot API, in this terminal."""

from __future__ import annotations

import asyncio
import logging
from typing import TextIO

from bot.settings import load_settings
from bot.wiring import Parts, owned

TOKEN = "1:terminal"
"""The in-process Bot API's own token; it opens nothing anywhere."""


def run(name: str, group: str | None, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """Talk until the input ends; 0, or 1 with one sentence when the bot cannot go on."""
    settings = load_settings()
    logging.basicConfig(
        filename=str(settings.coach_home / "coach.log") if settings.coach_home.is_dir() else None,
        level=logging.WARNING,
    )
    with owned(settings.coach_home):
        return asyncio.run(_talk(Parts(settings), name, group, stdin, stdout, stderr))


async def _talk(
    parts: Parts, name: str, group: str | None, stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    from bot.console.botapi import BotApi
    from bot.console.chat import converse
    from bot.console.request import InProcessRequest
    from bot.wiring import telegram_coach

    api = BotApi(parts.settings.coach_home / "console.json", token=TOKEN)
    async with telegram_coach(
        parts, TOKEN, request=InProcessRequest(api), updates_request=InProcessRequest(api)
    ) as coach:
        return await converse(
            api, coach, name, group, stdin, stdout,
            stderr=stderr, language=parts.settings.coach_language,
        )  # fmt: skip

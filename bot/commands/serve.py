"""`coach run`: everything in one process, by polling."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TextIO

from bot.commands.logs import log_to
from bot.settings import Settings, load_settings
from bot.wiring import Parts, owned, telegram_coach


def run(stderr: TextIO) -> int:
    """Serve until told to stop; 0, or 1 with one sentence when Telegram refuses us."""
    settings = load_settings()
    if settings.telegram_bot_token is None:
        print(
            "TELEGRAM_BOT_TOKEN is not set. Get one from @BotFather and put it in .env; "
            "`coach chat` works without.",
            file=stderr,
        )
        return 1
    log_to(stderr, logging.INFO)
    with owned(settings.coach_home):
        return asyncio.run(_serve(settings, settings.telegram_bot_token.get_secret_value(), stderr))


async def _serve(settings: Settings, token: str, stderr: TextIO) -> int:
    from telegram.error import Conflict, InvalidToken, NetworkError

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with telegram_coach(Parts(settings), token) as coach:
        try:
            await coach.start()
        except InvalidToken:
            print("Telegram does not know TELEGRAM_BOT_TOKEN. Check it in .env.", file=stderr)
            return 1
        except Conflict:
            print("Another program is fetching this bot's messages. Stop it first.", file=stderr)
            return 1
        except NetworkError:
            print(
                f"Telegram cannot be reached at {settings.telegram_api_base_url}. "
                "Check the network, then start again.",
                file=stderr,
            )
            return 1
        print("The coach is listening. Ctrl-C stops it.", file=stderr)
        await stopped.wait()
    return 0

"""`coach invite`: a link that makes whoever opens it first an organizer or staff."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TextIO

from bot.commands.grant import chosen, people
from bot.settings import Settings, load_settings
from bot.usecases.people import CONSOLE, LONGEST, Invited
from bot.wiring import Parts, opened

PATIENCE = 3.0
"""Seconds to wait for Telegram to say the bot's name; without it the token alone is printed."""


def run(role: str, rights: str, days: int, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Print the link: 0 done, 2 for a role or a time there is not."""
    wanted = chosen(role, rights)
    if isinstance(wanted, str):
        print(wanted, file=stderr)
        return 2
    if not 0 < days <= LONGEST.days:
        print(f"An invitation lasts 1 to {LONGEST.days} days.", file=stderr)
        return 2
    parts = Parts(load_settings())

    async def invite() -> tuple[Invited, str | None]:
        async with opened(parts) as store:
            made = await people(parts, store).invite(CONSOLE, wanted, timedelta(days=days))
        return made, await bot_name(parts.settings)

    made, bot = asyncio.run(invite())
    link = f"https://t.me/{bot}?start={made.token}" if bot else None
    until = f"{made.expires_at:%Y-%m-%d %H:%M} UTC"
    if as_json:
        found = {"token": made.token, "link": link, "rights": sorted(made.rights)}
        print(json.dumps(found | {"expires_at": made.expires_at.isoformat()}), file=stdout)
    elif link:
        print(link, file=stdout)
        print(f"Works once, until {until}. Whoever opens it first has it.", file=stderr)
    else:
        print(made.token, file=stdout)
        print(
            f"The bot's name is not known here: they send it the message /start {made.token}. "
            f"Works once, until {until}.",
            file=stderr,
        )
    return 0


async def bot_name(settings: Settings) -> str | None:
    """The bot's name as Telegram says it; None without a token, or when out of reach."""
    if settings.telegram_bot_token is None:
        return None
    from telegram import Bot
    from telegram.error import TelegramError

    bot = Bot(
        settings.telegram_bot_token.get_secret_value(),
        base_url=f"{settings.telegram_api_base_url}/bot",
    )
    try:
        async with asyncio.timeout(PATIENCE):
            return (await bot.get_me()).username
    except (TelegramError, TimeoutError):
        return None

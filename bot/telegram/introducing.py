"""What Telegram shows of the bot before anybody writes: its commands, per language."""

from __future__ import annotations

import logging

from telegram import Bot, BotCommand
from telegram.error import TelegramError

from bot.core.turn import Line
from bot.telegram.render import Words

log = logging.getLogger(__name__)

COMMANDS = ("start", "mystories", "consent", "withdraw", "mydata", "forget", "language",
            "privacy", "undo", "cancel", "help")  # fmt: skip


async def introduce(bot: Bot, words: Words) -> None:
    """Set the command lists; a bot that cannot set them still talks."""
    try:
        for number, language in enumerate(words.languages):
            commands = [
                BotCommand(c, words.text(Line(f"commands.{c}"), language)) for c in COMMANDS
            ]
            await bot.set_my_commands(commands, language_code=None if number == 0 else language)
    except TelegramError as error:
        log.warning("commands not set: %s", type(error).__name__)

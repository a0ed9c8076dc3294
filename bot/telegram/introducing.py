"""What Telegram shows of the bot before anybody writes: commands, descriptions, the menu button."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    MenuButtonCommands,
    MenuButtonDefault,
)
from telegram.error import TelegramError

from bot.core.turn import Line
from bot.telegram.render import Words
from bot.usecases import groups

log = logging.getLogger(__name__)

COMMANDS = ("start", "mystories", "where", "consent", "withdraw", "mydata", "forget", "language",
            "privacy", "undo", "cancel", "help")  # fmt: skip
"""What anybody may ask for in private chat."""

SCOPES: tuple[tuple[BotCommandScope, str, tuple[str, ...]], ...] = (
    (BotCommandScopeAllPrivateChats(), "commands", COMMANDS),
    (BotCommandScopeAllGroupChats(), "group.commands", groups.COMMANDS),
    (
        BotCommandScopeAllChatAdministrators(),
        "group.commands",
        (*groups.COMMANDS, *groups.OF_ADMINS),
    ),
)
"""Where a list is shown, the messages that describe its commands, and the commands."""


async def introduce(bot: Bot, words: Words) -> None:
    """Bring everything up to date, sending only what has changed.

    Each thing by itself: a bot that cannot be described still talks.
    """
    # What no language is named for is shown to people whose language we do not speak.
    for number, language in enumerate(words.languages):
        code = None if number == 0 else language
        for scope, key, names in SCOPES:
            described = [
                BotCommand(name, words.text(Line(f"{key}.{name}"), language)) for name in names
            ]
            await _harmless(_set_commands, bot, scope, code, described)
        await _harmless(_set_texts, bot, code, words, language)
    await _harmless(_set_menu_button, bot)


async def _harmless(change: Callable[..., Awaitable[None]], *given: object) -> None:
    try:
        await change(*given)
    except TelegramError as error:
        log.warning("the bot's profile is not up to date: %s", type(error).__name__)


async def _set_commands(
    bot: Bot, scope: BotCommandScope, code: str | None, described: list[BotCommand]
) -> None:
    if list(await bot.get_my_commands(scope, code)) != described:
        await bot.set_my_commands(described, scope, code)


async def _set_texts(bot: Bot, code: str | None, words: Words, language: str) -> None:
    description = words.text(Line("profile.description"), language)
    if (await bot.get_my_description(code)).description != description:
        await bot.set_my_description(description, code)
    short = words.text(Line("profile.short"), language)
    if (await bot.get_my_short_description(code)).short_description != short:
        await bot.set_my_short_description(short, code)


async def _set_menu_button(bot: Bot) -> None:
    """The button beside the keyboard opens the commands; a default one may open something else."""
    if not isinstance(await bot.get_chat_menu_button(), MenuButtonCommands | MenuButtonDefault):
        await bot.set_chat_menu_button(menu_button=MenuButtonCommands())

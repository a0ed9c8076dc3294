"""What Telegram shows of the bot: per language and place, sent only when changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
)

from bot.console.botapi import BotApi
from bot.console.request import InProcessRequest
from bot.core.turn import Line
from bot.telegram.introducing import COMMANDS, introduce
from bot.usecases import groups
from tests.fakes import catalogue

PRIVATE, GROUPS, ADMINS = (
    BotCommandScopeAllPrivateChats(),
    BotCommandScopeAllGroupChats(),
    BotCommandScopeAllChatAdministrators(),
)


@pytest.fixture
def api() -> BotApi:
    return BotApi()


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Bot]:
    async with Bot(
        api.token, request=InProcessRequest(api), get_updates_request=InProcessRequest(api)
    ) as bot:
        yield bot


async def test_commands_are_described_per_language_and_place(bot: Bot) -> None:
    await introduce(bot, catalogue())
    for code, language in ((None, "en"), ("es", "es")):
        for scope, names in (
            (PRIVATE, COMMANDS),
            (GROUPS, groups.COMMANDS),
            (ADMINS, (*groups.COMMANDS, "leave")),
        ):
            shown = await bot.get_my_commands(scope, code)
            assert tuple(c.command for c in shown) == names
        about = (await bot.get_my_description(code)).description
        assert about == catalogue().text(Line("profile.description"), language)
        short = (await bot.get_my_short_description(code)).short_description
        assert short == catalogue().text(Line("profile.short"), language)


async def test_only_what_has_changed_is_sent(api: BotApi, bot: Bot) -> None:
    await introduce(bot, catalogue())
    api.calls.clear()
    await introduce(bot, catalogue())
    assert not [c for c in api.calls if c.startswith("set")]
    await bot.set_my_commands([BotCommand("old", "an old one")], GROUPS, "es")
    api.calls.clear()
    await introduce(bot, catalogue())
    assert [c for c in api.calls if c.startswith("set")] == ["setMyCommands"]


@pytest.mark.parametrize("method", ["getMyCommands", "setMyCommands", "setMyDescription"])
async def test_what_cannot_be_set_harms_nothing_else(api: BotApi, bot: Bot, method: str) -> None:
    api.faults.server_error(method)
    api.faults.too_many_requests(method, 30)
    await introduce(bot, catalogue())
    shown = await bot.get_my_commands(ADMINS, "es")
    assert [c.command for c in shown] == [*groups.COMMANDS, "leave"]


def test_descriptions_keep_telegrams_limits() -> None:
    for language in catalogue().languages:
        assert len(catalogue().text(Line("profile.description"), language)) <= 512
        assert len(catalogue().text(Line("profile.short"), language)) <= 120

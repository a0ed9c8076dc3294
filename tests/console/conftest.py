"""A tiny echo bot on a real telegram.ext.Application, over the in-process Bot API."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

from bot.console.botapi import BotApi
from bot.console.request import InProcessRequest

Context = ContextTypes.DEFAULT_TYPE


def build_application(api: BotApi) -> Application[Any, Any, Any, Any, Any, Any]:
    return (
        ApplicationBuilder()
        .token(api.token)
        .request(InProcessRequest(api))
        .get_updates_request(InProcessRequest(api))
        .build()
    )


async def eventually(claim: Callable[[], bool]) -> None:
    """Wait until the claim is true, at most five seconds."""
    async with asyncio.timeout(5):
        while True:
            if claim():
                return
            await asyncio.sleep(0.01)


class EchoHost:
    """Echoes in bold with two buttons; a press is answered, its keyboard taken away."""

    def __init__(self, api: BotApi) -> None:
        self.api = api
        self.application = build_application(api)
        self.application.add_handler(MessageHandler(filters.UpdateType.MESSAGE, self.on_message))
        self.application.add_handler(CallbackQueryHandler(self.on_press))
        self.application.add_error_handler(self.on_error)
        self.errors: list[Exception] = []
        self.trouble: str | None = None
        self.received: list[Update] = []

    async def on_message(self, update: Update, context: Context) -> None:
        self.received.append(update)
        message = update.effective_message
        chat = update.effective_chat
        assert message is not None and chat is not None
        text = message.text or "something else"
        if text == "/file":
            await context.bot.send_document(chat.id, b"{}", filename="mydata.json", caption="Yours")
        else:
            buttons = [[InlineKeyboardButton("Yes", callback_data="yes")]]
            buttons[0].append(InlineKeyboardButton("No", callback_data="no"))
            await context.bot.send_chat_action(chat.id, "typing")
            await context.bot.send_message(
                chat.id,
                f"<b>You said</b> {html.escape(text)}",
                parse_mode="HTML",
                reply_markup=InlineKeyboardMarkup(buttons),
            )

    async def on_press(self, update: Update, context: Context) -> None:
        self.received.append(update)
        query = update.callback_query
        assert query is not None and query.message is not None
        await query.answer("Heard")
        chat_id, message_id = query.message.chat.id, query.message.message_id
        await context.bot.edit_message_reply_markup(chat_id, message_id)
        await context.bot.send_message(chat_id, f"You pressed {query.data}")

    async def on_error(self, update: object, context: Context) -> None:
        assert context.error is not None
        self.errors.append(context.error)

    async def start(self) -> None:
        await self.application.initialize()
        await self.application.start()
        assert self.application.updater is not None
        await self.application.updater.start_polling(timeout=30, poll_interval=0)

    async def idle(self) -> None:
        await self.api.updates.confirmed()
        await self.application.update_queue.join()

    async def stop(self) -> None:
        assert self.application.updater is not None
        await self.application.updater.stop()
        await self.application.stop()
        await self.application.shutdown()

    def texts(self) -> list[str | None]:
        """What the bot received as messages, in order."""
        return [update.message.text for update in self.received if update.message]

    def failure(self) -> str | None:
        return self.trouble


@pytest.fixture
def api() -> BotApi:
    return BotApi()


@pytest.fixture
async def host(api: BotApi) -> AsyncIterator[EchoHost]:
    host = EchoHost(api)
    await host.start()
    yield host
    await host.stop()

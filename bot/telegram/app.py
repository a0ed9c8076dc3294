"""The bot as one thing to start, wait for and stop: python-telegram-bot around our lanes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from telegram import BotCommand
from telegram.error import BadRequest, TelegramError
from telegram.ext import Application, ApplicationBuilder
from telegram.request import BaseRequest

from bot.core.turn import Line
from bot.telegram.ingress import DurableQueue
from bot.telegram.lanes import Lanes
from bot.telegram.render import Renderer
from bot.telegram.sender import Sender
from bot.telegram.updates import Incoming
from bot.usecases.ports import Clock, Store
from bot.usecases.residents import Residents

log = logging.getLogger(__name__)

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]
COMMANDS = ("start", "mystories", "consent", "withdraw", "mydata", "forget", "language",
            "privacy", "undo", "cancel", "help")  # fmt: skip
TYPING_AFTER = 1.0
"""Seconds of reading after which the person is shown that something is happening."""


class Words(Renderer, Protocol):
    """Words, and which messages are only a phrase for a button."""

    @property
    def languages(self) -> Sequence[str]: ...

    def is_phrase(self, text: str) -> bool: ...


class TelegramCoach:
    """Polling ingress, lanes and sender around one bot. Handlers hold no rules."""

    def __init__(
        self,
        store: Store,
        residents: Residents,
        words: Words,
        clock: Clock,
        token: str,
        base_url: str | None = None,
        request: BaseRequest | None = None,
        updates_request: BaseRequest | None = None,
    ) -> None:
        """`request` and `updates_request` replace HTTP, as in the terminal and in tests."""
        self._store, self._residents, self._words = store, residents, words
        self._clock = clock
        self._lanes = Lanes(
            store, self._handle, words.is_phrase, self._tell("general.cannot_write"),
            self._tell("general.set_aside"),
        )  # fmt: skip
        self._queue = DurableQueue(store, clock, self._lanes.wake)
        builder = ApplicationBuilder().token(token).update_queue(self._queue)
        if base_url:
            builder = builder.base_url(f"{base_url}/bot").base_file_url(f"{base_url}/file/bot")
        if request and updates_request:
            builder = builder.request(request).get_updates_request(updates_request)
        self._app: Application = builder.build()  # type: ignore[type-arg]
        self._sender = Sender(self._app.bot, store, words, self._scrub)
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin with what was left on disk, then fetch. Raises TelegramError for a bad token."""
        await self._app.initialize()
        self._sender.start()
        await self._lanes.resume()
        assert self._app.updater is not None
        await self._app.updater.start_polling(
            poll_interval=0.0, timeout=10, allowed_updates=ALLOWED, drop_pending_updates=False
        )
        await self._introduce()

    async def idle(self) -> None:
        """Return once every update kept is handled and every message is sent."""
        await self._lanes.idle()
        await self._sender.idle()

    async def stop(self) -> None:
        """Stop fetching, end running turns; the rest waits on disk."""
        assert self._app.updater is not None
        if self._app.updater.running:
            await self._app.updater.stop()
        await self._lanes.stop()
        await asyncio.gather(*self._answers, return_exceptions=True)
        await self._sender.stop()
        await self._app.shutdown()

    def failure(self) -> str | None:
        """One plain sentence while the bot cannot go on, otherwise None."""
        return self._queue.trouble or self._lanes.trouble

    # -- one turn -------------------------------------------------------------------------------

    async def _handle(self, turn: Incoming, update_ids: list[int]) -> None:
        """Answer the button at once, then let the use case take the turn."""
        if turn.query_id is not None:
            task = asyncio.create_task(self._answer(turn.query_id))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
        typing = asyncio.create_task(self._show_typing(turn.sender.chat_id))
        try:
            await self._residents.hear(turn.sender, turn.heard, update_ids)
        finally:
            typing.cancel()
        self._sender.wake()

    async def _answer(self, query_id: str) -> None:
        try:
            await self._app.bot.answer_callback_query(query_id)
        except BadRequest:
            # Too old after a restart: the button has stopped spinning by itself.
            log.info("a button could no longer be answered")
        except TelegramError as error:
            log.warning("a button was not answered: %s", type(error).__name__)

    async def _show_typing(self, chat: int) -> None:
        await asyncio.sleep(TYPING_AFTER)
        try:
            while True:
                await self._app.bot.send_chat_action(chat, "typing")
                await asyncio.sleep(4)
        except TelegramError as error:
            log.info("typing not shown: %s", type(error).__name__)

    async def _scrub(self) -> None:
        await self._store.scrub(self._clock.now())

    def _tell(self, key: str):  # type: ignore[no-untyped-def]
        async def tell(chat: int) -> None:
            """Past the outbox, because the database is what is in trouble."""
            for language in self._words.languages[:1]:
                try:
                    await self._app.bot.send_message(chat, self._words.text(Line(key), language))
                except TelegramError as error:
                    log.warning("trouble could not be told: %s", type(error).__name__)

        return tell

    # -- manners --------------------------------------------------------------------------------

    async def _introduce(self) -> None:
        """Command lists per language; a bot that cannot set them still talks."""
        try:
            for number, language in enumerate(self._words.languages):
                commands = [
                    BotCommand(c, self._words.text(Line(f"commands.{c}"), language))
                    for c in COMMANDS
                ]
                await self._app.bot.set_my_commands(
                    commands, language_code=None if number == 0 else language
                )
        except TelegramError as error:
            log.warning("commands not set: %s", type(error).__name__)

"""The bot as one thing to start, wait for and stop: python-telegram-bot around our lanes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from telegram.error import TelegramError
from telegram.ext import Application, ApplicationBuilder
from telegram.request import BaseRequest

from bot.telegram.ingress import DurableQueue
from bot.telegram.introducing import introduce
from bot.telegram.lanes import Lanes
from bot.telegram.polling import PatientBot
from bot.telegram.render import Words
from bot.telegram.sender import Sender
from bot.telegram.turns import Turns
from bot.usecases.ports import Clock, Store
from bot.usecases.residents import Residents

log = logging.getLogger(__name__)

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]
TELEGRAM = "https://api.telegram.org"
FETCHING_ENDS = 3.0
"""Seconds that stopping waits for the last fetch to be confirmed."""


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
        bot = PatientBot(
            token,
            base_url=f"{base_url or TELEGRAM}/bot",
            base_file_url=f"{base_url or TELEGRAM}/file/bot",
            request=request,
            get_updates_request=updates_request,
        )
        self._sender = Sender(bot, store, words, lambda: _scrub(store, clock))
        self._turns = Turns(bot, store, residents, words, self._sender.wake)
        self._lanes = Lanes(store, self._turns)
        self._queue = DurableQueue(store, clock, self._lanes.wake)
        builder = ApplicationBuilder().bot(bot).update_queue(self._queue)
        self._app: Application[Any, Any, Any, Any, Any, Any] = builder.build()
        self._words = words
        self._introducing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with what was left on disk, then fetch.

        Raises TelegramError when Telegram refuses, StoreUnavailable when the disk does.
        """
        await self._app.initialize()
        self._sender.start()
        await self._lanes.resume()
        assert self._app.updater is not None
        await self._app.updater.start_polling(
            poll_interval=0.0,
            timeout=10,
            allowed_updates=ALLOWED,
            drop_pending_updates=False,
            error_callback=_fetching_failed,
        )
        self._introducing = asyncio.create_task(self._introduce(), name="introducing")

    async def idle(self) -> None:
        """Return once every update kept is handled and every message is sent.

        What waits for a disk that cannot be written is not waited for; see `failure`.
        """
        while not (self._lanes.is_idle and self._sender.is_idle):
            await self._lanes.idle()
            await self._sender.idle()

    async def answered(self) -> None:
        """Return once the first message of this run has been sent."""
        await self._sender.answered.wait()

    async def stop(self) -> None:
        """Stop fetching, end running turns and sends; the rest waits on disk.

        Takes at most ten seconds. May be called at any time, also when starting failed.
        """
        updater = self._app.updater
        if updater is not None and updater.running:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(updater.stop(), FETCHING_ENDS)
        if self._introducing is not None:
            self._introducing.cancel()
            await asyncio.gather(self._introducing, return_exceptions=True)
        await self._lanes.stop()
        await self._sender.stop()
        await self._turns.stop()
        await self._app.shutdown()

    async def _introduce(self) -> None:
        """Once somebody has been answered, so that no answer waits for it."""
        await self.answered()
        await introduce(self._app.bot, self._words)

    def failure(self) -> str | None:
        """One plain sentence while the bot cannot go on, otherwise None."""
        if self._queue.trouble:
            return f"{self._queue.trouble} Your last message was not kept; send it again later."
        return self._lanes.trouble or self._sender.trouble


async def _scrub(store: Store, clock: Clock) -> None:
    await store.scrub(clock.now())


def _fetching_failed(error: TelegramError) -> None:
    """The library tries again by itself, more and more slowly."""
    log.warning("fetching failed: %s", type(error).__name__)

"""The bot as one thing to start, wait for and stop: python-telegram-bot around our lanes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from telegram import BotCommand
from telegram.error import BadRequest, TelegramError
from telegram.ext import Application, ApplicationBuilder
from telegram.request import BaseRequest

from bot.core.turn import Line, Say
from bot.telegram.ingress import DurableQueue
from bot.telegram.lanes import Lanes
from bot.telegram.polling import PatientBot
from bot.telegram.render import Renderer
from bot.telegram.sender import Sender
from bot.telegram.updates import Incoming
from bot.usecases.outgoing import body_of
from bot.usecases.ports import Clock, OutboxItem, Store, StoreUnavailable
from bot.usecases.residents import Residents

log = logging.getLogger(__name__)

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]
COMMANDS = ("start", "mystories", "consent", "withdraw", "mydata", "forget", "language",
            "privacy", "undo", "cancel", "help")  # fmt: skip
TELEGRAM = "https://api.telegram.org"
TYPING_AFTER = 1.0
"""Seconds of reading after which the person is shown that something is happening."""
TYPING_EVERY = 4.0
"""Telegram shows it for five seconds."""
FETCHING_ENDS = 3.0
"""Seconds that stopping waits for the last fetch to be confirmed."""
PARTING_SECONDS = 1.0
"""Seconds that stopping waits for answers to buttons."""


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

    def failure(self) -> str | None:
        """One plain sentence while the bot cannot go on, otherwise None."""
        if self._queue.trouble:
            return f"{self._queue.trouble} Your last message was not kept; send it again later."
        return self._lanes.trouble or self._sender.trouble

    async def _introduce(self) -> None:
        """Command lists per language; a bot that cannot set them still talks."""
        await self.answered()
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


class Turns:
    """One turn between Telegram and the use case; see lanes.Turns."""

    def __init__(
        self,
        bot: PatientBot,
        store: Store,
        residents: Residents,
        words: Words,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when there is something new in the outbox."""
        self._bot, self._store, self._residents = bot, store, residents
        self._words, self._wake = words, wake
        self._answering: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Let answers to buttons go out, shortly."""
        answering = set(self._answering)
        if answering:
            _, late = await asyncio.wait(answering, timeout=PARTING_SECONDS)
            for task in late:
                task.cancel()

    def is_phrase(self, text: str) -> bool:
        """Whether a whole message only stands for a button."""
        return self._words.is_phrase(text)

    async def handle(self, turn: Incoming, update_ids: list[int]) -> None:
        """Answer the button at once, then let the use case take the turn."""
        if turn.query_id is not None:
            answering = asyncio.create_task(self._answer(turn.query_id), name="answering")
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        typing = asyncio.create_task(self._show_typing(turn.sender.chat_id), name="typing")
        try:
            await self._residents.hear(turn.sender, turn.heard, update_ids)
        finally:
            typing.cancel()
        self._wake()

    async def drop(self, update_ids: list[int]) -> None:
        """End updates that are nothing for us."""
        async with self._store.work() as work:
            await work.inbox.done(update_ids)
            await work.commit()

    async def attempted(self, update_ids: list[int]) -> None:
        """Count a try that failed."""
        async with self._store.work() as work:
            await work.inbox.attempted(update_ids)
            await work.commit()

    async def set_aside(
        self, chat: int, update_ids: list[int], reason: str, language: str | None
    ) -> None:
        """Quarantine updates and tell the person, in one commit."""
        spoken = await self._language(chat, language)
        said = body_of(Say((Line("general.set_aside"),)), spoken, 0)
        async with self._store.work() as work:
            await work.inbox.quarantine(update_ids, reason)
            if chat > 0:
                await work.outbox.add([OutboxItem(chat, said)])
            await work.commit()
        self._wake()

    async def cannot_write(self, chat: int, language: str | None) -> None:
        """Past the outbox, because the database is what is in trouble."""
        try:
            spoken = await self._language(chat, language)
            text = self._words.text(Line("general.cannot_write"), spoken)
            await self._bot.send_message(chat, text)
        except (TelegramError, StoreUnavailable) as error:
            log.warning("trouble could not be told: %s", type(error).__name__)

    async def _language(self, chat: int, of_telegram: str | None) -> str:
        """The resident's language, else the one Telegram says, else the first there is."""
        async with self._store.work() as work:
            folder = await work.folders.by_chat(chat)
        wished = (folder.resident.language if folder else None) or (of_telegram or "")[:2]
        return wished if wished in self._words.languages else self._words.languages[0]

    async def _answer(self, query_id: str) -> None:
        try:
            await self._bot.answer_callback_query(query_id)
        except BadRequest:
            # Too old after a restart: the button has stopped spinning by itself.
            log.info("a button could no longer be answered")
        except TelegramError as error:
            log.warning("a button was not answered: %s", type(error).__name__)

    async def _show_typing(self, chat: int) -> None:
        await asyncio.sleep(TYPING_AFTER)
        try:
            while True:
                await self._bot.send_chat_action(chat, "typing")
                await asyncio.sleep(TYPING_EVERY)
        except TelegramError as error:
            log.info("typing not shown: %s", type(error).__name__)


async def _scrub(store: Store, clock: Clock) -> None:
    await store.scrub(clock.now())


def _fetching_failed(error: TelegramError) -> None:
    """The library tries again by itself, more and more slowly."""
    log.warning("fetching failed: %s", type(error).__name__)

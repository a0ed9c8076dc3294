"""From the outbox to Telegram: in order per chat, each chat for itself."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter

from bot.core.turn import Hand, Say, Scrub
from bot.telegram.lanes import place_of
from bot.telegram.render import Button, Rendered, Renderer, file_text, render
from bot.usecases.outgoing import move_of
from bot.usecases.ports import OutboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)
"""How long a message is tried while Telegram cannot be reached; private replies may repeat."""
LONGEST_PAUSE = 30.0
"""Seconds between tries, at most."""
TRIES_UNNOTICED = 3
"""Tries after which a message that Telegram does not take counts as trouble."""
UNDELIVERED = (
    "Answers cannot be delivered right now; they are kept and will be sent later. "
    "Check the network and the disk."
)
BATCH = 2_000
"""Messages taken from the outbox at one time."""
PARTING_SECONDS = 2.0
"""How long stopping waits for sends under way."""


@dataclass
class Progress:
    """How far one message has come in this run, so that a second try repeats nothing.

    `posted` counts the parts that Telegram has; `message_id` is the last one's.
    """

    posted: int = 0
    message_id: int | None = None
    has_buttons: bool = False
    is_delivered: bool = False


class Sender:
    """Sends what waits in the outbox.

    A crash between sending and noting it repeats one message, and so does an answer of Telegram
    that got lost on the way: the declared policy for private replies, because a repeated answer
    is better than none.
    """

    def __init__(
        self,
        bot: Bot,
        store: Store,
        words: Renderer,
        scrub: Callable[[], Awaitable[None]],
        patience: timedelta = PATIENCE,
    ) -> None:
        """`scrub` empties erased words from the disk."""
        self._bot = bot
        self._store = store
        self._words = words
        self._scrub = scrub
        self._patience = patience.total_seconds()
        self._wake = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._resting: set[asyncio.Task[None]] = set()
        self._progress: dict[int, Progress] = {}
        self._idle = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_ending = False
        self._disk_trouble: str | None = None
        self._undelivered: set[int] = set()
        self.answered = asyncio.Event()

    def start(self) -> None:
        """Begin with what was left on disk."""
        self.wake()
        self._loop = asyncio.create_task(self._run(), name="sender")

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._idle.clear()
        self._wake.set()

    @property
    def trouble(self) -> str | None:
        """One plain sentence while something cannot be sent, otherwise None."""
        return self._disk_trouble or (UNDELIVERED if self._undelivered else None)

    @property
    def is_idle(self) -> bool:
        """True when nothing waits that can be sent."""
        return self._idle.is_set()

    async def idle(self) -> None:
        """Return once nothing waits that can be sent."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Let sends under way end; what is left stays on disk for the next start."""
        self._is_ending = True
        if self._loop:
            self._loop.cancel()
        for task in self._resting:
            task.cancel()
        tasks = list(self._busy.values())
        if tasks:
            await asyncio.wait(tasks, timeout=PARTING_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *([self._loop] if self._loop else []), return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._disk_trouble:
                self._idle.clear()
            # What a chat sends while we read is stale in what we read: it gets its turn later.
            busy = set(self._busy)
            try:
                async with self._store.work() as work:
                    items = await work.outbox.waiting(BATCH)
                self._disk_trouble = None
            except Exception as error:
                self._in_trouble(error)
                await asyncio.sleep(1)
                self._wake.set()
                continue
            chats: dict[int, list[OutboxItem]] = {}
            for item in items:
                chats.setdefault(item.chat_id, []).append(item)
            for chat, waiting in chats.items():
                if chat not in busy:
                    task = asyncio.create_task(self._send_all(chat, waiting), name="sending")
                    self._busy[chat] = task
            if not self._busy and not self._wake.is_set():
                self._idle.set()

    async def _send_all(self, chat: int, items: list[OutboxItem]) -> None:
        """One chat's messages in order; then look again."""
        try:
            for item in items:
                if self._is_ending:
                    return
                await self._send(item)
        except Exception as error:
            self._in_trouble(error)
            await self._rest(1)
        finally:
            self._busy.pop(chat, None)
            self._undelivered.discard(chat)
            self._wake.set()

    def _in_trouble(self, error: Exception) -> None:
        """Say so; whoever waits for us to finish need not wait for the disk."""
        log.error("outbox cannot be used: %s", place_of(error))
        known = isinstance(error, StoreUnavailable)
        name = type(error).__name__
        self._disk_trouble = str(error) if known else f"Sending failed ({name})."
        self._idle.set()

    async def _rest(self, seconds: float) -> None:
        """Wait; stopping does not wait along."""
        task = asyncio.current_task()
        assert task is not None
        self._resting.add(task)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._resting.discard(task)

    async def _send(self, item: OutboxItem) -> None:
        """Send one message, however long it takes; then note it, or give it up."""
        assert item.id is not None
        progress = self._progress.setdefault(item.id, Progress())
        clock = asyncio.get_running_loop().time
        until, pause, tries = clock() + self._patience, 0.5, 0
        while not progress.is_delivered:
            try:
                await self._deliver(item, progress)
            except RetryAfter as error:
                seconds = error.retry_after
                await self._rest(
                    seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
                )
            except StoreUnavailable:
                raise
            except (NetworkError, InvalidToken) as error:
                # BadRequest counts as a network error in the library; asking again changes nothing.
                if isinstance(error, BadRequest) or clock() > until:
                    await self._give_up(item.id, error)
                    return
                log.warning("send failed: %s", type(error).__name__)
                tries += 1
                if tries >= TRIES_UNNOTICED:
                    self._undelivered.add(item.chat_id)
                await self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Forbidden as error:
                await self._give_up(item.id, error)
                return
            except Exception as error:
                # A message that cannot be made must not hold up the ones behind it.
                await self._give_up(item.id, error)
                return
        async with self._store.work() as work:
            await work.outbox.sent(item.id, progress.message_id)
            if progress.has_buttons:
                await work.outbox.set_keyboard(item.chat_id, progress.message_id)
            await work.commit()
        del self._progress[item.id]
        self._undelivered.discard(item.chat_id)
        self.answered.set()

    async def _give_up(self, item_id: int, error: Exception) -> None:
        log.error("message given up: %s", place_of(error))
        async with self._store.work() as work:
            await work.outbox.failed(item_id, type(error).__name__)
            await work.commit()
        self._progress.pop(item_id, None)

    # -- one message ----------------------------------------------------------------------------

    async def _deliver(self, item: OutboxItem, progress: Progress) -> None:
        """Do what is left of one message."""
        move = move_of(item.body)
        language, turn = str(item.body["language"]), int(str(item.body["turn"]))
        match move:
            case Say():
                await self._say(item.chat_id, move, language, turn, progress)
            case Hand(name, _, line):
                content = file_text(move, self._words, language).encode()
                sent = await self._bot.send_document(
                    item.chat_id,
                    io.BytesIO(content),
                    filename=name,
                    caption=self._words.markup(line, language),
                    parse_mode=ParseMode.HTML,
                )
                progress.message_id = sent.message_id
            case Scrub(line):
                if progress.posted == 0:
                    await self._scrub()
                    progress.posted = 1
                words = self._words
                said = Rendered(words.markup(line, language), words.text(line, language))
                progress.message_id = await self._post(item.chat_id, said)
        progress.is_delivered = True

    async def _say(self, chat: int, say: Say, language: str, turn: int, progress: Progress) -> None:
        """Send, or edit the message with the open buttons; earlier buttons go away."""
        async with self._store.work() as work:
            earlier = await work.outbox.keyboard(chat)
        messages = render(say, self._words, language, turn)
        if say.replaces and earlier is not None and len(messages) == 1:
            edited = await self._edit(chat, earlier, messages[0])
            if edited:
                progress.message_id, progress.has_buttons = earlier, bool(messages[0].rows)
                return
        for message in messages[progress.posted :]:
            progress.message_id = await self._post(chat, message)
            progress.posted += 1
        progress.has_buttons = bool(messages[-1].rows)
        if progress.has_buttons and earlier is not None and earlier != progress.message_id:
            await self._take_buttons_away(chat, earlier)

    async def _post(self, chat: int, message: Rendered) -> int:
        try:
            sent = await self._bot.send_message(
                chat, message.html, parse_mode=ParseMode.HTML, reply_markup=_keyboard(message)
            )
        except BadRequest as error:
            if "parse entities" not in str(error):
                raise
            log.error("markup refused; sent plain")
            sent = await self._bot.send_message(
                chat, message.plain, reply_markup=_keyboard(message)
            )
        return sent.message_id

    async def _edit(self, chat: int, message_id: int, message: Rendered) -> bool:
        """True when the message now says this; False when it has to be sent anew."""
        try:
            await self._bot.edit_message_text(
                message.html,
                chat,
                message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=_keyboard(message),
            )
        except BadRequest as error:
            return "not modified" in str(error)
        return True

    async def _take_buttons_away(self, chat: int, message_id: int) -> None:
        try:
            await self._bot.edit_message_reply_markup(chat, message_id, reply_markup=None)
        except BadRequest:
            # Deleted, too old or already without buttons: there is nothing left to take away.
            log.debug("buttons were gone already")


def _keyboard(message: Rendered) -> InlineKeyboardMarkup | None:
    if not message.rows:
        return None
    return InlineKeyboardMarkup([[_button(b) for b in row] for row in message.rows])


def _button(button: Button) -> InlineKeyboardButton:
    if button.url is not None:
        return InlineKeyboardButton(button.label, url=button.url)
    return InlineKeyboardButton(button.label, callback_data=button.data)

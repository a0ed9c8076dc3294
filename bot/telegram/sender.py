"""From the outbox to Telegram: in order per chat, each chat for itself."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter

from bot.core.turn import Hand, Say, Scrub
from bot.telegram.render import Rendered, Renderer, file_text, render
from bot.usecases.outgoing import move_of
from bot.usecases.ports import OutboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)

TRIES = 8
"""Times a message is tried before it is given up; private replies may repeat."""
BATCH = 500
"""Messages taken from the outbox at one time."""


class Sender:
    """Sends what waits in the outbox. A crash between sending and noting it repeats one message:

    the declared policy for private replies, because a repeated answer is better than none.
    """

    def __init__(
        self, bot: Bot, store: Store, words: Renderer, scrub: Callable[[], Awaitable[None]]
    ) -> None:
        """`scrub` empties erased words from the disk."""
        self._bot = bot
        self._store = store
        self._words = words
        self._scrub = scrub
        self._wake = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what was left on disk."""
        self._wake.set()
        self._loop = asyncio.create_task(self._run(), name="sender")

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._idle.clear()
        self._wake.set()

    async def idle(self) -> None:
        """Return once nothing waits that can be sent."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Stop sending; what is left stays on disk for the next start."""
        tasks = [t for t in (self._loop, *self._busy.values()) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with self._store.work() as work:
                    items = await work.outbox.waiting(BATCH)
            except StoreUnavailable as error:
                log.error("outbox cannot be read: %s", type(error).__name__)
                self._idle.set()
                await asyncio.sleep(1)
                self._wake.set()
                continue
            chats: dict[int, list[OutboxItem]] = {}
            for item in items:
                chats.setdefault(item.chat_id, []).append(item)
            for chat, waiting in chats.items():
                if chat not in self._busy:
                    task = asyncio.create_task(self._send_all(chat, waiting), name="sending")
                    self._busy[chat] = task
            if not self._busy and not self._wake.is_set():
                self._idle.set()

    async def _send_all(self, chat: int, items: list[OutboxItem]) -> None:
        """One chat's messages in order; then look again."""
        try:
            for item in items:
                await self._send(item)
        except StoreUnavailable as error:
            log.error("outbox cannot be written: %s", type(error).__name__)
            await asyncio.sleep(1)
        finally:
            self._busy.pop(chat, None)
            self._wake.set()

    async def _send(self, item: OutboxItem) -> None:
        assert item.id is not None
        for attempt in range(TRIES):
            try:
                await self._deliver(item)
                return
            except RetryAfter as error:
                seconds = error.retry_after
                await asyncio.sleep(
                    seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
                )
            except (Forbidden, BadRequest) as error:
                await self._give_up(item.id, error)
                return
            except NetworkError as error:
                log.warning("send failed, try %d: %s", attempt + 1, type(error).__name__)
                await asyncio.sleep(min(0.5 * 2**attempt, 30))
            except StoreUnavailable:
                raise
            except Exception as error:
                # A message that cannot be made must not hold up the ones behind it.
                await self._give_up(item.id, error)
                return
        await self._give_up(item.id, NetworkError("too many tries"))

    async def _give_up(self, item_id: int, error: Exception) -> None:
        log.error("message given up: %s", type(error).__name__)
        async with self._store.work() as work:
            await work.outbox.failed(item_id, type(error).__name__)
            await work.commit()

    async def _deliver(self, item: OutboxItem) -> None:
        assert item.id is not None
        move = move_of(item.body)
        language, turn = str(item.body["language"]), int(str(item.body["turn"]))
        message_id: int | None = None
        keyboard = False
        match move:
            case Say():
                message_id, keyboard = await self._say(item.chat_id, move, language, turn)
            case Hand(name, _, line):
                content = file_text(move, self._words, language).encode()
                await self._bot.send_document(
                    item.chat_id,
                    io.BytesIO(content),
                    filename=name,
                    caption=self._words.markup(line, language),
                    parse_mode=ParseMode.HTML,
                )
            case Scrub(line):
                await self._scrub()
                await self._post(item.chat_id, Rendered(self._words.markup(line, language)))
        async with self._store.work() as work:
            await work.outbox.sent(item.id, message_id)
            if keyboard:
                await work.outbox.set_keyboard(item.chat_id, message_id)
            await work.commit()

    async def _say(self, chat: int, say: Say, language: str, turn: int) -> tuple[int | None, bool]:
        """Send, or edit the message with the open buttons; earlier buttons go away."""
        async with self._store.work() as work:
            earlier = await work.outbox.keyboard(chat)
        messages = render(say, self._words, language, turn)
        if say.replaces and earlier is not None and len(messages) == 1:
            edited = await self._edit(chat, earlier, messages[0])
            if edited:
                return earlier, True
        message_id: int | None = None
        for message in messages:
            message_id = await self._post(chat, message)
        has_buttons = bool(messages[-1].rows)
        if has_buttons and earlier is not None and earlier != message_id:
            await self._take_buttons_away(chat, earlier)
        return message_id, has_buttons

    async def _post(self, chat: int, message: Rendered) -> int:
        try:
            sent = await self._bot.send_message(
                chat, message.html, parse_mode=ParseMode.HTML, reply_markup=_keyboard(message)
            )
        except BadRequest as error:
            if "parse entities" not in str(error):
                raise
            log.error("markup refused; sent plain")
            sent = await self._bot.send_message(chat, message.html, reply_markup=_keyboard(message))
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
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(b.label, callback_data=b.data) for b in r] for r in message.rows]
    )

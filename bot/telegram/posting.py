"""One message of the outbox as calls of the Bot API: sent, edited, or handed over as a file."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from telegram import InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden

from bot.core.picture import Sheet
from bot.core.turn import Bring, Hand, Picture, Say, Scrub, TakeDown
from bot.telegram.polling import PatientBot
from bot.telegram.render import (
    CAPTION_LIMIT,
    Button,
    Rendered,
    Renderer,
    file_text,
    render,
    units,
)
from bot.usecases.outgoing import body_of, move_of
from bot.usecases.ports import OutboxItem

log = logging.getLogger(__name__)

HTML = ParseMode.HTML.value
"""As plain JSON has it."""
MAIN_TOPIC = 1
"""The thread id of a forum's "General", which Telegram wants left out."""
FILES_KNOWN = 200
"""Files whose Telegram id is remembered, so that the same one is not uploaded again."""

Files = Callable[[str], Awaitable[bytes | None]]
"""A file that lies with us; None when it is gone or may not be handed over any more."""


async def no_files(kept: str) -> bytes | None:
    """Nothing lies with us."""
    return None


Draw = Callable[[Sheet[str]], bytes]
"""A picture as a PNG; may take its time and raise anything."""


def no_pictures(sheet: Sheet[str]) -> bytes:
    """Nothing is drawn; what a picture would show is said in words."""
    raise NotImplementedError


Room = Callable[[], Awaitable[None]]
"""Returns once one more call may be made."""


@dataclass
class Progress:
    """How far one message has come in this run, so that a second try repeats nothing.

    `posted` counts the parts that Telegram has; `message_id` is the last one's. `is_posting` is
    True while a part is on its way: an error then leaves open whether it arrived. `then` is what
    somebody is told once this is noted.
    """

    posted: int = 0
    message_id: int | None = None
    has_buttons: bool = False
    is_posting: bool = False
    then: OutboxItem | None = None


class Poster:
    """Knows how a move becomes calls, and nothing of limits, queues or the database."""

    def __init__(
        self,
        bot: PatientBot,
        words: Renderer,
        scrub: Callable[[], Awaitable[None]],
        files: Files = no_files,
        draw: Draw = no_pictures,
    ) -> None:
        """`scrub` empties erased words from the disk; `files` gives what lies with us."""
        self._kept, self._draw = files, draw
        self._bot = bot
        self._words = words
        self._scrub = scrub
        self._files: OrderedDict[str, str] = OrderedDict()

    async def deliver(
        self, item: OutboxItem, earlier: int | None, progress: Progress, room: Room
    ) -> None:
        """Do what is left of one message; raises what the bot raises.

        `earlier` is the message this is about: to be deleted, or whose buttons are open here.
        """
        move = move_of(item.body)
        language, turn = str(item.body["language"]), int(str(item.body["turn"]))
        words = self._words
        match move:
            case Say():
                parts = render(move, words, language, turn)
                await self._say(item, move.replaces, parts, earlier, progress, room)
            case Hand(name, _, line):
                file = (name, file_text(move, words, language))
                said = words.markup(line, language), words.text(line, language)
                await self._post(item, Rendered(*said, file=file), progress, room)
            case Bring(name, kept, line, gone):
                content = await self._kept(kept)
                line = gone if content is None else line
                said = words.markup(line, language), words.text(line, language)
                held = None if content is None else (name, content)
                await self._post(item, Rendered(*said, file=held), progress, room)
            case Picture():
                await self._picture(item, move, turn, earlier, progress, room)
            case Scrub(line):
                await self._scrub()
                said = words.markup(line, language), words.text(line, language)
                await self._post(item, Rendered(*said), progress, room)
            case TakeDown(_, chat, done, stays):
                await room()
                line = done if await self._delete(item.chat_id, earlier) else stays
                progress.then = OutboxItem(chat, body_of(Say((line,)), language, 0))

    async def _say(
        self,
        item: OutboxItem,
        replaces: bool,
        parts: list[Rendered],
        earlier: int | None,
        progress: Progress,
        room: Room,
    ) -> None:
        """Send, or edit the message with the open buttons; earlier buttons go away.

        In a group they stay: each stands under words of its own, for many people.
        """
        if item.chat_id < 0:
            earlier = None
        if replaces and earlier is not None and len(parts) == 1 and progress.posted == 0:
            await room()
            if await self._edit(item.chat_id, earlier, parts[0]):
                progress.message_id, progress.has_buttons = earlier, bool(parts[0].rows)
                return
        for part in parts[progress.posted :]:
            await self._post(item, part, progress, room)
        await self._leave_one_keyboard(item, parts[-1], earlier, progress, room)

    async def _picture(
        self,
        item: OutboxItem,
        move: Picture,
        turn: int,
        earlier: int | None,
        progress: Progress,
        room: Room,
    ) -> None:
        """Send a picture with its words and buttons under it; words alone where none can be had."""
        language, words = str(item.body["language"]), self._words
        say = Say(move.lines, move.choices)
        parts = render(say, words, language, turn)
        sheet = move.sheet.worded(lambda line: words.text(line, language))
        if len(parts) == 1 and units(parts[0].plain) <= CAPTION_LIMIT:
            try:
                drawn = await asyncio.to_thread(self._draw, sheet)
            except Exception as error:
                log.error("a picture cannot be drawn: %s", type(error).__name__)
            else:
                parts = [replace(parts[0], picture=(move.name, drawn))]
        await self._say(item, False, parts, earlier, progress, room)

    async def _leave_one_keyboard(
        self, item: OutboxItem, last: Rendered, earlier: int | None, progress: Progress, room: Room
    ) -> None:
        """Only the newest message of a private chat has buttons."""
        progress.has_buttons = bool(last.rows) and item.chat_id > 0
        if progress.has_buttons and earlier is not None and earlier != progress.message_id:
            await room()
            await self._take_buttons_away(item.chat_id, earlier)

    async def _post(self, item: OutboxItem, part: Rendered, progress: Progress, room: Room) -> None:
        """Send one part and count it."""
        send = self._send_file if part.file else self._send_text
        if part.picture:
            send = self._send_picture
        await room()
        progress.is_posting = True
        progress.message_id = await send(item, part)
        progress.is_posting = False
        progress.posted += 1

    async def _send_text(self, item: OutboxItem, part: Rendered) -> int:
        topic, keyboard = _topic(item), _keyboard(part)
        try:
            sent = await self._bot.call(
                "sendMessage",
                chat_id=item.chat_id,
                text=part.html,
                parse_mode=HTML,
                reply_markup=keyboard,
                message_thread_id=topic,
            )
        except BadRequest as error:
            if "parse entities" not in str(error):
                raise
            log.error("markup refused; sent plain")
            sent = await self._bot.call(
                "sendMessage",
                chat_id=item.chat_id,
                text=part.plain,
                reply_markup=keyboard,
                message_thread_id=topic,
            )
        return int(sent["message_id"])

    async def _send_file(self, item: OutboxItem, part: Rendered) -> int:
        """Upload a file, or name one that Telegram has already."""
        assert part.file is not None
        name, held = part.file
        content = held if isinstance(held, bytes) else held.encode()
        key = hashlib.sha256(name.encode() + b"\0" + content).hexdigest()
        known = self._files.get(key)
        try:
            sent = await self._document(item, part, known or io.BytesIO(content), name)
        except BadRequest as error:
            if known is None or "file" not in str(error).lower():
                raise
            log.info("a file is no longer known; uploaded again")
            sent = await self._document(item, part, io.BytesIO(content), name)
        message_id, file_id = sent
        if file_id is not None:
            self._files[key] = file_id
            self._files.move_to_end(key)
            while len(self._files) > FILES_KNOWN:
                self._files.popitem(last=False)
        return message_id

    async def _send_picture(self, item: OutboxItem, part: Rendered) -> int:
        """Upload a picture: each is drawn for its moment, so that none is sent a second time."""
        assert part.picture is not None
        name, content = part.picture
        sent = await self._bot.send_photo(
            item.chat_id,
            io.BytesIO(content),
            filename=name,
            caption=part.html,
            parse_mode=ParseMode.HTML,
            reply_markup=self._markup(part),
            message_thread_id=_topic(item),
        )
        return sent.message_id

    def _markup(self, part: Rendered) -> InlineKeyboardMarkup | None:
        """The buttons as the library wants them beside a file."""
        keyboard = _keyboard(part)
        return InlineKeyboardMarkup.de_json(keyboard, self._bot) if keyboard else None

    async def _document(
        self, item: OutboxItem, part: Rendered, document: str | io.BytesIO, name: str
    ) -> tuple[int, str | None]:
        sent = await self._bot.send_document(
            item.chat_id,
            document,
            filename=name,
            caption=part.html,
            parse_mode=ParseMode.HTML,
            reply_markup=self._markup(part),
            message_thread_id=_topic(item),
        )
        return sent.message_id, sent.document.file_id if sent.document else None

    async def _edit(self, chat: int, message_id: int, part: Rendered) -> bool:
        """True when the message now says this; False when it has to be sent anew."""
        try:
            await self._bot.call(
                "editMessageText",
                text=part.html,
                chat_id=chat,
                message_id=message_id,
                parse_mode=HTML,
                reply_markup=_keyboard(part),
            )
        except BadRequest as error:
            return "not modified" in str(error)
        return True

    async def _delete(self, chat: int, message_id: int | None) -> bool:
        """False where Telegram won't: too old, we are no longer there, or it is not known."""
        if message_id is None:
            return False
        try:
            await self._bot.delete_message(chat, message_id)
        except BadRequest as error:
            # Gone already, by a crash of ours between deleting and noting it, or by somebody else.
            return "not found" in str(error) and "chat" not in str(error).lower()
        except Forbidden:
            return False
        return True

    async def _take_buttons_away(self, chat: int, message_id: int) -> None:
        try:
            await self._bot.call("editMessageReplyMarkup", chat_id=chat, message_id=message_id)
        except BadRequest:
            # Deleted, too old or already without buttons: there is nothing left to take away.
            log.debug("buttons were gone already")


def _topic(item: OutboxItem) -> int | None:
    return None if item.topic == MAIN_TOPIC else item.topic


def _keyboard(part: Rendered) -> dict[str, object] | None:
    if not part.rows:
        return None
    return {"inline_keyboard": [[_button(b) for b in row] for row in part.rows]}


def _button(button: Button) -> dict[str, str]:
    if button.url is not None:
        return {"text": button.label, "url": button.url}
    return {"text": button.label, "callback_data": button.data or ""}

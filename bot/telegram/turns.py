"""One turn between Telegram and the use cases: answered, shown as typing, handled, or set aside."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from telegram import (
    ChatMemberAdministrator,
    ChatMemberMember,
    ChatMemberOwner,
    ChatMemberRestricted,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.core.practice import is_opening
from bot.core.turn import Heard, Line, Prompted, Say
from bot.telegram.polling import PatientBot
from bot.telegram.render import Words
from bot.telegram.updates import Forged, Incoming, Said, Tapped
from bot.usecases.groups import Addressed, InGroups, Migrated, Standing
from bot.usecases.organized import Organized
from bot.usecases.outgoing import body_of
from bot.usecases.ports import AlreadyDone, Clock, Met, OutboxItem, Store, StoreUnavailable
from bot.usecases.residents import Residents

log = logging.getLogger(__name__)

TYPING_AFTER = 1.0
"""Seconds of reading after which the person is shown that something is happening."""
TYPING_EVERY = 4.0
"""Telegram shows it for five seconds."""
PARTING_SECONDS = 1.0
"""Seconds that stopping waits for answers to buttons."""


class Turns:
    """One turn between Telegram and the use case; see lanes.Turns."""

    def __init__(
        self,
        bot: PatientBot,
        store: Store,
        residents: Residents,
        words: Words,
        wake: Callable[[], None],
        clock: Clock,
        organized: Organized | None = None,
    ) -> None:
        """`wake` is called when there is something new in the outbox; `send` may replace it where
        it is known what.

        `organized` is what organizers and staff do; without it there are residents only.
        """
        self._organized = organized
        self._bot, self._store, self._residents = bot, store, residents
        self._words, self._wake, self._clock = words, wake, clock
        self._groups = InGroups(
            store,
            words.languages,
            clock,
            lambda: secrets.token_hex(16),
            Here(bot),
            wake,
            organized.arrived if organized else None,
        )
        self._answering: set[asyncio.Task[None]] = set()
        self.send: Callable[[Sequence[OutboxItem]], None] = lambda _: wake()
        # The sender's flood limits, for the few calls made here; the app puts them in.
        self.may_act: Callable[[int], bool] = lambda chat: True
        self.room: Callable[[int], Awaitable[None]] = _room_at_once

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
        """Give what happened to the use case it concerns."""
        try:
            await self._handle(turn, update_ids)
        except AlreadyDone:
            # What the earlier try says may still wait for somebody to send it.
            self._wake()
            raise

    async def _handle(self, turn: Incoming, update_ids: list[int]) -> None:
        match turn:
            case Said():
                await self._hear(turn, update_ids)
            case Addressed():
                await self._groups.addressed(turn, update_ids)
            case Standing():
                await self._groups.standing(turn, update_ids)
            case Migrated():
                await self._groups.moved(turn, update_ids)
            case Tapped():
                await self._tapped(turn, update_ids)
            case Forged(query_id):
                self.stop_spinning(query_id)
                await self.drop(update_ids)

    async def _hear(self, turn: Said, update_ids: list[int]) -> None:
        """Answer the button at once, then let the use case take the turn."""
        if turn.query_id is not None:
            self.stop_spinning(turn.query_id)
        typing = Typing(self, turn.sender.chat_id)
        try:
            queued: Sequence[OutboxItem] = ()
            async with self._store.work() as work:
                met = await work.meet(turn.sender.telegram_id, turn.sender.chat_id)
            if not await self._at_desk(turn, update_ids, met):
                heard = await self._prompted(turn)
                known = met if heard is turn.heard else None
                queued = await self._residents.hear(turn.sender, heard, update_ids, known)
        finally:
            typing.ends()
        if queued:
            self.send(queued)
        else:
            self._wake()

    async def _at_desk(self, turn: Said, update_ids: list[int], met: Met) -> bool:
        """Whether it was for the desk, and is done."""
        if self._organized is None or not self._organized.desk.concerns(turn.heard, met.seat):
            return False
        was = await self._organized.desk.hear(turn.sender, turn.heard, update_ids)
        if was:
            self._organized.pusher.wake()
        return was

    async def _prompted(self, turn: Said) -> Heard:
        """What was heard, with the practice prompt whose button led here; the tap is counted."""
        heard = turn.heard
        is_tap = heard.command == "start" and is_opening(heard.argument)
        if self._organized is None or not is_tap:
            return heard
        opened = await self._organized.pushing.open(heard.argument, turn.sender.telegram_id)
        if opened is None:
            return heard
        texts = {opened.language: opened.text, **opened.prompt.texts}
        prompted = Prompted(texts, opened.prompt.move, opened.group_id, opened.prompt.id)
        return replace(heard, prompted=prompted)

    async def _tapped(self, turn: Tapped, update_ids: list[int]) -> None:
        """A button in a group: the notice is for who pressed, the words are for everybody."""
        notice = None
        try:
            seen = await self._groups.pressed(turn.pressed, update_ids)
            if seen.notice is not None:
                notice = self._words.text(seen.notice, seen.language)
        finally:
            self._behind(self._answer(turn.query_id, notice))
        if seen.instead is not None and turn.message_id is not None:
            words = self._words.markup(seen.instead, seen.language)
            self._behind(self._replace(turn.pressed.chat_id, turn.message_id, words))

    def stop_spinning(self, query_id: str) -> None:
        """Answer a press, without waiting for Telegram."""
        self._behind(self._answer(query_id))

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="answering")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def drop(self, update_ids: list[int], chat: int = 0) -> None:
        """End updates that are nothing for us."""
        async with self._store.work() as work:
            await work.inbox.done(update_ids, self._clock.now(), chat)
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
            await self.room(chat)
            await self._bot.send_message(chat, text)
        except (TelegramError, StoreUnavailable) as error:
            log.warning("trouble could not be told: %s", type(error).__name__)

    async def _language(self, chat: int, of_telegram: str | None) -> str:
        """The resident's language, else the one Telegram says, else the first there is."""
        async with self._store.work() as work:
            folder = await work.folders.by_chat(chat)
        wished = (folder.resident.language if folder else None) or (of_telegram or "")[:2]
        return wished if wished in self._words.languages else self._words.languages[0]

    async def _answer(self, query_id: str, notice: str | None = None) -> None:
        try:
            await self._bot.answer_callback_query(query_id, notice)
        except BadRequest:
            # Too old after a restart: the button has stopped spinning by itself.
            log.info("a button could no longer be answered")
        except TelegramError as error:
            log.warning("a button was not answered: %s", type(error).__name__)

    async def _replace(self, chat: int, message_id: int, words: str) -> None:
        await self.room(chat)
        try:
            await self._bot.edit_message_text(words, chat, message_id, parse_mode=ParseMode.HTML)
        except TelegramError as error:
            # What was asked is done; only the buttons stay, and may be pressed again.
            log.info("a group's message was not changed: %s", type(error).__name__)

    async def show_typing(self, chat: int) -> None:
        """Again and again, until cancelled."""
        try:
            while True:
                if self.may_act(chat):
                    await self._bot.send_chat_action(chat, "typing")
                await asyncio.sleep(TYPING_EVERY)
        except TelegramError as error:
            log.info("typing not shown: %s", type(error).__name__)


class Typing:
    """Shown to somebody who waits longer than a moment; most never do, and cost a timer only."""

    def __init__(self, turns: Turns, chat: int) -> None:
        """The wait begins."""
        self._turns, self._chat = turns, chat
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(TYPING_AFTER, self._begin)

    def ends(self) -> None:
        """The wait is over."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._turns.show_typing(self._chat), name="typing")


async def _room_at_once(chat: int) -> None:
    """Nothing to wait for."""


class Here:
    """Telegram as the manners in groups need it; see usecases.groups.Telegram."""

    def __init__(self, bot: PatientBot) -> None:
        """The bot knows its own name once it has reached Telegram."""
        self._bot = bot

    @property
    def name(self) -> str:
        """The bot's own username, without @."""
        return self._bot.username

    @property
    def id(self) -> int:
        """The bot's own id."""
        return self._bot.id

    async def is_admin(self, chat_id: int, telegram_id: int) -> bool | None:
        """Whether a person is an admin of a group now; None when Telegram does not say."""
        try:
            admins = await self._bot.get_chat_administrators(chat_id)
        except TelegramError as error:
            log.info("admins not known: %s", type(error).__name__)
            return None
        holders = (ChatMemberOwner, ChatMemberAdministrator)
        return any(a.user.id == telegram_id for a in admins if isinstance(a, holders))

    async def may_write(self, chat_id: int) -> bool | None:
        """Whether the bot may write in a group now; None when Telegram does not say."""
        try:
            me = await self._bot.get_chat_member(chat_id, self._bot.id)
            if isinstance(me, ChatMemberRestricted):
                return me.is_member and me.can_send_messages
            if isinstance(me, ChatMemberMember):
                # What plain members may do is the group's setting; nobody tells when it changes.
                may = (await self._bot.get_chat(chat_id)).permissions
                return may is None or bool(may.can_send_messages)
        except TelegramError as error:
            log.info("rights not known: %s", type(error).__name__)
            return None
        return isinstance(me, ChatMemberOwner | ChatMemberAdministrator)

    async def leave(self, chat_id: int) -> None:
        """Leave a group; a bot that is not in it has left already."""
        try:
            await self._bot.leave_chat(chat_id)
        except (BadRequest, Forbidden) as error:
            log.info("a group was left already: %s", type(error).__name__)

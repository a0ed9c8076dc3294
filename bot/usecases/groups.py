"""The bot's manners in groups: it introduces itself once, answers when addressed, reads nothing.

Nobody is coached in public and nobody is quoted: every answer is one line and a way into private
chat. Whose word counts: an admin, as Telegram says at that moment, or whoever added the bot. An
anonymous admin counts as one, because Telegram lets nobody else write as the group. Somebody who
writes as a channel is nobody we could ask about, and is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from bot.core.turn import Choice, Line, Say
from bot.usecases.group_news import tell_responsible
from bot.usecases.outgoing import body_of
from bot.usecases.ports import Clock, Group, OutboxItem, PauseReason, Store, UnitOfWork

StandingName = Literal["member", "administrator", "restricted", "left"]

COMMANDS = ("start", "help", "practice", "language")
"""What anybody may ask for in a group."""
OF_ADMINS = ("leave",)
"""What an admin may ask for besides."""

OF_PRIVATE_CHAT = ("mystories", "consent", "withdraw", "mydata", "forget")
"""Commands so much our own that even without our name they are not another bot's."""

REMEMBERED = timedelta(days=30)
"""How long an introduction is remembered: brought back sooner, the bot says nothing."""
AT_ONCE = timedelta(minutes=1)
"""A /start so soon after the introduction came from the same link, and was answered by it."""
PATIENCE = timedelta(seconds=20)
"""Somebody who writes several replies in a row is told once that this is for private chat."""
PARTING = 10.0
"""Seconds that leaving waits for the parting sentence to go out."""


@dataclass(frozen=True)
class Speaker:
    """Who did something in a group. `telegram_id` is None unless it was a person under a name.

    "group" is an anonymous admin, "channel" somebody who writes as a channel.
    """

    kind: Literal["person", "group", "channel"]
    telegram_id: int | None
    language_code: str | None


@dataclass(frozen=True)
class Addressed:
    """Somebody used a command in a group, or replied to a bot. What else they wrote is not here.

    `to` is the bot a command was for, None when it named none; `replied_to` the id of the bot
    whose message was replied to; `topic` the message thread.
    """

    chat_id: int
    title: str
    by: Speaker
    command: str | None
    argument: str
    to: str | None
    replied_to: int | None
    topic: int | None


@dataclass(frozen=True)
class Pressed:
    """A button of ours pressed in a group."""

    chat_id: int
    by: Speaker
    choice: str


@dataclass(frozen=True)
class Standing:
    """What the bot may do in a chat has changed. `was_in` tells whether it was there before."""

    chat_id: int
    is_private: bool
    title: str
    standing: StandingName
    may_write: bool
    was_in: bool
    by: Speaker


@dataclass(frozen=True)
class Migrated:
    """A group became a supergroup with another id."""

    old: int
    new: int


@dataclass(frozen=True)
class Seen:
    """What a press shows: a short notice, and words in place of the message with the buttons."""

    language: str
    notice: Line | None = None
    instead: Line | None = None


class Telegram(Protocol):
    """What the manners need to know of Telegram, and the one thing they do there."""

    @property
    def name(self) -> str:
        """The bot's own username, without @."""
        ...

    @property
    def id(self) -> int:
        """The bot's own id."""
        ...

    async def is_admin(self, chat_id: int, telegram_id: int) -> bool | None:
        """Whether a person is an admin of a group now; None when Telegram does not say."""
        ...

    async def may_write(self, chat_id: int) -> bool | None:
        """Whether the bot is in a group and may write there now; None when Telegram does not say.

        A closed topic is not seen.
        """
        ...

    async def leave(self, chat_id: int) -> None:
        """Leave a group; nothing happens when the bot is not in it. Raises when out of reach."""
        ...


Arrived = Callable[[UnitOfWork, int, str], Awaitable[None]]
"""Told, within the unit of work, that an organizer brought the bot into a group, by its id."""


class InGroups:
    """What the bot does in groups, each event and its effect being one commit."""

    def __init__(
        self,
        store: Store,
        languages: Sequence[str],
        clock: Clock,
        new_id: Callable[[], str],
        telegram: Telegram,
        wake: Callable[[], None],
        arrived: Arrived | None = None,
    ) -> None:
        """`wake` is called when there is something new to send; `new_id` makes opaque ids.

        `arrived` hears who brought the bot into a group, if they organize.
        """
        self._arrived = arrived
        self._store, self._languages, self._clock = store, languages, clock
        self._new_id, self._telegram, self._wake = new_id, telegram, wake
        self._told: dict[tuple[int, int | None], datetime] = {}

    # -- what happened --------------------------------------------------------------------------

    async def standing(self, event: Standing, update_ids: Sequence[int]) -> None:
        """The bot was added, removed, promoted or restricted; or blocked, in a private chat."""
        now = self._clock.now()
        async with self._store.work() as work:
            if event.is_private:
                if event.standing == "left":
                    await work.recipients.pause(event.chat_id, "blocked", now)
                else:
                    await work.recipients.resume(event.chat_id)
            else:
                await self._group_changed(work, event, now)
            await work.inbox.done(update_ids, now, event.chat_id)
            await work.commit()
        self._wake()

    async def _group_changed(self, work: UnitOfWork, event: Standing, now: datetime) -> None:
        group = await work.groups.by_chat(event.chat_id)
        if group is None and event.standing == "left":
            return
        was_known = group is not None
        was_there = group is not None and group.standing != "left"
        group = group or self._new_group(event.chat_id, event.title, event.by, now)
        group = replace(group, standing=event.standing, title=event.title or group.title)
        why: PauseReason | None = None
        if event.standing == "left":
            why = "kicked"
        elif not event.may_write:
            why = "no_rights"
        if why is None:
            await work.recipients.resume(event.chat_id)
        elif await work.recipients.pause(event.chat_id, why, now) and was_there:
            await tell_responsible(work, event.chat_id, why, event.by.telegram_id)
        if event.standing != "left" and not event.was_in:
            group = replace(group, added_by=await _brought_by(work, group, event.by))
            if event.may_write and not _within(group.introduced_at, now, REMEMBERED):
                group = replace(group, introduced_at=now)
                await self._say(work, group, None, Line("group.introduction"))
        await work.groups.save(group)
        by = event.by.telegram_id
        if event.standing == "left" or event.was_in:
            return
        if was_known:
            await tell_responsible(work, event.chat_id, "back", by)
        if by is None or self._arrived is None:
            return
        if "organize" in await work.roles.rights(by):
            await self._arrived(work, by, group.id)

    async def moved(self, event: Migrated, update_ids: Sequence[int]) -> None:
        """Everything kept of the group follows it to its new id."""
        async with self._store.work() as work:
            if await work.recipients.moved(event.old, event.new):
                await tell_responsible(work, event.new, "moved")
            await work.inbox.done(update_ids, self._clock.now(), event.new)
            await work.commit()
        self._wake()

    async def addressed(self, event: Addressed, update_ids: Sequence[int]) -> None:
        """Answer with one line, or not at all when another bot was meant."""
        if not self._is_meant(event):
            async with self._store.work() as work:
                await work.inbox.done(update_ids, self._clock.now(), event.chat_id)
                await work.commit()
            return
        allowed = await self._may_decide(event)
        now = self._clock.now()
        async with self._store.work() as work:
            group = await self._known(work, event, now)
            if event.command == "leave" and allowed:
                parting = await self._part(work, group, event)
                await work.commit()
                self._wake()
                await self._leave(event.chat_id, parting, update_ids)
                return
            if event.command == "language" and allowed and event.argument in self._languages:
                group = replace(group, language=event.argument)
                await work.groups.save(group)
            answer = self._answer(group, event, allowed, now)
            if event.command == "start" and answer is not None:
                await work.groups.save(replace(group, introduced_at=now))
            if answer is not None:
                await self._say(work, group, event.topic, *answer)
            await work.inbox.done(update_ids, now, event.chat_id)
            await work.commit()
        self._wake()

    async def pressed(self, event: Pressed, update_ids: Sequence[int]) -> Seen:
        """Change the group's language, if it is theirs to change."""
        chosen = event.choice.removeprefix("speak:")
        allowed = await self._is_admin_or_adder(event.chat_id, event.by)
        async with self._store.work() as work:
            group = await work.groups.by_chat(event.chat_id)
            language = self._language(group)
            seen = Seen(language)
            if group is not None and chosen in self._languages:
                if allowed:
                    await work.groups.save(replace(group, language=chosen))
                    seen = Seen(chosen, instead=Line("group.language.set"))
                else:
                    key = "group.unsure" if allowed is None else "group.language.not_yours"
                    seen = Seen(language, notice=Line(key))
            await work.inbox.done(update_ids, self._clock.now(), event.chat_id)
            await work.commit()
        return seen

    # -- whom it concerns -----------------------------------------------------------------------

    def _is_meant(self, event: Addressed) -> bool:
        """True for our commands, and for replies to us that are no other bot's command."""
        if event.to is not None:
            return event.to.casefold() == self._telegram.name.casefold()
        if event.command in (*COMMANDS, *OF_ADMINS, *OF_PRIVATE_CHAT):
            return True
        return event.replied_to == self._telegram.id

    async def _may_decide(self, event: Addressed) -> bool | None:
        """For what only some may decide: whether this speaker may. None when nobody can tell."""
        if event.command == "leave":
            return await self._is_admin(event.chat_id, event.by)
        if event.command == "language" and event.argument:
            return await self._is_admin_or_adder(event.chat_id, event.by)
        return False

    async def _is_admin(self, chat_id: int, by: Speaker) -> bool | None:
        if by.telegram_id is None:
            return by.kind == "group"
        return await self._telegram.is_admin(chat_id, by.telegram_id)

    async def _is_admin_or_adder(self, chat_id: int, by: Speaker) -> bool | None:
        async with self._store.work() as work:
            group = await work.groups.by_chat(chat_id)
        if group is not None and by.telegram_id is not None and group.added_by == by.telegram_id:
            return True
        return await self._is_admin(chat_id, by)

    # -- what is said ---------------------------------------------------------------------------

    def _answer(
        self, group: Group, event: Addressed, allowed: bool | None, now: datetime
    ) -> tuple[Line, tuple[Choice, ...]] | None:
        """One line and its buttons; None when enough was said already."""
        private = (self._into_private(group),)
        match event.command:
            case "start":
                if _within(group.introduced_at, now, AT_ONCE):
                    return None
                return Line("group.introduction"), private
            case "help":
                return Line("group.help"), private
            case "practice":
                return Line("group.practice"), private
            case "language" if event.argument in self._languages:
                if allowed:
                    return Line("group.language.set"), ()
                return self._refused(event, allowed, "group.language.not_yours"), ()
            case "language":
                return Line("group.language.ask"), tuple(
                    Choice(f"speak:{code}", f"languages.names.{code}") for code in self._languages
                )
            case "leave":
                return self._refused(event, allowed, "group.leave.not_yours"), ()
            case _:
                return self._not_here(event, now, private)

    def _refused(self, event: Addressed, allowed: bool | None, key: str) -> Line:
        if event.by.kind == "channel":
            return Line("group.as_channel")
        return Line("group.unsure" if allowed is None else key)

    def _not_here(
        self, event: Addressed, now: datetime, private: tuple[Choice, ...]
    ) -> tuple[Line, tuple[Choice, ...]] | None:
        """What is for private chat, a command or a reply: said once to somebody who goes on."""
        who = (event.chat_id, event.by.telegram_id)
        self._told = {k: at for k, at in self._told.items() if now - at < PATIENCE}
        if event.command is None:
            if who in self._told:
                return None
            self._told[who] = now
        return Line("group.private"), private

    def _into_private(self, group: Group) -> Choice:
        link = f"https://t.me/{self._telegram.name}?start=g_{group.id}"
        return Choice("private", "choices.in_private", link=link)

    def _language(self, group: Group | None) -> str:
        known = group.language if group else None
        return known if known in self._languages and known is not None else self._languages[0]

    async def _say(
        self,
        work: UnitOfWork,
        group: Group,
        topic: int | None,
        line: Line,
        choices: tuple[Choice, ...] | None = None,
    ) -> int:
        """Put one line into the outbox; its id. What goes to a group is never sent twice."""
        if choices is None:
            choices = (self._into_private(group),)
        said = body_of(Say((line,), (choices,) if choices else ()), self._language(group), 0)
        (item_id,) = await work.outbox.add(
            [OutboxItem(group.chat_id, said, repeatable=False, topic=topic)]
        )
        return item_id

    # -- leaving --------------------------------------------------------------------------------

    async def _part(self, work: UnitOfWork, group: Group, event: Addressed) -> int | None:
        """Say goodbye, once: after a crash in between the bot only leaves."""
        if group.standing == "left":
            return None
        await work.groups.save(replace(group, standing="left"))
        await tell_responsible(work, event.chat_id, "asked", event.by.telegram_id)
        return await self._say(work, group, event.topic, Line("group.leaving"), ())

    async def _leave(self, chat_id: int, parting: int | None, update_ids: Sequence[int]) -> None:
        """Wait for the goodbye to go out, or to fail, then go. A failure here is tried again."""
        pause = 0.05
        waited = 0.0
        while parting is not None and waited < PARTING:
            async with self._store.work() as work:
                if await work.outbox.one(parting) is None:
                    break
            await asyncio.sleep(pause)
            waited += pause
        await self._telegram.leave(chat_id)
        async with self._store.work() as work:
            await work.recipients.pause(chat_id, "kicked", self._clock.now())
            await work.inbox.done(update_ids, self._clock.now(), chat_id)
            await work.commit()

    # -- groups ---------------------------------------------------------------------------------

    async def _known(self, work: UnitOfWork, event: Addressed, now: datetime) -> Group:
        """The group spoken in; one that the bot was in before we knew of it is noted now."""
        group = await work.groups.by_chat(event.chat_id)
        if group is None:
            group = self._new_group(event.chat_id, event.title, event.by, now)
            await work.groups.save(group)
        elif event.title and group.title != event.title:
            group = replace(group, title=event.title)
            await work.groups.save(group)
        if group.standing == "left" and event.command != "leave":
            # Whoever is spoken to is there, whatever we heard last.
            group = replace(group, standing="member")
            await work.groups.save(group)
        # Whatever kept us from writing there is tried anew when somebody speaks to us.
        await work.recipients.resume(event.chat_id)
        return group

    def _new_group(self, chat_id: int, title: str, by: Speaker, now: datetime) -> Group:
        code = (by.language_code or "")[:2]
        language = code if code in self._languages else None
        return Group(self._new_id(), chat_id, title, "member", now, language=language)


async def _brought_by(work: UnitOfWork, group: Group, by: Speaker) -> int | None:
    """Whom the bot's presence is owed to: who brought it now, unless that is somebody who does
    not organize and an organizer brought it before: then the group stays theirs."""
    new, old = by.telegram_id, group.added_by
    if old is None or (new is not None and "organize" in await work.roles.rights(new)):
        return new
    return old if "organize" in await work.roles.rights(old) else new


def _within(at: datetime | None, now: datetime, span: timedelta) -> bool:
    return at is not None and now - at < span

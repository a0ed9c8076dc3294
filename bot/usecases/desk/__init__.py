"""The desk: what organizers and staff do in their private chat, by buttons and short answers.

A room of the desk (organizing, reviewing…) knows what there is to see and to do there. The desk
knows where each person is, and makes every act, its answer and the update's end one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, cast

from bot.core.turn import Choice, Heard, Line, Move, Phrasebook, Say
from bot.usecases.outgoing import body_of
from bot.usecases.people import SPEAKS, speaks
from bot.usecases.ports import (
    Clock,
    Conflict,
    OutboxItem,
    Receipt,
    Right,
    Seat,
    Store,
    UnitOfWork,
)
from bot.usecases.residents import CONFLICT_TRIES, Sender

PREFIX = "desk."
"""Every button of the desk begins so."""


class Outside(Exception):
    """A visit has to know something from outside first; no transaction may be open meanwhile."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        """`ask` finds it out and keeps it where the room will look; then the visit is repeated."""
        super().__init__()
        self.ask = ask


@dataclass(frozen=True)
class Visit:
    """One thing a person did at the desk.

    `verb` is what they did in this room: a command's name, what a button says after the room's
    name, or what a typed answer was awaited for; `arguments` follow it. `text` is what they typed.
    `seat` may be changed by the room and is saved with the rest.
    """

    sender: Sender
    seat: Seat
    rights: frozenset[Right]
    language: str
    now: datetime
    verb: str
    arguments: tuple[str, ...] = ()
    text: str | None = None


class Room(Protocol):
    """One room of the desk. Its use cases are made over the visit's own transaction."""

    name: str
    """The first word of its buttons: `desk.<name>.<verb>.<argument>…`, at most 48 bytes."""

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """The verb and arguments that a command means in this room; None when it is not ours."""
        ...

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Act and answer. Whoever lacks the right is told so in words."""
        ...


def button(room: str, verb: str, *arguments: str, label: str, **words: str) -> Choice:
    """A button of the desk; ValueError when an argument would be read as two."""
    if any("." in a for a in arguments):
        raise ValueError("an argument of a desk button holds a full stop")
    return Choice(".".join((PREFIX + room, verb, *arguments)), label, words)


class Desk:
    """Finds the room that somebody's command, button or answer belongs to."""

    def __init__(
        self,
        store: Store,
        rooms: Sequence[Callable[[Store], Room]],
        book: Phrasebook,
        clock: Clock,
    ) -> None:
        """Each of `rooms` makes a room over the store it is given, anew for every visit."""
        self._store, self._rooms, self._book, self._clock = store, rooms, book, clock
        # What hangs on the doors: enough to see whether anything is for the desk at all.
        self._doors = [make(store) for make in rooms]

    def concerns(self, heard: Heard, seat: Seat | None) -> bool:
        """Whether something heard from whoever has this seat has to go to `hear`."""
        return bool(seat and seat.awaiting) or _place(self._doors, seat, heard) is not None

    async def hear(self, sender: Sender, heard: Heard, update_ids: Sequence[int]) -> bool:
        """Take what belongs to the desk; False, with nothing done, for what does not.

        The act, its answer and the updates' end are one commit. Raises StoreUnavailable.
        """
        for attempt in range(CONFLICT_TRIES):
            try:
                return await self._hear(sender, heard, update_ids)
            except Conflict:
                if attempt + 1 == CONFLICT_TRIES:
                    raise
            except Outside as wish:
                await wish.ask()
        raise Conflict("a visit asked outside again and again")

    async def _hear(self, sender: Sender, heard: Heard, update_ids: Sequence[int]) -> bool:
        async with self._store.work() as work:
            seat = await work.seats.of(sender.telegram_id)
            found = _place(self._doors, seat, heard)
            if found is None:
                if seat is not None and seat.awaiting and not heard.edited:
                    # They went on to something else: the next thing typed is not our answer.
                    seat.awaiting = ""
                    await work.seats.save(seat)
                    await work.commit()
                return False
            door, verb, arguments = found
            joined = Joined(self._store, work)
            room = self._rooms[door](joined)
            seat = seat or Seat(sender.telegram_id, sender.chat_id)
            is_old = heard.choice is not None and heard.turn != seat.turn
            seat.chat_id, seat.awaiting = sender.chat_id, ""
            language = await self._language(work, sender, heard)
            seat.notes[SPEAKS] = language
            visit = Visit(
                sender,
                seat,
                await work.roles.rights(sender.telegram_id),
                language,
                self._clock.now(),
                "home" if is_old else verb,
                () if is_old else arguments,
                heard.text,
            )
            await _answer(work, room, visit, [Say((Line("desk.old_button"),))] if is_old else [])
            await work.inbox.done(update_ids, self._clock.now(), sender.chat_id)
            await work.commit()
        if joined.scrub_at is not None:
            await self._store.scrub(joined.scrub_at)
        return True

    async def show(
        self, work: UnitOfWork, telegram_id: int, name: str, verb: str, *arguments: str
    ) -> None:
        """Show somebody a screen they did not ask for, within an open unit of work.

        Whoever never came to the desk sees nothing.
        """
        seat = await work.seats.of(telegram_id)
        if seat is None:
            return
        joined = Joined(self._store, work)
        room = next(r for r in (make(joined) for make in self._rooms) if r.name == name)
        rights = await work.roles.rights(telegram_id)
        language = await speaks(work, telegram_id) or self._book.languages[0]
        seat.awaiting = ""
        sender = Sender(telegram_id, seat.chat_id)
        visit = Visit(sender, seat, rights, language, self._clock.now(), verb, arguments)
        await _answer(work, room, visit, [])

    async def _language(self, work: UnitOfWork, sender: Sender, heard: Heard) -> str:
        folder = await work.folders.by_chat(sender.chat_id)
        wished = (folder.resident.language if folder else None) or (heard.language_code or "")[:2]
        return wished if wished in self._book.languages else self._book.languages[0]


async def _answer(work: UnitOfWork, room: Room, visit: Visit, first: Sequence[Move]) -> None:
    """Let the room act and answer, after what is said first."""
    moves = [*await room.visit(visit)]
    seat = visit.seat
    seat.turn += 1
    await work.seats.save(seat)
    await work.outbox.queue(
        [OutboxItem(seat.chat_id, body_of(m, visit.language, seat.turn)) for m in (*first, *moves)]
    )


def _place(
    doors: Sequence[Room], seat: Seat | None, heard: Heard
) -> tuple[int, str, tuple[str, ...]] | None:
    """The number of the room, the verb and the arguments that something heard belongs to."""
    if heard.edited or heard.other is not None:
        return None
    if heard.command is not None:
        for number, door in enumerate(doors):
            if (meant := door.verb_of(heard)) is not None:
                return number, *meant
        return None
    where = None
    if heard.choice is not None and heard.choice.startswith(PREFIX):
        where = heard.choice.removeprefix(PREFIX)
    elif heard.text is not None and seat is not None and seat.awaiting:
        where = seat.awaiting
    if where is None:
        return None
    name, _, rest = where.partition(".")
    verb, *arguments = rest.split(".")
    for number, door in enumerate(doors):
        if door.name == name:
            return number, verb, tuple(arguments)
    return None


class Joined:
    """A store whose every unit of work is part of one that is already open.

    Use cases commit as they always do; what they did lasts when the whole is committed, or goes
    with it. Scrubbing waits until then: `scrub_at` says whether one was asked for.
    """

    def __init__(self, store: Store, work: UnitOfWork) -> None:
        """`work` is the open one."""
        self._store, self._work = store, work
        self.scrub_at: datetime | None = None

    def work(self) -> UnitOfWork:
        """The open unit of work, which cannot be closed from here."""
        return cast(UnitOfWork, _Part(self._work))

    async def scrub(self, at: datetime) -> list[Receipt]:
        """Remember to scrub after the commit."""
        self.scrub_at = at
        return []

    async def empty_log(self) -> None:
        """Left to the commit of the whole."""

    async def close(self) -> None:
        """The store is not ours to close."""


class _Part:
    def __init__(self, whole: UnitOfWork) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> object:
        return getattr(self._whole, name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def commit(self, within: float = 0.0) -> None:
        return None

"""One lane per chat: its updates in order, and no chat waiting for another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from bot import plain
from bot.telegram.backlog import Backlog
from bot.telegram.ending import ended
from bot.telegram.errors import place_of
from bot.telegram.render import units
from bot.telegram.updates import Incoming, Said, incoming, joined, language_of, query_of
from bot.usecases.crew import Alone, Crew
from bot.usecases.ports import AlreadyDone, InboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)

NEAR_LIMIT = 1_300
"""UTF-16 units from which a message may be one piece of a longer paste.

Clients cut a paste at 4096 units, or at the last line or sentence end in the second half of
that; where the second half is emoji, two units each, a piece may have a third of 4096 units.
"""
QUIET_SECONDS = 0.7
"""How long to wait for the next piece of a paste, or the next picture of an album."""
RUSH_SECONDS = 0.3
"""The same, for somebody who writes on before we could answer."""
MOST_JOINED = 16_000
"""UTF-16 units joined into one turn; the screening reads no further than 20,000 characters."""
TRIES = 3
"""Times a failing update is tried before it is set aside."""
AT_ONE_TIME = 10_000
"""Updates taken up from disk at one time."""
PAUSES = (0.5, 1, 2, 5)
"""Seconds between tries while the database cannot be written."""


class Turns(Protocol):
    """What becomes of a turn; each may raise StoreUnavailable, and AlreadyDone.

    Then nothing has changed now. A disk that fails after it wrote is met at the next try, by
    AlreadyDone.
    """

    async def handle(self, turn: Incoming, update_ids: list[int]) -> None:
        """Take one turn, its updates' end included."""
        ...

    async def drop(self, update_ids: list[int], chat: int = 0) -> None:
        """End updates that are nothing for us."""
        ...

    async def attempted(self, update_ids: list[int]) -> None:
        """Count a try that failed."""
        ...

    async def set_aside(
        self, chat: int, update_ids: list[int], reason: str, language: str | None
    ) -> None:
        """Quarantine updates that cannot be handled, and tell the person."""
        ...

    def stop_spinning(self, query_id: str) -> None:
        """Answer a press whose turn could not be taken. Returns at once and raises nothing."""
        ...

    async def cannot_write(self, chat: int, language: str | None) -> None:
        """Tell a person that their message waits for the database. Raises nothing."""
        ...

    def is_phrase(self, text: str) -> bool:
        """Whether a whole message only stands for a button."""
        ...


class Lanes:
    """Takes updates from the inbox to the use case, chat by chat, oldest first."""

    def __init__(self, store: Store, turns: Turns, crew: Crew | None = None) -> None:
        """Nothing runs until `resume` or `wake`; only chats that `crew` gives us are served."""
        self._store = store
        self._crew = crew or Alone()
        self._turns = turns
        self._waiting: dict[int, deque[InboxItem]] = {}
        self._known: set[int] = set()
        self._alone: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._arrived: dict[int, asyncio.Event] = {}
        self._stuck: set[int] = set()
        self._changed = asyncio.Event()
        self._is_ending = False
        self._trouble: str | None = None
        self._backlog = Backlog(
            self._read, self._put, self._has_room, _pause_after, self._changed.set
        )
        # Whoever holds updates that are not on disk; the app puts the queue in.
        self.over: Callable[[Iterable[int]], None] = lambda ids: None
        self.rest: Callable[[Iterable[int]], Awaitable[None]] = _on_disk_already

    async def resume(self, found: Callable[[InboxItem], None] = lambda item: None) -> None:
        """Take up what is on disk, as when the program last ended. Raises StoreUnavailable.

        `found` is told of each update first.
        """
        await self._backlog.look(found)

    async def take_up(
        self, chats: Collection[int], found: Callable[[InboxItem], None] = lambda item: None
    ) -> None:
        """Take up what is on disk of some chats: of others we know all. Raises StoreUnavailable."""
        if not self._backlog.is_left:
            async with self._store.work() as work:
                items = await work.inbox.waiting_in(chats)
            for item in items:
                found(item)
                self.wake(item)
        else:
            self._backlog.go_on()

    def busy(self) -> frozenset[int]:
        """The chats in which a turn is under way."""
        return frozenset(self._tasks)

    def wake(self, item: InboxItem) -> None:
        """Put an update that is on disk in its chat's lane, once; another may serve the chat.

        It queues up behind what waits on disk, and is found there, while not all of that is here.
        """
        self._backlog.come(item)

    def begin(self, item: InboxItem) -> bool:
        """Put an update that is not on disk in its chat's lane, if it is the first there is.

        False, with nothing done, where it would have to wait.
        """
        if self._backlog.is_in_between or self._is_ending or item.chat_id in self._tasks:
            return False
        self._put(item)
        return True

    def _put(self, item: InboxItem) -> None:
        chat = item.chat_id
        if item.update_id in self._known or not self._crew.serves(chat):
            return
        self._known.add(item.update_id)
        self._waiting.setdefault(chat, deque()).append(item)
        if chat in self._arrived:
            self._arrived[chat].set()
        if chat not in self._tasks and not self._is_ending:
            self._arrived[chat] = asyncio.Event()
            self._tasks[chat] = asyncio.create_task(self._run(chat), name="lane")

    @property
    def trouble(self) -> str | None:
        """One plain sentence while turns wait for the database, otherwise None."""
        return self._trouble or self._backlog.trouble

    def retry(self) -> None:
        """There is a disk again: nobody waits for the end of a pause."""
        for chat in self._stuck:
            self._arrived[chat].set()
        self._stuck.clear()

    @property
    def is_idle(self) -> bool:
        """True when no lane can go on: all are empty, or wait for the database."""
        return not self._backlog.is_going_on and not set(self._tasks) - self._stuck

    async def idle(self) -> None:
        """Return once no lane can go on."""
        while not self.is_idle:
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, seconds: float = 4.0) -> None:
        """Let running turns end; what is left comes at the next start, from disk or Telegram."""
        self._is_ending = True
        await ended([self._tasks[chat] for chat in self._stuck])
        await self._backlog.stop()
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        await ended(late)

    # -- one lane -------------------------------------------------------------------------------

    async def _run(self, chat: int) -> None:
        queue = self._waiting[chat]
        in_a_rush = False
        try:
            while queue and not self._is_ending and self._crew.serves(chat):
                taken, turn = await self._next(chat, queue, in_a_rush)
                if await self._take(chat, taken, turn):
                    self.over(item.update_id for item in taken)
                    for item in taken:
                        queue.popleft()
                        self._known.discard(item.update_id)
                        self._alone.discard(item.update_id)
                in_a_rush = bool(queue)
        finally:
            self._tasks.pop(chat, None)
            self._arrived.pop(chat, None)
            if queue and not self._is_ending:
                # Another process serves this chat now, and finds on disk what we leave.
                for item in queue:
                    self._known.discard(item.update_id)
                    self._alone.discard(item.update_id)
                queue.clear()
            if not queue:
                self._waiting.pop(chat, None)
            self._stuck.discard(chat)
            self._backlog.go_on()
            self._changed.set()

    async def _read(self) -> tuple[list[InboxItem], bool]:
        async with self._store.work() as work:
            items = await work.inbox.waiting(AT_ONE_TIME, self._crew.lanes)
        return items, len(items) == AT_ONE_TIME

    def _has_room(self) -> bool:
        """Some of the last look may still be under way: nobody waits for the slowest turn of it."""
        return len(self._known) <= AT_ONE_TIME // 2 and not self._is_ending

    async def _next(
        self, chat: int, queue: deque[InboxItem], in_a_rush: bool
    ) -> tuple[list[InboxItem], Incoming | BaseException | None]:
        """The next turn: one update, or several messages sent in one breath.

        None for an update that is nothing for us, an error for one that cannot be read.
        """
        taken = [queue[0]]
        first = _parsed(queue[0])
        if not isinstance(first, Said) or queue[0].update_id in self._alone:
            return taken, first
        pieces, length = [first], _length(first)
        while self._may_go_on(pieces[-1]) and length < MOST_JOINED:
            is_last = len(taken) == len(queue)
            if is_last and not await self._more_comes(chat, taken, pieces[-1], in_a_rush):
                break
            following = _parsed(queue[len(taken)])
            if not isinstance(following, Said) or not self._belong(pieces[-1], following):
                break
            taken.append(queue[len(taken)])
            pieces.append(following)
            length += _length(following)
        return taken, (joined(pieces) if len(pieces) > 1 else first)

    async def _more_comes(
        self, chat: int, taken: Sequence[InboxItem], piece: Said, in_a_rush: bool
    ) -> bool:
        """Wait a moment after what looks like one piece of several."""
        is_piece = piece.album is not None or _length(piece) >= NEAR_LIMIT
        if not is_piece and not in_a_rush:
            return False
        arrived = self._arrived[chat]
        arrived.clear()
        # Telegram may bring the next only once it is told that we have this one.
        await self._now_on_disk(taken)
        try:
            await asyncio.wait_for(arrived.wait(), QUIET_SECONDS if is_piece else RUSH_SECONDS)
        except TimeoutError:
            return False
        return True

    def _may_go_on(self, piece: Said) -> bool:
        """Words and albums may have more pieces; presses, commands and phrases stand alone."""
        heard = piece.heard
        if piece.album is not None:
            return True
        if heard.text is None or heard.edited or heard.other not in (None, "forward"):
            return False
        return not self._turns.is_phrase(heard.text)

    def _belong(self, one: Said, other: Said) -> bool:
        """Pieces of one album, of one telling, or of what was forwarded together."""
        if one.album is not None or other.album is not None:
            return one.album == other.album and one.heard.edited == other.heard.edited
        return one.heard.other == other.heard.other and self._may_go_on(other)

    async def _take(
        self, chat: int, taken: list[InboxItem], turn: Incoming | BaseException | None
    ) -> bool:
        """Handle one turn, waiting out a database that cannot be written.

        False when the updates were found to need handling one by one.
        """
        tries = max(item.attempts for item in taken)
        pause = 0
        while True:
            try:
                is_over = await self._try(chat, taken, turn, tries)
            except StoreUnavailable as error:
                await self._now_on_disk(taken)
                await self._wait_for_store(chat, taken[-1], error, pause)
                pause += 1
                if not self._crew.serves(chat):
                    # Nobody's, or another's by now, who finds it on disk; so do we, should it be
                    # ours again.
                    return False
            else:
                self._stuck.discard(chat)
                if not self._stuck:
                    self._trouble = None
                if is_over:
                    return True
                if len(taken) > 1 and tries + 1 >= TRIES:
                    self._alone.update(item.update_id for item in taken)
                if len(taken) > 1 and taken[0].update_id in self._alone:
                    return False
                tries += 1
                await asyncio.sleep(0.1 * tries)

    async def _try(
        self, chat: int, taken: list[InboxItem], turn: Incoming | BaseException | None, tries: int
    ) -> bool:
        """One try: True when it is over, False to try again. Raises StoreUnavailable."""
        ids = [item.update_id for item in taken]
        error: BaseException
        if isinstance(turn, BaseException):
            error, tries = turn, TRIES
        else:
            try:
                if turn is None:
                    await self._turns.drop(ids, chat)
                else:
                    await self._turns.handle(turn, ids)
                return True
            except StoreUnavailable:
                raise
            except AlreadyDone:
                if len(taken) == 1:
                    return True
                self._alone.update(ids)
                return False
            except Exception as failed:
                error = failed
        log.error("turn failed, try %d: %s", tries + 1, place_of(error))
        await self.rest(ids)
        if tries + 1 < TRIES or len(taken) > 1:
            await self._turns.attempted(ids)
            return False
        reason = type(error).__name__
        if query_id := query_of(_update(taken[-1])):
            self._turns.stop_spinning(query_id)
        await self._turns.set_aside(chat, ids, reason, language_of(_update(taken[-1])))
        return True

    async def _now_on_disk(self, taken: Sequence[InboxItem]) -> None:
        """If it can be; otherwise Telegram is told nothing, and brings it again."""
        with contextlib.suppress(StoreUnavailable):
            await self.rest([item.update_id for item in taken])

    async def _wait_for_store(
        self, chat: int, latest: InboxItem, error: StoreUnavailable, pause: int
    ) -> None:
        self._trouble = str(error)
        log.error("turn waits: %s", type(error).__name__)
        if pause == 0 and chat > 0:
            await self._turns.cannot_write(chat, language_of(_update(latest)))
        self._stuck.add(chat)
        self._changed.set()
        arrived = self._arrived[chat]
        arrived.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), _pause_after(pause))


def _pause_after(tries: int) -> float:
    return PAUSES[min(tries, len(PAUSES) - 1)]


async def _on_disk_already(update_ids: Iterable[int]) -> None:
    """Nothing to do."""


def _update(item: InboxItem) -> Mapping[str, Any]:
    update: Mapping[str, Any] = plain.loads(item.payload)
    return update


def _parsed(item: InboxItem) -> Incoming | BaseException | None:
    """What a person did; None when it is nothing for us, an error when it cannot be read."""
    try:
        return incoming(_update(item))
    except Exception as error:
        return error


def _length(piece: Said) -> int:
    return units(piece.heard.text or "")

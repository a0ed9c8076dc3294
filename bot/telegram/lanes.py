"""One lane per chat: its updates in order, and no chat waiting for another."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from bot.telegram.render import units
from bot.telegram.updates import Incoming, incoming, joined
from bot.usecases.ports import InboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)

NEAR_LIMIT = 3_500
"""UTF-16 units after which a message is probably one piece of a longer paste."""
QUIET_SECONDS = 0.7
"""How long to wait for the next piece of a paste."""
TRIES = 3
"""Times a failing update is tried before it is set aside."""
MOST_WAITING = 10_000
"""Updates taken up from disk at one time."""
PAUSES = (0.5, 1, 2, 5, 10, 30)
"""Seconds between tries while the database cannot be written."""


class Lanes:
    """Takes updates from the inbox to the use case, chat by chat, oldest first."""

    def __init__(
        self,
        store: Store,
        handle: Callable[[Incoming, list[int]], Awaitable[None]],
        is_phrase: Callable[[str], bool],
        cannot_write: Callable[[int], Awaitable[None]],
        set_aside: Callable[[int], Awaitable[None]],
    ) -> None:
        """`handle` takes one turn. `is_phrase` tells words that stand for a button.

        `cannot_write` and `set_aside` tell a person, by chat, that we are in trouble.
        """
        self._store = store
        self._handle = handle
        self._is_phrase = is_phrase
        self._cannot_write = cannot_write
        self._set_aside = set_aside
        self._waiting: dict[int, deque[InboxItem]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._arrived: dict[int, asyncio.Event] = {}
        self._stuck: set[int] = set()
        self._changed = asyncio.Event()
        self.trouble: str | None = None

    async def resume(self) -> None:
        """Take up what was on disk when the program last ended."""
        async with self._store.work() as work:
            items = await work.inbox.waiting(MOST_WAITING)
        for item in items:
            self.wake(item)

    def wake(self, item: InboxItem) -> None:
        """Put an update in its chat's lane."""
        chat = item.chat_id
        self._waiting.setdefault(chat, deque()).append(item)
        if chat in self._arrived:
            self._arrived[chat].set()
        if chat not in self._tasks:
            self._arrived[chat] = asyncio.Event()
            self._tasks[chat] = asyncio.create_task(self._run(chat), name="lane")

    async def idle(self) -> None:
        """Return once no lane can go on: all are empty, or wait for the database."""
        while set(self._tasks) - self._stuck:
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, seconds: float = 8.0) -> None:
        """Let running turns end; what is left stays on disk for the next start."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # -- one lane -------------------------------------------------------------------------------

    async def _run(self, chat: int) -> None:
        queue = self._waiting[chat]
        try:
            while queue:
                taken, turn = await self._next(chat, queue)
                await self._take(chat, taken, turn)
                for _ in taken:
                    queue.popleft()
        finally:
            self._tasks.pop(chat, None)
            self._arrived.pop(chat, None)
            if not queue:
                self._waiting.pop(chat, None)
            self._stuck.discard(chat)
            self._changed.set()

    async def _next(
        self, chat: int, queue: deque[InboxItem]
    ) -> tuple[list[InboxItem], Incoming | None]:
        """The next turn: one update, or several messages sent in one breath."""
        taken = [queue[0]]
        first = parsed(queue[0])
        if first is None:
            return taken, None
        pieces = [first]
        while self._goes_with(pieces[-1]):
            if len(taken) == len(queue):
                if units(pieces[-1].heard.text or "") < NEAR_LIMIT and pieces[-1].album is None:
                    break
                self._arrived[chat].clear()
                try:
                    await asyncio.wait_for(self._arrived[chat].wait(), QUIET_SECONDS)
                except TimeoutError:
                    break
            following = parsed(queue[len(taken)])
            if following is None or not self._same_breath(pieces[-1], following):
                break
            taken.append(queue[len(taken)])
            pieces.append(following)
        return taken, (joined(pieces) if first.heard.text is not None else pieces[0])

    def _goes_with(self, piece: Incoming) -> bool:
        """Story text and albums may have more pieces; presses, commands and phrases stand alone."""
        if piece.album is not None:
            return True
        text = piece.heard.text
        return text is not None and not piece.heard.edited and not self._is_phrase(text)

    def _same_breath(self, one: Incoming, other: Incoming) -> bool:
        if one.album is not None:
            return one.album == other.album
        return other.album is None and self._goes_with(other)

    async def _take(self, chat: int, taken: list[InboxItem], turn: Incoming | None) -> None:
        """Handle one turn; wait out a database that cannot be written; set poison aside."""
        ids = [item.update_id for item in taken]
        tries = taken[0].attempts
        pause = 0
        while True:
            try:
                if turn is None:
                    await self._finish(ids)
                else:
                    await self._handle(turn, ids)
                self.trouble = None
                self._stuck.discard(chat)
                return
            except StoreUnavailable as error:
                self.trouble = str(error)
                log.error("turn waits: %s", type(error).__name__)
                if pause == 0 and chat > 0:
                    await self._cannot_write(chat)
                self._stuck.add(chat)
                self._changed.set()
                await asyncio.sleep(PAUSES[min(pause, len(PAUSES) - 1)])
                pause += 1
            except Exception as error:
                tries += 1
                log.error("turn failed, try %d: %s", tries, _where(error))
                if tries >= TRIES:
                    await self._quarantine(chat, ids, type(error).__name__)
                    return

    async def _finish(self, ids: list[int]) -> None:
        async with self._store.work() as work:
            await work.inbox.done(ids)
            await work.commit()

    async def _quarantine(self, chat: int, ids: list[int], reason: str) -> None:
        async with self._store.work() as work:
            await work.inbox.quarantine(ids, reason)
            await work.commit()
        await self._set_aside(chat)


def parsed(item: InboxItem) -> Incoming | None:
    """The update as what a person did; None when it is nothing for us."""
    return incoming(json.loads(item.payload))


def _where(error: BaseException) -> str:
    """An error's kind and place, never its words: they might be somebody's story."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (
        f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        if trace
        else "?"
    )
    return f"{type(error).__name__} at {place}"

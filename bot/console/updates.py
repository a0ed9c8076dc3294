"""The server's queue of updates: long polling, confirmation by offset, expiry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.console.refusal import conflict

BATCH_LIMIT = 100
LONGEST_POLL = 50.0
CALLBACK_LIFETIME = 150.0
"""Seconds a pressed button waits in the server's queue."""
RETENTION = 24 * 3600.0

DEFAULT_EXCLUDES = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True)
class _Waiting:
    id: int
    kind: str
    body: object
    since: float

    def payload(self) -> dict[str, object]:
        return {"update_id": self.id, self.kind: self.body}


class UpdateQueue:
    """Updates wait here until a later getUpdates confirms them with a higher offset."""

    def __init__(self, next_id: Callable[[], int], now: Callable[[], float]) -> None:
        self._next_id = next_id
        self._now = now
        self._pending: list[_Waiting] = []
        self._repeats: list[_Waiting] = []
        self._last: _Waiting | None = None
        self._allowed: frozenset[str] | None = None
        self._poll: asyncio.Future[None] | None = None
        self._watchers: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, kind: str, body: object) -> int | None:
        """Queue an update and wake the poll; its id, or None when this kind is not allowed."""
        if kind in DEFAULT_EXCLUDES if self._allowed is None else kind not in self._allowed:
            return None
        update = _Waiting(self._next_id(), kind, body, self._now())
        self._pending.append(update)
        self._last = update
        self._wake()
        return update.id

    def repeat_last(self) -> None:
        """Deliver the newest update once more, though it may be confirmed already."""
        if self._last is not None:
            self._repeats.append(self._last)
            self._wake()

    def allow(self, kinds: Collection[str] | None) -> None:
        """Remember which kinds to queue; None keeps the list, an empty one is the default."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def allowed(self) -> list[str]:
        """The remembered kinds, empty for the default."""
        return sorted(self._allowed or ())

    def clear(self) -> None:
        """Drop every pending update."""
        self._pending.clear()
        self._repeats.clear()
        self._tell_watchers()

    async def get(self, offset: int, limit: int, wait: float) -> list[dict[str, object]]:
        """Answer one getUpdates, waiting up to `wait` seconds for the first update.

        A second poll ends the first, which is refused with 409.
        """
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(
                conflict(
                    "terminated by other getUpdates request; "
                    "make sure that only one bot instance is running"
                )
            )
        self._poll = None
        self._confirm(offset)
        loop = asyncio.get_running_loop()
        until = loop.time() + min(wait, LONGEST_POLL)
        limit = min(max(limit, 1), BATCH_LIMIT)
        while not (batch := self._batch(limit)):
            left = until - loop.time()
            if left <= 0:
                return []
            poll = loop.create_future()
            self._poll = poll
            try:
                await asyncio.wait_for(poll, left)
            except TimeoutError:
                return []
            finally:
                if self._poll is poll:
                    self._poll = None
        return [update.payload() for update in batch]

    async def confirmed(self) -> None:
        """Return once every update put so far has been confirmed."""
        while self._pending or self._repeats:
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            del self._pending[:offset]
        else:
            self._pending = [u for u in self._pending if u.id >= offset]
        now = self._now()
        self._pending = [
            u
            for u in self._pending
            if now - u.since <= (CALLBACK_LIFETIME if u.kind == "callback_query" else RETENTION)
        ]
        self._tell_watchers()

    def _batch(self, limit: int) -> list[_Waiting]:
        batch = (self._repeats + self._pending)[:limit]
        self._repeats = self._repeats[limit:]
        return batch

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _tell_watchers(self) -> None:
        if self._pending or self._repeats:
            return
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        self._watchers.clear()

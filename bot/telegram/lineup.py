"""Who is next: every chat's waiting messages in order, replies before pushes, nobody held up."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from bot.usecases.ports import Queued, Urgency

Wait = Callable[[int, Urgency], float]
"""Seconds until a chat may be called; 0 for at once."""


class Lineup:
    """Messages by id only, so that a hundred thousand of them cost little.

    A chat is served by one sender at a time. Its replies go before its pushes, each oldest first.
    Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._chats: dict[int, dict[Urgency, list[int]]] = {}
        self._known: set[int] = set()
        self._ready: dict[Urgency, list[tuple[int, int]]] = {"reply": [], "push": []}
        self._later: list[tuple[float, int, int]] = []
        # The message by which a chat stands in `_ready` or `_later`, where it stands once.
        self._offered: dict[int, int] = {}
        self._busy: set[int] = set()
        self._paused: frozenset[int] = frozenset()

    def __len__(self) -> int:
        """How many messages wait, those to paused chats included."""
        return len(self._known)

    def add(self, message: Queued) -> None:
        """Somebody waits; a message already here stays where it is."""
        if message.id in self._known:
            return
        self._known.add(message.id)
        chat = self._chats.setdefault(message.chat_id, {"reply": [], "push": []})
        heapq.heappush(chat[message.urgency], message.id)
        self._offer(message.chat_id)

    def is_quiet(self, chat: int) -> bool:
        """Nothing waits for this chat, nothing is on its way to it, and it is not paused."""
        return chat not in self._chats and chat not in self._busy and chat not in self._paused

    def is_last(self, message: Queued) -> bool:
        """Nothing else waits for this message's chat."""
        waiting = self._chats.get(message.chat_id, {})
        return sum(map(len, waiting.values())) == 1

    def is_paused(self, chat: int) -> bool:
        """Whether this chat is passed over."""
        return chat in self._paused

    def remove(self, message: Queued) -> None:
        """The message waits no longer, or no longer in this chat."""
        self._known.discard(message.id)
        waiting = self._chats.get(message.chat_id)
        if waiting is None:
            return
        ids = waiting[message.urgency]
        if ids and ids[0] == message.id:
            heapq.heappop(ids)
        elif message.id in ids:
            ids.remove(message.id)
            heapq.heapify(ids)
        if not waiting["reply"] and not waiting["push"]:
            del self._chats[message.chat_id]

    def pause(self, chats: Iterable[int]) -> None:
        """Exactly these chats are passed over from now on."""
        before, self._paused = self._paused, frozenset(chats)
        for chat in before - self._paused:
            self._offer(chat)

    def take(self, urgency: Urgency, now: float, wait: Wait) -> Queued | None:
        """The next message that may go now; its chat is busy until `free`."""
        self._come_up(now)
        ready = self._ready[urgency]
        while ready:
            message_id, chat = heapq.heappop(ready)
            if self._offered.get(chat) != message_id:
                continue
            if self._head(chat) != (urgency, message_id):
                del self._offered[chat]
                self._offer(chat)
                continue
            seconds = wait(chat, urgency)
            if seconds > 0:
                heapq.heappush(self._later, (now + seconds, message_id, chat))
                continue
            del self._offered[chat]
            self._busy.add(chat)
            return Queued(message_id, chat, urgency)
        return None

    def free(self, chat: int) -> None:
        """The chat may be served again."""
        self._busy.discard(chat)
        self._offer(chat)

    def next_at(self) -> float | None:
        """When a chat that has to wait comes up again."""
        return self._later[0][0] if self._later else None

    def can_go_on(self) -> bool:
        """True when a message waits for a chat that is not paused."""
        return any(chat not in self._paused for chat in self._chats)

    def _come_up(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, message_id, chat = heapq.heappop(self._later)
            if self._offered.get(chat) == message_id:
                del self._offered[chat]
                self._offer(chat)

    def _offer(self, chat: int) -> None:
        head = self._head(chat)
        if head is not None and self._offered.get(chat) != head[1]:
            urgency, message_id = head
            self._offered[chat] = message_id
            heapq.heappush(self._ready[urgency], (message_id, chat))

    def _head(self, chat: int) -> tuple[Urgency, int] | None:
        """The message this chat should get next; None while it should get none."""
        waiting = self._chats.get(chat)
        if waiting is None or chat in self._busy or chat in self._paused:
            return None
        if waiting["reply"]:
            return "reply", waiting["reply"][0]
        return "push", waiting["push"][0]

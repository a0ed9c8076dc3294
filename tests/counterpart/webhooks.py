"""Deliveries to a webhook as Telegram makes them: one in flight per chat, again until it is taken.

Callbacks queue per person and membership apart from messages, as on Telegram's own server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from bot.console.chats import Json
from bot.console.updates import UpdateQueue

SECRET = "X-Telegram-Bot-Api-Secret-Token"


@dataclass(frozen=True)
class Backoff:
    """Seconds between tries. Telegram's own rise to a minute; tests have no minutes."""

    first: float = 0.05
    longest: float = 0.5
    factor: float = 2.0
    patience: float = 5.0
    """Seconds to wait for one answer."""


@dataclass
class Hook:
    """Where updates go. `last_error` is what the last failure was, as getWebhookInfo tells it."""

    url: str
    secret: str
    max_connections: int
    last_error: str | None = None
    last_error_at: int | None = None


@dataclass
class Tried:
    """One delivery: which update, and the status answered; None when nobody answered."""

    update_id: int
    status: int | None


@dataclass
class _Queue:
    waiting: deque[Json] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class HookedQueue(UpdateQueue):
    """The server's queue, which pushes to a webhook while there is one."""

    def __init__(
        self, next_id: Callable[[], int], now: Callable[[], float], backoff: Backoff | None = None
    ) -> None:
        super().__init__(next_id, now)
        self._backoff = backoff or Backoff()
        self._queues: dict[str, _Queue] = {}
        self._queued: set[int] = set()
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(40)
        self.hook: Hook | None = None
        self.tried: list[Tried] = []

    async def point(self, hook: Hook | None) -> None:
        """Deliver to this hook from now on, or to nobody."""
        await self._halt()
        self.hook = hook
        if hook is not None:
            self._client = httpx.AsyncClient(timeout=self._backoff.patience)
            self._slots = asyncio.Semaphore(hook.max_connections)
            self._spread()

    async def _halt(self) -> None:
        tasks = [q.task for q in self._queues.values() if q.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()
        self._queued.clear()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _wake(self) -> None:
        super()._wake()
        self._spread()

    def _spread(self) -> None:
        if self.hook is None:
            return
        self._confirm(0)
        for update in [*self._repeats, *self._pending]:
            again = update in self._repeats
            if update.id in self._queued and not again:
                continue
            payload = update.payload()
            queue = self._queues.setdefault(_order(payload), _Queue())
            queue.waiting.append(payload)
            self._queued.add(update.id)
            if queue.task is None:
                queue.task = asyncio.create_task(self._deliver(queue), name="webhook delivery")
        self._repeats = []

    async def _deliver(self, queue: _Queue) -> None:
        pause = self._backoff.first
        while queue.waiting:
            payload = queue.waiting[0]
            async with self._slots:
                taken = await self._post(payload)
            if taken:
                pause = self._backoff.first
                queue.waiting.popleft()
                number = int(str(payload["update_id"]))
                self._queued.discard(number)
                self._pending = [u for u in self._pending if u.id != number]
                self._tell_watchers()
            else:
                await asyncio.sleep(pause)
                pause = min(pause * self._backoff.factor, self._backoff.longest)
        queue.task = None

    async def _post(self, payload: Json) -> bool:
        assert self.hook is not None and self._client is not None
        status: int | None = None
        headers = {"content-type": "application/json"}
        if self.hook.secret:
            headers[SECRET] = self.hook.secret
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._client.post(
                self.hook.url, content=json.dumps(payload), headers=headers
            )
            status = answer.status_code
        self.tried.append(Tried(int(str(payload["update_id"])), status))
        if status is not None and 200 <= status < 300:
            return True
        self.hook.last_error = (
            f"Wrong response from the webhook: {status}" if status else "Connection refused"
        )
        self.hook.last_error_at = int(self._now())
        return False


def _order(update: Json) -> str:
    """What has to arrive in order with what."""
    for kind, body in update.items():
        if not isinstance(body, dict):
            continue
        if kind == "callback_query":
            return f"presses of {body['from']['id']}"
        chat = body.get("chat")
        of = chat.get("id") if isinstance(chat, dict) else "nobody"
        return f"members of {of}" if kind == "my_chat_member" else f"chat {of}"
    return "others"

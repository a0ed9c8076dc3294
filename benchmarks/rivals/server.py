"""A small, fast Bot API server and the people who write to the bot, in one process.

`python -m benchmarks.rivals.server PORT`. It enforces no limits. What the benchmark wants of the
people is asked under `/control/`. The path of a call is `/bot<token>/<method>` as at Telegram.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import orjson
from aiohttp import web

from benchmarks.rivals.people import People, Person, Script

TOKEN = "123456:benchmark"
ME = {
    "id": 123456, "is_bot": True, "first_name": "Bench", "username": "benchmark_bot",
    "can_join_groups": True, "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}  # fmt: skip
QUIET = 0.6
"""Seconds of silence after which a rehearsed turn is over."""
REHEARSAL = 30.0
"""Longest wait for a first answer in rehearsal; loading counts."""


class Server:
    """The Bot API's calls and the people behind them."""

    def __init__(self) -> None:
        """Nobody has called yet. Numbers begin with the time, so that no run repeats another's."""
        self._now = int(time.time())
        self._next_update = self._now % 10**8 * 20
        self._message_id = 0
        self._pending: deque[tuple[int, bytes]] = deque()
        self._came = asyncio.Event()
        self._poll = 0
        self._delivering: dict[int, bytes] = {}
        self.people = People(self._send, self._now % 10**8 * 100_000)
        self._called = asyncio.Event()
        self._hook: str | None = None
        self._secret = ""
        self._deliveries: list[asyncio.Task[None]] = []
        self._beside: set[asyncio.Task[None]] = set()

    # -- updates --------------------------------------------------------------------------------

    def _send(self, one: Person, text: str) -> int:
        self._next_update += 1
        self._message_id += 1
        name = f"P{one.id}"
        message: dict[str, Any] = {
            "message_id": self._message_id,
            "date": int(time.time()),
            "chat": {"id": one.id, "type": "private", "first_name": name},
            "from": {"id": one.id, "is_bot": False, "first_name": name, "language_code": "en"},
            "text": text,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
        update = {"update_id": self._next_update, "message": message}
        self._pending.append((self._next_update, orjson.dumps(update)))
        self._came.set()
        return self._next_update

    async def _get_updates(self, asked: Mapping[str, Any]) -> bytes:
        offset, limit = int(asked.get("offset") or 0), int(asked.get("limit") or 100)
        seconds = float(asked.get("timeout") or 0)
        self._poll += 1
        mine = self._poll
        self._called.set()
        self._came.set()
        if offset > 0:
            while self._pending and self._pending[0][0] < offset:
                self._pending.popleft()
        until = time.monotonic() + seconds
        while not self._pending and (left := until - time.monotonic()) > 0:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), left)
            if mine != self._poll:
                return orjson.dumps(
                    {"ok": False, "error_code": 409, "description": "Conflict: another getUpdates"}
                )
        batch = [self._pending[n][1] for n in range(min(limit, len(self._pending)))]
        return b'{"ok":true,"result":[' + b",".join(batch) + b"]}"

    async def _deliver(self, client: aiohttp.ClientSession) -> None:
        """Bring updates to the webhook, one after another; several of these run at a time."""
        headers = {
            "X-Telegram-Bot-Api-Secret-Token": self._secret, "Content-Type": "application/json",
        }  # fmt: skip
        while True:
            while not self._pending:
                self._came.clear()
                await self._came.wait()
            number, body = self._pending.popleft()
            self._delivering[number] = body
            while True:
                try:
                    async with client.post(self._hook or "", data=body, headers=headers) as told:
                        if told.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)
            del self._delivering[number]

    async def _set_webhook(self, asked: Mapping[str, Any]) -> None:
        for task in self._deliveries:
            task.cancel()
        self._deliveries = []
        # What was on its way is brought to the new address, as Telegram does.
        self._pending = deque(sorted([*self._pending, *self._delivering.items()]))
        self._delivering = {}
        self._hook = str(asked.get("url") or "") or None
        self._secret = str(asked.get("secret_token") or "")
        if self._hook:
            many = int(asked.get("max_connections") or 40)
            client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            self._deliveries = [asyncio.create_task(self._deliver(client)) for _ in range(many)]
            self._called.set()

    # -- calls ----------------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one call."""
        method = request.path.rpartition("/")[2]
        asked = await _read(request)
        if request.path.startswith("/control/"):
            found = await getattr(self, f"control_{method}")(**asked)
            return _json(orjson.dumps(found if found is not None else {}))
        if method == "getUpdates":
            return _json(await self._get_updates(asked))
        self.people.figures.calls += 1
        return _json(orjson.dumps({"ok": True, "result": await self._result(method, asked)}))

    async def _result(self, method: str, asked: Mapping[str, Any]) -> object:
        match method:
            case "sendMessage":
                chat, text = int(asked["chat_id"]), str(asked["text"])
                self._message_id += 1
                number = self._message_id
                self.people.answered(chat, text)
                return _message(number, chat, text)
            case "editMessageText" | "editMessageReplyMarkup":
                text = str(asked.get("text", "…"))
                return _message(int(asked["message_id"]), int(asked["chat_id"]), text)
            case "getMe":
                return ME
            case "setWebhook":
                await self._set_webhook(asked)
            case "deleteWebhook":
                await self._set_webhook({})
            case "getWebhookInfo":
                waiting = len(self._pending)
                return {
                    "url": self._hook or "", "has_custom_certificate": False,
                    "pending_update_count": waiting,
                }  # fmt: skip
            case "getMyCommands":
                return []
            case "getMyName":
                return {"name": "Bench"}
            case "getMyDescription":
                return {"description": ""}
            case "getMyShortDescription":
                return {"short_description": ""}
        return True

    # -- what the benchmark asks ----------------------------------------------------------------

    async def control_ready(self, seconds: float) -> dict[str, object]:
        """Wait until the bot fetches, or has set a webhook."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._called.wait(), seconds)
        return {"ready": self._called.is_set()}

    async def control_rehearse(self, opening: list[str], cycle: list[str]) -> dict[str, object]:
        """One person says everything, in peace; how many messages answer each line."""
        people = self.people
        people.script = Script(tuple(opening), tuple(cycle))
        one = people.person()
        expects = []
        for _ in range(len(opening) + 2 * len(cycle)):
            people.says(one)
            one.owed = 1_000_000
            until = time.perf_counter() + REHEARSAL
            while not one.heard and time.perf_counter() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            if not one.heard:
                return {"failed": f"“{people.script.line(one.step)}” is not answered"}
            while time.perf_counter() - people.last_event < QUIET:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            expects.append(len(one.heard))
            one.said_at = None
            one.step += 1
        people.script = dataclasses.replace(people.script, expects=tuple(expects))
        return {"expects": expects}

    async def control_prepare(self, people: int, at_once: int) -> dict[str, object]:
        """Bring so many people through the opening."""
        here = self.people
        fresh = [here.person() for _ in range(people - len(here.regulars))]
        here.regulars += fresh
        await self._all_say(fresh, len(here.script.opening), at_once)
        return {"people": len(here.regulars)}

    async def control_newcomers(self, count: int, at_once: int) -> dict[str, object]:
        """So many different people write once; they are not seen again."""
        begun = time.perf_counter()
        fresh = [self.people.person() for _ in range(count)]
        await self._all_say(fresh, 1, at_once)
        unanswered = 0
        for one in fresh:
            unanswered += one.step == 0
            del self.people.people[one.id]
        return {"seconds": time.perf_counter() - begun, "unanswered": unanswered}

    async def _all_say(self, fresh: list[Person], lines: int, at_once: int) -> None:
        waiting, under_way = deque(fresh), set[int]()
        while lines and (waiting or under_way):
            for id_ in [i for i in under_way if self.people.people[i].said_at is None]:
                under_way.discard(id_)
            while waiting and len(under_way) < at_once:
                one = waiting.popleft()
                one.talks, one.until_step = True, lines
                under_way.add(one.id)
                self.people.says(one)
            await asyncio.sleep(0.005)
            self.people.impatient()

    async def control_talk(self, people: int) -> None:
        """Let the first so many begin; they go on until told to stop."""
        for one in self.people.regulars[:people]:
            one.talks, one.until_step = True, None
            self.people.says(one)

    async def control_rounded(self, seconds: float) -> None:
        """Return once everybody who talks was answered at least once, or after so long."""
        steps = {one.id: one.step for one in self.people.regulars if one.talks}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if all(self.people.people[id_].step > step for id_, step in steps.items()):
                return
            await asyncio.sleep(0.05)

    async def control_mark(self) -> dict[str, object]:
        """What was seen since the last mark; begin anew."""
        self.people.impatient()
        figures, now = self.people.figures, time.perf_counter()
        self.people.figures = type(figures)(now)
        took = sorted(figures.took)

        def at(part: float) -> float:
            return took[min(len(took) - 1, int(part * len(took)))] * 1000 if took else 0.0

        return {
            "seconds": now - figures.since, "turns": figures.turns, "calls": figures.calls,
            "unanswered": figures.unanswered, "p50": at(0.5), "p95": at(0.95), "p99": at(0.99),
            "own_cpu": time.process_time(),
        }  # fmt: skip

    async def control_stop(self, seconds: float) -> dict[str, object]:
        """Nobody writes on; wait until everybody is answered."""
        for one in self.people.regulars:
            one.talks = False
        until = time.monotonic() + seconds
        while self.people.open and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for one in self.people.regulars:
            if one.said_at is not None:
                one.said_at = None
                one.step += 1
        return {"open": self.people.open}

    async def control_freeze(self) -> None:
        """The bot was killed: nobody writes on. `ready` waits for the next bot."""
        self._called.clear()
        self.people.freeze()

    async def control_settled(self, quiet: float, patience: float) -> dict[str, object]:
        """Return once everybody is answered and `quiet` seconds passed, or `patience` did."""
        begun = time.perf_counter()
        people = self.people
        while True:
            now = time.perf_counter()
            since = now - max(begun, people.last_event)
            if since > patience or (
                since > quiet and not people.open and not self._pending and not self._delivering
            ):
                return {"open": people.open, "seconds": now - begun}
            await asyncio.sleep(0.05)

    async def control_reckon(self) -> dict[str, int]:
        """What the kill did."""
        unconfirmed = {number for number, _ in self._pending} | self._delivering.keys()
        return dataclasses.asdict(self.people.reckon(unconfirmed))

    async def control_forgot(self) -> dict[str, object]:
        """For how many people the bot had lost its place after a kill; what was strange."""
        return {"people": self.people.forgot, "examples": self.people.examples}

    async def control_thaw(self) -> None:
        """Everybody goes on."""
        self.people.thaw()


async def _read(request: web.BaseRequest) -> dict[str, Any]:
    kind = request.content_type
    if not request.can_read_body:
        return dict(parse_qsl(request.query_string))
    if kind.startswith("multipart/"):
        return dict(await request.post())
    body = await request.read()
    if kind == "application/json":
        read: dict[str, Any] = orjson.loads(body) if body else {}
        return read
    return dict(parse_qsl(body.decode()))


def _message(number: int, chat: int, text: str) -> dict[str, object]:
    return {
        "message_id": number, "date": int(time.time()), "from": ME, "text": text,
        "chat": {"id": chat, "type": "private", "first_name": "P"},
    }  # fmt: skip


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def serve(port: int) -> None:
    """Answer until killed."""
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def run(main: Any) -> None:
    """The coroutine on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


if __name__ == "__main__":
    run(serve(int(sys.argv[1])))

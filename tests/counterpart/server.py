"""The strict in-process Bot API behind real HTTP, with the troubles real networks have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.console.botapi import AnswerLost, BotApi, ConnectionLost
from bot.console.call import Call
from bot.console.chats import Json
from bot.console.people import NoSuchButton
from bot.console.refusal import Refused
from tests.counterpart.calls import read_call, split
from tests.counterpart.http import HttpServer, NoAnswer, Request, Response
from tests.counterpart.webhooks import Backoff, Hook, HookedQueue

TOKEN = "4242:counterpart"
SAME_OFFSET = 0.5
"""Seconds within which Telegram's server answers a repeated offset with one update only."""


class Stalled(ConnectionLost):
    """The call hangs for `seconds`, then its connection breaks; nothing was done."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Recorded:
    """One call and its answer, as whoever checks them against the manual needs them."""

    method: str
    params: Json
    files: tuple[str, ...]
    status: int
    answer: object

    def as_json(self) -> str:
        """One line."""
        return json.dumps({**vars(self), "files": list(self.files)}, default=str)


class HttpBotApi(BotApi):
    """The in-process Bot API whose webhook is real.

    Like Telegram's own server with `--local` it brings updates to plain http too.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        token: str = TOKEN,
        now: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(path, token=token, now=now)
        self.queue = HookedQueue(lambda: self.ledger.next_id("update"), now, backoff)
        self.updates = self.queue
        self.recorded: list[Recorded] = []
        self.record = False
        self._polled: tuple[int, float] = (0, 0.0)

    async def _do(self, call: Call) -> object:
        match call.method.lower():
            case "getupdates":
                return await self._get_updates(call)
            case "setwebhook":
                return await self._set_webhook(call)
            case "deletewebhook":
                done = await super()._do(call)
                await self.queue.point(None)
                return done
            case "getwebhookinfo":
                return self._described(await super()._do(call))
            case _:
                return await super()._do(call)

    async def _get_updates(self, call: Call) -> object:
        offset, before = call.number("offset") or 0, self._polled
        if (offset, True) == (before[0], time.monotonic() - before[1] < SAME_OFFSET) and offset:
            call = Call(call.method, {**call.params, "limit": 1}, call.files)
        answer = await super()._do(call)
        if answer:
            self._polled = offset, time.monotonic()
        return answer

    async def _set_webhook(self, call: Call) -> object:
        url = call.text("url")
        secure = url.replace("http://", "https://", 1)
        done = await super()._do(Call(call.method, {**call.params, "url": secure}, call.files))
        self.webhook_url = url
        hook = Hook(url, call.text("secret_token"), call.number("max_connections") or 40)
        await self.queue.point(hook if url else None)
        return done

    def _described(self, info: object) -> object:
        hook = self.queue.hook
        if hook is None or not isinstance(info, dict):
            return info
        info = info | {"max_connections": hook.max_connections}
        if hook.last_error is not None:
            info |= {"last_error_date": hook.last_error_at, "last_error_message": hook.last_error}
        return info

    async def aclose(self) -> None:
        """End deliveries."""
        await self.queue.point(None)


class Counterpart:
    """One bot's server: `api` holds people, groups and planned faults; `http` the network."""

    def __init__(self, api: HttpBotApi) -> None:
        self.api = api
        self.http = HttpServer(self._handle)

    async def _handle(self, request: Request) -> Response:
        kind, token, rest = split(request.target)
        if kind == "file":
            status, content = self.api.download(token, rest)
            return Response(status, content, {"content-type": "application/octet-stream"})
        if kind == "bot":
            return await self._call(token, rest, request)
        return self._control(rest, request)

    async def _call(self, token: str, method: str, request: Request) -> Response:
        try:
            call = read_call(method, request)
        except ValueError:
            return _refusal(Refused(400, "Bad Request: the request body cannot be read"))
        try:
            status, body = await self.api.answer(token, call)
        except AnswerLost:
            raise NoAnswer from None
        except ConnectionLost as lost:
            raise NoAnswer(lost.seconds if isinstance(lost, Stalled) else 0.0) from None
        if self.api.record:
            answer = json.loads(body)
            self.api.recorded.append(
                Recorded(method, dict(call.params), tuple(call.files), status, answer)
            )
        headers = {"content-type": "application/json"}
        if status == 429:
            headers["retry-after"] = str(json.loads(body)["parameters"]["retry_after"])
        return Response(status, body, headers)

    # -- people, for whoever sits outside this process ------------------------------------------

    def _control(self, path: str, request: Request) -> Response:
        """`POST people/NAME/says|presses`, `GET people/NAME`, `POST faults`."""
        try:
            told = json.loads(request.body or b"{}")
            match request.method, *path.split("/"):
                case "GET", "people", name:
                    return _found(self._transcript(name))
                case "POST", "people", name, "says":
                    person = self.api.person(name, told.get("language", "en"))
                    return _found(person.says(told["text"]))
                case "POST", "people", name, "presses":
                    return _found(self.api.person(name).presses(told["button"]))
                case "POST", "faults":
                    refused = Refused(told["code"], told["description"], told.get("parameters"))
                    self.api.faults.plan(told["method"], refused, times=told.get("times", 1))
                    return _found(True)
        except (KeyError, TypeError, ValueError) as error:
            return _refusal(Refused(400, f"Bad Request: {type(error).__name__}"))
        except NoSuchButton:
            return _refusal(Refused(400, "Bad Request: there is no such button"))
        return _refusal(Refused(404, "Not Found"))

    def _transcript(self, name: str) -> list[Json]:
        return [
            {"who": e.who, "text": e.text, "buttons": e.buttons, "document": e.document}
            for e in self.api.transcript(self.api.person(name))
        ]


def _found(result: object) -> Response:
    return Response(200, json.dumps({"ok": True, "result": result}).encode())


def _refusal(refused: Refused) -> Response:
    body = {"ok": False, "error_code": refused.code, "description": refused.description}
    return Response(refused.code, json.dumps(body).encode())


@asynccontextmanager
async def serving(api: HttpBotApi | None = None) -> AsyncIterator[Counterpart]:
    """A counterpart that listens in this event loop, on a port of the machine's choice."""
    counterpart = Counterpart(api or HttpBotApi())
    await counterpart.http.comes()
    try:
        yield counterpart
    finally:
        await counterpart.api.aclose()
        await counterpart.http.goes()


async def serve_alone(port: int, path: Path | None) -> None:
    """Serve until cancelled, as a process of its own; prints where."""
    counterpart = Counterpart(HttpBotApi(path))
    counterpart.http.port = port
    await counterpart.http.comes()
    print(f"TELEGRAM_API_BASE_URL={counterpart.http.address}", flush=True)
    print(f"TELEGRAM_BOT_TOKEN={counterpart.api.token}", flush=True)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    finally:
        await counterpart.api.aclose()
        await counterpart.http.goes()

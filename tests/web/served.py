"""A Telegram for the tests of this room: the in-process Bot API over HTTP, and as a caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.console.botapi import AnswerLost, BotApi, ConnectionLost
from bot.console.call import Call, Upload
from bot.web.server import listening

SECRET = "X-Telegram-Bot-Api-Secret-Token"


@dataclass
class Served:
    """A Bot API that listens. `asked` are all calls, the newest last."""

    api: BotApi
    address: str
    asked: list[Call] = field(default_factory=list)

    def last(self, method: str) -> Call:
        """The newest call of a method."""
        return next(c for c in reversed(self.asked) if c.method.lower() == method.lower())


@asynccontextmanager
async def served(api: BotApi) -> AsyncIterator[Served]:
    """The Bot API at an address of this machine."""
    asked: list[Call] = []

    async def answer(request: Request) -> Response:
        token, method = request.path_params["token"], request.path_params["method"]
        call = _call(method, request.headers.get("content-type", ""), await request.body())
        asked.append(call)
        try:
            status, body = await api.answer(token, call)
        except (ConnectionLost, AnswerLost):
            return Response("<html>bad gateway</html>", 502)
        return Response(body, status, media_type="application/json")

    route = Route("/bot{token}/{method}", answer, methods=["GET", "POST"])
    async with listening(Starlette(routes=[route]), "127.0.0.1", 0) as port:
        yield Served(api, f"http://127.0.0.1:{port}", asked)


def _call(method: str, kind: str, body: bytes) -> Call:
    if kind.startswith("application/json"):
        return Call(method, json.loads(body))
    if not kind.startswith("multipart/"):
        return Call(method, dict(parse_qsl(body.decode(), keep_blank_values=True)))
    parts = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + kind.encode() + b"\r\n\r\n" + body
    )
    params: dict[str, object] = {}
    files: dict[str, Upload] = {}
    for part in parts.iter_parts():  # type: ignore[attr-defined]
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = Upload(part.get_filename(), content, part.get_content_type())
        else:
            params[name] = content.decode()
    return Call(method, params, files)


@dataclass
class Caller:
    """Telegram as it brings updates: one after another, again until they are taken."""

    api: BotApi
    url: str
    secret: str
    refused: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def bringing(self) -> AsyncIterator[None]:
        """Bring whatever people do, while inside."""
        task = asyncio.create_task(self._bring())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _bring(self) -> None:
        offset = 0
        async with httpx.AsyncClient() as client:
            while True:
                for update in await self.api.updates.get(offset, 1, 50):
                    answered = await self._post(client, update)
                    if answered != 200:
                        self.refused.append(answered)
                        await asyncio.sleep(0.02)
                        continue
                    offset = int(str(update["update_id"])) + 1
                    await self.api.updates.get(offset, 1, 0)

    async def _post(self, client: httpx.AsyncClient, update: Mapping[str, object]) -> int:
        try:
            answer = await client.post(
                self.url, content=json.dumps(update), headers={SECRET: self.secret}
            )
        except httpx.TransportError:
            return 0
        return answer.status_code

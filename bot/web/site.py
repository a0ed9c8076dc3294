"""What is answered over HTTP: Telegram's updates, health and figures."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

log = logging.getLogger(__name__)

SECRET = "X-Telegram-Bot-Api-Secret-Token"
"""The header in which Telegram repeats the secret given to setWebhook."""
LONGEST_BODY = 1024 * 1024
"""Bytes; an update of Telegram has some hundred thousand at the very most."""
BODY_SECONDS = 10.0
"""Longest that a body may take to arrive."""
HEALTH, METRICS = "/healthz", "/metrics"

Health = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Each part by name, with a sentence while it is in trouble."""


@dataclass(frozen=True)
class Receiver:
    """Where updates arrive. `receive` returns once one is on disk, or its turn, and else raises."""

    path: str
    secret: str
    receive: Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Page:
    """The figures: their content type, and how to make them."""

    content_type: str
    make: Callable[[], Awaitable[bytes]]


class TooLong(Exception):
    """The body is longer than any update."""


def site(
    health: Health, metrics: Page | None = None, receiver: Receiver | None = None
) -> Starlette:
    """An application with what is given; everything else is 404."""

    async def healthz(request: Request) -> Response:
        parts = await health()
        body: dict[str, object] = {"ok": not any(parts.values())}
        # The sentences may name places on this machine: they are for the log and the doctor.
        body |= {name: "trouble" if sentence else "ok" for name, sentence in parts.items()}
        return JSONResponse(body, 200 if body["ok"] else 503, {"cache-control": "no-store"})

    routes = [Route(HEALTH, healthz, methods=["GET"])]
    if metrics is not None:
        shown = metrics

        async def figures(request: Request) -> Response:
            try:
                return Response(await shown.make(), media_type=shown.content_type)
            except Exception as error:
                log.warning("no figures: %s", type(error).__name__)
                return PlainTextResponse("The figures cannot be read now.", 503)

        routes.append(Route(METRICS, figures, methods=["GET"]))
    if receiver is not None:
        taken = receiver

        async def update(request: Request) -> Response:
            return await _receive(request, taken)

        routes.append(Route(receiver.path, update, methods=["POST"]))
    return Starlette(routes=routes)


async def _receive(request: Request, receiver: Receiver) -> Response:
    """200 once the update or its turn is on disk; 500 asks Telegram to bring it again."""
    given = request.headers.get(SECRET, "").encode("latin-1")
    if not hmac.compare_digest(given, receiver.secret.encode()):
        log.warning("a request without the right secret was refused")
        return PlainTextResponse("Not for you.", 403)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _body(request)
    except TooLong:
        return PlainTextResponse("Too long.", 413)
    except (TimeoutError, ClientDisconnect):
        return PlainTextResponse("Too slow.", 408)
    try:
        await receiver.receive(body)
    except Exception as error:
        log.error("an update was not kept: %s", type(error).__name__)
        return PlainTextResponse("Not kept. Bring it again.", 500)
    return Response(status_code=200)


async def _body(request: Request) -> bytes:
    body = bytearray()
    if int(request.headers.get("content-length", "0") or "0") > LONGEST_BODY:
        raise TooLong
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise TooLong
    return bytes(body)

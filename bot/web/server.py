"""A web server inside a running event loop, without signals and logs of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PARTING_SECONDS = 1
"""Longest that ending waits for requests under way."""
MOST_BESIDE = 65_536
"""Bytes of a request beside its body; Telegram's are a few hundred."""


class PortTaken(Exception):
    """Nobody can be listened to at this address; one plain sentence."""


class _Server(uvicorn.Server):
    """Signals belong to whoever started us: they end the whole program, not the server alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Bounded(HttpToolsProtocol):
    """The parser keeps what is said beside a body, before and after it, and strangers say much."""

    _beside = 0

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        if self._beside > MOST_BESIDE and not self.transport.is_closing():
            self.send_400_response("Too long.")

    def on_body(self, body: bytes) -> None:
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside = 0
        super().on_message_complete()


@contextlib.asynccontextmanager
async def listening(site: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serve while inside; gives the port, chosen by the machine when `port` is 0.

    Raises PortTaken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                "Choose another with COACH_PORT, COACH_METRICS_PORT or COACH_HOST."
            ) from error
        config = uvicorn.Config(
            site,
            http=_Bounded,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=PARTING_SECONDS,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[place]), name="web")
        try:
            # The server tells nobody when it has begun.
            while not server.started and not serving.done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            yield place.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
    finally:
        place.close()

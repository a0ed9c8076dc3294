"""A web server inside a running event loop, without signals and logs of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette

PARTING_SECONDS = 1
"""Longest that ending waits for requests under way."""


class PortTaken(Exception):
    """Nobody can be listened to at this address; one plain sentence."""


class _Server(uvicorn.Server):
    """Signals belong to whoever started us: they end the whole program, not the server alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
            http="h11",
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

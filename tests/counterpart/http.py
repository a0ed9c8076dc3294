"""A small HTTP/1.1 server whose connections can be cut and whose port can go dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

MOST_READ = 65_536


@dataclass(frozen=True)
class Request:
    """One request; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


class NoAnswer(Exception):
    """The connection breaks after so many seconds, and nothing is answered."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class HttpServer:
    """Answers requests on 127.0.0.1; `port` stays the same when it goes away and comes back."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]]) -> None:
        """`handle` may raise NoAnswer."""
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def comes(self) -> None:
        """Begin, or go on, to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def goes(self) -> None:
        """Refuse connections, and cut the ones that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def is_away(self, seconds: float) -> None:
        """An outage: nobody answers for so long."""
        await self.goes()
        await asyncio.sleep(seconds)
        await self.comes()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._converse(h11.Connection(h11.SERVER), reader, writer)
        except NoAnswer as silence:
            await asyncio.sleep(silence.seconds)
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        except (ConnectionError, h11.RemoteProtocolError):
            # Whoever asked is gone, as after a kill: there is nobody to tell.
            writer.transport.abort()
        finally:
            self._open.pop(task, None)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _converse(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while (request := await _next(connection, reader)) is not None:
            answer = await self._handle(request)
            head = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
            for event in (
                h11.Response(status_code=answer.status, headers=head),
                h11.Data(data=answer.body),
                h11.EndOfMessage(),
            ):
                writer.write(connection.send(event) or b"")
            await writer.drain()
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next whole request; None when the other side has closed."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(MOST_READ))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                assert head is not None
                headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in head.headers}
                target = head.target.decode("latin-1")
                return Request(head.method.decode(), target, headers, bytes(body))
            case _:
                return None

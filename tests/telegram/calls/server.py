"""A server on loopback that answers byte by byte as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

GOOD = b'{"ok":true,"result":{"message_id":7}}'


def answer(body: bytes = GOOD, status: str = "200 OK", *lines: str) -> bytes:
    """One answer that says its length."""
    said = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(said).encode() + body


class Connection:
    """One connection, as the server has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def asked(self) -> bytes:
        """The next request, whole; raises IncompleteReadError when there is none any more."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        return head + await self._reader.readexactly(length)

    async def say(self, *parts: bytes) -> None:
        """Each part for itself, as the network may bring it."""
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(0.01)
            self._writer.write(part)
            await self._writer.drain()

    def hang_up(self) -> None:
        self._writer.close()


Script = Callable[[Connection, bytes], Awaitable[None]]
"""What is done about one request."""


class Server:
    """`asked` holds every request; `connections` how many were made, `open` how many are."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[bytes] = []
        self.connections = self.open = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        one = Connection(reader, writer)
        try:
            while True:
                request = await one.asked()
                self.asked.append(request)
                await self._script(one, request)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def served(script: Script, secret: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Over TLS with `secret`."""
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=secret)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if secret else 'http'}://localhost:{port}/bot1:secret/sendMessage"
    try:
        yield server
    finally:
        listening.close()


def saying(*parts: bytes) -> Script:
    """The same answer to every request."""

    async def script(connection: Connection, request: bytes) -> None:
        await connection.say(*parts)

    return script


def one_after_another(scripts: Sequence[Script]) -> Script:
    """The first request meets the first script, and so on; the last goes on."""
    left = list(scripts)

    async def script(connection: Connection, request: bytes) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(connection, request)

    return script


async def silent(connection: Connection, request: bytes) -> None:
    """Nothing."""


async def hangs_up(connection: Connection, request: bytes) -> None:
    """Nothing, and goodbye."""
    connection.hang_up()

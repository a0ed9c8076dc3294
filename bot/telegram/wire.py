"""Plain calls over open connections: a request written in one go, an answer parsed in C.

A turn makes two or three calls, and what a general client does for each (objects for request,
headers, payload, response, timers and pool) was a quarter of all a turn cost
(`python -m benchmarks.calls`). Telegram needs one thing: a POST of some JSON, and the whole answer.
So that alone is written here; parsing is httptools', connecting is aiohappyeyeballs'. Files, and
networks behind a proxy, take the general road (`bot.telegram.http`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlsplit

import aiohappyeyeballs
import httptools
from telegram.error import NetworkError, TimedOut

from bot.telegram.refusals import NeverLeft

IDLE_SECONDS = 15.0
"""How long an unused connection is kept; Telegram closes them after more than a minute."""
NAMES_SECONDS = 10.0
"""How long a name's addresses are taken to be the same."""
STAGGERED = 0.25
"""Seconds after which a second address is tried beside the first (RFC 8305)."""


class Patience(NamedTuple):
    """Seconds: for a connection, for a sign of life while waiting, and for the whole answer.

    None is for ever.
    """

    connect: float | None
    silence: float | None
    answer: float | None


class Origin(NamedTuple):
    """Where connections lead."""

    host: str
    port: int
    is_secret: bool


class Wire:
    """Connections to servers, each carrying one call at a time."""

    def __init__(self, most: int, trust: Callable[[], ssl.SSLContext], agent: str) -> None:
        """Connects to nothing yet. `most` calls are under way at one time; others wait."""
        self._room = asyncio.Semaphore(most)
        self._trust, self._agent = trust, agent
        self._heads: dict[str, tuple[Origin, bytes]] = {}
        self._idle: dict[Origin, list[_Line]] = {}
        self._names: dict[Origin, tuple[float, list[aiohappyeyeballs.AddrInfoType]]] = {}
        self._is_closed = False

    async def post(self, url: str, body: bytes, patience: Patience) -> tuple[int, bytes]:
        """Status and body of the answer to some JSON.

        Raises NeverLeft when no connection came about; TimedOut or another NetworkError when the
        call may have arrived.
        """
        known = self._heads.get(url)
        if known is None:
            known = self._heads[url] = self._head(url)
        origin, head = known
        async with self._room:
            line = self._at_rest(origin) or await self._opened(origin, patience.connect)
            try:
                answer = await line.ask(b"%b%d\r\n\r\n%b" % (head, len(body), body), patience)
            finally:
                if line.can_stay and not self._is_closed:
                    self._rests(origin, line)
                else:
                    line.close()
        return answer

    def close(self) -> None:
        """Hang up; calls under way end first, and nothing is kept of them."""
        self._is_closed = True
        for lines in self._idle.values():
            for line in lines:
                line.close()
        self._idle.clear()

    def _head(self, url: str) -> tuple[Origin, bytes]:
        parts = urlsplit(url)
        is_secret = parts.scheme == "https"
        port = parts.port or (443 if is_secret else 80)
        target = quote(parts.path or "/", safe="/:@!$&'()*+,;=~%")
        if parts.query:
            target += "?" + quote(parts.query, safe="/:@!$&'()*+,;=~%?")
        lines = (
            f"POST {target} HTTP/1.1",
            f"Host: {parts.netloc.rpartition('@')[2]}",
            "Accept: */*",
            f"User-Agent: {self._agent}",
            "Content-Type: application/json",
            "Content-Length: ",
        )
        return Origin(parts.hostname or "", port, is_secret), "\r\n".join(lines).encode("ascii")

    # -- connections ----------------------------------------------------------------------------

    def _at_rest(self, origin: Origin) -> _Line | None:
        """The connection used last; one that rested too long may be closing at the other end."""
        lines = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while lines:
            line = lines.pop()
            if line.is_open and line.since > oldest:
                return line
            line.close()
        return None

    def _rests(self, origin: Origin, line: _Line) -> None:
        lines = self._idle.setdefault(origin, [])
        line.since = asyncio.get_running_loop().time()
        lines.append(line)
        if lines[0].since < line.since - IDLE_SECONDS:
            lines.pop(0).close()

    async def _opened(self, origin: Origin, patience: float | None) -> _Line:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                connected = await aiohappyeyeballs.start_connection(
                    await self._addresses(origin), happy_eyeballs_delay=STAGGERED, interleave=1
                )
                try:
                    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                except OSError:
                    connected.close()
                    raise
                # From here on the socket is the loop's. Left in the middle of a handshake it would
                # never be let go of, so that goes on, and what comes of it is closed.
                opening = loop.create_task(
                    loop.create_connection(_Line, sock=connected, **self._secrecy(origin, patience))
                )
                try:
                    _, line = await asyncio.shield(opening)
                except asyncio.CancelledError:
                    opening.add_done_callback(_close)
                    raise
        # Their words may hold the address of the call, and so the token: only kinds are kept.
        except TimeoutError:
            raise NeverLeft("ConnectionTimeout") from None
        except (OSError, UnicodeError, RuntimeError) as error:
            self._names.pop(origin, None)
            raise NeverLeft(type(error).__name__) from None
        return line

    def _secrecy(self, origin: Origin, patience: float | None) -> dict[str, Any]:
        if not origin.is_secret:
            return {}
        return {
            "ssl": self._trust(),
            "server_hostname": origin.host,
            "ssl_handshake_timeout": patience,
        }

    async def _addresses(self, origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
        loop = asyncio.get_running_loop()
        looked_up_at, found = self._names.get(origin, (0.0, []))
        if not found or loop.time() - looked_up_at > NAMES_SECONDS:
            found = list(await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM))
            self._names[origin] = loop.time(), found
        return found


def _close(opening: asyncio.Task[tuple[asyncio.Transport, _Line]]) -> None:
    """Nobody waits for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].close()


class _Line(asyncio.Protocol):
    """One connection. `since` is when its last call was over."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body: list[bytes] = []
        self._has_head = self._says_length = False
        self._timer: asyncio.TimerHandle | None = None
        self._patience = Patience(None, None, None)
        self._deadline = 0.0
        self._heard_at = 0.0
        self.can_stay = True
        self.since = 0.0

    async def ask(self, request: bytes, patience: Patience) -> tuple[int, bytes]:
        """Status and body. Raises TimedOut or another NetworkError; then the line is closed."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        # Until all of the answer is here, whatever ends the wait leaves the line unusable.
        self.can_stay = False
        self._body.clear()
        self._has_head = self._says_length = False
        assert self._transport is not None
        self._transport.write(request)
        self._wait(patience)
        try:
            return await self._answer
        finally:
            self._answer = None
            if self._timer is not None:
                self._timer.cancel()

    @property
    def is_open(self) -> bool:
        """Whether a call may be made, as far as is known: goodbye takes a moment to be read."""
        assert self._transport is not None
        return self.can_stay and not self._transport.is_closing()

    def close(self) -> None:
        """Hang up at once."""
        self.can_stay = False
        if self._transport is not None:
            self._transport.abort()

    # -- waiting --------------------------------------------------------------------------------

    def _wait(self, patience: Patience) -> None:
        loop = asyncio.get_running_loop()
        self._patience, self._heard_at = patience, loop.time()
        self._deadline = self._heard_at + (patience.answer or 0.0)
        self._timer = None
        if waits := [one for one in (patience.silence, patience.answer) if one is not None]:
            self._timer = loop.call_later(min(waits), self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        """One timer for a call, whatever comes meanwhile."""
        loop = asyncio.get_running_loop()
        ends = []
        if self._patience.silence is not None:
            ends.append(self._heard_at + self._patience.silence)
        if self._patience.answer is not None:
            ends.append(self._deadline)
        if min(ends) <= loop.time():
            self._fails(TimedOut())
        else:
            self._timer = loop.call_at(min(ends), self._look_at_the_clock)

    def _fails(self, error: NetworkError) -> None:
        self.can_stay = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # -- what asyncio calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._answer is None or self._answer.done():
            # Nothing was asked: whatever this is, it is no answer to what will be.
            self.close()
            return
        self._heard_at = asyncio.get_running_loop().time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fails(NetworkError(type(error).__name__))

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._has_head and not self._says_length and error is None:
            # The only way left to say where the answer ends.
            self._complete(may_stay=False)
        self._fails(NetworkError("ConnectionLost"))

    # -- what httptools calls -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """One more than was asked for is no answer to what will be."""
        if self._answer is None or self._answer.done():
            self.can_stay = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """How an answer says where it ends."""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._says_length = True

    def on_headers_complete(self) -> None:
        """What follows is the body."""
        self._has_head = True

    def on_body(self, part: bytes) -> None:
        """Some of it."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """All of it."""
        self._complete(self._parser.should_keep_alive())

    def _complete(self, may_stay: bool) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            # "Go on" and the like: the answer follows.
            self._has_head = self._says_length = False
            self._body.clear()
        elif self._answer is not None and not self._answer.done():
            self.can_stay = may_stay
            self._answer.set_result((status, b"".join(self._body)))

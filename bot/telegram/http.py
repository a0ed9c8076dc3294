"""python-telegram-bot's transport: a call to Telegram at a fraction of the cost.

The library's own transport, httpx, takes many times the processor time for a call
(`python -m benchmarks.calls`), and a turn makes two or three of them. So what is plain JSON goes
over `bot.telegram.wire`; files, and everything where a proxy is set, go over aiohttp. Errors are
the same as the library's, so that `refusals.meaning` tells what became of a message.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import certifi
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot import plain
from bot.telegram.refusals import NeverLeft
from bot.telegram.wire import IDLE_SECONDS, Wire
from bot.telegram.wire import Patience as Waits

CONNECTIONS = 256
"""Open at one time; the sender and the lanes together never ask for as many."""
CONNECT_SECONDS, READ_SECONDS, WRITE_SECONDS, MEDIA_SECONDS = 5.0, 5.0, 5.0, 20.0
"""The library's own patience."""


class HttpRequest(BaseRequest):
    """Implements the library's BaseRequest."""

    def __init__(self, connections: int = CONNECTIONS) -> None:
        """Connects to nothing yet."""
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._wire: Wire | None = None

    @property
    def read_timeout(self) -> float | None:
        """Seconds to wait for an answer, where a call does not say."""
        return READ_SECONDS

    async def initialize(self) -> None:
        """Get ready; again after a shutdown."""
        if self._session is None:
            # Looked up once here: for each call it would cost more than the call.
            is_behind_a_proxy = bool(getproxies())
            if not is_behind_a_proxy:
                self._wire = Wire(self._connections, _trusting, self.USER_AGENT)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=IDLE_SECONDS, ssl=_trusting()
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
                trust_env=is_behind_a_proxy,
            )

    async def shutdown(self) -> None:
        """Close every connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """What Telegram answered. Raises TelegramError when it is no JSON."""
        try:
            try:
                return plain.loads(payload)
            except UnicodeDecodeError:
                return plain.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            # Its words may be somebody's: they are not logged, as the library does.
            raise TelegramError("Invalid server response") from None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body. Raises TimedOut, NeverLeft or another NetworkError."""
        if self._session is None:
            raise RuntimeError("This HttpRequest is not initialized!")
        has_files = request_data is not None and request_data.contains_files
        connect = _chosen(connect_timeout, CONNECT_SECONDS)
        read = _chosen(read_timeout, READ_SECONDS)
        write = _chosen(write_timeout, MEDIA_SECONDS if has_files else WRITE_SECONDS)
        if self._wire is not None and method == "POST" and not has_files and _is_plain(url):
            body = plain.written(request_data.parameters) if request_data is not None else b"{}"
            return await self._wire.post(url, body, _waits(connect, read, write))
        try:
            async with self._session.request(
                method,
                url,
                timeout=_timeout(connect, read, write),
                **_body(request_data, has_files),
            ) as answer:
                return answer.status, await answer.read()
        # Their words may hold the address of the call, and so the token: only kinds are kept.
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise NeverLeft(type(error).__name__) from None
        except TimeoutError:
            raise TimedOut from None
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from None


def _chosen(given: Any, usual: float) -> float | None:
    return usual if isinstance(given, type(BaseRequest.DEFAULT_NONE)) else given


@cache
def _is_plain(url: str) -> bool:
    """Whether nothing in an address asks for more than a connection and a path."""
    return url.isascii() and urlsplit(url).username is None


@cache
def _waits(connect: float | None, read: float | None, write: float | None) -> Waits:
    return Waits(connect, read, None if read is None or write is None else read + write)


@cache
def _timeout(
    connect: float | None, read: float | None, write: float | None
) -> aiohttp.ClientTimeout:
    """aiohttp knows no patience for writing alone, so all of a call has that of its parts."""
    total = None if None in (connect, read, write) else (connect or 0) + (read or 0) + (write or 0)
    return aiohttp.ClientTimeout(total=total, connect=connect, sock_read=read)


def _body(data: RequestData | None, has_files: bool) -> dict[str, Any]:
    if data is None:
        return {}
    if not has_files:
        return {
            "data": plain.written(data.parameters),
            "headers": {"Content-Type": "application/json"},
        }
    form = aiohttp.FormData()
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for part, (name, content, mime_type) in data.multipart_data.items():
        form.add_field(part, content, filename=name, content_type=mime_type)
    return {"data": form}


@cache
def _trusting() -> ssl.SSLContext:
    """What this machine trusts, and what browsers do, for machines that trust nobody yet."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

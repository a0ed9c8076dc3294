"""python-telegram-bot's transport, answered by the in-process Bot API."""

from __future__ import annotations

from typing import IO
from urllib.parse import unquote, urlsplit

from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.console.botapi import AnswerLost, BotApi, ConnectionLost
from bot.console.call import Call, Upload


class InProcessRequest(BaseRequest):
    """Carries PTB's calls to a BotApi without a network.

    Use one for `request` and one for `get_updates_request`. A planned ConnectionLost becomes
    NetworkError, AnswerLost becomes TimedOut, as with real HTTP.
    """

    def __init__(self, api: BotApi) -> None:
        self._api = api

    @property
    def read_timeout(self) -> float | None:
        """PTB's usual five seconds; nothing here waits on a network."""
        return 5.0

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Answer a method call, or the download of a file."""
        path = unquote(urlsplit(url).path)
        where, _, rest = path.partition("/bot")
        token, _, name = rest.partition("/")
        if where.endswith("/file"):
            return self._api.download(token, name)
        call = Call(
            name,
            request_data.parameters if request_data else {},
            _uploads(request_data) if request_data else {},
        )
        try:
            return await self._api.answer(token, call)
        except ConnectionLost:
            raise NetworkError("httpx.ConnectError: All connection attempts failed") from None
        except AnswerLost:
            raise TimedOut from None


def _uploads(data: RequestData) -> dict[str, Upload]:
    uploads = {}
    for part, (name, content, mime_type) in data.multipart_data.items():
        uploads[part] = Upload(str(name), _content(content), str(mime_type))
    return uploads


def _content(content: bytes | IO[bytes]) -> bytes:
    return content if isinstance(content, bytes) else content.read()

"""python-telegram-bot's transport: two roads, and whoever calls cannot tell which was taken."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator

import pytest
from telegram.error import NetworkError, TelegramError, TimedOut

from bot.telegram.http import HttpRequest
from bot.telegram.polling import PatientBot
from bot.telegram.refusals import NotSent, Slow, Unsure, meaning
from tests.telegram.calls.server import (
    answer,
    hangs_up,
    saying,
    served,
    silent,
)

ROADS = ["wire", "general"]


@pytest.fixture(params=ROADS)
async def request_by_road(request: pytest.FixtureRequest) -> AsyncIterator[HttpRequest]:
    made = HttpRequest()
    await made.initialize()
    if request.param == "general":
        # As where a proxy is set; the calls then need none.
        made._wire = None
    yield made
    await made.shutdown()


def bot_at(url: str, request: HttpRequest) -> PatientBot:
    """A bot whose server is the one of this address."""
    base = url.partition("/bot1:secret/")[0] + "/bot"
    return PatientBot("1:secret", base_url=base, request=request)


async def test_what_is_asked_is_json_and_so_is_the_answer(request_by_road: HttpRequest) -> None:
    async with served(saying(answer('{"ok":true,"result":{"text":"señal"}}'.encode()))) as server:
        bot = bot_at(server.url, request_by_road)
        said = await bot.call("sendMessage", chat_id=7, text="señal", reply_markup={"a": [[1]]})
        assert said == {"text": "señal"}
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert json.loads(body) == {"chat_id": 7, "text": "señal", "reply_markup": {"a": [[1]]}}
    assert b"POST /bot1:secret/sendMessage HTTP/1.1" in head
    assert b"content-type: application/json" in head.lower()


async def test_a_refusal_is_telegrams_own(request_by_road: HttpRequest) -> None:
    slow = b'{"ok":false,"description":"Too Many","parameters":{"retry_after":3}}'
    async with served(saying(answer(slow, "429 Too Many Requests"))) as server:
        with pytest.raises(TelegramError) as error:
            await bot_at(server.url, request_by_road).call("sendMessage", chat_id=7)
    assert meaning(error.value, 7) == Slow(3)


async def test_nobody_listens(request_by_road: HttpRequest) -> None:
    async with served(silent) as server:
        url = server.url
    with pytest.raises(NetworkError) as error:
        await bot_at(url, request_by_road).call("sendMessage", chat_id=7)
    assert meaning(error.value, 7) == NotSent()
    assert "secret" not in repr(error.value)


async def test_no_answer_comes(request_by_road: HttpRequest) -> None:
    async with served(silent) as server:
        with pytest.raises(TimedOut) as error:
            await request_by_road.post(server.url, read_timeout=0.1)
    assert meaning(error.value, 7) == Unsure()


@pytest.mark.parametrize("script", [hangs_up, saying(b"nonsense\r\n\r\n"), saying(answer(b"{"))])
async def test_no_answer_that_can_be_read(request_by_road: HttpRequest, script: object) -> None:
    async with served(script) as server:  # type: ignore[arg-type]
        with pytest.raises(TelegramError) as error:
            await bot_at(server.url, request_by_road).call("sendMessage", chat_id=7)
    assert meaning(error.value, 7) == Unsure()
    assert "secret" not in repr(error.value)


async def test_a_file_and_words_go_over_the_same_request(request_by_road: HttpRequest) -> None:
    sent = b'{"ok":true,"result":{"message_id":7,"date":0,"chat":{"id":7,"type":"private"}}}'
    async with served(saying(answer(sent))) as server:
        bot = bot_at(server.url, request_by_road)
        await bot.send_document(7, io.BytesIO(b"my story"), filename="story.txt")
        await bot.call("sendMessage", chat_id=7)
    upload, words = server.asked
    assert b"sendMessage" in words
    assert b"multipart/form-data" in upload and b"my story" in upload


async def test_where_a_proxy_is_set_everything_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(saying(answer())) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.partition("/bot1")[0])
        monkeypatch.setenv("no_proxy", "")
        request = HttpRequest()
        await request.initialize()
        try:
            await bot_at("http://telegram.example/bot1:secret/x", request).call("getMe")
        finally:
            await request.shutdown()
    assert proxy.asked[0].startswith(b"POST http://telegram.example/bot1:secret/getMe ")


async def test_a_server_that_wants_a_password_gets_it(request_by_road: HttpRequest) -> None:
    async with served(saying(answer())) as server:
        url = server.url.replace("http://", "http://ana:pass@")
        await bot_at(url, request_by_road).call("getMe")
    assert b"Basic YW5hOnBhc3M=" in server.asked[0]


async def test_before_and_after_there_is_no_calling() -> None:
    request = HttpRequest()
    with pytest.raises(NetworkError, match="not initialized"):
        await request.post("http://localhost:1/bot1:x/getMe")
    async with served(saying(answer())) as server:
        for _ in range(2):
            await request.initialize()
            assert await request.post(server.url) == {"message_id": 7}
            await request.shutdown()
    with pytest.raises(NetworkError, match="not initialized"):
        await request.post(server.url)

"""The counterpart is as strict over HTTP as Telegram's own server is known to be."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.console.botapi import AnswerLost
from tests.commands.shell import REPOSITORY
from tests.counterpart.http import HttpServer, Request, Response
from tests.counterpart.server import Counterpart, Stalled, serving
from tests.counterpart.webhooks import SECRET
from tests.telegram.stage import eventually


@pytest.fixture
async def there() -> AsyncIterator[Counterpart]:
    async with serving() as counterpart:
        yield counterpart


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


async def call(there: Counterpart, client: httpx.AsyncClient, method: str, **given: Any) -> Any:
    address = f"{there.http.address}/bot{there.api.token}/{method}"
    answer = await client.post(address, data={k: str(v) for k, v in given.items()})
    return answer.json()


class Taker:
    """Somebody a webhook delivers to; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.server = HttpServer(self.take)

    async def take(self, request: Request) -> Response:
        self.bodies.append(json.loads(request.body))
        self.secrets.append(request.headers.get(SECRET.lower()))
        return Response(self.status, b"")

    def texts(self) -> list[str]:
        return [body["message"]["text"] for body in self.bodies]


@pytest.fixture
async def taker() -> AsyncIterator[Taker]:
    taker = Taker()
    await taker.server.comes()
    yield taker
    await taker.server.goes()


async def test_form_json_query_and_multipart_say_the_same(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    ana = there.api.person("Ana")
    ana.says("hello")
    address = f"{there.http.address}/bot{there.api.token}/sendMessage"
    said = {"chat_id": str(ana.id), "text": "four & <ways>"}
    for answer in (
        await client.post(address, data=said),
        await client.post(address, json=said),
        await client.get(address, params=said),
        await client.post(address, data=said, files={"none": ("", b"")}),
    ):
        assert answer.json()["result"]["text"] == "four & <ways>", answer.text


async def test_a_file_arrives_byte_for_byte(there: Counterpart, client: httpx.AsyncClient) -> None:
    ana = there.api.person("Ana")
    ana.says("hello")
    content = bytes(range(256)) + b"\r\n--not a boundary\r\n"
    address = f"{there.http.address}/bot{there.api.token}/sendDocument"
    await client.post(
        address, data={"chat_id": str(ana.id)}, files={"document": ("a.bin", content)}
    )
    entry = there.api.transcript(ana)[-1]
    assert (entry.document, entry.content) == ("a.bin", content)


async def test_a_wrong_token_and_an_unknown_method_are_refused(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    wrong = await client.post(f"{there.http.address}/bot1:wrong/getMe")
    assert (wrong.status_code, wrong.json()["description"]) == (401, "Unauthorized")
    assert (await call(there, client, "sendNothing"))["error_code"] == 404


async def test_an_update_stays_until_a_higher_offset_confirms_it(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    there.api.person("Ana").says("once")
    first = await call(there, client, "getUpdates")
    again = await call(there, client, "getUpdates")
    assert first["result"] == again["result"] and len(first["result"]) == 1
    beyond = first["result"][0]["update_id"] + 1
    assert (await call(there, client, "getUpdates", offset=beyond))["result"] == []


async def test_a_long_poll_waits_for_the_first_update_and_a_second_poller_ends_it(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(call(there, client, "getUpdates", timeout=5))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(call(there, client, "getUpdates", timeout=5))
    assert (await waiting)["error_code"] == 409
    there.api.person("Ana").says("here")
    assert [u["message"]["text"] for u in (await second)["result"]] == ["here"]


async def test_the_same_offset_again_at_once_is_answered_with_one_update(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    ana = there.api.person("Ana")
    ana.says("zero")
    offset = (await call(there, client, "getUpdates"))["result"][0]["update_id"] + 1
    for text in ("one", "two", "three"):
        ana.says(text)
    assert len((await call(there, client, "getUpdates", offset=offset))["result"]) == 3
    assert len((await call(there, client, "getUpdates", offset=offset))["result"]) == 1


async def test_a_429_says_for_how_long_in_body_and_header(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    there.api.faults.too_many_requests("getMe", 7)
    answer = await client.post(f"{there.http.address}/bot{there.api.token}/getMe")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "7"
    assert answer.json()["parameters"] == {"retry_after": 7}


async def test_a_lost_answer_leaves_the_message_there_and_a_stalled_call_does_nothing(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    ana = there.api.person("Ana")
    ana.says("hello")
    there.api.faults.plan("sendMessage", AnswerLost())
    with pytest.raises(httpx.TransportError):
        await call(there, client, "sendMessage", chat_id=ana.id, text="arrived")
    there.api.faults.plan("sendMessage", Stalled(0.05))
    with pytest.raises(httpx.TransportError):
        await call(there, client, "sendMessage", chat_id=ana.id, text="never")
    assert [e.text for e in there.api.transcript(ana)] == ["hello", "arrived"]


async def test_in_an_outage_nobody_answers_and_then_the_same_port_does(
    there: Counterpart, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(call(there, client, "getUpdates", timeout=5))
    await asyncio.sleep(0.05)
    outage = asyncio.create_task(there.http.is_away(0.2))
    with pytest.raises(httpx.TransportError):
        await waiting
    with pytest.raises(httpx.ConnectError):
        await call(there, client, "getMe")
    await outage
    assert (await call(there, client, "getMe"))["ok"]


async def test_a_webhook_gets_every_update_with_its_secret_one_at_a_time_per_chat(
    there: Counterpart, client: httpx.AsyncClient, taker: Taker
) -> None:
    ana, ben = there.api.person("Ana"), there.api.person("Ben")
    ana.says("before")
    url = f"{taker.server.address}/hook"
    assert (await call(there, client, "setWebhook", url=url, secret_token="word"))["ok"]
    for number in range(5):
        ana.says(f"ana {number}")
        ben.says(f"ben {number}")
    await there.api.updates.confirmed()
    assert set(taker.secrets) == {"word"}
    of_ana = [t for t in taker.texts() if not t.startswith("ben")]
    assert of_ana == ["before", *(f"ana {n}" for n in range(5))]
    assert len(taker.bodies) == 11
    assert (await call(there, client, "getUpdates"))["error_code"] == 409


async def test_what_a_webhook_does_not_take_comes_again_and_holds_up_only_its_chat(
    there: Counterpart, client: httpx.AsyncClient, taker: Taker
) -> None:
    ana = there.api.person("Ana")
    await call(there, client, "setWebhook", url=f"{taker.server.address}/hook")
    taker.status = 500
    ana.says("first")
    ana.says("second")
    await eventually(lambda: len(taker.bodies) >= 3)
    assert set(taker.texts()) == {"first"}
    info = (await call(there, client, "getWebhookInfo"))["result"]
    assert info["pending_update_count"] == 2 and "500" in info["last_error_message"]
    taker.status = 200
    await there.api.updates.confirmed()
    assert taker.texts()[-2:] == ["first", "second"]


async def test_without_the_webhook_what_was_not_taken_can_be_polled(
    there: Counterpart, client: httpx.AsyncClient, taker: Taker
) -> None:
    await taker.server.goes()
    await call(there, client, "setWebhook", url=f"{taker.server.address}/hook")
    there.api.person("Ana").says("still here")
    await eventually(lambda: bool(there.api.queue.tried))
    await call(there, client, "deleteWebhook")
    updates = (await call(there, client, "getUpdates"))["result"]
    assert [u["message"]["text"] for u in updates] == ["still here"]


async def test_it_serves_as_a_process_of_its_own_with_people_to_be_spoken_for(
    client: httpx.AsyncClient,
) -> None:
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.counterpart", cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert serving.stdout is not None
        told = {}
        for _ in range(2):
            line = await asyncio.wait_for(serving.stdout.readline(), 20)
            name, _, value = line.decode().strip().partition("=")
            told[name] = value
        address = told["TELEGRAM_API_BASE_URL"]
        bot = f"{address}/bot{told['TELEGRAM_BOT_TOKEN']}"
        await client.post(f"{address}/people/Ana/says", json={"text": "hello"})
        chat = (await client.post(f"{bot}/getUpdates")).json()["result"][0]["message"]["chat"]["id"]
        buttons = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
        asked = {"chat_id": chat, "text": "Well?", "reply_markup": buttons}
        await client.post(f"{bot}/sendMessage", json=asked)
        await client.post(f"{address}/people/Ana/presses", json={"button": "Yes"})
        shown = (await client.get(f"{address}/people/Ana")).json()["result"]
        assert [(e["who"], e["text"]) for e in shown] == [("Ana", "hello"), ("bot", "Well?")]
        pressed = (await client.post(f"{bot}/getUpdates")).json()["result"]
        assert pressed[-1]["callback_query"]["data"] == "y"
        fault = {"method": "getMe", "code": 500, "description": "Internal Server Error"}
        await client.post(f"{address}/faults", json=fault)
        assert (await client.post(f"{bot}/getMe")).status_code == 500
    finally:
        serving.terminate()
        await serving.wait()

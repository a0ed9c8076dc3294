"""What is answered over HTTP, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from bot.web.server import PortTaken, listening
from bot.web.site import LONGEST_BODY, Page, Receiver, site
from tests.web.served import SECRET

WORD = "sesame_1-2"
CHUNKED = b"POST /telegram HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"


@dataclass
class Visited:
    """A site that listens, and what stands behind it."""

    client: httpx.AsyncClient
    port: int
    received: list[bytes] = field(default_factory=list)
    parts: dict[str, str | None] = field(default_factory=lambda: {"database": None, "lanes": None})
    trouble: Exception | None = None

    async def receive(self, body: bytes) -> None:
        if self.trouble:
            raise self.trouble
        self.received.append(body)

    async def health(self) -> dict[str, str | None]:
        return self.parts

    async def figures(self) -> bytes:
        if self.trouble:
            raise self.trouble
        return b"coach_turns_total 3\n"


@pytest.fixture
async def visited() -> AsyncIterator[Visited]:
    visited = Visited(httpx.AsyncClient(), 0)
    application = site(
        visited.health,
        Page("text/plain; version=0.0.4", visited.figures),
        Receiver("/telegram", WORD, visited.receive),
    )
    async with listening(application, "127.0.0.1", 0) as port, visited.client:
        visited.port = port
        visited.client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        yield visited


async def test_an_update_with_the_secret_is_received_and_answered_200(visited: Visited) -> None:
    answer = await visited.client.post("/telegram", content=b"{}", headers={SECRET: WORD})
    assert (answer.status_code, answer.content, visited.received) == (200, b"", [b"{}"])


@pytest.mark.parametrize("given", [None, "", "wrong", WORD[:-1], WORD + "x", WORD.upper(), "ñandú"])
async def test_a_wrong_webhook_secret_gets_403_and_nothing_is_received(
    visited: Visited, given: str | None
) -> None:
    headers = {} if given is None else {SECRET: given.encode("utf-8")}
    answer = await visited.client.post("/telegram", content=b"{}", headers=headers)
    assert (answer.status_code, visited.received) == (403, [])


async def test_the_secret_is_asked_for_before_the_body_is_read(visited: Visited) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", visited.port)
    writer.write(b"POST /telegram HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(5):
        assert b"403" in await reader.readline()
    writer.close()


async def test_what_is_not_kept_is_answered_500_so_that_it_comes_again(visited: Visited) -> None:
    visited.trouble = RuntimeError("periwinkle")
    answer = await visited.client.post("/telegram", content=b"{}", headers={SECRET: WORD})
    assert answer.status_code == 500 and "periwinkle" not in answer.text


async def test_a_body_longer_than_any_update_is_not_taken(visited: Visited) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LONGEST_BODY // 65536 + 2):
            yield b"x" * 65536

    headers = {SECRET: WORD}
    known = await visited.client.post(
        "/telegram", content=b"x" * (LONGEST_BODY + 1), headers=headers
    )
    streamed = await visited.client.post("/telegram", content=endless(), headers=headers)
    fits = await visited.client.post("/telegram", content=b"x" * LONGEST_BODY, headers=headers)
    assert [a.status_code for a in (known, streamed, fits)] == [413, 413, 200]
    assert len(visited.received) == 1


@pytest.mark.parametrize(
    ("first", "line"),
    [
        (b"POST /telegram HTTP/1.1\r\nx-long: ", b"y"),
        (b"POST /telegram HTTP/1.1\r\n", b"x: y\r\n"),
        (b"POST /", b"y"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
        (CHUNKED + b"0\r\nx-long: ", b"y"),
        (CHUNKED + b"1;", b"y"),
        (CHUNKED, b"1;" + b"y" * 500 + b"\r\nz\r\n"),
    ],
    ids=["a line", "lines", "a path", "trailers", "a trailer", "an extension", "extensions"],
)
async def test_more_beside_a_body_than_any_update_has_is_not_taken(
    visited: Visited, first: bytes, line: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", visited.port)
    writer.write(first)
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            writer.write(line * (8192 // len(line)))
            await writer.drain()
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        try:
            said = await reader.read()
        except ConnectionError:
            said = b""
    # Without the right word a body is refused before all of it came.
    assert not said or said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))
    assert not said or said.count(b"HTTP/1.1 400 ") == 1
    writer.close()
    # Nobody else is the worse for it, and many requests on one connection are no long head.
    for _ in range(200):
        answer = await visited.client.post(
            "/telegram", content=b"{}", headers={SECRET: WORD, "x-some": "y" * 1000}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/telegram", 405), ("POST", "/", 404), ("POST", "/healthz", 405), ("GET", "/x", 404)],
)
async def test_other_ways_in_are_closed(
    visited: Visited, method: str, path: str, status: int
) -> None:
    answer = await visited.client.request(method, path, headers={SECRET: WORD})
    assert (answer.status_code, visited.received) == (status, [])


async def test_health_names_the_part_in_trouble_and_nothing_of_the_machine(
    visited: Visited,
) -> None:
    well = await visited.client.get("/healthz")
    assert (well.status_code, well.json()) == (200, {"ok": True, "database": "ok", "lanes": "ok"})
    visited.parts["database"] = "The database /var/lib/coach/coach.sqlite cannot be read."
    ill = await visited.client.get("/healthz")
    assert ill.status_code == 503
    assert ill.json() == {"ok": False, "database": "trouble", "lanes": "ok"}


async def test_figures_are_plain_text_or_503(visited: Visited) -> None:
    shown = await visited.client.get("/metrics")
    assert shown.text == "coach_turns_total 3\n"
    assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
    visited.trouble = RuntimeError("periwinkle")
    assert (await visited.client.get("/metrics")).status_code == 503


async def test_a_port_in_use_is_named() -> None:
    async def well() -> dict[str, str | None]:
        return {}

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} on 127.0.0.1 cannot be used"):
            async with listening(site(well), "127.0.0.1", port):
                raise AssertionError("nobody listens")

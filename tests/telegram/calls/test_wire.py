"""Plain calls over open connections: whatever comes back, and in whatever pieces."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram.error import NetworkError, TimedOut

from bot.telegram import wire
from bot.telegram.refusals import NeverLeft
from bot.telegram.wire import Patience, Wire
from tests.telegram.calls.server import (
    GOOD,
    Connection,
    answer,
    hangs_up,
    one_after_another,
    saying,
    served,
    silent,
)
from tests.telegram.stage import eventually

PATIENT = Patience(5.0, 5.0, 10.0)
BODY = b'{"chat_id":7}'


def a_wire(most: int = 16, trust: ssl.SSLContext | None = None) -> Wire:
    return Wire(most, lambda: trust or ssl.create_default_context(), "tester")


async def test_what_is_asked_is_one_whole_request() -> None:
    async with served(saying(answer())) as server:
        assert await a_wire().post(server.url + "?a=b c", BODY, PATIENT) == (200, GOOD)
    host = server.url.split("/")[2]
    assert server.asked == [
        b"POST /bot1:secret/sendMessage?a=b%20c HTTP/1.1\r\n"
        b"Host: " + host.encode() + b"\r\n"
        b"Accept: */*\r\nUser-Agent: tester\r\n"
        b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n" + BODY
    ]


async def test_calls_one_after_another_share_a_connection() -> None:
    async with served(saying(answer())) as server:
        line = a_wire()
        for _ in range(5):
            assert (await line.post(server.url, BODY, PATIENT))[0] == 200
        assert server.connections == 1
        line.close()
        await eventually(lambda: server.open == 0)


async def test_calls_at_one_time_have_a_connection_each_and_no_more_than_most() -> None:
    at_once = [0, 0]

    async def slowly(connection: Connection, request: bytes) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0.02)
        at_once[0] -= 1
        await connection.say(answer(request.split(b"\r\n\r\n")[1]))

    async with served(slowly) as server:
        line = a_wire(most=3)
        asked = [str(number).encode() for number in range(10)]
        answers = await asyncio.gather(*(line.post(server.url, one, PATIENT) for one in asked))
        assert [body for _, body in answers] == asked
        assert at_once[1] == server.connections == 3


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
)


@settings(max_examples=30, deadline=None)
@given(cuts=st.sets(st.integers(1, len(CHUNKED) - 1), max_size=6), chunked=st.booleans())
def test_an_answer_may_come_in_any_pieces(cuts: set[int], chunked: bool) -> None:
    whole = CHUNKED if chunked else answer(b"hello world", "200 OK", "X-Long: " + "y" * 40)
    edges = [0, *sorted(cuts), len(whole)]
    parts = [whole[a:b] for a, b in itertools.pairwise(edges)]

    async def both_calls() -> None:
        async with served(saying(*parts)) as server:
            line = a_wire()
            for _ in range(2):
                assert await line.post(server.url, BODY, PATIENT) == (200, b"hello world")
            assert server.connections == 1

    asyncio.run(both_calls())


async def test_an_answer_may_end_with_the_connection() -> None:
    async def until_the_end(connection: Connection, request: bytes) -> None:
        await connection.say(b"HTTP/1.1 502 Bad Gateway\r\n\r\nso", b"rry")
        connection.hang_up()

    async with served(until_the_end) as server:
        line = a_wire()
        assert await line.post(server.url, BODY, PATIENT) == (502, b"sorry")
        assert await line.post(server.url, BODY, PATIENT) == (502, b"sorry")
        assert server.connections == 2


async def test_go_on_is_not_the_answer() -> None:
    async with served(saying(b"HTTP/1.1 100 Continue\r\n\r\n", answer())) as server:
        assert await a_wire().post(server.url, BODY, PATIENT) == (200, GOOD)


@pytest.mark.parametrize("last", ["Connection: close", ""])
async def test_a_connection_that_ends_is_not_used_again(last: str) -> None:
    async def and_goodbye(connection: Connection, request: bytes) -> None:
        await connection.say(answer(GOOD, "200 OK", *([last] if last else [])))
        connection.hang_up()

    async with served(and_goodbye) as server:
        line = a_wire()
        for _ in range(3):
            assert (await line.post(server.url, BODY, PATIENT))[0] == 200
            await eventually(lambda: server.open == 0)
            # Until goodbye has arrived here as well.
            await asyncio.sleep(0.05)
        assert server.connections == 3


async def test_a_connection_that_rested_too_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(saying(answer())) as server:
        line = a_wire()
        await line.post(server.url, BODY, PATIENT)
        monkeypatch.setattr(wire, "IDLE_SECONDS", 0.01)
        await asyncio.sleep(0.05)
        await line.post(server.url, BODY, PATIENT)
        assert server.connections == 2
        await eventually(lambda: server.open == 1)


async def test_an_answer_too_many_is_nobodys() -> None:
    too_much = saying(answer(b"1") + answer(b"2"))
    async with served(one_after_another([too_much, saying(answer(b"3"))])) as server:
        line = a_wire()
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"1"
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"3"
        assert server.connections == 2


async def test_an_answer_too_many_that_comes_later_is_nobodys() -> None:
    async def once_more(connection: Connection, request: bytes) -> None:
        await connection.say(answer(b"1"), b"HTTP/1.1 200")

    async with served(one_after_another([once_more, saying(answer(b"3"))])) as server:
        line = a_wire()
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"1"
        await eventually(lambda: server.open == 0)
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"3"


# -- when no answer comes -------------------------------------------------------------------------


async def test_where_nobody_listens_nothing_left() -> None:
    async with served(silent) as server:
        url = server.url
    with pytest.raises(NeverLeft) as refused:
        await a_wire().post(url, BODY, PATIENT)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 70 + ".invalid"])
async def test_where_a_name_is_unknown_nothing_left(host: str) -> None:
    with pytest.raises(NeverLeft):
        await a_wire().post(f"http://{host}/bot1:secret/sendMessage", BODY, PATIENT)


async def test_a_connection_that_does_not_come_about_is_waited_for_so_long() -> None:
    # Something listens and accepts, but never says a word of TLS.
    async with served(silent) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(NeverLeft):
            await a_wire().post(url, BODY, Patience(0.1, 5.0, 5.0))


async def test_silence_is_waited_for_so_long_and_its_answer_is_nobody_elses() -> None:
    async def late(connection: Connection, request: bytes) -> None:
        await asyncio.sleep(0.3)
        await connection.say(answer(b"late"))

    async with served(one_after_another([late, saying(answer(b"mine"))])) as server:
        line = a_wire()
        with pytest.raises(TimedOut):
            await line.post(server.url, BODY, Patience(5.0, 0.1, None))
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"mine"
        await asyncio.sleep(0.4)
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"mine"


async def test_what_still_comes_is_waited_for_but_not_for_ever() -> None:
    async def drop_by_drop(connection: Connection, request: bytes) -> None:
        for one in answer(b"x" * 10):
            await connection.say(bytes([one]))
            await asyncio.sleep(0.005)

    async with served(drop_by_drop) as server:
        line = a_wire()
        assert (await line.post(server.url, BODY, Patience(5.0, 0.2, None)))[1] == b"x" * 10
        with pytest.raises(TimedOut):
            await line.post(server.url, BODY, Patience(5.0, 0.2, 0.1))


async def test_who_stops_waiting_leaves_no_answer_to_others() -> None:
    async def late(connection: Connection, request: bytes) -> None:
        await asyncio.sleep(0.1)
        await connection.say(answer(b"late"))

    async with served(one_after_another([late, saying(answer(b"mine"))])) as server:
        line = a_wire()
        waiting = asyncio.create_task(line.post(server.url, BODY, PATIENT))
        await eventually(lambda: len(server.asked) == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await line.post(server.url, BODY, PATIENT))[1] == b"mine"
        await eventually(lambda: server.open == 1)


async def truncated(connection: Connection, request: bytes) -> None:
    await connection.say(answer(GOOD)[:-5])
    connection.hang_up()


@pytest.mark.parametrize(
    "script",
    [
        hangs_up,
        truncated,
        saying(b"SSH-2.0-OpenSSH_9.6\r\n"),
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
    ],
    ids=["hangs up", "truncated", "not HTTP", "something else", "no number"],
)
async def test_what_cannot_be_read_leaves_it_open_whether_it_arrived(script: object) -> None:
    async with served(script) as server:  # type: ignore[arg-type]
        line = a_wire()
        for _ in range(2):
            with pytest.raises(NetworkError) as unsure:
                await line.post(server.url, BODY, PATIENT)
            assert not isinstance(unsure.value, NeverLeft | TimedOut)
            assert "secret" not in str(unsure.value)
        await eventually(lambda: server.open == 0)
        assert server.connections == 2


async def test_hanging_up_lets_what_is_under_way_end() -> None:
    async def slowly(connection: Connection, request: bytes) -> None:
        await asyncio.sleep(0.1)
        await connection.say(answer())

    async with served(slowly) as server:
        line = a_wire()
        waiting = asyncio.create_task(line.post(server.url, BODY, PATIENT))
        await eventually(lambda: len(server.asked) == 1)
        line.close()
        assert (await waiting)[0] == 200
        await eventually(lambda: server.open == 0)


async def eventually_at_once(holds: Callable[[], bool]) -> None:
    """Without one turn of the loop too many."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


async def test_goodbye_is_noticed_as_soon_as_it_is_here() -> None:
    async def and_goodbye(connection: Connection, request: bytes) -> None:
        await connection.say(answer())
        connection.hang_up()

    async with served(and_goodbye) as server:
        line = a_wire()
        for turns in range(30):
            assert (await line.post(server.url, BODY, PATIENT))[0] == 200
            kept = next(iter(line._idle.values()))
            if not kept:
                continue
            transport = kept[-1]._transport
            assert transport is not None
            await eventually_at_once(transport.is_closing)
            for _ in range(turns % 3):
                await asyncio.sleep(0)


# -- TLS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_trusted"), [("localhost", True), ("localhost", False), ("other.example", True)]
)
async def test_only_whom_we_trust_hears_us(name: str, is_trusted: bool) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(theirs)
    if is_trusted:
        authority.configure_trust(ours)
    async with served(saying(answer()), theirs) as server:
        line = a_wire(trust=ours)
        if is_trusted and name == "localhost":
            for _ in range(3):
                assert await line.post(server.url, BODY, PATIENT) == (200, GOOD)
            assert server.connections == 1
        else:
            with pytest.raises(NeverLeft):
                await line.post(server.url, BODY, PATIENT)
            assert server.asked == []


def both_sides() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows for localhost, and who trusts it."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    return theirs, ours


async def test_whoever_gives_up_amid_a_handshake_leaves_nothing_open() -> None:
    theirs, ours = both_sides()
    async with served(saying(answer()), theirs) as server:
        line = a_wire(most=2, trust=ours)
        for turns in range(60):
            call = asyncio.create_task(line.post(server.url, BODY, PATIENT))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
        for seconds in (0.0001, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.006):
            with contextlib.suppress(NeverLeft):
                await line.post(server.url, BODY, Patience(seconds, 5.0, 5.0))
        line.close()
        await eventually(lambda: server.open == 0)
        again = a_wire(trust=ours)
        answers = await asyncio.gather(*(again.post(server.url, BODY, PATIENT) for _ in range(20)))
        assert answers == [(200, GOOD)] * 20
        again.close()
        await eventually(lambda: server.open == 0)

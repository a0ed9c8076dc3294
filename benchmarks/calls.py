"""`python -m benchmarks.calls`: what a call to Telegram and a statement cost, by both roads.

A call: python-telegram-bot's own transport, and aiohttp, beside ours, to a server on loopback in a
process of its own. A statement: SQLAlchemy's asynchronous road beside prepared jobs, one turn's
folder and outbox on SQLite. Ten on PostgreSQL, where it is installed: psycopg's cursors, one after
another, beside one journey of ours. Milliseconds of this process's processor, the median of some
rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from sqlalchemy import select
from telegram.request import BaseRequest, HTTPXRequest

from benchmarks.rivals.processes import free_port
from bot.store.database import SqlStore, open_store
from bot.store.pipeline import Pipeline
from bot.store.tables import identities
from bot.telegram.http import HttpRequest
from bot.telegram.polling import PatientBot
from bot.usecases.ports import OutboxItem
from tests import postgres
from tests.store.samples import a_full_folder

ROUNDS, TIMES, AT_ONCE = 7, 400, 20
ANSWER = (
    b'{"ok":true,"result":{"message_id":7,"date":0,"chat":{"id":7,"type":"private"},"text":"x"}}'
)
SAYS = "It was a Tuesday, and the lift in our building stopped again, as it does."


async def _serve(port: int) -> None:
    """Every call is answered as a message that was sent."""
    from aiohttp import web

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=ANSWER, content_type="application/json")

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def cost(once: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of the processor that one takes, some at a time."""
    seen = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(TIMES // AT_ONCE):
            await asyncio.gather(*(once() for _ in range(AT_ONCE)))
        seen.append((time.process_time() - begun) * 1000 / TIMES)
    return statistics.median(seen)


async def a_call(
    request: BaseRequest, port: int, plainly: bool = True, by_wire: bool = True
) -> float:
    """Sending a message; not `by_wire`, by our road for files and proxies."""
    bot = PatientBot(
        "1:x", base_url=f"http://127.0.0.1:{port}/bot", request=request,
        get_updates_request=HttpRequest(),
    )  # fmt: skip
    await request.initialize()
    if isinstance(request, HttpRequest) and not by_wire:
        request._wire = None
    try:
        if plainly:
            return await cost(lambda: bot.call("sendMessage", chat_id=7, text=SAYS))
        return await cost(lambda: bot.send_message(7, SAYS))
    finally:
        await request.shutdown()


async def statements(store: SqlStore) -> tuple[float, float]:
    """Looking up one row by its key: the ordinary road, and a prepared job."""
    wanted = select(identities).where(identities.c.chat_id == 7001)

    async def ordinarily() -> None:
        async with store.work() as work:
            await work.folders._transaction.read(wanted)  # type: ignore[attr-defined]

    async def prepared() -> None:
        async with store.work() as work:
            await work.outbox.one(1)

    return await cost(ordinarily), await cost(prepared)


async def measure(port: int) -> None:
    """Print the table."""
    theirs = await a_call(HTTPXRequest(connection_pool_size=64), port, plainly=False)
    general = await a_call(HttpRequest(), port, by_wire=False)
    ours = await a_call(HttpRequest(), port)
    print(
        f"a call:      {theirs:.2f} ms by httpx, {general:.2f} ms by aiohttp, {ours:.2f} ms by the "
        f"wire; {general / theirs:.2f}× and {ours / theirs:.2f}×"
    )
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{Path(folder) / 'coach.db'}")
        async with store.work() as work:
            await work.folders.save(a_full_folder())
            await work.outbox.queue([OutboxItem(7001, {"kind": "say", "text": SAYS})])
            await work.commit()
        slow, fast = await statements(store)
        await store.close()
    print(f"a statement: {slow:.2f} ms by SQLAlchemy, {fast:.2f} ms prepared, {fast / slow:.2f}×")


def ten_statements(address: str) -> tuple[float, float]:
    """By cursors, and sent together."""
    connection = psycopg.connect(address, autocommit=True)
    connection.execute("CREATE TEMPORARY TABLE told (number bigint PRIMARY KEY, words text)")

    def by_cursors() -> None:
        for number in range(10):
            values = {"number": number, "words": SAYS}
            connection.execute(
                "UPDATE told SET words = %(words)s WHERE number = %(number)s", values
            )

    slow = cost_here(by_cursors)
    pipeline = Pipeline(connection)

    def together() -> None:
        for number in range(10):
            pipeline.send("UPDATE told SET words = $1 WHERE number = $2", (SAYS, number))
        pipeline.meet()

    fast = cost_here(together)
    pipeline.close()
    return slow, fast


def cost_here(once: Callable[[], None]) -> float:
    """Milliseconds of the processor that one takes, one after another."""
    seen = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(TIMES // 10):
            once()
        seen.append((time.process_time() - begun) * 10_000 / TIMES)
    return statistics.median(seen)


def main() -> None:
    """Serve, or measure against a server that is started for it."""
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        asyncio.run(_serve(int(sys.argv[2])))
        return
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.calls", "--serve", str(port)])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        asyncio.run(measure(port))
    finally:
        server.kill()
    if postgres.IS_HERE:
        address = postgres.server().database().replace("+psycopg", "")
        slow, fast = ten_statements(address)
        print(
            f"ten, on PostgreSQL: {slow:.2f} ms by psycopg's cursors, {fast:.2f} ms together, "
            f"{fast / slow:.2f}×"
        )


if __name__ == "__main__":
    main()

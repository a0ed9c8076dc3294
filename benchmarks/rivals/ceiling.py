"""The least a bot can be: an aiohttp loop that echoes. It measures the server, not a framework."""

from __future__ import annotations

import asyncio
import os

import aiohttp
import orjson

from benchmarks.rivals.server import run

BASE = f"{os.environ['TELEGRAM_API_BASE_URL']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}"
JSON = {"Content-Type": "application/json"}


async def echo(client: aiohttp.ClientSession, message: dict[str, object]) -> None:
    """Say it back."""
    chat = message["chat"]
    assert isinstance(chat, dict)
    body = orjson.dumps({"chat_id": chat["id"], "text": message["text"]})
    async with client.post(f"{BASE}/sendMessage", data=body, headers=JSON) as answer:
        await answer.read()


async def main() -> None:
    """Fetch and echo until killed."""
    offset, running = 0, set[asyncio.Task[None]]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as client:
        while True:
            body = orjson.dumps({"offset": offset, "timeout": 10})
            async with client.post(f"{BASE}/getUpdates", data=body, headers=JSON) as answer:
                updates = orjson.loads(await answer.read()).get("result", [])
            for update in updates:
                offset = update["update_id"] + 1
                task = asyncio.create_task(echo(client, update["message"]))
                running.add(task)
                task.add_done_callback(running.discard)


if __name__ == "__main__":
    run(main())

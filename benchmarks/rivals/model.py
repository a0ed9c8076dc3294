"""A server that speaks OpenAI's HTTP and always asks something: `… .model PORT MILLISECONDS`."""

from __future__ import annotations

import asyncio
import sys

import orjson
from aiohttp import web

from benchmarks.rivals.questions import QUESTIONS
from benchmarks.rivals.server import run


async def serve(port: int, seconds: float) -> None:
    """Answer after so long, until killed."""

    async def handle(request: web.BaseRequest) -> web.Response:
        asked = orjson.loads(await request.read())
        turns = sum(m["role"] == "user" for m in asked["messages"])
        if seconds:
            await asyncio.sleep(seconds)
        said = {"role": "assistant", "content": QUESTIONS[turns % len(QUESTIONS)]}
        answer = {
            "id": "c1", "object": "chat.completion", "created": 0, "model": asked["model"],
            "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }  # fmt: skip
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))

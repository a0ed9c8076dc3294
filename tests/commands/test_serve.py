"""`coach run` against a Telegram that refuses, is away, or serves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.commands.shell import REPOSITORY, coach, environment
from tests.telegram.stage import database

TOKEN = "4242:verysecrettoken"


class Telegram(ThreadingHTTPServer):
    """Answers every call over HTTP; `refusal` is the status of all answers when set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refusal = 0
        self.polled, self.offset = Event(), 0
        self.sent: list[str] = []
        self.updates: list[dict[str, object]] = []
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Telegram

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        method = self.path.rpartition("/")[2]
        if self.server.refusal:
            self._answer(self.server.refusal, {"ok": False, "description": "refused"})
            return
        result: object = True
        if method == "getMe":
            result = {"id": 4242, "is_bot": True, "first_name": "Coach", "username": "coach_bot"}
        elif method == "getUpdates":
            result, self.server.updates = self.server.updates, []
            self.server.polled.set()
            if not result:
                Event().wait(0.2)
        elif method == "sendMessage":
            self.server.sent.append(body)
            chat = {"id": 7, "type": "private"}
            result = {"message_id": len(self.server.sent), "date": 0, "chat": chat, "text": "x"}
        self._answer(200, {"ok": True, "result": result})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    server = Telegram()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database(tmp_path / "home")
    return tmp_path / "home"


def settings(address: str) -> dict[str, str]:
    return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE_URL": address}


@pytest.mark.parametrize("given", [{}, {"TELEGRAM_BOT_TOKEN": ""}], ids=["none", "empty"])
def test_without_a_token_it_says_where_to_get_one(home: Path, given: dict[str, str]) -> None:
    ended = coach(home, "run", settings=given)
    assert ended.code == 1 and ended.err.startswith("TELEGRAM_BOT_TOKEN is not set.")


def test_a_copied_example_of_settings_works_as_it_is(home: Path) -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    (home.parent / ".env").write_text(example, encoding="utf-8")
    assert coach(home, "run").err.startswith("TELEGRAM_BOT_TOKEN is not set.")
    assert coach(home, "stories").out == "No stories yet.\n"


def test_a_token_telegram_does_not_know_is_named_and_not_shown(
    home: Path, telegram: Telegram
) -> None:
    telegram.refusal = 401
    ended = coach(home, "run", settings=settings(telegram.address))
    assert ended.code == 1 and "does not know TELEGRAM_BOT_TOKEN" in ended.err
    assert "verysecret" not in ended.err


def test_a_telegram_that_is_away_is_named(home: Path) -> None:
    ended = coach(home, "run", settings=settings("http://127.0.0.1:9"))
    assert ended.code == 1 and "Telegram cannot be reached at http://127.0.0.1:9." in ended.err
    assert "verysecret" not in ended.err


def test_it_answers_over_http_and_ends_quietly_when_asked(home: Path, telegram: Telegram) -> None:
    ana = {"id": 7, "is_bot": False, "first_name": "Ana", "language_code": "es"}
    message = {
        "message_id": 1, "date": 0, "chat": {"id": 7, "type": "private"}, "from": ana,
        "text": "/start", "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
    }  # fmt: skip
    telegram.updates = [{"update_id": 100, "message": message}]
    code = "import sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    serving = subprocess.Popen(
        [sys.executable, "-c", code, "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home, **settings(telegram.address)),
        cwd=home.parent,
    )
    assert serving.stdout and serving.stderr
    with serving.stdout, serving.stderr:
        waited = Event()
        for _ in range(200):
            if telegram.sent:
                break
            waited.wait(0.1)
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(15) == 0
        complaint = serving.stderr.read()
    assert len(telegram.sent) == 1 and "chat_id=7" in telegram.sent[0]
    assert "The coach is listening." in complaint
    assert "verysecret" not in complaint and "Traceback" not in complaint
    assert "Ana" not in complaint

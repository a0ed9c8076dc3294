"""`coach web` as a process: what it refuses, what it serves, what it writes down."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bot.settings import load_settings
from tests.commands.shell import coach
from tests.commands.telegram import (
    TOKEN,
    Serving,
    Telegram,
    free_port,
    said,
    serving,
    settings,
    started,
)
from tests.telegram.stage import database

URL = "https://coach.example.org/hooks/telegram"
SECRET = "X-Telegram-Bot-Api-Secret-Token"
MARKER, NAME = "quetzalcoatlus", "Ximena"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database(tmp_path / "home")
    return tmp_path / "home"


def hooked(telegram: Telegram, port: int, **more: str) -> dict[str, str]:
    return settings(telegram.address) | {
        "TELEGRAM_WEBHOOK_URL": URL, "COACH_PORT": str(port), **more,
    }  # fmt: skip


def post(port: int, body: object, secret: str, path: str = "/hooks/telegram") -> int:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", content, {SECRET: secret}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except urllib.error.URLError:
        return 0, b""


def secret_of(telegram: Telegram) -> str:
    telegram.waits_for("setWebhook")
    return str(telegram.bodies("setWebhook")[-1]["secret_token"])


def ready(run: Serving, port: int) -> None:
    for _ in range(200):
        if get(port, "/healthz")[0] == 200:
            return
        time.sleep(0.05)
    raise AssertionError("not ready")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "TELEGRAM_WEBHOOK_URL is not set."),
        ({"TELEGRAM_WEBHOOK_URL": URL}, "TELEGRAM_BOT_TOKEN is not set."),
        ({"TELEGRAM_WEBHOOK_URL": "coach.example.org"}, "TELEGRAM_WEBHOOK_URL cannot be used"),
        ({"TELEGRAM_WEBHOOK_URL": "http://coach.example.org/x"}, "must begin with https://"),
        ({"TELEGRAM_WEBHOOK_URL": "https://coach.example.org:8080/x"}, "must use port 443"),
        ({"TELEGRAM_WEBHOOK_URL": "https://coach.example.org/metrics"}, "a page of its own"),
        ({"TELEGRAM_WEBHOOK_SECRET": "with space"}, "TELEGRAM_WEBHOOK_SECRET cannot be used"),
        ({"PORT": "web"}, "PORT cannot be used"),
        ({"COACH_LOG": "xml"}, "COACH_LOG cannot be used: must be plain or json"),
    ],
)
def test_a_setting_it_cannot_serve_with_is_named(
    home: Path, given: dict[str, str], words: str
) -> None:
    ended = coach(home, "web", settings=given)
    assert ended.code == 1 and words in ended.err and ended.err.count("\n") == 1


def test_a_secret_nobody_set_is_made_from_the_token_and_does_not_show_it(home: Path) -> None:
    made = load_settings(coach_home=home, telegram_bot_token=TOKEN).webhook_secret
    again = load_settings(coach_home=home, telegram_bot_token=TOKEN).webhook_secret
    other = load_settings(coach_home=home, telegram_bot_token=TOKEN + "x").webhook_secret
    assert made == again != other and len(made) == 64
    assert TOKEN.partition(":")[2] not in made


def test_it_answers_what_telegram_brings_and_ends_in_time(home: Path, telegram: Telegram) -> None:
    port = free_port()
    with serving(home, "web", hooked(telegram, port)) as run:
        secret = secret_of(telegram)
        ready(run, port)
        assert post(port, started(100), "wrong") == 403
        assert post(port, started(100), secret, "/") == 404
        assert post(port, started(100), secret) == 200
        assert post(port, started(100), secret) == 200
        telegram.waits_for("sendMessage")
        assert json.loads(get(port, "/healthz")[1])["ok"] is True
        assert b'coach_updates_total{fate="repeated"} 1.0' in get(port, "/metrics")[1]
        begun = time.monotonic()
        assert run.ends(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 10
    assert len(telegram.bodies("sendMessage")) == 1
    assert not telegram.bodies("getUpdates") and not telegram.bodies("deleteWebhook")
    asked = telegram.bodies("setWebhook")[0]
    assert asked["url"] == URL and "callback_query" in asked["allowed_updates"]
    assert "verysecret" not in run.err and secret not in run.err and "hooks" not in run.err


def test_an_update_kept_before_a_kill_is_answered_after_it(home: Path, telegram: Telegram) -> None:
    port = free_port()
    telegram.refusals["sendMessage"] = 500
    with serving(home, "web", hooked(telegram, port)) as run:
        secret = secret_of(telegram)
        ready(run, port)
        assert post(port, started(100), secret) == 200
        assert run.ends(signal.SIGKILL) == -signal.SIGKILL
    tries = len(telegram.bodies("sendMessage"))
    del telegram.refusals["sendMessage"]
    with serving(home, "web", hooked(telegram, port)) as run:
        ready(run, port)
        for _ in range(200):
            if len(telegram.bodies("sendMessage")) > tries:
                break
            time.sleep(0.05)
        assert post(port, started(100), secret) == 200, "brought again: a repeat"
        assert run.ends(signal.SIGTERM) == 0
    assert len(telegram.bodies("sendMessage")) == tries + 1


def test_figures_on_a_port_of_their_own_are_not_public(home: Path, telegram: Telegram) -> None:
    port, private = free_port(), free_port()
    given = hooked(telegram, port, COACH_METRICS_PORT=str(private))
    with serving(home, "web", given) as run:
        ready(run, port)
        assert get(port, "/metrics")[0] == 404
        assert get(private, "/metrics")[0] == 200 and get(private, "/healthz")[0] == 200
        assert post(private, started(100), secret_of(telegram)) in (404, 405)
        assert run.ends(signal.SIGTERM) == 0


def test_two_coaches_in_one_folder_are_refused(home: Path, telegram: Telegram) -> None:
    port = free_port()
    with serving(home, "web", hooked(telegram, port)) as run:
        ready(run, port)
        ended = coach(home, "run", settings=settings(telegram.address))
        assert ended.code == 1 and "Another coach is already running" in ended.err
        assert run.ends(signal.SIGTERM) == 0


@pytest.mark.parametrize("form", ["plain", "json"])
@pytest.mark.parametrize("command", ["web", "run"])
def test_no_log_of_a_whole_run_holds_a_word_a_name_or_a_token(
    home: Path, telegram: Telegram, command: str, form: str
) -> None:
    port = free_port()
    given = hooked(telegram, port, COACH_LOG=form) | {"TELEGRAM_WEBHOOK_SECRET": "open_sesame-77"}
    texts = ["/start", "si en español", "18 o mas", f"el {MARKER} volo", f"y el {MARKER} cayo"]
    updates = [said(100 + n, text, 7, NAME) for n, text in enumerate(texts)]
    strange = {"update_id": 200, "message": {"text": MARKER, "from": NAME, "chat": {"id": 7}}}
    with serving(home, command, given) as run:
        ready(run, port)
        telegram.refusals["sendMessage"] = 429
        if command == "web":
            assert post(port, {**updates[0], "x": MARKER}, "wrong") == 403
            assert post(port, f"{MARKER} {NAME}".encode(), "open_sesame-77") == 200
            for update in [*updates, strange]:
                assert post(port, update, "open_sesame-77") == 200
        else:
            telegram.updates = [*updates, strange, {"message": MARKER}]
        telegram.waits_for("sendMessage")
        telegram.refusals["sendMessage"] = 500
        telegram.refusals["getUpdates"] = 502
        telegram.waits_for("sendMessage", more=1)
        telegram.refusals.clear()
        telegram.waits_for("sendMessage", more=1)
        assert run.ends(signal.SIGTERM) == 0
    assert "Traceback" not in run.err
    for secret in (MARKER, NAME, TOKEN.partition(":")[2], "open_sesame", "/bot4242", "/hooks"):
        assert secret not in run.err, secret
    lines = run.err.splitlines()
    assert len(lines) > 3
    if form == "json":
        said_so = [json.loads(line) for line in lines]
        assert all({"at", "level", "room", "says"} <= set(line) for line in said_so)
        assert "The coach is listening. Ctrl-C stops it." in [line["says"] for line in said_so]

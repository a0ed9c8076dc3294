"""`coach run` against a Telegram that refuses, is away, or serves."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from tests.commands.shell import REPOSITORY, coach
from tests.commands.telegram import HURRIED, Telegram, free_port, serving, settings, started
from tests.telegram.stage import database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database(tmp_path / "home")
    return tmp_path / "home"


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
    telegram.updates = [started(100)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("sendMessage")
        assert run.ends(signal.SIGTERM) == 0
    assert len(telegram.bodies("sendMessage")) == 1
    assert telegram.bodies("sendMessage")[0]["chat_id"] == 7
    assert "The coach is listening." in run.err
    assert "verysecret" not in run.err and "Traceback" not in run.err
    assert "Ana" not in run.err


def test_sigterm_drains_in_time_and_confirms_the_offset(home: Path, telegram: Telegram) -> None:
    telegram.updates = [started(100 + n, 7 + n) for n in range(30)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("sendMessage")
        begun = time.monotonic()
        assert run.ends(signal.SIGTERM) == 0
        took = time.monotonic() - begun
    last = telegram.bodies("getUpdates")[-1]
    assert last["offset"] == 130 and last["timeout"] == 0
    assert took < 10, f"{took:.1f} s"


HANGING = (
    "import asyncio\n"
    "from bot.usecases.residents import Residents\n"
    "hear = Residents.hear\n"
    "async def slow(self, sender, *rest):\n"
    "    if sender.chat_id == 8:\n"
    "        await asyncio.sleep(60)\n"
    "    await hear(self, sender, *rest)\n"
    "Residents.hear = slow"
)


def test_sigterm_ends_in_time_though_nothing_else_does(home: Path, telegram: Telegram) -> None:
    given = settings(telegram.address) | {"COACH_METRICS_PORT": str(free_port())}
    telegram.updates = [started(100, 7), started(101, 8)]
    telegram.hung = {"sendMessage"}
    with serving(home, "run", given, HANGING) as run:
        telegram.waits_for("sendMessage")
        telegram.hung |= {"getUpdates"}
        begun = time.monotonic()
        assert run.ends(signal.SIGTERM) == 0
        took = time.monotonic() - begun
    assert took < 10, f"{took:.1f} s"


def test_every_fetch_names_the_kinds_it_wants(home: Path, telegram: Telegram) -> None:
    telegram.updates = [started(100)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("sendMessage")
        run.ends(signal.SIGTERM)
    fetches = telegram.bodies("getUpdates")
    assert len(fetches) >= 2
    assert all("my_chat_member" in body["allowed_updates"] for body in fetches)


# -- refusals ----------------------------------------------------------------------------------


def test_a_second_poller_ends_with_a_sentence(home: Path, telegram: Telegram) -> None:
    telegram.refusals["getUpdates"] = 409
    with serving(home, "run", settings(telegram.address), HURRIED) as run:
        assert run.ends() == 1
    assert run.err.count("Another program is fetching this bot's messages.") == 1
    assert "Traceback" not in run.err


def test_a_moment_of_two_pollers_at_a_rolling_restart_is_waited_out(
    home: Path, telegram: Telegram
) -> None:
    telegram.refusals["getUpdates"] = 409
    telegram.updates = [started(100)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("getUpdates", more=2)
        del telegram.refusals["getUpdates"]
        telegram.waits_for("sendMessage")
        assert run.ends(signal.SIGTERM) == 0
    assert "Another program" not in run.err


def test_a_token_revoked_while_it_runs_ends_with_a_sentence(home: Path, telegram: Telegram) -> None:
    with serving(home, "run", settings(telegram.address), HURRIED) as run:
        telegram.waits_for("getUpdates", more=2)
        telegram.refusal = 401
        assert run.ends() == 1
    assert run.err.count("Telegram does not know TELEGRAM_BOT_TOKEN.") == 1
    assert "verysecret" not in run.err


def test_a_webhook_left_over_is_removed_and_said_so(home: Path, telegram: Telegram) -> None:
    telegram.webhook = "https://old.example.org/hidden-path"
    telegram.updates = [started(100)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("sendMessage")
        assert run.ends(signal.SIGTERM) == 0
    assert run.err.count("A webhook on old.example.org was set for this bot. It is removed") == 1
    assert "hidden-path" not in run.err
    assert len(telegram.bodies("deleteWebhook")) == 1
    assert not telegram.bodies("deleteWebhook")[0].get("drop_pending_updates")


def test_a_webhook_set_by_another_program_while_it_runs_ends_it(
    home: Path, telegram: Telegram
) -> None:
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("getUpdates", more=2)
        telegram.webhook = "https://new.example.org/hidden-path"
        assert run.ends() == 1
    assert "A webhook on new.example.org was set for this bot" in run.err
    assert telegram.webhook and not telegram.bodies("deleteWebhook")


@pytest.mark.parametrize("status", [500, 502])
def test_a_telegram_in_trouble_is_asked_again(home: Path, telegram: Telegram, status: int) -> None:
    telegram.updates = [started(100)]
    with serving(home, "run", settings(telegram.address)) as run:
        telegram.waits_for("getUpdates")
        telegram.refusal = status
        telegram.waits_for("getUpdates", more=2)
        telegram.refusal = 0
        telegram.updates = [started(101, 8)]
        telegram.waits_for("sendMessage", more=1)
        assert run.ends(signal.SIGTERM) == 0


# -- health and figures ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["COACH_METRICS_PORT", "PORT"])
def test_health_and_figures_are_shown_where_a_port_is_set(
    home: Path, telegram: Telegram, name: str
) -> None:
    port = free_port()
    with serving(home, "run", settings(telegram.address) | {name: str(port)}) as run:
        telegram.waits_for("getUpdates", more=2)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert answer.status == 200 and b'"ok":true' in answer.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b'coach_telegram_calls_total{method="getUpdates"' in answer.read()
        assert run.ends(signal.SIGTERM) == 0


def test_a_port_in_use_is_named(home: Path, telegram: Telegram) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        given = settings(telegram.address) | {"COACH_METRICS_PORT": port}
        ended = coach(home, "run", settings=given)
    assert ended.code == 1 and ended.err.startswith(f"Port {port} on 127.0.0.1 cannot be used")

"""Who takes part, by which commands, and what each needs beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rivals.processes import Started, free_port
from benchmarks.rivals.server import TOKEN
from tests import postgres

ROOT = Path(__file__).resolve().parents[2]
APART = ROOT / ".tools" / "rivals"
"""Where what only rivals need is installed."""
HERE = "benchmarks.rivals"

ANSWERS = (
    "It was a Tuesday, number {n}, and the lift in our building stopped again, as it does.",
    "I put the milk down and sat with her, and we rang the owner {n} times until somebody came.",
    "At six the {n} boys from the fourth came home and we carried her up in a kitchen chair.",
    "She held my sleeve the whole way, and since then I know {n} names on those stairs.",
    "Everybody who lives in house {n} should hear it, and whoever owns it too.",
)
ASKED = ((), ("/start", *ANSWERS))
"""The six messages of every rival's conversation: opening, cycle."""
ARRIVAL = ("/start", "Yes, in English", "40", "yes")
TELLING = ("another part", "my story", ANSWERS[0], ANSWERS[1], "that's it", "skip")
COACHED = (ARRIVAL, TELLING)
"""Six messages to a resident who is known: two choices, two pieces of a telling, its reading, one
skip. From the second time on the fifth is answered by two messages."""
READ = ((*ARRIVAL, *TELLING), TELLING)
"""The same where somebody really reads: what is asked after the first telling depends on what is
heard in it, so the first time is left out."""


class Missing(Exception):
    """A contestant cannot take part here; the message is one plain sentence."""


@dataclass
class Contestant:
    """One row. `commands` run together in one home and one environment; each may be killed."""

    key: str
    title: str
    commands: list[list[str]]
    script: tuple[tuple[str, ...], tuple[str, ...]] = ASKED
    setup: list[list[str]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    beside: list[list[str]] = field(default_factory=list)
    """Servers it needs, never killed in between; processor and memory count as its own."""
    uncounted: list[list[str]] = field(default_factory=list)
    """Servers that stand for somebody else's, as a model's."""
    named: str = ""
    """Processes of this name count as its own, as a database's."""
    is_ours: bool = False
    kills: bool = True
    most: int = 1_000_000
    """With more people than that it is not measured."""
    missing: str = ""


def environment(home: Path, address: str, settings: Mapping[str, str]) -> dict[str, str]:
    """A clean environment: nothing of the machine's own settings."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL")}
    return keep | {
        "PYTHONPATH": str(ROOT), "COACH_HOME": str(home), "ANONYMIZED_TELEMETRY": "False",
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE_URL": address, **settings,
    }  # fmt: skip


def apart() -> str:
    """The Python that has what rivals need, installed at the first call. Raises Missing."""
    python = APART / "bin" / "python"
    uv = shutil.which("uv") or str(ROOT / ".tools" / "uv" / "bin" / "uv")
    project = str(Path(__file__).parent)
    command = [uv, "sync", "--quiet", "--locked", "--project", project, "--python", sys.executable]
    try:
        subprocess.run(
            command, check=True, capture_output=True, timeout=300,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(APART)},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        if not python.exists():
            raise Missing(
                f"what it needs could not be installed into .tools/rivals ({type(error).__name__})"
            ) from error
    return str(python)


def redis_server() -> str:
    """A Redis server on this machine, or the one that came as a wheel. Raises Missing."""
    wheel = APART / "bin" / "redis-server"
    found = shutil.which("redis-server") or (str(wheel) if wheel.exists() else None)
    if found is None:
        raise Missing("there is no redis-server here (apt-get install redis-server)")
    return found


def everybody(model_ms: float, wanted: Collection[str] = ()) -> list[Contestant]:
    """All rows in order; who cannot take part says why in `missing`.

    What only rows need that are not `wanted` is not started; none named is all of them.
    `model_ms` is what the model of the tutorial's bot takes to answer.
    """
    python = sys.executable
    try:
        theirs, why = apart(), ""
    except Missing as missing:
        theirs, why = python, str(missing)
    return [
        Contestant("ceiling", "aiohttp loop that echoes", [[theirs, "-m", f"{HERE}.ceiling"]]),
        _ours("sqlite", "ours, SQLite, reading stubbed", "stubbed"),
        _ours("whole", "ours, SQLite, whole", "whole"),
        *_on_postgres(wanted),
        Contestant("echo", "PTB, echo", [[python, "-m", f"{HERE}.echo"]]),
        Contestant(
            "concurrent", "PTB, echo, concurrent", [[python, "-m", f"{HERE}.echo", "concurrent"]]
        ),
        Contestant(
            "pickle",
            "PTB, ConversationHandler, pickle",
            [[python, "-m", f"{HERE}.pickled"]],
        ),
        Contestant(
            "aiogram",
            "aiogram, FSM in memory",
            [[theirs, "-m", f"{HERE}.aiogram_fsm", "memory"]],
            missing=why,
        ),
        _on_redis(theirs, why),
        _tutorial(theirs, model_ms),
        _ours("limited", "ours, SQLite, whole, flood limits kept", "limited", kills=False),
    ]


def _ours(key: str, title: str, mode: str, kills: bool = True) -> Contestant:
    run = [sys.executable, "-m", f"{HERE}.ours", mode, "run"]
    coach = [sys.executable, "-m", "bot"]
    setup = [[*coach, "migrate"], *([[*coach, "index"]] if mode != "stubbed" else [])]
    if mode == "stubbed":
        return Contestant(key, title, [run], COACHED, setup, is_ours=True)
    return Contestant(key, title, [run], READ, setup, is_ours=True, kills=kills, most=50)


def _on_postgres(wanted: Collection[str]) -> list[Contestant]:
    """`coach run`, or `coach web` and some `coach worker`, on a database of a server of this run.

    Thousands of invented residents are written into it, so DATABASE_URL is never used.
    """
    why = "" if postgres.IS_HERE else "PostgreSQL is not installed (apt install postgresql)"
    ours = [sys.executable, "-m", f"{HERE}.ours", "stubbed"]
    found = []
    for workers in (0, 1, 3):
        port = free_port()
        is_wanted = not why and (not wanted or f"postgres-{workers}" in wanted)
        hook = {
            "TELEGRAM_WEBHOOK_URL": f"http://127.0.0.1:{port}/telegram",
            "TELEGRAM_WEBHOOK_SECRET": "a-word-between-us",
            "COACH_PORT": str(port),
        }
        given = postgres.server(is_durable=True).database() if is_wanted else ""
        found.append(
            Contestant(
                f"postgres-{workers}",
                f"ours, PostgreSQL, {_crew_of(workers)}, reading stubbed",
                [
                    ["env", "COACH_HOME=web", *ours, "web" if workers else "run"],
                    *(["env", f"COACH_HOME=worker-{n}", *ours, "worker"] for n in range(workers)),
                ],
                COACHED,
                [[sys.executable, "-m", "bot", "migrate"]],
                {"DATABASE_URL": given} | (hook if workers else {}),
                named="postgres",
                is_ours=True,
                missing=why,
            )
        )
    return found


def _crew_of(workers: int) -> str:
    if not workers:
        return "one process"
    return f"web + {workers} worker{'s' * (workers > 1)}"


def _on_redis(theirs: str, why: str) -> Contestant:
    port = free_port()
    server: list[list[str]] = []
    if not why:
        try:
            server = [[redis_server(), "--port", str(port), "--bind", "127.0.0.1"]]
        except Missing as missing:
            why = str(missing)
    bot = [theirs, "-m", f"{HERE}.aiogram_fsm", f"redis://127.0.0.1:{port}/0"]
    return Contestant("redis", "aiogram, FSM on Redis", [bot], beside=server, missing=why)


def _tutorial(theirs: str, model_ms: float) -> Contestant:
    port = free_port()
    return Contestant(
        "tutorial",
        "PTB, Chroma, model stub, dict",
        [[sys.executable, "-m", f"{HERE}.tutorial"]],
        settings={"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"},
        uncounted=[[theirs, "-m", f"{HERE}.model", str(port), str(model_ms)]],
    )


def started(commands: list[list[str]], home: Path, environment: Mapping[str, str]) -> Started:
    """Some of its commands, running."""
    home.mkdir(parents=True, exist_ok=True)
    return Started(commands, home, environment)

"""How long a person waits: for help, for the first prompt; and what the program weighs at rest."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COACH = [sys.executable, "-m", "bot"]
PYTHON = [sys.executable, "-c", "import telegram.ext, sqlalchemy.ext.asyncio"]
"""The yardstick: the interpreter and the two libraries no start can do without."""


EVERYTHING = """Yes, in English
18 or older
Yes, begin
skip
skip
skip
The lift stopped on a Tuesday and I put the milk down and sat with her.
that's it
example
"""
"""A conversation that loads screening, reading and retrieval."""


def median_seconds(command: list[str], times: int = 5) -> float:
    """Median wall time of a command, seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def first_prompt(home: Path) -> tuple[float, float]:
    """Seconds until the first line of `coach chat`, and megabytes once every room has been used."""
    environment = {**os.environ, "COACH_HOME": str(home)}
    began = time.perf_counter()
    with subprocess.Popen(
        [*COACH, "chat", "--as", f"bench{began}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        seconds = time.perf_counter() - began
        process.stdin.write(EVERYTHING)
        process.stdin.flush()
        time.sleep(8)
        status = Path(f"/proc/{process.pid}/status").read_text()
        megabytes = int(status.split("VmRSS:")[1].split()[0]) / 1024
        process.stdin.close()
        process.wait(30)
    return seconds, megabytes


def measure() -> list[tuple[str, str, str, str]]:
    """Rows: what, figure, goal, beside the yardstick."""
    yardstick = median_seconds(PYTHON)
    helping = median_seconds([*COACH, "--help"])
    with tempfile.TemporaryDirectory() as folder:
        first_prompt(Path(folder))
        starts = [first_prompt(Path(folder)) for _ in range(3)]
    prompt = statistics.median(s for s, _ in starts)
    memory = max(m for _, m in starts)
    return [
        ("coach --help", f"{helping:.2f} s", "0.5 s", f"{helping / yardstick:.2f}× bare imports"),
        (
            "first prompt, warm",
            f"{prompt:.2f} s",
            "2.5 s",
            f"{prompt / yardstick:.2f}× bare imports",
        ),
        ("memory at rest", f"{memory:.0f} MB", "500 MB", ""),
    ]

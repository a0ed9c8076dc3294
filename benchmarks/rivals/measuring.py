"""One contestant measured: how fast, at what cost, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rivals.contestants import APART, HERE, ROOT, Contestant, Missing, environment
from benchmarks.rivals.processes import Started, cpu, family, free_port, named, resident, rests

SEED = 20261124
STARTING = 60.0
"""Longest wait for a bot to fetch its first updates."""
AT_ONCE = 50
"""How many newcomers write at one time, and how many people talk when the bot is killed."""
FIRST_NEWCOMERS = 200
"""They write before memory is looked at, so that caches and pools are filled."""


@dataclass(frozen=True)
class Plan:
    """How long and how much. Zero `residents` or `kills` leaves that part out."""

    people: tuple[int, ...] = (1, 50, 500)
    seconds: float = 4.0
    repeats: int = 3
    residents: int = 10_000
    kills: int = 5


@dataclass
class Speed:
    """Medians over the repeats, with so many people; milliseconds, and seconds of a processor."""

    turns: float
    p50: float
    p95: float
    p99: float
    cpu_ms: float
    calls: float
    server_busy: float
    unanswered: float
    """Turns given up after people.PATIENCE."""
    each: list[float] = field(default_factory=list)


@dataclass
class Killed:
    """What so many kills did to so many lines; see people.Reckoning."""

    kills: int = 0
    turns: int = 0
    open: int = 0
    lost: int = 0
    unconfirmed: int = 0
    repeated: int = 0
    otherwise: int = 0
    forgot: int = 0
    back: float = 0.0
    """Seconds from the start after a kill until everybody had an answer, mean."""
    examples: list[list[str]] = field(default_factory=list)


@dataclass
class Result:
    """A row. What was not measured is None; `failed` says why there is nothing at all."""

    contestant: Contestant
    failed: str = ""
    speeds: dict[int, Speed] = field(default_factory=dict)
    rest_mib: float | None = None
    mib_per_10_000: float | None = None
    newcomers: float | None = None
    """First messages of newcomers a second."""
    killed: Killed | None = None

    def plain(self) -> dict[str, object]:
        """As JSON has it."""
        return {**asdict(self), "contestant": self.contestant.key}


class Control:
    """The people behind the server, asked over HTTP."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __call__(self, verb: str, **asked: object) -> dict[str, Any]:
        """Ask and wait for the answer."""
        request = urllib.request.Request(
            f"{self._address}/control/{verb}",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=900) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


class Measured:
    """A contestant that runs, the server it talks to, and what it needs beside."""

    def __init__(self, contestant: Contestant, home: Path, stack: ExitStack) -> None:
        """Start everything. Raises Missing when the bot does not come up."""
        self.contestant, self._home = contestant, home
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self._environment = environment(home, address, contestant.settings)
        fast = APART / "bin" / "python"
        python = str(fast) if fast.exists() else sys.executable
        plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

        def running(commands: list[list[str]], name: str, settings: dict[str, str]) -> Started:
            place = home / name
            place.mkdir(parents=True)
            one = Started(commands, place, settings)
            stack.callback(one.kill)
            return one

        self.server = running([[python, "-m", f"{HERE}.server", str(port)]], "server", plain)
        self._beside = running(contestant.beside, "beside", plain)
        self._uncounted = running(contestant.uncounted, "uncounted", plain)
        self.control = Control(address)
        self._listens()
        for command in contestant.setup:
            done = subprocess.run(
                command, cwd=home, env=self._environment, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            if done.returncode:
                raise Missing((done.stderr.strip() or "it refused").splitlines()[-1])
        self.bot = self._start()
        stack.callback(lambda: self.bot.kill())
        self._comes(STARTING)
        rests(self.bot.pids, 30)

    def _listens(self) -> None:
        until = time.monotonic() + 10
        while True:
            try:
                self.control("mark")
                return
            except OSError:
                if time.monotonic() > until:
                    raise Missing(f"the server did not start: {self.server.told()}") from None
                time.sleep(0.05)

    def _start(self) -> Started:
        return Started(self.contestant.commands, self._home, self._environment)

    def _comes(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.control("ready", seconds=0.5)["ready"]:
            if self.bot.has_ended or time.monotonic() > until:
                raise Missing(f"it did not come up: {self.bot.told()}")

    @property
    def counted(self) -> set[int]:
        """Processes whose processor and memory are the contestant's."""
        beside = named(self.contestant.named) if self.contestant.named else []
        return family([*self.bot.pids, *self._beside.pids, *beside])

    # -- measurements ---------------------------------------------------------------------------

    def rehearse(self) -> None:
        """Learn how many messages answer each line. Raises Missing when one is not answered."""
        opening, cycle = self.contestant.script
        told = self.control("rehearse", opening=opening, cycle=cycle)
        if "failed" in told:
            raise Missing(f"{told['failed']}: {self.bot.told()}")

    def speed(self, people: int, seconds: float, repeats: int) -> Speed:
        """So many people talk; until all were answered once is left out, then repeats follow."""
        self.control("prepare", people=people, at_once=AT_ONCE)
        self.control("talk", people=people)
        time.sleep(1.0)
        self.control("rounded", seconds=20)
        seen: list[dict[str, float]] = []
        told, spent = self.control("mark"), cpu(self.counted)
        for _ in range(repeats):
            time.sleep(seconds)
            before, told = told, self.control("mark")
            now = cpu(self.counted)
            turns = max(1, told["turns"])
            seen.append(
                {
                    "turns": told["turns"] / told["seconds"],
                    "p50": told["p50"],
                    "p95": told["p95"],
                    "p99": told["p99"],
                    "cpu_ms": (now - spent) * 1000 / turns,
                    "calls": told["calls"] / turns,
                    "unanswered": told["unanswered"],
                    "server_busy": (told["own_cpu"] - before["own_cpu"]) / told["seconds"],
                }
            )
            spent = now
        self.control("stop", seconds=25)
        middle = {name: statistics.median(one[name] for one in seen) for name in seen[0]}
        return Speed(**middle, each=[one["turns"] for one in seen])

    def memory(self, residents: int) -> tuple[float, float, float]:
        """MiB at rest, MiB more for 10,000 residents who wrote once, first messages a second."""
        self.control("newcomers", count=FIRST_NEWCOMERS, at_once=AT_ONCE)
        rests(self.bot.pids, 5)
        before = resident(self.counted)
        told = self.control("newcomers", count=residents, at_once=AT_ONCE)
        rests(self.bot.pids, 5)
        grown = resident(self.counted) - before
        return before, grown * 10_000 / residents, residents / float(told["seconds"])

    def killed(self, kills: int) -> Killed:
        """Kill it while people talk as fast as they are answered, start it again, and reckon."""
        found, chance = Killed(), random.Random(SEED)
        self.control("prepare", people=AT_ONCE, at_once=AT_ONCE)
        self.control("mark")
        self.control("talk", people=AT_ONCE)
        back = []
        for _ in range(kills):
            time.sleep(chance.uniform(1.0, 2.0))
            self.bot.kill()
            self.control("freeze")
            self.bot = self._start()
            begun = time.monotonic()
            self._comes(STARTING)
            came = time.monotonic() - begun
            told = self.control("settled", quiet=2.0, patience=6.0)
            back.append(came + told["seconds"] - (6.0 if told["open"] else 2.0))
            for name, many in self.control("reckon").items():
                setattr(found, name, getattr(found, name) + many)
            found.kills += 1
            self.control("thaw")
        time.sleep(1.0)
        self.control("stop", seconds=25)
        forgot = self.control("forgot")
        found.forgot, found.examples = forgot["people"], forgot["examples"]
        found.turns = int(self.control("mark")["turns"])
        found.back = statistics.fmean(back)
        return found


def measure(contestant: Contestant, plan: Plan, home: Path, say: Callable[[str], None]) -> Result:
    """Everything about one contestant, step by step told to `say`."""
    result = Result(contestant, contestant.missing)
    if result.failed:
        return result
    home.mkdir(parents=True)
    with ExitStack() as stack:
        try:
            say("starting")
            measured = Measured(contestant, home, stack)
            measured.rehearse()
            rests(measured.bot.pids, 10)
            result.rest_mib = resident(measured.counted)
            for people in plan.people:
                say(f"{people} people")
                if people <= contestant.most:
                    speed = measured.speed(people, plan.seconds, plan.repeats)
                    result.speeds[people] = speed
            if plan.residents:
                say(f"{plan.residents} residents")
                _, result.mib_per_10_000, result.newcomers = measured.memory(plan.residents)
            if plan.kills and contestant.kills:
                say(f"{plan.kills} kills")
                result.killed = measured.killed(plan.kills)
        except (Missing, OSError, subprocess.SubprocessError) as error:
            result.failed = str(error) or type(error).__name__
    return result

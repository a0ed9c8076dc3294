"""Killed at any moment, again and again: nothing confirmed is lost, and nothing is there twice."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from bot.console.botapi import BotApi
from bot.core.narrative import StoryOf
from tests.commands.shell import REPOSITORY, environment
from tests.telegram.stage import database, running

JOINING = ["/start", "yes in english", "18 or older", "i agree", "skip", "skip", "skip"]
LINES = [f"line {n} of what happened on the hill" for n in range(120)]
KILLS = 25


class Talker:
    """The process under test: sent to, killed, started again, like a phone with a bad battery."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.said: list[str] = []
        self.kept: set[int] = set()
        self.starts()

    def starts(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.wiring.talker", str(self.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(self.home),
            cwd=REPOSITORY,
        )
        self.lines: Queue[str] = Queue()
        self.listening = Thread(target=self._listen, daemon=True)
        self.listening.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)

    def dies(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.listening.join(10)
        self.hears()
        assert self.process.stdin and self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def hears(self, seconds: float = 0.0) -> None:
        """Take in what it printed; wait for one line at most `seconds`."""
        with suppress(Empty):
            while True:
                line = self.lines.get(timeout=seconds) if seconds else self.lines.get_nowait()
                seconds = 0.0
                word, _, rest = line.rstrip("\n").partition(" ")
                if word == "kept" and line.endswith("\n"):
                    self.kept.add(int(rest))
                elif word == "said" and line.endswith("\n"):
                    self.said.append(json.loads(rest))

    def sends(self, number: int, text: str) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{number} {json.dumps(text)}\n")
            self.process.stdin.flush()


def test_twenty_five_kills_lose_no_message_and_repeat_none(tmp_path: Path) -> None:
    database(tmp_path)
    chance = random.Random(20261123)
    script = [*JOINING, *LINES]
    talker = Talker(tmp_path)
    kills, at = 0, 0
    until = time.monotonic() + 240
    moments = sorted(chance.sample(range(1, len(script)), KILLS))
    while at < len(script):
        assert time.monotonic() < until, "the talker stopped answering"
        talker.sends(1000 + at, script[at])
        if moments and at == moments[0]:
            moments.pop(0)
            # Anywhere from starting up to the answer: keeping takes some milliseconds.
            time.sleep(chance.choice([0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]))
            talker.dies()
            kills += 1
            talker.starts()
            continue
        while 1000 + at not in talker.kept and talker.process.poll() is None:
            talker.hears(0.2)
        at += 1
    talker.dies()

    async def what_is_kept() -> tuple[list[str], dict[str, int], list[str]]:
        api = BotApi(tmp_path / "console.json")
        ana = api.person("Ana")
        async with running(tmp_path, api=api) as stage:
            await stage.settled()
            stage.seen[ana.id] = 0
            rest = [entry.text for entry in stage.entries(ana)]
            return (await stage.typed(ana, StoryOf.SELF)).splitlines(), await stage.counts(), rest

    told, counts, last = asyncio.run(what_is_kept())
    print(f"{kills} kills, {len(script)} messages, {len(told)} lines in the story, {counts}")
    assert kills == KILLS
    assert told == LINES, "each line once, in order"
    assert (counts["waiting"], counts["quarantined"]) == (0, 0)
    assert counts["done"] == len(script)
    answers = talker.said + last
    # One of several wordings, by turn: killed between, the turn has another number.
    asked = ("that’s it", "that's it", "is that it")
    assert answers and any(words in answers[-1] for words in asked), "the last line was answered"

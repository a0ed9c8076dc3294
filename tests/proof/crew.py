"""Two webs and three workers on one PostgreSQL behave as one, while each is killed in turn.

`python -m tests.proof.crew [--seconds 120] [--chats 200] [--only NAME]` runs four scenes and prints
what was lost, doubled, out of order and how long people waited:

- killed: one process, chosen by chance, ends by SIGKILL every second and is started again; half-way
  all are restarted one after another, as a deploy does; prompts are pushed to groups meanwhile;
- polling: of two `coach run` beside workers the one that fetches is killed, again and again;
- leader: whoever leads is killed in the middle of a push;
- outage: PostgreSQL is stopped, in good order and as by a crash, and started again, under load.

The processes are light (`tests.proof.light`): they hear nothing in a story and load no model, so
these figures are about durability and order, not about how fast a telling is read.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bot.usecases.crew import LANES
from tests.counterpart.programs import Program
from tests.proof.fleet import Fleet, fleet

SEED = 20261130
DRAINS = 120.0
"""Longest wait, after the last trouble, for everybody to be answered."""
PEOPLE_A_SECOND = 4.0
"""Messages a second from all people together: with three calls a turn well within Telegram's 30."""
A_SECOND = 30
"""Calls Telegram takes in a second."""
BUNCHED = 1.1
"""On a machine with more to do than it can, calls arrive bunched that were made apart: that many
times what is allowed is seen here although nobody made it. The property that shares never add up to
more is in tests/telegram/test_limits.py."""
TAKEN_OVER = 5.0
"""Seconds within which others must go on with what a dead process did."""


@dataclass(frozen=True)
class Size:
    """How long, how many people and groups, seconds between kills."""

    seconds: float = 120.0
    chats: int = 200
    groups: int = 40
    every: float = 1.0

    @property
    def gap(self) -> float:
        """Seconds between two messages of one person."""
        return self.chats / PEOPLE_A_SECOND


@dataclass
class Found:
    """What became of a scene; `told` are its figures in words."""

    name: str
    messages: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    unanswered: int = 0
    posts: int = 0
    posts_due: int = 0
    posts_twice: int = 0
    posts_unknown: int = 0
    most_in_a_second: int = 0
    most_in_a_group_minute: int = 0
    ended_by_themselves: int = 0
    slowest_takeover: float = 0.0
    kills: int = 0
    told: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What must not be, and is."""
        must_be_zero = {
            "messages lost": self.lost,
            "messages doubled": self.doubled,
            "people whose messages are out of order": self.out_of_order,
            "people unanswered": self.unanswered,
            "posts twice in a group": self.posts_twice,
            "posts missing": max(0, self.posts_due - self.posts - self.posts_unknown),
            "processes that ended by themselves": self.ended_by_themselves,
        }
        found = [f"{count} {what}" for what, count in must_be_zero.items() if count]
        if self.slowest_takeover > TAKEN_OVER:
            found.append(f"{self.slowest_takeover:.1f} s until somebody took over")
        if self.most_in_a_second > A_SECOND * BUNCHED:
            found.append(f"{self.most_in_a_second} calls in one second")
        if self.most_in_a_group_minute > 20:
            found.append(f"{self.most_in_a_group_minute} calls in one minute of a group")
        return found

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.messages} messages, {self.kills} kills, {self.lost} lost, "
            f"{self.doubled} doubled, {self.out_of_order} out of order, "
            f"{self.unanswered} unanswered",
            f"  posts: {self.posts} of {self.posts_due} arrived, {self.posts_unknown} of unknown "
            f"fate, {self.posts_twice} twice; most calls in a second {self.most_in_a_second}, "
            f"in a group's minute {self.most_in_a_group_minute}",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in self.told)])


async def _seen(fleet: Fleet, found: Found) -> Found:
    """Wait for the last answer, end everything in good order, and look."""
    drained = await fleet.talk.ends(DRAINS)
    await fleet.posted(DRAINS)
    fleet.watch(fleet.programs)
    found.unanswered = len(fleet.talk.unanswered)
    await asyncio.gather(*(p.stop() for p in fleet.programs if p.is_running))
    kept, sent = await fleet.kept(), fleet.talk.sent
    found.messages = sum(map(len, sent.values()))
    found.lost = sum((Counter(sent[n]) - Counter(kept[n])).total() for n in sent)
    found.doubled = sum((Counter(kept[n]) - Counter(sent[n])).total() for n in sent)
    found.out_of_order = sum(kept[n] != sorted(kept[n], key=_number) for n in sent)
    posts = fleet.posts()
    found.posts, found.posts_due = len(posts), fleet.pushes * len(fleet.groups)
    found.posts_twice = sum(count > 1 for count in posts.values())
    found.posts_unknown = (await fleet.states()).get("unknown", 0)
    found.most_in_a_second = fleet.api.most_in_a_second()
    found.most_in_a_group_minute = fleet.api.most_in_a_group_minute()
    found.ended_by_themselves = len(fleet.ended)
    found.told.append(f"message to answer: {fleet.talk.percentiles()}; the last {drained:.1f} s")
    found.told += [f"ended by itself: {words}" for words in fleet.ended]
    found.told += sorted({f"a traceback in {p.log}" for p in fleet.programs if _fell(p)})
    return found


def _number(line: str) -> int:
    return int(line.split()[1])


def _fell(program: Program) -> bool:
    return "Traceback" in program.told()


async def killed(home: Path, size: Size) -> Found:
    """Anybody dies at any moment, and a deploy comes in the middle."""
    found = Found("killed")
    chance = random.Random(SEED)
    async with fleet(home, size.chats, size.groups) as all_of_them:
        await all_of_them.start("web", "web", "worker", "worker", "worker")
        talking = asyncio.create_task(all_of_them.talk.goes_on(size.seconds, size.gap, chance))
        until = time.monotonic() + size.seconds
        half = time.monotonic() + size.seconds / 2
        await all_of_them.push()
        await _kills(all_of_them, found, chance, half, size.every)
        begun = time.monotonic()
        for program in all_of_them.programs:
            if program.is_running:
                await program.stop()
            await program.start()
            await all_of_them.shared()
        found.told.append(f"rolling restart of five: {time.monotonic() - begun:.1f} s")
        await all_of_them.push()
        await _kills(all_of_them, found, chance, until, size.every)
        await talking
        return await _seen(all_of_them, found)


async def _kills(
    fleet: Fleet, found: Found, chance: random.Random, until: float, every: float
) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(every)
        program = chance.choice(fleet.programs)
        fleet.watch([program])
        await program.kill()
        found.kills += 1
        await program.start()


async def polling(home: Path, size: Size) -> Found:
    """Whoever fetches is killed; another fetches within five seconds, and nothing is lost."""
    found = Found("polling")
    chance = random.Random(SEED)
    async with fleet(home, size.chats) as pollers:
        await pollers.start("run", "run", "worker", "worker")
        talking = asyncio.create_task(pollers.talk.goes_on(size.seconds, size.gap, chance))
        until = time.monotonic() + size.seconds
        takeovers = []
        while time.monotonic() < until - 8:
            await asyncio.sleep(3)
            fetcher = pollers.fetcher()
            assert fetcher in pollers.programs[:2]
            at = time.monotonic()
            await fetcher.kill()
            found.kills += 1
            while not any(t > at for t in pollers.api.polled_at):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            takeovers.append(min(t for t in pollers.api.polled_at if t > at) - at)
            await fetcher.start()
            await pollers.shared()
        await talking
        found.slowest_takeover = max(takeovers)
        found.told.append(f"next poll after a fetcher's death, at worst {max(takeovers):.2f} s")
        return await _seen(pollers, found)


async def leader(home: Path, size: Size) -> Found:
    """A push goes on when whoever began it is killed; a lane's next owner comes in five seconds."""
    found = Found("leader")
    chance = random.Random(SEED)
    async with fleet(home, size.chats, size.groups) as crew:
        await crew.start("web", "web", "worker", "worker", "worker")
        takeovers = []
        for _ in range(max(1, int(size.seconds / 20))):
            talking = asyncio.create_task(crew.talk.goes_on(10, size.gap, chance))
            before = sum(crew.posts().values())
            await crew.push()
            while sum(crew.posts().values()) < before + 3:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            leads = crew.leader()
            assert leads is not None
            at = time.monotonic()
            await leads.kill()
            found.kills += 1
            await _all_lanes_held(crew)
            takeovers.append(time.monotonic() - at)
            await talking
            await crew.posted()
            await leads.start()
            await crew.shared()
        found.slowest_takeover = max(takeovers)
        found.told.append(f"all lanes served after a death, at worst {max(takeovers):.2f} s")
        return await _seen(crew, found)


async def _all_lanes_held(crew: Fleet) -> None:
    """Return once the lanes of who died are others': every lane is leased to one who lives."""
    async with asyncio.timeout(30):
        while crew.owned_by_living() < LANES:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def outage(home: Path, size: Size) -> Found:
    """The database goes and comes back; people are answered without anybody's hands."""
    found = Found("outage")
    chance = random.Random(SEED)
    away = min(10.0, size.seconds / 4)
    async with fleet(home, size.chats, size.groups) as crew:
        await crew.start("web", "web", "worker", "worker", "worker")
        for mode in ("fast", "immediate"):
            talking = asyncio.create_task(crew.talk.goes_on(away * 1.5 + 2, size.gap, chance))
            await crew.push()
            await asyncio.sleep(2)
            await asyncio.to_thread(crew.server.stop, mode)
            stopped = time.monotonic()
            await asyncio.sleep(away)
            taken = crew.balancer.taken(stopped, time.monotonic())
            crew.watch(crew.programs)
            await asyncio.to_thread(crew.server.start)
            back = time.monotonic()
            await talking
            drained = await crew.talk.ends(DRAINS)
            first = crew.balancer.first_after(back)
            all_answered = max(at + wait for at, wait in crew.talk.waits) - back
            found.told.append(
                f"stopped ({mode}) for {away:.0f} s: {taken} deliveries answered 200 meanwhile; "
                f"after it came back the first 200 within {first or -1:.1f} s, the last of those "
                f"who waited answered {all_answered:.1f} s after it (talk ended {drained:.1f} s "
                "before)"
            )
            found.lost += taken
        kept_lost = found.lost
        seen = await _seen(crew, found)
        seen.lost += kept_lost
        return seen


SCENES = {"killed": killed, "polling": polling, "leader": leader, "outage": outage}


async def _all(size: Size, only: str | None) -> int:
    faults = 0
    for name, scene in SCENES.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory(prefix="crew-") as home:
                found = await scene(Path(home), size)
            print(found, flush=True)
            for fault in found.faults():
                faults += 1
                print(f"  FAULT: {fault}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    asking = argparse.ArgumentParser(prog="python -m tests.proof.crew")
    asking.add_argument("--seconds", type=float, default=120.0)
    asking.add_argument("--chats", type=int, default=200)
    asking.add_argument("--every", type=float, default=1.0)
    asking.add_argument("--only", choices=sorted(SCENES))
    given = asking.parse_args()
    size = Size(given.seconds, given.chats, every=given.every)
    sys.exit(asyncio.run(_all(size, given.only)))

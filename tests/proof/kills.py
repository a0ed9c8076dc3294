"""Fifty people talk while the bot is killed again and again: what is lost, doubled, unanswered?

`python -m tests.proof.kills [--seconds 60]` runs it by polling, by webhook and for the rival, and
prints a table. The bot is the program itself, started anew by the same command each time.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from telegram.ext import PicklePersistence

from bot.console.people import Person
from bot.core.narrative import StoryOf
from bot.core.story import Folder, Identity
from bot.store.database import open_store
from tests.counterpart.programs import WAYS, Program
from tests.counterpart.server import HttpBotApi, serving
from tests.proof.rival import kept_in
from tests.telegram.stage import database, running

SEED = 20261124
EVERY = 2.0
"""Seconds between kills."""
DRAINS = 180.0
"""Longest wait, after the last kill, for everybody to be answered."""


@dataclass(frozen=True)
class Plan:
    """How long people talk, how many, and how often each says something."""

    seconds: float
    chats: int = 50
    gap: float = 3.0
    """Seconds between two messages of one person, on average."""


@dataclass
class Outcome:
    """What became of it. `kept` and `sent` are lines by person, in order."""

    name: str
    plan: Plan
    kills: int = 0
    sent: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, list[str]] = field(default_factory=dict)
    unanswered: int = 0
    answers: int = 0
    repeated: int = 0
    drained: float = 0.0
    stalled: int = 0

    @property
    def messages(self) -> int:
        """How many lines were said."""
        return sum(map(len, self.sent.values()))

    @property
    def lost(self) -> int:
        """Lines said and not kept."""
        return sum(
            (Counter(lines) - Counter(self.kept.get(name, []))).total()
            for name, lines in self.sent.items()
        )

    @property
    def doubled(self) -> int:
        """Lines kept more often than said."""
        return sum(
            (Counter(lines) - Counter(self.sent.get(name, []))).total()
            for name, lines in self.kept.items()
        )

    @property
    def out_of_order(self) -> int:
        """People whose kept lines stand in another order than they said them."""
        return sum(lines != sorted(lines, key=_number) for lines in self.kept.values())

    def row(self) -> str:
        """One line of the table."""
        return (
            f"{self.name:28} {self.kills:5} {self.messages:8} {self.lost:5} {self.doubled:7} "
            f"{self.out_of_order:12} {self.unanswered:10} {self.answers:7} {self.repeated:8} "
            f"{self.drained:7.1f}"
        )


HEAD = (
    f"{'bot':28} {'kills':>5} {'messages':>8} {'lost':>5} {'doubled':>7} {'out of order':>12} "
    f"{'unanswered':>10} {'answers':>7} {'repeated':>8} {'drained':>7}"
)


def _number(line: str) -> int:
    return int(line.split()[1])


class Bot(Protocol):
    """A bot to be killed: made ready, then run as `program`, then asked what it kept."""

    name: str
    program: Program

    async def ready(self, api: HttpBotApi, people: Sequence[Person]) -> None:
        """Everybody is where their next message is kept."""
        ...

    async def kept(self, people: Sequence[Person]) -> Mapping[str, list[str]]:
        """What each person's story holds, line by line. The program has ended."""
        ...

    async def sent(self) -> int | None:
        """How many messages the bot thinks it sent; None when it does not know."""
        ...


@dataclass
class Coach:
    """Ours, by polling or by webhook."""

    home: Path
    way: str
    address: str
    token: str
    module: str

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.name = f"coach {'run' if self.way == 'polling' else 'web'}"
        self.program = WAYS[self.way](self.home, self.address, self.token, self.module)

    async def ready(self, api: HttpBotApi, people: Sequence[Person]) -> None:
        """One person arrives as everybody does; the others get folders like theirs."""
        await put_among_tellers(database(self.home), api, people)

    async def kept(self, people: Sequence[Person]) -> Mapping[str, list[str]]:
        """Every piece and telling of the story of self."""
        return await what_is_kept(database(self.home), people)

    async def sent(self) -> int | None:
        """Rows of the outbox that are marked as sent."""
        store = await open_store(database(self.home))
        async with store.work() as work:
            counts = await work.outbox.counts()
        await store.close()
        return counts.get("sent", 0)


async def put_among_tellers(url: str, api: HttpBotApi, people: Sequence[Person]) -> None:
    """Give people in the database at `url` folders like that of one who arrived in truth."""
    with tempfile.TemporaryDirectory() as elsewhere:
        async with running(Path(elsewhere)) as stage:
            first = stage.person("First")
            await stage.tells(first)
            folder = await stage.folder(first)
    assert folder is not None and folder.session.step == "telling"
    store = await open_store(url)
    async with store.work() as work:
        for number, person in enumerate(people):
            await work.folders.save(_like(folder, number, person))
        await work.commit()
    await store.close()
    for person in people:
        api.ledger.know(person.id)
        person.chat.started = True


async def what_is_kept(url: str, people: Sequence[Person]) -> dict[str, list[str]]:
    """Every piece and telling of each person's story of self, line by line."""
    store = await open_store(url)
    found = {}
    async with store.work() as work:
        for person in people:
            folder = await work.folders.by_chat(person.id)
            assert folder is not None and folder.story is not None
            part = folder.story.parts[StoryOf.SELF]
            words = [*([part.text] if part.text else []), *part.pieces]
            found[person.name] = "\n".join(words).splitlines()
    await store.close()
    return found


def _like(folder: Folder, number: int, person: Person) -> Folder:
    one = copy.deepcopy(folder)
    one.resident = replace(one.resident, id=f"resident-{number}")
    one.identity = Identity(person.id, person.id, person.name)
    story = one.stories[0]
    story.id = one.session.story_id = f"story-{number}"
    one.session.version = 0
    return one


@dataclass
class Rival:
    """python-telegram-bot's ConversationHandler and PicklePersistence."""

    home: Path
    address: str
    token: str
    seconds: float = 60.0

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.name = f"PTB's own, pickle every {self.seconds:g} s"
        settings = {"TELEGRAM_BOT_TOKEN": self.token, "TELEGRAM_API_BASE_URL": self.address}
        self.program = Program(self.home, str(self.home), settings, "tests.proof.rival")
        self.program.also(str(self.seconds))

    async def ready(self, api: HttpBotApi, people: Sequence[Person]) -> None:
        """Everybody has said /start, and it was stopped as an operator would."""
        await self.program.start()
        for person in people:
            person.says("/start")
        await _until(lambda: not _waiting(api, people), 60)
        await self.program.stop()

    async def kept(self, people: Sequence[Person]) -> Mapping[str, list[str]]:
        """What the pickle holds."""
        data: Mapping[int, Any] = await PicklePersistence(kept_in(self.home)).get_user_data()
        return {p.name: list(data.get(p.id, {}).get("lines", [])) for p in people}

    async def sent(self) -> int | None:
        """It keeps no record."""
        return None


async def _until(claim: Any, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not claim():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            return True
    return False


def _waiting(api: HttpBotApi, people: Sequence[Person]) -> list[Person]:
    """People whose last message has nothing of the bot behind it."""
    return [p for p in people if (said := api.transcript(p)) and said[-1].who != "bot"]


async def killed(bot: Bot, api: HttpBotApi, plan: Plan) -> Outcome:
    """Let everybody talk, kill, and see."""
    people = [api.person(f"Person {n}") for n in range(plan.chats)]
    outcome = Outcome(bot.name, plan, sent={p.name: [] for p in people})
    await bot.ready(api, people)
    before = sum(e.who == "bot" for p in people for e in api.transcript(p))
    chance = random.Random(SEED)
    await bot.program.start()
    until = time.monotonic() + plan.seconds
    talking = [
        asyncio.create_task(_talks(p, outcome.sent[p.name], until, plan.gap, chance))
        for p in people
    ]
    while time.monotonic() < until:
        await asyncio.sleep(EVERY)
        if not bot.program.is_running:
            outcome.stalled += 1
        await bot.program.kill()
        outcome.kills += 1
        await bot.program.start()
    await asyncio.gather(*talking)
    begun = time.monotonic()
    # Who lost a message waits for ever: no longer than it takes to be sure.
    patience = DRAINS if not isinstance(bot, Rival) else 15.0
    await _until(lambda: not _waiting(api, people) and not len(api.updates), patience)
    outcome.drained = time.monotonic() - begun
    await bot.program.stop()
    outcome.unanswered = len(_waiting(api, people))
    outcome.answers = sum(e.who == "bot" for p in people for e in api.transcript(p)) - before
    outcome.kept = dict(await bot.kept(people))
    sent = await bot.sent()
    outcome.repeated = outcome.answers - sent if sent is not None else 0
    return outcome


async def _talks(
    person: Person, sent: list[str], until: float, gap: float, chance: random.Random
) -> None:
    await asyncio.sleep(chance.uniform(0, gap))
    while time.monotonic() < until:
        line = f"line {len(sent)} of what happened on the hill"
        person.says(line)
        sent.append(line)
        await asyncio.sleep(chance.uniform(0, 2 * gap))


async def prove(way: str, home: Path, plan: Plan, module: str) -> Outcome:
    """Our bot, one way."""
    async with serving(HttpBotApi()) as there:
        bot = Coach(home, way, there.http.address, there.api.token, module)
        return await _ended(bot, there.api, plan)


async def prove_rival(home: Path, plan: Plan, seconds: float) -> Outcome:
    """The rival, by polling."""
    async with serving(HttpBotApi()) as there:
        rival = Rival(home, there.http.address, there.api.token, seconds)
        return await _ended(rival, there.api, plan)


async def _ended(bot: Bot, api: HttpBotApi, plan: Plan) -> Outcome:
    try:
        return await killed(bot, api, plan)
    finally:
        if bot.program.is_running:
            await bot.program.kill()


async def _all(plan: Plan, module: str) -> None:
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for way in sorted(WAYS):
            print((await prove(way, Path(folder) / way, plan, module)).row(), flush=True)
        for seconds in (60.0, 1.0):
            home = Path(folder) / f"rival-{seconds:g}"
            print((await prove_rival(home, plan, seconds)).row(), flush=True)


if __name__ == "__main__":
    asking = argparse.ArgumentParser(prog="python -m tests.proof.kills")
    asking.add_argument("--seconds", type=float, default=60.0)
    asking.add_argument("--module", default="bot")
    given = asking.parse_args()
    sys.exit(asyncio.run(_all(Plan(given.seconds), given.module)))

"""Several programs of one bot on one PostgreSQL, behind one address, beside one Telegram.

Webs and workers are the real program in processes of their own; the database server and what
stands between Telegram and the webs are ours to stop.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bot.console.call import Call
from bot.console.chats import Event
from bot.console.people import Group, Person
from bot.core.practice import Aim
from bot.core.schedule import Rule
from bot.core.turn import Line
from bot.store.database import SqlStore, open_store
from bot.store.locks import FETCHING, LEADING
from bot.usecases.organizers import Organizers, Plan
from bot.usecases.people import CONSOLE
from bot.usecases.ports import Group as Known
from bot.wiring import SystemClock, new_id
from bot.words.practice import load_library
from tests import postgres
from tests.counterpart.http import HttpServer, Request, Response
from tests.counterpart.programs import Program, free_port
from tests.counterpart.server import Counterpart, HttpBotApi, serving
from tests.counterpart.webhooks import Backoff
from tests.fakes import catalogue
from tests.proof.kills import put_among_tellers, what_is_kept

UNCOUNTED = {"getupdates", "getme", "answercallbackquery", "setwebhook", "getwebhookinfo"}
APOLOGIES = {catalogue().text(Line("general.cannot_write"), code) for code in ("en", "es")}
"""Sentences that answer nobody: a message waits for the database."""


class CountingApi(HttpBotApi):
    """Notes when each call that names a chat arrived, and for whom."""

    def __init__(self) -> None:
        super().__init__(backoff=Backoff(first=0.1, longest=1.0, patience=10.0))
        self.arrivals: list[tuple[float, int]] = []
        self.polled_at: list[float] = []

    async def answer(self, token: str, call: Call) -> tuple[int, bytes]:
        """One call."""
        if call.method.lower() == "getupdates":
            self.polled_at.append(time.monotonic())
        chat = call.number("chat_id")
        if chat and call.method.lower() not in UNCOUNTED:
            self.arrivals.append((time.monotonic(), chat))
        return await super().answer(token, call)

    def most_in_a_second(self) -> int:
        """Calls in the fullest second."""
        return _fullest([at for at, _ in self.arrivals], 1.0)

    def most_in_a_group_minute(self) -> int:
        """Calls in the fullest minute of any group."""
        groups = defaultdict(list)
        for at, chat in self.arrivals:
            if chat < 0:
                groups[chat].append(at)
        return max((_fullest(times, 60.0) for times in groups.values()), default=0)


def _fullest(times: Sequence[float], seconds: float) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class Balancer:
    """One address for all webs: round and round, and 502 when none can be connected to."""

    def __init__(self) -> None:
        self.http = HttpServer(self._pass_on)
        self.ports: list[int] = []
        self.statuses: list[tuple[float, int]] = []
        self._turn = 0
        self._client = httpx.AsyncClient(timeout=8.0)

    async def _pass_on(self, request: Request) -> Response:
        status = await self._status(request)
        self.statuses.append((time.monotonic(), status))
        return Response(status, b"")

    async def _status(self, request: Request) -> int:
        left_out = ("host", "content-length", "connection")
        headers = {k: v for k, v in request.headers.items() if k not in left_out}
        for _ in self.ports:
            self._turn += 1
            port = self.ports[self._turn % len(self.ports)]
            url = f"http://127.0.0.1:{port}{request.target}"
            try:
                answer = await self._client.post(url, content=request.body, headers=headers)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                # It may have been kept: only Telegram may bring it again.
                return 502
            return answer.status_code
        return 502

    def taken(self, since: float, until: float) -> int:
        """How many deliveries were answered 200 between two moments."""
        return sum(since < at < until and status == 200 for at, status in self.statuses)

    def first_after(self, moment: float) -> float | None:
        """Seconds from a moment until the first 200."""
        return next((at - moment for at, s in self.statuses if at > moment and s == 200), None)

    async def close(self) -> None:
        """Listen no more."""
        await self._client.aclose()
        await self.http.goes()


@dataclass
class Talk:
    """What people said and when each was answered; lines are numbered per person."""

    api: CountingApi
    people: list[Person] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=dict)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """When something was said, and the seconds until the bot's next words in that chat."""
    _open: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.api.listen(self._hear)

    def _hear(self, event: Event) -> None:
        message = event.message
        if event.kind != "message" or message is None or not message.from_bot:
            return
        if message.text not in APOLOGIES:
            for at in self._open.pop(event.chat_id, ()):
                self.waits.append((at, time.monotonic() - at))

    @property
    def unanswered(self) -> list[Person]:
        """Who waits for the bot at this moment."""
        return [p for p in self.people if self._open.get(p.id)]

    async def goes_on(self, seconds: float, gap: float, chance: random.Random) -> None:
        """Everybody says a line every `gap` seconds, more or less."""
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._talks(p, until, gap, chance) for p in self.people))

    async def _talks(self, person: Person, until: float, gap: float, chance: random.Random) -> None:
        await asyncio.sleep(chance.uniform(0, gap))
        while time.monotonic() < until:
            # Now and then two at once, which two webs may keep at the same moment.
            for _ in range(chance.choice((1, 1, 1, 2))):
                line = f"line {len(self.sent[person.name])} of what happened on the hill"
                self.sent[person.name].append(line)
                self._open[person.id].append(time.monotonic())
                person.says(line)
            await asyncio.sleep(chance.uniform(0.3, 1.7) * gap)

    async def ends(self, seconds: float) -> float:
        """Wait until everybody is answered; seconds it took, at most `seconds`."""
        begun = time.monotonic()
        while self.unanswered and time.monotonic() < begun + seconds:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return time.monotonic() - begun

    def percentiles(self) -> str:
        """Seconds from a message to its answer."""
        waits = sorted(seconds for _, seconds in self.waits)
        at = {p: waits[min(len(waits) - 1, int(len(waits) * p / 100))] for p in (50, 95, 99)}
        return " ".join(f"p{p} {seconds:.2f} s" for p, seconds in at.items()) + (
            f" worst {waits[-1]:.2f} s" if waits else ""
        )


class Fleet:
    """The programs, their database, their Telegram."""

    def __init__(
        self, there: Counterpart, api: CountingApi, home: Path, server: postgres.Server
    ) -> None:
        self.there, self.api, self.home, self.server = there, api, home, server
        self.url = server.database()
        self.talk = Talk(api)
        self.balancer = Balancer()
        self.programs: list[Program] = []
        self.groups: list[Group] = []
        self.pushes = 0
        self.ended: list[str] = []

    async def prepared(self, people: int, groups: int) -> None:
        """So many people at the telling of their story, and groups with the bot in them."""
        await self.balancer.http.comes()
        self.talk.people = [self.api.person(f"Person {n}") for n in range(people)]
        self.talk.sent = {p.name: [] for p in self.talk.people}
        await put_among_tellers(self.url, self.api, self.talk.people)
        store = await self._store()
        async with store.work() as work:
            for number in range(groups):
                group = self.api.group(f"Group {number}")
                group.add_bot(self.talk.people[0])
                self.groups.append(group)
                at = SystemClock().now()
                known = Known(f"g{number}", group.id, f"Group {number}", "member", at)
                await work.groups.save(known)
            await work.commit()
        await store.close()
        # The news that the bot was added is no part of what is proved.
        self.api.updates.clear()

    async def _store(self) -> SqlStore:
        return await open_store(self.url)

    def program(self, command: str, module: str) -> Program:
        """One more of the fleet, not started."""
        home = self.home / f"{command}-{len(self.programs)}"
        home.mkdir()
        given = {
            "TELEGRAM_BOT_TOKEN": self.api.token,
            "TELEGRAM_API_BASE_URL": self.there.http.address,
            "DATABASE_URL": self.url,
        }
        if command == "web":
            port = free_port()
            self.balancer.ports.append(port)
            given |= {
                "TELEGRAM_WEBHOOK_URL": f"{self.balancer.http.address}/telegram",
                "TELEGRAM_WEBHOOK_SECRET": "a-word-between-us",
                "COACH_PORT": str(port),
            }
        made = Program(home, command, given, module)
        self.programs.append(made)
        return made

    async def start(self, *commands: str, module: str = "tests.proof.light") -> None:
        """Start programs and wait until all of them share the lanes."""
        for command in commands:
            await self.program(command, module).start()
        await self.shared()

    async def shared(self, seconds: float = 60.0) -> None:
        """Return once as many processes as run hold all lanes among them."""
        running = sum(p.is_running for p in self.programs)
        async with asyncio.timeout(seconds):
            while self._owners() != running:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    def _owners(self) -> int:
        asked = (
            "SELECT count(DISTINCT owner), count(owner) FROM lanes "
            "WHERE expires_at > clock_timestamp()"
        )
        ((owners, lanes),) = self.server.ask(asked, self._name)
        return int(owners) if lanes == 64 else 0

    def owned_by_living(self) -> int:
        """Lanes leased to processes whose sessions are open."""
        asked = (
            "SELECT count(*) FROM lanes JOIN pg_stat_activity "
            "ON application_name LIKE '%' || owner WHERE expires_at > clock_timestamp()"
        )
        ((lanes,),) = self.server.ask(asked, self._name)
        return int(lanes)

    @property
    def _name(self) -> str:
        return self.url.partition("@/")[2].partition("?")[0]

    def leader(self) -> Program | None:
        """The program that pushes what is due."""
        return self._holder(LEADING)

    def fetcher(self) -> Program | None:
        """The program that fetches updates."""
        return self._holder(FETCHING)

    def _holder(self, lock: int) -> Program | None:
        asked = (
            "SELECT application_name FROM pg_stat_activity a JOIN pg_locks l USING (pid) "
            f"WHERE l.locktype = 'advisory' AND l.objid = {lock} AND l.granted"
        )
        for (name,) in self.server.ask(asked, self._name):
            found = re.fullmatch(r"coach (\d+) [0-9a-f]{32}", name)
            return next((p for p in self.programs if found and p.pid == int(found[1])), None)
        return None

    async def push(self) -> None:
        """Push the next practice prompt to every group, at once, as an organizer would."""
        library = load_library(catalogue().languages)
        store = await self._store()
        clock = SystemClock()
        organizers = Organizers(store, library, catalogue().languages, clock, new_id)
        prompt = list(library)[self.pushes]
        self.pushes += 1
        await organizers.push(CONSOLE, Plan((prompt,), Aim(), Rule.right_now(clock.now())))
        await store.close()

    def posts(self) -> Counter[tuple[int, str]]:
        """How often each group has each post, introductions aside."""
        return Counter(
            (group.id, entry.text)
            for group in self.groups
            for entry in self.api.transcript(group)
            if entry.who == "bot"
        )

    async def states(self) -> dict[str, int]:
        """Messages by what became of them."""
        store = await self._store()
        async with store.work() as work:
            found = dict(await work.outbox.counts())
        await store.close()
        return found

    async def posted(self, seconds: float = 60.0) -> None:
        """Wait, at most so long, until every post is out or its fate unknown, and nothing waits."""
        due, until = self.pushes * len(self.groups), time.monotonic() + seconds
        while time.monotonic() < until:
            states = await self.states()
            is_out = sum(self.posts().values()) + states["unknown"] >= due
            if is_out and not states["waiting"] and not states["sending"]:
                return
            await asyncio.sleep(0.3)

    async def kept(self) -> dict[str, list[str]]:
        """What each person's story holds, line by line."""
        return await what_is_kept(self.url, self.talk.people)

    def watch(self, programs: Iterable[Program]) -> None:
        """Note who is not running although nobody ended it."""
        self.ended += [p.told()[-500:] for p in programs if not p.is_running]

    async def close(self) -> None:
        """End everything."""
        for program in self.programs:
            if program.is_running:
                await program.kill()
        await self.balancer.close()


@asynccontextmanager
async def fleet(home: Path, people: int, groups: int = 0) -> AsyncIterator[Fleet]:
    """A database of its own, and nobody running yet."""
    server = postgres.Server()
    server.start()
    api = CountingApi()
    async with serving(api) as there:
        made = Fleet(there, api, home, server)
        try:
            await made.prepared(people, groups)
            yield made
        finally:
            await made.close()
            server.close()

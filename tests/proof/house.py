"""The bot, its people and a group on one machine without time: everything may go wrong at once.

Telegram is the in-process Bot API, the database the one in memory whose contract the real one
shares; what runs between them is the program's own.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from bot.console.botapi import BotApi
from bot.console.people import Group, Person
from bot.console.request import InProcessRequest
from bot.console.updates import UpdateQueue, _Waiting
from bot.core.narrative import Reading, StoryOf
from bot.core.story import Folder, Identity
from bot.core.turn import Line, Say
from bot.telegram.app import TelegramCoach
from bot.usecases.outgoing import body_of
from bot.usecases.ports import OutboxItem, StoreUnavailable
from bot.usecases.residents import Residents
from tests.fakes import A_TUESDAY, AwayRetriever, ScriptedScreener, SteadyReader, catalogue
from tests.fakes_store import MemoryStore, MemoryUnitOfWork
from tests.proof.quickened import QuickLoop

T = TypeVar("T")


DISK_SECONDS = 0.01
"""What a commit takes."""
READING_SECONDS = 0.04
"""What reading a telling takes."""


class SlowReader(SteadyReader):
    """Reads as long as a reader does."""

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """After a while, the same as ever."""
        await asyncio.sleep(READING_SECONDS)
        return await super().read(stage, text, language)


class Raw(_Waiting):
    """An update whose `body` is all there is of it, number included."""

    def payload(self) -> Any:
        """Just that."""
        return self.body


class RepeatingQueue(UpdateQueue):
    """The server's queue, able to bring any earlier update once more, and what is none at all."""

    news: Mapping[str, object] = {}
    """Fields of a later Bot API, put into every update of a person."""

    def put_raw(self, make: Callable[[int], object]) -> None:
        """Bring what is made of the next number as an update, whatever it is."""
        number = self._next_id()
        self._pending.append(Raw(number, "raw", make(number), self._now()))
        self._wake()

    def again(self, back: int) -> None:
        """Bring the update that came `back` updates ago again, if there is one."""
        if back < len(self.every):
            self._repeats.append(self.every[-1 - back])  # type: ignore[arg-type]
            self._wake()

    def _batch(self, limit: int) -> list[Any]:
        """Lowest ids first, as Telegram gives them, what comes again included."""
        return sorted(super()._batch(limit), key=lambda update: update.id)

    @property
    def every(self) -> list[object]:
        """All that were ever put, oldest first."""
        return self.__dict__.setdefault("_every", [])

    def put(self, kind: str, body: object) -> int | None:
        """As the server's; and remember it."""
        assert isinstance(body, Mapping)
        number = super().put(kind, {**body, **self.news})
        if number is not None:
            self.every.append(self._last)
        return number


class FailingWork(MemoryUnitOfWork):
    """A unit of work of a FailingStore."""

    async def commit(self, within: float = 0.0) -> None:
        """Commit, or fail before or after it as the store was told."""
        store = self._store
        assert isinstance(store, FailingStore)
        # Somebody may be killed between the decision and the disk, and behind it.
        await asyncio.sleep(DISK_SECONDS / 2)
        if store.fails_before > 0:
            store.fails_before -= 1
            raise StoreUnavailable("The disk is full, for a moment.")
        await super().commit(within)
        if store.fails_after > 0:
            store.fails_after -= 1
            raise StoreUnavailable("The disk did not say whether it wrote.")
        await asyncio.sleep(DISK_SECONDS / 2)


class FailingStore(MemoryStore):
    """Its next commits fail: `fails_before` do nothing, `fails_after` are done and not told."""

    fails_before = 0
    fails_after = 0

    def work(self) -> FailingWork:
        """A fresh unit of work."""
        return FailingWork(self, self._writers)


class LoopClock:
    """The loop's time as the time of day."""

    def __init__(self, loop: QuickLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """Aware UTC datetime."""
        return A_TUESDAY + timedelta(seconds=self._loop.time())


@dataclass
class Running:
    """One run of the program."""

    coach: TelegramCoach
    tasks: set[asyncio.Task[object]]


class House:
    """Everything, with a program that can be stopped, killed and started."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.loop = QuickLoop()
        self.clock = LoopClock(self.loop)
        self.api = BotApi(now=lambda: self.clock.now().timestamp())
        self.queue = RepeatingQueue(
            lambda: self.api.ledger.next_id("update"), lambda: self.clock.now().timestamp()
        )
        self.api.updates = self.queue
        self.store = self.loop.does(_made(FailingStore))
        self.people = [self.api.person(name) for name in names]
        self.group: Group = self.api.group("The hall")
        self.group.add_bot(self.people[0])
        self.posts = 0
        self.running: Running | None = None
        self.runs = 0

    def begins(self) -> None:
        """Everybody is telling a story already, as after a quarter of an hour."""
        for number, person in enumerate(self.people):
            one = _teller()
            one.resident = replace(one.resident, id=f"resident-{number}")
            one.identity = Identity(person.id, person.id, person.name)
            one.stories[0].id = one.session.story_id = f"story-{number}"
            one.session.version = 1
            self.store.state.folders[one.resident.id] = one
            self.api.ledger.know(person.id)
            person.chat.started = True
        self.starts()

    # -- the program ----------------------------------------------------------------------------

    def starts(self) -> None:
        """Start the program on what is on disk."""
        self.runs += 1
        numbers = iter(range(10**9))
        run = self.runs
        reader, screener = SlowReader(), ScriptedScreener()
        residents = Residents(
            self.store, reader, screener, AwayRetriever(), catalogue(), self.clock,
            lambda: f"id-{run}-{next(numbers)}",
        )  # fmt: skip
        coach = TelegramCoach(
            self.store, residents, catalogue(), self.clock, self.api.token,
            request=InProcessRequest(self.api), updates_request=InProcessRequest(self.api),
        )  # fmt: skip

        async def start() -> None:
            before = asyncio.all_tasks()
            # The disk may be in trouble just now; an operator's supervisor starts it again.
            while True:
                try:
                    await coach.start()
                    break
                except StoreUnavailable:
                    await asyncio.sleep(1)
            self.running = Running(coach, {*asyncio.all_tasks()} - before)

        self.loop.does(start())

    def is_killed(self) -> None:
        """Every task ends where it stands; what was committed is all that is left."""

        async def kill() -> None:
            own = asyncio.current_task()
            # Python 3.11's wait_for sometimes swallows a cancellation: once is not enough.
            while tasks := [task for task in asyncio.all_tasks() if task is not own]:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=0.001)

        self.loop.does(kill())
        self.running = None

    def stops(self) -> None:
        """As an operator stops it."""
        assert self.running is not None
        self.loop.does(self.running.coach.stop())
        self.running = None

    def wakes(self) -> None:
        """Tell the program that there is something new to send."""

        async def wake() -> None:
            assert self.running is not None
            self.running.coach.wake()

        self.loop.does(wake())

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.loop.does(asyncio.sleep(seconds))

    def turns_over(self, steps: int) -> None:
        """The program goes on by a few steps of its tasks, and no time passes."""

        async def steps_pass() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.loop.does(steps_pass())

    def closes(self) -> None:
        """End everything."""
        if self.running is not None:
            self.is_killed()
        self.loop.close()

    # -- a push, as organizers' prompts will be -------------------------------------------------

    def posts_to_group(self) -> tuple[int, str]:
        """Put one post for the group into the outbox, never to be sent twice; its row and words."""
        self.posts += 1
        line = Line("closing.review.link", {"text": f"Practice prompt {self.posts}."})
        body = body_of(Say((line,)), "en", 0)
        item = OutboxItem(self.current_group, body, urgency="push", repeatable=False)

        async def add() -> int:
            # Past the failing disk: whoever asks for a post is told whether it was kept.
            before, after = self.store.fails_before, self.store.fails_after
            self.store.fails_before = self.store.fails_after = 0
            async with self.store.work() as work:
                (number,) = await work.outbox.add([item])
                await work.commit()
            self.store.fails_before, self.store.fails_after = before, after
            return number

        return self.loop.does(add()), f"Practice prompt {self.posts}."

    @property
    def current_group(self) -> int:
        """The group's id as the bot knows it."""
        known = list(self.store.state.groups.values())
        return known[0].chat_id if known else self.group.id

    # -- what there is to see -------------------------------------------------------------------

    def told(self, person: Person) -> list[str]:
        """The lines of a person's story of self, as kept."""
        folder = next(
            f for f in self.store.state.folders.values() if f.identity.chat_id == person.id
        )
        assert folder.story is not None
        part = folder.story.parts[StoryOf.SELF]
        return "\n".join([*([part.text] if part.text else []), *part.pieces]).splitlines()

    def is_well(self) -> bool:
        """Whether what fetches and what sends still runs, and says that nothing is wrong."""
        assert self.running is not None
        names = {task.get_name() for task in self.running.tasks if not task.done()}
        return {"polling", "sender", "looking"} <= names and self.running.coach.failure() is None

    def forgets_what_is_over(self, newcomer: Person) -> None:
        """Take finished rows and a newcomer out, so that each commit copies little."""
        state = self.store.state
        for rows in (state.inbox, state.outbox):
            for key in [k for k, kept in rows.items() if kept.state != "waiting"]:
                del rows[key]
        for key, folder in list(state.folders.items()):
            if folder.identity.chat_id == newcomer.id:
                del state.folders[key]

    def waits(self, person: Person) -> bool:
        """Whether the last word in this chat is the person's."""
        said = self.api.transcript(person)
        return bool(said) and said[-1].who != "bot"


async def _made(kind: type[T]) -> T:
    return kind()


@cache
def _template() -> Folder:
    """Somebody who came, agreed, skipped the sketches and was asked for their story."""
    house = House(("First",))
    house.starts()
    first = house.people[0]
    first.says("/start")
    house.passes(5)
    for button in ("Yes, in English", "18 or older", "Yes, begin", "Skip", "Skip", "Skip"):
        first.presses(button)
        house.passes(5)
    (folder,) = house.store.state.folders.values()
    house.closes()
    assert folder.session.step == "telling"
    return folder


def _teller() -> Folder:
    return copy.deepcopy(_template())

"""A small world to push prompts in: groups, people with rights, a clock, an outbox that sends."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from bot.core.narrative import Element
from bot.core.practice import Aim, PracticePrompt, Season
from bot.core.schedule import Repeat, Rule
from bot.usecases.organizers import Organizers, Plan
from bot.usecases.ports import Grant, Group, OutboxItem, Store
from bot.usecases.pushing import Pushing
from bot.usecases.results import ResultsBoard

ORGANIZER, COLLEAGUE, RESIDENT = 501, 502, 900
TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC)
LANGUAGES = ("en", "es")
LIBRARY = {
    p.id: p
    for p in (
        PracticePrompt("quiet", Element.SELF_CHOICE, Season.STARTING,
                       {"en": "A time you nearly stayed quiet?", "es": "¿Casi te callas?"}),
        PracticePrompt("door", Element.SELF_HOPE, Season.BUILDING,
                       {"en": "Who opened a door for you?", "es": "¿Quién te abrió?"}),
    )
}  # fmt: skip


@dataclass
class World:
    """Everything a test needs; `time` is the clock, which tests set as they like."""

    store: Store
    time: datetime = TUESDAY
    ids: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.pushing = self.another()
        self.organizers = Organizers(self.store, LIBRARY, LANGUAGES, self, self.new_id)
        self.board = ResultsBoard(self.store, LIBRARY, LANGUAGES)

    def another(self, store: Store | None = None) -> Pushing:
        """Pushing as a second process would have it."""
        return Pushing(
            store or self.store,
            LIBRARY,
            LANGUAGES,
            self,
            self.new_id,
            lambda: f"{next(self.ids):022}",
            lambda: "coach_bot",
        )

    def now(self) -> datetime:
        """See ports.Clock."""
        return self.time

    def new_id(self) -> str:
        """Ids in order, so that tests repeat."""
        return f"id-{next(self.ids):05}"

    async def allow(self, *people: int) -> None:
        """Make organizers."""
        async with self.store.work() as work:
            for telegram_id in people:
                await work.roles.grant(
                    Grant(telegram_id, frozenset({"organize"}), self.time, "console")
                )
            await work.commit()

    async def add_groups(
        self,
        *titles: str,
        timezone: str = "Europe/Madrid",
        standing: str = "member",
        tags: Sequence[str] = (),
        **more: object,
    ) -> list[str]:
        """Groups the organizer added; their ids."""
        ids = []
        async with self.store.work() as work:
            for title in titles:
                group = Group(
                    f"g-{title}",
                    -1000 - next(self.ids),
                    title,
                    standing,  # type: ignore[arg-type]
                    self.time - timedelta(days=30),
                    added_by=ORGANIZER,
                    timezone=timezone,
                    **more,  # type: ignore[arg-type]
                )
                await work.groups.save(group)
                if tags:
                    await work.practice.tag_group(group.id, tags)
                ids.append(group.id)
            await work.commit()
        return ids

    async def outbox(self) -> list[OutboxItem]:
        """What waits to be sent."""
        async with self.store.work() as work:
            return await work.outbox.waiting(100_000)

    async def pushes(self) -> list[OutboxItem]:
        """Prompts that wait to be sent to groups."""
        return [item for item in await self.outbox() if item.urgency == "push"]

    async def notices(self) -> list[OutboxItem]:
        """What waits for organizers in private."""
        return [item for item in await self.outbox() if item.chat_id > 0]

    async def send_all(self, fate: str = "sent") -> None:
        """Let the sender finish what waits."""
        async with self.store.work() as work:
            for item in await work.outbox.waiting(100_000):
                assert item.id is not None
                if fate == "sent":
                    await work.outbox.sent(item.id, 1)
                elif fate == "failed":
                    await work.outbox.failed(item.id, "BadRequest")
                else:
                    await work.outbox.unknown(item.id, "TimedOut")
            await work.commit()


def weekly(world: World, *weekdays: int, at: time = time(18), **more: object) -> Rule:
    """Every week, in the evening."""
    days = frozenset(weekdays or {1})
    return Rule(Repeat.WEEKLY, world.time.date(), at, days, **more)  # type: ignore[arg-type]


def plan(rule: Rule, *groups: str, tags: Sequence[str] = (), **more: object) -> Plan:
    """A push of the first prompt."""
    aim = Aim(frozenset(groups), frozenset(tags))
    return Plan(("quiet",), aim, rule, **more)  # type: ignore[arg-type]


def link_of(item: OutboxItem) -> str:
    """Where the button of a post leads."""
    ((button,),) = item.body["choices"]  # type: ignore[misc]
    return str(button[4])


def keys_of(item: OutboxItem) -> list[str]:
    """The message keys of a notice."""
    return [str(line[0]) for line in item.body["lines"]]  # type: ignore[attr-defined]

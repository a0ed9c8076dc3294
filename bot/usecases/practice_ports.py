"""What pushing practice prompts needs from the store: prompts, schedules, deliveries, opens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from bot.core.consent import Offer
from bot.core.movement import Movement, Step
from bot.core.practice import Delivery, Fate, LeftOut, PracticePrompt, Schedule
from bot.usecases.ports import Group


@dataclass(frozen=True)
class Target:
    """A group with what organizers added to it. `claimed_by` is None once they were forgotten."""

    group: Group
    tags: frozenset[str] = frozenset()
    claimed_at: datetime | None = None
    claimed_by: int | None = None


@dataclass(frozen=True)
class Unsettled:
    """A delivery whose end was not dealt with; `reason` is a PauseReason or an error's class name.

    `others_wait` tells whether messages of the same slot are still on their way.
    """

    delivery: Delivery
    fate: Fate
    reason: str | None
    others_wait: bool


@dataclass(frozen=True)
class Opening:
    """The last prompt somebody opened, and how far they have come since."""

    delivery: Delivery
    opened_at: datetime
    steps: frozenset[Step]


@dataclass(frozen=True)
class Outcome:
    """One delivery in numbers. For the eyes of core.movement only: nothing is hidden here yet."""

    group_id: str
    prompt_id: str
    schedule_id: str
    due_at: datetime
    fate: Fate
    reason: str | None
    people: Mapping[Step, int]


@dataclass(frozen=True)
class Offered:
    """What a teller lets organizers post, with the story it is from. No identity."""

    story_id: str
    offer: Offer


@dataclass(frozen=True)
class FollowUp:
    """One post that told one group what came of a prompt; for each `act` a group has one.

    `act` is the id of the offer that it shows, or of one telling of numbers; `story_id` is None
    for numbers.
    """

    id: str
    act: str
    group_id: str
    prompt_id: str
    posted_at: datetime
    outbox_id: int
    story_id: str | None = None


@dataclass(frozen=True)
class Followed:
    """A follow-up and what became of it; `reason` is an error's class name."""

    follow_up: FollowUp
    fate: Fate | Literal["taken_back"]
    reason: str | None = None


class Practice(Protocol):
    """Everything about practice prompts. Whoever is called a person is hashed before it is kept."""

    # prompts

    async def prompts(self) -> list[PracticePrompt]:
        """What organizers wrote, retired ones included, oldest first."""
        ...

    async def save_prompt(self, prompt: PracticePrompt) -> None:
        """Write an organizer's prompt, new or known by its id."""
        ...

    # groups

    async def targets(self, group_ids: Collection[str] | None = None) -> list[Target]:
        """Groups by id, or every group, oldest first."""
        ...

    async def claim_group(self, group_id: str, telegram_id: int | None, at: datetime) -> bool:
        """Note who answers for a group; False when somebody did already (nothing changes)."""
        ...

    async def tag_group(self, group_id: str, tags: Collection[str]) -> None:
        """Replace a group's tags."""
        ...

    # schedules

    async def schedule(self, schedule_id: str) -> Schedule | None:
        """One schedule."""
        ...

    async def schedules(self, *, ended: bool = False) -> list[Schedule]:
        """Those not ended, or every one, oldest first."""
        ...

    async def save_schedule(self, schedule: Schedule) -> None:
        """Write it; the stored version is one higher then. Conflict when its version is old."""
        ...

    async def hold(self, schedule_id: str, version: int) -> bool:
        """Keep everybody else from changing a schedule until the commit.

        False when it is not of this version any more.
        """
        ...

    async def looked(self, schedule_id: str, version: int, until: datetime) -> None:
        """Note that every slot up to `until` was dealt with; nothing if the version is another."""
        ...

    # deliveries

    async def claimed(
        self, schedule_id: str, slot: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        """Groups that have had this slot, with the reason when they were left out."""
        ...

    async def turn(self, schedule_id: str, slot: str) -> int:
        """How many earlier slots of the schedule were dealt with."""
        ...

    async def last_prompted(self, group_ids: Collection[str]) -> Mapping[str, datetime]:
        """When each group last had a prompt that was, or may have been, posted."""
        ...

    async def last_left_out(
        self, schedule_id: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        """Why each group did not get the last slot dealt with: left out, or the pause that kept its
        message back; None when neither."""
        ...

    async def claim(self, deliveries: Sequence[Delivery], settled: Collection[str]) -> None:
        """Keep deliveries; those whose id is in `settled` need not be told to anybody.

        Conflict when one group would get a slot twice.
        """
        ...

    async def unclaim(self, schedule_id: str, slot: str, group_ids: Collection[str]) -> None:
        """Forget that groups were left out of a slot; what was posted stays."""
        ...

    async def unsettled(self, limit: int = 5000) -> list[Unsettled]:
        """Deliveries that have come to an end which was not dealt with, oldest first."""
        ...

    async def settle(self, delivery_ids: Sequence[str], at: datetime) -> int:
        """Their ends were dealt with; how many were not before."""
        ...

    # people

    async def by_token(self, token: str) -> Delivery | None:
        """The delivery a button's token stands for."""
        ...

    async def open(self, delivery_id: str, telegram_id: int, at: datetime) -> bool:
        """Count a person once for a delivery; False when counted before.

        Either way it is the prompt this person opened last.
        """
        ...

    async def last_opening(self, telegram_id: int) -> Opening | None:
        """What this person opened last."""
        ...

    async def reached(
        self, delivery_id: str, telegram_id: int, steps: Collection[Step], at: datetime
    ) -> None:
        """Note how far a person came after opening; each step is kept once."""
        ...

    async def moved(self, group_id: str, telegram_id: int, kind: Movement, at: datetime) -> bool:
        """Count a person once for a kind of movement in a group; False when counted before."""
        ...

    # closing the loop

    async def asked(self, prompt_id: str) -> frozenset[str]:
        """The groups a prompt was posted in."""
        ...

    async def offers(self, prompt_id: str, now: datetime) -> list[Offered]:
        """What tellers offer for follow-ups to a prompt at `now`, oldest first."""
        ...

    async def hold_offer(self, offer_id: str, now: datetime) -> bool:
        """Keep its teller from ending an offer until the commit; False when it stands no more."""
        ...

    async def follow_up(self, posts: Sequence[FollowUp]) -> None:
        """Keep them. Conflict when a group would have one of an act twice."""
        ...

    async def followed(self, act: str | None = None, story_id: str | None = None) -> list[Followed]:
        """Follow-ups of one act, of one story, or all of them; oldest first."""
        ...

    # results

    async def outcomes(self) -> list[Outcome]:
        """Every delivery in numbers, oldest first."""
        ...

    async def movement(self) -> Mapping[tuple[str, Movement], int]:
        """People by group and kind of movement."""
        ...

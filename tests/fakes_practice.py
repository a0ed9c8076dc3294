"""Rights, audit and practice prompts in memory: the second half of tests/fakes_store.py."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.core.movement import Movement, Step
from bot.core.practice import Delivery, Fate, LeftOut, PracticePrompt, Schedule, reason_of
from bot.core.story import Folder, StoryStatus
from bot.usecases.ports import AuditEntry, Conflict, Grant, Group, Invitation, Right
from bot.usecases.practice_ports import (
    Followed,
    FollowUp,
    Offered,
    Opening,
    Outcome,
    Target,
    Unsettled,
)

FATES: dict[str, Fate] = {
    "waiting": "waiting",
    "sending": "waiting",
    "sent": "posted",
    "failed": "failed",
    "unknown": "unknown",
}


@dataclass
class Opened:
    """One person's way after tapping one button."""

    opened_at: datetime
    last_opened_at: datetime
    steps: dict[Step, datetime] = field(default_factory=dict)


@dataclass
class PracticeState:
    """What roles, audit and practice hold."""

    roles: dict[int, Grant] = field(default_factory=dict)
    invitations: dict[str, tuple[Invitation, datetime | None]] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    prompts: dict[str, PracticePrompt] = field(default_factory=dict)
    claims: dict[str, tuple[int | None, datetime]] = field(default_factory=dict)
    tags: dict[str, frozenset[str]] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    opens: dict[tuple[str, str], Opened] = field(default_factory=dict)
    moved: dict[tuple[str, str, Movement], datetime] = field(default_factory=dict)
    follow_ups: list[FollowUp] = field(default_factory=list)


class Sent(Protocol):
    """An outbox row, as far as it matters here."""

    state: str
    reason: str | None


class Held(Protocol):
    """The store's state, as far as it matters here."""

    practice: PracticeState
    groups: dict[str, Group]
    folders: dict[str, Folder]

    @property
    def outbox(self) -> Mapping[int, Sent]: ...


class Work(Protocol):
    """A unit of work of the store in memory."""

    @property
    def seen(self) -> Held: ...

    async def writing(self) -> Held: ...


def sha256(who: str) -> str:
    return hashlib.sha256(who.encode("utf-8")).hexdigest()


def person(telegram_id: int) -> str:
    return sha256(f"practice:{telegram_id}")


def forget(state: PracticeState, telegram_id: int, at: datetime) -> int:
    """What remains of a person's part in pushing; how many rows held them."""
    rows = 1 if state.roles.pop(telegram_id, None) else 0
    known, nobody = sha256(str(telegram_id)), secrets.token_hex(32)
    for token, (invitation, used_at) in list(state.invitations.items()):
        if invitation.made_by == known and used_at is None:
            del state.invitations[token]
            rows += 1
    for schedule in list(state.schedules.values()):
        if schedule.made_by == telegram_id:
            ended = replace(schedule, made_by=None)
            if schedule.ended_at is None:
                ended = replace(
                    ended,
                    ended_at=at,
                    ended_because="not_allowed",
                    version=schedule.version + 1,
                )
            state.schedules[schedule.id] = ended
            rows += 1
    for prompt in list(state.prompts.values()):
        if prompt.written_by == telegram_id:
            state.prompts[prompt.id] = replace(prompt, written_by=None)
            rows += 1
    for group_id, (claimed_by, claimed_at) in list(state.claims.items()):
        if claimed_by == telegram_id:
            state.claims[group_id] = (None, claimed_at)
            rows += 1
    mine = person(telegram_id)
    for delivery_id, who in [key for key in state.opens if key[1] == mine]:
        state.opens[delivery_id, nobody] = state.opens.pop((delivery_id, who))
        rows += 1
    for group_id, who, kind in [key for key in state.moved if key[1] == mine]:
        state.moved[group_id, nobody, kind] = state.moved.pop((group_id, who, kind))
        rows += 1
    state.audit = [
        replace(entry, who_sha256=nobody) if entry.who_sha256 == known else entry
        for entry in state.audit
    ]
    return rows


class MemoryRoles:
    """The port Roles."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def rights(self, telegram_id: int) -> frozenset[Right]:
        held = self._work.seen.practice.roles.get(telegram_id)
        return held.rights if held else frozenset()

    async def grant(self, grant: Grant) -> None:
        (await self._work.writing()).practice.roles[grant.telegram_id] = grant

    async def revoke(self, telegram_id: int, at: datetime) -> bool:
        return (await self._work.writing()).practice.roles.pop(telegram_id, None) is not None

    async def holders(self) -> list[Grant]:
        held = self._work.seen.practice.roles.values()
        return sorted(held, key=lambda g: (g.granted_at, g.telegram_id))

    async def invite(self, invitation: Invitation) -> None:
        state = (await self._work.writing()).practice
        state.invitations[invitation.token_sha256] = (invitation, None)

    async def accept(self, token_sha256: str, telegram_id: int, at: datetime) -> Invitation | None:
        state = (await self._work.writing()).practice
        invitation, used_at = state.invitations.get(token_sha256, (None, None))
        if invitation is None or used_at is not None or invitation.expires_at <= at:
            return None
        state.invitations[token_sha256] = (invitation, at)
        held = await self.rights(telegram_id)
        await self.grant(Grant(telegram_id, held | invitation.rights, at, invitation.made_by))
        return invitation

    async def withdraw_invitations(self, made_by: str) -> int:
        kept = (await self._work.writing()).practice.invitations
        unused = [t for t, (i, used) in kept.items() if i.made_by == made_by and used is None]
        for token in unused:
            del kept[token]
        return len(unused)


class MemoryAudit:
    """The port Audit."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def record(self, who: str, what: str, about: str | None, at: datetime) -> None:
        entry = AuditEntry(sha256(who), what, about, at)
        (await self._work.writing()).practice.audit.append(entry)

    async def entries(self, about: str | None = None) -> AsyncIterator[AuditEntry]:
        for entry in sorted(self._work.seen.practice.audit, key=lambda e: e.recorded_at):
            if about in (None, entry.about):
                yield entry


class MemoryPractice:
    """The port Practice."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @property
    def _seen(self) -> PracticeState:
        return self._work.seen.practice

    async def _own(self) -> PracticeState:
        return (await self._work.writing()).practice

    async def prompts(self) -> list[PracticePrompt]:
        return sorted(self._seen.prompts.values(), key=lambda p: (str(p.written_at), p.id))

    async def save_prompt(self, prompt: PracticePrompt) -> None:
        (await self._own()).prompts[prompt.id] = prompt

    async def targets(self, group_ids: Collection[str] | None = None) -> list[Target]:
        found = sorted(self._work.seen.groups.values(), key=lambda g: (g.added_at, g.id))
        return [
            Target(
                group,
                self._seen.tags.get(group.id, frozenset()),
                *reversed(self._seen.claims.get(group.id, (None, None))),
            )
            for group in found
            if group_ids is None or group.id in group_ids
        ]

    async def claim_group(self, group_id: str, telegram_id: int | None, at: datetime) -> bool:
        claims = (await self._own()).claims
        if group_id in claims:
            return False
        claims[group_id] = (telegram_id, at)
        return True

    async def tag_group(self, group_id: str, tags: Collection[str]) -> None:
        (await self._own()).tags[group_id] = frozenset(tags)

    async def schedule(self, schedule_id: str) -> Schedule | None:
        return self._seen.schedules.get(schedule_id)

    async def schedules(self, *, ended: bool = False) -> list[Schedule]:
        kept = sorted(self._seen.schedules.values(), key=lambda s: (s.made_at, s.id))
        return [s for s in kept if ended or s.ended_at is None]

    async def save_schedule(self, schedule: Schedule) -> None:
        kept = (await self._own()).schedules
        stored = kept.get(schedule.id)
        if (stored.version if stored else 0) != schedule.version:
            raise Conflict("The schedule was changed by another process; load it again.")
        kept[schedule.id] = replace(schedule, version=schedule.version + 1)

    async def hold(self, schedule_id: str, version: int) -> bool:
        stored = (await self._own()).schedules.get(schedule_id)
        return stored is not None and stored.version == version

    async def looked(self, schedule_id: str, version: int, until: datetime) -> None:
        kept = (await self._own()).schedules
        stored = kept.get(schedule_id)
        if stored is not None and stored.version == version:
            kept[schedule_id] = replace(stored, looked_until=until)

    def _where(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        return sorted(
            filter(wanted, self._seen.deliveries.values()), key=lambda d: (d.due_at, d.id)
        )

    async def claimed(
        self, schedule_id: str, slot: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        here = self._where(lambda d: d.schedule_id == schedule_id and d.slot == slot)
        return {d.group_id: d.left_out for d in here if d.group_id in group_ids}

    async def turn(self, schedule_id: str, slot: str) -> int:
        return len({d.slot for d in self._where(lambda d: d.schedule_id == schedule_id)
                    if d.slot < slot})  # fmt: skip

    async def last_prompted(self, group_ids: Collection[str]) -> Mapping[str, datetime]:
        return {
            d.group_id: d.due_at
            for d in self._where(lambda d: d.group_id in group_ids)
            if self._fate(d)[0] in ("waiting", "posted", "unknown") and d.outbox_id is not None
        }

    async def last_left_out(
        self, schedule_id: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        mine = self._where(lambda d: d.schedule_id == schedule_id and d.group_id in group_ids)
        return {d.group_id: d.left_out or reason_of(self._fate(d)[1]) for d in mine}

    async def claim(self, deliveries: Sequence[Delivery], settled: Collection[str]) -> None:
        state = await self._own()
        for new in deliveries:
            key = (new.schedule_id, new.slot, new.group_id)
            if any((d.schedule_id, d.slot, d.group_id) == key for d in state.deliveries.values()):
                raise Conflict("Another process wrote the same row; load again.")
            state.deliveries[new.id] = new
            if new.id in settled:
                state.settled.add(new.id)

    async def unclaim(self, schedule_id: str, slot: str, group_ids: Collection[str]) -> None:
        state = await self._own()
        for each in list(state.deliveries.values()):
            is_here = each.schedule_id == schedule_id and each.slot == slot
            if is_here and each.group_id in group_ids and each.left_out is not None:
                del state.deliveries[each.id]

    def _fate(self, delivery: Delivery) -> tuple[Fate, str | None]:
        if delivery.left_out is not None:
            return "left_out", None
        kept = self._work.seen.outbox.get(delivery.outbox_id or 0)
        return (FATES[kept.state], kept.reason) if kept else ("unknown", None)

    async def unsettled(self, limit: int = 5000) -> list[Unsettled]:
        left = self._where(lambda d: d.id not in self._seen.settled)
        waiting = {(d.schedule_id, d.slot) for d in left if self._fate(d)[0] == "waiting"}
        ended = [d for d in left if self._fate(d)[0] != "waiting"]
        return [
            Unsettled(d, *self._fate(d), (d.schedule_id, d.slot) in waiting) for d in ended[:limit]
        ]

    async def settle(self, delivery_ids: Sequence[str], at: datetime) -> int:
        state = await self._own()
        new = set(delivery_ids) - state.settled
        state.settled |= new
        return len(new)

    async def by_token(self, token: str) -> Delivery | None:
        return next(iter(self._where(lambda d: d.token == token)), None)

    async def open(self, delivery_id: str, telegram_id: int, at: datetime) -> bool:
        opens = (await self._own()).opens
        key = (delivery_id, person(telegram_id))
        if key in opens:
            opens[key].last_opened_at = at
            return False
        opens[key] = Opened(at, at)
        return True

    async def last_opening(self, telegram_id: int) -> Opening | None:
        mine = [
            (opened.last_opened_at, delivery_id, opened)
            for (delivery_id, who), opened in self._seen.opens.items()
            if who == person(telegram_id)
        ]
        if not mine:
            return None
        at, delivery_id, opened = max(mine, key=lambda each: each[0])
        steps = frozenset({Step.OPENED, *opened.steps})
        return Opening(self._seen.deliveries[delivery_id], at, steps)

    async def reached(
        self, delivery_id: str, telegram_id: int, steps: Collection[Step], at: datetime
    ) -> None:
        opened = (await self._own()).opens.get((delivery_id, person(telegram_id)))
        if opened is not None:
            for step in steps:
                if step is not Step.OPENED:
                    opened.steps.setdefault(step, at)

    async def moved(self, group_id: str, telegram_id: int, kind: Movement, at: datetime) -> bool:
        moved = (await self._own()).moved
        key = (group_id, person(telegram_id), kind)
        if key in moved:
            return False
        moved[key] = at
        return True

    async def asked(self, prompt_id: str) -> frozenset[str]:
        had = self._where(lambda d: d.prompt_id == prompt_id and self._fate(d)[0] == "posted")
        return frozenset(d.group_id for d in had)

    async def offers(self, prompt_id: str, now: datetime) -> list[Offered]:
        found = [
            Offered(story.id, offer)
            for folder in self._work.seen.folders.values()
            for story in folder.stories
            for offer in story.offers
            if offer.prompt == prompt_id
            and offer.release.is_live(now)
            and story.status is not StoryStatus.WITHDRAWN
        ]
        return sorted(found, key=lambda o: (o.offer.release.released_at, o.offer.release.id))

    async def hold_offer(self, offer_id: str, now: datetime) -> bool:
        held = (await self._work.writing()).folders.values()
        every = (o.release for f in held for s in f.stories for o in s.offers)
        return any(r.id == offer_id and r.is_live(now) for r in every)

    async def follow_up(self, posts: Sequence[FollowUp]) -> None:
        kept = (await self._own()).follow_ups
        for post in posts:
            if any((k.act, k.group_id) == (post.act, post.group_id) for k in kept):
                raise Conflict("Another process wrote the same row; load again.")
            kept.append(post)

    async def followed(self, act: str | None = None, story_id: str | None = None) -> list[Followed]:
        found = sorted(self._seen.follow_ups, key=lambda f: (f.posted_at, f.outbox_id))
        outbox = self._work.seen.outbox
        return [
            Followed(f, FATES[kept.state], kept.reason) if kept else Followed(f, "unknown")
            for f in found
            if act in (None, f.act) and story_id in (None, f.story_id)
            for kept in [outbox.get(f.outbox_id)]
        ]

    async def outcomes(self) -> list[Outcome]:
        return [
            Outcome(
                d.group_id,
                d.prompt_id,
                d.schedule_id,
                d.due_at,
                self._fate(d)[0],
                self._fate(d)[1] or (d.left_out.value if d.left_out else None),
                {step: self._people(d, step) for step in Step},
            )
            for d in self._where(lambda d: True)
        ]

    def _people(self, delivery: Delivery, step: Step) -> int:
        ways = [o for (d, _), o in self._seen.opens.items() if d == delivery.id]
        return sum(1 for way in ways if step is Step.OPENED or step in way.steps)

    async def movement(self) -> Mapping[tuple[str, Movement], int]:
        counts: dict[tuple[str, Movement], int] = {}
        for group_id, _, kind in self._seen.moved:
            counts[group_id, kind] = counts.get((group_id, kind), 0) + 1
        return counts

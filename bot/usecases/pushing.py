"""Posting what is due: claimed, checked again, committed with its message, and only then sent.

A delivery and its message are one commit, and a group has each slot at most once, so a crash at
any instruction misses nothing and posts nothing twice. Messages leave as pushes, behind every
reply; how fast is the sender's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import get_args

from bot.core.movement import Movement
from bot.core.practice import (
    CREDITED,
    OPENS,
    Delivery,
    LeftOut,
    PracticePrompt,
    Schedule,
    is_opening,
    steps_since,
)
from bot.core.schedule import NOW_SLOT, Slot, is_over, is_too_late, next_slots, slots_between, zone
from bot.core.story import Folder
from bot.core.turn import Choice, Line, Say
from bot.usecases.group_news import responsible
from bot.usecases.outgoing import body_of
from bot.usecases.people import speaks
from bot.usecases.ports import (
    Clock,
    Conflict,
    Group,
    OutboxItem,
    PauseReason,
    Store,
    UnitOfWork,
)
from bot.usecases.practice_ports import Opening, Target, Unsettled

BATCH = 100
"""Groups claimed in one commit: few enough that a resident's turn never waits for the disk."""
LOOKED_EVERY = timedelta(minutes=10)
"""How far the note of what was dealt with may fall behind while nothing is due."""
SETTLED_WITHIN = timedelta(hours=1)
"""How long the organizer's news of a slot waits for the last of its messages."""
NAMED = 5
"""Groups named in one sentence; the others are counted."""
AT_ONCE = frozenset(get_args(PauseReason))
"""Troubles that whoever answers for the group is told as soon as they are known."""


@dataclass(frozen=True)
class Ticked:
    """What one look at the clock did, in groups."""

    posted: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Opened:
    """Where somebody comes from who tapped a prompt's button. `is_new` on their first tap."""

    prompt: PracticePrompt
    text: str
    language: str
    group_id: str
    group_title: str
    is_new: bool


def post(prompt: PracticePrompt, language: str, link: str) -> Say:
    """A prompt as a group sees it, with the button into private chat."""
    line = Line("practice.post", {"prompt": prompt.text(language)})
    return Say((line,), ((Choice("practice", "practice.button", link=link),),))


def language_of(group: Group, languages: Sequence[str]) -> str:
    """The language a group is spoken to in: the one chosen there, else the first there is."""
    known = group.language
    return known if known is not None and known in languages else languages[0]


def usable(
    library: Mapping[str, PracticePrompt], own: Iterable[PracticePrompt]
) -> dict[str, PracticePrompt]:
    """Every prompt that may be posted, by id."""
    return {**library, **{p.id: p for p in own if p.retired_at is None}}


def out_of_reach(
    target: Target, paused: Mapping[int, PauseReason], organizers: frozenset[int] | None
) -> LeftOut | None:
    """Why nothing can be posted in a group now; None when it can.

    `organizers` are those who may organize: a group that none of them answers for is left alone.
    None, from the console, lets every group pass.
    """
    group = target.group
    reason = paused.get(group.chat_id)
    if reason is not None:
        return LeftOut(reason)
    if group.standing == "left":
        return LeftOut.LEFT
    is_claimed = target.claimed_at is not None
    if organizers is not None and not is_claimed and group.added_by not in organizers:
        return LeftOut.UNCLAIMED
    return None


async def organizers_in(work: UnitOfWork) -> frozenset[int]:
    """Everybody who may organize now."""
    return frozenset(g.telegram_id for g in await work.roles.holders() if "organize" in g.rights)


def is_recent(last: datetime | None, due_at: datetime, where: str | None, days: int) -> bool:
    """Whether a group's last prompt lies fewer than `days` of its own days before `due_at`."""
    if last is None or days <= 0:
        return False
    there = zone(where)
    return (due_at.astimezone(there).date() - last.astimezone(there).date()).days < days


async def note_progress(
    work: UnitOfWork, folder: Folder, opening: Opening | None, now: datetime
) -> None:
    """Credit a resident's turn to the prompt they opened last, if that is not long ago."""
    telegram_id = folder.identity.telegram_id
    if opening is None or now - opening.opened_at > CREDITED:
        return
    steps = steps_since(folder, opening.opened_at) - opening.steps
    if steps:
        await work.practice.reached(opening.delivery.id, telegram_id, steps, now)


async def note_movement(
    work: UnitOfWork,
    folder: Folder,
    opening: Opening | None,
    kinds: Sequence[Movement],
    now: datetime,
) -> None:
    """Count what somebody says they did among people for the group whose prompt they opened last.

    Each kind counts once for a person and a group, however long ago they came.
    """
    telegram_id = folder.identity.telegram_id
    if opening is not None:
        for kind in kinds:
            await work.practice.moved(opening.delivery.group_id, telegram_id, kind, now)


class Pushing:
    """Due prompts into the outbox, taps back to their prompts."""

    def __init__(
        self,
        store: Store,
        library: Mapping[str, PracticePrompt],
        languages: Sequence[str],
        clock: Clock,
        new_id: Callable[[], str],
        new_token: Callable[[], str],
        bot: Callable[[], str],
    ) -> None:
        """`bot` gives the bot's name on Telegram, without @; `new_token` see People."""
        self._store, self._library, self._languages = store, library, languages
        self._clock, self._new_id, self._new_token, self._bot = clock, new_id, new_token, bot

    # -- what is due ----------------------------------------------------------------------------

    async def tick(self, posted: Callable[[], None] = lambda: None) -> Ticked:
        """Post everything due by now; tell organizers once what could not be posted.

        `posted` is called for each so many groups, so that the first need not wait for the last.
        Two processes may do this at once. Raises StoreUnavailable; then the rest waits for the
        next look.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            active = [s for s in await work.practice.schedules() if s.is_active]
            targets = await work.practice.targets() if active else []
        total = Ticked()
        for schedule in active:
            try:
                done = await self._push(schedule, targets, now, posted)
            except Conflict:
                # Another process had the same slot at the same moment; what it left is seen next.
                continue
            total = Ticked(total.posted + done.posted, total.left_out + done.left_out)
        await self._tell(now)
        return total

    async def next_due(self) -> datetime | None:
        """When the next slot of any schedule falls due, in UTC; None when nothing is planned."""
        now = self._clock.now()
        async with self._store.work() as work:
            active = [s for s in await work.practice.schedules() if s.is_active]
            targets = await work.practice.targets() if active else []
        due = [
            slot.due_at
            for schedule in active
            for where in {t.group.timezone for t in self._aimed(schedule, targets)}
            for slot in next_slots(
                schedule.rule, zone(where), min(schedule.looked_until, now), 1, schedule.skipped
            )
        ]
        return min(due, default=None)

    async def state(self) -> frozenset[tuple[str, int]]:
        """What tells whether a schedule was made, changed or ended since."""
        async with self._store.work() as work:
            return frozenset((s.id, s.version) for s in await work.practice.schedules())

    def _aimed(self, schedule: Schedule, targets: Iterable[Target]) -> list[Target]:
        aim, languages = schedule.aim, self._languages
        return [
            t for t in targets if aim.meets(t.group.id, t.tags, language_of(t.group, languages))
        ]

    async def _push(
        self,
        schedule: Schedule,
        targets: Sequence[Target],
        now: datetime,
        tell: Callable[[], None],
    ) -> Ticked:
        zones: dict[str | None, list[Target]] = {}
        for target in self._aimed(schedule, targets):
            zones.setdefault(target.group.timezone, []).append(target)
        # A clock that was set back must not hide what is still to come.
        begin = min(schedule.looked_until, now)
        due: list[tuple[Slot, list[str]]] = []
        for where, there in zones.items():
            for slot in slots_between(schedule.rule, zone(where), begin, now):
                if slot.key not in schedule.skipped:
                    due.append((slot, [t.group.id for t in there if _was_there(t, slot)]))
        posted = left_out = 0
        for slot, ids in sorted(due, key=lambda each: each[0].due_at):
            for start in range(0, len(ids), BATCH):
                done = await self._claim(schedule, slot, ids[start : start + BATCH], now)
                if done is None:
                    return Ticked(posted, left_out)
                tell()
                posted, left_out = posted + done.posted, left_out + done.left_out
        is_behind = now - schedule.looked_until > LOOKED_EVERY
        if due or is_behind or schedule.looked_until > now or is_over(schedule.rule, now):
            await self._looked(schedule, now)
        return Ticked(posted, left_out)

    async def _looked(self, schedule: Schedule, now: datetime) -> None:
        async with self._store.work() as work:
            if not await work.practice.hold(schedule.id, schedule.version):
                return
            if is_over(schedule.rule, now):
                ended = replace(schedule, looked_until=now, ended_at=now, ended_because="ended")
                await work.practice.save_schedule(ended)
            else:
                await work.practice.looked(schedule.id, schedule.version, now)
            await work.commit()

    async def _claim(
        self, schedule: Schedule, slot: Slot, ids: Sequence[str], now: datetime
    ) -> Ticked | None:
        """One commit: these groups' deliveries with their messages. None: the schedule changed."""
        async with self._store.work() as work:
            if not await work.practice.hold(schedule.id, schedule.version):
                return None
            organizers = await organizers_in(work)
            if schedule.made_by is not None and schedule.made_by not in organizers:
                await self._stop(work, schedule, organizers, now)
                await work.commit()
                return None
            had = await work.practice.claimed(schedule.id, slot.key, ids)
            if not is_too_late(slot.due_at, now):
                # Judged too late by a clock that ran ahead and was put right since.
                again = [g for g, reason in had.items() if reason is LeftOut.TOO_LATE]
                await work.practice.unclaim(schedule.id, slot.key, again)
                had = {g: reason for g, reason in had.items() if g not in again}
            targets = [t for t in await work.practice.targets(ids) if t.group.id not in had]
            if not targets:
                return Ticked()
            reasons = await self._reasons(work, schedule, slot, targets, organizers, now)
            prompts = usable(self._library, await work.practice.prompts())
            turn = await work.practice.turn(schedule.id, slot.key)
            chosen = schedule.prompt_for(turn, prompts)
            before = await work.practice.last_left_out(schedule.id, ids)
            deliveries: list[Delivery] = []
            items: list[OutboxItem] = []
            settled: set[str] = set()
            for target in targets:
                reason = reasons.get(target.group.id) or (None if chosen else LeftOut.NO_PROMPT)
                made = self._delivery(schedule, slot, target.group, chosen, reason, now)
                deliveries.append(made)
                if reason is None and chosen is not None:
                    items.append(self._item(target.group, prompts[chosen], made))
                elif _is_no_news(reason, before.get(target.group.id), target, schedule):
                    settled.add(made.id)
            sent = iter(await work.outbox.add(items))
            deliveries = [
                replace(d, outbox_id=next(sent)) if d.left_out is None else d for d in deliveries
            ]
            await work.practice.claim(deliveries, settled)
            await work.commit()
        return Ticked(len(items), len(deliveries) - len(items))

    async def _reasons(
        self,
        work: UnitOfWork,
        schedule: Schedule,
        slot: Slot,
        targets: Sequence[Target],
        organizers: frozenset[int],
        now: datetime,
    ) -> dict[str, LeftOut]:
        """Groups that cannot have this slot, and why; looked up in the commit that claims it."""
        paused = await work.recipients.paused()
        may_reach = None if schedule.made_by is None else organizers
        last: Mapping[str, datetime] = {}
        if schedule.rest_days:
            last = await work.practice.last_prompted([t.group.id for t in targets])
        reasons = {}
        for target in targets:
            group = target.group
            reason = out_of_reach(target, paused, may_reach)
            if reason is None and is_too_late(slot.due_at, now):
                reason = LeftOut.TOO_LATE
            if reason is None and is_recent(
                last.get(group.id), slot.due_at, group.timezone, schedule.rest_days
            ):
                reason = LeftOut.RECENT
            if reason is not None:
                reasons[group.id] = reason
        return reasons

    def _delivery(
        self,
        schedule: Schedule,
        slot: Slot,
        group: Group,
        chosen: str | None,
        reason: LeftOut | None,
        now: datetime,
    ) -> Delivery:
        return Delivery(
            id=self._new_id(),
            schedule_id=schedule.id,
            slot=slot.key,
            group_id=group.id,
            prompt_id=chosen or schedule.prompts[0],
            language=language_of(group, self._languages),
            token=OPENS + self._new_token(),
            due_at=slot.due_at,
            claimed_at=now,
            left_out=reason,
        )

    def _item(self, group: Group, prompt: PracticePrompt, made: Delivery) -> OutboxItem:
        link = f"https://t.me/{self._bot()}?start={made.token}"
        body = body_of(post(prompt, made.language, link), made.language, 0)
        return OutboxItem(group.chat_id, body, urgency="push", repeatable=False, topic=group.topic)

    # -- what organizers are told ---------------------------------------------------------------

    async def _stop(
        self, work: UnitOfWork, schedule: Schedule, organizers: frozenset[int], now: datetime
    ) -> None:
        """End a schedule whose maker may not organize any more; colleagues hear of it."""
        await work.practice.save_schedule(
            replace(schedule, ended_at=now, ended_because=LeftOut.NOT_ALLOWED.value)
        )
        for telegram_id in sorted(organizers):
            title = await self._title(work, schedule, telegram_id)
            line = Line("practice.told.stopped", {"prompt": title})
            await self._notify(work, telegram_id, (line,))

    async def _tell(self, now: datetime) -> None:
        """Tell organizers, once, which groups did not get a prompt or may not have."""
        async with self._store.work() as work:
            ended = await work.practice.unsettled()
        ready = [
            each
            for each in ended
            if not each.others_wait or now - each.delivery.claimed_at > SETTLED_WITHIN
        ]
        slots: dict[tuple[str, str], list[Unsettled]] = {}
        for each in ready:
            slots.setdefault((each.delivery.schedule_id, each.delivery.slot), []).append(each)
        for (schedule_id, _), those in slots.items():
            async with self._store.work() as work:
                ids = [each.delivery.id for each in those]
                if await work.practice.settle(ids, now) < len(ids):
                    # Another process tells of them.
                    continue
                troubled = [each for each in those if each.fate != "posted"]
                schedule = await work.practice.schedule(schedule_id)
                if troubled and schedule is not None:
                    await self._tell_of(work, schedule, troubled)
                await work.commit()

    async def _tell_of(
        self, work: UnitOfWork, schedule: Schedule, troubled: Sequence[Unsettled]
    ) -> None:
        if schedule.made_by is None:
            # Made at the console: `coach prompts results` shows it.
            return
        known = await work.practice.targets({each.delivery.group_id for each in troubled})
        targets = {t.group.id: t for t in known}
        by_reason: dict[str, list[str]] = {}
        for each in troubled:
            reason, target = _trouble(each), targets.get(each.delivery.group_id)
            if target is None or not _was_told(reason, target, schedule):
                title = target.group.title if target else "?"
                by_reason.setdefault(reason, []).append(title)
        if not by_reason:
            return
        first = troubled[0].delivery
        lines = [
            Line(f"practice.told.{reason}", {"groups": named(groups)})
            for reason, groups in sorted(by_reason.items())
        ]
        organizers = await organizers_in(work)
        told = {schedule.made_by} if schedule.made_by in organizers else organizers
        for telegram_id in sorted(told):
            title = await self._title(work, schedule, telegram_id, first.prompt_id)
            head = Line("practice.told.head", {"prompt": title, "when": when(first)})
            await self._notify(work, telegram_id, (head, *lines))

    async def _notify(self, work: UnitOfWork, telegram_id: int, lines: tuple[Line, ...]) -> None:
        language = await self._speaks(work, telegram_id)
        # In a private chat the chat's id is the person's.
        await work.outbox.add([OutboxItem(telegram_id, body_of(Say(lines), language, 0))])

    async def _speaks(self, work: UnitOfWork, telegram_id: int) -> str:
        wished = await speaks(work, telegram_id)
        return wished if wished in self._languages and wished else self._languages[0]

    async def _title(
        self, work: UnitOfWork, schedule: Schedule, telegram_id: int, prompt_id: str = ""
    ) -> str:
        """The beginning of a prompt in a person's language, to know it by."""
        prompts = {**self._library, **{p.id: p for p in await work.practice.prompts()}}
        prompt = prompts.get(prompt_id or schedule.prompts[0])
        words = prompt.text(await self._speaks(work, telegram_id)).split() if prompt else []
        return " ".join(words[:8]) + ("…" if len(words) > 8 else "")

    # -- taps -----------------------------------------------------------------------------------

    async def open(self, token: str, telegram_id: int) -> Opened | None:
        """Where a tapped button came from; None for a token we never gave out.

        A person counts once for a delivery, however often they tap.
        """
        if not is_opening(token):
            return None
        now = self._clock.now()
        async with self._store.work() as work:
            delivery = await work.practice.by_token(token)
            if delivery is None:
                return None
            prompts = {**self._library, **{p.id: p for p in await work.practice.prompts()}}
            prompt = prompts.get(delivery.prompt_id)
            if prompt is None:
                return None
            is_new = await work.practice.open(delivery.id, telegram_id, now)
            targets = await work.practice.targets({delivery.group_id})
            await work.commit()
        title = targets[0].group.title if targets else ""
        text = prompt.text(delivery.language)
        return Opened(prompt, text, delivery.language, delivery.group_id, title, is_new)

    async def record(self, telegram_id: int, kind: Movement) -> bool:
        """Somebody says they told, retold, listened or led: counted for the group they came from.

        A person counts once for each. False when counted before, or when they came from no group.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            opening = await work.practice.last_opening(telegram_id)
            if opening is None:
                return False
            is_new = await work.practice.moved(opening.delivery.group_id, telegram_id, kind, now)
            await work.commit()
        return is_new


def _trouble(unsettled: Unsettled) -> str:
    """Why a group did not get a prompt, as the last part of a message key."""
    if unsettled.delivery.left_out is not None:
        return unsettled.delivery.left_out.value
    is_known = unsettled.fate == "failed" and unsettled.reason in AT_ONCE
    return str(unsettled.reason if is_known else unsettled.fate)


def _was_there(target: Target, slot: Slot) -> bool:
    """Whether a group had joined by the time of a slot; what was before is none of its business."""
    joined = max(filter(None, (target.group.added_at, target.claimed_at)))
    return slot.key == NOW_SLOT or joined <= slot.due_at


def _is_no_news(
    reason: LeftOut | None, before: LeftOut | None, target: Target, schedule: Schedule
) -> bool:
    """Whether the organizer wanted it so, or was told already."""
    if reason is LeftOut.RECENT or reason is before:
        return True
    return reason is not None and _was_told(reason.value, target, schedule)


def _was_told(reason: str, target: Target, schedule: Schedule) -> bool:
    """Whether it was told when it happened, to the same person."""
    return reason in AT_ONCE and responsible(target) == schedule.made_by


def when(delivery: Delivery) -> str:
    """The planned local time of a delivery, or the moment it was asked for, to the minute."""
    if delivery.slot == NOW_SLOT:
        return delivery.due_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return delivery.slot.replace("T", " ")


def named(titles: Sequence[str]) -> str:
    """Groups by name, a few of them, then how many more."""
    first = ", ".join(f"“{title}”" for title in titles[:NAMED])
    return f"{first} +{len(titles) - NAMED}" if len(titles) > NAMED else first

"""What an organizer does: choose or write a prompt, aim it, preview it, push it, change one's mind.

Every act asks for the right "organize" in the transaction it is done in. What comes back is plain
data; the words around it are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot.core.narrative import Element, StoryOf
from bot.core.practice import (
    Aim,
    LeftOut,
    PracticePrompt,
    Schedule,
    Season,
    own_text,
)
from bot.core.schedule import Repeat, Rule, ScheduleRefused, next_slots, zone
from bot.core.turn import Say
from bot.usecases.people import CONSOLE, Actor, act, require
from bot.usecases.ports import Clock, Group, PauseReason, Store, UnitOfWork
from bot.usecases.practice_ports import Target
from bot.usecases.pushing import (
    is_recent,
    language_of,
    organizers_in,
    out_of_reach,
    post,
    usable,
)

TIMES = 3
"""Times ahead that a preview shows."""
MOST_TAGS, MOST_TAG = 12, 32
SAMPLE_LINK = "https://t.me/"

Problem = Literal["no_groups", "no_prompt", "unknown_prompt", "unknown_group", "unknown_schedule",
                  "no_time_left", "bad_tag", "unknown_language", "already_claimed",
                  "not_an_admin", "not_offered", "all_told"]  # fmt: skip


class Refused(ValueError):
    """What was asked cannot be done; `problem` is a fixed word, the catalogue has the sentence."""

    def __init__(self, problem: Problem) -> None:
        """Nothing was changed."""
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True)
class Plan:
    """A push as an organizer means it. For Repeat.NOW use `Rule.right_now`."""

    prompts: tuple[str, ...]
    aim: Aim
    rule: Rule
    rest_days: int = 0


@dataclass(frozen=True)
class Planned:
    """One group a push goes to. `times` are aware and local; `zone_is_guess`: nobody chose one."""

    group_id: str
    title: str
    language: str
    zone: str
    zone_is_guess: bool
    times: tuple[datetime, ...]


@dataclass(frozen=True)
class Preview:
    """What a push would do. `posts` by language, as a group sees the first prompt."""

    posts: Mapping[str, Say]
    groups: tuple[Planned, ...]
    left_out: tuple[tuple[str, LeftOut], ...]


@dataclass(frozen=True)
class Scheduled:
    """A schedule with its next time (UTC) and how many groups it means now."""

    schedule: Schedule
    next_at: datetime | None
    groups: int


@dataclass(frozen=True)
class Diagnosis:
    """What a group lacks, as fixed words: empty when everything is well.

    "left", a PauseReason, "not_admin" (the bot sees only what is meant for it, which is enough),
    "no_timezone", "no_language", "unclaimed".
    """

    target: Target
    lacks: tuple[str, ...]


class Organizers:
    """The organizer's verbs over the ports."""

    def __init__(
        self,
        store: Store,
        library: Mapping[str, PracticePrompt],
        languages: Sequence[str],
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        """`library` is prompts/practice by id; `languages` are those the bot speaks."""
        self._store, self._library, self._languages = store, library, languages
        self._clock, self._new_id = clock, new_id

    # -- prompts --------------------------------------------------------------------------------

    async def prompts(
        self,
        actor: Actor,
        *,
        stage: StoryOf | None = None,
        move: Element | None = None,
        season: Season | None = None,
        language: str | None = None,
    ) -> list[PracticePrompt]:
        """Prompts to choose from, the library's first, those of colleagues after them."""
        async with self._store.work() as work:
            await require(work, actor, "organize")
            known = usable(self._library, await work.practice.prompts())
        return [
            p
            for p in known.values()
            if stage in (None, p.stage)
            and move in (None, p.move)
            and season in (None, p.season)
            and (language is None or language in p.texts)
        ]

    async def write_prompt(
        self, actor: Actor, text: str, language: str, move: Element, season: Season
    ) -> PracticePrompt:
        """Keep an organizer's own prompt for all colleagues. Raises PromptRefused, Refused."""
        words = own_text(text)
        if language not in self._languages:
            raise Refused("unknown_language")
        now = self._clock.now()
        prompt = PracticePrompt(
            f"own-{self._new_id()}",
            move,
            season,
            {language: words},
            own=True,
            written_by=None if actor == CONSOLE else int(actor),
            written_at=now,
        )
        async with self._store.work() as work:
            await act(work, actor, "organize", "wrote_prompt", prompt.id, now)
            await work.practice.save_prompt(prompt)
            await work.commit()
        return prompt

    async def retire_prompt(self, actor: Actor, prompt_id: str) -> PracticePrompt:
        """Offer and post an organizer's prompt no more; what was posted stays."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            kept = {p.id: p for p in await work.practice.prompts()}
            if prompt_id not in kept:
                raise Refused("unknown_prompt")
            await act(work, actor, "organize", "retired_prompt", prompt_id, now)
            retired = replace(kept[prompt_id], retired_at=now)
            await work.practice.save_prompt(retired)
            await work.commit()
        return retired

    # -- groups ---------------------------------------------------------------------------------

    async def groups(self, actor: Actor) -> list[Target]:
        """Every group the bot is in, by title."""
        async with self._store.work() as work:
            await require(work, actor, "organize")
            found = await work.practice.targets()
        there = [t for t in found if t.group.standing != "left"]
        return sorted(there, key=lambda t: (t.group.title.casefold(), t.group.id))

    async def find_groups(self, actor: Actor, words: str) -> list[Target]:
        """Groups with exactly this title (any case), else those whose title holds the words."""
        found = await self.groups(actor)
        said = words.strip().casefold()
        exact = [t for t in found if t.group.title.strip().casefold() == said or t.group.id == said]
        return exact or [t for t in found if said and said in t.group.title.casefold()]

    async def claim_group(self, actor: Actor, group_id: str, *, is_admin: bool) -> Target:
        """Answer for a group: only who organizes and is an admin there, as Telegram says now.

        Whoever added the bot may claim it too. An anonymous admin is nobody we could know, so
        `is_admin` is never true for one. Raises Refused, NotAllowed.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            target = await _target(work, group_id)
            if not (is_admin or actor == CONSOLE or target.group.added_by == actor):
                raise Refused("not_an_admin")
            by = None if actor == CONSOLE else int(actor)
            if target.claimed_at is not None:
                if target.claimed_by == by:
                    return target
                raise Refused("already_claimed")
            await act(work, actor, "organize", "claimed_group", group_id, now)
            if not await work.practice.claim_group(group_id, by, now):
                raise Refused("already_claimed")
            target = await _target(work, group_id)
            await work.commit()
        return target

    async def set_up_group(
        self,
        actor: Actor,
        group_id: str,
        *,
        language: str | None = None,
        timezone: str | None = None,
        topic: int | Literal["main"] | None = None,
        tags: Collection[str] | None = None,
    ) -> Target:
        """Change what is given and leave the rest. `topic` "main" means no topic.

        Raises ScheduleRefused for an unknown zone, Refused for a tag or language.
        """
        now = self._clock.now()
        if timezone is not None:
            zone(timezone)
        if language is not None and language not in self._languages:
            raise Refused("unknown_language")
        wanted = None if tags is None else _tags(tags)
        async with self._store.work() as work:
            await require(work, actor, "organize")
            await _target(work, group_id)
            await act(work, actor, "organize", "set_up_group", group_id, now)
            group = (await _target(work, group_id)).group
            changed: Group = replace(
                group,
                language=language or group.language,
                timezone=timezone or group.timezone,
                topic=group.topic if topic is None else None if topic == "main" else topic,
            )
            await work.groups.save(changed)
            why = (await work.recipients.paused()).get(group.chat_id)
            if why == "topic_closed" and changed.topic != group.topic:
                await work.recipients.resume(group.chat_id)
            if wanted is not None:
                await work.practice.tag_group(group_id, wanted)
            target = await _target(work, group_id)
            await work.commit()
        return target

    async def diagnose(
        self, actor: Actor, group_id: str, *, may_write: bool | None = None
    ) -> Diagnosis:
        """What is missing in a group for prompts to arrive there and be understood.

        `may_write` is what Telegram says now: it may write there again, or no longer.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            target = await _target(work, group_id)
            chat = target.group.chat_id
            if may_write and (await work.recipients.paused()).get(chat) == "no_rights":
                await work.recipients.resume(chat)
                await work.commit()
            paused = await work.recipients.paused()
            organizers = await organizers_in(work)
        group = target.group
        lacks: list[str] = []
        reason = out_of_reach(target, paused, organizers)
        if reason is not None:
            lacks.append(reason.value)
        elif may_write is False:
            lacks.append("no_rights")
        if group.timezone is None:
            lacks.append("no_timezone")
        if group.language is None:
            lacks.append("no_language")
        if group.standing == "member":
            lacks.append("not_admin")
        return Diagnosis(target, tuple(lacks))

    # -- pushing --------------------------------------------------------------------------------

    async def preview(self, actor: Actor, plan: Plan) -> Preview:
        """Exactly what would be posted where and when, and who would be left out and why.

        Raises Refused when there is no such prompt, NotAllowed.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            return await self._preview(work, actor, plan)

    async def push(self, actor: Actor, plan: Plan) -> Schedule:
        """Make a schedule; a push right now is one with a single slot.

        Raises Refused when it would reach no group or no time is left, NotAllowed.
        """
        now = self._clock.now()
        schedule = Schedule(
            self._new_id(),
            plan.prompts,
            plan.aim,
            plan.rule,
            None if actor == CONSOLE else int(actor),
            now,
            _looked(plan.rule, now),
            plan.rest_days,
        )
        async with self._store.work() as work:
            await require(work, actor, "organize")
            await self._check(work, actor, plan)
            await act(work, actor, "organize", "pushed", schedule.id, now)
            await work.practice.save_schedule(schedule)
            await work.commit()
        return replace(schedule, version=1)

    async def schedules(self, actor: Actor, *, ended: bool = False) -> list[Scheduled]:
        """What is planned, oldest first; with `ended` also what is over."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            kept = await work.practice.schedules(ended=ended)
            targets = await work.practice.targets()
        found = []
        for schedule in kept:
            aimed = self._aimed(schedule.aim, targets)
            ahead = _ahead(schedule, aimed, now) if schedule.is_active else None
            found.append(Scheduled(schedule, ahead[1] if ahead else None, len(aimed)))
        return found

    async def pause(self, actor: Actor, schedule_id: str) -> Schedule:
        """Post nothing of it until it is resumed."""
        now = self._clock.now()
        return await self._change(
            actor, schedule_id, "paused", lambda s: replace(s, paused_at=s.paused_at or now)
        )

    async def resume(self, actor: Actor, schedule_id: str) -> Schedule:
        """Go on with what lies ahead; what fell into the pause is not made up for."""
        now = self._clock.now()
        return await self._change(
            actor,
            schedule_id,
            "resumed",
            lambda s: replace(s, paused_at=None, looked_until=now) if s.paused_at else s,
        )

    async def end(self, actor: Actor, schedule_id: str) -> Schedule:
        """Post nothing of it any more."""
        now = self._clock.now()
        return await self._change(
            actor, schedule_id, "ended", lambda s: replace(s, ended_at=now, ended_because="ended")
        )

    async def skip_next(self, actor: Actor, schedule_id: str) -> tuple[Schedule, str]:
        """Leave out the next slot, in every group; its planned local time. Raises Refused."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            schedule = await _schedule(work, schedule_id)
            aimed = self._aimed(schedule.aim, await work.practice.targets())
            ahead = _ahead(schedule, aimed, now)
            if ahead is None:
                raise Refused("no_time_left")
            await act(work, actor, "organize", "skipped_next", schedule_id, now)
            changed = replace(schedule, skipped=schedule.skipped | {ahead[0]})
            await work.practice.save_schedule(changed)
            await work.commit()
        return replace(changed, version=changed.version + 1), ahead[0]

    async def edit(self, actor: Actor, schedule_id: str, plan: Plan) -> Schedule:
        """Change what lies ahead; what was posted stays as it was. Raises Refused, NotAllowed."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            await self._check(work, actor, plan)
            schedule = await _schedule(work, schedule_id)
            await act(work, actor, "organize", "edited", schedule_id, now)
            changed = replace(
                schedule,
                prompts=plan.prompts,
                aim=plan.aim,
                rule=plan.rule,
                rest_days=plan.rest_days,
                looked_until=_looked(plan.rule, now),
                skipped=frozenset(),
            )
            await work.practice.save_schedule(changed)
            await work.commit()
        return replace(changed, version=changed.version + 1)

    async def _change(
        self, actor: Actor, schedule_id: str, what: str, change: Callable[[Schedule], Schedule]
    ) -> Schedule:
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "organize")
            changed = change(await _schedule(work, schedule_id))
            await act(work, actor, "organize", what, schedule_id, now)
            await work.practice.save_schedule(changed)
            await work.commit()
        return replace(changed, version=changed.version + 1)

    async def _check(self, work: UnitOfWork, actor: Actor, plan: Plan) -> None:
        """Refuse a push that could never post anything."""
        preview = await self._preview(work, actor, plan)
        if not preview.groups:
            raise Refused("no_groups")
        if not any(planned.times for planned in preview.groups):
            raise Refused("no_time_left")

    async def _preview(self, work: UnitOfWork, actor: Actor, plan: Plan) -> Preview:
        known = usable(self._library, await work.practice.prompts())
        if not plan.prompts:
            raise Refused("no_prompt")
        if not set(plan.prompts) <= known.keys():
            raise Refused("unknown_prompt")
        targets = self._aimed(plan.aim, await work.practice.targets())
        paused: Mapping[int, PauseReason] = await work.recipients.paused()
        organizers = None if actor == CONSOLE else await organizers_in(work)
        last: Mapping[str, datetime] = {}
        if plan.rest_days:
            last = await work.practice.last_prompted([t.group.id for t in targets])
        now = self._clock.now()
        planned, left_out = [], []
        for target in targets:
            group = target.group
            reason = out_of_reach(target, paused, organizers)
            times = self._times(plan.rule, group, now)
            # Of a push that repeats only the first time can be too soon; the others are judged
            # when they come.
            is_single = plan.rule.repeat in (Repeat.NOW, Repeat.ONCE)
            before = last.get(group.id) if is_single else None
            if (
                reason is None
                and times
                and (is_recent(before, times[0], group.timezone, plan.rest_days))
            ):
                reason = LeftOut.RECENT
            if reason is not None:
                left_out.append((group.title, reason))
                continue
            language = language_of(group, self._languages)
            where = group.timezone or "UTC"
            is_guess = group.timezone is None
            planned.append(Planned(group.id, group.title, language, where, is_guess, times))
        languages = {p.language for p in planned} or {self._languages[0]}
        first = known[plan.prompts[0]]
        posts = {x: post(first, x, SAMPLE_LINK) for x in self._languages if x in languages}
        return Preview(posts, tuple(planned), tuple(left_out))

    def _times(self, rule: Rule, group: Group, now: datetime) -> tuple[datetime, ...]:
        where = zone(group.timezone)
        slots = next_slots(rule, where, _looked(rule, now), TIMES)
        return tuple(slot.due_at.astimezone(where) for slot in slots)

    def _aimed(self, aim: Aim, targets: Collection[Target]) -> list[Target]:
        return [
            t
            for t in targets
            if aim.meets(t.group.id, t.tags, language_of(t.group, self._languages))
            and (t.group.standing != "left" or t.group.id in aim.groups)
        ]


def _looked(rule: Rule, now: datetime) -> datetime:
    """Up to when slots count as dealt with: a push asked for right now is still ahead."""
    is_now = rule.repeat is Repeat.NOW and rule.asked_at is not None
    return rule.asked_at - timedelta(seconds=1) if is_now and rule.asked_at else now


def _ahead(
    schedule: Schedule, aimed: Collection[Target], now: datetime
) -> tuple[str, datetime] | None:
    """The key of the next slot in any of the groups, and when it is due."""
    begin = schedule.looked_until if schedule.rule.repeat is Repeat.NOW else now
    slots = [
        slot
        for where in {t.group.timezone for t in aimed}
        for slot in next_slots(schedule.rule, zone(where), begin, 1, schedule.skipped)
    ]
    if not slots:
        return None
    first = min(slots, key=lambda slot: slot.due_at)
    return first.key, first.due_at


def _tags(tags: Collection[str]) -> frozenset[str]:
    """Tags in lower case; Refused when there are too many, or one is empty or long."""
    wanted = frozenset(" ".join(tag.split()).casefold() for tag in tags)
    if len(wanted) > MOST_TAGS or any(not tag or len(tag) > MOST_TAG for tag in wanted):
        raise Refused("bad_tag")
    return wanted


async def _target(work: UnitOfWork, group_id: str) -> Target:
    found = await work.practice.targets({group_id})
    if not found:
        raise Refused("unknown_group")
    return found[0]


async def _schedule(work: UnitOfWork, schedule_id: str) -> Schedule:
    found = await work.practice.schedule(schedule_id)
    if found is None or found.ended_at is not None:
        raise Refused("unknown_schedule")
    return found


__all__ = ["Diagnosis", "Organizers", "Plan", "Planned", "Preview", "Refused", "ScheduleRefused",
           "Scheduled"]  # fmt: skip

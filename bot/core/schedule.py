"""When a practice prompt is due: local time kept whatever the clocks do, each slot exactly once.

A slot is named by the local date and time it was planned for, not by the moment it falls on: a
clock set back, a group that changes its zone or a restart cannot make a second one of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

TOO_LATE = timedelta(hours=3)
"""What could not be posted within this time is skipped, and the organizer is told. An evening
prompt that arrives the next morning, or three at once after a day without power, help nobody."""

NOW_SLOT = "now"
"""The name of the one slot of a push that was asked for at once."""

FAR = timedelta(days=3)
"""More than zones (26 hours), a skipped calendar day and quiet hours can move a slot."""


class Repeat(StrEnum):
    """How often. FORTNIGHTLY counts weeks from the one the first day lies in, Monday first."""

    NOW = "now"
    ONCE = "once"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"


Refusal = Literal[
    "no_days", "no_nth", "ends_before_it_begins", "no_moment_left", "quiet_all_day", "unknown_zone"
]


class ScheduleRefused(ValueError):
    """A schedule that cannot be; `reason` says why, the catalogue says it in words."""

    def __init__(self, reason: Refusal) -> None:
        """`reason` is a fixed word."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Quiet:
    """Hours in which nothing is posted, local; from 21:00 to 8:00 goes over midnight."""

    begins: time
    ends: time

    def __post_init__(self) -> None:
        """Refuse hours that never end."""
        if self.begins == self.ends:
            raise ScheduleRefused("quiet_all_day")

    def end_of(self, local: datetime) -> datetime | None:
        """The local time at which the quiet hours around `local` end; None outside them."""
        clock = local.time().replace(fold=0)
        if self.begins < self.ends:
            inside = self.begins <= clock < self.ends
            return datetime.combine(local.date(), self.ends) if inside else None
        if clock >= self.begins:
            return datetime.combine(local.date() + timedelta(days=1), self.ends)
        return datetime.combine(local.date(), self.ends) if clock < self.ends else None


@dataclass(frozen=True)
class Rule:
    """Which local dates and times a schedule plans.

    `first` and `until` are local dates, both included. `weekdays` count from 0 for Monday; `nth`
    is 1 to 4, or -1 for the last, and belongs to MONTHLY. For NOW, `asked_at` is the moment (UTC)
    and the rest is ignored. Raises ScheduleRefused for a rule that plans nothing.
    """

    repeat: Repeat
    first: date
    at: time
    weekdays: frozenset[int] = frozenset()
    nth: int = 0
    until: date | None = None
    quiet: Quiet | None = None
    asked_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be due."""
        repeats = self.repeat not in (Repeat.NOW, Repeat.ONCE)
        if repeats and (not self.weekdays or not self.weekdays <= set(range(7))):
            raise ScheduleRefused("no_days")
        if self.repeat is Repeat.MONTHLY and self.nth not in (1, 2, 3, 4, -1):
            raise ScheduleRefused("no_nth")
        if self.until is not None and self.until < self.first:
            raise ScheduleRefused("ends_before_it_begins")
        if self.repeat is Repeat.NOW and self.asked_at is None:
            raise ScheduleRefused("no_moment_left")

    @classmethod
    def right_now(cls, now: datetime, quiet: Quiet | None = None) -> Rule:
        """Post at once, or at the end of the quiet hours."""
        return cls(Repeat.NOW, now.date(), time(), quiet=quiet, asked_at=now)


@dataclass(frozen=True)
class Slot:
    """One time to post in one zone: `key` names it for good, `due_at` (UTC) is when."""

    key: str
    due_at: datetime


def zone(name: str | None) -> ZoneInfo:
    """The IANA zone of that name, UTC for None. ScheduleRefused when there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleRefused("unknown_zone") from None


def days(rule: Rule, begin: date) -> Iterator[date]:
    """The local dates a rule plans, from `begin` on, in order."""
    if rule.repeat is Repeat.NOW:
        return
    day = max(begin, rule.first)
    last = rule.until or date.max
    if rule.repeat is Repeat.ONCE:
        last = min(last, rule.first)
    while day <= last:
        if _is_planned(rule, day):
            yield day
        if day == date.max:
            return
        day += timedelta(days=1)


def _is_planned(rule: Rule, day: date) -> bool:
    if rule.repeat is Repeat.ONCE:
        return day == rule.first
    if day.weekday() not in rule.weekdays:
        return False
    if rule.repeat is Repeat.FORTNIGHTLY:
        return (_monday(day) - _monday(rule.first)).days % 14 == 0
    if rule.repeat is Repeat.MONTHLY:
        if rule.nth == -1:
            return (day + timedelta(days=7)).month != day.month if day < _LAST_WEEK else True
        return (day.day - 1) // 7 + 1 == rule.nth
    return True


_LAST_WEEK = date.max - timedelta(days=7)


def _monday(day: date) -> date:
    return date.fromordinal(day.toordinal() - day.weekday()) if day.toordinal() > 6 else date.min


def moment(local: datetime, where: ZoneInfo) -> datetime:
    """The UTC moment of a local time (naive).

    A time the clocks skip becomes the next minute there is; a time they show twice is the first.
    """
    local = local.replace(fold=0)
    while True:
        there = local.replace(tzinfo=where)
        if there.astimezone(UTC).astimezone(where).replace(tzinfo=None, fold=0) == local:
            return there.astimezone(UTC)
        local = local.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _after_quiet(rule: Rule, at: datetime, where: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours it falls into."""
    if rule.quiet is None:
        return at
    ends = rule.quiet.end_of(at.astimezone(where).replace(tzinfo=None))
    return moment(ends, where) if ends is not None else at


def _slots(rule: Rule, where: ZoneInfo, begin: date) -> Iterator[Slot]:
    if rule.asked_at is not None and rule.repeat is Repeat.NOW:
        yield Slot(NOW_SLOT, _after_quiet(rule, rule.asked_at, where))
    for day in days(rule, begin):
        planned = datetime.combine(day, rule.at)
        due_at = _after_quiet(rule, moment(planned, where), where)
        yield Slot(planned.isoformat(timespec="minutes"), due_at)


def slots_between(rule: Rule, where: ZoneInfo, after: datetime, upto: datetime) -> list[Slot]:
    """The slots due later than `after` and not later than `upto`, in order."""
    found = []
    for slot in _slots(rule, where, after.date() - FAR):
        if slot.due_at > upto:
            break
        if slot.due_at > after:
            found.append(slot)
    return found


def next_slots(
    rule: Rule, where: ZoneInfo, now: datetime, limit: int, skipped: Collection[str] = ()
) -> list[Slot]:
    """The next slots after `now`, at most `limit`, without those skipped."""
    ahead = _slots(rule, where, now.date() - FAR)
    return list(islice((s for s in ahead if s.due_at > now and s.key not in skipped), limit))


def is_over(rule: Rule, now: datetime) -> bool:
    """True when no zone on earth has a slot ahead any more."""
    match rule.repeat:
        case Repeat.NOW | Repeat.ONCE:
            last = rule.first
        case _ if rule.until is not None:
            last = rule.until
        case _:
            return False
    return now.date() > last + FAR


def is_too_late(due_at: datetime, now: datetime) -> bool:
    """True when posting would come more than TOO_LATE after the time that was meant."""
    return now - due_at > TOO_LATE

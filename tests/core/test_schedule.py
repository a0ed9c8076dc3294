"""Local time is kept whatever the clocks do, and our recurrence agrees with a well-kept library."""
# ruff: noqa: DTZ001 (local times are naive on purpose)

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from bot.core.schedule import (
    NOW_SLOT,
    Quiet,
    Repeat,
    Rule,
    ScheduleRefused,
    days,
    is_over,
    is_too_late,
    moment,
    next_slots,
    slots_between,
    zone,
)

MADRID = ZoneInfo("Europe/Madrid")
NIGHT = Quiet(time(21), time(8))
ZONES = st.sampled_from(
    ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata",
     "America/Sao_Paulo", "Africa/Casablanca", "Antarctica/Troll", "UTC"]
).map(ZoneInfo)  # fmt: skip
LOCALS = st.datetimes(datetime(2011, 1, 1), datetime(2040, 12, 31)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule that repeats or not."""
    repeat = draw(st.sampled_from([r for r in Repeat if r is not Repeat.NOW]))
    first = draw(st.dates(date(2020, 1, 1), date(2035, 1, 1)))
    until = draw(st.none() | st.integers(0, 900).map(lambda n: first + timedelta(days=n)))
    quiet = draw(st.none() | st.tuples(TIMES, TIMES).filter(lambda two: two[0] != two[1]))
    return Rule(
        repeat,
        first,
        draw(TIMES),
        draw(st.frozensets(st.integers(0, 6), min_size=1)),
        draw(st.sampled_from([1, 2, 3, 4, -1])),
        until,
        Quiet(*quiet) if quiet else None,
    )


def oracle(rule: Rule) -> list[date]:
    """What python-dateutil plans for the same rule."""
    if rule.repeat is Repeat.ONCE:
        return [rule.first]
    monthly = rule.repeat is Repeat.MONTHLY
    named = [(rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)[d]
             for d in sorted(rule.weekdays)]  # fmt: skip
    planned = rrule.rrule(
        rrule.MONTHLY if monthly else rrule.WEEKLY,
        dtstart=datetime.combine(rule.first, time()),
        interval=2 if rule.repeat is Repeat.FORTNIGHTLY else 1,
        byweekday=[d(rule.nth) for d in named] if monthly else named,
        wkst=rrule.MO,
        until=datetime.combine(rule.until, time()) if rule.until else None,
    )
    return [at.date() for at in islice(planned, 40)]


@given(rules())
def test_the_days_planned_are_those_of_a_well_kept_library(rule: Rule) -> None:
    assert list(islice(days(rule, rule.first), 40)) == oracle(rule)


@given(rules(), st.integers(-50, 120))
def test_beginning_later_leaves_out_only_what_lies_before(rule: Rule, later: int) -> None:
    begin = rule.first + timedelta(days=later)
    assert (
        list(islice(days(rule, begin), 10))
        == [day for day in islice(days(rule, rule.first), 150) if day >= begin][:10]
    )


@given(LOCALS, ZONES)
def test_a_local_time_that_exists_is_kept_and_one_that_does_not_moves_to_the_next_minute(
    local: datetime, where: ZoneInfo
) -> None:
    at = moment(local, where)
    shown = at.astimezone(where).replace(tzinfo=None, fold=0)
    assert shown >= local
    assert at.astimezone(where).fold == 0, "of a time shown twice it is the first"
    minute_before = (at - timedelta(minutes=1)).astimezone(where).replace(tzinfo=None, fold=0)
    assert minute_before < local or shown == local


def test_daylight_saving_keeps_half_past_six_half_past_six() -> None:
    rule = Rule(Repeat.WEEKLY, date(2026, 10, 19), time(18, 30), frozenset({1}))
    shown = [
        slot.due_at.isoformat()
        for slot in next_slots(rule, MADRID, datetime(2026, 10, 19, tzinfo=UTC), 2)
    ]
    assert shown == ["2026-10-20T16:30:00+00:00", "2026-10-27T17:30:00+00:00"]


def test_a_time_the_clocks_skip_is_the_next_valid_minute_and_one_shown_twice_the_first() -> None:
    assert moment(datetime(2026, 3, 29, 2, 30), MADRID).isoformat() == "2026-03-29T01:00:00+00:00"
    assert moment(datetime(2026, 10, 25, 2, 30), MADRID).isoformat() == "2026-10-25T00:30:00+00:00"
    # Samoa left out the whole of 30 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    assert moment(datetime(2011, 12, 30, 18), apia).isoformat() == "2011-12-30T10:00:00+00:00"


@given(rules(), ZONES, MOMENTS, st.integers(0, 90))
def test_nothing_is_posted_in_quiet_hours(
    rule: Rule, where: ZoneInfo, now: datetime, span: int
) -> None:
    for slot in slots_between(rule, where, now, now + timedelta(days=span)):
        local = slot.due_at.astimezone(where).replace(tzinfo=None)
        if rule.quiet is not None and local.fold == 0:
            ends = rule.quiet.end_of(local)
            assert ends is None or moment(ends, where) == slot.due_at


@given(rules(), ZONES, MOMENTS, st.lists(st.integers(0, 60 * 24 * 20), max_size=8))
def test_windows_laid_side_by_side_hold_each_slot_exactly_once(
    rule: Rule, where: ZoneInfo, begin: datetime, steps: list[int]
) -> None:
    edges = [begin]
    for step in steps:
        edges.append(edges[-1] + timedelta(minutes=step))
    found = [
        slot for after, upto in pairwise(edges) for slot in slots_between(rule, where, after, upto)
    ]
    assert found == slots_between(rule, where, edges[0], edges[-1])
    assert len({slot.key for slot in found}) == len(found)
    assert found == sorted(found, key=lambda slot: slot.due_at)


@given(rules(), ZONES, MOMENTS)
def test_the_next_times_are_what_the_window_ahead_will_hold(
    rule: Rule, where: ZoneInfo, now: datetime
) -> None:
    ahead = next_slots(rule, where, now, 3)
    if ahead:
        assert slots_between(rule, where, now, ahead[-1].due_at)[: len(ahead)] == ahead
        skipped = next_slots(rule, where, now, 3, {ahead[0].key})
        assert skipped[: len(ahead) - 1] == ahead[1:]


@given(rules(), ZONES, MOMENTS)
def test_what_is_over_has_no_slot_left_in_any_zone(
    rule: Rule, where: ZoneInfo, now: datetime
) -> None:
    if is_over(rule, now):
        assert next_slots(rule, where, now, 1) == []


def test_right_now_is_at_once_or_at_the_end_of_the_quiet_hours() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    (slot,) = slots_between(Rule.right_now(noon, NIGHT), MADRID, noon - timedelta(seconds=1), noon)
    assert (slot.key, slot.due_at) == (NOW_SLOT, noon)
    night = datetime(2026, 11, 24, 23, tzinfo=UTC)
    (slot,) = next_slots(Rule.right_now(night, NIGHT), MADRID, night, 1)
    assert slot.due_at == datetime(2026, 11, 25, 7, tzinfo=UTC)


def test_the_second_tuesday_and_the_last_friday() -> None:
    second = Rule(Repeat.MONTHLY, date(2026, 11, 1), time(9), frozenset({1}), 2)
    last = Rule(Repeat.MONTHLY, date(2026, 11, 1), time(9), frozenset({4}), -1)
    assert [*islice(days(second, second.first), 2)] == [date(2026, 11, 10), date(2026, 12, 8)]
    assert [*islice(days(last, last.first), 2)] == [date(2026, 11, 27), date(2026, 12, 25)]


def test_more_than_three_hours_late_is_too_late() -> None:
    due = datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert not is_too_late(due, due + timedelta(hours=3))
    assert is_too_late(due, due + timedelta(hours=3, seconds=1))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Rule(Repeat.WEEKLY, date(2026, 1, 1), time(9)), "no_days"),
        (lambda: Rule(Repeat.WEEKLY, date(2026, 1, 1), time(9), frozenset({7})), "no_days"),
        (lambda: Rule(Repeat.MONTHLY, date(2026, 1, 1), time(9), frozenset({1}), 5), "no_nth"),
        (
            lambda: Rule(Repeat.ONCE, date(2026, 1, 2), time(9), until=date(2026, 1, 1)),
            "ends_before_it_begins",
        ),
        (lambda: Quiet(time(9), time(9)), "quiet_all_day"),
        (lambda: zone("Europe/Atlantis"), "unknown_zone"),
        (lambda: zone("../etc/passwd"), "unknown_zone"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_its_reason(make: object, reason: str) -> None:
    with pytest.raises(ScheduleRefused) as refused:
        make()  # type: ignore[operator]
    assert refused.value.reason == reason

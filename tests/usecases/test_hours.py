"""Times as organizers type them, in English and Spanish."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from bot.core.schedule import Repeat
from bot.usecases.desk.hours import clock_of, day_of, hours_of, rule_of

TUESDAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "day", "at"),
    [
        ("tomorrow 9:30", date(2026, 11, 25), time(9, 30)),
        ("tomorrow at 9:30", date(2026, 11, 25), time(9, 30)),
        ("mañana a las 9:30", date(2026, 11, 25), time(9, 30)),
        ("today at 7 pm", date(2026, 11, 24), time(19)),
        ("hoy a las 7 de la tarde", date(2026, 11, 24), time(19)),
        ("hoy 18h30", date(2026, 11, 24), time(18, 30)),
        ("tonight", date(2026, 11, 24), time(19)),
        ("Friday 18:00", date(2026, 11, 27), time(18)),
        ("el viernes a las 18:00", date(2026, 11, 27), time(18)),
        ("2026-12-01 9:30", date(2026, 12, 1), time(9, 30)),
        ("Tuesday 11:00", date(2026, 12, 1), time(11)),
    ],
)
def test_a_single_time_is_understood(typed: str, day: date, at: time) -> None:
    rule = rule_of(typed, TUESDAY)
    assert rule is not None
    assert (rule.repeat, rule.first, rule.at) == (Repeat.ONCE, day, at)


@pytest.mark.parametrize(
    ("typed", "repeat", "days", "at"),
    [
        ("every Tuesday at 18:30", Repeat.WEEKLY, {1}, time(18, 30)),
        ("cada martes y jueves a las 18:30", Repeat.WEEKLY, {1, 3}, time(18, 30)),
        ("every second Friday 19:00", Repeat.FORTNIGHTLY, {4}, time(19)),
        ("cada dos semanas viernes 19:00", Repeat.FORTNIGHTLY, {4}, time(19)),
        ("last Friday of every month 9:00", Repeat.MONTHLY, {4}, time(9)),
        ("último viernes de cada mes 9:00", Repeat.MONTHLY, {4}, time(9)),
    ],
)
def test_a_repeating_time_is_understood(
    typed: str, repeat: Repeat, days: set[int], at: time
) -> None:
    rule = rule_of(typed, TUESDAY)
    assert rule is not None
    assert (rule.repeat, rule.weekdays, rule.at) == (repeat, days, at)


def test_a_repeating_time_may_have_a_last_day() -> None:
    rule = rule_of("cada martes 19:00 hasta 2026-12-31", TUESDAY)
    assert rule is not None and rule.until == date(2026, 12, 31)


@pytest.mark.parametrize(
    "typed", ["today 9:00", "2025-01-01 9:00", "when the moon is full", "18:75", ""]
)
def test_what_is_past_or_unclear_is_not_guessed(typed: str) -> None:
    rule = rule_of(typed, TUESDAY)
    assert rule is None


@pytest.mark.parametrize(
    ("typed", "at"),
    [("19", time(19)), ("19:30", time(19, 30)), ("7 pm", time(19)), ("a las 19:30", time(19, 30)),
     ("7 de la tarde", time(19)), ("soon", None)],
)  # fmt: skip
def test_an_hour_alone_is_understood(typed: str, at: time | None) -> None:
    assert clock_of(typed) == at


@pytest.mark.parametrize(
    ("typed", "hours"),
    [
        ("21:00-8:00", (time(21), time(8))),
        ("from 9 pm to 8 am", (time(21), time(8))),
        ("de 9 de la noche a 8 de la mañana", (time(21), time(8))),
        ("de las 22:00 a las 7:30", (time(22), time(7, 30))),
        ("entre las 20:00 y las 9:00", (time(20), time(9))),
        ("at night", None),
        ("21:00", None),
        ("25:00-8:00", None),
    ],
)
def test_hours_of_quiet_are_two_times(typed: str, hours: tuple[time, time] | None) -> None:
    assert hours_of(typed) == hours


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("2026-12-20", date(2026, 12, 20)),
        ("until December 20", date(2026, 12, 20)),
        ("20 de diciembre", date(2026, 12, 20)),
        ("hasta el 20 de diciembre de 2027", date(2027, 12, 20)),
        ("the 3rd of March", date(2027, 3, 3)),
        ("february 30", None),
        ("20/12", None),
        ("some day", None),
    ],
)
def test_a_day_is_the_next_of_that_name(typed: str, day: date | None) -> None:
    assert day_of(typed, TUESDAY) == day

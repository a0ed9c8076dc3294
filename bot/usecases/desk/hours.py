"""Times as organizers type them: "tomorrow 9:30", "cada martes 19:00", "2026-12-01 18:00".

Hours of quiet too ("21:00-8:00", "de 9 de la noche a 8 de la mañana") and days ("20 de diciembre").
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta

from bot.core.schedule import Repeat, Rule

EVENING, MORNING = time(19), time(10)
"""What "tonight" and "tomorrow" mean when no hour is given."""

_DAYS = ("monday mon lunes", "tuesday tue martes", "wednesday wed miercoles",
         "thursday thu jueves", "friday fri viernes", "saturday sat sabado sabados",
         "sunday sun domingo domingos")  # fmt: skip
WEEKDAYS = {name: number for number, names in enumerate(_DAYS) for name in names.split()}
_NTH = {"first": 1, "primer": 1, "second": 2, "segundo": 2, "third": 3, "tercer": 3,
        "fourth": 4, "cuarto": 4, "last": -1, "ultimo": -1}  # fmt: skip
_FORTNIGHTLY = re.compile(
    r"every (?:second|other) week|every two weeks|every (?:second|other)|fortnightly"
    r"|cada (?:dos|2) semanas|cada quince dias|quincenal"
)
_MONTHLY = re.compile(r"(?:of |del? )?(?:every|each|cada) (?:month|mes)|monthly|mensual")
_WEEKLY = re.compile(
    r"every week|weekly|cada semana|semanal(?:mente)?|every|each|cada|todos los|todas las"
)
_CLOCK = re.compile(
    r"\b(?:(?:(?:at|a las?) )?(?P<h>[01]?\d|2[0-3])[:.h](?P<m>[0-5]\d)"
    r"|(?:at|a las?) (?P<only>[01]?\d|2[0-3])(?![:.h]\d)"
    r"|(?P<bare>1[0-2]|0?[1-9])(?= ?[ap]m\b)|(?P<said>1[0-2]|0?[1-9])(?= de la ))"
    r" ?(?P<half>am|pm|de la manana|de la tarde|de la noche)?(?!\w)"
)
_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_UNTIL = re.compile(r"\b(?:until|till|hasta)(?: el)? (\d{4})-(\d{1,2})-(\d{1,2})\b")
_MONTHS = ("january jan enero", "february feb febrero", "march mar marzo", "april apr abril",
           "may mayo", "june jun junio", "july jul julio", "august aug agosto",
           "september sept sep septiembre", "october oct octubre", "november nov noviembre",
           "december dec diciembre")  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_NAMED_DAY = re.compile(
    r"(?:(?P<a>\d{1,2})(?:st|nd|rd|th)? (?:of |de )?(?P<month>[a-z]+)"
    r"|(?P<named>[a-z]+) (?P<b>\d{1,2})(?:st|nd|rd|th)?)(?: (?:de |del )?(?P<year>\d{4}))?"
)
_FROM_TO = re.compile(r" ?(?:-|–|—) ?| (?:to|until|a|hasta|and|y) ")
_FILLER = {"at", "on", "the", "a", "las", "la", "el", "los", "and", "y", "of", "de", "del", "in",
           "en", "this", "este", "next", "h"}  # fmt: skip


def rule_of(text: str, here: datetime) -> Rule | None:
    """The rule that typed words mean, seen from `here`, the aware local time; None when unsure.

    Every word has to be understood. A single time that has passed means nothing.
    """
    words = " ".join(_plain(text).split())
    if words in ("now", "right now", "ahora", "ahora mismo", "ya"):
        return Rule.right_now(here)
    try:
        return _rule(words, here)
    except ValueError:
        return None


def clock_of(text: str) -> time | None:
    """The time of day that typed words mean, and nothing else."""
    words = " ".join(_plain(text).split())
    words = f"at {words}" if words.isdigit() else words
    found = _CLOCK.fullmatch(words)
    return _clock(found) if found else None


def hours_of(text: str) -> tuple[time, time] | None:
    """The two times of day that typed words span; None when unsure."""
    words = " ".join(_plain(text).split())
    ends = _FROM_TO.split(re.sub(r"^(?:from|between|desde|entre|de) ", "", words))
    times = [clock_of(re.sub(r"^(?:las?|midnight) ", "", end)) for end in ends]
    return (times[0], times[1]) if len(times) == 2 and times[0] and times[1] else None


def day_of(text: str, here: datetime) -> date | None:
    """The day that typed words mean, the next of that name seen from `here`; None when unsure."""
    words = " ".join(_plain(text).split())
    words = re.sub(r"^(?:until|till|hasta)(?: el)? |^(?:the|el) ", "", words)
    if words in WEEKDAYS:
        return here.date() + timedelta(days=(WEEKDAYS[words] - here.weekday() - 1) % 7 + 1)
    try:
        if found := _DATE.fullmatch(words):
            return date(*map(int, found.groups()))
        found = _NAMED_DAY.fullmatch(words)
        month = MONTHS.get(found["month"] or found["named"]) if found else None
        if found is None or month is None:
            return None
        day = int(found["a"] or found["b"])
        if found["year"]:
            return date(int(found["year"]), month, day)
        this_year = date(here.year, month, day)
        return this_year if this_year >= here.date() else date(here.year + 1, month, day)
    except ValueError:
        return None


def nth_of(day: date) -> int:
    """Which of its month's weekdays a date is: 1 to 4, or -1 for a fifth."""
    number = (day.day - 1) // 7 + 1
    return number if number < 5 else -1


def _rule(words: str, here: datetime) -> Rule | None:
    until: date | None = None
    if found := _UNTIL.search(words):
        until, words = date(*map(int, found.groups())), _without(words, found)
    at: time | None = None
    if found := _CLOCK.search(words):
        at, words = _clock(found), _without(words, found)
    day: date | None = None
    if found := _DATE.search(words):
        day, words = date(*map(int, found.groups())), _without(words, found)
    repeat = Repeat.ONCE
    nth = 0
    for pattern, meant in (
        (_FORTNIGHTLY, Repeat.FORTNIGHTLY),
        (_MONTHLY, Repeat.MONTHLY),
        (_WEEKLY, Repeat.WEEKLY),
    ):
        if found := pattern.search(words):
            repeat, words = meant, _without(words, found)
            break
    days: set[int] = set()
    for word in words.split():
        if word in WEEKDAYS:
            days.add(WEEKDAYS[word])
        elif word in _NTH and repeat is Repeat.MONTHLY:
            nth = _NTH[word]
        elif word in ("today", "hoy", "tonight", "noche"):
            day = here.date()
            at = at or (EVENING if word in ("tonight", "noche") else None)
        elif word in ("tomorrow", "manana"):
            day = here.date() + timedelta(days=1)
        elif word not in _FILLER:
            return None
    if repeat is Repeat.ONCE:
        return _once(day, at, days, here) if until is None else None
    first = day or here.date()
    days = days or {first.weekday()}
    if repeat is Repeat.MONTHLY:
        nth = nth or nth_of(first)
    return Rule(repeat, first, at or EVENING, frozenset(days), nth, until)


def _once(day: date | None, at: time | None, days: set[int], here: datetime) -> Rule | None:
    if len(days) > 1 or (day is None and at is None and not days):
        return None
    at = at or MORNING
    if day is None:
        ahead = range(8)
        possible = [here.date() + timedelta(days=n) for n in ahead]
        named = [d for d in possible if not days or d.weekday() in days]
        day = next((d for d in named if datetime.combine(d, at) > here.replace(tzinfo=None)), None)
    if day is None or datetime.combine(day, at) <= here.replace(tzinfo=None):
        return None
    return Rule(Repeat.ONCE, day, at)


def _clock(found: re.Match[str]) -> time:
    hour = int(found["h"] or found["only"] or found["bare"] or found["said"])
    half = found["half"] or ""
    if half in ("pm", "de la tarde", "de la noche") and hour < 12:
        hour += 12
    elif half in ("am", "de la manana") and hour == 12:
        hour = 0
    return time(hour, int(found["m"] or 0))


def _without(words: str, found: re.Match[str]) -> str:
    return f"{words[: found.start()]} {words[found.end() :]}"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return re.sub(r"[,;!¡]|\.(?!\d)", " ", letters)

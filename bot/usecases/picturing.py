"""Results as a picture: exactly the numbers that the screens show, the hidden ones as hidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from bot.core.movement import Hidden, Step
from bot.core.picture import Bar, Part, Sheet, Unit
from bot.core.turn import Line
from bot.usecases.results import Results, Row

Table = Literal["group", "prompt", "week"]

HIDDEN = {Hidden.FEW: Line("practice.few"), Hidden.WITHHELD: Line("organizing.withheld")}
COMPARED = (Step.OPENED, Step.FINISHED)
"""What the rows of a table are compared by."""


def overview(results: Results, day: date) -> Sheet[Line]:
    """Posts by what became of them, and how far people came, up to this day."""
    posts = results.total.posts
    fates = {
        "posted": posts.posted,
        "waiting": posts.waiting,
        "unknown": posts.unknown,
        "failed": sum(posts.failed.values()),
    }
    bars = tuple(
        Bar(_word(fate), number) for fate, number in fates.items() if number or fate == "posted"
    )
    parts = [Part(Unit.POSTS, bars, _word("posts"))]
    if results.total.people:
        parts.append(Part(Unit.PEOPLE, _people(results.total, Step), _word("people")))
    return Sheet(_dated("heading", day), tuple(parts), HIDDEN)


def table(which: Table, rows: Sequence[Row]) -> Sheet[Line]:
    """Rows of one table, one below another."""
    parts = tuple(
        Part(
            Unit.PEOPLE,
            _people(row, COMPARED),
            _title(which, row),
            None if row.people else _word("nothing"),
        )
        for row in rows
    )
    return Sheet(_word(f"by_{which}"), parts, HIDDEN)


def monday(week: str) -> date:
    """The first day of an ISO week such as 2026-W48."""
    year, _, number = week.partition("-W")
    return date.fromisocalendar(int(year), int(number), 1)


def _title(which: Table, row: Row) -> Line:
    if which == "week":
        return _dated("week", monday(row.key))
    return Line("organizing.picture.name", {"name": row.title})


def _people(row: Row, steps: Iterable[Step]) -> tuple[Bar[Line], ...]:
    return tuple(Bar(_word(s.value), row.people[s]) for s in steps if s in row.people)


def _dated(key: str, day: date) -> Line:
    month = {"month": f"organizing.month.{day.month}"}
    return Line(f"organizing.picture.{key}", {"day": str(day.day)}, month)


def _word(key: str) -> Line:
    return Line(f"organizing.picture.{key}")

"""`coach prompts results`: what became of every push, as tables or one JSON object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from bot.commands.planning import table
from bot.core.movement import Hidden, Movement, Shown, Step
from bot.settings import load_settings
from bot.usecases.people import CONSOLE
from bot.usecases.picturing import Table, overview
from bot.usecases.picturing import table as table_of
from bot.usecases.results import Posts, Results, ResultsBoard, Row, Told
from bot.wiring import Parts, opened
from bot.wiring import draw as png_of
from bot.words.practice import load_library

TABLES: tuple[Table, ...] = ("group", "prompt", "week")
MOST_DRAWN = 12
"""Rows in one picture; more would be too small to read on a telephone."""
MARKS = {Hidden.FEW: "<5", Hidden.WITHHELD: "·"}


def run(as_json: bool, stdout: TextIO) -> int:
    """Print results; small numbers of people are hidden in both forms."""
    results = _found(Parts(load_settings()))
    if as_json:
        print(json.dumps(_json(results), ensure_ascii=False), file=stdout)
        return 0
    for name, rows in (
        ("group", results.groups),
        ("prompt", results.prompts),
        ("week", results.weeks),
    ):
        headings = (name, "posted", "failed", "unknown", "left out", *(s.value for s in Step))
        shown = [_line(row) for row in (*rows, results.total)] if rows else []
        table(headings, shown, "Nothing was pushed yet.", stdout)
        print(file=stdout)
        if not rows:
            return 0
    moved = [
        (each.title, *(_mark(each.people[kind]) for kind in Movement)) for each in results.movement
    ]
    if moved:
        table(("group", *(kind.value for kind in Movement)), moved, "", stdout)
        print(file=stdout)
    told = [_told_line(each) for each in results.follow_ups]
    if told:
        headings = ("follow-up to", "with", "posted", "waiting", "failed", "unknown", "taken back")
        table(headings, told, "", stdout)
        print(file=stdout)
    for unsure in results.unsure:
        what = f"a follow-up to {unsure.prompt}" if unsure.is_follow_up else unsure.prompt
        print(f"Nobody knows whether it arrived: {what} in {unsure.group}", file=stdout)
    print("<5: fewer than five.  ·: not shown; it, or what it leaves over, may be.", file=stdout)
    return 0


def draw(path: Path, by: str | None, language: str | None, stdout: TextIO, stderr: TextIO) -> int:
    """Draw results into a PNG file: the same numbers, the hidden ones as hidden."""
    parts = Parts(load_settings())
    spoken = parts.words.languages
    if by is not None and by not in TABLES:
        print(f"There is no table by {by}; there are: {', '.join(TABLES)}.", file=stderr)
        return 2
    if language is not None and language not in spoken:
        print(f"There are no words in {language}; there are: {', '.join(spoken)}.", file=stderr)
        return 2
    speaks = language or spoken[0]
    results = _found(parts, speaks)
    if by is None:
        sheet = overview(results, parts.clock.now().date())
    else:
        weeks = sorted(results.weeks, key=lambda row: row.key, reverse=True)
        rows = {"group": results.groups, "prompt": results.prompts, "week": weeks}[by]
        drawn = rows[:MOST_DRAWN] if by != "week" else rows[:MOST_DRAWN][::-1]
        sheet = table_of(next(t for t in TABLES if t == by), drawn)
        if len(rows) > len(drawn):
            print(f"{len(drawn)} of {len(rows)} rows are drawn; --json has all.", file=stderr)
    try:
        path.write_bytes(png_of(sheet.worded(lambda line: parts.words.text(line, speaks))))
    except OSError as error:
        print(f"{path} cannot be written ({error.strerror}).", file=stderr)
        return 1
    print(f"Drawn: {path}", file=stdout)
    return 0


def _found(parts: Parts, language: str = "") -> Results:
    """Titles are in this language, or the first there is."""

    async def find() -> Results:
        spoken = parts.words.languages
        first = sorted(spoken, key=lambda code: code != language)
        async with opened(parts) as store:
            return await ResultsBoard(store, load_library(spoken), first).results(CONSOLE)

    return asyncio.run(find())


def _line(row: Row) -> list[str]:
    posts = row.posts
    return [
        row.title or "all",
        str(posts.posted),
        _reasons(posts.failed),
        str(posts.unknown),
        _reasons(posts.left_out),
        *(_mark(row.people[step]) if step in row.people else "-" for step in Step),
    ]


def _told_line(told: Told) -> list[str]:
    posts = told.posts
    return [
        told.title,
        "words" if told.has_words else "numbers",
        str(posts.posted),
        str(posts.waiting),
        _reasons(posts.failed),
        str(posts.unknown),
        str(posts.taken_back),
    ]


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items())) or "0"


def _mark(number: Shown) -> str:
    return MARKS[number] if isinstance(number, Hidden) else str(number)


def _json(results: Results) -> dict[str, Any]:
    return {
        "total": _row_json(results.total),
        "groups": [_row_json(row) for row in results.groups],
        "prompts": [_row_json(row) for row in results.prompts],
        "weeks": [_row_json(row) for row in results.weeks],
        "movement": [
            {
                "group": moved.group_id,
                "title": moved.title,
                "people": {kind.value: _plain(n) for kind, n in moved.people.items()},
            }
            for moved in results.movement
        ],
        "unknown": [
            {
                "group": u.group,
                "prompt": u.prompt,
                "due_at": u.due_at.isoformat(),
                "follow_up": u.is_follow_up,
            }
            for u in results.unsure
        ],
        "follow_ups": [
            {
                "prompt": t.prompt_id,
                "title": t.title,
                "with": "words" if t.has_words else "numbers",
                "posted": t.posts.posted,
                "waiting": t.posts.waiting,
                "unknown": t.posts.unknown,
                "failed": dict(t.posts.failed),
                "taken_back": t.posts.taken_back,
            }
            for t in results.follow_ups
        ],
    }


def _row_json(row: Row) -> dict[str, Any]:
    posts: Posts = row.posts
    return {
        "key": row.key,
        "title": row.title,
        "posted": posts.posted,
        "waiting": posts.waiting,
        "unknown": posts.unknown,
        "failed": dict(posts.failed),
        "left_out": dict(posts.left_out),
        "people": {step.value: _plain(number) for step, number in row.people.items()},
    }


def _plain(number: Shown) -> int | str:
    """A number, or why there is none: `few` or `withheld`."""
    return number.value if isinstance(number, Hidden) else number

"""`coach prompts results`: what became of every push, as tables or one JSON object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, TextIO

from bot.commands.planning import table
from bot.core.movement import Hidden, Movement, Shown, Step
from bot.settings import load_settings
from bot.usecases.people import CONSOLE
from bot.usecases.results import Posts, Results, ResultsBoard, Row, Told
from bot.wiring import Parts, opened
from bot.words.practice import load_library

MARKS = {Hidden.FEW: "<5", Hidden.WITHHELD: "·"}


def run(as_json: bool, stdout: TextIO) -> int:
    """Print results; small numbers of people are hidden in both forms."""
    parts = Parts(load_settings())

    async def find() -> Results:
        languages = parts.words.languages
        async with opened(parts) as store:
            return await ResultsBoard(store, load_library(languages), languages).results(CONSOLE)

    results = asyncio.run(find())
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

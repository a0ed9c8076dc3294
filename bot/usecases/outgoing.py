"""Moves as they rest in the outbox: plain JSON by message keys, rendered only when sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.movement import Hidden
from bot.core.picture import Bar, Part, Sheet, Unit
from bot.core.turn import (
    Bring,
    Choice,
    EraseEverything,
    Hand,
    Line,
    Move,
    Moved,
    Picture,
    Post,
    Say,
    Scrub,
    TakeDown,
)

Body = dict[str, Any]


def body_of(move: Move, language: str, turn: int) -> Body:
    """One move as JSON; `turn` marks its buttons. Only what is said has one.

    EraseEverything, Moved and Post are for the use case: ValueError."""
    common: Body = {"language": language, "turn": turn}
    match move:
        case Say(lines, choices, replaces):
            return {
                "kind": "say",
                "lines": [_line(x) for x in lines],
                "choices": [[_choice(c) for c in row] for row in choices if row],
                "replaces": replaces,
                **common,
            }
        case Hand(name, content, line):
            held = content if isinstance(content, str) else [_line(x) for x in content]
            return {
                "kind": "hand",
                "name": name,
                "content": held,
                "line": _line(line),
                **common,
            }
        case Bring(name, kept, line, gone):
            return {
                "kind": "bring",
                "name": name,
                "kept": kept,
                "line": _line(line),
                "gone": _line(gone),
                **common,
            }
        case Picture(name, sheet, lines, choices):
            return {
                "kind": "picture",
                "name": name,
                "sheet": _sheet(sheet),
                "lines": [_line(x) for x in lines],
                "choices": [[_choice(c) for c in row] for row in choices if row],
                **common,
            }
        case Scrub(line):
            return {"kind": "scrub", "line": _line(line), **common}
        case TakeDown(message, chat, done, stays):
            return {
                "kind": "take_down",
                "message": message,
                "chat": chat,
                "done": _line(done),
                "stays": _line(stays),
                **common,
            }
        case EraseEverything():
            raise ValueError("erasing is done by the use case, not sent")
        case Moved():
            raise ValueError("movement is counted by the use case, not sent")
        case Post():
            raise ValueError("the use case knows which chat a group is")


def move_of(body: Mapping[str, Any]) -> Say | Hand | Bring | Picture | Scrub | TakeDown:
    """The move a body was made from. ValueError for an unknown kind."""
    match body["kind"]:
        case "say":
            return Say(_as_lines(body), _as_choices(body), bool(body["replaces"]))
        case "picture":
            sheet = _as_sheet(body["sheet"])
            return Picture(body["name"], sheet, _as_lines(body), _as_choices(body))
        case "hand":
            content = body["content"]
            held = content if isinstance(content, str) else tuple(_as_line(x) for x in content)
            return Hand(body["name"], held, _as_line(body["line"]))
        case "bring":
            words = _as_line(body["line"]), _as_line(body["gone"])
            return Bring(body["name"], body["kept"], *words)
        case "scrub":
            return Scrub(_as_line(body["line"]))
        case "take_down":
            told = _as_line(body["done"]), _as_line(body["stays"])
            return TakeDown(int(body["message"]), int(body["chat"]), *told)
        case kind:
            raise ValueError(f"an outbox body of unknown kind {kind!r}")


def _line(line: Line) -> list[Any]:
    return [line.key, dict(line.words), dict(line.refs)]


def _choice(choice: Choice) -> list[Any]:
    return [choice.id, choice.label, dict(choice.words), choice.checked, choice.link]


def _sheet(sheet: Sheet[Line]) -> Body:
    return {
        "heading": _line(sheet.heading),
        "parts": [
            {
                "unit": part.unit.value,
                "bars": [[_line(bar.label), bar.number] for bar in part.bars],
                "heading": _line(part.heading),
                "instead": None if part.instead is None else _line(part.instead),
            }
            for part in sheet.parts
        ],
        "hidden": {why.value: _line(words) for why, words in sheet.hidden.items()},
    }


def _as_sheet(raw: Mapping[str, Any]) -> Sheet[Line]:
    return Sheet(
        _as_line(raw["heading"]),
        tuple(
            Part(
                Unit(part["unit"]),
                tuple(
                    Bar(_as_line(x), n if isinstance(n, int) else Hidden(n))
                    for x, n in part["bars"]
                ),
                _as_line(part["heading"]),
                None if part["instead"] is None else _as_line(part["instead"]),
            )
            for part in raw["parts"]
        ),
        {Hidden(why): _as_line(words) for why, words in raw["hidden"].items()},
    )


def _as_lines(body: Mapping[str, Any]) -> tuple[Line, ...]:
    return tuple(_as_line(x) for x in body["lines"])


def _as_choices(body: Mapping[str, Any]) -> tuple[tuple[Choice, ...], ...]:
    return tuple(tuple(_as_choice(c) for c in row) for row in body["choices"])


def _as_line(raw: Sequence[Any]) -> Line:
    return Line(raw[0], raw[1], raw[2])


def _as_choice(raw: Sequence[Any]) -> Choice:
    # Bodies written before buttons had links are one shorter.
    return Choice(raw[0], raw[1], raw[2], raw[3], raw[4] if len(raw) > 4 else None)

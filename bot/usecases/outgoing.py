"""Moves as they rest in the outbox: plain JSON by message keys, rendered only when sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.turn import (
    Bring,
    Choice,
    EraseEverything,
    Hand,
    Line,
    Move,
    Moved,
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


def move_of(body: Mapping[str, Any]) -> Say | Hand | Bring | Scrub | TakeDown:
    """The move a body was made from. ValueError for an unknown kind."""
    match body["kind"]:
        case "say":
            return Say(
                tuple(_as_line(x) for x in body["lines"]),
                tuple(tuple(_as_choice(c) for c in row) for row in body["choices"]),
                bool(body["replaces"]),
            )
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


def _as_line(raw: Sequence[Any]) -> Line:
    return Line(raw[0], raw[1], raw[2])


def _as_choice(raw: Sequence[Any]) -> Choice:
    # Bodies written before buttons had links are one shorter.
    return Choice(raw[0], raw[1], raw[2], raw[3], raw[4] if len(raw) > 4 else None)

"""The batch loop keeps order, survives bad lines and never holds the whole input."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from bot.commands import jsonlines
from bot.commands.jsonlines import BadLine, convert


def run(
    data: bytes, required: tuple[str, ...] = ("id", "text")
) -> tuple[int, list[dict[str, Any]], str]:
    out, err = io.StringIO(), io.StringIO()

    def one(row: dict[str, Any]) -> dict[str, Any]:
        if row["text"] == "refuse":
            raise BadLine("refused kindly.")
        return {"id": row["id"], "echo": row["text"]}

    code = convert(io.BytesIO(data), out, err, one, required)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_each_object_is_answered_in_order() -> None:
    code, rows, err = run(b'{"id": 1, "text": "a"}\n{"id": "b", "text": "\xc3\xb1"}')
    assert code == 0
    assert rows == [{"id": 1, "echo": "a"}, {"id": "b", "echo": "ñ"}]
    assert err == ""


def test_crlf_blank_lines_and_a_byte_order_mark_are_tolerated() -> None:
    code, rows, _ = run(b'\xef\xbb\xbf{"id": 1, "text": "a"}\r\n\r\n  \n{"id": 2, "text": "b"}\r\n')
    assert code == 0
    assert [r["id"] for r in rows] == [1, 2]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{oops", "not valid JSON"),
        (b"\xff\xfe", "not valid UTF-8"),
        (b"[1]", "not a JSON object"),
        (b'{"id": 1}', '"text" is missing'),
        (b'{"id": 1, "text": 5}', '"text" must be text'),
        (b'{"id": 1, "text": "refuse"}', "refused kindly"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_a_bad_line_is_named_and_skipped_and_the_rest_is_done(line: bytes, why: str) -> None:
    code, rows, err = run(b'{"id": 1, "text": "a"}\n' + line + b'\n{"id": 3, "text": "c"}\n')
    assert code == 1
    assert [r["id"] for r in rows] == [1, 3]
    assert err.startswith("Line 2: ")
    assert why in err
    assert len(err.splitlines()) == 1


def test_a_bad_line_never_repeats_what_was_written() -> None:
    _, _, err = run(b'{"id": 1, "text": "my secret"\n')
    assert "secret" not in err


def test_an_endless_line_is_refused_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "LONGEST_LINE", 64)
    code, rows, err = run(b"x" * 1000 + b'\n{"id": 2, "text": "b"}\n')
    assert code == 1
    assert [r["id"] for r in rows] == [2]
    assert "Line 1: longer than 64 bytes." in err


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    class Utf8Out(io.StringIO):
        encoding = "utf-8"

    out = Utf8Out()
    line = b'{"id": 1, "text": "\\ud83d"}\n'
    code = convert(io.BytesIO(line), out, io.StringIO(), lambda r: {"echo": r["text"]}, ["text"])
    assert code == 0
    assert out.getvalue() == '{"echo": "\\ud83d"}\n'


def test_a_closed_pipe_ends_the_work_quietly() -> None:
    answered: list[int] = []

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    def one(row: dict[str, Any]) -> dict[str, Any]:
        answered.append(row["id"])
        return row

    err = io.StringIO()
    assert convert(io.BytesIO(b'{"id": 1}\n{"id": 2}\n'), Closed(), err, one, ["id"]) == 0
    assert answered == [1]
    assert err.getvalue() == ""


def test_lines_are_answered_as_they_come_not_at_the_end() -> None:
    out = io.StringIO()
    seen_when_second_was_read: list[str] = []

    class Slow(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            if b"2" in line:
                seen_when_second_was_read.append(out.getvalue())
            return line

    convert(Slow(b'{"id": 1}\n{"id": 2}\n'), out, io.StringIO(), lambda r: r, ["id"])
    assert seen_when_second_was_read == ['{"id": 1}\n']


def test_progress_is_drawn_only_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    convert(io.BytesIO(b'{"id": 1}\n'), io.StringIO(), terminal, lambda r: r, ["id"])
    assert "lines" in terminal.getvalue()

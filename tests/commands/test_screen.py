"""`coach screen` answers each line with safety and spans."""

from __future__ import annotations

import io
import json

from bot.commands.screen import run


def test_each_line_is_answered_with_safety_and_verbatim_spans() -> None:
    rows = [
        {"id": "a", "lang": "en", "text": "I want to die. Call 415-555-0132."},
        {"id": 2, "lang": "zz", "text": "La olla común empieza a la una."},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    out, errors = io.StringIO(), io.StringIO()
    assert run(io.BytesIO(lines.encode()), out, errors) == 0
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"id": "a", "safety": "crisis", "spans": [{"text": "415-555-0132", "kind": "phone"}]},
        {"id": 2, "safety": "none", "spans": []},
    ]


def test_a_bad_line_is_named_without_its_words_and_the_next_is_answered() -> None:
    out, errors = io.StringIO(), io.StringIO()
    given = b'{"id": 1, "secret": "x"}\n{"id": 2, "text": ""}\n'
    assert run(io.BytesIO(given), out, errors) == 1
    assert "Line 1" in errors.getvalue() and "secret" not in errors.getvalue()
    assert json.loads(out.getvalue()) == {"id": 2, "safety": "none", "spans": []}

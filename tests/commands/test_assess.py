"""`coach assess` keeps to its outside contract."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from bot.commands.assess import run
from bot.core.narrative import ORDER_OF_CARE, StoryOf


def assess(*rows: dict[str, Any] | bytes) -> tuple[int, list[dict[str, Any]], str]:
    data = b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows)
    out, err = io.StringIO(), io.StringIO()
    code = run(io.BytesIO(data), out, err)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_each_draft_gets_labels_evidence_and_what_to_ask_next() -> None:
    texts = {
        "self": "The boiler died in January. I was going to the bus, but I knocked on her door.",
        "us": "Somos las once de la escalera B. Amir leyó su carta y la pusimos todas en la mesa.",
        "now": "Você vem na quinta às sete na lavanderia? Sem a gente o fundo fecha dia 30.",
    }
    code, rows, err = assess(
        *(
            {"id": f"x{i}", "stage": s, "lang": "en", "text": t}
            for i, (s, t) in enumerate(texts.items())
        )
    )
    assert (code, err) == (0, "")
    assert [r["id"] for r in rows] == ["x0", "x1", "x2"]
    for row, (stage, text) in zip(rows, texts.items(), strict=True):
        names = [e.short for e in ORDER_OF_CARE[StoryOf(stage)]]
        assert set(row) == {"id", "labels", "evidence", "next"}
        assert sorted(row["labels"]) == sorted(names)
        assert set(row["labels"].values()) <= {"present", "weak", "missing"}
        assert row["next"] in [*names, "none"]
        assert {n for n, s in row["labels"].items() if s != "missing"} == set(row["evidence"])
        assert all(quote in text for quote in row["evidence"].values())


def test_a_draft_without_words_is_all_missing() -> None:
    code, rows, _ = assess({"id": 1, "stage": "self", "lang": "en", "text": "🙂"})
    assert code == 0
    assert set(rows[0]["labels"].values()) == {"missing"}
    assert rows[0]["evidence"] == {}
    assert rows[0]["next"] == "challenge"


def test_an_unknown_stage_is_a_bad_line_and_the_rest_is_read() -> None:
    code, rows, err = assess(
        {"id": 1, "stage": "them", "lang": "en", "text": "I knocked."},
        {"id": 2, "stage": "self", "lang": "xx", "text": "I knocked."},
    )
    assert code == 1
    assert [r["id"] for r in rows] == [2]
    assert err == 'Line 1: "stage" must be self, us or now.\n'


def test_damaged_weights_are_one_plain_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bot.reading.heads import Weights

    damaged = tmp_path / "reader.npz"
    damaged.write_bytes(b"not weights")
    load = Weights.load
    monkeypatch.setattr(Weights, "load", lambda: load(damaged))
    code, rows, err = assess({"id": 1, "stage": "self", "lang": "en", "text": "I knocked."})
    assert (code, rows) == (1, [])
    assert err == "The reader's weights are missing or damaged; run coach train-reader.\n"

"""The labelled messages keep their format and their split."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.care import Safety
from bot.screening.labelled import (
    CORPUS,
    BadMessage,
    privacy_messages,
    safety_messages,
    telling_messages,
)

LABELS = (Safety.CRISIS, Safety.DISTRESS, Safety.NONE)
"""What a person may label; doubt is the machine's."""


def test_there_are_enough_messages_of_every_kind_and_language() -> None:
    safety = safety_messages()
    assert len(safety) >= 500
    assert {m.lang for m in safety} == {"en", "es", "pt"}
    assert all(sum(m.safety is s for m in safety) >= 100 for s in LABELS)
    assert len(privacy_messages()) >= 230


def test_no_voice_is_on_both_sides_of_the_split() -> None:
    for messages in (safety_messages(), privacy_messages()):
        sides: dict[tuple[str, str], set[bool]] = {}
        for m in messages:
            sides.setdefault((m.lang, m.author), set()).add(m.held_back)
        assert all(len(side) == 1 for side in sides.values())
        assert {True, False} == {m.held_back for m in messages}


def test_no_text_stands_on_both_sides() -> None:
    messages = safety_messages()
    held_back = {m.text for m in messages if m.held_back}
    assert not held_back & {m.text for m in messages if not m.held_back}


def test_a_telling_named_painful_exists() -> None:
    painful = [m for m in telling_messages(CORPUS) if m.safety is Safety.DISTRESS]
    assert painful


def test_a_span_that_is_not_verbatim_is_refused(tmp_path: Path) -> None:
    (tmp_path / "held_back.txt").write_text("")
    (tmp_path / "en-a.jsonl").write_text(
        '{"id":"1","lang":"en","author":"a","text":"Call Ann",'
        '"spans":[{"text":"Bob","kind":"phone","start":5}]}\n'
    )
    with pytest.raises(BadMessage, match="verbatim"):
        privacy_messages(tmp_path)

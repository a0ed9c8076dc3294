"""Long texts are cut where it hurts least, and not a word of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.turn import Choice, Line, Say
from bot.telegram.render import TEXT_LIMIT, data, render, split, units
from tests.fakes import catalogue

WRITTEN = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n🚌é"), max_size=300
)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(WRITTEN, st.integers(2, 60))
@settings(max_examples=300, deadline=None)
def test_splitting_loses_no_character_and_never_exceeds_the_limit(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert squeezed("".join(pieces)) == squeezed(text)
    assert all(0 < units(piece) <= limit for piece in pieces)
    assert all(not 0xD800 <= ord(c) <= 0xDFFF for piece in pieces for c in piece)


@given(WRITTEN.map(lambda t: t * 40))
@settings(max_examples=50, deadline=None)
def test_splitting_at_telegrams_limit_terminates_on_anything(text: str) -> None:
    assert squeezed("".join(split(text))) == squeezed(text)


def test_a_long_text_is_cut_between_paragraphs_rather_than_in_words() -> None:
    text = "\n\n".join("word " * 50 for _ in range(40)).strip()
    pieces = split(text)
    assert len(pieces) > 1
    assert all(set(piece.split()) == {"word"} for piece in pieces)


CHARACTERS = [
    "é", "ñ̃", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️‍🔥", "👍🏽", "🇪🇸", "🏴\U000e0067\U000e0062\U000e007f", "1️⃣",
    "क्षि", "நி", "กำ", "각", "각", "ي\u064e", "a", "🚌",
]  # fmt: skip
"""Each is one character to its reader, and most are several code points."""


@given(st.lists(st.sampled_from(CHARACTERS), max_size=60), st.integers(12, 40))
@settings(max_examples=300, deadline=None)
def test_a_cut_never_goes_through_what_a_reader_takes_for_one_character(
    characters: list[str], limit: int
) -> None:
    text = "".join(characters)
    ends = {0}
    for character in characters:
        ends.add(max(ends) + len(character))
    at = 0
    for piece in split(text, limit):
        at += len(piece)
        assert at in ends
    assert at == len(text)


def test_a_character_longer_than_a_message_is_cut_rather_than_lost() -> None:
    text = "a" + "\u0301" * 10_000
    assert "".join(split(text)) == text


def test_a_space_that_carries_an_accent_is_no_place_to_cut() -> None:
    assert split("aaa bb \u0301cc", 8) == ["aaa", "bb \u0301cc"]


def test_what_takes_more_than_four_messages_is_a_file_and_the_question_follows_it() -> None:
    story = Line("coaching.reflect.plain", {"quote": "<&> the hill\n" * 2000})
    say = Say((story, Line("rights.kept")), ((Choice("skip", "choices.skip"),),))
    file, question = render(say, catalogue(), "es", 7)
    assert file.file is not None and file.file[0] == "texto-completo.txt"
    assert file.file[1].count("<&> the hill") == 2000
    assert not file.rows and question.rows and question.file is None


def test_a_long_text_with_nothing_after_it_has_its_buttons_under_the_file() -> None:
    story = Line("coaching.reflect.plain", {"quote": "the hill\n" * 4000})
    (file,) = render(Say((story,), ((Choice("skip", "choices.skip"),),)), catalogue(), "en", 7)
    assert file.file is not None and file.rows


def test_many_short_lines_too_long_for_four_messages_are_a_file_as_well() -> None:
    lines = tuple(Line("coaching.reflect.plain", {"quote": "a hill " * 70}) for _ in range(50))
    (file,) = render(Say(lines), catalogue(), "en", 7)
    assert file.file is not None and file.file[1].count("a hill") == 3500


def test_emoji_count_double_as_at_telegram() -> None:
    assert units("a🚌é") == 4
    assert [units(p) for p in split("🚌" * 3000)] == [4096, 1904]


def test_buttons_stand_under_the_last_piece_only() -> None:
    long = "<&> the hill " * 700
    say = Say(
        (Line("coaching.reflect.plain", {"quote": long}),), ((Choice("skip", "choices.skip"),),)
    )
    *first, last = render(say, catalogue(), "en", 7)
    assert first and all(not message.rows for message in first)
    assert [[b.data for b in row] for row in last.rows] == [["7|skip"]]
    assert all("&lt;&amp;&gt;" in m.html and units(m.plain) <= TEXT_LIMIT for m in (*first, last))


def test_a_button_too_long_for_telegram_is_refused_without_its_parameter() -> None:
    assert data("into:self", 12) == "12|into:self"
    with pytest.raises(ValueError) as refusal:
        data("open:" + "Rosa" * 20, 12)
    assert "Rosa" not in str(refusal.value)

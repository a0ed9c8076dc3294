"""Quotations are exact, provenance is counted, and only what no keyboard types is taken out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.quoting import cleaned, has_words, quotation, shingles, teller_share, verbatim

LONG = "it was the winter the boiler died and I heard coughing through the wall of number nine"


@given(st.text(), st.integers(1, 40))
def test_a_quotation_is_the_beginning_of_the_text_and_nothing_else(text: str, most: int) -> None:
    quote = quotation(text, most)
    assert " ".join(text.split()).startswith(quote.removesuffix("…").rstrip())
    assert len(quote.split()) <= most


def test_a_quotation_cut_short_says_so_and_a_whole_one_does_not() -> None:
    assert quotation("one two three four", 3) == "one two three…"
    assert quotation("one two three", 3) == "one two three"


def test_spelling_case_and_marks_stay_as_typed() -> None:
    assert quotation("i DONT  know,\nreally!!") == "i DONT know, really!!"


def test_own_words_are_all_the_tellers() -> None:
    assert teller_share(LONG, []) == 1.0
    assert (
        teller_share(LONG, shingles("something quite different that the bot had shown before")) == 1
    )


def test_a_pasted_passage_is_not_the_tellers() -> None:
    assert teller_share(LONG, shingles(LONG)) == 0.0
    mixed = f"{LONG} but my own story began on another stair with another kettle"
    assert 0.2 < teller_share(mixed, shingles(LONG)) < 0.8


def test_four_words_shared_by_chance_are_still_the_tellers() -> None:
    assert teller_share("it was the winter I left", shingles(LONG)) == 1.0


def test_a_paste_is_known_whatever_its_case_and_marks() -> None:
    assert teller_share(LONG.upper().replace(" and", ", and"), shingles(LONG)) == 0.0


@pytest.mark.parametrize("text", ["", "   ", "🎉🎉", "?!...", "\u200b\u200d", "___"])
def test_emoji_marks_and_invisible_characters_are_no_words(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize("text", ["a", "no", "¿qué?", "مرحبا", "你好", "🎉 party"])
def test_words_are_words_in_any_script(text: str) -> None:
    assert has_words(text)


def test_nulls_and_direction_overrides_are_taken_out() -> None:
    assert cleaned("a\x00b\u202ec\u2066d\ufeff") == "abcd"
    assert cleaned("one\r\ntwo\rthree") == "one\ntwo\nthree"


def test_line_breaks_tabs_and_joined_emoji_stay() -> None:
    family = "👩\u200d👩\u200d👧"
    assert cleaned(f"a\tb\nc {family} שלום") == f"a\tb\nc {family} שלום"


def test_halves_of_a_character_are_joined_or_dropped() -> None:
    assert cleaned("a\ud83d\ude00b") == "a😀b"
    assert cleaned("a\ud83db\ude00") == "ab"


@given(st.text())
def test_cleaning_twice_changes_nothing_more_and_keeps_every_letter(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once

    def letters(s: str) -> list[str]:
        return [c for c in s if unicodedata.category(c)[0] in "LNS"]

    assert letters(once) == letters(text)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("My hand went up.", "My hand\nwent up."),
        ("  “my HAND  went up”", "My hand\nwent up"),
        ("don't you", "Don’t you"),
        ("went up. “Don't you dare,” she said", "went up. “Don’t you dare,” she said"),
        ('"don\'t you dare,"', "“Don’t you dare,”"),
        ("hand went down", None),
        ("y hand", None),
        ("…", None),
        ("", None),
        (".*", None),
    ],
)
def test_a_passage_is_found_as_it_stands_or_not_at_all(wanted: str, found: str | None) -> None:
    story = "My hand\nwent up. “Don’t you dare,” she said."
    assert verbatim(wanted, story) == found

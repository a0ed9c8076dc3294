"""Any text a person can type is written harmlessly and comes back letter for letter."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.harmless import as_it_was, cell, from_cell, from_markdown, markdown, visible

ODD = st.text(
    st.sampled_from("=+-@'\\u001b\t\r\n \u00a0ab01.)*_<>&#`[]|~$;,\"\x00\x1b\u2028\ud83d＝＠")
) | st.text(st.characters(exclude_categories=()))

ORDERS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "'=1", "''", "'"]


@given(ODD)
def test_visible_text_comes_back(text: str) -> None:
    assert as_it_was(visible(text)) == text


@given(ODD)
def test_visible_text_holds_no_control_character_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if (ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160]
    assert shown.encode().decode() == shown
    assert visible("a\\u001b") == "a\\u005cu001b"


@given(ODD)
def test_a_cell_comes_back_through_csv(text: str) -> None:
    held = io.StringIO(newline="")
    csv.writer(held).writerow([cell(text)])
    held.seek(0)
    (row,) = csv.reader(held)
    assert from_cell(row[0]) == text


@pytest.mark.parametrize("text", ORDERS)
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert cell(text).startswith(("'", "\\"))
    assert from_cell(cell(text)) == text


@given(ODD)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    assert not cell(text).strip().startswith(("=", "+", "-", "@"))


@given(ODD)
def test_markdown_comes_back(text: str) -> None:
    assert from_markdown(markdown(text)) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("# Title", "> \\# Title"),
        ("<b>bold</b>", "> \\<b\\>bold\\</b\\>"),
        ("- one\n- two", "> \\- one\\\n> \\- two"),
        ("1. first", "> 1\\. first"),
        ("a\n\nb", "> a\n>\n> b"),
        ("We stay.", "> We stay."),
        ("[x](y)", "> \\[x\\](y)"),
    ],
)
def test_markup_in_a_story_shows_as_typed(text: str, written: str) -> None:
    assert markdown(text) == written

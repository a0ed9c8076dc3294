"""HTML becomes text and entities exactly as Telegram reads it."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import MessageEntity
from telegram.helpers import mention_html

from bot.console.markup import (
    MarkupError,
    commands,
    parse_html,
    plain,
    split_as_clients_do,
    utf16_length,
)

words = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u030a\u0333\u033f"),
        st.sampled_from("<>&\"'/=#; \n🙂👩‍🔧é"),
    )
).filter(lambda text: not any("\u2028" <= c <= "\u202e" for c in text))


@given(words)
def test_escaped_text_comes_back_as_exactly_that_text(text: str) -> None:
    assert parse_html(html.escape(text)) == (text.strip(" \n"), [])
    assert parse_html(html.escape(text, quote=False)) == (text.strip(" \n"), [])
    assert plain(text) == (text.strip(" \n"), [])


@given(words, words, words)
def test_an_entity_covers_its_words_in_utf16_units(before: str, inside: str, after: str) -> None:
    source = f"[{html.escape(before)}<b>({html.escape(inside)})</b>{html.escape(after)}]"
    text, entities = parse_html(source)
    assert text == f"[{before}({inside}){after}]"
    assert [e["type"] for e in entities] == ["bold"]
    entity = MessageEntity("bold", entities[0]["offset"], entities[0]["length"])
    raw = text.encode("utf-16-le")
    cut = raw[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le")
    assert cut == f"({inside})"


@given(st.text("<>/abi &;\"'=#x1\n🙂"))
def test_any_source_is_read_or_refused_in_words(source: str) -> None:
    try:
        text, entities = parse_html(source)
    except MarkupError as refused:
        assert str(refused)
    else:
        units = utf16_length(text)
        assert all(e["offset"] >= 0 and e["offset"] + e["length"] <= units for e in entities)


def test_ptbs_mention_becomes_a_link() -> None:
    text, entities = parse_html(mention_html(5, "Rosa <3"))
    assert text == "Rosa <3"
    assert entities == [
        {"type": "text_link", "offset": 0, "length": 7, "url": "tg://user?id=5"},
    ]


@pytest.mark.parametrize(
    ("source", "refusal"),
    [
        ("&#57311;", "Text contains invalid Unicode characters after decoding HTML entities, "
         "check for unmatched surrogate code units"),
        ("🏟 🏟&lt;<abacaba", "Unclosed start tag at byte offset 13"),
        ("🏟 🏟&lt;<abac aba>", 'Unsupported start tag "abac" at byte offset 13'),
        ("🏟 🏟&lt;<i   =aba>", 'Empty attribute name in the tag "i" at byte offset 13'),
        ("🏟 🏟&lt;<i    aba>", 'Can\'t find end tag corresponding to start tag "i"'),
        ("🏟 🏟&lt;<i    aba  =  ", 'Unclosed start tag "i" at byte offset 13'),
        ("🏟 🏟&lt;<i    aba  =  190azAz-.,", "Unexpected end of name token at byte offset 27"),
        ('🏟 🏟&lt;<i    aba  =  "&lt;&gt;&quot;>', "Unclosed start tag at byte offset 13"),
        ("🏟 🏟&lt;</", "Unexpected end tag at byte offset 13"),
        ("🏟 🏟&lt;<b></b></", "Unexpected end tag at byte offset 20"),
        ("🏟 🏟&lt;<i>a</i   ", "Unclosed end tag at byte offset 17"),
        ("🏟 🏟&lt;<i>a</em   >",
         'Unmatched end tag at byte offset 17, expected "</i>", found "</em>"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("1 < 2 >", 'Unsupported start tag "" at byte offset 2'),
    ],
)  # fmt: skip
def test_bad_markup_is_refused_in_telegrams_words(source: str, refusal: str) -> None:
    with pytest.raises(MarkupError) as refused:
        parse_html(source)
    assert str(refused.value) == refusal


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("&ge;&lt;&gt;&amp;&quot;&#12345678;", '&ge;<>&"&#12345678;', []),
        ("➡️ ➡️<em>➡️ ➡️</em>", "➡️ ➡️➡️ ➡️", [("italic", 5, 5)]),
        ("🏟 🏟<i>🏟 &gt;<b aba   =   caba>&lt🏟</b></i>", "🏟 🏟🏟 ><🏟",
         [("italic", 5, 7), ("bold", 9, 3)]),
        ("🏟 🏟&lt;<i>a</>", "🏟 🏟<a", [("italic", 6, 1)]),
        ("🏟 🏟&lt;<b></b>", "🏟 🏟<", []),
        ("a<tg-spoiler>b</tg-spoiler>", "ab", [("spoiler", 1, 1)]),
        ("<pre><code class='language-fift'>x</code></pre>", "x", [("pre", 0, 1)]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", 0, 1)]),
        ("<b> x </b> ", "x", [("bold", 0, 1)]),
    ],
)  # fmt: skip
def test_markup_becomes_what_telegram_shows(
    source: str, text: str, entities: list[tuple[str, int, int]]
) -> None:
    shown, found = parse_html(source)
    assert shown == text
    assert [(e["type"], e["offset"], e["length"]) for e in found] == entities


@given(st.text(st.sampled_from("ab. \n🙂"), max_size=400), st.integers(20, 60))
def test_split_text_loses_no_visible_character(text: str, limit: int) -> None:
    pieces = split_as_clients_do(text, limit)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < utf16_length(piece) <= limit for piece in pieces)


def test_text_is_cut_at_4096_units_and_better_at_a_line_end() -> None:
    assert [utf16_length(p) for p in split_as_clients_do("🙂" * 5000)] == [4096, 4096, 1808]
    assert [len(p) for p in split_as_clients_do("a" * 3000 + "\n" + "b c " * 500)] == [3000, 1999]


def test_control_characters_vanish_as_on_sending() -> None:
    assert plain("a\0b\rc\x07d\u202ee") == ("abc de", [])


def test_commands_are_found_in_typed_text() -> None:
    assert commands("🙂 /start@story_coach_bot now, not a/b or http://x/y") == [
        {"type": "bot_command", "offset": 3, "length": 22}
    ]

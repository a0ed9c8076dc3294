"""Identities stay on the machine, and come back letter for letter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.care import Span, SpanKind
from bot.core.masking import has_placeholder, masked


def spans(text: str, *passages: tuple[str, SpanKind]) -> list[Span]:
    return [Span(p, kind, text.find(p)) for p, kind in passages]


def test_names_and_numbers_do_not_leave() -> None:
    text = "Call Rosa Pérez at 555 0100. rosa pérez lives at 12 Hill Road. I am Ana."
    out = masked(
        text,
        spans(
            text,
            ("Rosa Pérez", SpanKind.FULL_NAME_THIRD_PARTY),
            ("555 0100", SpanKind.PHONE),
            ("12 Hill Road", SpanKind.ADDRESS),
        ),
        ["Ana Gil"],
    )
    for identity in ("Rosa", "rosa", "555", "Hill", "Ana"):
        assert identity not in out.text
    assert out.text.startswith("Call [name 1] at [phone 2].")
    assert out.unmasked(out.text) == text


def test_a_name_inside_a_word_is_left_alone() -> None:
    assert masked("Anaheim and Ana.", [], ["Ana"]).text == "Anaheim and [name 1]."


def test_a_placeholder_somebody_typed_is_only_what_they_typed() -> None:
    text = "Rosa Pérez said [name 1] and [name 7]."
    out = masked(text, spans(text, ("Rosa Pérez", SpanKind.FULL_NAME_THIRD_PARTY)))
    assert "Rosa" not in out.text
    assert out.unmasked(out.text) == text
    assert out.unmasked("[name 9]") == "[name 9]" and has_placeholder("[name 9]")


PIECES = st.lists(
    st.sampled_from(["Rosa", "Rosa Pérez", "555 0100", "[name 1]", "[phone 2]", " ", ". ", "é"])
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(text=PIECES, kind=st.sampled_from(SpanKind))
def test_whatever_is_taken_out_can_be_put_back(text: str, kind: SpanKind) -> None:
    found = [Span(p, kind, text.find(p)) for p in ("Rosa Pérez", "555 0100") if p in text]
    out = masked(text, found, ["Rosa"])
    assert out.unmasked(out.text) == text

"""Passages that identify others are found verbatim; public life and the teller's own are left."""

from __future__ import annotations

import time
from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.care import Span, SpanKind
from bot.screening.labelled import privacy_messages
from bot.screening.report import f1, naive_spans, span_counts
from bot.screening.screener import EmbeddedScreener, find_spans


def kinds(text: str) -> list[SpanKind]:
    return [s.kind for s in find_spans(text)]


def total(held_back: bool, naive: bool = False) -> float:
    messages = [m for m in privacy_messages() if m.held_back is held_back]
    counts = span_counts(messages, naive_spans if naive else find_spans)
    return f1(*(sum(column) for column in zip(*counts.values(), strict=True)))


def test_held_back_passages_are_found_well_and_better_than_by_plain_patterns() -> None:
    assert total(held_back=True) >= 0.9
    assert total(held_back=True) > total(held_back=True, naive=True)


@pytest.mark.parametrize("region", ["US", "GB", "ES", "MX", "AR", "CO", "CL", "PE", "BR", "PT"])
def test_phone_numbers_of_many_countries_are_found(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert number
    form = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    written = phonenumbers.format_number(number, form)
    assert Span(written, SpanKind.PHONE, 8) in find_spans(f"Call me {written} please")


@pytest.mark.parametrize(
    "text",
    [
        "The 14 bus ran every 20 minutes from 1998 to 2005 and cost $1,234,567.",
        "On 12/05/2021 we were 45 families on the 3rd floor.",
        "Mayor Janet Ruiz met us at Lincoln Elementary School.",
        "El alcalde Rafael López vino a la calle Benito Juárez.",
        "My name is Rosa Delgado and I have diabetes.",
        "Me llamo Ana López, soy diabética y no tengo papeles.",
        "Rosa and Luis brought soup.",
        "40 percent of residents have asthma.",
        "Martin Luther King marched here.",
        "Meet us at the library, 200 Oak Street.",
    ],
)
def test_public_life_numbers_and_the_tellers_own_are_not_flagged(text: str) -> None:
    assert find_spans(text) == ()


@pytest.mark.parametrize(
    "hidden", ["ana at gmail dot com", "ana arroba gmail punto com", "ana [at] casa [dot] org"]
)
def test_disguised_mailboxes_are_found(hidden: str) -> None:
    assert Span(hidden, SpanKind.EMAIL, 9) in find_spans(f"Write to {hidden}")


def test_identity_numbers_need_their_check_letter_or_digits() -> None:
    assert kinds("12345678Z") == [SpanKind.ID_NUMBER]
    assert kinds("12345678A") == []
    assert kinds("52998224725") == [SpanKind.ID_NUMBER]
    assert SpanKind.ID_NUMBER not in kinds("52998224726")


def test_a_child_named_with_the_school_is_one_passage() -> None:
    text = "My son Mateo is in third grade at Lincoln Elementary."
    expected = "Mateo is in third grade at Lincoln Elementary"
    assert [(s.text, s.kind) for s in find_spans(text)] == [(expected, SpanKind.MINOR_IDENTITY)]


def test_anothers_illness_and_papers_are_found_in_three_languages() -> None:
    assert kinds("My neighbour Rosa has HIV.") == [SpanKind.HEALTH_THIRD_PARTY]
    assert kinds("Mi prima está embarazada.") == [SpanKind.HEALTH_THIRD_PARTY]
    assert kinds("O Pierre não tem documentos.") == [SpanKind.IMMIGRATION_THIRD_PARTY]
    assert kinds("Luis has no papers.") == [SpanKind.IMMIGRATION_THIRD_PARTY]


def test_a_name_typed_without_capitals_is_found() -> None:
    assert kinds("my landlord john whitaker came") == [SpanKind.FULL_NAME_THIRD_PARTY]


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                "Rosa Delgado",
                "has HIV",
                "@x.y",
                "415-555-0132",
                "calle",
                "24",
                "at",
                "\u200b",
                "İ",
                "ﬁ",
            ]
        )
    ).map(" ".join)
)
def test_any_text_is_screened_and_every_span_is_verbatim(text: str) -> None:
    spans = find_spans(text)
    assert all(text[s.start : s.start + len(s.text)] == s.text != "" for s in spans)
    for kind in SpanKind:
        ends = [(s.start, s.start + len(s.text)) for s in spans if s.kind is kind]
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
    EmbeddedScreener(None).judge(text)


@pytest.mark.parametrize(
    "piece",
    ["a ", "Rosa ", "1-", "@", "5.", "a.", "d.e", "1234567 ", "555-0132, ", "my son ", "Rosa has "],
)
def test_a_huge_message_is_screened_well_under_a_second(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    find_spans(text[:100])
    began = time.process_time()
    find_spans(text)
    assert time.process_time() - began < 1


def test_screening_time_grows_no_faster_than_the_text() -> None:
    def seconds(text: str) -> float:
        began = time.process_time()
        find_spans(text)
        return time.process_time() - began

    for piece in ("1-", "5.", "a.", "+1 415 555 0132 ", "she said "):
        text = (piece * 20_000)[:20_000]
        find_spans(text)
        short, whole = (min(seconds(t) for _ in range(3)) for t in (text[:5_000], text))
        assert whole < 10 * short + 0.02, piece


def test_a_number_in_a_list_of_numbers_is_found() -> None:
    spans = find_spans("Call 415-555-0132, 415-555-0199\nor (212) 555-0171 / 212-555-0180.")
    assert [s.text for s in spans if s.kind is SpanKind.PHONE] == [
        "415-555-0132",
        "415-555-0199",
        "(212) 555-0171",
        "212-555-0180",
    ]


def test_a_ninety_word_message_takes_little_time_without_an_embedder() -> None:
    text = ("My cousin told the mayor that the 14 bus never came to our street in winter. " * 6)[
        :480
    ]
    alone = EmbeddedScreener(None)
    alone.screen(text)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        alone.screen(text)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.04

"""The figures are counted as the README says."""

from __future__ import annotations

import pytest

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Status, StoryOf
from bot.reading.labelled import LabelledTelling
from bot.reading.measures import always_present, by_length, figures, following_of

P, W, M = Status.PRESENT, Status.WEAK, Status.MISSING


def us(*statuses: Status, text: str = "words") -> LabelledTelling:
    labels = dict(zip(ORDER_OF_CARE[StoryOf.US], statuses, strict=True))
    return LabelledTelling(
        "id", "en", StoryOf.US, "a", "t", "plain", text, labels, {}, (),
        following_of(StoryOf.US, labels),
    )  # fmt: skip


def test_perfect_hearing_scores_one_everywhere() -> None:
    tellings = [us(P, W, M, P), us(M, M, P, W)]
    found = figures(tellings, [t.labels for t in tellings], [t.next for t in tellings])
    assert (found.macro_f1, found.exact, found.following) == (1.0, 1.0, 1.0)


def test_weak_heard_as_present_is_there_but_not_exact() -> None:
    tellings = [us(W, W, W, W), us(M, M, M, M)]
    heard = [us(P, P, P, P).labels, us(M, M, M, M).labels]
    found = figures(tellings, heard, [t.next for t in tellings])
    assert found.macro_f1 == 1.0
    assert found.exact == 0.5


def test_macro_f1_is_the_mean_of_there_and_missing() -> None:
    tellings = [us(P, P, P, P), us(P, P, P, P), us(M, M, M, M), us(M, M, M, M)]
    heard = [t.labels for t in (us(P, P, P, P), us(M, P, P, P), us(M, M, M, M), us(M, M, M, M))]
    found = figures(tellings, heard, [None] * 4)
    there, missing = 2 * 1 / (2 * 1 + 1), 2 * 2 / (2 * 2 + 1)
    assert found.by_element[Element.US_WHO] == pytest.approx((there + missing) / 2)
    assert found.macro_f1 == pytest.approx((3 + (there + missing) / 2) / 4)


def test_the_next_element_is_counted_by_telling() -> None:
    tellings = [us(P, P, P, P), us(M, P, P, P)]
    found = figures(tellings, [t.labels for t in tellings], [None, Element.US_OUTCOME])
    assert found.following == 0.5


def test_the_next_element_follows_the_order_of_care_and_its_exceptions() -> None:
    labels = us(W, M, P, P).labels
    assert following_of(StoryOf.US, labels) is Element.US_WHO
    assert following_of(StoryOf.US, labels, [FailureMode.US_TRAITS]) is Element.US_CHOICE


def test_the_baselines_need_no_reading() -> None:
    assert set(always_present(us(M, M, M, M)).values()) == {P}
    lengths = {n: set(by_length(us(P, P, P, P, text="word " * n)).values()) for n in (5, 40, 80)}
    assert lengths == {5: {M}, 40: {W}, 80: {P}}

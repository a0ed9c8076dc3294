"""How well a reader hears: the figures of the README, computed one way everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.reading.labelled import LabelledTelling

ELEMENTS: tuple[Element, ...] = tuple(e for stage in StoryOf for e in ORDER_OF_CARE[stage])
"""The fifteen elements of the three stories, in the order of care."""

Labels = Mapping[Element, Status]


@dataclass(frozen=True)
class Figures:
    """Figures from 0 to 1 over `tellings` drafts.

    `there` is present or weak. `by_element` gives the mean of F1 of *there* and F1 of *missing*;
    a side that nobody labelled and nobody guessed is left out. `macro_f1` is the mean over the
    elements seen. `exact` is the share of (telling, element) pairs with the same three-way
    status, `following` the share with the same next element.
    """

    tellings: int
    macro_f1: float
    exact: float
    following: float
    by_element: Mapping[Element, float] = field(default_factory=dict)
    exact_by_element: Mapping[Element, float] = field(default_factory=dict)
    counts: Mapping[Element, Counter[tuple[Status, Status]]] = field(default_factory=dict)


def figures(
    tellings: Sequence[LabelledTelling],
    heard: Sequence[Labels],
    following: Sequence[Element | None],
) -> Figures:
    """Compare what was `heard` (and would be asked, `following`) with the labels, in order."""
    counts: dict[Element, Counter[tuple[Status, Status]]] = {e: Counter() for e in ELEMENTS}
    for telling, labels in zip(tellings, heard, strict=True):
        for element, truth in telling.labels.items():
            counts[element][truth, labels[element]] += 1
    seen = {e: c for e, c in counts.items() if c}
    by_element = {e: _mean_f1(c) for e, c in seen.items()}
    exact = {e: sum(n for (a, b), n in c.items() if a is b) / c.total() for e, c in seen.items()}
    pairs = sum(c.total() for c in seen.values())
    same = sum(n for c in seen.values() for (a, b), n in c.items() if a is b)
    agreed = sum(t.next is f for t, f in zip(tellings, following, strict=True))
    return Figures(
        len(tellings),
        _mean(by_element.values()),
        same / pairs if pairs else 0.0,
        agreed / len(tellings) if tellings else 0.0,
        by_element,
        exact,
        seen,
    )


def _mean_f1(counts: Counter[tuple[Status, Status]]) -> float:
    there = Counter[tuple[bool, bool]]()
    for (truth, guess), n in counts.items():
        there[truth is not Status.MISSING, guess is not Status.MISSING] += n
    wrong = there[True, False] + there[False, True]
    sides = [(2 * hit, 2 * hit + wrong) for hit in (there[True, True], there[False, False])]
    return _mean(top / bottom for top, bottom in sides if bottom)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def following_of(
    stage: StoryOf, labels: Labels, modes: Iterable[FailureMode] = ()
) -> Element | None:
    """The element the core would ask about after hearing `labels` and `modes`."""
    return Reading(stage, labels, modes=tuple(modes)).next_element()


def always_present(telling: LabelledTelling) -> dict[Element, Status]:
    """A naive baseline: everything is present."""
    return dict.fromkeys(telling.labels, Status.PRESENT)


def by_length(telling: LabelledTelling) -> dict[Element, Status]:
    """A naive baseline: long drafts (60 words) are present, short (30 words) missing, else weak."""
    words = len(telling.text.split())
    status = Status.PRESENT if words >= 60 else Status.WEAK if words >= 30 else Status.MISSING
    return dict.fromkeys(telling.labels, status)

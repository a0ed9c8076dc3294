"""Stories as data: patterns in what tellers and named people said, with small numbers hidden.

Only stories whose tellers let them be counted. A label counts when the teller or a named person
asserted it; what a program guessed never does. Stories are self-selected: these are patterns, not
prevalence. Source: public-narrative, "Story-as-data fields".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.core.library import PLACE_TYPES, Label, LabelKind, safe_total, suppressed, value_words
from bot.core.narrative import StoryOf

STAFF_SMALLEST, PUBLIC_SMALLEST = 5, 10
"""The smallest number of stories shown, to staff and to everybody."""

MOST_BARS = 25
"""Bars of a chart; a longer list is told in its table only."""


@dataclass(frozen=True)
class ReportStory:
    """What a report may know about one story: labels and answers, no text of the story."""

    release_id: str
    language: str
    stages: tuple[StoryOf, ...]
    is_approved: bool
    has_commitment: bool
    answers: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of a chart. `number` is None where it is suppressed."""

    label: str
    number: int | None


@dataclass(frozen=True)
class Chart:
    """One figure: a name for its files, rows largest first, and how many labels are not shown.

    `is_open` marks free words, whose rare ones are left out altogether: the word itself could
    point to somebody. `total` is None when it would give a hidden number away.
    """

    name: str
    rows: tuple[Row, ...]
    total: int | None
    hidden: int = 0
    is_open: bool = False


@dataclass(frozen=True)
class Report:
    """Every chart, whom it is for, and what is absent."""

    is_public: bool
    smallest: int
    stories: int | None
    charts: tuple[Chart, ...]
    absent: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()


@dataclass
class Tally:
    """Counts stories one by one; holds labels and numbers, never a story."""

    stories: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, story: ReportStory) -> None:
        """Count one story."""
        self.stories += 1
        self._count("languages", story.language)
        for stage in story.stages:
            self._count("parts", stage.value)
        self._count("commitments", "made" if story.has_commitment else "not_made")
        kept = story.answers.get("commitment_kept")
        if kept:
            self._count("commitments_kept", kept)
        for name, kind in _LABELLED.items():
            values: set[str] = {x.value for x in story.labels if x.kind is kind}
            answers = (story.answers.get(f) for f in _ANSWERED.get(name, ()))
            values |= {words for told in answers if told for words in value_words(told)}
            for value in values:
                self._count(name, value)
        self._count("conflict", _conflict(story.answers.get("conflict")))
        for field_name in ("feeling", "source", "commonness"):
            answer = story.answers.get(field_name, "")
            if answer in _OFFERED[field_name]:
                self._count(field_name, answer)
            elif answer:
                self._count(field_name, "own_words")

    def returned(self, reason: str, themes: Iterable[str]) -> None:
        """Count one return by reason and theme."""
        self._count("returns_by_reason", reason)
        for theme in themes:
            self._count("returns_by_theme", theme)

    def decided(self, act: str) -> None:
        """Count one decision, so that a share of returns can be told."""
        self._count("decisions", act)

    def moved(self, movement: Mapping[str, int]) -> None:
        """Take over how many told, retold, listened and led; recorded by the people themselves."""
        self.counts["movement"] = Counter(movement)

    def _count(self, chart: str, label: str) -> None:
        self.counts.setdefault(chart, Counter())[label] += 1

    def report(self, *, is_public: bool) -> Report:
        """Every chart, small numbers hidden for its readers."""
        smallest = PUBLIC_SMALLEST if is_public else STAFF_SMALLEST
        charts = [
            _chart(name, self.counts[name], smallest)
            for name in CHARTS
            if self.counts.get(name) and not (is_public and name in _STAFF_ONLY)
        ]
        return Report(
            is_public,
            smallest,
            None if 0 < self.stories < smallest else self.stories,
            tuple(charts),
            tuple(self._absent()),
            tuple(name for name in ("commitments_kept", "movement") if name not in self.counts),
        )

    def _absent(self) -> list[tuple[str, str]]:
        """Kinds of story and place of which there is none at all."""
        told: Counter[str] = Counter()
        if not self.stories:
            return []
        parts, places = self.counts.get("parts", told), self.counts.get("places", told)
        absent = [("parts", s.value) for s in StoryOf if s.value not in parts]
        return absent + [("places", p) for p in PLACE_TYPES if p not in places]


CHARTS = (
    "themes", "values", "needs", "helped", "hindered", "conflict", "feeling", "source",
    "commonness", "commitments", "commitments_kept", "movement", "languages", "parts", "places",
    "decisions", "returns_by_reason", "returns_by_theme",
)  # fmt: skip
"""Every chart there may be, in the order of the page."""

_STAFF_ONLY = {"decisions", "returns_by_reason", "returns_by_theme"}

_LABELLED: Mapping[str, LabelKind] = {
    "themes": LabelKind.THEME,
    "values": LabelKind.VALUE,
    "needs": LabelKind.NEED,
    "helped": LabelKind.HELPED,
    "hindered": LabelKind.HINDERED,
    "places": LabelKind.PLACE,
}
_ANSWERED: Mapping[str, Sequence[str]] = {
    "values": ("value_words",),
    "needs": ("needed",),
    "helped": ("helped",),
    "hindered": ("hindered",),
}
_OFFERED: Mapping[str, Sequence[str]] = {
    "feeling": ("hope", "anger", "sadness", "pride", "worry"),
    "source": ("lived", "witnessed", "heard"),
    "commonness": ("rare", "sometimes", "often"),
}
_OPEN = {"themes", "values", "needs", "helped", "hindered", "returns_by_theme"}


def _conflict(answer: str | None) -> str:
    """Named, not named or not said: own words about it name it."""
    if not answer:
        return "not_said"
    return "not_named" if answer == "none" else "named"


def _chart(name: str, counts: Mapping[str, int], smallest: int) -> Chart:
    if name in _OPEN:
        shown = {label: n for label, n in counts.items() if n >= smallest}
        rows = [Row(label, n) for label, n in shown.items()]
        hidden, total = len(counts) - len(shown), None
    else:
        rows = [Row(label, n) for label, n in suppressed(counts, smallest).items()]
        hidden, total = 0, safe_total(counts, smallest)
    rows.sort(key=lambda row: (-(row.number or 0), row.label))
    return Chart(name, tuple(rows), total, hidden, name in _OPEN)

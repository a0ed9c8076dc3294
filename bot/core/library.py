"""The library: approved stories, what may be done with each, and which export may hold it.

A story may be used only while its live release covers the use and an approval is bound to the
hash of exactly that text. Nothing here trusts a copy: every rule is asked again when used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.consent import Purpose, Release, text_hash
from bot.core.narrative import StoryOf
from bot.core.quoting import quotation
from bot.core.review import Refusal, ReviewRefused

ASK_BEFORE = timedelta(days=30)
"""How long before a release ends its teller is asked whether to go on."""

MAY_SEND = 50 * 1024 * 1024
"""Bytes of the largest file Telegram lets a bot send."""


class Profile(StrEnum):
    """Whom an export is for."""

    PUBLIC = "public"
    PARTNER = "partner"
    INTERNAL = "internal"

    @property
    def purpose(self) -> Purpose:
        """The one use a release must permit. No use stands in for another."""
        return _PURPOSES[self]

    @property
    def smallest(self) -> int:
        """The smallest number shown in a table for these readers; less is suppressed."""
        return 10 if self is Profile.PUBLIC else 5


_PURPOSES = {
    Profile.PUBLIC: Purpose.PUBLIC_LIBRARY,
    Profile.PARTNER: Purpose.PARTNER_LIBRARY,
    Profile.INTERNAL: Purpose.ORGANIZERS,
}


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    DOCX = "docx"
    CARDS = "cards"


class LabelKind(StrEnum):
    """What a label says about a story."""

    THEME = "theme"
    PLACE = "place"
    VALUE = "value"
    NEED = "need"
    HELPED = "helped"
    HINDERED = "hindered"


PLACE_TYPES = ("city", "town", "village", "suburb", "rural")
"""Kinds of place, coarse on purpose."""

LONGEST_LABEL = 60


@dataclass(frozen=True)
class Label:
    """Something said about a story by somebody: `asserted_by` is "teller" or a person's hash.

    What a program guesses is never a label.
    """

    kind: LabelKind
    value: str
    asserted_by: str


def label(kind: str, value: str, asserted_by: str) -> Label:
    """A label, checked and folded so that the same words count together.

    A value word stays as it was told, in its own language. Raises ReviewRefused.
    """
    words = " ".join(unicodedata.normalize("NFC", value).split())
    try:
        made = Label(LabelKind(kind), words, asserted_by)
    except ValueError:
        raise ReviewRefused(Refusal.BAD_LABEL) from None
    if not words or len(words) > LONGEST_LABEL or _CONTROL.search(words):
        raise ReviewRefused(Refusal.BAD_LABEL)
    if made.kind is LabelKind.VALUE:
        return made
    if made.kind is LabelKind.PLACE and words.casefold() not in PLACE_TYPES:
        raise ReviewRefused(Refusal.BAD_LABEL)
    return Label(made.kind, words.casefold(), asserted_by)


def value_words(told: str) -> tuple[str, ...]:
    """Each of the value words somebody named in one answer, as told; longer phrases stay whole."""
    words = (" ".join(piece.split()) for piece in re.split(r"[,;\n]", told))
    return tuple(dict.fromkeys(w for w in words if w))


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class LibraryEntry:
    """One approved story as read from the store a moment ago, with what its rules need.

    `whole` is the text as the story stands now, which must still be the released one. No identity:
    `release.name` is the name the teller chose to show, if any.
    """

    story_id: str
    release: Release
    approved_sha256: str
    approved_at: datetime
    whole: str
    story_language: str
    stages: tuple[StoryOf, ...]
    labels: tuple[Label, ...] = ()
    kept_passages: int = 0

    def permits(self, purpose: Purpose, now: datetime) -> bool:
        """True when exactly this text may be used for `purpose` at `now`."""
        return (
            self.release.permits(purpose, self.whole, now)
            and self.approved_sha256 == self.release.text_sha256
            and text_hash(self.release.text) == self.release.text_sha256
        )

    @property
    def title(self) -> str:
        """How the released text begins; a title the teller gave was not released with it."""
        return quotation(self.release.text.strip().partition("\n")[0], 9)

    def labelled(self, kind: LabelKind) -> tuple[str, ...]:
        """Values of one kind, in order."""
        return tuple(sorted({x.value for x in self.labels if x.kind is kind}))


@dataclass(frozen=True)
class Wanted:
    """What to look for in the library; what is left empty is not asked.

    Days are inclusive, by the day of release in UTC.
    """

    theme: str = ""
    stage: StoryOf | None = None
    language: str = ""
    place: str = ""
    value: str = ""
    since: datetime | None = None
    until: datetime | None = None
    purpose: Purpose | None = None

    def accepts(self, entry: LibraryEntry) -> bool:
        """True when an entry is what was looked for."""
        released = entry.release.released_at
        return (
            _has(self.theme, entry.labelled(LabelKind.THEME))
            and _has(self.place, entry.labelled(LabelKind.PLACE))
            and _has(self.value, entry.labelled(LabelKind.VALUE))
            and (self.stage is None or self.stage in entry.stages)
            and self.language in ("", entry.story_language)
            and (self.since is None or released >= self.since)
            and (self.until is None or released < self.until)
            and (self.purpose is None or self.purpose in entry.release.purposes)
        )

    def plain(self) -> dict[str, str]:
        """What was asked, as words for a manifest."""
        said = {
            "theme": self.theme,
            "stage": self.stage.value if self.stage else "",
            "language": self.language,
            "place": self.place,
            "value": self.value,
            "since": f"{self.since:%Y-%m-%d}" if self.since else "",
            "until": f"{self.until - timedelta(days=1):%Y-%m-%d}" if self.until else "",
            "purpose": self.purpose.value if self.purpose else "",
        }
        return {name: value for name, value in said.items() if value}


def _has(wanted: str, values: Sequence[str]) -> bool:
    folded = wanted.strip().casefold()
    return not folded or any(value.casefold() == folded for value in values)


@dataclass(frozen=True)
class Place:
    """One place a story has been, for its teller: what happened, for whom, when.

    `what` is approved, exported, shown or ended; `profile` whom an export was for. In groups it is
    shared, or followed_ with a fate; `group` is the title of a group that organizers posted it in.
    """

    what: str
    at: datetime
    profile: str = ""
    group: str = ""


@dataclass(frozen=True)
class Coverage:
    """Whose stories there are and are not: counts by group of people, suppressed when small.

    `rows` are (what is counted by, its value, a number or None when it is not shown).
    """

    rows: tuple[tuple[str, str, int | None], ...] = ()
    notes: tuple[str, ...] = field(default=())


def suppressed(counts: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    """Counts with the small ones hidden, and one more where subtraction would find them out.

    Zero is shown: nobody can be recognised in it. A count from 1 to `smallest` - 1 becomes None.
    If what is hidden adds up to less than `smallest`, the least of the others goes with it, so
    that a total beside the table never gives a small number away; without another, a lone count
    stays hidden and its table must not print a total (see `safe_total`).
    """
    shown: dict[str, int | None] = {
        name: None if 0 < number < smallest else number for name, number in counts.items()
    }
    hidden = [name for name, number in shown.items() if number is None]
    if not hidden:
        return shown
    while len(hidden) < 2 or sum(counts[name] for name in hidden) < smallest:
        left = [name for name, number in shown.items() if number]
        if not left:
            break
        least = min(left, key=lambda name: (counts[name], name))
        shown[least] = None
        hidden.append(least)
    return shown


def safe_total(counts: Mapping[str, int], smallest: int) -> int | None:
    """The total to print beside `suppressed(counts)`; None when it would give a number away."""
    total = sum(counts.values())
    if 0 < total < smallest:
        return None
    hidden = [name for name, number in suppressed(counts, smallest).items() if number is None]
    if hidden and (len(hidden) < 2 or sum(counts[name] for name in hidden) < smallest):
        return None
    return total

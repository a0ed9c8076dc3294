"""A resident's story: verbatim tellings of each part, every version kept until erased."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.core.consent import (
    AgeBand,
    ModelConsent,
    Offer,
    Participation,
    Purpose,
    Release,
    text_hash,
)
from bot.core.narrative import FailureMode, StoryOf, speaking_seconds


class StoryStatus(StrEnum):
    """Where a story stands. SUBMITTED means released and waiting for staff."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"


class Origin(StrEnum):
    """How a telling came to be. Always the teller's typing; REMOVED drops a flagged passage."""

    TOLD = "told"
    RETOLD = "retold"
    EDITED = "edited"
    REMOVED = "removed"
    UNDONE = "undone"


@dataclass(frozen=True)
class Telling:
    """One version of one part, verbatim. `number` counts from 1 within the part."""

    number: int
    text: str
    origin: Origin
    told_at: datetime
    teller_share: float = 1.0


@dataclass
class Part:
    """One stage of a story: a one-line sketch, what is being typed now, and all versions.

    `pieces` are messages typed since the telling began, not yet closed by "that's it".
    """

    stage: StoryOf
    sketch: str | None = None
    pieces: list[str] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)

    @property
    def current(self) -> Telling | None:
        """The version the story stands on: the last one."""
        return self.tellings[-1] if self.tellings else None

    @property
    def text(self) -> str:
        """The current words, empty when the part was left out."""
        return self.current.text if self.current else ""

    def tell(self, text: str, origin: Origin, at: datetime, teller_share: float = 1.0) -> Telling:
        """Add a version and return it; earlier versions stay."""
        telling = Telling(len(self.tellings) + 1, text, origin, at, teller_share)
        self.tellings.append(telling)
        return telling


@dataclass(frozen=True)
class Commitment:
    """The story of now's yes: who does what, by when, where. Each in the teller's words."""

    who: str = ""
    what: str = ""
    when: str = ""
    where: str = ""


@dataclass(frozen=True)
class ReadingRecord:
    """A reading as kept: statuses by element name, no text."""

    stage: StoryOf
    telling: int
    statuses: Mapping[str, str]
    modes: tuple[FailureMode, ...]
    reader: str
    read_at: datetime


@dataclass
class Story:
    """One narrative by one resident. `interpretation` holds the teller's own answers by field."""

    id: str
    language: str
    begun_at: datetime
    status: StoryStatus = StoryStatus.DRAFT
    parts: dict[StoryOf, Part] = field(
        default_factory=lambda: {stage: Part(stage) for stage in StoryOf}
    )
    link: str | None = None
    commitment: Commitment | None = None
    listener: str | None = None
    interpretation: dict[str, str] = field(default_factory=dict)
    kept_passages: tuple[str, ...] = ()
    readings: list[ReadingRecord] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    submitted_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def whole(self) -> str:
        """The whole story as its teller typed it: self, us, now, link; a blank line between."""
        pieces = [self.parts[stage].text for stage in StoryOf]
        return "\n\n".join(p for p in [*pieces, self.link or ""] if p.strip())

    def has_words(self) -> bool:
        """True once any part has been told."""
        return any(part.tellings for part in self.parts.values())

    def is_begun(self) -> bool:
        """True once anything was typed into it, told or not."""
        return any(p.tellings or p.pieces or p.sketch for p in self.parts.values())

    def teller_share(self) -> float:
        """Share of the whole text's words that the teller typed, 0 to 1, weighted by length."""
        told = [p.current for p in self.parts.values() if p.current]
        total = sum(len(t.text) for t in told)
        return sum(t.teller_share * len(t.text) for t in told) / total if total else 1.0

    def speaking_seconds(self) -> int:
        """Seconds to tell the whole story aloud."""
        return speaking_seconds(self.whole())

    def live_release(self, now: datetime) -> Release | None:
        """The release in force for the text as it stands, if any."""
        digest = text_hash(self.whole())
        for release in reversed(self.releases):
            if release.is_live(now) and release.text_sha256 == digest:
                return release
        return None

    def live_offer(self, now: datetime) -> Offer | None:
        """What organizers may post now: words that still stand in the story, letter for letter."""
        for offer in reversed(self.offers):
            text = offer.release.text
            if offer.release.permits(Purpose.FOLLOW_UP, text, now) and text in self.whole():
                return offer
        return None

    def void_releases(self, now: datetime, because: str) -> bool:
        """End every live release; back to draft. True when one was live.

        An offer to organizers ends too, unless the releases only make room for another one.
        """
        live = [r for r in self.releases if r.ended_at is None]
        self.releases = [r.ended(now, because) for r in self.releases]
        if because != "replaced":
            live += [o.release for o in self.offers if o.release.ended_at is None]
            self.offers = [o.ended(now, because) for o in self.offers]
        if self.status is StoryStatus.SUBMITTED:
            self.status = StoryStatus.DRAFT
            self.submitted_at = None
        return bool(live)


@dataclass
class Resident:
    """A person being coached, known to stories only by an opaque id."""

    id: str
    joined_at: datetime
    last_seen_at: datetime
    language: str | None = None
    age_band: AgeBand | None = None
    participation: Participation | None = None
    model: ModelConsent | None = None

    def lets_model(self, at: str | None) -> bool:
        """Whether words may go to a model there: a grown-up's yes to exactly that place."""
        agreed = self.model is not None and self.model.agreed and self.model.at == at
        return agreed and self.age_band is AgeBand.ADULT and self.participation is not None


@dataclass(frozen=True)
class Identity:
    """Who a resident is on Telegram. Kept apart from every story."""

    telegram_id: int
    chat_id: int
    name: str = ""


@dataclass
class Session:
    """Where the conversation stands. `notes` is plain JSON: counters, ids, question keys.

    `turn` counts turns and marks buttons, so that a stale press is recognised. `version` guards
    against two writers: a save with an old version is refused.
    """

    step: str = "welcome"
    turn: int = 0
    version: int = 0
    story_id: str | None = None
    notes: dict[str, object] = field(default_factory=dict)


@dataclass
class Folder:
    """Everything held about one resident: what /mydata shows and /forget erases."""

    resident: Resident
    identity: Identity
    session: Session
    stories: list[Story] = field(default_factory=list)
    shown_examples: list[str] = field(default_factory=list)

    @property
    def story(self) -> Story | None:
        """The story being worked on."""
        return next((s for s in self.stories if s.id == self.session.story_id), None)

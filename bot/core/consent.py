"""What a resident has agreed to: taking part, and each release of an exact text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class AgeBand(StrEnum):
    """Asked once, before anything is kept. Under 18, a human organizer is needed to release."""

    UNDER_18 = "under_18"
    ADULT = "adult"


class Purpose(StrEnum):
    """A use a teller may permit. Each stands alone and starts off."""

    COACHING_EXAMPLES = "coaching_examples"
    PEER_COACH = "peer_coach"
    ORGANIZERS = "organizers"
    AGGREGATE_COUNTS = "aggregate_counts"
    PARTNER_LIBRARY = "partner_library"
    PUBLIC_LIBRARY = "public_library"
    PRESS = "press"
    EXCERPTS = "excerpts"
    TRANSLATION = "translation"
    MODEL_TRAINING = "model_training"
    GROUP_POST = "group_post"
    FOLLOW_UP = "follow_up"


class NameShown(StrEnum):
    """How the teller is named beside a released text."""

    FULL = "full"
    FIRST = "first"
    CHOSEN = "chosen"
    NONE = "none"


@dataclass(frozen=True)
class Participation:
    """Consent to take part: which wording, in which language, when."""

    wording: str
    language: str
    agreed_at: datetime


MODEL_WORDING = "2026-11"
"""Version of the wording in prompts/messages/*/model.yaml."""


@dataclass(frozen=True)
class ModelConsent:
    """A yes or no to a model beyond this machine: `at` is where, as the question named it.

    It holds for that place only; another place is asked about anew.
    """

    agreed: bool
    at: str
    wording: str
    language: str
    decided_at: datetime


@dataclass(frozen=True)
class Release:
    """Permission for exactly one text, for the named purposes.

    `text_sha256` is the hash of `text`; a release covers nothing else. `ended_at` is set when
    an edit voids it, the teller revokes it, it expires, or its one post in a group used it up.
    `teller_share` is the share of words the teller typed themselves, 0 to 1.
    """

    id: str
    text: str
    text_sha256: str
    purposes: frozenset[Purpose]
    name_shown: NameShown
    name: str
    wording: str
    language: str
    released_at: datetime
    expires_at: datetime
    teller_share: float = 1.0
    ended_at: datetime | None = None
    ended_because: str | None = None

    def is_live(self, now: datetime) -> bool:
        """True while the release permits anything at `now`."""
        return self.ended_at is None and now < self.expires_at and bool(self.purposes)

    def permits(self, purpose: Purpose, text: str, now: datetime) -> bool:
        """True when this exact `text` may be used for `purpose` at `now`."""
        return (
            self.is_live(now) and purpose in self.purposes and self.text_sha256 == text_hash(text)
        )

    def ended(self, now: datetime, because: str) -> Release:
        """The same release, ended.

        Because is `edited`, `revoked`, `withdrawn`, `replaced` or `posted`.
        """
        return self if self.ended_at else replace(self, ended_at=now, ended_because=because)


@dataclass(frozen=True)
class Offer:
    """A release for one use: organizers may post exactly its text in these groups, once in each.

    It stands apart from a story's other releases, so that nothing which lists those can find it.
    `prompt` is the id of the practice prompt that the story answers, `question` its words as they
    stand in the post; `groups` are opaque ids, each with the title its teller was shown.
    """

    release: Release
    prompt: str
    question: str
    groups: tuple[tuple[str, str], ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """The groups by name, as its teller read them."""
        return tuple(title for _, title in self.groups)

    def ended(self, now: datetime, because: str) -> Offer:
        """The same offer, ended; see Release."""
        return replace(self, release=self.release.ended(now, because))


def text_hash(text: str) -> str:
    """SHA-256 of the exact text, hexadecimal."""
    # Half a character, as broken clients send it, has a hash like any other text.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

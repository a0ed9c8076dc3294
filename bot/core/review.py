"""How staff answer for a released story: claimed by one, decided once, bound to the exact text.

Staff look at consent, safety and other people, never at tone, and never at whom a story
criticises. Source: public-narrative, "Review".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.consent import Release
from bot.core.narrative import Element, count_words
from bot.core.story import Story

CLAIM_LASTS = timedelta(minutes=30)
"""How long a claim keeps others away; then the story waits for anybody again."""

LONGEST_NOTE = 500
"""Characters of a note to the teller: one thing, kindly."""

SHORTEST_MARK, LONGEST_MARK = 4, 60
"""Words of a marked passage: enough to stand alone, little enough to be one move."""


class ReviewState(StrEnum):
    """Where a released text stands with staff."""

    WAITING = "waiting"
    APPROVED = "approved"
    RETURNED = "returned"
    HELD = "held"
    ESCALATED = "escalated"


class ReturnReason(StrEnum):
    """Why a story may go back to its teller. The list is closed.

    That a story criticises a partner or an institution is deliberately not here.
    """

    PERSON_RECOGNISABLE = "person_recognisable"
    CHILD_RECOGNISABLE = "child_recognisable"
    OTHERS_HEALTH_OR_PAPERS = "others_health_or_papers"
    CONTACT_DETAILS = "contact_details"
    ACCUSES_PRIVATE_PERSON = "accuses_private_person"
    TELLER_AT_RISK = "teller_at_risk"
    CONSENT_UNCLEAR = "consent_unclear"
    NOT_OWN_WORDS = "not_own_words"


class EscalateReason(StrEnum):
    """Whose consent is needed beside the teller's; a person has to ask for it."""

    COLLECTIVE = "collective_consent"
    MINOR = "minor_consent"


class Refusal(StrEnum):
    """Why an act of review was refused."""

    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    NOT_RELEASED = "not_released"
    TAKEN = "taken"
    NOT_CLAIMED = "not_claimed"
    DECIDED = "decided"
    ANOTHER_READER = "another_reader"
    OWN_STORY = "own_story"
    CHANGED = "changed"
    BAD_REASON = "bad_reason"
    NOTE_TOO_LONG = "note_too_long"
    NOTE_MISSING = "note_missing"
    NOT_VERBATIM = "not_verbatim"
    MARK_LENGTH = "mark_length"
    BAD_LABEL = "bad_label"
    NOTHING_TO_SECOND = "nothing_to_second"


_SENTENCES: Mapping[Refusal, str] = {
    Refusal.NOT_ALLOWED: "This needs a right that is not held; nothing was changed.",
    Refusal.NOT_FOUND: "There is no story with that id.",
    Refusal.NOT_RELEASED: "This story is not released, so there is nothing to review.",
    Refusal.TAKEN: "Somebody else is reading this story now; take another one.",
    Refusal.NOT_CLAIMED: "Claim the story first, or again: a claim lasts half an hour.",
    Refusal.DECIDED: "This text has been decided already.",
    Refusal.ANOTHER_READER: "The teller asked for a second reader, who has to be somebody else.",
    Refusal.OWN_STORY: "This is your own story; somebody else has to read it.",
    Refusal.CHANGED: "The story was changed or released anew meanwhile; read it again.",
    Refusal.BAD_REASON: "That is not a reason on the list.",
    Refusal.NOTE_TOO_LONG: f"A note has at most {LONGEST_NOTE} characters.",
    Refusal.NOTE_MISSING: "Say in a note what the teller could do.",
    Refusal.NOT_VERBATIM: "A marked passage has to stand in the story letter for letter.",
    Refusal.MARK_LENGTH: f"A marked passage has {SHORTEST_MARK} to {LONGEST_MARK} words.",
    Refusal.BAD_LABEL: "A label has a kind on the list and at most 60 characters.",
    Refusal.NOTHING_TO_SECOND: "There is no returned story to be read a second time.",
}


class ReviewRefused(Exception):
    """An act was refused and nothing changed; `why` is the fixed word, the message a sentence."""

    def __init__(self, why: Refusal) -> None:
        """One sentence for a person, one word for a program."""
        super().__init__(_SENTENCES[why])
        self.why = why


@dataclass(frozen=True)
class Submission:
    """What review knows about one release. People are hashes, never names.

    `not_by` is who decided before and may not be the second reader.
    """

    release_id: str
    story_id: str
    text_sha256: str
    state: ReviewState = ReviewState.WAITING
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    not_by: str | None = None

    def holder(self, now: datetime) -> str | None:
        """Who reads it at `now`; None once a claim has lapsed."""
        is_claimed = self.claimed_until is not None and now < self.claimed_until
        return self.claimed_by if is_claimed else None

    @property
    def is_open(self) -> bool:
        """True while somebody may still decide."""
        return self.state in (ReviewState.WAITING, ReviewState.HELD, ReviewState.ESCALATED)


def submission_of(story: Story, release: Release) -> Submission:
    """A release nobody has touched yet."""
    return Submission(release.id, story.id, release.text_sha256)


def claimed(submission: Submission, who: str, now: datetime) -> Submission:
    """The same, claimed by `who` until CLAIM_LASTS from now. Raises ReviewRefused."""
    if not submission.is_open:
        raise ReviewRefused(Refusal.DECIDED)
    if submission.not_by == who:
        raise ReviewRefused(Refusal.ANOTHER_READER)
    if submission.holder(now) not in (None, who):
        raise ReviewRefused(Refusal.TAKEN)
    return replace(submission, claimed_by=who, claimed_until=now + CLAIM_LASTS)


def let_go(submission: Submission, who: str, now: datetime) -> Submission:
    """The same, free for anybody. Raises ReviewRefused when somebody else holds it."""
    if submission.holder(now) not in (None, who):
        raise ReviewRefused(Refusal.TAKEN)
    return replace(submission, claimed_by=None, claimed_until=None)


def decided(
    submission: Submission, state: ReviewState, who: str, seen_sha256: str, now: datetime
) -> Submission:
    """The same, decided by who holds the claim, for the text they saw. Raises ReviewRefused."""
    if not submission.is_open:
        raise ReviewRefused(Refusal.DECIDED)
    if submission.text_sha256 != seen_sha256:
        raise ReviewRefused(Refusal.CHANGED)
    if submission.not_by == who:
        raise ReviewRefused(Refusal.ANOTHER_READER)
    if submission.holder(now) != who:
        raise ReviewRefused(
            Refusal.NOT_CLAIMED if submission.holder(now) is None else Refusal.TAKEN
        )
    return replace(
        submission,
        state=state,
        claimed_by=None,
        claimed_until=None,
        decided_by=who,
        decided_at=now,
    )


def seconded(submission: Submission) -> Submission:
    """A returned, held or escalated text waits again, for another pair of eyes.

    Raises ReviewRefused.
    """
    if submission.state not in (
        ReviewState.RETURNED,
        ReviewState.HELD,
        ReviewState.ESCALATED,
    ):
        raise ReviewRefused(Refusal.NOTHING_TO_SECOND)
    return replace(
        submission,
        state=ReviewState.WAITING,
        claimed_by=None,
        claimed_until=None,
        not_by=submission.decided_by,
    )


def checked_note(note: str, *, needed: bool) -> str:
    """A note to the teller, trimmed. Raises ReviewRefused."""
    trimmed = note.strip()
    if needed and not trimmed:
        raise ReviewRefused(Refusal.NOTE_MISSING)
    if len(trimmed) > LONGEST_NOTE:
        raise ReviewRefused(Refusal.NOTE_TOO_LONG)
    return trimmed


def return_reason(word: str) -> ReturnReason:
    """A reason by its word. Raises ReviewRefused for one that is not on the list."""
    try:
        return ReturnReason(word)
    except ValueError:
        raise ReviewRefused(Refusal.BAD_REASON) from None


def escalate_reason(word: str) -> EscalateReason:
    """A reason by its word. Raises ReviewRefused for one that is not on the list."""
    try:
        return EscalateReason(word)
    except ValueError:
        raise ReviewRefused(Refusal.BAD_REASON) from None


def checked_marks(text: str, marks: Mapping[Element, str]) -> dict[Element, str]:
    """Passages that may be shown, one a move; each verbatim and of fair length.

    Raises ReviewRefused.
    """
    for sentence in marks.values():
        if not sentence.strip() or sentence not in text:
            raise ReviewRefused(Refusal.NOT_VERBATIM)
        if not SHORTEST_MARK <= count_words(sentence) <= LONGEST_MARK:
            raise ReviewRefused(Refusal.MARK_LENGTH)
    return dict(marks)


def suggested_marks(text: str, evidence: Iterable[tuple[Element, str]]) -> dict[Element, str]:
    """The sentences that hold a reading's evidence, where they make a fair passage."""
    marks: dict[Element, str] = {}
    for element, words in evidence:
        sentence = sentence_around(text, words)
        if element not in marks and SHORTEST_MARK <= count_words(sentence) <= LONGEST_MARK:
            marks[element] = sentence
    return marks


_ENDS = ".!?…\n"
_CLOSING = "\"'”’»)"


def sentence_around(text: str, words: str) -> str:
    """The sentence or sentences of `text` that hold `words`, verbatim; empty if it does not."""
    start = text.find(words)
    if not words or start < 0:
        return ""
    end = start + len(words)
    first = max((text.rfind(mark, 0, start) for mark in _ENDS), default=-1) + 1
    while first < start and text[first] in _CLOSING:
        first += 1
    last = end
    if text[end - 1] not in _ENDS:
        found = [p for mark in _ENDS if (p := text.find(mark, end)) >= 0]
        last = min(found) + 1 if found else len(text)
        while last < len(text) and text[last] in _ENDS + _CLOSING:
            last += 1
    return text[first:last].strip()

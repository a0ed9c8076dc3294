"""Practice prompts, whom they go to, and what became of each: the words every part shares."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from bot.core.movement import Step
from bot.core.narrative import Element, StoryOf, count_words
from bot.core.quoting import cleaned, visible
from bot.core.schedule import Rule
from bot.core.story import Folder

MOST_WORDS = 45
"""Words of a prompt in the library: read in a group at one glance."""
MOST_WORDS_OF_OWN = 80
MOST_CHARACTERS_OF_OWN = 600
"""What an organizer writes may be a little longer; it is theirs."""

OPENS = "p_"
"""How the token of a prompt's button begins, to tell it from invitations (`i_`) and groups."""
_TOKEN = re.compile(r"p_[A-Za-z0-9_-]{16,62}")

CREDITED = timedelta(days=14)
"""How long what somebody does in private counts for the last prompt they opened."""


class Season(StrEnum):
    """Where a campaign stands: what people need to remember changes with it."""

    STARTING = "starting"
    BUILDING = "building"
    DECIDING = "deciding"
    WINNING_OR_LOSING = "winning_or_losing"
    RESTING = "resting"


@dataclass(frozen=True)
class PracticePrompt:
    """A few words for a group that ask for a moment.

    `texts` by language. The library's prompts have every language and no author; an organizer's
    own has at least one, and `written_by` is their Telegram id until they are forgotten.
    """

    id: str
    move: Element
    season: Season
    texts: Mapping[str, str]
    own: bool = False
    written_by: int | None = None
    written_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def stage(self) -> StoryOf:
        """The story it practises."""
        assert self.move.stage is not None, "a practice prompt belongs to a story"
        return self.move.stage

    def text(self, language: str) -> str:
        """The words in that language, or in the first one there is."""
        return self.texts.get(language) or next(iter(self.texts.values()))


Trouble = Literal["empty", "too_long", "two_questions", "no_question"]


class PromptRefused(ValueError):
    """An organizer's prompt that cannot be posted; `reason` says why."""

    def __init__(self, reason: Trouble) -> None:
        """`reason` is a fixed word."""
        super().__init__(reason)
        self.reason = reason


def own_text(text: str) -> str:
    """An organizer's words as they will be posted. Raises PromptRefused: empty or too long."""
    text = cleaned(text).strip()
    if not visible(text) or not count_words(text):
        raise PromptRefused("empty")
    if count_words(text) > MOST_WORDS_OF_OWN or len(text) > MOST_CHARACTERS_OF_OWN:
        raise PromptRefused("too_long")
    return text


def hints(text: str) -> tuple[Trouble, ...]:
    """What an organizer may want to mend before posting; nothing is refused for it."""
    asked = len(re.findall(r"\?+", text))
    return () if asked == 1 else ("two_questions",) if asked else ("no_question",)


@dataclass(frozen=True)
class Aim:
    """Which groups: those named by id, those with any of the tags; all when neither is given.

    `languages` then keeps only groups that speak one of them; empty keeps all.
    """

    groups: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    def meets(self, group_id: str, tags: Collection[str], language: str) -> bool:
        """Whether a group is meant."""
        if self.languages and language not in self.languages:
            return False
        if not self.groups and not self.tags:
            return True
        return group_id in self.groups or not self.tags.isdisjoint(tags)


@dataclass(frozen=True)
class Schedule:
    """A push: which prompts, to whom, when. Several prompts take turns, slot by slot.

    `made_by` is a Telegram id, None for the console. A group that had any prompt fewer than
    `rest_days` local days before is left out. `looked_until` (UTC): slots up to then were dealt
    with; making, editing and resuming set it to now, so that only what lies ahead is posted.
    `version` guards against two writers. `ended_because` is a word of `LeftOut` or "ended".
    """

    id: str
    prompts: tuple[str, ...]
    aim: Aim
    rule: Rule
    made_by: int | None
    made_at: datetime
    looked_until: datetime
    rest_days: int = 0
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    ended_because: str | None = None
    skipped: frozenset[str] = frozenset()
    version: int = 0

    @property
    def is_active(self) -> bool:
        """True when its slots are posted."""
        return self.paused_at is None and self.ended_at is None

    def prompt_for(self, turn: int, usable: Collection[str]) -> str | None:
        """The prompt of the `turn`-th slot among those still usable; None when none is."""
        left = [p for p in self.prompts if p in usable]
        return left[turn % len(left)] if left else None


class LeftOut(StrEnum):
    """Why a group does not get a prompt. The second half is what Telegram said when last tried."""

    TOO_LATE = "too_late"
    RECENT = "recent"
    UNCLAIMED = "unclaimed"
    LEFT = "left"
    NOT_ALLOWED = "not_allowed"
    NO_PROMPT = "no_prompt"
    BLOCKED = "blocked"
    KICKED = "kicked"
    DEACTIVATED = "deactivated"
    GONE = "gone"
    NO_RIGHTS = "no_rights"
    TOPIC_CLOSED = "topic_closed"


def reason_of(word: str | None) -> LeftOut | None:
    """The reason a word stands for; None for none, and for an error's name."""
    return LeftOut(word) if word in set(LeftOut) else None


@dataclass(frozen=True)
class Delivery:
    """One prompt for one group in one slot; there is never a second.

    `token` is what its button carries. `outbox_id` is the message, None when the group was left
    out for `left_out`.
    """

    id: str
    schedule_id: str
    slot: str
    group_id: str
    prompt_id: str
    language: str
    token: str
    due_at: datetime
    claimed_at: datetime
    outbox_id: int | None = None
    left_out: LeftOut | None = None


Fate = Literal["waiting", "posted", "failed", "unknown", "left_out"]
"""What became of a delivery. Unknown: Telegram's answer got lost, and we do not guess."""


def is_opening(token: str) -> bool:
    """Whether what came with /start has the form of a practice prompt's token."""
    return _TOKEN.fullmatch(token) is not None


def steps_since(folder: Folder, at: datetime) -> frozenset[Step]:
    """How far somebody has come in their story since `at`, by what they typed themselves."""
    if folder.story is None:
        return frozenset()
    steps = set()
    parts = folder.story.parts.values()
    if any(telling.told_at >= at for part in parts for telling in part.tellings):
        steps |= {Step.BEGAN, Step.FINISHED}
    elif any(part.pieces for part in parts):
        steps.add(Step.BEGAN)
    story = folder.story
    given = [*story.releases, *(offer.release for offer in story.offers)]
    if any(release.released_at >= at for release in given):
        steps |= {Step.BEGAN, Step.FINISHED, Step.RELEASED}
    return frozenset(steps)

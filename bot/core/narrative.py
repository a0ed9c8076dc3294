"""The parts of a public narrative and what a reader may say about one telling.

Source: adapted from the works of Marshall Ganz; element list in corpus/labelled/README.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

WORDS_PER_MINUTE = 130
"""An unhurried telling aloud; a two-minute story is 250 to 300 words."""


class StoryOf(StrEnum):
    """The three linked stories."""

    SELF = "self"
    US = "us"
    NOW = "now"


class Element(StrEnum):
    """What a listener needs to be shown, written `stage.name`."""

    SELF_CHALLENGE = "self.challenge"
    SELF_CHOICE = "self.choice"
    SELF_OUTCOME = "self.outcome"
    SELF_VALUES = "self.values"
    SELF_HOPE = "self.hope"
    SELF_DETAIL = "self.detail"
    US_WHO = "us.who"
    US_CHALLENGE = "us.challenge"
    US_CHOICE = "us.choice"
    US_OUTCOME = "us.outcome"
    NOW_CHALLENGE = "now.challenge"
    NOW_NIGHTMARE = "now.nightmare"
    NOW_DREAM = "now.dream"
    NOW_STRATEGY = "now.strategy"
    NOW_ASK = "now.ask"
    LINK_THREAD = "link.thread"

    @property
    def stage(self) -> StoryOf | None:
        """The story the element belongs to; None for the thread that links all three."""
        head = self.value.partition(".")[0]
        return None if head == "link" else StoryOf(head)

    @property
    def short(self) -> str:
        """The name without its stage, as `coach assess` prints it."""
        return self.value.partition(".")[2]

    @classmethod
    def of(cls, stage: StoryOf, short: str) -> Element:
        """The element `short` of `stage`; ValueError when there is none."""
        return cls(f"{stage.value}.{short}")


ORDER_OF_CARE: Mapping[StoryOf, tuple[Element, ...]] = {
    StoryOf.SELF: (
        Element.SELF_CHALLENGE,
        Element.SELF_CHOICE,
        Element.SELF_VALUES,
        Element.SELF_OUTCOME,
        Element.SELF_HOPE,
        Element.SELF_DETAIL,
    ),
    StoryOf.US: (
        Element.US_WHO,
        Element.US_CHOICE,
        Element.US_CHALLENGE,
        Element.US_OUTCOME,
    ),
    StoryOf.NOW: (
        Element.NOW_ASK,
        Element.NOW_CHALLENGE,
        Element.NOW_STRATEGY,
        Element.NOW_DREAM,
        Element.NOW_NIGHTMARE,
    ),
}
"""Which gap matters most, first to last, when several are open."""


class Status(StrEnum):
    """How far an element stands in a telling. Guides the next question; never a grade."""

    PRESENT = "present"
    WEAK = "weak"
    MISSING = "missing"


class FailureMode(StrEnum):
    """Ways a draft goes wrong that call for their own kind of question."""

    ABSTRACT_BELIEF = "abstract_belief"
    CV_RECITAL = "cv_recital"
    WHOLE_LIFE = "whole_life"
    CAMPAIGN_TALK = "campaign_talk"
    NO_CHOICE = "no_choice"
    ALL_HURT = "all_hurt"
    FLAWLESS_HERO = "flawless_hero"
    SOMEONE_ELSES = "someone_elses"
    MORAL_NO_SCENE = "moral_no_scene"
    OUTCOME_MISSING = "outcome_missing"
    US_EVERYONE = "us_everyone"
    US_TRAITS = "us_traits"
    US_GRIEVANCE = "us_grievance"
    DOOM_ONLY = "doom_only"
    WISHFUL_HOPE = "wishful_hope"
    NO_ASK = "no_ask"
    NO_DATE_PLACE = "no_date_place"
    ASK_MENU = "ask_menu"
    CONFLICT_DODGED = "conflict_dodged"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True)
class Suggestion:
    """One question a model would ask, already past every guard. `element` is the gap it aims at."""

    question: str
    element: Element


@dataclass(frozen=True)
class Reading:
    """What one reader heard in one telling of one stage.

    `statuses` has every element of the stage. `evidence` maps each element that is not
    missing to the teller's own words, verbatim. `modes` come most telling first. `line` is
    the teller's strongest words, verbatim, worth quoting back. `reader` names reader and version.
    Only a model gives `value`, the teller's words for what they hold dear, as a guess, and a
    `suggestion`.
    """

    stage: StoryOf
    statuses: Mapping[Element, Status]
    evidence: Mapping[Element, str] = field(default_factory=dict)
    modes: tuple[FailureMode, ...] = ()
    line: str | None = None
    reader: str = "none"
    value: str | None = None
    suggestion: Suggestion | None = None

    def __post_init__(self) -> None:
        """Refuse a reading that speaks of another stage or leaves an element out (ValueError)."""
        if set(self.statuses) != set(ORDER_OF_CARE[self.stage]):
            raise ValueError(f"a reading of {self.stage} must give exactly its own elements")

    def open_elements(self) -> tuple[Element, ...]:
        """Elements not yet present, in the order of care."""
        return tuple(e for e in ORDER_OF_CARE[self.stage] if self.statuses[e] is not Status.PRESENT)

    def next_element(self) -> Element | None:
        """The one gap to ask about next, None when nothing is open.

        First open element in the order of care, except: all hurt and no agency asks for hope;
        a flawless hero, traits or grievance for the choice; doom without hope for strategy or
        dream before the ask. Source: corpus/labelled/README.md, "asked next".
        """
        opened = self.open_elements()
        if not opened:
            return None
        for mode in self.modes:
            for element in _MODE_FIRST.get(mode, ()):
                if element in opened:
                    return element
        return opened[0]

    def only_verbatim(self, text: str) -> Reading:
        """The same reading without any quotation that is not in `text` letter for letter."""
        evidence = {e: q for e, q in self.evidence.items() if q and q in text}
        line = self.line if self.line and self.line in text else None
        value = self.value if self.value and self.value in text else None
        return replace(self, evidence=evidence, line=line, value=value)


_MODE_FIRST: Mapping[FailureMode, tuple[Element, ...]] = {
    FailureMode.ALL_HURT: (Element.SELF_HOPE,),
    FailureMode.FLAWLESS_HERO: (Element.SELF_CHOICE,),
    FailureMode.US_TRAITS: (Element.US_CHOICE,),
    FailureMode.US_GRIEVANCE: (Element.US_CHOICE,),
    FailureMode.DOOM_ONLY: (Element.NOW_STRATEGY, Element.NOW_DREAM),
}


def count_words(text: str) -> int:
    """Words a person would say aloud; punctuation and emoji are silent."""
    return len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text))


def speaking_seconds(text: str) -> int:
    """Seconds to tell `text` aloud at WORDS_PER_MINUTE, rounded up to the next five."""
    return math.ceil(count_words(text) * 60 / WORDS_PER_MINUTE / 5) * 5

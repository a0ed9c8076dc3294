"""Coaching a telling: which one question comes next, and when to stop asking.

Source: adapted from the works of Marshall Ganz; a coach listens, reflects one specific in the
teller's own words, asks one open question, three a round at most, and asks for a retelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.core.narrative import Element, FailureMode, Reading, Status, StoryOf, count_words

MOST_ROUNDS = 3
"""Questions a stage before the coach stops asking, unless the teller wants more."""

MOST_AIMS = 2
"""Questions for one element before the coach lets it be; a third would not be listening."""

MODE_AIMS: Mapping[FailureMode, tuple[Element, ...]] = {
    FailureMode.ABSTRACT_BELIEF: (Element.SELF_CHALLENGE, Element.SELF_DETAIL),
    FailureMode.CV_RECITAL: (Element.SELF_CHALLENGE, Element.SELF_CHOICE),
    FailureMode.WHOLE_LIFE: (Element.SELF_CHALLENGE,),
    FailureMode.CAMPAIGN_TALK: (Element.SELF_CHALLENGE,),
    FailureMode.NO_CHOICE: (Element.SELF_CHOICE,),
    FailureMode.ALL_HURT: (Element.SELF_HOPE,),
    FailureMode.FLAWLESS_HERO: (Element.SELF_CHOICE,),
    FailureMode.SOMEONE_ELSES: (Element.SELF_CHOICE, Element.SELF_CHALLENGE),
    FailureMode.MORAL_NO_SCENE: (Element.SELF_CHALLENGE, Element.SELF_DETAIL),
    FailureMode.OUTCOME_MISSING: (Element.SELF_OUTCOME, Element.US_OUTCOME),
    FailureMode.US_EVERYONE: (Element.US_WHO,),
    FailureMode.US_TRAITS: (Element.US_CHOICE,),
    FailureMode.US_GRIEVANCE: (Element.US_CHOICE,),
    FailureMode.DOOM_ONLY: (Element.NOW_STRATEGY, Element.NOW_DREAM),
    FailureMode.WISHFUL_HOPE: (Element.NOW_STRATEGY, Element.SELF_HOPE),
    FailureMode.NO_ASK: (Element.NOW_ASK,),
    FailureMode.NO_DATE_PLACE: (Element.NOW_ASK,),
    FailureMode.ASK_MENU: (Element.NOW_ASK,),
    FailureMode.CONFLICT_DODGED: (Element.NOW_CHALLENGE, Element.NOW_STRATEGY),
    FailureMode.DISCONNECTED: (),
}
"""Which gap each way of going wrong is really about; its question is asked only for that gap."""


@dataclass(frozen=True)
class Question:
    """One question by key. `element` is the gap it aims at."""

    key: str
    element: Element


@dataclass(frozen=True)
class CoachingNotes:
    """What the coach remembers of one story: keys asked before, elements skipped, a slower pace.

    `aimed` holds the element of each question asked, so that nobody is asked for the same thing
    while another gap was never touched. `suggested` are checksums of a model's questions asked.
    """

    asked: tuple[str, ...] = ()
    aimed: tuple[Element, ...] = ()
    skipped: tuple[Element, ...] = ()
    gentle: bool = False
    suggested: tuple[int, ...] = ()


def next_question(
    reading: Reading | None,
    stage: StoryOf,
    notes: CoachingNotes,
    variants: Callable[[str], int],
) -> Question | None:
    """The one question to ask now, never one asked before; None when nothing is worth asking.

    `variants` gives how many wordings a key has. Without a reading the framework's own order is
    asked, so the coach always has a good question.
    """
    for element in gaps(reading, stage, notes):
        for base in _bases(reading, element, notes):
            for number in range(1, variants(base) + 1):
                key = f"{base}.{number}"
                if key not in notes.asked:
                    return Question(key, element)
    return None


def gaps(reading: Reading | None, stage: StoryOf, notes: CoachingNotes) -> list[Element]:
    """Elements worth asking about, the first to ask first, those the teller skipped left out."""
    blank = Reading(stage, {e: Status.MISSING for e in Element if e.stage is stage})
    opened = list((reading or blank).open_elements())
    first = (reading or blank).next_element()
    if notes.gentle and Element.SELF_HOPE in opened:
        first = Element.SELF_HOPE
    if first in opened:
        opened.remove(first)
        opened.insert(0, first)
    opened = [e for e in opened if e not in notes.skipped and notes.aimed.count(e) < MOST_AIMS]
    return sorted(opened, key=notes.aimed.count)


def _bases(reading: Reading | None, element: Element, notes: CoachingNotes) -> list[str]:
    """Question families for a gap: gentle when harm was told, then the way it went wrong."""
    if notes.gentle:
        return [f"questions.gentle.{element}"]
    bases: list[str] = []
    if reading:
        bases += [
            f"questions.mode.{m}"
            for m in reading.modes
            if element in MODE_AIMS[m] and element not in notes.aimed
        ]
        bases.append(f"questions.{reading.statuses[element]}.{element}")
    return [*bases, f"questions.{Status.MISSING}.{element}"]


REFLECT_FIRST: Mapping[StoryOf, Sequence[Element]] = {
    StoryOf.SELF: (
        Element.SELF_CHOICE,
        Element.SELF_VALUES,
        Element.SELF_HOPE,
        Element.SELF_DETAIL,
        Element.SELF_OUTCOME,
        Element.SELF_CHALLENGE,
    ),
    StoryOf.US: (Element.US_CHOICE, Element.US_OUTCOME, Element.US_CHALLENGE, Element.US_WHO),
    StoryOf.NOW: (
        Element.NOW_ASK,
        Element.NOW_NIGHTMARE,
        Element.NOW_DREAM,
        Element.NOW_STRATEGY,
        Element.NOW_CHALLENGE,
    ),
}
"""What is worth saying back, the turn of the story before its setting."""


@dataclass(frozen=True)
class Reflection:
    """The teller's own words to say back, and what they showed (None: simply heard)."""

    words: str
    shows: Element | None


def reflection(
    reading: Reading | None, latest: str, already: Sequence[str] = ()
) -> Reflection | None:
    """One specific thing to say back, preferably from what was typed last, never said back before.

    Present elements come before weak ones; without either, the fullest line of what was typed
    last. None when that has fewer than FEWEST words.
    """
    if reading is None:
        return _fullest_line(latest, already)
    order = REFLECT_FIRST[reading.stage]
    for fresh in (True, False):
        for element in order:
            words = reading.evidence.get(element)
            if (
                words
                and reading.statuses[element] is Status.PRESENT
                and words not in already
                and (not fresh or words in latest)
            ):
                return Reflection(words, element)
    if reading.line and reading.line not in already:
        return Reflection(reading.line, None)
    for element in order:
        words = reading.evidence.get(element)
        if words and words not in already:
            return Reflection(words, None)
    return _fullest_line(latest, already)


FEWEST = 4
"""Words below which a line is an answer, not something to say back."""


def _fullest_line(latest: str, already: Sequence[str]) -> Reflection | None:
    """The longest clause a person would say in one breath, verbatim."""
    clauses = [c.strip() for c in re.split(r"(?<=[.!?…])\s+|\n+", latest)]
    fitting = [c for c in clauses if FEWEST <= count_words(c) <= 30 and c not in already]
    if not fitting:
        return None
    return Reflection(max(fitting, key=lambda c: (min(count_words(c), 18), -len(c))), None)


_RANK = {Status.MISSING: 0, Status.WEAK: 1, Status.PRESENT: 2}


def grew(before: Mapping[str, str], after: Reading) -> Element | None:
    """The element that grew most since an earlier reading and can be quoted, if any."""
    best: tuple[int, Element] | None = None
    for element in REFLECT_FIRST[after.stage]:
        if after.statuses[element] is not Status.PRESENT or element not in after.evidence:
            continue
        gain = 2 - _RANK[Status(before.get(element.value, Status.MISSING))]
        if gain and (best is None or gain > best[0]):
            best = (gain, element)
    return best[1] if best else None

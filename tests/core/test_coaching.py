"""One question at a time, aimed at the gap that matters most, never one asked before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.coaching import (
    CoachingNotes,
    Question,
    grew,
    next_question,
    reflection,
)
from bot.core.narrative import ORDER_OF_CARE, Element, Reading, Status, StoryOf
from bot.core.turn import Line
from tests.fakes import catalogue, reading

SELF, US, NOW = StoryOf.SELF, StoryOf.US, StoryOf.NOW


def english(key: str) -> int:
    return catalogue().variants(key, "en")


def asked(
    heard: Reading | None,
    stage: StoryOf = SELF,
    notes: CoachingNotes | None = None,
    variants: Callable[[str], int] = english,
) -> Question | None:
    return next_question(heard, stage, notes or CoachingNotes(), variants)


@pytest.mark.parametrize("stage", StoryOf)
def test_without_a_reading_the_frameworks_own_order_is_asked(stage: StoryOf) -> None:
    question = asked(None, stage)
    assert question is not None and question.element is ORDER_OF_CARE[stage][0]


def test_a_round_story_gets_no_question() -> None:
    every = dict.fromkeys((e.short for e in ORDER_OF_CARE[SELF]), "words")
    assert asked(reading(SELF, every)) is None


def test_the_most_important_gap_is_asked_first() -> None:
    question = asked(reading(SELF, {"challenge": None, "detail": None}))
    assert question is not None and question.element is Element.SELF_CHOICE


def test_a_weak_element_is_asked_as_something_that_is_there_already() -> None:
    question = asked(reading(SELF, weak={"challenge": "times were hard"}))
    assert question == Question("questions.weak.self.challenge.1", Element.SELF_CHALLENGE)


@pytest.mark.parametrize(
    ("stage", "mode", "element"),
    [
        (SELF, "abstract_belief", Element.SELF_CHALLENGE),
        (SELF, "cv_recital", Element.SELF_CHALLENGE),
        (SELF, "whole_life", Element.SELF_CHALLENGE),
        (SELF, "campaign_talk", Element.SELF_CHALLENGE),
        (SELF, "all_hurt", Element.SELF_HOPE),
        (SELF, "flawless_hero", Element.SELF_CHOICE),
        (SELF, "moral_no_scene", Element.SELF_CHALLENGE),
        (US, "us_everyone", Element.US_WHO),
        (US, "us_traits", Element.US_CHOICE),
        (US, "us_grievance", Element.US_CHOICE),
        (NOW, "doom_only", Element.NOW_STRATEGY),
        (NOW, "no_ask", Element.NOW_ASK),
        (NOW, "ask_menu", Element.NOW_ASK),
        (NOW, "no_date_place", Element.NOW_ASK),
    ],
)
def test_a_draft_gone_wrong_gets_its_own_kind_of_question(
    stage: StoryOf, mode: str, element: Element
) -> None:
    question = asked(reading(stage, modes=[mode]), stage)
    assert question == Question(f"questions.mode.{mode}.1", element)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("stage", StoryOf)
def test_no_question_is_asked_twice_whatever_is_heard(stage: StoryOf, language: str) -> None:
    """Asked until nothing is left: every key once, every wording once."""
    book = catalogue()
    modes = ["no_choice", "outcome_missing", "moral_no_scene", "us_everyone", "no_ask", "ask_menu"]
    wording: list[str] = []
    notes = CoachingNotes()
    readings = [
        reading(stage, modes=modes),
        reading(stage, weak=dict.fromkeys(e.short for e in ORDER_OF_CARE[stage])),
        None,
    ]
    for heard in readings:
        while question := asked(heard, stage, notes, lambda k: book.variants(k, language)):
            assert question.key not in notes.asked
            wording.append(book.text(Line(question.key), language))
            notes = replace(notes, asked=(*notes.asked, question.key))
    assert len(wording) >= 10
    twice = sorted({w for w in wording if wording.count(w) > 1})
    assert not twice, "the same words stand under two keys:\n" + "\n".join(twice)


def test_a_skipped_gap_is_left_alone() -> None:
    heard = reading(SELF)
    question = asked(heard, notes=CoachingNotes(skipped=(Element.SELF_CHALLENGE,)))
    assert question is not None and question.element is Element.SELF_CHOICE
    assert asked(heard, notes=CoachingNotes(skipped=ORDER_OF_CARE[SELF])) is None


def test_after_harm_was_told_every_question_is_gentle_and_hope_comes_first() -> None:
    question = asked(reading(SELF, modes=["all_hurt"]), notes=CoachingNotes(gentle=True))
    assert question == Question("questions.gentle.self.hope.1", Element.SELF_HOPE)
    notes = CoachingNotes(gentle=True)
    while question := asked(reading(SELF), notes=notes):
        assert question.key.startswith("questions.gentle.")
        notes = replace(notes, asked=(*notes.asked, question.key))


# -- saying back --------------------------------------------------------------------------------

TOLD = "The boiler died in January. I turned and knocked on her door. We cooked until nine."


def test_the_choice_is_said_back_before_the_setting() -> None:
    heard = reading(
        SELF,
        {"challenge": "The boiler died in January.", "choice": "I turned and knocked on her door."},
    )
    said = reflection(heard, TOLD)
    assert said is not None
    assert (said.words, said.shows) == ("I turned and knocked on her door.", Element.SELF_CHOICE)


def test_what_was_typed_last_is_said_back_before_what_was_typed_earlier() -> None:
    heard = reading(SELF, {"choice": "I turned and knocked on her door.",
                           "detail": "We cooked until nine."})  # fmt: skip
    said = reflection(heard, "We cooked until nine.")
    assert said is not None and said.words == "We cooked until nine."


def test_nothing_is_said_back_twice() -> None:
    heard = reading(SELF, {"choice": "I turned and knocked on her door."})
    said = reflection(heard, TOLD, ["I turned and knocked on her door."])
    assert said is None or said.words != "I turned and knocked on her door."


def test_a_weak_element_is_said_back_without_claiming_that_it_shows_something() -> None:
    said = reflection(reading(SELF, weak={"values": "its about dignity"}), "its about dignity")
    assert said is not None and said.shows is None


def test_without_a_reading_a_line_of_theirs_is_said_back_word_for_word() -> None:
    said = reflection(None, TOLD)
    assert said is not None and said.words in TOLD


def test_a_few_words_are_an_answer_and_not_a_quotation() -> None:
    assert reflection(None, "my mother") is None
    assert reflection(None, "") is None


# -- growing ------------------------------------------------------------------------------------


def test_what_was_missing_and_is_present_grew_most() -> None:
    after = reading(SELF, {"choice": "I knocked", "detail": "the kettle"})
    before = {"self.choice": "weak", "self.detail": "missing"}
    assert grew(before, after) is Element.SELF_DETAIL


def test_nothing_grew_when_nothing_changed_or_nothing_can_be_quoted() -> None:
    after = reading(SELF, {"choice": "I knocked", "detail": None})
    assert grew({"self.choice": "present", "self.detail": "missing"}, after) is None


def test_a_weak_element_is_not_called_grown() -> None:
    assert grew({}, reading(SELF, weak={"choice": "I knocked"})) is None


def test_a_reading_of_another_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly its own elements"):
        Reading(SELF, {Element.NOW_ASK: Status.MISSING})


def test_only_what_is_in_the_text_may_be_quoted() -> None:
    heard = reading(SELF, {"choice": "I knocked", "detail": "the kettle"}, line="no such line")
    kept = heard.only_verbatim("and I knocked twice")
    assert kept.evidence == {Element.SELF_CHOICE: "I knocked"} and kept.line is None

"""Head and alarm are joined with care where it is dear, and with calm where it is not."""

from __future__ import annotations

import pytest

from bot.core.care import Safety
from bot.screening.opinions import Opinions
from bot.screening.safety import MESSAGE, Chances

SHORT = "I folded the blue coat and put it by the door"
LONG = " ".join(["we carried the chairs down to the hall"] * (MESSAGE // 8 + 1))


def says(crisis: float, pain: float = 0.0) -> Chances:
    """An opinion that is the same of every text."""
    return lambda _: (crisis, (1 - crisis) * pain, (1 - crisis) * (1 - pain))


@pytest.mark.parametrize("sure_is_alarm", [True, False])
def test_one_sure_opinion_is_enough_for_a_batch_and_not_in_a_conversation(
    sure_is_alarm: bool,
) -> None:
    both = (says(0.05), says(0.85))
    opinions = Opinions(*both) if sure_is_alarm else Opinions(*reversed(both))
    assert opinions.judge(SHORT) is Safety.CRISIS
    assert opinions.weigh(SHORT) is Safety.NONE


def test_two_half_sure_opinions_make_the_coach_ask() -> None:
    assert Opinions(says(0.6), says(0.7)).weigh(SHORT) is Safety.DOUBT


def test_in_a_story_both_have_to_hear_danger() -> None:
    assert Opinions(says(0.02), says(0.99)).judge(LONG) is Safety.NONE
    assert Opinions(says(0.95), says(0.99)).judge(LONG) is Safety.CRISIS


def test_pain_is_the_mean_of_both() -> None:
    assert Opinions(says(0.0, 0.9), says(0.0, 0.6)).weigh(SHORT) is Safety.DISTRESS
    assert Opinions(says(0.0, 0.9), says(0.0, 0.2)).weigh(SHORT) is Safety.NONE


def test_one_opinion_alone_is_believed_and_none_leaves_the_rules() -> None:
    assert Opinions(says(0.95), None).weigh(SHORT) is Safety.CRISIS
    assert Opinions(None, says(0.95)).weigh(SHORT) is Safety.CRISIS
    assert Opinions(None, None).weigh(SHORT) is Safety.NONE
    assert Opinions(None, None).weigh("me quiero morir") is Safety.CRISIS

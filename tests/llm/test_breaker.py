"""A model that keeps failing is left alone, then tried once."""

from __future__ import annotations

from bot.llm.breaker import FAILURES, LONGEST_REST, REST, Breaker


class Hands:
    """A clock's hands."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def opened() -> tuple[Breaker, Hands]:
    hands = Hands()
    breaker = Breaker(hands)
    for _ in range(FAILURES):
        assert breaker.lets_pass()
        breaker.failed()
    return breaker, hands


def test_it_opens_after_a_few_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(Hands())
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.state == "closed"
    breaker.succeeded()
    breaker.failed()
    assert breaker.state == "closed"
    assert opened()[0].state == "open" and not opened()[0].lets_pass()


def test_after_its_rest_one_trial_decides() -> None:
    breaker, hands = opened()
    hands.at = REST
    assert breaker.state == "half_open"
    assert breaker.lets_pass() and not breaker.lets_pass()
    breaker.succeeded()
    assert breaker.state == "closed" and breaker.lets_pass()


def test_a_failed_trial_rests_twice_as_long_up_to_a_limit() -> None:
    breaker, hands = opened()
    rest = REST
    for _ in range(6):
        hands.at += rest
        assert breaker.lets_pass()
        breaker.failed()
        rest = min(rest * 2, LONGEST_REST)
        hands.at += rest - 1
        assert not breaker.lets_pass()
        hands.at += 1
        assert breaker.state == "half_open"
        hands.at -= rest


def test_a_wrong_key_opens_it_at_once_and_for_long() -> None:
    hands = Hands()
    breaker = Breaker(hands)
    breaker.failed(hopeless=True)
    hands.at = LONGEST_REST - 1
    assert not breaker.lets_pass()
    hands.at = LONGEST_REST
    assert breaker.lets_pass()


def test_a_trial_that_we_cancelled_says_nothing() -> None:
    breaker, hands = opened()
    hands.at = REST
    assert breaker.lets_pass()
    breaker.gave_up()
    assert breaker.state == "half_open" and breaker.lets_pass()

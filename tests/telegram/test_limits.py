"""The plan of calls keeps every limit, whatever is asked and whenever, on a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.telegram.limits import CATCHES_UP, UNLIMITED, Figures, Limits
from bot.usecases.ports import Urgency

FIGURES = Figures()
URGENCIES: tuple[Urgency, Urgency] = ("reply", "push")

Call = tuple[float, int, Urgency]
asked = st.lists(
    st.tuples(
        st.floats(0, 3).map(lambda gap: round(gap, 3)),
        st.sampled_from([1, 2, 3, -1, -2]),
        st.sampled_from(URGENCIES),
    ),
    max_size=150,
)


def made(limits: Limits, wishes: Iterable[tuple[float, int, Urgency]]) -> list[Call]:
    """Make every call as soon as it may be made, one after another; gaps are seconds between."""
    now, calls = 1000.0, []
    for gap, chat, urgency in wishes:
        now += gap
        while (wait := limits.wait(chat, urgency, now)) > 0:
            now += wait
        limits.take(chat, now, urgency)
        calls.append((now, chat, urgency))
    return calls


def most_within(calls: list[float], seconds: float) -> int:
    """The largest number of calls in any window of `seconds`."""
    return max(
        (sum(1 for c in calls if start <= c < start + seconds - 1e-6) for start in calls), default=0
    )


@given(asked)
def test_no_second_has_more_than_thirty_calls_and_no_group_minute_more_than_twenty(
    wishes: list[tuple[float, int, Urgency]],
) -> None:
    calls = made(Limits(), wishes)
    assert most_within([at for at, _, _ in calls], 1) <= 30
    for group in (-1, -2):
        assert most_within([at for at, chat, _ in calls if chat == group], 60) <= 20


@given(st.lists(st.integers(0, 64), min_size=1, max_size=8))
def test_processes_that_share_the_whole_never_make_more_than_thirty_calls_a_second(
    lanes_of_one: list[int],
) -> None:
    """Two processes, all pushing or answering as fast as they may, while lanes go to and fro."""
    both, calls, now = (Limits(), Limits()), [], 1000.0
    for lanes in lanes_of_one:
        shares = (lanes / 64, 1 - lanes / 64)
        # Whoever gives does so before the other takes.
        for gives in (True, False):
            for limits, share in zip(both, shares, strict=True):
                if gives == (share < 0.5):
                    limits.part(share, now)
        until = now + 1.7
        while now < until:
            for number, (limits, share) in enumerate(zip(both, shares, strict=True)):
                chat = 10 * len(calls) + number + 1
                if share and limits.try_take(chat, "reply", now):
                    calls.append(now)
            now += 0.01
    assert most_within(calls, 1) <= 30


@given(asked, st.integers(1, 60))
def test_a_chat_has_a_short_burst_and_then_a_call_a_second(
    wishes: list[tuple[float, int, Urgency]], seconds: int
) -> None:
    calls = made(Limits(), wishes)
    for chat, burst in ((1, 8), (2, 8), (-1, 3)):
        mine = [at for at, c, _ in calls if c == chat]
        assert most_within(mine, seconds) <= burst + seconds


@given(st.lists(st.sampled_from(range(-400, 400)).filter(bool), max_size=120))
def test_pushes_leave_room_in_every_second_and_come_one_after_another(chats: list[int]) -> None:
    calls = made(Limits(), [(0.0, chat, "push") for chat in chats])
    assert most_within([at for at, _, _ in calls], 1) <= 29
    # What was held up by a chat of its own may make up for it, no further than that.
    assert most_within([at for at, _, _ in calls], 0.1) <= 29 * (0.1 + CATCHES_UP) + 1


def test_pushes_that_were_held_up_make_up_for_it_a_little_at_a_time() -> None:
    limits, made_at = Limits(), list[float]()
    for moment in (1000.0, 1000.2, 1000.4, 1001.9):
        # Somebody looks only now and then; whatever may go then goes.
        while limits.wait_of_all("push", moment) == 0:
            limits.take(-len(made_at) - 1, moment, "push")
            made_at.append(moment)
    counts = [made_at.count(moment) for moment in (1000.0, 1000.2, 1000.4, 1001.9)]
    assert counts[0] == 1, "the first is one of a row"
    assert counts[1:3] == [5, 6], "as many as two tenths of a second hold"
    assert counts[3] == 1, "after a pause a new row begins"


@given(st.lists(st.tuples(st.floats(0, 0.05), st.floats(0, 0.8)), min_size=40, max_size=150))
def test_calls_made_late_are_counted_when_they_are_made(gaps: list[tuple[float, float]]) -> None:
    """Between letting a call through and making it the disk takes its time, now and then long."""
    limits, now, made_at, under_way = Limits(), 1000.0, list[float](), list[float]()
    for number, (gap, takes) in enumerate(gaps):
        now += gap
        while (wait := limits.wait_of_all("push", now)) > 0:
            now += wait
            _make(limits, under_way, now, made_at)
        _make(limits, under_way, now, made_at)
        limits.let(-1 - number, now, "push")
        under_way.append(now + takes)
    _make(limits, under_way, now + 1, made_at)
    assert most_within(made_at, 1) <= 30


def _make(limits: Limits, under_way: list[float], now: float, made_at: list[float]) -> None:
    """What is due is made, at the moment somebody comes to it."""
    for due in [due for due in under_way if due <= now]:
        under_way.remove(due)
        limits.made(now)
        made_at.append(now)


@given(asked)
def test_a_call_given_back_was_never_taken(wishes: list[tuple[float, int, Urgency]]) -> None:
    limits, now = Limits(), 1000.0
    for gap, chat, urgency in wishes:
        now += gap
        before = limits.wait(chat, "reply", now)
        limits.let(chat, now, urgency)
        limits.give_back(chat, now)
        assert limits.wait(chat, "reply", now) == before
        if before == 0:
            limits.take(chat, now, urgency)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 90), st.floats(0, 0.4)), min_size=1))
def test_no_call_is_made_before_what_telegram_asked_to_wait_for(
    refusals: list[tuple[int, int, float]],
) -> None:
    limits, now = Limits(), 50.0
    rests: dict[int, float] = {}
    for chat, seconds, gap in refusals:
        now += gap
        limits.refused(chat, seconds, now)
        rests[chat] = max(rests.get(chat, 0.0), now + seconds)
        for resting, until in rests.items():
            assert limits.wait(resting, "reply", now) >= until - now - 1e-9


def test_a_turn_of_three_messages_goes_out_at_once() -> None:
    calls = made(Limits(), [(0.0, 7, "reply")] * 5)
    assert calls[-1][0] == calls[0][0]


def test_ten_calls_to_one_person_take_a_second_each_after_the_burst() -> None:
    calls = made(Limits(), [(0.0, 7, "reply")] * 12)
    assert calls[-1][0] - calls[0][0] == pytest.approx(4.0)


def test_a_reply_goes_at_once_while_pushes_to_five_hundred_groups_wait() -> None:
    limits, now = Limits(), 0.0
    for group in range(500):
        while (wait := limits.wait(-1 - group, "push", now)) > 0:
            assert limits.wait(7, "reply", now) == 0
            now += wait
        limits.take(-1 - group, now)
    assert now <= 1.1 * 500 / 30, "within a tenth of what the limit allows"


def test_pushes_to_a_group_leave_room_for_replies_in_it() -> None:
    limits = Limits()
    made(limits, [(1.5, -1, "push")] * 15)
    assert limits.wait(-1, "push", 1024.0) > 30
    assert limits.wait(-1, "reply", 1024.0) == 0


def test_a_refusal_in_one_chat_or_two_holds_up_no_other() -> None:
    limits = Limits()
    limits.refused(1, 30, 0.0)
    limits.refused(2, 30, 0.1)
    limits.refused(2, 30, 0.2)
    assert limits.wait(1, "reply", 0.5) == pytest.approx(29.5)
    assert limits.wait(3, "reply", 0.5) == 0


def test_three_chats_refused_within_a_second_let_everybody_rest_for_that_long() -> None:
    limits = Limits()
    for at, chat in ((0.0, 1), (0.4, 2), (0.9, 3)):
        limits.refused(chat, 30, at)
    assert limits.wait(4, "reply", 1.0) == pytest.approx(29.9)
    assert limits.wait(4, "reply", 31.0) == 0


def test_three_chats_refused_one_after_another_are_three_slow_chats() -> None:
    limits = Limits()
    for at, chat in ((0.0, 1), (2.0, 2), (4.0, 3)):
        limits.refused(chat, 30, at)
    assert limits.wait(4, "reply", 4.0) == 0


def test_a_shorter_rest_asked_for_later_does_not_end_a_longer_one() -> None:
    limits = Limits()
    limits.refused(1, 30, 0.0)
    limits.refused(1, 2, 1.0)
    assert limits.wait(1, "reply", 5.0) == pytest.approx(25)


def test_what_can_be_left_out_is_left_out_when_there_is_no_room() -> None:
    limits = Limits()
    assert [limits.try_take(7, "reply", 0.0) for _ in range(10)] == [True] * 8 + [False] * 2


def test_a_bot_api_in_this_process_has_no_limits_but_may_ask_to_wait() -> None:
    limits = Limits(UNLIMITED)
    assert made(limits, [(0.0, -7, "push")] * 1000)[-1][0] == 1000.0
    limits.refused(-7, 5, 1000.0)
    assert limits.wait(-7, "push", 1000.0) == 5


def test_quiet_chats_are_forgotten() -> None:
    limits = Limits()
    for number in range(1, 25_001):
        limits.take(number, number * 10.0)
    assert len(limits._chats) <= 10_001

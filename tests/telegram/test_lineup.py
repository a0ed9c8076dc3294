"""Who is next: replies before pushes, each chat in order and one at a time, nobody forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.telegram.lineup import Lineup
from bot.usecases.ports import Queued, Urgency

URGENCIES: tuple[Urgency, Urgency] = ("reply", "push")


def at_once(chat: int, urgency: Urgency) -> float:
    """No chat has to wait."""
    return 0.0


def next_of(lineup: Lineup, now: float = 0.0) -> Queued | None:
    """The next message of any urgency."""
    return lineup.take("reply", now, at_once) or lineup.take("push", now, at_once)


def served(lineup: Lineup, now: float = 0.0) -> list[int]:
    """Serve everybody who can be, one at a time; the ids in order."""
    ids = []
    while (message := next_of(lineup, now)) is not None:
        ids.append(message.id)
        lineup.remove(message)
        lineup.free(message.chat_id)
    return ids


messages = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(URGENCIES)), max_size=40).map(
    lambda found: [Queued(n + 1, chat, urgency) for n, (chat, urgency) in enumerate(found)]
)


@given(messages, st.randoms())
def test_all_replies_go_first_and_everybody_oldest_first_however_they_arrive(
    waiting: list[Queued], random: object
) -> None:
    lineup, shuffled = Lineup(), list(waiting)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for message in [*shuffled, *shuffled]:
        lineup.add(message)
    wanted = [m.id for urgency in URGENCIES for m in waiting if m.urgency == urgency]
    assert served(lineup) == wanted
    assert len(lineup) == 0 and not lineup.can_go_on()


@given(messages, st.lists(st.tuples(st.integers(1, 4), st.floats(0.1, 5)), max_size=40))
def test_chats_that_have_to_wait_lose_nothing_and_keep_their_order(
    waiting: list[Queued], rests: list[tuple[int, float]]
) -> None:
    lineup = Lineup()
    until: dict[int, float] = {}
    now = 0.0
    for message in waiting:
        lineup.add(message)
    left = list(rests)
    sent: list[Queued] = []

    def wait(chat: int, urgency: Urgency) -> float:
        return max(0.0, until.get(chat, 0.0) - now)

    for _ in range(1000):
        taken = lineup.take("reply", now, wait) or lineup.take("push", now, wait)
        if taken is not None:
            if left:
                chat, seconds = left.pop()
                until[chat] = now + seconds
            sent.append(taken)
            lineup.remove(taken)
            lineup.free(taken.chat_id)
        elif (at := lineup.next_at()) is not None:
            now = max(now, at)
        else:
            break
    assert sorted(m.id for m in sent) == [m.id for m in waiting]
    for chat in range(1, 5):
        mine = [m for m in sent if m.chat_id == chat]
        wanted = [m for u in URGENCIES for m in waiting if m.chat_id == chat and m.urgency == u]
        assert mine == wanted


def test_a_chat_is_served_by_one_at_a_time() -> None:
    lineup = Lineup()
    for n in (1, 2):
        lineup.add(Queued(n, 7, "reply"))
    first = next_of(lineup)
    assert first is not None and next_of(lineup) is None
    lineup.free(7)
    assert next_of(lineup) == first, "not removed: the same one is tried again"


def test_a_reply_overtakes_a_push_of_its_chat_that_has_to_wait() -> None:
    lineup = Lineup()
    lineup.add(Queued(1, 7, "push"))
    assert lineup.take("push", 0.0, lambda chat, urgency: 60.0) is None
    lineup.add(Queued(2, 7, "reply"))
    assert lineup.take("reply", 1.0, at_once) == Queued(2, 7, "reply")


def test_a_paused_chat_is_passed_over_until_it_is_not() -> None:
    lineup = Lineup()
    lineup.add(Queued(1, 7, "reply"))
    lineup.pause([7])
    assert next_of(lineup) is None and not lineup.can_go_on() and len(lineup) == 1
    lineup.pause([])
    assert next_of(lineup) == Queued(1, 7, "reply")


def test_a_message_that_moved_to_another_chat_stands_there() -> None:
    lineup = Lineup()
    for n in (1, 2, 3):
        lineup.add(Queued(n, -7, "push"))
    lineup.remove(Queued(2, -7, "push"))
    lineup.add(Queued(2, -8, "push"))
    assert served(lineup) == [1, 2, 3]


def test_a_hundred_thousand_messages_for_one_waiting_chat_are_looked_at_once_a_time() -> None:
    lineup, asked = Lineup(), []
    for n in range(100_000):
        lineup.add(Queued(n, 7, "push"))

    def wait(chat: int, urgency: Urgency) -> float:
        asked.append(chat)
        return 1.0

    for second in range(5):
        assert lineup.take("push", float(second), wait) is None
    assert len(asked) == 5

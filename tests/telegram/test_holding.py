"""What is surely new goes to its lane at once, and to the disk only where its turn takes time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from bot.telegram import ingress, lanes
from bot.telegram.ingress import DurableQueue
from bot.telegram.lanes import Lanes
from bot.telegram.updates import Incoming, Said
from bot.usecases.ports import AlreadyDone, InboxItem, StoreUnavailable
from tests.fakes import FixedClock
from tests.fakes_store import MemoryStore
from tests.telegram.stage import eventually

FULL = StoreUnavailable("The disk is full.")


def update(number: int, chat: int = 7, text: str = "hello") -> dict[str, object]:
    person = {"id": chat, "is_bot": False, "first_name": "Ana"}
    message = {
        "message_id": number, "date": 1, "from": person, "text": text,
        "chat": {"id": chat, "type": "private"},
    }  # fmt: skip
    return {"update_id": number, "message": message}


class Ending:
    """Turns that end their updates in one commit; those with a word wait or fail at it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.clock = store, FixedClock()
        self.go = asyncio.Event()
        self.taken: list[str] = []
        self.aside: list[int] = []

    async def handle(self, turn: Incoming, update_ids: list[int]) -> None:
        assert isinstance(turn, Said)
        text = str(turn.heard.text)
        self.taken.append(text)
        if "slow" in text:
            await self.go.wait()
        if "poison" in text:
            raise ZeroDivisionError
        async with self.store.work() as work:
            await work.inbox.done(update_ids, self.clock.now(), 7)
            await work.commit()

    async def drop(self, update_ids: list[int], chat: int = 0) -> None:
        async with self.store.work() as work:
            await work.inbox.done(update_ids, self.clock.now(), 7)
            await work.commit()

    async def attempted(self, update_ids: list[int]) -> None:
        async with self.store.work() as work:
            await work.inbox.attempted(update_ids)
            await work.commit()

    async def set_aside(
        self, chat: int, update_ids: list[int], reason: str, language: str | None
    ) -> None:
        self.aside += update_ids
        async with self.store.work() as work:
            await work.inbox.quarantine(update_ids, reason)
            await work.commit()

    def stop_spinning(self, query_id: str) -> None:
        raise AssertionError

    async def cannot_write(self, chat: int, language: str | None) -> None:
        """Nobody is told here."""

    def is_phrase(self, text: str) -> bool:
        return False


class Place:
    """A queue and its lanes over one store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.turns = Ending(self.store)
        self.lanes = Lanes(self.store, self.turns)
        self.queue = DurableQueue(self.store, FixedClock(), self.lanes.wake)
        self.lanes.over, self.lanes.rest = self.queue.over, self.queue.rest
        self.queue.recovered = self.lanes.retry

    async def has_on_disk(self, *updates: dict[str, object]) -> None:
        """They were kept, and nobody was told."""
        async with self.store.work() as work:
            for one in updates:
                await work.inbox.put(self.queue._item(one))
            await work.commit()

    def rows(self) -> Mapping[int, str]:
        return {number: kept.state for number, kept in self.store.state.inbox.items()}

    def words(self, number: int) -> str:
        item = self.store.state.inbox[number].item
        assert isinstance(item, InboxItem)
        return item.payload


@pytest.fixture
async def place() -> Place:
    place = Place()
    await place.queue.hold(place.lanes.begin)
    return place


async def test_a_quick_turn_leaves_a_done_update_and_its_words_were_never_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: object) -> None:
        raise AssertionError("kept")

    monkeypatch.setattr(place.queue, "_write", never)
    await place.queue.keep([update(1), update(2, chat=8)])
    assert place.rows() == {1: "done", 2: "done"}
    assert place.words(1) == ""


async def test_a_slow_turn_is_on_disk_before_telegram_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "HELD_SECONDS", 0.01)
    told = asyncio.create_task(place.queue.keep([update(1, text="slowly"), update(2, chat=8)]))
    await eventually(lambda: place.turns.taken == ["slowly", "hello"])
    assert not told.done(), "begun before anything is kept"
    await told
    assert place.rows() == {1: "waiting", 2: "done"}
    assert "slowly" in place.words(1)
    place.turns.go.set()
    await place.lanes.idle()
    assert place.rows() == {1: "done", 2: "done"}
    assert place.words(1) == ""


async def test_a_repeat_is_recognised_whether_it_was_kept_or_only_done(place: Place) -> None:
    await place.queue.keep([update(1)])
    await place.queue.keep([update(1), update(2)])
    await place.lanes.idle()
    assert place.turns.taken == ["hello", "hello"]


async def test_a_repeat_meanwhile_is_no_second_turn(place: Place) -> None:
    one = asyncio.create_task(place.queue.keep([update(1, text="slowly")]))
    await eventually(lambda: place.turns.taken == ["slowly"])
    await place.queue.keep([update(1, text="slowly")])
    place.turns.go.set()
    await one
    await place.lanes.idle()
    assert place.turns.taken == ["slowly"]
    assert place.rows() == {1: "done"}


async def test_after_a_start_what_is_on_disk_already_is_not_taken_for_new() -> None:
    place = Place()
    async with place.store.work() as work:
        await work.inbox.done([5], FixedClock().now())
        await work.commit()
    await place.queue.hold(place.lanes.begin)
    await place.queue.keep([update(5)])
    await place.queue.keep([update(4)])
    await place.lanes.idle()
    assert place.turns.taken == ["hello"], "the fourth only"


async def test_nothing_new_overtakes_what_is_being_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.queue.keep([update(9)])
    go = asyncio.Event()
    commit = type(place.store.work()).commit

    async def slow(self: object, within: float = 0.0) -> None:
        await go.wait()
        await commit(self, within)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(place.store.work()), "commit", slow)
        old = asyncio.create_task(place.queue.keep([update(3, text="first")]))
        await asyncio.sleep(0)
        new = asyncio.create_task(place.queue.keep([update(10, text="second")]))
        await asyncio.sleep(0.01)
        assert place.turns.taken == ["hello"]
        go.set()
        await asyncio.gather(old, new)
        await place.lanes.idle()
    # What is said in one breath may be one turn.
    assert "\n".join(place.turns.taken).splitlines() == ["hello", "first", "second"]


async def test_a_poisonous_one_is_on_disk_before_it_is_set_aside(place: Place) -> None:
    await place.queue.keep([update(1, text="poison")])
    await place.lanes.idle()
    assert place.turns.taken == ["poison"] * 3
    assert place.rows() == {1: "quarantined"}


async def test_one_that_cannot_be_read_is_set_aside_with_its_words(place: Place) -> None:
    nobody = {"chat": {"id": 7, "type": "private"}, "from": {"is_bot": False}}
    await place.queue.keep([{"update_id": 1, "message": nobody}])
    await place.lanes.idle()
    assert place.turns.aside == [1]
    assert place.rows() == {1: "quarantined"}
    assert "private" in place.words(1)


async def test_on_a_full_disk_telegram_is_told_nothing_and_the_turn_comes_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "HELD_SECONDS", 0.01)
    monkeypatch.setattr(lanes, "PAUSES", (0.02,))
    place.store.fails_with = FULL
    with pytest.raises(StoreUnavailable):
        await place.queue.keep([update(1)])
    assert place.queue.trouble == str(FULL)
    place.store.fails_with = None
    await eventually(lambda: place.rows() == {1: "done"})
    taken = len(place.turns.taken)
    # Telegram brings it again: the disk knows it, whatever we remember.
    await place.queue.keep([update(1)])
    await place.lanes.idle()
    assert place.queue.trouble is None
    assert place.rows() == {1: "done"}
    with pytest.raises(AlreadyDone):
        await place.turns.drop([1])
    assert len(place.turns.taken) <= taken + 1, "at most one more look, which changes nothing"


async def test_while_more_waits_on_disk_new_ones_queue_up_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "AT_ONE_TIME", 2)
    place = Place()
    texts = ["1 slowly", "2", "3", "4", "5"]
    await place.has_on_disk(*(update(n, chat=n % 2 + 7, text=t) for n, t in enumerate(texts, 1)))
    await place.queue.hold(place.lanes.begin)
    await place.lanes.resume()
    await eventually(lambda: len(place.turns.taken) == 2)
    await place.queue.keep([update(6, chat=7, text="6")])
    assert place.rows()[6] == "waiting"
    assert place.turns.taken == ["1 slowly", "2"]
    place.turns.go.set()
    await place.lanes.idle()
    lines = "\n".join(place.turns.taken).splitlines()
    assert sorted(lines) == ["1 slowly", "2", "3", "4", "5", "6"]
    assert [line for line in lines if int(line[0]) % 2 == 0] == ["2", "4", "6"]
    await place.queue.keep([update(7, chat=8, text="7")])
    assert place.turns.taken[-1] == "7"
    assert place.rows()[7] == "done"


async def test_no_slow_turn_of_a_backlog_keeps_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "AT_ONE_TIME", 4)
    place = Place()
    texts = ["slowly", *map(str, range(2, 10))]
    await place.has_on_disk(*(update(n, chat=n, text=t) for n, t in enumerate(texts, 1)))
    await place.queue.hold(place.lanes.begin)
    await place.lanes.resume()
    await eventually(lambda: len(place.turns.taken) == 9)
    await place.queue.keep([update(20, chat=20, text="new")])
    assert place.turns.taken[-1] == "new"
    assert place.rows() == {1: "waiting", **dict.fromkeys([*range(2, 10), 20], "done")}


async def test_what_comes_during_a_look_is_neither_lost_nor_ahead(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.has_on_disk(update(1, text="1"))
    await place.queue.hold(place.lanes.begin)
    go = asyncio.Event()
    waiting = type(place.store.work().inbox).waiting

    async def slow(self: object, *given: object) -> object:
        found = await waiting(self, *given)  # type: ignore[arg-type]
        await go.wait()
        return found

    monkeypatch.setattr(type(place.store.work().inbox), "waiting", slow)
    look = asyncio.create_task(place.lanes.resume())
    await asyncio.sleep(0)
    await place.queue.keep([update(2, text="2")])
    assert place.turns.taken == []
    assert place.rows() == {1: "waiting", 2: "waiting"}
    go.set()
    await look
    await place.lanes.idle()
    assert "\n".join(place.turns.taken).splitlines() == ["1", "2"]


async def test_of_chats_with_news_all_that_waits_is_taken_up_in_order_and_of_others_nothing() -> (
    None
):
    place = Place()
    told = [(3, 7, "3"), (1, 7, "1"), (2, 8, "2"), (4, 9, "4")]
    await place.has_on_disk(*(update(n, chat=chat, text=text) for n, chat, text in told))
    found: list[int] = []
    await place.lanes.take_up({7, 9}, lambda item: found.append(item.update_id))
    await place.lanes.take_up({7, 9})
    await place.lanes.idle()
    assert found == [1, 3, 4]
    assert sorted(place.turns.taken) == ["1\n3", "4"]
    assert place.rows() == {1: "done", 2: "waiting", 3: "done", 4: "done"}


async def test_news_of_a_chat_waits_behind_what_is_left_on_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "AT_ONE_TIME", 2)
    place = Place()
    texts = ["1 slowly", "2 slowly", "3", "4"]
    await place.has_on_disk(*(update(n, chat=n, text=t) for n, t in enumerate(texts[:2], 1)))
    await place.has_on_disk(update(3, chat=7, text="3"))
    await place.lanes.resume()
    await eventually(lambda: len(place.turns.taken) == 2)
    await place.has_on_disk(update(4, chat=7, text="4"))
    await place.lanes.take_up({7})
    assert place.turns.taken == ["1 slowly", "2 slowly"]
    place.turns.go.set()
    await place.lanes.idle()
    assert "\n".join(place.turns.taken[2:]).splitlines() == ["3", "4"]


async def test_a_chat_whose_turn_is_under_way_is_told_at_once(place: Place) -> None:
    first = asyncio.create_task(place.queue.keep([update(1, text="slowly")]))
    await eventually(lambda: place.turns.taken == ["slowly"])
    # Telegram brings a chat's next message only once it is told that we have this one.
    async with asyncio.timeout(ingress.HELD_SECONDS / 2):
        await place.queue.keep([update(2)])
    assert place.rows() == {1: "waiting", 2: "waiting"}, "never the second without the first"
    place.turns.go.set()
    await first
    await place.lanes.idle()
    assert place.rows() == {1: "done", 2: "done"}


async def test_the_first_piece_of_a_paste_is_told_at_once(place: Place) -> None:
    async with asyncio.timeout(ingress.HELD_SECONDS / 2):
        await place.queue.keep([update(1, text="long " * 400)])
    await place.queue.keep([update(2, text="end")])
    await place.lanes.idle()
    assert len(place.turns.taken) == 1
    assert place.turns.taken[0].endswith("end")


async def test_while_nothing_can_be_kept_nothing_new_is_begun(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "HELD_SECONDS", 0.01)
    place.store.fails_with = FULL
    for number in range(1, 6):
        with pytest.raises(StoreUnavailable):
            await place.queue.keep([update(number, chat=number)])
    assert place.turns.taken == ["hello"], "the first only, before we knew"
    place.store.fails_with = None
    await place.queue.keep([update(number, chat=number) for number in range(1, 6)])
    await place.lanes.idle()
    assert place.rows() == dict.fromkeys(range(1, 6), "done")


async def test_what_failed_after_the_disk_was_full_is_set_aside_with_its_words(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "HELD_SECONDS", 0.01)
    place.store.fails_with = FULL
    with pytest.raises(StoreUnavailable):
        await place.queue.keep([update(1, text="slowly poison")])
    place.store.fails_with = None
    place.turns.go.set()
    await place.lanes.idle()
    assert place.rows() == {1: "quarantined"}
    assert "poison" in place.words(1)


@pytest.mark.parametrize("was_written", [False, True])
async def test_one_that_could_not_be_kept_nor_begun_is_taken_up_when_it_is_kept(
    was_written: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = type(place.store.work()).commit

    async def doubtful(self: object, within: float = 0.0) -> None:
        if was_written:
            await commit(self, within)  # type: ignore[arg-type]
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(type(place.store.work()), "commit", doubtful)
        with pytest.raises(StoreUnavailable):
            # The second cannot begin, and is not kept as far as anybody knows.
            await place.queue.keep([update(1, text="1 slowly"), update(2, text="2")])
    await place.queue.keep([update(3, text="3")])
    place.turns.go.set()
    await place.queue.keep([update(1, text="1 slowly"), update(2, text="2")])
    await place.lanes.idle()
    lines = "\n".join(place.turns.taken).splitlines()
    assert list(dict.fromkeys(lines)) == ["1 slowly", "2", "3"]
    assert place.rows() == dict.fromkeys((1, 2, 3), "done")


async def test_where_only_unreadable_things_came_before_they_are_not_taken_for_updates() -> None:
    place = Place()
    await place.queue.keep([{"no": "number"}])
    await place.queue.hold(place.lanes.begin)
    await place.queue.keep([{"a": number} for number in range(8)])
    await place.lanes.idle()
    assert set(place.rows().values()) == {"quarantined"}
    assert place.turns.taken == []


@pytest.mark.parametrize("error", [FULL, RuntimeError("a mistake of ours")])
async def test_a_backlog_is_taken_up_again_when_the_disk_is_back(
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "AT_ONE_TIME", 1)
    monkeypatch.setattr(lanes, "PAUSES", (0.01,))
    place = Place()
    await place.has_on_disk(update(1, text="1"), update(2, text="2"))
    await place.lanes.resume()
    waiting = type(place.store.work().inbox).waiting
    is_away = True

    async def away(self: object, *given: object, **named: object) -> object:
        if is_away:
            raise error
        return await waiting(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(place.store.work().inbox), "waiting", away)
    await eventually(lambda: place.lanes.trouble is not None)
    assert place.lanes.is_idle, "nobody waits for a disk that is away"
    is_away = False
    await eventually(lambda: place.turns.taken == ["1", "2"])
    assert place.lanes.trouble is None


async def test_stopping_leaves_on_disk_what_was_not_begun(place: Place) -> None:
    await place.lanes.stop()
    await place.queue.keep([update(1)])
    assert place.rows() == {1: "waiting"}
    assert place.turns.taken == []

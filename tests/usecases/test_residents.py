"""A resident's turn over the ports: one commit, one effect, always an answer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.core.story import Folder, StoryStatus
from bot.core.turn import Heard, Say
from bot.usecases.outgoing import move_of
from bot.usecases.ports import Conflict, InboxItem, Reader, Retriever, Store, StoreUnavailable
from bot.usecases.residents import CONFLICT_TRIES, Residents, Sender
from tests.fakes import (
    AwayRetriever,
    FixedClock,
    ScriptedScreener,
    SteadyReader,
    catalogue,
    corpus_retriever,
)
from tests.fakes_store import MemoryStore, MemoryUnitOfWork
from tests.store.places import PLACES, everything_held, opened

ANA = Sender(telegram_id=7, chat_id=7)
TOLD = "The boiler died in January and I knocked on the door of number nine."


class Person:
    """One resident at the use case, each thing done being an update that was kept first."""

    def __init__(self, store: Store, reader: Reader | None = None, search: Retriever | None = None):
        self.store, self.clock = store, FixedClock()
        self.reader = reader or SteadyReader()
        ids = itertools.count(1)
        self.residents = Residents(
            store,
            self.reader,
            ScriptedScreener(),
            search or corpus_retriever(),
            catalogue(),
            self.clock,
            lambda: f"id{next(ids)}",
            patience=0.05,
        )
        self.update_id = 0

    async def does(self, heard: Heard) -> list[str]:
        """Receive it, take the turn, and send what is said; the keys of it."""
        self.update_id += 1
        async with self.store.work() as work:
            await work.inbox.put(InboxItem(self.update_id, 7, "{}", self.clock.now()))
            await work.commit()
        await self.residents.hear(ANA, heard, [self.update_id])
        return await self.hears_back()

    async def hears_back(self) -> list[str]:
        """Take what waits in the outbox; its message keys, in order."""
        keys: list[str] = []
        async with self.store.work() as work:
            for item in await work.outbox.waiting():
                move = move_of(item.body)
                lines = move.lines if isinstance(move, Say) else (move.line,)
                keys += [line.key for line in lines]
                assert item.id is not None
                await work.outbox.sent(item.id, 1)
            await work.commit()
        return keys

    async def says(self, text: str) -> list[str]:
        return await self.does(Heard(text=text, profile_name="Ana", language_code="en"))

    async def presses(self, choice: str) -> list[str]:
        folder = await self.folder()
        turn = folder.session.notes["offered_turn"]
        assert isinstance(turn, int)
        return await self.does(Heard(choice=choice, turn=turn))

    async def folder(self) -> Folder:
        async with self.store.work() as work:
            folder = await work.folders.by_chat(7)
        assert folder is not None
        return folder

    async def joins(self) -> Person:
        await self.does(Heard(command="start"))
        for choice in ("speak:en", "adult", "agree", "skip", "skip", "skip"):
            await self.presses(choice)
        return self

    async def tells(self, text: str = TOLD) -> list[str]:
        await self.says(text)
        return await self.presses("thats_it")


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def test_a_conversation_goes_through_the_store_and_back(store: Store) -> None:
    person = await Person(store).joins()
    keys = await person.tells()
    assert keys == ["coaching.reflect.plain", "questions.missing.self.challenge.1"]
    story = (await person.folder()).story
    assert story is not None and story.whole() == TOLD


async def test_a_repeated_update_has_one_effect(store: Store) -> None:
    """Telegram may deliver twice: the second is known by its id and never becomes a turn."""
    person = await Person(store).joins()
    await person.says(TOLD)
    async with store.work() as work:
        again = await work.inbox.put(InboxItem(person.update_id, 7, "{}", person.clock.now()))
        await work.commit()
        assert not again
        assert await work.inbox.waiting() == []
    story = (await person.folder()).story
    assert story is not None and [p.pieces for p in story.parts.values()] == [[TOLD], [], []]


async def test_a_second_tap_changes_nothing_and_says_nothing(store: Store) -> None:
    person = await Person(store).joins()
    await person.says(TOLD)
    turn = (await person.folder()).session.notes["offered_turn"]
    assert isinstance(turn, int)
    first = await person.does(Heard(choice="thats_it", turn=turn))
    second = await person.does(Heard(choice="thats_it", turn=turn))
    assert first and not second
    story = (await person.folder()).story
    assert story is not None and story.whole() == TOLD


async def test_the_update_is_done_in_the_same_commit_as_its_answer(store: Store) -> None:
    person = Person(store)
    await person.does(Heard(command="start"))
    async with store.work() as work:
        assert await work.inbox.waiting() == []
        assert (await work.inbox.counts())["done"] == 1


async def test_two_turns_at_once_are_both_taken_one_after_the_other(store: Store) -> None:
    """The loser of the race loads anew and repeats; both messages are in the telling."""
    person = await Person(store).joins()
    one, two = "first I heard coughing through the wall", "then I turned and knocked"
    await asyncio.gather(
        person.residents.hear(ANA, Heard(text=one), [101]),
        person.residents.hear(ANA, Heard(text=two), [102]),
    )
    story = (await person.folder()).story
    assert story is not None
    (pieces, *_) = [p.pieces for p in story.parts.values()]
    assert sorted(pieces) == sorted([one, two])
    assert len(await person.hears_back()) == 2


async def test_forget_erases_everything_and_gives_a_receipt(store: Store) -> None:
    person = await Person(store).joins()
    await person.tells()
    await person.does(Heard(command="forget"))
    keys = await person.presses("erase_everything")
    assert keys[:2] == ["rights.forgotten", "rights.receipt.database"]
    assert keys[-1] == "rights.receipt_end"
    assert "number nine" not in await everything_held(store)
    async with store.work() as work:
        assert await work.folders.by_chat(7) is None
    assert await person.says("hello") == ["arriving.welcome"]


async def test_withdrawing_takes_the_words_and_leaves_a_wordless_record(store: Store) -> None:
    person = await Person(store).joins()
    await person.tells()
    await person.does(Heard(command="withdraw"))
    assert "rights.withdrawn" in await person.presses("withdraw_now")
    (story,) = (await person.folder()).stories
    assert story.status is StoryStatus.WITHDRAWN and not story.whole()
    assert "number nine" not in await everything_held(store)


async def test_before_consent_nothing_typed_is_in_the_store(store: Store) -> None:
    person = Person(store)
    await person.says("I want to tell you about the boiler at number nine")
    await person.presses("speak:en")
    await person.says("I want to tell you about the boiler at number nine")
    held = await everything_held(store)
    assert "number nine" not in held and "Ana" not in held


async def test_a_step_of_an_older_version_is_met_with_a_choice(store: Store) -> None:
    person = await Person(store).joins()
    async with store.work() as work:
        folder = await work.folders.by_chat(7)
        assert folder is not None
        folder.session.step = "a_step_long_gone"
        await work.folders.save(folder)
        await work.commit()
    assert await person.says("hello there") != []
    assert (await person.folder()).session.step == "choose_part"


# -- what is out of reach -----------------------------------------------------------------------


class SlowReader(SteadyReader):
    """Takes longer than anybody waits."""

    async def read(self, *_: object) -> object:  # type: ignore[override]
        await asyncio.sleep(30)
        raise AssertionError("nobody should wait for this")


@pytest.mark.parametrize("away", [True, False], ids=["unavailable", "too slow"])
async def test_without_a_reader_there_is_still_a_good_question(away: bool) -> None:
    reader = SteadyReader() if away else SlowReader()
    reader.is_away = away
    person = await Person(MemoryStore(), reader).joins()
    keys = await person.tells()
    assert keys == ["coaching.reflect.plain", "questions.missing.self.challenge.1"]


async def test_without_examples_the_coach_says_so_and_goes_on() -> None:
    person = await Person(MemoryStore(), search=AwayRetriever()).joins()
    assert await person.presses("example") == ["example.none", "telling.your_turn"]
    assert (await person.folder()).session.step == "telling"


async def test_a_failing_save_leaves_nothing_and_the_turn_can_be_taken_again() -> None:
    store = MemoryStore()
    person = await Person(store).joins()
    before = repr(store.state)
    store.fails_with = StoreUnavailable("The disk is full.")
    with pytest.raises(StoreUnavailable):
        await person.residents.hear(ANA, Heard(text=TOLD), [99])
    assert repr(store.state) == before
    store.fails_with = None
    assert (await person.says(TOLD))[0].startswith("telling.listening")


async def test_a_failing_reader_of_an_unknown_kind_changes_nothing() -> None:
    class Broken(SteadyReader):
        async def read(self, *_: object) -> object:  # type: ignore[override]
            raise RuntimeError("a bug")

    store = MemoryStore()
    person = await Person(store, Broken()).joins()
    await person.says(TOLD)
    before = repr(store.state.folders)
    with pytest.raises(RuntimeError):
        await person.presses("thats_it")
    assert repr(store.state.folders) == before


class Contested(MemoryStore):
    """Another process is quicker, a given number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0

    def work(self):  # type: ignore[no-untyped-def]
        made = MemoryUnitOfWork(self, self._writers)
        save: Callable[[Folder], object] = made.folders.save

        async def contested(folder: Folder) -> None:
            if self.losses:
                self.losses -= 1
                raise Conflict("changed meanwhile")
            await save(folder)  # type: ignore[misc]

        made.folders.save = contested  # type: ignore[method-assign]
        return made


async def test_a_conflict_is_taken_anew_and_has_one_effect() -> None:
    store = Contested()
    person = await Person(store).joins()
    store.losses = CONFLICT_TRIES - 1
    keys = await person.says(TOLD)
    assert len(keys) == 1
    story = (await person.folder()).story
    assert story is not None and story.parts[next(iter(story.parts))].pieces == [TOLD]


async def test_a_conflict_that_never_ends_is_told_and_leaves_nothing() -> None:
    store = Contested()
    person = await Person(store).joins()
    store.losses = CONFLICT_TRIES
    before = repr(store.state)
    with pytest.raises(Conflict):
        await person.residents.hear(ANA, Heard(text=TOLD), [99])
    assert repr(store.state) == before

"""A resident coached through the real use case, with a model at the other end of real HTTP."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

from bot.core.story import Folder
from bot.core.turn import Abilities, Heard, Say
from bot.llm.coach import ModelCoach, Where
from bot.llm.instructions import Instructions
from bot.usecases.modelled import Budget, Modelled
from bot.usecases.outgoing import move_of
from bot.usecases.ports import Coach, InboxItem, Screener
from bot.usecases.residents import Residents, Sender
from tests.fakes import (
    FixedClock,
    ScriptedScreener,
    SteadyReader,
    catalogue,
    corpus_retriever,
)
from tests.fakes_store import MemoryStore

ANA = Sender(telegram_id=7, chat_id=7)
AT = "model.example.org"


class Counting:
    """The Meter of a test."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sums: Counter[str] = Counter()

    def count(self, what: str, kind: str, outcome: str = "") -> None:
        self.counts[(what, kind)] += 1

    def add(self, what: str, amount: float) -> None:
        self.sums[what] += amount  # type: ignore[assignment]

    def took(self, what: str, seconds: float, kind: str = "") -> None:
        self.counts[("took", what)] += 1

    def outcomes(self) -> dict[str, int]:
        """Readings asked of a model, by outcome."""
        return {kind: n for (what, kind), n in self.counts.items() if what == "model"}

    def refusals(self) -> dict[str, int]:
        """What was refused, by reason."""
        return {kind: n for (what, kind), n in self.counts.items() if what == "refusal"}


class Coached:
    """One resident who said yes to a model."""

    def __init__(
        self,
        coach: Coach,
        *,
        deadline: float = 1.5,
        budget: Budget | None = None,
        screener: Screener | None = None,
        language: str = "en",
    ) -> None:
        self.store, self.clock, self.meter = MemoryStore(), FixedClock(), Counting()
        self.reader, self.language = SteadyReader(), language
        screener = screener or ScriptedScreener()
        ids = itertools.count(1)
        self.residents = Residents(
            self.store,
            self.reader,
            screener,
            corpus_retriever(),
            catalogue(),
            self.clock,
            lambda: f"id{next(ids)}",
            model=Modelled(coach, screener, self.store, self.clock, self.meter, budget, deadline),
            able=Abilities(AT),
        )
        self.update_id, self.took = 0, 0.0

    async def does(self, heard: Heard) -> list[str]:
        """Take a turn; the lines said, as text."""
        self.update_id += 1
        async with self.store.work() as work:
            await work.inbox.put(InboxItem(self.update_id, 7, "{}", self.clock.now()))
            await work.commit()
        began = time.monotonic()
        await self.residents.hear(ANA, heard, [self.update_id])
        self.took = time.monotonic() - began
        self.keys: list[str] = []
        said = []
        async with self.store.work() as work:
            for item in await work.outbox.waiting():
                move = move_of(item.body)
                lines = move.lines if isinstance(move, Say) else (move.line,)
                self.keys += [line.key for line in lines]
                said += [catalogue().text(line, self.language) for line in lines]
                assert item.id is not None
                await work.outbox.sent(item.id, 1)
            await work.commit()
        return said

    async def says(self, text: str) -> list[str]:
        return await self.does(
            Heard(text=text, profile_name="Ana Gil", language_code=self.language)
        )

    async def presses(self, choice: str) -> list[str]:
        turn = (await self.folder()).session.notes["offered_turn"]
        assert isinstance(turn, int)
        return await self.does(Heard(choice=choice, turn=turn, profile_name="Ana Gil"))

    async def folder(self) -> Folder:
        async with self.store.work() as work:
            folder = await work.folders.by_chat(7)
        assert folder is not None
        return folder

    async def joins(self, answer: str = "model_yes") -> Coached:
        """Hello, language, age, consent, and an answer about the model; then no sketch."""
        await self.does(Heard(command="start"))
        for choice in (f"speak:{self.language}", "adult", "agree", answer, "skip", "skip", "skip"):
            await self.presses(choice)
        return self

    async def tells(self, text: str) -> list[str]:
        """Type it, then that's it."""
        await self.says(text)
        return await self.presses("thats_it")


def coach_at(where: Where, seconds: float = 1.2, folder: Path | None = None) -> ModelCoach:
    """The real adapter, with the newest instructions."""
    return ModelCoach(where, Instructions.load(), seconds)

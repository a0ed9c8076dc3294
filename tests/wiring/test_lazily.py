"""Heavy parts load in the background; what cannot be loaded never silences the coach."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from bot.core.care import Safety
from bot.core.narrative import Element, StoryOf
from bot.screening.screener import EmbeddedScreener
from bot.settings import load_settings
from bot.usecases.ports import ReaderUnavailable, RetrievalUnavailable
from bot.wiring import DaemonThreads, Lazily, Parts


class BrokenParts(Parts):
    """Named parts cannot be loaded."""

    def __init__(self, home: Path, *broken: str) -> None:
        super().__init__(load_settings(coach_home=home))
        self.broken = broken
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> object:
        if name in ("embedder", "screener", "reader", "retriever", "rules_alone"):
            self.asked.append(name)
            if name in self.broken:
                raise OSError(f"{name} is not on this disk")
            if name == "embedder":
                return object()
        return super().__getattribute__(name)


async def test_danger_is_seen_by_rules_alone_when_the_embeddings_are_gone(tmp_path: Path) -> None:
    lazily = Lazily(BrokenParts(tmp_path, "embedder"))
    assert await lazily.safety("I am going to kill myself tonight.", "en") is Safety.CRISIS
    assert await lazily.safety("They are closing the 14 bus.", "en") is Safety.NONE
    assert [s.text for s in await lazily.privacy("Write to ana@example.org", "en")] == [
        "ana@example.org"
    ]


async def test_danger_is_seen_by_rules_when_the_embeddings_fail_mid_way(tmp_path: Path) -> None:
    class Failing:
        async def safety(self, text: str, language: str) -> Safety:
            raise MemoryError

    parts = BrokenParts(tmp_path)
    parts.__dict__["screener"] = Failing()
    assert await Lazily(parts).safety("I am going to kill myself tonight.", "en") is Safety.CRISIS


async def test_no_message_passes_unscreened_when_even_the_rules_are_gone(tmp_path: Path) -> None:
    lazily = Lazily(BrokenParts(tmp_path, "embedder", "rules_alone"))
    with pytest.raises(OSError, match="rules_alone"):
        await lazily.safety("They are closing the 14 bus.", "en")


async def test_a_reader_or_index_that_cannot_load_is_unavailable(tmp_path: Path) -> None:
    lazily = Lazily(BrokenParts(tmp_path, "reader", "retriever"))
    with pytest.raises(ReaderUnavailable):
        await lazily.read(StoryOf.SELF, "I turned and knocked.", "en")
    with pytest.raises(RetrievalUnavailable):
        await lazily.search(Element.SELF_CHOICE, "en")


async def test_each_part_is_loaded_once_however_many_ask(tmp_path: Path) -> None:
    parts = BrokenParts(tmp_path)
    parts.__dict__["screener"] = EmbeddedScreener()
    lazily = Lazily(parts)
    await asyncio.gather(*(lazily.safety("We met.", "en") for _ in range(20)))
    assert parts.asked.count("screener") == 1 and parts.asked.count("embedder") == 1


async def test_warming_waits_for_the_first_answer_and_survives_what_is_broken(
    tmp_path: Path,
) -> None:
    parts = BrokenParts(tmp_path, "embedder", "reader", "retriever")
    answered = asyncio.Event()

    async def first_answer() -> None:
        await answered.wait()

    warming = asyncio.create_task(Lazily(parts).warm(first_answer))
    await asyncio.sleep(0.05)
    assert parts.asked == []
    answered.set()
    await asyncio.wait_for(warming, 5)
    assert {"embedder", "reader"} <= set(parts.asked)


def test_leaving_waits_for_no_background_work() -> None:
    hung = threading.Event()

    async def leave() -> str:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        slow = asyncio.create_task(asyncio.to_thread(hung.wait, 60))
        quick = await asyncio.to_thread(lambda: "done")
        slow.cancel()
        return quick

    before = time.monotonic()
    assert asyncio.run(leave()) == "done"
    assert time.monotonic() - before < 5
    hung.set()


async def test_background_work_that_fails_raises_where_it_was_asked_for() -> None:
    asyncio.get_running_loop().set_default_executor(DaemonThreads())
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 // 0)

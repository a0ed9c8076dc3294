"""What every reader promises, scripted or embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bot.core.narrative import ORDER_OF_CARE, Element, Reading, Status, StoryOf
from bot.reading.embedded import EmbeddedReader
from bot.usecases.ports import Reader
from tests.reading.scripted import ScriptedReader

TEXT = (
    "In January the boiler died. I heard coughing through the wall. My hand was on my own door; "
    'I turned and knocked on hers. "Come in," she said, and by nine six of us were cooking.'
)

GARBAGE = ["", "   \n", "🙂🙂🙂", "...!?", "\0\0", "a\0b", "\u200f\u202e", "\ud800", "<&>{0}%s"]


def scripted() -> Reader:
    heard = Reading(
        StoryOf.SELF,
        dict.fromkeys(ORDER_OF_CARE[StoryOf.SELF], Status.WEAK),
        {e: "I heard coughing through the wall." for e in ORDER_OF_CARE[StoryOf.SELF]},
        line="words nobody wrote",
    )
    return ScriptedReader([heard])


@pytest.fixture(scope="module")
def embedded() -> EmbeddedReader:
    return EmbeddedReader.bundled()


@pytest.fixture(params=["scripted", "embedded"])
def reader(request: pytest.FixtureRequest, embedded: EmbeddedReader) -> Reader:
    makers: dict[str, Callable[[], Reader]] = {"scripted": scripted, "embedded": lambda: embedded}
    return makers[request.param]()


async def test_a_reading_gives_every_element_of_the_stage_and_no_other(reader: Reader) -> None:
    reading = await reader.read(StoryOf.SELF, TEXT, "en")
    assert set(reading.statuses) == set(ORDER_OF_CARE[StoryOf.SELF])


async def test_quotations_are_the_tellers_own_words(reader: Reader) -> None:
    reading = await reader.read(StoryOf.SELF, TEXT, "en")
    assert all(quote in TEXT for quote in reading.evidence.values())
    assert reading.line is None or reading.line in TEXT


async def test_exactly_what_is_there_is_quoted(reader: Reader) -> None:
    reading = await reader.read(StoryOf.SELF, TEXT, "en")
    there = {e for e, s in reading.statuses.items() if s is not Status.MISSING}
    assert set(reading.evidence) == there


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize("stage", list(StoryOf))
async def test_text_without_words_reads_without_a_crash(
    text: str, stage: StoryOf, embedded: EmbeddedReader
) -> None:
    for reader in (ScriptedReader(), embedded):
        reading = await reader.read(stage, text, "en")
        assert set(reading.statuses) == set(ORDER_OF_CARE[stage])
        assert all(quote in text for quote in reading.evidence.values())


async def test_the_language_may_be_wrong_or_unknown(reader: Reader) -> None:
    assert await reader.read(StoryOf.SELF, TEXT, "pt")
    assert await reader.read(StoryOf.SELF, TEXT, "")


async def test_two_tellings_can_be_read_at_once(reader: Reader) -> None:
    first, second = await asyncio.gather(
        reader.read(StoryOf.SELF, TEXT, "en"), reader.read(StoryOf.NOW, TEXT, "en")
    )
    assert Element.SELF_CHOICE in first.statuses
    assert Element.NOW_ASK in second.statuses

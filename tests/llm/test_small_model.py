"""A real model behind a real server, bad enough to prove the guards.

Its replies are made once in a run, in real constrained JSON, and then said again over HTTP in every
conversation: asking it afresh for each of some hundred readings would take a quarter of an hour on
two cores.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.coaching import CoachingNotes
from bot.core.guards import judge, weigh
from bot.core.narrative import StoryOf
from bot.llm.coach import ModelCoach
from bot.llm.instructions import Instructions
from bot.usecases.ports import CoachUnavailable, ToModel
from tests.conversations.script import Dialogue, dialogues
from tests.conversations.test_conversations import play
from tests.fakes import ScriptedScreener, SteadyReader, corpus_retriever, reading
from tests.llm.residents import Coached
from tests.llm.servers import Answer, Where, again, forwards, small_model, told_server
from tests.llm.test_faults import TOLD

TELLINGS = (
    (StoryOf.US, "es", "Éramos once en la escalera. La misma carta nos llegó a todos el martes."),
    (StoryOf.NOW, "en", "The fund shuts on 30 April. Bring two forms to the laundry by Thursday."),
    (StoryOf.SELF, "en", TOLD),
)
MOST_TOKENS = 260
"""Of an answer: more, and the small model only goes on and on."""


@pytest.fixture(scope="module")
def model() -> Iterator[Where]:
    with small_model() as where:
        yield where


@pytest.fixture(scope="module")
def heard(model: Where) -> tuple[list[Answer], Counter[str]]:
    """What the small model said to each telling, and what became of it."""
    kept: list[Answer] = []
    fates: Counter[str] = Counter()
    with told_server(forwards(model, kept)) as server:
        coach = ModelCoach(server.where, Instructions.load(), 110, most_tokens=MOST_TOKENS)

        async def ask_all() -> None:
            # In one loop: a connection that is kept open belongs to the loop it was made in.
            for stage, language, text in TELLINGS:
                fates.update(await fate(coach, stage, language, text))

        asyncio.run(ask_all())
    return kept, fates


async def fate(coach: ModelCoach, stage: StoryOf, language: str, text: str) -> Counter[str]:
    """What was refused of one reply; what is not refused must be right."""
    try:
        found = await coach.coach(ToModel(stage, text, language))
    except CoachUnavailable as error:
        return Counter([error.reason])
    weighed = weigh(found.reply, reading(stage), text, language, CoachingNotes())
    assert all(quote in text for quote in weighed.reading.evidence.values())
    suggestion = weighed.reading.suggestion
    if suggestion is not None:
        assert judge(suggestion.question, text, language) is None
        return Counter(["passed"])
    return Counter(str(refusal) for refusal in weighed.refusals)


def test_a_bad_model_is_refused_and_never_believed(
    heard: tuple[list[Answer], Counter[str]],
) -> None:
    kept, fates = heard
    assert len(kept) == len(TELLINGS)
    assert fates - Counter(passed=len(TELLINGS)), "the small model was never once refused"


@pytest.mark.parametrize("dialogue", dialogues(), ids=lambda d: d.name)
async def test_every_conversation_ends_well_with_it_switched_on(
    dialogue: Dialogue,
    heard: tuple[list[Answer], Counter[str]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rooms = SteadyReader(), ScriptedScreener(), corpus_retriever()
    with told_server(again(heard[0])) as server:
        await play(dialogue, tmp_path, rooms, caplog, f"{server.address}/v1")


async def test_asked_live_it_never_keeps_anybody_waiting(model: Where) -> None:
    coach = ModelCoach(model, Instructions.load(), 1.9)
    ana = await Coached(coach, deadline=2.0).joins()
    began = time.monotonic()
    said = await ana.tells(TOLD)
    assert time.monotonic() - began < 5
    assert said[-1].count("?") == 1

"""What every model coach promises: one reply to one telling, or CoachUnavailable, never more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bot.core.narrative import ORDER_OF_CARE, StoryOf
from bot.usecases.ports import Coach, CoachUnavailable, Spent, ToModel
from tests.llm.residents import coach_at
from tests.llm.servers import refuses, says, stalls, told_server
from tests.llm.test_faults import TOLD, answer
from tests.llm.test_modelled import Ready, Thinking

TELLING = ToModel(StoryOf.SELF, TOLD, "en")


@pytest.fixture(params=["scripted", "over HTTP"])
def ready(request: pytest.FixtureRequest) -> Iterator[Coach]:
    if request.param == "scripted":
        yield Ready(Spent(800, 0.01))
        return
    with told_server(says(answer())) as server:
        yield coach_at(server.where)


@pytest.fixture(params=["scripted", "over HTTP"])
def thinking(request: pytest.FixtureRequest) -> Iterator[Coach]:
    if request.param == "scripted":
        yield Thinking()
        return
    with told_server(stalls(3)) as server:
        yield coach_at(server.where, 30)


async def test_a_reply_speaks_of_the_telling_s_stage_and_says_what_it_cost(ready: Coach) -> None:
    found = await ready.coach(TELLING)
    assert found.reply.stage is StoryOf.SELF
    assert set(found.reply.statuses) == set(ORDER_OF_CARE[StoryOf.SELF])
    assert found.spent.tokens > 0


async def test_an_estimate_is_never_nothing(ready: Coach, thinking: Coach) -> None:
    assert ready.estimate(TELLING).tokens > 0 and thinking.estimate(TELLING).tokens > 0


async def test_it_can_be_given_up_at_once(thinking: Coach) -> None:
    asking = asyncio.create_task(thinking.coach(TELLING))
    await asyncio.sleep(0.2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 1)


async def test_several_can_be_asked_at_once(ready: Coach) -> None:
    replies = await asyncio.gather(*(ready.coach(TELLING) for _ in range(5)))
    assert len(replies) == 5


async def test_trouble_is_a_fixed_word() -> None:
    with told_server(refuses(401)) as server, pytest.raises(CoachUnavailable) as raised:
        await coach_at(server.where).coach(TELLING)
    assert raised.value.reason == "refused_key" and "taxi" not in str(raised.value)

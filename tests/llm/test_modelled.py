"""A model is asked only with a yes, in time, within a budget, and given no more than it needs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.care import SpanKind
from bot.core.guards import Reply
from bot.core.narrative import ORDER_OF_CARE, Element, Status, StoryOf
from bot.core.turn import Heard
from bot.usecases.modelled import EVERYBODY, Budget
from bot.usecases.ports import CoachUnavailable, FromModel, Spent, ToModel
from tests.conversations.playing import opened
from tests.fakes import ScriptedScreener, SteadyReader, corpus_retriever
from tests.llm.residents import ANA, AT, Coached, coach_at
from tests.llm.servers import ToldServer, says, stalls, told_server
from tests.llm.test_faults import GOOD_QUESTION, TOLD, answer


@pytest.fixture
def server() -> Iterator[ToldServer]:
    with told_server(says(answer())) as told:
        yield told


def sent(server: ToldServer) -> str:
    """Everything the server was ever sent, in one text."""
    return "\n".join(str(m["content"]) for body in server.asked for m in body["messages"])


# -- consent ------------------------------------------------------------------------------------


async def test_without_a_yes_nothing_leaves(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins("model_no")
    await ana.tells(TOLD)
    assert ana.keys[-1].startswith("questions.") and server.asked == []


async def test_the_question_says_where_the_words_would_go() -> None:
    with told_server(says(answer())) as server:
        ana = Coached(coach_at(server.where))
        await ana.does(Heard(command="start"))
        for choice in ("speak:en", "adult"):
            await ana.presses(choice)
        said = await ana.presses("agree")
    assert ana.keys == ["model.ask"] and AT in said[0]


async def test_the_young_are_never_asked(server: ToldServer) -> None:
    ana = Coached(coach_at(server.where))
    await ana.does(Heard(command="start"))
    for choice in ("speak:en", "under_18", "agree", "skip", "skip", "skip"):
        await ana.presses(choice)
    await ana.does(Heard(command="model"))
    assert ana.keys[0] == "model.nothing_leaves"
    await ana.tells(TOLD)
    assert server.asked == []


async def test_a_yes_can_be_taken_back_and_privacy_always_says_what_leaves(
    server: ToldServer,
) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    said = await ana.does(Heard(command="privacy"))
    assert "model.leaves.story" in ana.keys and any(AT in line for line in said)
    await ana.does(Heard(command="model"))
    await ana.presses("model_no")
    await ana.does(Heard(command="privacy"))
    assert "model.off" in ana.keys
    await ana.tells(TOLD)
    assert server.asked == []


async def test_a_yes_holds_for_one_place_only(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    resident = (await ana.folder()).resident
    assert resident.lets_model(AT) and not resident.lets_model("elsewhere.example.org")


# -- what is sent -------------------------------------------------------------------------------


async def test_identities_are_taken_out_and_put_back(server: ToldServer) -> None:
    told = "Rosa Pérez, 555 0100, and I split one taxi when the 14 didnt come. snow. Gil said no."
    screener = ScriptedScreener()
    screener.passages += [
        (SpanKind.FULL_NAME_THIRD_PARTY, "Rosa Pérez"),
        (SpanKind.PHONE, "555 0100"),
    ]
    quoting = answer(
        "What made you split the taxi with [name 1]?",
        challenge={"quote": "[name 1], [phone 2], and I split one taxi", "status": "present"},
    )
    server.answers = [says(quoting)]
    ana = await Coached(coach_at(server.where), screener=screener).joins()
    said = await ana.tells(told)
    for identity in ("Rosa", "555", "Gil", "Ana"):
        assert identity not in sent(server)
    assert said[-1] == "What made you split the taxi with Rosa Pérez?"
    assert "Rosa Pérez, 555 0100, and I split one taxi" in said[0]


async def test_the_story_is_never_in_the_system_part_and_cannot_close_its_marks(
    server: ToldServer,
) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    await ana.does(Heard(command="start"))
    (body,) = server.asked
    system, human = body["messages"]
    assert (system["role"], human["role"]) == ("system", "user")
    assert "taxi" not in system["content"] and "taxi" in human["content"]
    mark = human["content"].splitlines()[-1]
    assert human["content"].count(mark) == 3 and mark not in TOLD


async def test_only_the_part_in_hand_is_sent(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    await ana.presses("rest")
    await ana.presses("go_on")
    await ana.says("another part")
    await ana.presses("part:us")
    await ana.tells("We sat on the stairs, eleven of us, and wrote the letter together.")
    assert "eleven" in sent(server)
    last = server.asked[-1]["messages"][-1]["content"]
    assert "taxi" not in last and "self.choice" not in last


async def test_the_answers_shape_is_strict(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    shape = server.asked[0]["response_format"]["json_schema"]
    assert shape["strict"] is True
    assert shape["schema"]["additionalProperties"] is False
    assert set(shape["schema"]["required"]) == set(shape["schema"]["properties"])


async def test_tracing_never_sends_the_story_to_a_third_place(
    server: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with told_server(says("{}")) as third:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", third.address)
        monkeypatch.setenv("LANGSMITH_API_KEY", "key")
        ana = await Coached(coach_at(server.where)).joins()
        await ana.tells(TOLD)
        await asyncio.sleep(0.3)
        assert ana.keys[-1] == "model.question"
        assert third.asked == [] and third.uploads == []


def test_nothing_of_a_model_is_loaded_where_none_is_set() -> None:
    code = (
        "import asyncio, sys\n"
        "from bot.settings import Settings\n"
        "from bot.wiring import Lazily, Parts\n"
        "parts = Parts(Settings(_env_file=None))\n"
        "assert parts.able.at is None\n"
        "import bot.usecases.residents, bot.telegram.app\n"
        "heavy = {'openai', 'langchain_openai', 'langchain_core', 'bot.llm.coach'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=60)


# -- time ---------------------------------------------------------------------------------------


class Thinking:
    """A coach that thinks until it is told to answer, or cancelled."""

    def __init__(self) -> None:
        self.asked: list[ToModel] = []
        self.cancelled = 0
        self.begun = asyncio.Event()

    def estimate(self, telling: ToModel) -> Spent:
        return Spent(1_000, 0.01)

    async def coach(self, telling: ToModel) -> FromModel:
        self.asked.append(telling)
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise CoachUnavailable("failed")


class Ready:
    """A coach that answers at once, at a price."""

    def __init__(self, spent: Spent) -> None:
        self.spent, self.asked = spent, 0

    def estimate(self, telling: ToModel) -> Spent:
        return Spent(10)

    async def coach(self, telling: ToModel) -> FromModel:
        self.asked += 1
        statuses = dict.fromkeys(ORDER_OF_CARE[telling.stage], Status.MISSING)
        return FromModel(
            Reply(telling.stage, statuses, {}, "", Element.SELF_CHALLENGE, GOOD_QUESTION),
            self.spent,
        )


async def test_at_the_deadline_the_embedded_coach_asks() -> None:
    thinking = Thinking()
    ana = await Coached(thinking, deadline=0.3).joins()
    await ana.tells(TOLD)
    assert ana.keys[-1] == "questions.missing.self.challenge.1"
    assert 0.3 <= ana.took < 1.3 and thinking.cancelled == 1
    assert ana.meter.outcomes() == {"late": 1}


async def test_who_writes_on_is_not_kept_waiting() -> None:
    thinking = Thinking()
    ana = await Coached(thinking, deadline=30).joins()
    await ana.says(TOLD)
    turn = asyncio.create_task(ana.presses("thats_it"))
    await asyncio.wait_for(thinking.begun.wait(), 5)
    ana.residents.hurry(999)
    ana.residents.hurry(ANA.chat_id)
    await asyncio.wait_for(turn, 2)
    assert ana.keys[-1] == "questions.missing.self.challenge.1"
    assert thinking.cancelled == 1 and ana.meter.outcomes() == {"hurried": 1}


async def test_a_gentle_pause_is_never_sent(server: ToldServer) -> None:
    from bot.core.care import Safety

    screener = ScriptedScreener()
    screener.danger["he used to hit me"] = Safety.DISTRESS
    ana = await Coached(coach_at(server.where), screener=screener).joins()
    await ana.says("he used to hit me that year")
    await ana.presses("past")
    await ana.tells("then my sister came with her car")
    assert server.asked == []


# -- budget -------------------------------------------------------------------------------------


async def test_a_spent_budget_means_the_embedded_coach_until_tomorrow() -> None:
    ready = Ready(Spent(700, 0.02))
    ana = await Coached(ready, budget=Budget(resident_tokens=1_000)).joins()
    await ana.tells(TOLD)
    await ana.says("i had money for one taxi in my hand")
    await ana.says("my girl was alone at home that night")
    assert ready.asked == 2
    assert ana.meter.outcomes() == {"answered": 2, "over_budget": 1}
    assert ana.meter.sums["tokens"] == 1_400
    ana.clock.passes(days=1)
    await ana.says("we split it at the stop")
    await ana.presses("one_more")
    assert ready.asked == 3


@pytest.mark.parametrize("budget", [Budget(day_tokens=500), Budget(day_dollars=0.01)])
async def test_everybodys_budget_counts_too(budget: Budget) -> None:
    ready = Ready(Spent(700, 0.02))
    ana = await Coached(ready, budget=budget).joins()
    today = ana.clock.now().date()
    async with ana.store.work() as work:
        await work.spendings.add(today, EVERYBODY, Spent(600, 0.02))
        await work.commit()
    await ana.tells(TOLD)
    assert ready.asked == 0 and ana.keys[-1].startswith("questions.")


async def test_a_call_that_was_given_up_is_paid_for_as_well() -> None:
    ana = await Coached(Thinking(), deadline=0.1).joins()
    await ana.tells(TOLD)
    async with ana.store.work() as work:
        spent = await work.spendings.spent(ana.clock.now().date(), EVERYBODY)
    assert spent.tokens == 1_000 and spent.dollars == pytest.approx(0.01)


async def test_tokens_and_dollars_are_counted(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    assert ana.meter.sums["tokens"] == 800
    assert ana.meter.sums["dollars"] == pytest.approx((700 * 1.0 + 100 * 2.0) / 1e6)


# -- never twice, and still there -----------------------------------------------------------------


async def test_a_models_question_is_not_asked_twice(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    assert ana.keys[-1] == "model.question"
    await ana.says("i looked at the money for one taxi in my hand")
    assert ana.keys[-1].startswith("questions.")
    assert ana.meter.refusals() == {"asked_before": 1}


async def test_an_open_question_of_a_model_is_said_again_after_a_rest(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    await ana.presses("rest")
    said = await ana.presses("go_on")
    assert GOOD_QUESTION in said


async def test_pasting_a_models_question_into_the_story_is_known(server: ToldServer) -> None:
    ana = await Coached(coach_at(server.where)).joins()
    await ana.tells(TOLD)
    await ana.says(GOOD_QUESTION)
    story = (await ana.folder()).story
    assert story is not None and story.teller_share() < 1.0


def test_a_stage_has_a_shape_of_its_own() -> None:
    from bot.llm.schema import schema_of

    for stage in StoryOf:
        names: dict[str, Any] = dict(schema_of(stage).model_fields)
        assert list(names)[-3:] == ["value", "aim", "question"]
        assert list(names)[:-3] == [e.short for e in ORDER_OF_CARE[stage]]


async def test_on_telegram_too_a_new_message_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACH_MODEL_DEADLINE", "3")
    rooms = SteadyReader(), ScriptedScreener(), corpus_retriever()
    with told_server(stalls(8)) as server:
        async with opened(tmp_path, *rooms, "en", server.where.base_url) as stage:
            stage.person.says("/start")
            await stage.after("starts")
            for label in ("Yes, in English", "18 or older", "Yes, begin", "Yes, let it help"):
                stage.press(label)
                await stage.after("presses")
            for _ in range(3):
                stage.press("Skip")
                await stage.after("skips")
            stage.person.says(TOLD)
            await stage.after("tells")
            began = time.monotonic()
            stage.person.says("that's it")
            assert await asyncio.to_thread(server.was_asked.wait, 10)
            stage.person.says("and i still had the money for one taxi in my hand")
            turn = await stage.after("writes on")
            # The second reading waits for the whole deadline; the first must not have.
            assert time.monotonic() - began < 2 * 3.0
            asked = [line.key for line in turn.lines if line.key.startswith("questions.")]
            assert len(asked) == 2 and len(server.asked) == 2

"""Whatever a model's server does, the resident gets a good question in time."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest

from bot.core.guards import judge
from bot.core.narrative import ORDER_OF_CARE, StoryOf
from bot.llm.coach import Where
from tests.fakes import reading
from tests.llm.residents import Coached, coach_at
from tests.llm.servers import Answer, hangs_up, refuses, says, sends, stalls, told_server

TOLD = (
    "Last feb the 14 didnt come. snow. me and Rosa at the stop 2am. i had money for one taxi. "
    "i looked at rosa. we split it and i got home 4 oclock"
)
GOOD_QUESTION = "What made you split it, when you had money for one taxi?"
DEADLINE = 1.5
SLACK = 1.0
"""Seconds that a busy machine may add to everything else in a turn."""


def answer(question: str = GOOD_QUESTION, **changed: Any) -> dict[str, Any]:
    """A good answer about TOLD, with parts of it changed."""
    parts: dict[str, Any] = {
        e.short: {"quote": "", "status": "missing"} for e in ORDER_OF_CARE[StoryOf.SELF]
    }
    parts["challenge"] = {"quote": "the 14 didnt come. snow.", "status": "present"}
    return {**parts, "value": "", "aim": "choice", "question": question, **changed}


HALF = json.dumps(answer())[:150]
REWRITTEN = (
    "Last February the bus never came. Snow fell softly as Rosa and I stood shivering, and in that "
    "moment I understood what solidarity means. "
) * 8
ALMOST = {"challenge": {"quote": "The 14 didn't come. Snow.", "status": "present"}}

FAULTS: dict[str, tuple[list[Answer], str]] = {
    "a wrong key": ([refuses(401)], "refused_key"),
    "a forbidden model": ([refuses(403)], "refused_key"),
    "no such model": ([refuses(404)], "refused_request"),
    "too many requests": ([refuses(429)], "rate_limited"),
    "too many requests, come back in a minute": (
        [refuses(429, retry_after="60")],
        "rate_limited",
    ),
    "an error inside": ([refuses(500)], "server_error"),
    "overloaded": ([refuses(503)], "server_error"),
    "a stall": ([stalls(4)], "late"),
    "hanging up half-way": ([hangs_up()], "unreachable"),
    "half a JSON": ([says(HALF)], "not_the_schema"),
    "half a JSON, and saying so": ([says(HALF, "length")], "not_the_schema"),
    "not JSON": ([says("Sure! Here is a question for you.")], "not_the_schema"),
    "a page of HTML": ([sends(200, "<html>gateway</html>")], "not_the_schema"),
    "an empty object": ([says({})], "not_the_schema"),
    "a wrong schema": ([says({"question": GOOD_QUESTION})], "not_the_schema"),
    "a status there is not": (
        [says(answer(choice={"quote": "", "status": "great"}))],
        "not_the_schema",
    ),
    "an element of another stage": ([says(answer(aim="ask"))], "not_the_schema"),
    "more than was asked for": ([says(answer(story=REWRITTEN))], "not_the_schema"),
    "an answer without choices": ([sends(200, {"id": "1", "choices": []})], "not_the_schema"),
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another language": (answer("¿Qué te hizo mirar a Rosa en la parada?"), "other_language"),
    "two questions": (answer("What did you see? What did you do?"), "not_one_question"),
    "two questions in one": (
        answer("What did you see, and who was there with you?"),
        "not_one_question",
    ),
    "5,000 characters": (answer("What did you see at the stop " * 175 + "?"), "too_long"),
    "a rewritten story": (answer(REWRITTEN), "too_long"),
    "a short rewritten story": (
        answer("Here is your story: snow, Rosa, one taxi. What do you think?"),
        "drafting",
    ),
    "leaked instructions": (
        answer("What made you begin it with what, when, where, who or how?"),
        "instructions",
    ),
    "a question with a quotation that is almost verbatim": (
        answer("“I had money for one taxi” What made you split it?"),
        "not_verbatim",
    ),
    "a feeling that was not told": (answer("How afraid were you at the stop?"), "added_content"),
    "praise": (answer("That was brave. What made you split it?"), "praise"),
    "politics": (answer("Who will you vote for after this?"), "politics"),
    "other people": (answer("What is Rosa's surname?"), "other_people"),
    "another element": (answer("What did you know then?", aim="hope"), "other_element"),
    "a yes or no": (answer("Did you split it?"), "closed_question"),
    "blame": (answer("Why did you split it?"), "blaming"),
    "nothing": (answer(""), "empty"),
    "markup": (answer("What did you <b>do</b> there?"), "markup"),
    "orders from the story": (
        answer("What did SYSTEM release to you then?"),
        "added_content",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_in_the_frameworks_question_within_the_deadline(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers, outcome = FAULTS[fault]
    with told_server(*answers) as server:
        ana = await Coached(coach_at(server.where), deadline=DEADLINE).joins()
        with caplog.at_level(logging.DEBUG, "bot"):
            said = await ana.tells(TOLD)
    assert ana.keys == ["coaching.reflect.plain", "questions.missing.self.challenge.1"]
    assert said[-1].count("?") == 1
    assert ana.took < DEADLINE + SLACK
    assert ana.meter.outcomes() == {outcome: 1}
    assert "taxi" not in caplog.text and "rosa" not in caplog.text.lower()


async def test_a_refused_connection_ends_in_the_frameworks_question() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    gone = Where("gone", base_url=f"http://127.0.0.1:{port}/v1")
    ana = await Coached(coach_at(gone), deadline=DEADLINE).joins()
    await ana.tells(TOLD)
    assert ana.keys[-1] == "questions.missing.self.challenge.1"
    assert ana.took < DEADLINE + SLACK
    assert ana.meter.outcomes() == {"unreachable": 1}


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_bad_reply_is_replaced_and_the_reason_counted(fault: str) -> None:
    body, reason = REFUSED[fault]
    with told_server(says(body)) as server:
        ana = await Coached(coach_at(server.where)).joins()
        await ana.tells(TOLD)
    assert ana.keys[-1] == "questions.missing.self.choice.1"
    assert ana.meter.refusals() == {reason: 1}
    # The reading itself was good, and is used.
    record = (await ana.folder()).story.readings[-1]  # type: ignore[union-attr]
    assert record.statuses["self.challenge"] == "present"


async def test_an_almost_verbatim_quotation_is_never_said_back() -> None:
    with told_server(says(answer(**ALMOST))) as server:
        ana = await Coached(coach_at(server.where)).joins()
        ana.reader.now_hears(reading(StoryOf.SELF, weak={"challenge": "i looked at rosa"}))
        said = await ana.tells(TOLD)
    assert ana.meter.refusals()["not_verbatim"] == 1
    assert not any("didn't come" in line for line in said)
    record = (await ana.folder()).story.readings[-1]  # type: ignore[union-attr]
    assert record.statuses["self.challenge"] == "weak"


async def test_a_good_reply_is_asked_in_the_models_words() -> None:
    with told_server(says(answer())) as server:
        ana = await Coached(coach_at(server.where)).joins()
        said = await ana.tells(TOLD)
    assert ana.keys[-1] == "model.question"
    assert said[-1] == GOOD_QUESTION and judge(GOOD_QUESTION, TOLD, "en") is None
    assert "the 14 didnt come. snow." in said[0]
    record = (await ana.folder()).story.readings[-1]  # type: ignore[union-attr]
    assert record.reader == "told/coach-1"
    assert ana.meter.outcomes() == {"answered": 1} and not ana.meter.refusals()


async def test_a_busy_server_is_asked_once_more_and_a_key_never_again() -> None:
    with told_server(refuses(503), says(answer())) as server:
        ana = await Coached(coach_at(server.where, 4.5), deadline=5).joins()
        await ana.tells(TOLD)
        assert ana.keys[-1] == "model.question" and len(server.asked) == 2
    with told_server(refuses(401)) as server:
        ana = await Coached(coach_at(server.where)).joins()
        await ana.tells(TOLD)
        await ana.says("i looked at the money for one taxi in my hand")
        assert len(server.asked) == 1
    assert ana.meter.outcomes() == {"refused_key": 1, "resting": 1}


async def test_pulling_the_cable_in_mid_conversation_is_only_a_plainer_question() -> None:
    with told_server(says(answer())) as server:
        coach = coach_at(server.where)
        ana = await Coached(coach).joins()
        await ana.tells(TOLD)
        assert ana.keys[-1] == "model.question"
    said = await ana.says("my mother used to say you dont leave your own people at the stop")
    assert ana.keys[-1].startswith("questions.") and said[-1].count("?") == 1
    assert ana.took < DEADLINE + SLACK

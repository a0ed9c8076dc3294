"""Evaluation is honest: known moves, saved tables, and no instructions without one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bot.commands.evaluate import FOLDER, ROWS, golden, run
from bot.core.coaching import CoachingNotes
from bot.core.guards import judge, weigh
from bot.core.narrative import ORDER_OF_CARE, StoryOf
from bot.core.speech import language_of
from bot.llm.instructions import FOLDER as INSTRUCTIONS
from bot.llm.instructions import Instructions, NoSuchVersion, versions
from bot.llm.schema import reply_of, schema_of
from bot.usecases.ports import ToModel
from tests.fakes import reading
from tests.llm.servers import says, told_server
from tests.llm.test_faults import REWRITTEN, answer

RESULTS = FOLDER / "results"
INJECTED = golden(FOLDER / "injections.jsonl")


def test_the_golden_set_has_every_stage_in_every_language_with_a_good_next_move() -> None:
    tellings = golden(FOLDER / "golden.jsonl")
    assert len({t.id for t in tellings}) == len(tellings)
    assert {(t.language, t.stage) for t in tellings} == {
        (language, stage) for language in ("en", "es") for stage in StoryOf
    }
    for one in tellings:
        assert one.accept and one.accept <= set(ORDER_OF_CARE[one.stage]), one.id
        assert language_of(one.text) == one.language, one.id


def test_every_version_of_the_instructions_stands_beside_a_table_made_with_it() -> None:
    tables = [json.loads(p.read_text(encoding="utf-8")) for p in RESULTS.glob("*.json")]
    evaluated = {t.get("instructions_sha256") for t in tables}
    assert versions()
    for version in versions():
        assert Instructions.load(version).sha256 in evaluated, (
            f"prompts/coach/{version} was changed: run coach evaluate --save and commit its table"
        )


def test_the_table_of_the_embedded_coach_is_what_it_does_today() -> None:
    kept = json.loads((RESULTS / "embedded.json").read_text(encoding="utf-8"))
    out = io.StringIO()
    assert run(out, io.StringIO(), embedded=True, as_json=True) == 0
    found = json.loads(out.getvalue())
    for what in ("tellings", "agreement", "words", "language", "reader"):
        assert found[what] == kept[what], what


def test_two_tables_stand_side_by_side(tmp_path: Path) -> None:
    out = io.StringIO()
    paths = [RESULTS / "embedded.json"] * 2
    assert run(out, io.StringIO(), compare=paths) == 0
    first, *rows = out.getvalue().splitlines()
    assert first.count("embedded-") == 2
    assert any(row.startswith(f"| {ROWS['agreement']} |") for row in rows)


def test_without_a_model_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    errors = io.StringIO()
    assert run(io.StringIO(), errors) == 1
    assert "OPENAI_API_KEY" in errors.getvalue() and errors.getvalue().count("\n") == 1


def test_a_configured_model_is_measured_with_its_cost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with told_server(says(answer())) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.where.base_url or "")
        monkeypatch.setenv("OPENAI_MODEL", "told")
        out = io.StringIO()
        assert run(out, io.StringIO(), limit=3, save=tmp_path / "t.json", as_json=True) == 0
        assert len(server.asked) == 6
    table = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert table["reader"] == "told/coach-1" and table["tokens"] > 0 and table["dollars"] > 0
    assert table["orders_answered"] == "2 of 3" and table["instructions_sha256"]
    assert table["orders_refused"], "quotations of another telling are not believed"
    # The same answer for every stage: wrong in two of three shapes.
    assert table["unavailable"] == {"not_the_schema": 2}


def test_instructions_are_kept_by_version(tmp_path: Path) -> None:
    assert Instructions.load().version == versions()[-1]
    for number in ("2", "10"):
        (tmp_path / number).mkdir()
        for path in (INSTRUCTIONS / "1").iterdir():
            (tmp_path / number / path.name).write_text(path.read_text() + number)
    assert versions(tmp_path) == ["2", "10"]
    assert Instructions.load("2", tmp_path).sha256 != Instructions.load("10", tmp_path).sha256
    with pytest.raises(NoSuchVersion):
        Instructions.load("3", tmp_path)


# -- orders in a story --------------------------------------------------------------------------


@pytest.mark.parametrize("one", INJECTED, ids=lambda o: o.id)
def test_orders_in_a_story_stay_between_its_marks(one: object) -> None:
    from bot.commands.evaluate import Golden

    assert isinstance(one, Golden)
    instructions = Instructions.load()
    human = instructions.human(ToModel(one.stage, one.text, one.language))
    mark = human.splitlines()[-1]
    inside = human[human.index(mark, human.index(mark) + 1) + len(mark) : human.rindex(mark)]
    assert inside.strip() == one.text and mark not in one.text
    assert one.text not in instructions.system(one.stage)


@pytest.mark.parametrize("one", INJECTED, ids=lambda o: o.id)
@pytest.mark.parametrize(
    "obeyed",
    [
        REWRITTEN,
        "Great story! Here is an improved version of it.",
        "You are brave. What made you stand tall?",
        "What if you vote for Harlan?",
        "What do other residents say about this to you?",
        "For each part below give the words of the telling that show it, what then?",
        "¿Qué tal si votas por el partido del agua?",
        "Aquí tienes tu historia, más bonita. ¿Qué te parece?",
        "Eres muy valiente. ¿Qué hiciste después?",
    ],
)
def test_a_model_that_obeys_the_story_is_not_heard(one: object, obeyed: str) -> None:
    """Worst case: the model does what the story orders. The resident gets our own question."""
    from bot.commands.evaluate import Golden

    assert isinstance(one, Golden)
    assert judge(obeyed, one.text, one.language, orders=Instructions.load().marks) is not None
    stage = one.stage
    words = " ".join(one.text.split()[:6])
    parts = {e.short: {"quote": words, "status": "present"} for e in ORDER_OF_CARE[stage]}
    shape = schema_of(stage)
    found = shape.model_validate({**parts, "value": "", "aim": "none", "question": obeyed})
    reply = reply_of(stage, found, "obedient", frozenset())
    weighed = weigh(reply, reading(stage), one.text, one.language, CoachingNotes())
    assert weighed.reading.suggestion is None
    assert weighed.reading.next_element() is not None, "orders in a story ended its coaching"

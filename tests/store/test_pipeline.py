"""Many statements in one journey: what comes back, and what is left when one of them fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Json

from bot.store.pipeline import Pipeline
from tests import postgres

pytestmark = pytest.mark.skipif(
    not (postgres.IS_HERE or postgres.MUST_PROVE), reason="PostgreSQL is not installed"
)
SECRET = "the lift stopped again"


@pytest.fixture(scope="module")
def address() -> str:
    return postgres.server().database().replace("+psycopg", "")


@pytest.fixture
def pipeline(address: str) -> Iterator[Pipeline]:
    made = Pipeline(psycopg.connect(address, autocommit=True))
    made.send("CREATE TEMPORARY TABLE told (number bigint PRIMARY KEY, words text)")
    made.meet()
    yield made
    made.close()


def told(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.send("SELECT number, words FROM told ORDER BY number").records()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2**63 - 1),
        ("bigint", -(2**63)),
        ("integer", 0),
        ("text", ""),
        ("text", "ñ 🌱 'quoted' \\ \n $1 %s"),
        ("text", None),
        ("boolean", True),
        ("boolean", False),
        ("double precision", 0.1),
        ("double precision", -1.5e300),
        ("timestamptz", datetime(2026, 11, 30, 12, 0, 0, 123456, UTC)),
        ("timestamptz", datetime(1999, 1, 1, tzinfo=timezone(timedelta(hours=-5)))),
    ],
)
def test_values_come_back_as_they_went(pipeline: Pipeline, kind: str, value: object) -> None:
    sent = pipeline.send(f"SELECT $1::{kind}", (value,))
    assert sent.records() == [(value,)]


def test_json_goes_as_json_and_comes_back_as_what_it_says(pipeline: Pipeline) -> None:
    value = {"words": ["ñ", None, 1.5, True, {"deep": []}]}
    (row,) = pipeline.send("SELECT $1::json, $1::json::text", (Json(value),)).records()
    assert row[0] == value and json.loads(row[1]) == value


def test_what_no_column_holds_is_refused_before_it_is_sent(pipeline: Pipeline) -> None:
    with pytest.raises(TypeError, match="A list cannot be kept"):
        pipeline.send("SELECT $1::text", ([1],))
    with pytest.raises(psycopg.DataError, match="NUL"):
        pipeline.send("SELECT $1::text", ("be\0fore",))
    assert pipeline.rest()
    assert pipeline.send("SELECT $1::text", ("after",)).records() == [("after",)]


def test_one_meeting_brings_all_answers_in_order(pipeline: Pipeline) -> None:
    add, counted = "INSERT INTO told VALUES ($1, $2)", "SELECT count(*) FROM told"
    added = [pipeline.send(add, (n, "x")) for n in range(5)]
    seen = pipeline.send(counted)
    changed = pipeline.send("UPDATE told SET words = $1 WHERE number > $2", ("y", 2))
    meetings = 0
    meet = pipeline.meet

    def counting() -> None:
        nonlocal meetings
        meetings += 1
        meet()

    pipeline.meet = counting  # type: ignore[method-assign]
    assert changed.count() == 2 and changed.done() == b"UPDATE 2"
    assert seen.records() == [(5,)]
    assert [one.count() for one in added] == [1] * 5
    assert meetings == 1


def test_what_follows_an_error_is_not_done_and_what_comes_next_is(pipeline: Pipeline) -> None:
    add = "INSERT INTO told VALUES ($1, $2)"
    pipeline.send("BEGIN")
    pipeline.send(add, (1, SECRET))
    pipeline.send(add, (1, SECRET))
    # It was never said before: the server does not learn it either.
    after = pipeline.send("DELETE FROM told WHERE number = $1", (9,))
    committed = pipeline.send("COMMIT")
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        committed.done()
    assert SECRET not in str(refused.value) and "1" not in str(refused.value).replace("23505", "")
    assert after.result is None
    assert pipeline.rest()
    assert told(pipeline) == []
    pipeline.send(add, (2, "kept"))
    assert pipeline.send("DELETE FROM told WHERE number = $1", (9,)).count() == 0
    assert told(pipeline) == [(2, "kept")]


def test_a_statement_the_server_does_not_understand_fails_alone(pipeline: Pipeline) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.SyntaxError):
            pipeline.send("SELEC 1").records()
        assert pipeline.rest()
    assert pipeline.send("SELECT 1").records() == [(1,)]


def test_a_statement_of_a_table_with_a_new_shape_is_learned_anew(pipeline: Pipeline) -> None:
    pipeline.send("INSERT INTO told VALUES ($1, $2)", (1, "7"))
    assert told(pipeline) == [(1, "7")]
    pipeline.send("ALTER TABLE told ALTER COLUMN words TYPE integer USING words::integer")
    pipeline.meet()
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        told(pipeline)
    assert pipeline.rest()
    assert told(pipeline) == [(1, 7)]


def test_nothing_stays_open_after_a_mistake_of_ours(pipeline: Pipeline) -> None:
    pipeline.send("BEGIN")
    pipeline.send("INSERT INTO told VALUES ($1, $2)", (1, "half"))
    assert pipeline.rest()
    assert told(pipeline) == []
    pipeline.send("BEGIN")
    pipeline.meet()
    assert pipeline.rest()
    pipeline.send("INSERT INTO told VALUES ($1, $2)", (2, "whole"))
    pipeline.meet()
    assert pipeline.rest() and told(pipeline) == [(2, "whole")]


def test_neither_side_waits_for_the_other_however_much_both_say(pipeline: Pipeline) -> None:
    long = "x" * 20_000
    sent = [pipeline.send("SELECT $1::text || $2::text", (long, str(n))) for n in range(1_000)]
    for number, one in enumerate(sent):
        assert one.records() == [(f"{long}{number}",)]


def test_a_server_that_goes_away_is_an_error_and_the_connection_is_let_go(address: str) -> None:
    pipeline = Pipeline(psycopg.connect(address, autocommit=True))
    (row,) = pipeline.send("SELECT pg_backend_pid()").records()
    assert not pipeline.is_hung_up
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", row)
    assert pipeline.is_hung_up
    with pytest.raises(psycopg.OperationalError):
        pipeline.send("SELECT 1").records()
    assert not pipeline.rest()
    pipeline.close()


def test_a_server_that_goes_away_amid_a_transaction_leaves_nothing_of_it(address: str) -> None:
    pipeline = Pipeline(psycopg.connect(address, autocommit=True))
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("CREATE TABLE IF NOT EXISTS halves (number bigint)")
        pipeline.send("BEGIN")
        pipeline.send("INSERT INTO halves VALUES ($1)", (1,))
        pipeline.send("SELECT pg_terminate_backend(pg_backend_pid())")
        committed = pipeline.send("COMMIT")
        with pytest.raises(psycopg.OperationalError):
            committed.done()
        assert not pipeline.rest()
        pipeline.close()
        assert other.execute("SELECT count(*) FROM halves").fetchall() == [(0,)]

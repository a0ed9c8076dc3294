"""Rows in every table of a database, of whatever revision, strange values included."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, Integer, Table, select

from bot.store.neutral import tables_of

ROWS = 4
WORDS = (
    "Il pleut «à verse»\n\t'quoted', \"twice\" 🙂\U0001f9d1\u200d\U0001f33e \x1a0000 \x1ad800 \\"
)
BEGAN = datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC)


def fill(connection: Connection, only: Collection[str] | None = None) -> None:
    """A few rows in each table that holds what people did, or some; keys fit each other."""
    for table in tables_of(connection):
        if only is not None and table.name not in only:
            continue
        rows = [_row(table, number) for number in range(1, ROWS + 1)]
        connection.execute(table.insert(), rows)


def held(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Everything in every table, by key."""
    return {
        table.name: [
            dict(row._mapping)
            for row in connection.execute(select(table).order_by(*table.primary_key))
        ]
        for table in tables_of(connection)
    }


def _row(table: Table, number: int) -> dict[str, Any]:
    return {column.name: _value(table, column, number) for column in table.c}


def _value(table: Table, column: Column[Any], number: int) -> object:
    if column.foreign_keys:
        parent = next(iter(column.foreign_keys)).column
        return _value(parent.table, parent, number)
    if column.nullable and number == ROWS:
        return None
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, Integer):
        is_key = column.primary_key or column.name.endswith("outbox_id")
        return (
            number if is_key else (2**31 - number if column.type.__class__ is Integer else number)
        )
    if isinstance(column.type, Float):
        return number / 7
    kind = type(column.type).__name__
    if kind == "_Bytes":
        return b64encode(bytes(range(256)) * number).decode()
    if kind == "_Moment":
        return (BEGAN + timedelta(days=number)).isoformat()
    if kind.startswith("_Json"):
        return (
            json.dumps({"words": [WORDS, number, None], "odd": "\ud800\x00"})
            if number > 1
            else "[]"
        )
    return f"{table.name}-{number}" if column.primary_key else f"{WORDS} {column.name} {number}"

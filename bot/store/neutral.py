"""Any of our databases, of whatever revision, as plain rows that both engines understand.

The tables are read from the database itself, not from bot.store.tables: a backup may be older
than the program. Values travel as strings, numbers, booleans and None.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    event,
    inspect,
    text,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

import bot.store.index_tables
import bot.store.library_tables
import bot.store.practice_tables  # noqa: F401 (each adds its tables to the metadata)
from bot.store.tables import UtcDateTime, metadata

OURS = frozenset(metadata.tables)
"""Every table that any revision has had. Whatever else lies in the database is not touched."""
KEPT = frozenset(table.name for table in metadata.tables.values() if "apart" not in table.info)
"""Those of people; see `info` in bot/store/tables.py."""
STAYS = frozenset(t.name for t in metadata.tables.values() if t.info.get("apart") == "stays")
"""Those of machines that restoring leaves as they are."""
SET_ASIDE = "replaced_"
"""How the copies begin that restoring makes of what it replaces."""


class _Json(TypeDecorator[str]):
    """JSON as the text it is stored as, so that not a blank of it changes."""

    impl = Text
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read it as text."""
        return cast(column, Text)


class _JsonOfPostgres(_Json):
    """The same on PostgreSQL, which wants to be told that text is JSON."""

    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:
        """Write it as JSON."""
        return cast(cast(bindvalue, Text), JSON)


class _Moment(TypeDecorator[str]):
    """A time as ISO 8601 text in UTC."""

    impl = UtcDateTime
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else value.isoformat()


class _Bytes(TypeDecorator[str]):
    """Bytes as base64."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """From text."""
        return None if value is None else b64decode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else b64encode(value).decode()


def tables_of(connection: Connection) -> list[Table]:
    """The tables that belong in a backup, parents before children."""
    found = MetaData()
    is_postgres = connection.dialect.name == "postgresql"

    def plain(inspector: object, table: Table, column: Any) -> None:
        if isinstance(column["type"], JSON):
            column["type"] = _JsonOfPostgres() if is_postgres else _Json()
        elif isinstance(column["type"], DateTime):
            column["type"] = _Moment()
        elif isinstance(column["type"], LargeBinary):
            column["type"] = _Bytes()

    event.listen(found, "column_reflect", plain)
    found.reflect(connection, only=lambda name, _: name in KEPT)
    return list(found.sorted_tables)


def last_id(connection: Connection, table: Table) -> int | None:
    """The last id a table gave out, also if its row is gone; None where ids are not counted."""
    column = _counted(connection, table)
    if column is None:
        return None
    query = f"SELECT max({column}) FROM {table.name}"
    highest = connection.exec_driver_sql(query).scalar() or 0
    if connection.dialect.name == "sqlite":
        # The table is there only where some table never gives an id out twice.
        if not inspect(connection).has_table("sqlite_sequence"):
            return int(highest)
        given = connection.execute(
            text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
        ).scalar()
    else:
        sequence = _sequence(connection, table, column)
        given = connection.exec_driver_sql(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
        ).scalar()
    return max(int(highest), int(given or 0))


def go_on_from(connection: Connection, table: Table, last: int) -> None:
    """The next id a table gives out is above `last` and above every one it holds or gave out."""
    column = _counted(connection, table)
    if column is None:
        return
    last = max(last, last_id(connection, table) or 0)
    if connection.dialect.name == "postgresql":
        sequence = _sequence(connection, table, column)
        connection.execute(
            text("SELECT setval(CAST(:sequence AS regclass), :last, :used)"),
            {"sequence": sequence, "last": max(last, 1), "used": last > 0},
        )
    elif _never_twice(connection, table):
        name = {"name": table.name}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
        connection.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
            name | {"last": last},
        )


def _counted(connection: Connection, table: Table) -> str | None:
    """The column in which a table counts by itself."""
    keys: Sequence[Any] = list(table.primary_key)
    if len(keys) != 1 or not isinstance(keys[0].type, Integer | BigInteger):
        return None
    name = str(keys[0].name)
    if connection.dialect.name == "postgresql":
        return name if _sequence(connection, table, name) else None
    # On SQLite only INTEGER counts; BIGINT is for ids that others give out.
    return name if not isinstance(keys[0].type, BigInteger) else None


def _sequence(connection: Connection, table: Table, column: str) -> str | None:
    found = connection.execute(
        text("SELECT pg_get_serial_sequence(:name, :column)"),
        {"name": table.name, "column": column},
    ).scalar()
    return str(found) if found else None


def _never_twice(connection: Connection, table: Table) -> bool:
    made = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"),
        {"name": table.name},
    ).scalar()
    return "AUTOINCREMENT" in str(made).upper()

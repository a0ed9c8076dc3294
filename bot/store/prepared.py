"""Statements written once and compiled once, and the hands that carry them out.

SQLAlchemy's own road from a statement to its rows (building, cache key, context, result, hops)
costs many times what the driver and the database need (`python -m benchmarks.calls`), and a
resident's turn is a dozen statements. So what every turn needs is prepared: still written with
SQLAlchemy's tables and types, for both engines, but given to the driver as text and values.
Everything else takes the ordinary road. An `in_` list has no fixed text and cannot be prepared.

A *job* is a plain function over a `Hand`: what it reads and changes is one step for whoever runs
it, in whatever thread. It must not wait for anything else.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    CursorResult,
    Dialect,
    Float,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from bot import plain

if TYPE_CHECKING:
    from bot.store.pipeline import Pipeline, Sent

CHANNEL = "coach"
"""Where processes that work together announce what they kept for each other."""
_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("note")))

T = TypeVar("T")
_SET = "set_"
"""SQLAlchemy keeps a column's own name to itself where a value is set."""


FLOAT8 = 701
"""PostgreSQL's number for the type in which Float is kept."""


def given(name: str) -> BindParameter[Any]:
    """A value that is set; jobs give it as `name`."""
    return bindparam(_SET + name)


class Prepared:
    """One statement. Its values are those of its bindparams; `given` ones without their prefix."""

    def __init__(self, statement: Executable, postgresql: Executable | None = None) -> None:
        """Compiled for a dialect when first used there; `postgresql` where that differs."""
        there = statement if postgresql is None else postgresql
        self._statements = {"sqlite": statement, "postgresql": there}
        self._raw: dict[tuple[str, str], Raw] = {}

    def statement(self, dialect: str) -> Executable:
        """As SQLAlchemy carries it out."""
        return self._statements[dialect]

    def raw(self, dialect: Dialect) -> Raw:
        """As this dialect, which also says how values are marked, wants it."""
        key = dialect.name, dialect.paramstyle
        found = self._raw.get(key)
        if found is None:
            found = self._raw[key] = Raw(self._statements[dialect.name], dialect)
        return found


class Raw:
    """A statement's text, and how values go in and rows come out, for one dialect."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        assert "POSTCOMPILE" not in self.sql, "a list of values cannot be prepared"
        order = compiled.positiontup if compiled.positional else list(compiled.binds)
        self._is_positional = compiled.positional
        self._order: list[tuple[str, str, Any, Callable[[Any], Any] | None]] = []
        for name in order or ():
            bind = compiled.binds[name]
            key = None if not bind.required else name.removeprefix(_SET)
            write = bind.type.dialect_impl(dialect).bind_processor(dialect)
            fixed = None
            if key is None:
                fixed = bind.effective_value
                fixed = write(fixed) if write else fixed
            self._order.append((name, key or "", fixed, write))
        self.names = [(name, key) for name, key, _, _ in self._order if key]
        columns = list(getattr(statement, "exported_columns", None) or ())
        self._read = [
            c.type.dialect_impl(dialect).result_processor(dialect, _oid(c.type)) for c in columns
        ]
        self._has_reads = any(self._read)
        self._row = _named([c.key for c in columns])

    def bind(self, values: Mapping[str, Any]) -> Any:
        """The driver's parameters. Raises KeyError for a value that is missing."""
        if self._is_positional:
            return [
                fixed if not key else (write(values[key]) if write else values[key])
                for _, key, fixed, write in self._order
            ]
        return {
            name: fixed if not key else (write(values[key]) if write else values[key])
            for name, key, fixed, write in self._order
        }

    def row(self, record: Any) -> Any:
        """A record of the driver's, with names, in Python's types."""
        if self._has_reads:
            record = [
                read(value) if read else value
                for read, value in zip(self._read, record, strict=True)
            ]
        return self._row._make(record)


def _oid(kind: TypeEngine[Any]) -> int | None:
    """PostgreSQL's name for a type, where how a value is read depends on it."""
    return FLOAT8 if isinstance(kind, Float) else None


def _named(names: Sequence[str]) -> Any:
    """A class of rows; names that come twice are left to their positions."""
    return namedtuple("Row", names, rename=True)


class Answer(Protocol):
    """What became of one statement; whoever asks waits until it is carried out."""

    def rows(self) -> list[Any]:
        """What a query, or a statement's RETURNING, gave."""
        ...

    def count(self) -> int:
        """How many rows were changed."""
        ...


class Hand(Protocol):
    """Carries out prepared statements, one after another, in one transaction.

    To a server each answer is a journey there and back. So whatever need not know one answer
    before it says the next thing sends first and asks afterwards.
    """

    dialect: str

    def send(self, statement: Prepared, /, **values: Any) -> Answer:
        """Have a statement carried out, now or with those that follow."""
        ...

    def before_keeping(self, check: Callable[[], None]) -> None:
        """Call `check` once all is sent and before any of it is kept; it may raise, or send more.

        Only for what changes something. Where answers cost no journey it is called at once.
        """
        ...

    def announce(self, kind: Literal["in", "out"], chat: int) -> None:
        """Once this is kept, wake whoever serves a chat; alone, nobody needs to be told."""
        ...

    def rows(self, statement: Prepared, /, **values: Any) -> list[Any]:
        """What a query, or a statement's RETURNING, gives."""
        return self.send(statement, **values).rows()

    def change(self, statement: Prepared, /, **values: Any) -> int:
        """How many rows were changed."""
        return self.send(statement, **values).count()


Job = Callable[[Hand], T]


class SqliteHand(Hand):
    """A Hand over the driver's own connection."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Transactions are for whoever runs the job."""
        self._connection = connection

    def send(self, statement: Prepared, /, **values: Any) -> Answer:
        """See Hand."""
        raw = statement.raw(_SQLITE)
        done = self._connection.execute(raw.sql, raw.bind(values))
        # A statement that still has something to give could not be committed.
        return _Given(raw, done.fetchall() if done.description else [], done.rowcount)

    def before_keeping(self, check: Callable[[], None]) -> None:
        """See Hand."""
        check()

    def announce(self, kind: Literal["in", "out"], chat: int) -> None:
        """See Hand."""


class _Given:
    """An answer that is there."""

    __slots__ = ("_count", "_raw", "_records")

    def __init__(self, raw: Raw, records: Sequence[Any], count: int) -> None:
        self._raw, self._records, self._count = raw, records, count

    def rows(self) -> list[Any]:
        """See Answer."""
        return [self._raw.row(record) for record in self._records]

    def count(self) -> int:
        """See Answer."""
        return self._count


class PostgresHand(Hand):
    """A Hand over a pipeline: nothing waits but for an answer."""

    dialect = "postgresql"

    def __init__(self, pipeline: Pipeline, dialect: Dialect) -> None:
        """Transactions are for whoever runs the job; `dialect` numbers its values."""
        self._pipeline, self._dialect = pipeline, dialect
        self._checks: list[Callable[[], None]] = []
        self.news: list[tuple[str, int]] = []

    def send(self, statement: Prepared, /, **values: Any) -> Answer:
        """See Hand."""
        raw = statement.raw(self._dialect)
        return _Coming(raw, self._pipeline.send(raw.sql, raw.bind(values)))

    def before_keeping(self, check: Callable[[], None]) -> None:
        """See Hand."""
        self._checks.append(check)

    def announce(self, kind: Literal["in", "out"], chat: int) -> None:
        """See Hand. Whoever runs the job tells them, once it is kept."""
        self.news.append((kind, chat))

    def check(self) -> None:
        """Have all answers and call what was left for now. Raises what it raises."""
        while self._checks:
            # An error of the database comes first: what is checked may follow from it.
            self._pipeline.meet()
            checks, self._checks = self._checks, []
            for check in checks:
                check()


class _Coming:
    """An answer that is on its way."""

    __slots__ = ("_raw", "_sent")

    def __init__(self, raw: Raw, sent: Sent) -> None:
        self._raw, self._sent = raw, sent

    def rows(self) -> list[Any]:
        """See Answer."""
        return [self._raw.row(record) for record in self._sent.records()]

    def count(self) -> int:
        """See Answer."""
        return self._sent.count()


class EngineHand(Hand):
    """A Hand over SQLAlchemy's connection, for jobs amid the ordinary statements of a unit."""

    def __init__(self, connection: Connection) -> None:
        """The connection's transaction is the job's."""
        self._connection = connection
        self.dialect = connection.dialect.name

    def send(self, statement: Prepared, /, **values: Any) -> Answer:
        """See Hand."""
        return _Done(self._done(statement, values))

    def before_keeping(self, check: Callable[[], None]) -> None:
        """See Hand."""
        check()

    def announce(self, kind: Literal["in", "out"], chat: int) -> None:
        """See Hand."""
        if self.dialect == "postgresql":
            self._connection.execute(_NOTIFY, {"note": f"{kind}:{chat}"})

    def _done(self, statement: Prepared, values: Mapping[str, Any]) -> CursorResult[Any]:
        names = statement.raw(self._connection.dialect).names
        done = self._connection.execute(
            statement.statement(self.dialect), {name: values[key] for name, key in names}
        )
        assert isinstance(done, CursorResult)
        return done


class _Done:
    """An answer as SQLAlchemy gives it."""

    __slots__ = ("_result",)

    def __init__(self, result: CursorResult[Any]) -> None:
        self._result = result

    def rows(self) -> list[Any]:
        """See Answer."""
        return list(self._result)

    def count(self) -> int:
        """See Answer."""
        return self._result.rowcount


_SQLITE = sqlite.dialect(paramstyle="qmark", json_serializer=plain.dumps)

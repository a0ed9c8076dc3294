"""Many statements to PostgreSQL in one journey: libpq's pipeline mode, without a cursor for each.

A turn is two dozen statements. One after another each is a journey to the server and back, and
takes psycopg's cursors ten times the processor time that it takes together with others
(`python -m benchmarks.calls`). So here a statement only joins those that wait to be sent; all go
together, and their answers come together. psycopg still connects, speaks the protocol and reads
every value; what it is given is text.

Documented at https://www.postgresql.org/docs/current/libpq-pipeline-mode.html: what follows an
error, up to where both sides meet again, is not carried out.
"""

from __future__ import annotations

import selectors
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.json import Json, Jsonb, set_json_loads

from bot import plain


class Sent:
    """What was said to the server, and what it will have answered once that is asked for."""

    __slots__ = ("_pipeline", "name", "result")

    def __init__(self, pipeline: Pipeline, name: str = "") -> None:
        self._pipeline = pipeline
        # The text that this makes the server remember, where it does.
        self.name = name
        self.result: PGresult | None = None

    def records(self) -> list[tuple[Any, ...]]:
        """The rows, in Python's types. Raises psycopg's errors, whichever statement's is first."""
        return self._pipeline.records(self._there())

    def count(self) -> int:
        """How many rows were changed. Raises as `records`."""
        return self._there().command_tuples or 0

    def done(self) -> bytes:
        """What the server says was done, such as COMMIT. Raises as `records`."""
        return self._there().command_status or b""

    def _there(self) -> PGresult:
        if self.result is None:
            self._pipeline.meet()
        assert self.result is not None
        return self.result


class Pipeline:
    """One connection, used by one thread at a time."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """The connection is ours from now on. It commits by itself unless told to BEGIN."""
        self._connection, self._pg = connection, connection.pgconn
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        set_json_loads(plain.loads, connection)
        self._reader = Transformer(connection)
        self._socket = selectors.DefaultSelector()
        self._socket.register(self._pg.socket, selectors.EVENT_READ)
        self._known: dict[str, bytes] = {}
        self._learning: dict[str, bytes] = {}
        self._numbers = 0
        self._underway: list[Sent] = []
        self._has_lost_step = False

    # -- there ----------------------------------------------------------------------------------

    def send(self, statement: str, values: Sequence[object] = ()) -> Sent:
        """Say it with what is said next; `$1` and so on in it are the values."""
        name = self._known.get(statement) or self._learning.get(statement)
        if name is None:
            self._numbers += 1
            name = self._learning[statement] = b"s%d" % self._numbers
            self._pg.send_prepare(name, statement.encode())
            self._underway.append(Sent(self, statement))
        self._pg.send_query_prepared(name, [_text(value) for value in values])
        sent = Sent(self)
        self._underway.append(sent)
        return sent

    def meet(self) -> None:
        """Have every answer. Raises the first error among them; what followed it was not done."""
        underway, self._underway = self._underway, []
        learning, self._learning = self._learning, {}
        # Until every answer is taken, nobody knows whose the next would be.
        self._has_lost_step = True
        self._pg.pipeline_sync()
        self._flush()
        failed: PGresult | None = None
        for sent in underway:
            result = self._next()
            if result is None:
                raise psycopg.OperationalError("The server was lost.")
            if result.status in _DONE:
                sent.result = result
                if sent.name:
                    self._known[sent.name] = learning[sent.name]
            elif failed is None:
                failed = result
            while self._next() is not None:
                pass
        met = self._next()
        if met is None or met.status != ExecStatus.PIPELINE_SYNC:
            raise psycopg.OperationalError("The server was lost.")
        self._has_lost_step = False
        if failed is not None:
            error = _error(failed)
            if error.sqlstate in _OUTDATED:
                self._known.clear()
            raise error

    def records(self, result: PGresult) -> list[tuple[Any, ...]]:
        """Its rows, in Python's types."""
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple)

    # -- the connection -------------------------------------------------------------------------

    def rest(self) -> bool:
        """Leave nothing open, as after a mistake; False when the connection is of no use now."""
        try:
            if self._underway:
                self._let_fail()
            if not self._has_lost_step and self._pg.transaction_status != TransactionStatus.IDLE:
                self.send("ROLLBACK")
                self._let_fail()
        except psycopg.Error:
            return False
        return not self._has_lost_step and self._pg.transaction_status == TransactionStatus.IDLE

    def _let_fail(self) -> None:
        """What failed was told to whoever asked; here it only has to be over."""
        try:
            self.meet()
        except psycopg.Error:
            if self._has_lost_step:
                raise

    @property
    def is_lost(self) -> bool:
        """Whether nobody can know what became of what was said last."""
        return self._has_lost_step or self._connection.closed

    @property
    def is_hung_up(self) -> bool:
        """Whether the server has said something unasked, which is mostly goodbye."""
        return bool(self._socket.select(0))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._connection.close()

    def _flush(self) -> None:
        if not self._pg.flush():
            return
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._socket.modify(self._pg.socket, both)
        try:
            while self._pg.flush():
                for _, ready in self._socket.select():
                    if ready & selectors.EVENT_READ:
                        # The server stops listening while nobody takes what it says.
                        self._pg.consume_input()
        finally:
            self._socket.modify(self._pg.socket, selectors.EVENT_READ)

    def _next(self) -> PGresult | None:
        while self._pg.is_busy():
            self._socket.select()
            self._pg.consume_input()
        return self._pg.get_result()


_OUTDATED = ("0A000", "26000")
"""What a table's new shape, or a pooler, makes of statements the server had learned."""
_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


def _error(result: PGresult) -> psycopg.Error:
    """The error by its name alone: its words may hold somebody's."""
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        return errors.lookup(state)(state)
    except KeyError:
        return psycopg.OperationalError("The server was lost.")


def _text(value: object) -> bytes | None:
    """A value as PostgreSQL reads it.

    Raises TypeError for what no column of ours holds, and psycopg's DataError.
    """
    match value:
        case None:
            return None
        case str():
            written = value.encode()
            if b"\0" in written:
                # The server would take what comes before it for all.
                raise psycopg.DataError("A text with a NUL cannot be kept.")
            return written
        case bool():
            return b"true" if value else b"false"
        case int():
            return b"%d" % value
        case float():
            return repr(value).encode()
        case datetime():
            return value.isoformat().encode()
        case Json() | Jsonb():
            return plain.written(value.obj)
    raise TypeError(f"A {type(value).__name__} cannot be kept.")

"""Database errors become one plain sentence each: what happened, what was kept, what to do.

The original error is dropped on purpose: some drivers repeat the values of a statement in it,
and those values are people's words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from bot.usecases.ports import NewerDatabase, StoreUnavailable

DATABASE_ERRORS = (exc.SQLAlchemyError, sqlite3.Error, OSError)
"""What an engine may raise when the database, the driver or the disk fails."""

_SENTENCES = {
    "SQLITE_FULL": (
        "The disk is full, so {place} could not be written; what was saved before is kept. "
        "Free some space and try again."
    ),
    "SQLITE_READONLY": (
        "{Place} cannot be written because it is read-only; nothing was changed. "
        "Give the program permission to write there, or choose another data directory."
    ),
    "SQLITE_CANTOPEN": (
        "{Place} could not be opened; nothing was changed. "
        "Check that its directory exists and that the program may write there."
    ),
    "SQLITE_PERM": (
        "{Place} may not be opened by this program; nothing was changed. "
        "Give the program permission to read and write there."
    ),
    "SQLITE_CORRUPT": (
        "{Place} is damaged; the file was left as it is. "
        "Put back a good copy, or move the file away to begin with an empty one."
    ),
    "SQLITE_NOTADB": (
        "{Place} is damaged or is not a database; the file was left as it is. "
        "Put back a good copy, or move the file away to begin with an empty one."
    ),
    "SQLITE_BUSY": (
        "{Place} is locked by another program; nothing was changed. "
        "Wait for it to finish, or stop it, and try again."
    ),
    # PostgreSQL's lock_not_available, which only a migration can meet.
    "55P03": (
        "{Place} is being read by something that takes long, such as a backup, so its tables "
        "could not be changed; nothing was changed. Run `coach migrate` again when it is done."
    ),
    "SQLITE_IOERR": (
        "The disk reported an error at {place}; what was saved before is kept. "
        "Check the disk and try again."
    ),
}
_SAME_AS = {"SQLITE_LOCKED": "SQLITE_BUSY", "SQLITE_PROTOCOL": "SQLITE_BUSY"}
_OTHER = (
    "{Place} could not be used ({code}); nothing was changed. "
    "Check that it is running and that `coach migrate` has been run, then try again."
)


def sentence(code: str, place: str) -> str:
    """The sentence for an error code such as SQLITE_FULL; `place` says which database."""
    code_here = next((b for a, b in _SAME_AS.items() if code.startswith(a)), code)
    text = next((t for head, t in _SENTENCES.items() if code_here.startswith(head)), _OTHER)
    return text.format(place=place, Place=place[:1].upper() + place[1:], code=code)


def error_code(error: BaseException) -> str:
    """The database's own name for an error, or the name of its class when it has none."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    if isinstance(error, exc.TimeoutError):
        return "SQLITE_BUSY"
    named = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return str(named or type(cause).__name__)


@contextmanager
def plainly(place: str, *also: type[Exception]) -> Iterator[None]:
    """Turn whatever the database raises inside into StoreUnavailable; `also` a driver's errors.

    A value refused before it reached the database raises as it is (ValueError, TypeError).
    """
    try:
        yield
    except exc.StatementError as error:
        if not isinstance(error, exc.DBAPIError) and error.orig is not None:
            # A value we should not have sent: our mistake, not the database's.
            raise error.orig from None
        raise StoreUnavailable(sentence(error_code(error), place)) from None
    except DATABASE_ERRORS + also as error:
        raise StoreUnavailable(sentence(error_code(error), place)) from None


def newer(place: str) -> NewerDatabase:
    """The refusal to touch a database that a later version of the program wrote."""
    return NewerDatabase(
        f"{place[:1].upper()}{place[1:]} was written by a newer version of this program; "
        "nothing was changed. Install the newer version, or choose another data directory."
    )

"""The database of a data directory, on the engine of this run: the one place that chooses.

SQLite, a file in the directory, unless TEST_ENGINE=postgresql: then a fresh database on the
PostgreSQL of this run, gone when its test has ended.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any

from sqlalchemy.engine import make_url

from bot.store.database import migrate
from tests import postgres

ENGINE = os.environ.get("TEST_ENGINE", "sqlite")
IS_SQLITE = ENGINE == "sqlite"
assert ENGINE in ("sqlite", "postgresql"), ENGINE

_given: dict[tuple[Path, str], str] = {}


def address(home: Path, name: str = "coach") -> str:
    """Where the database of `home` lies: as nobody has made it yet, unless `database` did."""
    if IS_SQLITE:
        return f"sqlite+aiosqlite:///{home.absolute() / name}.sqlite"
    return _postgresql(home, name, None)


def database(home: Path) -> str:
    """A migrated database of `home`, made if there is none; its address."""
    home.mkdir(parents=True, exist_ok=True)
    if not IS_SQLITE:
        return _postgresql(home, "coach", _postgresql_template)
    path = home / "coach.sqlite"
    if not path.exists():
        shutil.copy(_template(), path)
    return address(home)


def settings(home: Path) -> dict[str, str]:
    """What a program started on `home` needs in its environment to use the same database."""
    if IS_SQLITE:
        return {}
    return {"DATABASE_URL": address(home), "TEST_ENGINE": ENGINE}


def on_disk(home: Path) -> bytes:
    """All that is written in any file under `home`, its databases' own files included.

    PostgreSQL's log of what it did is not looked into: it overwrites it by itself.
    """
    held = [path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()]
    for (of, _), url in _given.items():
        if of.is_relative_to(home.absolute()):
            held += postgres.server().files(str(make_url(url).database))
    return b"".join(held)


def database_files(home: Path) -> dict[str, bytes]:
    """What stands in each of the database's files, by name."""
    if IS_SQLITE:
        return {p.name: p.read_bytes() for p in sorted(home.glob("coach.sqlite*"))}
    files = postgres.server().files(str(make_url(address(home)).database))
    return {f"file {number}": held for number, held in enumerate(files)}


def kept(home: Path) -> bytes:
    """What the database keeps: SQLite's main file, PostgreSQL's rows.

    What PostgreSQL's rows held before they were written over goes with its next vacuum.
    """
    if IS_SQLITE:
        return (home / "coach.sqlite").read_bytes()
    return postgres.server().rows(str(make_url(address(home)).database))


def left(home: Path) -> dict[str, bytes]:
    """What is left once a program has ended, by name: SQLite's files, PostgreSQL's rows."""
    return database_files(home) if IS_SQLITE else {"rows": kept(home)}


def _postgresql(home: Path, name: str, template: Any) -> str:
    # A program that a test started is told by the test.
    if told := os.environ.get("DATABASE_URL"):
        return told
    known = (home.absolute(), name)
    if known not in _given:
        _given[known] = postgres.server().database(template() if template else "template0")
    return _given[known]


@contextmanager
def dropped_afterwards() -> Iterator[None]:
    """What databases are made while inside are gone behind it."""
    before = set(_given)
    yield
    for known in set(_given) - before:
        postgres.server().drop(str(make_url(_given.pop(known)).database))


@cache
def _postgresql_template() -> str:
    url = postgres.server().database()
    _migrated(url)
    return str(make_url(url).database)


@cache
def _template() -> Path:
    """A database brought to head once, to be copied: migrating takes longer than most tests."""
    path = Path(mkdtemp(prefix="coach-tests-")) / "head.sqlite"
    _migrated(f"sqlite+aiosqlite:///{path}")
    return path


def _migrated(url: str) -> None:
    migrating = Thread(target=lambda: asyncio.run(migrate(url)))
    migrating.start()
    migrating.join()


class Guard:
    """Notices who opens an SQLite file where a PostgreSQL database is meant."""

    def __init__(self) -> None:
        """Nobody is watched before `watching`."""
        self._is_watching = False
        self.opened: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        # Chroma keeps its index in a file of its own, whatever our engine is.
        ours = event == "sqlite3.connect" and "chroma.sqlite3" not in str(arguments[0])
        if ours and self._is_watching:
            self.opened.append(str(arguments[0]))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, whoever opens a file is noted in `opened`."""
        self._is_watching, self.opened = True, []
        try:
            yield
        finally:
            self._is_watching = False

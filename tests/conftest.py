"""What every test relies on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Imported first: it chooses, for the whole run, how python-telegram-bot gives durations.
import bot.telegram  # noqa: F401
from bot.settings import Settings
from bot.usecases.ports import Reader, Retriever, Screener
from bot.wiring import Parts
from tests import databases

FILE = "sqlite_file"
WITHOUT_DATABASE = ("core", "reading", "screening", "words", "proof/test_fuzz.py",
                    "proof/test_interleavings.py")  # fmt: skip
"""Rooms and proofs below tests/ where no database is opened; a second engine is none to them."""
_guard = databases.Guard()
_left_out: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """A database of the machine's own is none for tests."""
    os.environ.pop("DATABASE_URL", None)


def _is_without_database(item: pytest.Item) -> bool:
    where = item.path.relative_to(Path(__file__).parent)
    return any(where.is_relative_to(room) for room in WITHOUT_DATABASE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Away from SQLite, leave out what is about its file, each says why, or opens no database."""
    if not databases.IS_SQLITE:
        spared = [item for item in items if _is_without_database(item)]
        items[:] = [item for item in items if not _is_without_database(item)]
        config.hook.pytest_deselected(items=spared)
    for item in items:
        marked = item.get_closest_marker(FILE)
        if marked is not None:
            assert marked.args, f"{item.nodeid}: say why it is about a file of SQLite"
            if not databases.IS_SQLITE:
                _left_out.append(item.nodeid)
                item.add_marker(pytest.mark.skip(reason=f"SQLite's file: {marked.args[0]}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count them."""
    if _left_out:
        told = f"{len(_left_out)} tests about a file of SQLite were left out on PostgreSQL"
        terminalreporter.write_line(told)


@pytest.fixture(autouse=True)
def on_the_engine_of_this_run(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Away from SQLite, nothing opens a file of it, and a database is gone behind its test."""
    if databases.IS_SQLITE:
        if not _is_without_database(request.node):
            yield
            return
        with _guard.watching():
            yield
        assert not _guard.opened, f"{_guard.opened}: this place is in WITHOUT_DATABASE"
        return
    ours = property(lambda self: self.database_url or databases.address(self.coach_home))
    monkeypatch.setattr(Settings, "database", ours)
    with databases.dropped_afterwards(), _guard.watching():
        yield
    assert not _guard.opened, (
        f"{_guard.opened}: take the address from tests.databases, or mark the test {FILE}(reason)"
    )


@pytest.fixture(scope="session")
def real_rooms(request: pytest.FixtureRequest) -> tuple[Reader, Screener, Retriever]:
    """The embedded reader, screener and example index, loaded once.

    The index stays in pytest's cache: it knows by itself when the corpus has changed.
    """
    parts = Parts(Settings(_env_file=None, coach_home=_cached(request)))  # type: ignore[call-arg]
    asyncio.run(parts.retriever.warm())  # type: ignore[attr-defined]
    return parts.reader, parts.screener, parts.retriever


@pytest.fixture(scope="session")
def index(request: pytest.FixtureRequest, real_rooms: object) -> Path:
    """The folder of that index, to be copied into a program's data directory."""
    return _cached(request) / "examples"


def _cached(request: pytest.FixtureRequest) -> Path:
    return request.config.cache.mkdir("conversations")

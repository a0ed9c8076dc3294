"""What every test relies on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

# Imported first: it chooses, for the whole run, how python-telegram-bot gives durations.
import bot.telegram  # noqa: F401
from bot.settings import Settings
from bot.usecases.ports import Reader, Retriever, Screener
from bot.wiring import Parts


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

"""A Telegram for the commands that talk with one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.telegram import Telegram


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    server = Telegram()
    yield server
    server.shutdown()
    server.server_close()

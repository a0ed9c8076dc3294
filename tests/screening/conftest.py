"""One screener for the whole room: the model loads once and remembers its vectors."""

from __future__ import annotations

import pytest

from bot.reading.alarm import Alarm
from bot.reading.embedding import BundledEmbedder
from bot.screening.screener import EmbeddedScreener


@pytest.fixture(scope="session")
def screener() -> EmbeddedScreener:
    return EmbeddedScreener(BundledEmbedder(), Alarm.bundled().chances)

"""`coach run`: everything in one process, by polling."""

from __future__ import annotations

from typing import TextIO

from bot.commands.serving import serve
from bot.settings import load_settings


def run(stderr: TextIO) -> int:
    """Serve until told to stop; 0, or 1 with one sentence when Telegram refuses us."""
    return serve(load_settings(), by_webhook=False, stderr=stderr)

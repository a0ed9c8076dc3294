"""`coach worker`: works for the processes that take updates in, on the same PostgreSQL."""

from __future__ import annotations

from typing import TextIO

from bot.commands.serving import serve
from bot.settings import load_settings


def run(stderr: TextIO) -> int:
    """Work until told to stop; 0, or 1 with one sentence when it cannot be."""
    settings = load_settings()
    if not settings.database.startswith("postgresql"):
        print(
            "DATABASE_URL is not a PostgreSQL address, so there is nobody to work with. "
            "`coach run` and `coach web` do everything in one process.",
            file=stderr,
        )
        return 1
    return serve(settings, by_webhook=False, stderr=stderr, takes_in=False)

"""`coach migrate`: bring the database to this version."""

from __future__ import annotations

import asyncio
from typing import TextIO

from bot.settings import load_settings


def run(stdout: TextIO, stderr: TextIO) -> int:
    """Say from which revision to which; 0. Raises StoreUnavailable or NewerDatabase."""
    from bot.store.database import migrate

    settings = load_settings()
    settings.coach_home.mkdir(parents=True, exist_ok=True)
    before, after = asyncio.run(migrate(settings.database))
    if before == after:
        print(f"The database is up to date ({after}).", file=stdout)
    else:
        print(f"The database went from {before or 'nothing'} to {after}.", file=stdout)
    return 0

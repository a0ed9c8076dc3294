"""`coach stories`: where each story stands and what it may be used for. Never a word of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TextIO

from bot.core.story import StoryStatus
from bot.settings import load_settings
from bot.usecases.ports import StoryRow
from bot.wiring import Parts, opened


def run(status: str | None, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """A table, or one JSON object a line; 0, or 2 for a status there is not."""
    if status is not None and status not in set(StoryStatus):
        print(f"There is no status {status}; there are: {', '.join(StoryStatus)}.", file=stderr)
        return 2
    wanted = StoryStatus(status) if status else None
    return asyncio.run(_list(wanted, as_json, stdout))


async def _list(status: StoryStatus | None, as_json: bool, stdout: TextIO) -> int:
    async with opened(Parts(load_settings())) as store, store.work() as work:
        rows = work.folders.rows(status)
        if as_json:
            async for row in rows:
                print(json.dumps(_plain(row), ensure_ascii=False), file=stdout)
        else:
            await _table(rows, stdout)
    return 0


def _plain(row: StoryRow) -> dict[str, object]:
    return {
        "story": row.story_id,
        "resident": row.resident_id,
        "status": row.status.value,
        "language": row.language,
        "stages": list(row.stages),
        "words": row.words,
        "purposes": [p.value for p in row.purposes],
        "name_shown": row.name_shown,
        "submitted_at": row.submitted_at.isoformat() if row.submitted_at else None,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
    }


async def _table(rows: AsyncIterator[StoryRow], stdout: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("story", "status", "language", "parts", "words", "released for", "until"):
        table.add_column(heading, overflow="fold")
    count = 0
    async for row in rows:
        count += 1
        table.add_row(
            row.story_id,
            row.status.value,
            row.language,
            ", ".join(row.stages),
            str(row.words),
            ", ".join(p.value for p in row.purposes) or "-",
            f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "-",
        )
    console = Console(file=stdout)
    if count:
        console.print(table)
    else:
        console.print("No stories yet.")

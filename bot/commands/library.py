"""`coach library`: approved stories, found by what they are known for, each with its consent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from bot.commands.export import BadWish, wanted
from bot.core.harmless import visible
from bot.core.library import LabelKind, LibraryEntry, Wanted
from bot.settings import load_settings
from bot.usecases.library import Library
from bot.usecases.people import CONSOLE
from bot.wiring import Parts, opened


def run(
    filters: Mapping[str, str], limit: int, as_json: bool, stdout: TextIO, stderr: TextIO
) -> int:
    """A table, or one JSON object a line: 0, or 2 for filters that mean nothing."""
    try:
        looked_for = wanted(filters)
    except BadWish as wrong:
        print(wrong, file=stderr)
        return 2
    found = asyncio.run(_find(looked_for, limit))
    if as_json:
        for entry in found:
            print(json.dumps(_plain(entry), ensure_ascii=False), file=stdout)
    elif found:
        _table(found, stdout)
    else:
        print("No approved story is like that.", file=stdout)
    return 0


async def _find(looked_for: Wanted, limit: int) -> list[LibraryEntry]:
    parts = Parts(load_settings())
    async with opened(parts) as store:
        return await Library(store, parts.clock).find(CONSOLE, looked_for, limit)


def _plain(entry: LibraryEntry) -> dict[str, object]:
    release = entry.release
    return {
        "story": entry.story_id,
        "title": entry.title,
        "text": release.text,
        "language": entry.story_language,
        "stages": [s.value for s in entry.stages],
        "labels": [{"kind": x.kind.value, "value": x.value} for x in entry.labels],
        "purposes": sorted(p.value for p in release.purposes),
        "name": release.name,
        "text_sha256": release.text_sha256,
        "released_at": release.released_at.isoformat(),
        "expires_at": release.expires_at.isoformat(),
        "approved_at": entry.approved_at.isoformat(),
    }


def _table(found: Sequence[LibraryEntry], stdout: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("story", "begins", "language", "themes", "permitted for", "until"):
        table.add_column(heading, overflow="fold")
    for entry in found:
        table.add_row(
            entry.story_id,
            Text(visible(entry.title)),
            entry.story_language,
            Text(visible(", ".join(entry.labelled(LabelKind.THEME)))),
            ", ".join(sorted(p.value for p in entry.release.purposes)),
            f"{entry.release.expires_at:%Y-%m-%d}",
        )
    Console(file=stdout).print(table)

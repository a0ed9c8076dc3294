"""Export and withdrawal at 1,000, 10,000 and 100,000 approved stories: seconds and memory.

Each size is measured in a process of its own, so that one size's memory is not another's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.progress import track

SIZES = (1_000, 10_000, 100_000)
NOW = datetime(2026, 11, 3, 18, tzinfo=UTC)
TEXT = (
    "In January the boiler died and I heard coughing through the wall. My hand was on my own "
    "door; I turned and knocked on hers. By nine, six of us were cooking there. "
) * 6
"""About 190 words, a story of ninety seconds."""
BATCH = 1_000


def measure(sizes: tuple[int, ...] = SIZES) -> list[tuple[str, str, str, str]]:
    """A row for each size, for `make bench`."""
    rows = []
    for size in track(sizes, "library", transient=True):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.library", str(size)],
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
        rows.append(
            (
                f"export of {size:,} stories, CSV and JSON lines",
                f"{told['export']:.1f} s, {size / told['export']:,.0f} a second",
                "constant memory",
                f"memory grew by {told['grown']:.0f} MiB; file {told['size'] / 1e6:.1f} MB",
            )
        )
        rows.append(
            (
                f"withdrawal among {size:,} stories",
                f"{told['deny'] * 1000:.0f} ms until it is used nowhere",
                "at once",
                f"{told['erase']:.1f} s until it is erased from files and free pages",
            )
        )
    return rows


async def fill(home: Path, count: int) -> Any:
    """A store with so many approved stories, written in bulk."""
    from sqlalchemy import insert

    from bot.core.story import Folder
    from bot.store.database import SqlStore, open_store
    from bot.store.library_tables import library_entries, library_labels
    from bot.store.rows import to_rows
    from bot.store.tables import metadata

    store = await open_store(f"sqlite:///{home / 'coach.sqlite'}")
    assert isinstance(store, SqlStore)
    for first in range(0, count, BATCH):
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for number in range(first, min(first + BATCH, count)):
            folder: Folder = a_folder(number)
            for table, held in to_rows(folder).items():
                rows[table] += held.values()
            release = folder.stories[0].releases[0]
            rows[library_entries.name].append(
                {
                    "release_id": release.id,
                    "story_id": folder.stories[0].id,
                    "text_sha256": release.text_sha256,
                    "approved_at": NOW,
                    "approved_by": "x",
                }
            )
            rows[library_labels.name].append(
                {
                    "release_id": release.id,
                    "kind": "theme",
                    "value": f"theme {number % 7}",
                    "asserted_by": "x",
                }
            )
        async with store._engine.begin() as connection:
            for table in metadata.sorted_tables:
                if rows[table.name]:
                    await connection.execute(insert(table), rows[table.name])
    return store


def a_folder(number: int) -> Any:
    """A teller with one released story."""
    from bot.core.consent import AgeBand, NameShown, Purpose, Release, text_hash
    from bot.core.narrative import StoryOf
    from bot.core.story import Folder, Identity, Origin, Resident, Session, Story, StoryStatus

    text = f"Story {number}. {TEXT}"
    story = Story(f"s{number:031x}", "es" if number % 3 else "en", NOW)
    story.parts[StoryOf.SELF].tell(text, Origin.TOLD, NOW)
    whole = story.whole()
    story.releases.append(
        Release(
            f"r{number:031x}",
            whole,
            text_hash(whole),
            frozenset({Purpose.PUBLIC_LIBRARY, Purpose.AGGREGATE_COUNTS}),
            NameShown.NONE,
            "",
            "2026-11",
            story.language,
            NOW,
            NOW + timedelta(days=365),
        )
    )
    story.status, story.submitted_at = StoryStatus.SUBMITTED, NOW
    resident = Resident(f"p{number:031x}", NOW, NOW, story.language, AgeBand.ADULT)
    folder = Folder(resident, Identity(number + 1, number + 1, "Teller"), Session("done"))
    folder.stories.append(story)
    return folder


class Still:
    """A clock that stands still."""

    def now(self) -> datetime:
        """When every story was released."""
        return NOW


class NoIndex:
    """An example index with nothing of ours in it."""

    async def renew(self, story_ids: Any) -> int:
        """Nothing to do."""
        return 0


def forget_peak() -> None:
    """Let the peak begin anew from what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Most memory this process held since its peak was forgotten, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next(line for line in lines if line.startswith("VmHWM:"))
    return int(held.split()[1]) / 1024


async def one(count: int) -> dict[str, float]:
    """Seconds to export and to withdraw, and by how much memory grew while exporting."""
    from bot.core.library import Format, Profile
    from bot.exporting.archive import Archives
    from bot.exporting.home import Home
    from bot.usecases.exporting import Exporting
    from bot.usecases.library import Librarian
    from bot.usecases.people import CONSOLE
    from bot.usecases.staff import Staff
    from bot.wiring import new_id
    from bot.words.catalogue import Catalogue

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = await fill(home, count)
        gc.collect()
        exporting = Exporting(store, Archives(Catalogue().text), Still(), new_id)
        forget_peak()
        before, began = peak(), time.perf_counter()
        done = await exporting.export(
            CONSOLE, Profile.PUBLIC, [Format.CSV, Format.JSONL], home / "exports"
        )
        export, grown = time.perf_counter() - began, peak() - before
        assert done.rows == count
        staff = Staff(Unscrubbed(store), Catalogue(), Still(), new_id)
        began = time.perf_counter()
        await staff.withdraw(f"s{count // 2:031x}")
        deny = time.perf_counter() - began
        began = time.perf_counter()
        await Librarian(store, Still(), NoIndex(), Home(home)).finish()
        erase = time.perf_counter() - began
        assert not done.path.exists()
        await store.close()
    return {
        "export": export,
        "grown": grown,
        "size": float(done.size),
        "deny": deny,
        "erase": erase,
    }


class Unscrubbed:
    """A store that leaves scrubbing to the librarian, who is measured apart."""

    def __init__(self, store: Any) -> None:
        """Over the real one."""
        self._store = store

    def work(self) -> Any:
        """A unit of work."""
        return self._store.work()

    async def scrub(self, at: datetime) -> list[Any]:
        """Not now."""
        return []

    async def empty_log(self) -> None:
        """Not now."""

    async def close(self) -> None:
        """Left to who opened it."""


if __name__ == "__main__":
    print(json.dumps(asyncio.run(one(int(sys.argv[1])))))

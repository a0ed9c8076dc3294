"""`python -m benchmarks.known [MANY]`: what the bot needs when it knows few people, and when many.

The whole program (reading stubbed, as in `benchmarks.rivals`) on an SQLite file that holds so many
residents, each with a story under way; each count in a process of its own. Two thousand of them,
all over the file, write once. Telegram takes every message at once and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from telegram.request import BaseRequest, RequestData

from benchmarks.rivals.ours import lift
from bot.core.narrative import StoryOf
from bot.settings import Settings
from bot.store.database import open_store
from bot.store.tables import OF_FOLDER
from bot.telegram.webhook import Hook
from bot.wiring import Parts, telegram_coach
from tests.store.samples import a_full_folder

FEW, MANY = 10_000, 1_000_000
WRITE, WARM = 2_000, 200
"""Who write once and are counted, and who do so before."""
URL = "https://nowhere.example/telegram"
LINE = "It was a Tuesday, and the lift in our building stopped again, as it does."


class Nowhere(BaseRequest):
    """Telegram as far as a call's answer shows it."""

    read_timeout = 5.0

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *_: Any, **__: Any
    ) -> tuple[int, bytes]:
        """Everything is fine."""
        name = url.rpartition("/")[2]
        result: object = True
        if name == "getMe":
            result = {"id": 1, "is_bot": True, "first_name": "Coach", "username": "coach_bot"}
        elif name == "getWebhookInfo":
            result = {"url": URL, "has_custom_certificate": False, "pending_update_count": 0}
        elif name == "sendMessage":
            result = {"message_id": 7, "date": 0, "chat": {"id": 7, "type": "private"}}
        elif name.startswith("getMy"):
            result = {"name": "", "description": "", "short_description": ""}
            result = [] if name == "getMyCommands" else result
        return 200, json.dumps({"ok": True, "result": result}).encode()


async def known(file: Path, residents: int) -> None:
    """Make a file that knows so many: one by the program, the others as copies of its rows."""
    store = await open_store(f"sqlite:///{file}")
    folder = a_full_folder("r-0", 1)
    folder.stories = folder.stories[1:]
    folder.session.step, folder.session.story_id = "telling", folder.stories[0].id
    folder.session.notes = {"stage": "self"}
    folder.stories[0].parts[StoryOf.SELF].pieces = [LINE]
    folder.resident.last_seen_at += timedelta(days=1)
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    await store.close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous=OFF")
    for table in OF_FOLDER:
        rows = connection.execute(f"SELECT * FROM {table.name}").fetchall()
        if rows:
            marks = ",".join("?" * len(rows[0]))
            copies = (_copy(table.name, row, n) for n in range(1, residents) for row in rows)
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", copies)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _copy(table: str, row: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    """The same row of somebody else: another id, and in `identities` other numbers at Telegram."""
    values = [v.replace("r-0", f"r-{number}") if isinstance(v, str) else v for v in row]
    if table == "identities":
        values[1:3] = [number + 1, number + 1]
    return tuple(values)


def update(number: int, chat: int) -> bytes:
    """Somebody says a line."""
    who = {"id": chat, "first_name": "P", "is_bot": False}
    message = {
        "message_id": 1, "date": int(time.time()), "from": who, "text": LINE,
        "chat": {"id": chat, "type": "private"},
    }  # fmt: skip
    return json.dumps({"update_id": number, "message": message}).encode()


@dataclass
class Seen:
    """MiB, and milliseconds of the processor for a turn."""

    residents: int
    rest: float
    after: float
    turn_ms: float


async def measured(home: Path, residents: int) -> Seen:
    """Serve `WRITE` of so many, once each."""
    lift("stubbed")
    settings = settings_of(home)
    nowhere = Nowhere()
    async with telegram_coach(
        Parts(settings), "1:x", nowhere, nowhere, hook=Hook(URL, "s" * 20)
    ) as coach:
        await coach.start()
        chats = spread(residents, WRITE + WARM)
        number = 0
        for _ in range(WARM):
            number += 1
            await coach.receive(update(number, next(chats)))
        await coach.idle()
        rest, spent = resident_mib(), time.process_time()
        for _ in range(WRITE):
            number += 1
            await coach.receive(update(number, next(chats)))
            if number % 50 == 0:
                await coach.idle()
        await coach.idle()
        counts = (await coach.depths())["outbox"]
        assert counts["sent"] >= WRITE + WARM, counts
        turn = (time.process_time() - spent) * 1000 / WRITE
        return Seen(residents, rest, resident_mib(), turn)


def settings_of(home: Path) -> Settings:
    """Settings of an installation in that folder, whatever stands in the environment."""
    return Settings(_env_file=None, coach_home=home)  # type: ignore[call-arg]


def spread(residents: int, count: int) -> Iterator[int]:
    """Chats all over the file, each once."""
    step = residents / count
    return (1 + int(n * step) for n in range(count))


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Print a line for each count."""
    if len(sys.argv) == 4 and sys.argv[1] == "--serve":
        seen = asyncio.run(measured(Path(sys.argv[2]), int(sys.argv[3])))
        print(json.dumps(asdict(seen)))
        return
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    rows = []
    for residents in (FEW, many):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "coach.db"
            asyncio.run(known(file, residents))
            size = file.stat().st_size / 2**20
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.known", "--serve", folder, str(residents)],
                check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            rows.append(Seen(**json.loads(done.stdout)))
            seen = rows[-1]
            print(
                f"{residents:>9,} residents known (file of {size:,.0f} MiB): {seen.rest:.0f} MiB"
                f" at rest, {seen.after:.0f} MiB after {WRITE:,} of them wrote;"
                f" {seen.turn_ms:.2f} ms of the processor a turn",
                flush=True,
            )
    few, more = rows
    print(f"memory {more.after / few.after:.2f}×, a turn {more.turn_ms / few.turn_ms:.2f}×")


if __name__ == "__main__":
    main()

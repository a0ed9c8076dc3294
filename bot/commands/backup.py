"""`coach backup`: the whole database into one file, beside a running bot; and earlier ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bot.commands.export import progress
from bot.settings import load_settings
from bot.usecases.backing_up import BackingUp, NoSuchBackup
from bot.usecases.backup_ports import HoldsErased
from bot.usecases.people import CONSOLE
from bot.usecases.ports import Store
from bot.wiring import Parts, new_id, opened


@dataclass(frozen=True)
class Wish:
    """What the options ask for."""

    out: Path | None = None
    keep: int | None = None
    listed: bool = False
    acknowledge: str = ""


def run(wish: Wish, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Make a backup, list or answer for earlier ones: 0 done, 1 refused, 2 wrong usage."""
    if wish.listed + bool(wish.acknowledge) + (wish.out is not None or wish.keep is not None) > 1:
        print(
            "Choose one: --list, --acknowledge, or a new backup with --out and --keep.", file=stderr
        )
        return 2
    parts = Parts(load_settings())
    if wish.acknowledge:
        return asyncio.run(_acknowledge(parts, wish.acknowledge, stdout, stderr))
    if wish.listed:
        asyncio.run(_list(parts, as_json, stdout))
        return 0
    asyncio.run(_make(parts, wish, as_json, stdout, stderr))
    return 0


async def _make(parts: Parts, wish: Wish, as_json: bool, stdout: TextIO, stderr: TextIO) -> None:
    from bot.store.backup import back_up
    from bot.store.migrations import HEAD

    now, home = parts.clock.now(), parts.settings.coach_home.absolute()
    backup_id = new_id()
    name = f"coach-{now:%Y%m%d-%H%M%S}-{backup_id[:6]}.backup"
    out = (wish.out or home / "backups").absolute()
    path = out / name if wish.out is None or out.is_dir() else out
    with progress(stderr, "rows") as told:
        made = await back_up(parts.settings.database, path, backup_id, now, told)
    is_current = made.revision == HEAD
    removed, held = [], []
    if is_current:
        async with opened(parts) as store:
            verbs = BackingUp(store, parts.clock)
            if wish.keep is not None:
                removed = await _keep(verbs, path.parent, wish.keep)
            held = await verbs.holding_erased(CONSOLE)
    if as_json:
        line = {
            "backup": backup_id, "path": str(path), "bytes": made.backup.size,
            "revision": made.revision, "recorded": made.is_recorded, "removed": removed,
        }  # fmt: skip
        print(json.dumps(line), file=stdout)
    else:
        print(f"Backed up and checked, {_size(made.backup.size)}: {path}", file=stdout)
        for gone in removed:
            print(f"Removed, because newer ones are kept: {gone}", file=stdout)
    _advise(path.is_relative_to(home), made.is_recorded, is_current, stderr)
    show_backups(held, stderr)


def _advise(is_at_home: bool, is_recorded: bool, is_current: bool, stderr: TextIO) -> None:
    print("It holds people's words, not encrypted: keep it where only you can read.", file=stderr)
    if is_at_home:
        print("It lies in the data folder: copy it to another machine.", file=stderr)
    if not is_recorded:
        print(
            "This database is from before backups were recorded: note where it lies yourself.",
            file=stderr,
        )
    if not is_current:
        print(
            "This database is older than the program, so nothing was removed and nothing looked "
            "up; `coach migrate` brings it up to date.",
            file=stderr,
        )


async def _keep(verbs: BackingUp, folder: Path, number: int) -> list[str]:
    """Delete older backups in the same folder; their paths. Raises OSError."""
    beyond = await verbs.beyond(number, lambda backup: Path(backup.path).parent == folder)
    for backup in beyond:
        await asyncio.to_thread(Path(backup.path).unlink, missing_ok=True)
        await verbs.removed(backup.id)
    return [backup.path for backup in beyond]


async def _acknowledge(parts: Parts, backup_id: str, stdout: TextIO, stderr: TextIO) -> int:
    async with opened(parts) as store:
        try:
            await BackingUp(store, parts.clock).acknowledge(CONSOLE, backup_id)
        except NoSuchBackup as refused:
            print(refused, file=stderr)
            return 1
    print("Noted: every copy of this backup is destroyed.", file=stdout)
    return 0


async def _list(parts: Parts, as_json: bool, stdout: TextIO) -> None:
    async with opened(parts) as store:
        verbs = BackingUp(store, parts.clock)
        made, held = await verbs.all(CONSOLE), await verbs.holding_erased(CONSOLE)
    owed = {one.backup.id: one for one in held}
    if as_json:
        for one in made:
            left = owed.get(one.id)
            line = {
                "backup": one.id, "made_at": one.made_at.isoformat(), "path": one.path,
                "state": one.state, "bytes": one.size,
                "gone_at": one.gone_at.isoformat() if one.gone_at else None,
                "gone_because": one.gone_because,
                "erased_stories": left.stories if left else 0,
                "forgotten_people": left.people if left else 0,
            }  # fmt: skip
            print(json.dumps(line), file=stdout)
        return
    if not made:
        print("No backup was made yet; `coach backup` makes one.", file=stdout)
    for one in made:
        note = _GONE.get(one.gone_because or "", "")
        if one.id in owed:
            note = "TO DESTROY"
        elif not note and one.state == "writing":
            note = "not finished"
        day = f"{one.made_at:%Y-%m-%d %H:%M}"
        print(f"{one.id}  {day}  {_size(one.size)}  {one.path}  {note}".rstrip(), file=stdout)
    show_backups(held, stdout)


_GONE = {"kept_newer": "removed, newer ones are kept", "acknowledged": "destroyed"}


def show_backups(held: Sequence[HoldsErased], out: TextIO) -> None:
    """Say which backups hold words that were taken back since."""
    for one in held:
        stories = "1 story" if one.stories == 1 else f"{one.stories} stories"
        people = "1 person" if one.people == 1 else f"{one.people} people"
        forgotten = f" and {people} forgotten" if one.people else ""
        print(
            f"Taken back since the backup of {one.backup.made_at:%Y-%m-%d %H:%M} UTC, which still "
            f"holds them: {stories} withdrawn{forgotten}. Make a new one, then destroy every copy "
            f"of {one.backup.path}\n  then: coach backup --acknowledge {one.backup.id}",
            file=out,
        )


async def backups_left(store: Store) -> list[HoldsErased]:
    """Backups that hold words erased since."""
    async with store.work() as work:
        return await work.backups.holding_erased()


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"

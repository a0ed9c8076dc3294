"""`coach export`: approved stories in one file with their consent; and what became of old ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO, TypeVar

from bot.core.consent import Purpose
from bot.core.library import MAY_SEND, Format, Profile, Wanted
from bot.core.narrative import StoryOf
from bot.settings import load_settings
from bot.usecases.exporting import Exporting, ExportRefused
from bot.usecases.library_ports import ToDestroy
from bot.usecases.people import CONSOLE
from bot.wiring import Parts, exporting, opened

Known = TypeVar("Known", Profile, Format)


class BadWish(ValueError):
    """Options that mean nothing; one plain sentence."""


@dataclass(frozen=True)
class Wish:
    """What the options ask for; `filters` by the names of core.library.Wanted, as typed."""

    profile: str = ""
    formats: Sequence[str] = ()
    out: Path | None = None
    filters: Mapping[str, str] | None = None
    acknowledge: str = ""


def run(wish: Wish, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Export, or without a profile list old exports: 0 done, 1 refused, 2 wrong usage."""
    try:
        return asyncio.run(_run(wish, as_json, stdout, stderr))
    except BadWish as wrong:
        print(wrong, file=stderr)
        return 2
    except ExportRefused as refused:
        print(refused, file=stderr)
        return 1


async def _run(wish: Wish, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    profile = _one_of(wish.profile, Profile, "profile") if wish.profile else None
    formats = [_one_of(f, Format, "format") for f in wish.formats or ["csv"]]
    looked_for = wanted(wish.filters or {})
    parts = Parts(load_settings())
    async with opened(parts) as store:
        verbs = exporting(parts, store)
        if wish.acknowledge:
            settled = await verbs.acknowledge(CONSOLE, wish.acknowledge)
            print(f"Noted: every copy is destroyed ({settled} stories).", file=stdout)
        elif profile is None:
            await _list(verbs, as_json, stdout)
        else:
            home = parts.settings.coach_home
            folder = (wish.out or home / "exports").absolute()
            with progress(stderr, "stories") as told:
                done = await verbs.export(CONSOLE, profile, formats, folder, looked_for, told)
            said = {
                "export": done.id, "path": str(done.path), "rows": done.rows, "bytes": done.size,
            }  # fmt: skip
            print(json.dumps(said) if as_json else _said(done.path, done.rows), file=stdout)
            if done.size > MAY_SEND:
                print("It is too large to be sent in Telegram: hand it over another way, or "
                      "narrow it, say with --language.", file=stderr)  # fmt: skip
            _tell_left(await verbs.to_destroy(CONSOLE), stderr)
    return 0


def _said(path: Path, rows: int) -> str:
    stories = "1 story" if rows == 1 else f"{rows} stories"
    return f"{stories} in {path}"


def _one_of(word: str, kind: type[Known], name: str) -> Known:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(k.value for k in kind)
        raise BadWish(f"There is no {name} {word}; there are: {known}.") from None


def wanted(filters: Mapping[str, str]) -> Wanted:
    """Filters as typed. Days are inclusive, UTC. Raises BadWish."""
    stage, purpose = filters.get("stage", ""), filters.get("purpose", "")
    if stage and stage not in set(StoryOf):
        raise BadWish("A stage is self, us or now.")
    if purpose and purpose not in set(Purpose):
        raise BadWish(f"There is no purpose {purpose}; there are: {', '.join(Purpose)}.")
    until = _day(filters.get("until", ""))
    return Wanted(
        theme=filters.get("theme", ""),
        stage=StoryOf(stage) if stage else None,
        language=filters.get("language", ""),
        place=filters.get("place", ""),
        value=filters.get("value", ""),
        since=_day(filters.get("since", "")),
        until=until + timedelta(days=1) if until else None,
        purpose=Purpose(purpose) if purpose else None,
    )


def _day(word: str) -> datetime | None:
    if not word:
        return None
    try:
        return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadWish("Write a day like 2026-12-01.") from None


async def _list(verbs: Exporting, as_json: bool, stdout: TextIO) -> None:
    made, left = await verbs.exports(CONSOLE), await verbs.to_destroy(CONSOLE)
    owed = {x.export_id for x in left}
    if as_json:
        for one in made:
            line = {
                "export": one.id, "profile": one.profile.value, "formats": list(one.formats),
                "made_at": one.made_at.isoformat(), "rows": one.rows, "path": one.path,
                "to_destroy": sorted({x.story_id for x in left if x.export_id == one.id}),
            }  # fmt: skip
            print(json.dumps(line), file=stdout)
        return
    if not made:
        print("Nothing was exported yet; see `coach export --help`.", file=stdout)
    for one in made:
        owes = "  TO DESTROY" if one.id in owed else ""
        day = f"{one.made_at:%Y-%m-%d %H:%M}"
        print(f"{one.id}  {day}  {one.profile.value}  {one.rows}  {one.path}{owes}", file=stdout)
    _tell_left(left, stdout)


def _tell_left(left: Sequence[ToDestroy], out: TextIO) -> None:
    """Which earlier exports hold stories they no longer may."""
    for export_id, path in dict.fromkeys((x.export_id, x.where) for x in left):
        mine = [x for x in left if x.export_id == export_id]
        where = "our copy is erased; other copies of" if mine[0].is_erased_here else "destroy"
        print(
            f"{len(mine)} taken back since export {export_id}: {where} {path}, "
            f"then `coach export --acknowledge {export_id}`.",
            file=out,
        )


@contextmanager
def progress(stderr: TextIO, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; told how many were done, of about how many."""
    if not stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=stderr), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)

"""A backup's file: JSON lines, compressed, with a checksum over all of it in the last one.

The first line says what it is and which revision of the database it holds. Then each table says
its columns and how far its ids were given out, followed by its rows, parents before children.
Files are readable by their owner only, written beside their place and renamed when whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.usecases.backup_ports import BadBackup

FORMAT = 1
_KIND = "story-coach-backup"
_LEVEL = 6
_PART = ".backup-part"


@dataclass(frozen=True)
class Heading:
    """What a backup says about itself."""

    id: str
    revision: str
    made_at: datetime


@dataclass(frozen=True)
class TableBegins:
    """Rows of this table follow. `last_id` is the last id it gave out, where it counts."""

    name: str
    columns: tuple[str, ...]
    last_id: int | None


class BackupWriter:
    """Writes one backup. Calls block; each may raise OSError."""

    def __init__(self, path: Path, heading: Heading) -> None:
        """Begin beside `path`. Raises FileExistsError when something lies there already."""
        if path.exists():
            raise FileExistsError(17, "there is a file of that name already", str(path))
        self._path = path
        self._part = _part(path)
        # A part that nobody holds was left behind by a crash; its words must not stay.
        sweep(path.parent)
        handle = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._raw = os.fdopen(handle, "wb")
        self._file = gzip.GzipFile("", "wb", _LEVEL, self._raw, mtime=0)
        self._hash = hashlib.sha256()
        self._rows = 0
        self._write(
            {
                _KIND: FORMAT,
                "id": heading.id,
                "revision": heading.revision,
                "made_at": heading.made_at.isoformat(),
            }
        )

    def table(self, begins: TableBegins) -> None:
        """Rows of this table follow."""
        self._write({"table": begins.name, "columns": begins.columns, "last_id": begins.last_id})

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows of the table begun last: strings, numbers, booleans, None."""
        for row in rows:
            self._write(row)
        self._rows += len(rows)

    def seal(self) -> int:
        """End the file, make it durable and read all of it again; its bytes. Raises BadBackup."""
        self._write({"rows": self._rows, "sha256": self._hash.hexdigest()})
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        check(self._part)
        return self._part.stat().st_size

    def publish(self) -> None:
        """Give the sealed file its name: it is there whole, or not at all."""
        self._part.rename(self._path)
        _sync_folder(self._path.parent)
        self._close()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._part.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._raw.close()

    def _write(self, thing: object) -> None:
        line = json.dumps(thing, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        self._hash.update(line)
        self._file.write(line)


def is_being_written(path: Path) -> bool:
    """Whether somebody writes this backup now. What nobody writes any more is deleted."""
    sweep(path.parent)
    return _part(path).exists()


def size_of(path: Path) -> int | None:
    """A file's bytes; None when it is not there."""
    return path.stat().st_size if path.exists() else None


def sweep(folder: Path) -> None:
    """Delete parts of backups in a folder that nobody is writing any more."""
    for part in folder.glob(f".*{_PART}"):
        with contextlib.suppress(OSError):
            handle = os.open(part, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()
            finally:
                os.close(handle)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}{_PART}")


def check(path: Path) -> Heading:
    """Read a whole backup and prove its checksum. Raises BadBackup, OSError."""
    heading: Heading | None = None
    for thing in _lines(path):
        if isinstance(thing, Heading):
            heading = thing
    assert heading is not None
    return heading


def read(path: Path) -> Iterator[Heading | TableBegins | list[Any]]:
    """What a backup holds, in order; the last item comes only if the checksum is right.

    Raises BadBackup, OSError.
    """
    return _lines(path)


def _lines(path: Path) -> Iterator[Heading | TableBegins | list[Any]]:
    hashed, rows, ended = hashlib.sha256(), 0, False
    begun = False
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                if ended:
                    raise _damaged(path)
                thing = json.loads(line)
                if not begun:
                    yield _heading(path, thing)
                    begun = True
                elif isinstance(thing, list):
                    rows += 1
                    yield thing
                elif "table" in thing:
                    yield TableBegins(thing["table"], tuple(thing["columns"]), thing["last_id"])
                else:
                    ended = thing == {"rows": rows, "sha256": hashed.hexdigest()}
                    if not ended:
                        raise _damaged(path)
                hashed.update(line)
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError, TypeError, KeyError):
        raise _damaged(path) if begun else _no_backup(path) from None
    if not ended:
        raise _damaged(path) if begun else _no_backup(path)


def _heading(path: Path, thing: Any) -> Heading:
    if not isinstance(thing, dict) or _KIND not in thing:
        raise _no_backup(path)
    if thing[_KIND] != FORMAT:
        raise from_newer(path)
    return Heading(thing["id"], thing["revision"], datetime.fromisoformat(thing["made_at"]))


def _no_backup(path: Path) -> BadBackup:
    return BadBackup(
        f"{path} is not a backup made by `coach backup`; nothing was changed. "
        "`coach backup --list` says where backups lie."
    )


def _damaged(path: Path) -> BadBackup:
    return BadBackup(
        f"{path} is damaged or cut short, so it was not used; nothing was changed. "
        "Take another copy of it, or another backup."
    )


def from_newer(path: Path) -> BadBackup:
    """The refusal of a backup that a later version of the program made."""
    return BadBackup(
        f"{path} was made by a newer version of this program; nothing was changed. "
        "Install the newer version, then restore."
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

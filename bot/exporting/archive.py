"""One ZIP per export: stories, consent ledger, coverage, codebook, and a manifest that counts them.

Written in a hidden folder beside its place and renamed at the end, so that a file with an export's
name is always whole. Memory does not grow with the number of stories.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from bot.core.harmless import cell
from bot.core.library import Coverage, Format, LibraryEntry
from bot.exporting.formats import Words, Writer, writers
from bot.exporting.home import flush, partial_of
from bot.exporting.rows import COLUMNS, LEDGER
from bot.usecases.library_ports import About

_CHUNK = 1 << 20
_ZIP = "export.zip"
_LOCK = "lock"


class Archives:
    """Implements library_ports.ExportRoom."""

    def __init__(self, words: Words) -> None:
        """`words` says what stands beside a story, in the story's language."""
        self._words = words

    def begin(self, path: str, formats: Sequence[Format]) -> Archive:
        """Begin a file; its folder is made. Raises OSError."""
        return Archive(Path(path), formats, self._words)

    def leftover(self, path: str) -> Literal["busy", "whole", "none"]:
        """What there is of an export whose end nobody noted."""
        lock = partial_of(Path(path)) / _LOCK
        if lock.exists() and _is_held(lock):
            return "busy"
        return "whole" if Path(path).exists() else "none"

    def discard(self, path: str) -> None:
        """Delete what there is of it. Raises OSError."""
        _discard(Path(path))


class Archive:
    """Implements library_ports.ExportFile."""

    def __init__(self, path: Path, formats: Sequence[Format], words: Words) -> None:
        """Opens the files. Raises OSError."""
        self._path, self._folder = path, partial_of(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700)
        self._lock: int | None = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (self._folder / "files").mkdir()
        self._writers: list[Writer] = writers(self._folder / "files", formats, words)

    def add(self, entries: Sequence[LibraryEntry]) -> None:
        """Write stories, in order."""
        for entry in entries:
            for writer in self._writers:
                writer.add(entry)

    def seal(self, about: About) -> int:
        """Write all that goes with the stories and make it durable; its bytes."""
        for writer in self._writers:
            writer.close()
        files = self._folder / "files"
        _write_coverage(files / "coverage.csv", about.coverage)
        (files / "codebook.md").write_text(codebook(about), encoding="utf-8")
        whole = self._folder / _ZIP
        with whole.open("wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                held = {path.name: _put(archive, path, about) for path in sorted(files.iterdir())}
                manifest = json.dumps(_manifest(about, held), ensure_ascii=False, indent=1)
                archive.writestr(_named("manifest.json", about), manifest + "\n")
            out.flush()
            os.fsync(out.fileno())
        flush(self._folder)
        return whole.stat().st_size

    def content(self) -> bytes:
        """The bytes of the sealed file. Raises FileNotFoundError when it was erased meanwhile."""
        return (self._folder / _ZIP).read_bytes()

    def publish(self) -> None:
        """Give the sealed file its name. Raises FileNotFoundError when it was erased meanwhile."""
        (self._folder / _ZIP).rename(self._path)
        flush(self._path.parent)
        self._let_go()
        shutil.rmtree(self._folder, ignore_errors=True)

    def discard(self) -> None:
        """Leave nothing behind, under either name."""
        for writer in self._writers:
            writer.close()
        _discard(self._path)
        self._let_go()

    def _let_go(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _discard(path: Path) -> None:
    shutil.rmtree(partial_of(path), ignore_errors=True)
    path.unlink(missing_ok=True)
    flush(path.parent)


def _is_held(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _named(name: str, about: About) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, about.made_at.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _put(archive: zipfile.ZipFile, path: Path, about: About) -> Mapping[str, object]:
    """Copy a file into the archive piece by piece; its bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with (
        path.open("rb") as source,
        archive.open(_named(path.name, about), "w", force_zip64=True) as out,
    ):
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    path.unlink()
    return {"bytes": size, "sha256": digest.hexdigest()}


def _manifest(about: About, held: Mapping[str, Mapping[str, object]]) -> Mapping[str, object]:
    return {
        "export": about.export_id,
        "profile": about.profile.value,
        "purpose": about.profile.purpose.value,
        "formats": [f.value for f in about.formats],
        "filters": dict(about.filters),
        "made_at": about.made_at.isoformat(),
        "made_by": about.made_by,
        "rows": about.rows,
        "files": dict(held),
        "promise": (
            "Every story in it was released by its teller for this purpose and approved by "
            "staff, for exactly this text, when it was made. Who takes a story back later is "
            "owed the destruction of every copy."
        ),
    }


def _write_coverage(path: Path, coverage: Coverage) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["counted_by", "value", "stories"])
        for by, value, number in coverage.rows:
            table.writerow([cell(by), cell(value), "" if number is None else number])
        for note in coverage.notes:
            table.writerow(["note", cell(note), ""])


def codebook(about: About) -> str:
    """What every file and column means, and how text was written."""
    lines = [
        "# Codebook",
        "",
        f"Export {about.export_id}, for the profile “{about.profile.value}”: stories whose tellers "
        f"permit the use “{about.profile.purpose.value}”. {about.rows} stories.",
        "",
        "Nobody's identity is in any file but the name a teller chose to show. Stories are "
        "self-selected: patterns, not prevalence.",
        "",
        "## Stories",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in COLUMNS.items()),
        "",
        "## consent.csv",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in LEDGER.items()),
        "",
        "## coverage.csv",
        "",
        "Whose stories there are and are not. An empty number is one too small to show, or one "
        "that would give such a number away.",
        "",
        "## How text is written",
        "",
        "- JSON lines: exactly as released.",
        "- CSV: UTF-8 with a byte order mark. A cell that begins with = + - @ (also full width), "
        "a tab, a line end or an apostrophe has one apostrophe before it, so that no spreadsheet "
        "calculates it; take that one away to have the text. Control characters are written "
        "`\\u001b`, a backslash before such a thing `\\u005c`.",
        "- Markdown: what would be markup has a backslash before it; blanks at the ends of lines "
        "are `&#32;`; control characters as in CSV.",
        "- Documents and cards: control characters as in CSV.",
        "",
    ]
    return "\n".join(lines)

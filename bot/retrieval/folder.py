"""The example index on disk: one sealed snapshot at a time, one writer, nothing left behind.

    <folder>/current       the name of the snapshot in use, replaced atomically
    <folder>/lock          held by the process that is writing
    <folder>/index-…/      a snapshot: Chroma's files and manifest.json

A snapshot is never changed after it is sealed. Its manifest holds what it was built from and
checksums, because Chroma's native code crashes the process when its vector files are damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import Struct

from bot.usecases.ports import RetrievalUnavailable

FORMAT = 1
_DATABASE = "chroma.sqlite3"
_TABLES = ("collections", "segments", "embeddings", "embeddings_queue", "max_seq_id")
"""What answers depend on. Chroma writes to other tables merely by opening a snapshot."""


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds. `counts` are passages by collection; `removed` are narratives left
    out though a source still gave them.

    `fingerprint` and `embedder` say what it was built from and with; `files` are checksums by
    path and `rows` the checksum of Chroma's tables, both filled when the snapshot is sealed.
    """

    fingerprint: str
    embedder: str
    counts: Mapping[str, int]
    removed: tuple[str, ...] = ()
    files: Mapping[str, int] | None = None
    rows: str = ""
    format: int = FORMAT


@dataclass(frozen=True)
class Snapshot:
    """A sealed snapshot in use: its folder's name, where it lies, and its manifest."""

    name: str
    path: Path
    manifest: Manifest


_HEADER = Struct("<i4Q")
"""How header.bin of Chroma 1.5 begins: version, offset, room and use in vectors, bytes of one."""
_LENGTH = 4
"""Bytes a vector has in length.bin."""


class IndexFolder:
    """Where snapshots live. Only `writing`, `fresh`, `seal`, `publish` and `sweep` change it."""

    def __init__(self, path: Path) -> None:
        """Nothing is read or made yet."""
        self.path = path

    def is_current(self, name: str) -> bool:
        """True while the snapshot `name` is the one in use; costs one small read."""
        return self._current() == name

    def snapshot(self) -> Snapshot | None:
        """The snapshot in use; None when there is none or its manifest cannot be read."""
        name = self._current()
        if name is None:
            return None
        try:
            raw = json.loads((self.path / name / "manifest.json").read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                return None
            manifest = Manifest(
                fingerprint=str(raw["fingerprint"]),
                embedder=str(raw["embedder"]),
                counts={str(k): int(v) for k, v in raw["counts"].items()},
                removed=tuple(raw["removed"]),
                files={str(k): int(v) for k, v in raw["files"].items()},
                rows=str(raw["rows"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # missing or damaged: the caller rebuilds, the index is derived
        return Snapshot(name, self.path / name, manifest)

    def is_intact(self, snapshot: Snapshot) -> bool:
        """True when the snapshot's files are as they were sealed. Never opens Chroma."""
        try:
            return (
                _checksums(snapshot.path) == snapshot.manifest.files
                and _rows(snapshot.path) == snapshot.manifest.rows
            )
        except (OSError, sqlite3.Error):
            return False

    @contextmanager
    def writing(self, patience: float = 0) -> Iterator[None]:
        """Hold the folder as its one writer, waiting `patience` seconds for another to finish.

        Raises RetrievalUnavailable when another writer holds it or the folder cannot be written.
        """
        with self._writable():
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(lock, patience)
            yield
        finally:
            os.close(lock)

    def fresh(self) -> Path:
        """An empty folder for a new snapshot."""
        path = self.path / f"index-{uuid.uuid4().hex[:12]}"
        with self._writable():
            path.mkdir()
        return path

    def seal(self, path: Path, manifest: Manifest) -> Snapshot:
        """Write the manifest with its checksums; Chroma must have closed the folder."""
        with self._writable():
            _blank_unused_room(path)
            whole = asdict(manifest) | {"files": _checksums(path), "rows": _rows(path)}
            _write(path / "manifest.json", json.dumps(whole, indent=1, sort_keys=True))
        return Snapshot(path.name, path, Manifest(**whole))

    def publish(self, snapshot: Snapshot) -> None:
        """Make a sealed snapshot the one in use; the switch is one rename."""
        with self._writable():
            _write(self.path / "current.new", snapshot.name)
            (self.path / "current.new").replace(self.path / "current")
            _flush(self.path)

    def has_remains(self) -> bool:
        """True when any snapshot lies here, in use, half made or left behind."""
        return any(self.path.glob("index-*"))

    def sweep(self) -> int:
        """Delete every snapshot but the one in use; returns how many folders went."""
        current = self.snapshot()
        gone = 0
        with self._writable():
            for path in sorted(self.path.glob("index-*")):
                if current is None or path.name != current.name:
                    shutil.rmtree(path)
                    gone += 1
        return gone

    def _current(self) -> str | None:
        try:
            name = (self.path / "current").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return name if name.startswith("index-") and Path(name).name == name else None

    def _take(self, lock: int, patience: float) -> None:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise RetrievalUnavailable(
                        f"Another process is writing the example index in {self.path}. "
                        "Wait until it has finished, then try again."
                    ) from error
                time.sleep(0.05)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RetrievalUnavailable(
                f"The example index cannot be written in {self.path} ({error.strerror}). "
                "Make that folder writable with room on the disk, or set COACH_HOME to another."
            ) from error


def _checksums(path: Path) -> dict[str, int]:
    """CRC-32 of Chroma's vector files by path."""
    return {
        f"{file.parent.name}/{file.name}": zlib.crc32(file.read_bytes())
        for file in sorted(path.glob("*/*"))
    }


def _blank_unused_room(path: Path) -> None:
    """Zero what Chroma reserved in its vector files and never filled.

    It writes that room as it found it in memory, where drafts may have been.
    """
    for header in path.glob("*/header.bin"):
        _version, _offset, _room, used, size = _HEADER.unpack_from(header.read_bytes())
        for name, width in (("data_level0.bin", size), ("length.bin", _LENGTH)):
            with (header.parent / name).open("r+b") as file:
                whole = file.seek(0, os.SEEK_END)
                file.seek(used * width)
                file.write(bytes(max(0, whole - used * width)))


def _rows(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    uri = f"{(path / _DATABASE).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the index's tables are damaged")
        for table in _TABLES:
            digest.update(table.encode())
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid"):
                for cell in row:
                    digest.update(cell if isinstance(cell, bytes) else repr(cell).encode())
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

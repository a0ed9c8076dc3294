"""What a Chroma server has left in its own folder, looked for byte by byte.

A server never lets go of anything by itself: deleted rows, collections and whole databases stay in
the free pages of its SQLite file, and the vector files of a deleted collection stay for ever
(chromadb 1.5.9, measured by tests/retrieval/test_server_files.py). Only a folder begun anew is
clean; since when it is, stands in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.retrieval.server import BEGUN
from bot.usecases.library_ports import PASSAGES
from bot.usecases.ports import RetrievalUnavailable

_CHUNK = 1 << 20
_NOTED = """
SELECT note.str_value FROM collections AS one
JOIN collection_metadata AS note ON note.collection_id = one.id
WHERE one.name = ? AND note.key = 'begun_at'
"""


@dataclass(frozen=True)
class Looked:
    """What was found. `begun_at` is None for a folder that is not our server's at present.

    `still` are the stories of which an id stands in some file.
    """

    begun_at: datetime | None
    still: frozenset[str]

    def is_clean_of(self, story_ids: Iterable[str], asked_at: datetime) -> bool:
        """Whether nothing of stories taken back at `asked_at` can be in the folder."""
        is_since = self.begun_at is not None and self.begun_at > asked_at
        return is_since and self.still.isdisjoint(story_ids)


def look(folder: Path, installation: str, story_ids: Iterable[str]) -> Looked:
    """Read every byte of a Chroma server's folder. Blocks. Raises RetrievalUnavailable."""
    wanted = {story: f"{PASSAGES}{story}".encode() for story in story_ids}
    try:
        begun_at = _begun(folder, f"coach-{installation}-{BEGUN}")
        still: set[str] = set()
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            for window in _windows(path, max(map(len, wanted.values()), default=1)):
                still |= {story for story, id in wanted.items() if id in window}
    except (OSError, sqlite3.Error) as error:
        raise RetrievalUnavailable(
            f"{folder} cannot be read as a Chroma server's folder ({type(error).__name__})."
        ) from error
    return Looked(begun_at, frozenset(still))


def _begun(folder: Path, name: str) -> datetime | None:
    uri = f"{(folder / 'chroma.sqlite3').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        found = connection.execute(_NOTED, (name,)).fetchone()
    return datetime.fromisoformat(found[0]) if found else None


def _windows(path: Path, length: int) -> Iterator[bytes]:
    """The file's bytes in pieces that overlap by `length`."""
    with path.open("rb") as file:
        before = b""
        while piece := file.read(_CHUNK):
            yield before + piece
            before = (before + piece)[-length:]

"""What lies in the data directory beside database and index, and how it is erased."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from bot.usecases.library_ports import chat_hash

PARTIAL = ".partial"
"""How the name of an export ends while it is being written."""


def home_id(home: Path) -> str:
    """A word by which a data folder is told apart from others, kept in it. Raises OSError."""
    path, word = home / "home.id", uuid4().hex
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = home / f"home.{word}"
        fresh.write_text(word, encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)  # Of two at once, one is first and both read its word.
        fresh.unlink()
    return path.read_text(encoding="utf-8").strip()


def partial_of(path: Path) -> Path:
    """The folder an export is written in before it gets its name."""
    return path.with_name(f".{path.name}{PARTIAL}")


class Home:
    """Implements library_ports.HomeFiles for one data directory."""

    def __init__(self, home: Path, forget_chat: Callable[[int], None] = lambda chat: None) -> None:
        """`forget_chat` makes the terminal forget a chat that is erased."""
        self._home, self._forget_chat = home, forget_chat

    async def erase_exports(self, paths: Sequence[str], copies: Sequence[str] = ()) -> list[str]:
        """Delete those of the paths that lie under the data directory, finished or half written.

        Copies handed out in the terminal go too, wherever the export itself was put; those of
        `copies` as well.
        The paths that are gone now; the others lie elsewhere. Raises OSError.
        """
        return await asyncio.to_thread(self._erase_exports, paths, copies)

    def _erase_exports(self, paths: Sequence[str], copies: Sequence[str]) -> list[str]:
        home = self._home.resolve()
        mine = [p for p in paths if Path(p).resolve().is_relative_to(home)]
        for path in map(Path, mine):
            shutil.rmtree(partial_of(path), ignore_errors=True)
            path.unlink(missing_ok=True)
            flush(path.parent)
        # What the terminal handed to staff is a copy under the same name.
        for name in {glob.escape(Path(p).name) for p in (*paths, *copies)}:
            for copy in (self._home / "received").glob(f"*/{name}"):
                copy.unlink(missing_ok=True)
        return mine

    async def erase_chat(self, salt: str, chat_sha256: str) -> int:
        """Delete what was handed in the terminal to the chat of that hash; how many files.

        Raises OSError.
        """
        return await asyncio.to_thread(self._erase_chat, salt, chat_sha256)

    def _erase_chat(self, salt: str, chat_sha256: str) -> int:
        count = 0
        folder = self._home / "received"
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name
            if name.lstrip("-").isdecimal() and chat_hash(salt, int(name)) == chat_sha256:
                count += sum(1 for file in path.rglob("*") if file.is_file())
                shutil.rmtree(path)
                self._forget_chat(int(name))
        return count


def flush(folder: Path) -> None:
    """Make a change of names in a folder durable. Raises OSError; a folder gone is no matter."""
    if not folder.is_dir():
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_file(path: Path) -> None:
    """Make a written file durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

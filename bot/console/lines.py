"""Typed and piped input as lines, read so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import codecs
import io
import os
import select
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Line:
    """One line without its end; `replaced` when it held bytes that are not UTF-8."""

    text: str
    replaced: bool = False


def decode(raw: bytes) -> Line:
    """Read one line of bytes; what is not UTF-8 becomes U+FFFD."""
    raw = raw.removesuffix(b"\n").removesuffix(b"\r").removeprefix(codecs.BOM_UTF8)
    try:
        return Line(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Line(raw.decode("utf-8", "replace"), replaced=True)


class PipedLines:
    """Lines from a pipe, file or terminal in line mode, read by a thread of their own.

    A stream without a file descriptor (io.StringIO) is read in the thread as text.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue()
        self._room = threading.Semaphore(64)
        self._closed = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._read, name="console-input", daemon=True)
        self._thread.start()

    async def __aiter__(self) -> AsyncIterator[Line]:
        while (line := await self._lines.get()) is not None:
            self._room.release()
            yield line

    def end(self) -> None:
        """Give no more lines, as at the end of input."""
        self._lines.put_nowait(None)

    def close(self) -> None:
        """Stop the thread and give back its pipe."""
        self._closed.set()
        self._room.release()
        os.write(self._wake_write, b"x")
        self._thread.join(1.0)
        if not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _give(self, line: Line | None) -> None:
        if line is not None:
            self._room.acquire()
        if not self._closed.is_set():
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def _read(self) -> None:
        try:
            descriptor = self._stream.fileno()
        except (io.UnsupportedOperation, AttributeError):
            self._read_text()
        else:
            self._read_bytes(descriptor)
        self._give(None)

    def _read_text(self) -> None:
        for text in self._stream:
            if self._closed.is_set():
                return
            self._give(decode(text.encode("utf-8", "replace")))

    def _read_bytes(self, descriptor: int) -> None:
        waiting: list[bytes] = []
        while not self._closed.is_set():
            ready, _, _ = select.select([descriptor, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                chunk = os.read(descriptor, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                if waiting:
                    self._give(decode(b"".join(waiting)))
                return
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                self._give(decode(b"".join([*waiting, part])))
                waiting.clear()
            if rest:
                waiting.append(rest)

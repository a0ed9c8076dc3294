"""A line editor for the terminal: the prompt stays below while messages arrive above it.

Pasted text keeps its line ends and is sent as one message; Alt-Enter types a line end. The
terminal's own line mode would cut a paste at 4095 bytes, so it is switched off while we edit.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import signal
import sys
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.cells import cell_len

from bot.console.lines import Line
from bot.console.screen import size_of

if sys.platform != "win32":
    import termios

PROMPT = "› "
_KEY = re.compile(
    r"\x1b\[200~(?P<paste>.*?)\x1b\[201~|\x1b\[(?P<csi>[0-9;?]*[@-~])|\x1bO(?P<ss3>.)"
    r"|\x1b(?P<alt>[^\[O])|(?P<char>[^\x1b])",
    re.DOTALL,
)
_MOVES = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "7~": "home",
    "4~": "end",
    "8~": "end",
    "3~": "delete",
    "1;5C": "word_right",
    "1;5D": "word_left",
    "1;3C": "word_right",
    "1;3D": "word_left",
}
_ALT = {"b": "word_left", "f": "word_right", "\r": "newline", "\n": "newline", "\x7f": "cut_word"}
_CONTROL = {
    "\r": "enter",
    "\n": "enter",
    "\x01": "home",
    "\x02": "left",
    "\x03": "interrupt",
    "\x04": "end_of_input",
    "\x05": "end",
    "\x06": "right",
    "\x08": "erase_char",
    "\x0b": "cut_after",
    "\x0c": "redraw",
    "\x0e": "down",
    "\x10": "up",
    "\x15": "cut_before",
    "\x17": "cut_word",
    "\x1a": "suspend",
    "\x7f": "erase_char",
}


class Editor:
    """Lines typed at a terminal; `hidden()` makes room to print above the prompt.

    Ends at Ctrl-D on an empty line, at Ctrl-C on an empty line (on a written one it clears it),
    and when the terminal closes.
    """

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._in = stdin.fileno()
        self._out = stdout
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._text = ""
        self._at = 0
        self._history: list[str] = []
        self._past: int | None = None
        self._draft = ""
        self._status = ""
        self._row = 0
        self._hidden = 0
        self._before = termios.tcgetattr(self._in)
        self._raw()
        self._loop.add_reader(self._in, self._readable)
        if hasattr(signal, "SIGWINCH"):
            self._loop.add_signal_handler(signal.SIGWINCH, self._draw)
        self._draw()

    async def __aiter__(self) -> AsyncIterator[Line]:
        while (line := await self._lines.get()) is not None:
            yield line

    def end(self) -> None:
        """Give no more lines, as Ctrl-D does."""
        self._lines.put_nowait(None)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self._loop.remove_reader(self._in)
        if hasattr(signal, "SIGWINCH"):
            self._loop.remove_signal_handler(signal.SIGWINCH)
        self._erase()
        self._write("\x1b[?2004l")
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the prompt away while something is printed, then draw it below."""
        if not self._hidden:
            self._erase()
        self._hidden += 1
        try:
            yield
        finally:
            self._hidden -= 1
            self._draw()

    def status(self, text: str) -> None:
        """Show a dim line above the prompt; empty takes it away."""
        if text != self._status:
            self._erase()
            self._status = text
            self._draw()

    # keys

    def _raw(self) -> None:
        mode = termios.tcgetattr(self._in)
        mode[0] &= ~(termios.ICRNL | termios.IXON | termios.ISTRIP | termios.INLCR)
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._in, termios.TCSADRAIN, mode)
        self._write("\x1b[?2004h")

    def _readable(self) -> None:
        try:
            raw = os.read(self._in, 65536)
        except OSError:
            raw = b""
        if not raw:
            self._loop.remove_reader(self._in)
            self.end()
            return
        self._pending += self._decoder.decode(raw)
        self._erase()
        while self._pending:
            if self._pending.startswith("\x1b[200~") and "\x1b[201~" not in self._pending:
                break
            key = _KEY.match(self._pending)
            if key is None:
                break
            self._pending = self._pending[key.end() :]
            self._press(key)
        self._draw()

    def _press(self, key: re.Match[str]) -> None:
        char = key["char"]
        if key["paste"] is not None:
            self._insert(re.sub(r"\r\n?", "\n", key["paste"]))
        elif char is None:
            name = _ALT.get(key["alt"] or "") or _MOVES.get(key["csi"] or key["ss3"] or "")
            if name:
                getattr(self, f"_{name}")()
        elif char in _CONTROL:
            getattr(self, f"_{_CONTROL[char]}")()
        elif char == "\t":
            self._insert(" ")
        elif char >= " ":
            self._insert(char)

    def _insert(self, text: str) -> None:
        self._text = self._text[: self._at] + text + self._text[self._at :]
        self._at += len(text)

    def _enter(self) -> None:
        text, self._text, self._at, self._past = self._text, "", 0, None
        if text.strip():
            self._history.append(text)
            shown = text.replace("\n", "\n" + " " * len(PROMPT))
            self._write(f"{PROMPT}{_visible(shown)}\n")
        self._lines.put_nowait(Line(text, replaced="\ufffd" in text))

    def _interrupt(self) -> None:
        if self._text:
            self._text, self._at, self._past = "", 0, None
        else:
            self.end()

    def _end_of_input(self) -> None:
        if self._text:
            self._delete()
        else:
            self.end()

    def _suspend(self) -> None:
        self._write("\x1b[?2004l")
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)
        os.kill(os.getpid(), signal.SIGTSTP)
        self._raw()

    def _redraw(self) -> None:
        self._write("\x1b[2J\x1b[H")

    def _newline(self) -> None:
        self._insert("\n")

    def _left(self) -> None:
        self._at = self._step(-1)

    def _right(self) -> None:
        self._at = self._step(1)

    def _step(self, way: int) -> int:
        """The next place in one direction that is not inside a combined character."""
        at = self._at + way
        while 0 < at < len(self._text) and _joins(self._text[at - 1], self._text[at]):
            at += way
        return min(max(at, 0), len(self._text))

    def _home(self) -> None:
        self._at = self._text.rfind("\n", 0, self._at) + 1

    def _end(self) -> None:
        found = self._text.find("\n", self._at)
        self._at = len(self._text) if found < 0 else found

    def _word_left(self) -> None:
        self._at = len(re.sub(r"\S+\s*$", "", self._text[: self._at]))

    def _word_right(self) -> None:
        found = re.match(r"\s*\S+", self._text[self._at :])
        self._at += found.end() if found else 0

    def _erase_between(self, begin: int, end: int) -> None:
        self._text = self._text[:begin] + self._text[end:]
        self._at = begin

    def _erase_char(self) -> None:
        self._erase_between(self._step(-1), self._at)

    def _delete(self) -> None:
        self._erase_between(self._at, self._step(1))

    def _cut_word(self) -> None:
        end = self._at
        self._word_left()
        self._erase_between(self._at, end)

    def _cut_before(self) -> None:
        end = self._at
        self._home()
        self._erase_between(self._at, end)

    def _cut_after(self) -> None:
        begin = self._at
        self._end()
        self._erase_between(begin, self._at)

    def _up(self) -> None:
        if self._history and self._past != 0:
            if self._past is None:
                self._draft, self._past = self._text, len(self._history)
            self._past -= 1
            self._text = self._history[self._past]
            self._at = len(self._text)

    def _down(self) -> None:
        if self._past is not None:
            self._past += 1
            last = self._past == len(self._history)
            self._text = self._draft if last else self._history[self._past]
            self._past = None if last else self._past
            self._at = len(self._text)

    # drawing

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            self.end()

    def _erase(self) -> None:
        if self._hidden:
            return
        up = f"\x1b[{self._row}A" if self._row else ""
        self._write(f"\r{up}\x1b[J")
        self._row = 0

    def _draw(self) -> None:
        if self._hidden:
            return
        width, height = size_of(self._out)
        rows, row, column = _layout(self._text, self._at, max(width - 1, 8))
        room = max(height - 2, 1)
        first = min(max(row - room + 1, 0), max(len(rows) - room, 0))
        rows, row = rows[first : first + room], row - first
        status = [f"\x1b[2m  {_visible(self._status)}\x1b[0m"] if self._status else []
        up = len(rows) - 1 - row
        back = (f"\x1b[{up}A" if up else "") + "\r" + (f"\x1b[{column}C" if column else "")
        start = f"\x1b[{self._row}A" if self._row else ""
        self._write(f"\r{start}\x1b[J" + "\n".join([*status, *rows]) + back)
        self._row = row + len(status)


def _joins(before: str, char: str) -> bool:
    """True when `char` is drawn together with the one before it."""
    return (
        unicodedata.combining(char) != 0
        or char in "\u200d\ufe0f"
        or before == "\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _visible(text: str) -> str:
    return "".join(c if c == "\n" or unicodedata.category(c) != "Cc" else "\ufffd" for c in text)


def _layout(text: str, at: int, width: int) -> tuple[list[str], int, int]:
    """Rows as drawn, and the row and column of the cursor at character `at`."""
    rows = [PROMPT]
    column = cell_len(PROMPT)
    place = (0, column)
    for position, char in enumerate(_visible(text)):
        wide = 0 if char == "\n" else cell_len(char)
        if char == "\n" or column + wide > width:
            rows.append(" " * len(PROMPT))
            column = len(PROMPT)
        if position == at:
            place = (len(rows) - 1, column)
            if char == "\n":
                place = (len(rows) - 2, cell_len(rows[-2]))
        if char != "\n":
            rows[-1] += char
            column += wide
    if at >= len(text):
        place = (len(rows) - 1, column)
    return rows, *place

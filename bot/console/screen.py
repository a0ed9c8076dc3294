"""What a chat looks like: plain lines when piped, a quiet page on a terminal."""

from __future__ import annotations

import os
import re
from typing import Protocol, TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from bot.console.markup import Entity

WIDEST = 76
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters a terminal would obey."""

_STYLES = {
    "bold": "bold",
    "italic": "italic",
    "underline": "underline",
    "strikethrough": "strike",
    "code": "cyan",
    "pre": "cyan",
    "text_link": "underline",
    "blockquote": "italic",
    "expandable_blockquote": "italic",
    "spoiler": "dim",
    "bot_command": "cyan",
}


class Gone(Exception):
    """Nobody reads the output any more."""


class Screen(Protocol):
    """Where a chat is shown. Every method raises Gone once the output is closed."""

    def bot(self, text: str, entities: list[Entity], mark: str = "") -> None:
        """A message of the bot; `mark` says what is special about it."""
        ...

    def buttons(self, labels: list[str]) -> None:
        """The buttons one can press, numbered from 1."""
        ...

    def note(self, text: str) -> None:
        """A word of the console itself."""
        ...

    def other(self, who: str, text: str) -> None:
        """A message of somebody else in a group."""
        ...


class PlainScreen:
    """Text only: the same input always gives the same bytes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def bot(self, text: str, entities: list[Entity], mark: str = "") -> None:
        """The text, `mark` before it, an empty line after it."""
        self._write(f"{mark} {text}".strip() + "\n\n")

    def buttons(self, labels: list[str]) -> None:
        """One `#n label` a line."""
        self._write("".join(f"#{n} {label}\n" for n, label in enumerate(labels, 1)) + "\n")

    def note(self, text: str) -> None:
        """The sentence after a dash."""
        self._write(f"- {text}\n\n")

    def other(self, who: str, text: str) -> None:
        """Name and text."""
        self._write(f"{who}: {text}\n\n")

    def _write(self, text: str) -> None:
        try:
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise Gone from error


class RichScreen:
    """Panels of readable width, buttons in colour; never colour alone."""

    def __init__(self, stream: TextIO, console: Console | None = None) -> None:
        """Draw on `stream`, or on a console given, such as one that records."""
        self._console = console or Console(file=stream, highlight=False, emoji=False, markup=False)
        self._stream = stream

    def bot(self, text: str, entities: list[Entity], mark: str = "") -> None:
        """A panel, with bold and the like shown."""
        body = styled(text, entities)
        panel = Panel(
            body,
            box=box.ROUNDED,
            border_style="dim",
            padding=(0, 1),
            width=min(WIDEST, size_of(self._stream)[0]),
            title=mark or None,
            title_align="left",
        )
        self._print(panel)

    def buttons(self, labels: list[str]) -> None:
        """One numbered line a button."""
        for number, label in enumerate(labels, 1):
            line = Text.assemble((f"#{number}", "bold cyan"), " ", _safe(label))
            self._print(Padding(line, (0, 0, 0, 2)))

    def note(self, text: str) -> None:
        """A dim line."""
        self._print(Padding(Text(_safe(text), style="dim"), (0, 0, 0, 2)))

    def other(self, who: str, text: str) -> None:
        """Name and text."""
        self._print(Text.assemble((_safe(who), "bold"), ": ", _safe(text)))

    def _print(self, what: Text | Panel | Padding) -> None:
        try:
            self._console.print(what, width=size_of(self._stream)[0])
        except (OSError, ValueError) as error:
            raise Gone from error


def size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of a terminal, 80 by 24 when it does not say."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return columns or 80, rows or 24


def styled(text: str, entities: list[Entity]) -> Text:
    """Text with its entities as styles; a link's address is written out behind it."""
    at = [0]
    for char in text:
        at += [at[-1] + 1] if char <= "\uffff" else [at[-1], at[-1] + 1]
    shown = Text(_safe(text))
    links = []
    for entity in entities:
        end = entity["offset"] + entity["length"]
        begin, stop = at[min(entity["offset"], len(at) - 1)], at[min(end, len(at) - 1)]
        shown.stylize(_STYLES.get(entity["type"], ""), begin, stop)
        if "url" in entity and entity["url"] != text[begin:stop]:
            links.append((stop, entity["url"]))
    for stop, url in sorted(links, reverse=True):
        shown = shown[:stop] + Text(f" ({_safe(url)})", style="dim") + shown[stop:]
    return shown


def _safe(text: str) -> str:
    return _UNSAFE.sub("\ufffd", text)


def abandon(stream: TextIO) -> None:
    """Point a broken standard output at nothing, so that leaving does not complain again."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)

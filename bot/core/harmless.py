"""Tellers' words written so that no program mistakes them for orders, and can be read back exactly.

Three ways, each with its inverse: as visible text, as a cell of a spreadsheet, as Markdown.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]|\\\\(?=u[0-9a-f]{4})"
)
"""Control characters, half characters, odd line ends; and a backslash that would look like ours."""
_WRITTEN = re.compile(r"\\u([0-9a-f]{4})")

_ORDERS = ("=", "+", "-", "@", "\t", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet might calculate, in full width as well; `'` is our mark."""


def visible(text: str) -> str:
    r"""The text with control characters written out as `\u001b`; line ends and tabs stay.

    A backslash that stands before u and four digits is itself written out, so that
    `as_it_was` gives back every text exactly.
    """
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_it_was(written: str) -> str:
    """The inverse of `visible`."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), written)


def cell(text: str) -> str:
    """The text as a spreadsheet may hold it: never a formula, since one apostrophe stands before.

    Only texts that begin with = + - @, their full-width forms, a tab, a line end or an apostrophe
    get the mark.
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip(" \u00a0").startswith(_ORDERS) else shown


def from_cell(written: str) -> str:
    """The inverse of `cell`."""
    marked = written.startswith("'") and written[1:].lstrip(" \u00a0").startswith(_ORDERS)
    return as_it_was(written[1:] if marked else written)


_MARKS = re.compile(r"[\\`*_\[\]<>&#|~$]")
_AT_START = re.compile(r"^(?:[-+=:]|\d+(?=[.)]))")
_INDENT = re.compile(r"^[ \t]+|[ \t]+$")


def markdown(text: str) -> str:
    """The text as Markdown that shows exactly these characters, line by line in a quotation.

    A backslash stands before what would be markup; blanks at either end of a line are written
    as `&#32;` and `&#9;`; a line that goes on in the next ends with a backslash.
    """
    lines = visible(text).split("\n")
    shown = [_markdown_line(line) for line in lines]
    made = []
    for line, after in zip(shown, [*shown[1:], ""], strict=True):
        made.append(f"> {line}\\" if line and after else f"> {line}".rstrip(" "))
    return "\n".join(made)


def _markdown_line(line: str) -> str:
    escaped = _MARKS.sub(lambda found: f"\\{found[0]}", line)
    escaped = _INDENT.sub(
        lambda found: found[0].replace(" ", "&#32;").replace("\t", "&#9;"), escaped
    )
    if first := _AT_START.match(escaped):
        word = first[0]
        escaped = (f"\\{word}" if not word.isdigit() else f"{word}\\") + escaped[len(word) :]
    return escaped


def from_markdown(written: str) -> str:
    """The inverse of `markdown`."""
    lines = []
    for raw in written.split("\n"):
        line = raw.removeprefix(">").removeprefix(" ")
        line = re.sub(r"(?<!\\)((?:\\\\)*)\\$", r"\1", line)
        # In one go, from the left: what stands after an escaped backslash is not escaped by it.
        lines.append(
            re.sub(
                r"\\([!-/:-@\[-`{-~])|&#(32|9);",
                lambda found: found[1] or chr(int(found[2])),
                line,
            )
        )
    return as_it_was("\n".join(lines))

"""Moves as Telegram messages: markup, keyboards, and splits that cut nothing."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.core.turn import Choice, Hand, Line, Say

TEXT_LIMIT = 4096
"""UTF-16 units in one message, after markup is taken out."""

CALLBACK_LIMIT = 64
"""Bytes in a button's data."""


class Renderer(Protocol):
    """Words by key, in a language."""

    def markup(self, line: Line, language: str) -> str: ...

    def text(self, line: Line, language: str) -> str: ...

    def label(self, choice: Choice, language: str) -> str: ...


class Words(Renderer, Protocol):
    """Words, and which messages are only a phrase for a button."""

    @property
    def languages(self) -> Sequence[str]: ...

    def is_phrase(self, text: str) -> bool: ...


@dataclass(frozen=True)
class Button:
    """A rendered button: it sends `data` back, or opens `url`."""

    label: str
    data: str
    url: str | None = None


@dataclass(frozen=True)
class Rendered:
    """One message ready to send: Telegram HTML, the same without markup, and rows of buttons."""

    html: str
    plain: str
    rows: tuple[tuple[Button, ...], ...] = ()


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def render(say: Say, words: Renderer, language: str, turn: int) -> list[Rendered]:
    """A move as one message, or as several when it is too long; buttons stand under the last.

    A message that must be split loses its bold and italic, never a word.
    """
    rows = tuple(
        tuple(Button(words.label(c, language), data(c.id, turn), c.link) for c in row)
        for row in say.choices
    )
    plain = _joined([words.text(x, language) for x in say.lines], say.lines)
    if units(plain) <= TEXT_LIMIT:
        markup = _joined([words.markup(x, language) for x in say.lines], say.lines)
        return [Rendered(markup, plain, rows)]
    *chunks, last = [Rendered(html.escape(c, quote=False), c) for c in split(plain)]
    return [*chunks, replace(last, rows=rows)]


def file_text(hand: Hand, words: Renderer, language: str) -> str:
    """The content of a file handed over."""
    if isinstance(hand.content, str):
        return hand.content
    return "\n\n".join(words.text(x, language) for x in hand.content) + "\n"


def data(choice_id: str, turn: int) -> str:
    """What a button sends back; ValueError when it would not fit."""
    made = f"{turn}|{choice_id}"
    if len(made.encode()) > CALLBACK_LIMIT:
        raise ValueError(f"button {choice_id.partition(':')[0]} is too long for Telegram")
    return made


def _joined(texts: Sequence[str], lines: Sequence[Line]) -> str:
    """Lists and records stand one below another; sentences follow each other."""
    stacked = any(_stands_alone(x) for x in lines)
    return ("\n" if stacked else " ").join(t for t in texts if t)


def _stands_alone(line: Line) -> bool:
    stacked = ("closing.record", "closing.versions", "releasing.terms", "releasing.receipt",
               "rights.receipt", "rights.story_line", "example.", "care.", "releasing.confirm",
               "releasing.uses")  # fmt: skip
    return line.key.startswith(stacked)


def split(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Cut a long text between paragraphs, lines, words or, at worst, characters; nothing is lost.

    Pieces have at most `limit` UTF-16 units, at least 2. Joining them with the white space cut
    between them gives the text again. White space alone gives no piece.
    """
    return list(_pieces(text, limit))


def _pieces(text: str, limit: int) -> Iterator[str]:
    while units(text) > limit:
        head = _head(text, limit)
        cut = max(head.rfind("\n\n"), head.rfind("\n"))
        if cut < len(head) // 2:
            cut = max(cut, head.rfind(" "))
        if cut <= 0:
            cut = len(head)
        piece = text[:cut].rstrip()
        if piece:
            yield piece
        text = text[cut:].lstrip()
    if text:
        yield text


def _head(text: str, limit: int) -> str:
    """The longest beginning within `limit` UTF-16 units; a pair is never halved."""
    raw = text[:limit].encode("utf-16-le")[: limit * 2]
    return raw.decode("utf-16-le", errors="ignore")

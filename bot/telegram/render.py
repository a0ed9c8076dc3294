"""Moves as Telegram messages: markup, keyboards, and splits that cut nothing."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.core.turn import Choice, Hand, Line, Say

TEXT_LIMIT = 4096
"""UTF-16 units in one message, after markup is taken out."""

CAPTION_LIMIT = 1024
"""The same under a picture or a file."""

CALLBACK_LIMIT = 64
"""Bytes in a button's data."""

MOST_MESSAGES = 4
"""Messages that one move may become; what is longer is handed over as a file."""

LONG_LINE = 1_000
"""UTF-16 units from which a line is something to keep rather than something said."""


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
    """One message ready to send: Telegram HTML, the same without markup, and rows of buttons.

    With a `file` or a `picture` the words stand under it; each is (name, content).
    """

    html: str
    plain: str
    rows: tuple[tuple[Button, ...], ...] = ()
    file: tuple[str, str | bytes] | None = None
    picture: tuple[str, bytes] | None = None


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def render(say: Say, words: Renderer, language: str, turn: int) -> list[Rendered]:
    """A move as one message, or as several when it is too long; buttons stand under the last.

    A message that must be split loses its bold and italic, never a word. What would take more
    than MOST_MESSAGES is a file, followed by what was to be said after it.
    """
    rows = tuple(
        tuple(Button(words.label(c, language), data(c.id, turn), c.link) for c in row)
        for row in say.choices
    )
    *before, last = _messages(say.lines, words, language)
    return [*before, replace(last, rows=rows)]


def _messages(lines: Sequence[Line], words: Renderer, language: str) -> list[Rendered]:
    texts = [words.text(x, language) for x in lines]
    plain = _joined(texts, lines)
    if units(plain) <= TEXT_LIMIT:
        return [Rendered(_joined([words.markup(x, language) for x in lines], lines), plain)]
    chunks = split(plain)
    if len(chunks) <= MOST_MESSAGES:
        return [Rendered(html.escape(c, quote=False), c) for c in chunks]
    long = [at for at, text in enumerate(texts) if units(text) >= LONG_LINE]
    end = long[-1] + 1 if long else len(lines)
    caption, name = Line("sending.as_file"), words.text(Line("sending.file_name"), language)
    whole = (name, _joined(texts[:end], lines[:end]) + "\n")
    file = Rendered(words.markup(caption, language), words.text(caption, language), file=whole)
    return [file, *(_messages(lines[end:], words, language) if end < len(lines) else ())]


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
               "releasing.uses", "practice.told", "review.", "organizing.",
               "offering.terms")  # fmt: skip
    return line.key.startswith(stacked)


def split(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Cut a long text between paragraphs, lines, words or, at worst, characters; nothing is lost.

    A character is what a reader takes for one: a flag, a family emoji, a letter with its accents
    are never cut (unless one alone is longer than `limit`). Pieces have at most `limit` UTF-16
    units, at least 2. Joining them with the white space cut between them gives the text again.
    White space alone gives no piece.
    """
    return list(_pieces(text, limit))


def _pieces(text: str, limit: int) -> Iterator[str]:
    while units(text) > limit:
        head = _head(text, limit)
        cut = max(_last(head, text, "\n\n"), _last(head, text, "\n"))
        if cut < len(head) // 2:
            cut = max(cut, _last(head, text, " "))
        if cut <= 0:
            cut = whole_characters(text, len(head))
        piece = text[:cut].rstrip()
        if piece:
            yield piece
        text = text[cut:].lstrip()
    if text:
        yield text


def _last(head: str, text: str, space: str) -> int:
    """Where the last such white space begins that carries no accent of its own; -1 for nowhere."""
    at = head.rfind(space)
    while at > 0 and _joins(text, at + len(space)):
        at = head.rfind(space, 0, at)
    return at


def _head(text: str, limit: int) -> str:
    """The longest beginning within `limit` UTF-16 units; a pair is never halved."""
    end = min(len(text), limit)
    over = units(text[:end]) - limit
    while over > 0:
        end -= 1
        over -= units(text[end])
    return text[:end]


def whole_characters(text: str, at: int) -> int:
    """The last place up to `at` where no character is cut; `at` itself when there is none.

    The rules are those of Unicode's extended grapheme clusters (UAX 29), by what the standard
    library knows of each code point.
    """
    cut = at
    while cut > 0 and _joins(text, cut):
        cut -= 1
    return cut or at


_JOINER = "\u200d"
_BEGINNERS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
"""Signs that stand around the letters after them."""


def _joins(text: str, at: int) -> bool:
    """Whether the code points before and after `at` belong to one character."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return True
    if before in "\r\n":
        return False
    if _extends(after) or before == _JOINER or before in _BEGINNERS:
        return True
    if "\u1100" <= before <= "\ud7fb" and "\u1100" <= after <= "\ud7fb":
        return _one_syllable(before, after)
    if unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo":
        # A consonant after a virama is written into the one before it.
        return True
    return _is_flag(before) and _is_flag(after) and _flags_before(text, at) % 2 == 1


def _extends(point: str) -> bool:
    """Marks, joiners, tags and skin tones: nothing by themselves."""
    return (
        unicodedata.category(point) in ("Mn", "Mc", "Me")
        # The last two are vowels of Thai and Lao, written as letters.
        or point in "\u200c\u200d\uff9e\uff9f\u0e33\u0eb3"
        or "\U0001f3fb" <= point <= "\U0001f3ff"
        or "\U000e0020" <= point <= "\U000e007f"
    )


def _one_syllable(before: str, after: str) -> bool:
    """Hangul written in letters: initial, vowel and final make one syllable."""
    is_open = "\uac00" <= before <= "\ud7a3" and (ord(before) - 0xAC00) % 28 == 0
    is_closed = "\uac00" <= before <= "\ud7a3" and not is_open
    initial, vowel = "\u1100" <= before <= "\u115f", "\u1160" <= before <= "\u11a7"
    final = "\u11a8" <= before <= "\u11ff"
    if initial:
        return "\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3"
    if vowel or is_open:
        return "\u1160" <= after <= "\u11ff"
    return (final or is_closed) and "\u11a8" <= after <= "\u11ff"


def _is_flag(point: str) -> bool:
    return "\U0001f1e6" <= point <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    """How many halves of flags stand together right before `at`."""
    start = at
    while start > 0 and _is_flag(text[start - 1]):
        start -= 1
    return at - start

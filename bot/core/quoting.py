"""Quoting a teller exactly, and knowing which words are theirs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection

from bot.core.narrative import count_words

SHINGLE = 5
"""Words in a row that make a copy; four are easily shared by chance, six miss a short line."""


def quotation(text: str, most_words: int = 22) -> str:
    """The teller's words on one line, unchanged, cut only at the end with an ellipsis."""
    words = text.split()
    if len(words) <= most_words:
        return " ".join(words).rstrip(" ,;:")
    return " ".join(words[:most_words]).rstrip(" ,;:.…") + "…"


def verbatim(wanted: str, text: str) -> str | None:
    """The passage of `text` that reads as `wanted`, as it stands there; None when none does.

    Line breaks, capitals, the shape of quotation marks and a pair of them around it may differ;
    words are matched whole.
    """
    if not has_words(wanted):
        return None
    for tried in (wanted, wanted.strip(' \t\n"“”„«»‘')):
        words = [re.escape(word) for word in tried.split()]
        for marks in ("'’‘", '"“”„'):
            words = [re.sub(f"[{marks}]", f"[{marks}]", word) for word in words]
        apart = r"\s+".join(words)
        if found := re.search(rf"(?<!\w){apart}(?!\w)", text, re.IGNORECASE):
            return found[0]
    return None


def shingles(text: str) -> list[int]:
    """Checksums of every run of SHINGLE words, so that copies show without keeping the text."""
    words = re.findall(r"\w+", text.casefold())
    return [
        zlib.crc32(" ".join(words[i : i + SHINGLE]).encode())
        for i in range(len(words) - SHINGLE + 1)
    ]


def teller_share(text: str, bot_shingles: Collection[int]) -> float:
    """Share of `text`'s words that were not pasted from what the bot showed, 0 to 1."""
    total = len(re.findall(r"\w+", text.casefold()))
    if not total or not bot_shingles:
        return 1.0
    copied: set[int] = set()
    known = set(bot_shingles)
    for index, mark in enumerate(shingles(text)):
        if mark in known:
            copied.update(range(index, index + SHINGLE))
    return round(1 - len(copied) / total, 3)


def has_words(text: str) -> bool:
    """False for messages of only emoji, punctuation or invisible characters."""
    return count_words(text) > 0


def cleaned(text: str) -> str:
    """The text without characters that no keyboard types: nulls, controls, direction overrides.

    Line breaks, tabs, joiners inside emoji and the teller's spelling stay as they are. Halves of
    a character that came apart on the way are put together, or dropped when alone.
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]", "", text)


def visible(text: str) -> bool:
    """True when there is anything to see: not only white space and zero-width characters."""
    return any(c.isprintable() and not c.isspace() and c not in INVISIBLE for c in text)


INVISIBLE = "\u200b\u200c\u200d\u2060\u180e\u3164\u2800"
"""Printable to Python, yet nothing on the screen: joiners, fillers, an empty braille cell."""

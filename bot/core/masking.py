"""Identities taken out of a text before it leaves the machine, and put back in what returns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.core.care import Span, SpanKind

SHOWN_AS: Mapping[SpanKind, str] = {
    SpanKind.PHONE: "phone",
    SpanKind.EMAIL: "email",
    SpanKind.ADDRESS: "address",
    SpanKind.FULL_NAME_THIRD_PARTY: "name",
    SpanKind.HANDLE: "handle",
    SpanKind.ID_NUMBER: "number",
    SpanKind.MINOR_IDENTITY: "child",
    SpanKind.HEALTH_THIRD_PARTY: "health",
    SpanKind.IMMIGRATION_THIRD_PARTY: "status",
}
"""What stands in a passage's place, with a number after it."""

SHORTEST_NAME = 2
"""Letters below which a part of a name is left alone: an initial is no identity."""

_PLACE = re.compile(r"\[(?:" + "|".join(sorted(set(SHOWN_AS.values()))) + r") \d+\]")


@dataclass(frozen=True)
class Masked:
    """A text without identities; `held` gives back what each placeholder stands for."""

    text: str
    held: Mapping[str, str]

    def unmasked(self, words: str) -> str:
        """`words` with every placeholder of this text as it was typed."""
        return _PLACE.sub(lambda found: self.held.get(found[0], found[0]), words)


def has_placeholder(words: str) -> bool:
    """Whether a placeholder stands in `words`."""
    return bool(_PLACE.search(words))


def masked(text: str, spans: Iterable[Span], names: Collection[str] = ()) -> Masked:
    """`text` with each span, and each of `names` wherever it stands as a word, put out of sight.

    The same words always get the same placeholder. What the teller typed that looks like a
    placeholder is held too, so that nothing can be smuggled in by writing one.
    """
    wanted: dict[str, str] = {found[0]: "name" for found in _PLACE.finditer(text)}
    for span in spans:
        if span.text.strip():
            wanted.setdefault(span.text, SHOWN_AS[span.kind])
    for name in names:
        for part in re.findall(r"[^\W\d_]+", name):
            if len(part) >= SHORTEST_NAME:
                wanted.setdefault(part, "name")
    if not wanted:
        return Masked(text, {})
    longest_first = sorted(wanted, key=lambda words: (-len(words), words))
    pattern = re.compile("|".join(_whole(words) for words in longest_first), re.IGNORECASE)
    kinds = {words.casefold(): kind for words, kind in wanted.items()}
    held: dict[str, str] = {}
    given: dict[str, str] = {}

    def put(found: re.Match[str]) -> str:
        words = found[0]
        if words not in given:
            place = f"[{kinds.get(words.casefold(), 'name')} {len(given) + 1}]"
            given[words], held[place] = place, words
        return given[words]

    return Masked(pattern.sub(put, text), held)


def _whole(words: str) -> str:
    """A pattern for `words` where they are not part of a longer word."""
    before = r"(?<!\w)" if words[0].isalnum() else ""
    after = r"(?!\w)" if words[-1].isalnum() else ""
    return f"{before}{re.escape(words)}{after}"

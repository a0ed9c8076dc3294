"""Sees danger, and passages that may identify other people; implements ports.Screener."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from bot.core.care import Safety, Screening, Span, SpanKind
from bot.screening import children, kin, names, papers, places
from bot.screening.head import SafetyHead
from bot.screening.opinions import Opinions
from bot.screening.safety import Chances
from bot.usecases.ports import Embedder

_INSIDE_OTHERS = {
    SpanKind.PHONE: (SpanKind.ID_NUMBER, SpanKind.EMAIL, SpanKind.ADDRESS),
    SpanKind.HANDLE: (SpanKind.EMAIL,),
    SpanKind.ID_NUMBER: (SpanKind.ADDRESS, SpanKind.EMAIL),
    SpanKind.FULL_NAME_THIRD_PARTY: (SpanKind.MINOR_IDENTITY, SpanKind.ADDRESS, SpanKind.EMAIL),
    SpanKind.ADDRESS: (SpanKind.MINOR_IDENTITY,),
}
"""A span of the first kind says nothing new where it overlaps a span of the second."""


class EmbeddedScreener:
    """Screens on this machine, in any language: rules, name lists and what was learned.

    Without an embedder the rules decide alone. Nothing of a text is kept or logged.
    """

    def __init__(self, embedder: Embedder | None = None, alarm: Chances | None = None) -> None:
        """Load the head's weights when there is an embedder for them.

        `alarm` is a second opinion on every message; see Opinions.
        """
        self._opinions = Opinions(SafetyHead(embedder).chances if embedder else None, alarm)

    async def safety(self, text: str, language: str) -> Safety:
        """Whether the message signals danger or distress; `language` is not relied on."""
        return await asyncio.to_thread(self._opinions.weigh, text)

    async def privacy(self, text: str, language: str) -> tuple[Span, ...]:
        """Passages to show the teller before release, in order of appearance."""
        return await asyncio.to_thread(find_spans, text)

    def judge(self, text: str) -> Safety:
        """The same as `safety`, blocking, with doubt about danger taken as crisis."""
        return self._opinions.judge(text)

    def screen(self, text: str) -> Screening:
        """Safety and spans of one text, blocking."""
        return Screening(self.judge(text), find_spans(text))


def find_spans(text: str) -> tuple[Span, ...]:
    """Passages that may identify somebody, verbatim, in order; none of a kind overlap.

    Where two of a kind overlap the longer stays. The first LONGEST characters are read.
    """
    text = text[: places.LONGEST]
    even = places.level(text)
    named = kin.with_names_marked(text, even)
    found = [
        *places.emails(text, even),
        *places.handles(text, even),
        *places.phones(text, even),
        *papers.id_numbers(text, even),
        *papers.addresses(text, even),
        *names.full_names(text, even),
        *kin.health(text, even, named),
        *kin.immigration(text, even, named),
        *children.minors(text, even),
    ]
    kept: dict[SpanKind, _Apart] = {kind: _Apart() for kind in SpanKind}
    for candidate in sorted(found, key=lambda s: (-len(s.text), s.start)):
        if candidate.text.strip():
            kept[candidate.kind].add(candidate)
    return tuple(sorted(_telling(kept), key=lambda s: (s.start, -len(s.text))))


class _Apart:
    """Spans that do not overlap, by start; looked up in few steps however many there are."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def meets(self, one: Span) -> bool:
        at = bisect_left(self.spans, one.start, key=lambda s: s.start)
        return any(_overlap(s, one) for s in self.spans[max(0, at - 1) : at + 1])

    def add(self, one: Span) -> None:
        if not self.meets(one):
            insort(self.spans, one, key=lambda s: s.start)


def _telling(kept: Mapping[SpanKind, _Apart]) -> Iterable[Span]:
    """What was kept, without spans that only repeat part of a more telling one."""
    for kind, apart in kept.items():
        covering = [kept[k] for k in _INSIDE_OTHERS.get(kind, ())]
        yield from (s for s in apart.spans if not any(other.meets(s) for other in covering))


def _overlap(left: Span, right: Span) -> bool:
    return left.start < right.start + len(right.text) and right.start < left.start + len(left.text)

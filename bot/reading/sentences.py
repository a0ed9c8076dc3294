"""Cutting a messy telling into sentences, each an exact slice of what was typed.

Dictated text has no full stops and chat text has no capitals, so ends are sought in this order:
line breaks, sentence marks, and, in stretches longer than a breath, commas and joining words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_BREATH = 28
"""Words; a longer stretch is cut again."""

SHORTEST, TARGET = 7, 15
"""Words on either side of a cut inside a breath, and the length aimed at."""

MOST_SENTENCES = 400
"""Sentences read of one telling; a longer text keeps its remainder in the last one."""


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_ABBREVIATIONS = _words(
    "mr mrs ms dr dra sr sra srta srs st ave av avda apt apto no nro núm num nº vs etc approx dept",
    "jan feb mar apr jun jul aug sep sept oct nov dec ene abr ago dic fev mai set out dez",
    "p.ej ej ex p.ex a.m p.m a.c d.c ee.uu ee uu e.g i.e d dª dña prof profa rev gen col ud uds",
    "tel ph min hr hrs km kg pág pg art ltd inc co jr",
)
_ALWAYS_GO_ON = _words(
    "mr mrs ms dr dra sr sra srta srs no nro núm num nº prof profa dña d rev e.g i.e p.ej p.ex",
    "ej av avda tel vs",
)
_STRONG = _words(
    "then so but anyway finally",
    "entonces pero luego bueno total pues",
    "aí então mas daí depois",
)
_JOINING = _STRONG | _words(
    "and because when while until after before well now that's",
    "y porque cuando hasta después así ahora mientras",
    "e quando até só enquanto agora bom",
)

_WORD = re.compile(r"\S+")
_LINE = re.compile(r"[^\r\n\v\f\x85\u2028\u2029]+")
_END = re.compile(
    r"(?:[.!?…。！？؟]+[\"'”’»)\]*_~\u200d\ufe0f]*"
    r"|[\u2600-\u27bf\U0001f000-\U0001faff][\u200d\ufe0f\u2600-\u27bf\U0001f000-\U0001faff]*)"
    r"(?=\s|$|[¿¡\"“«])"
)


@dataclass(frozen=True)
class Sentence:
    """A stretch of a telling; `text` is exactly `telling[start:end]`."""

    start: int
    end: int
    text: str


def split(telling: str) -> tuple[Sentence, ...]:
    """The telling's sentences in order, trimmed of surrounding space, none empty of words.

    Stretches without a letter or digit are dropped. At most MOST_SENTENCES.
    """
    cuts: list[Sentence] = []
    for start, end in _pieces(telling):
        text = telling[start:end]
        left = len(text) - len(text.lstrip(_SPACE))
        text = text.strip(_SPACE)
        if not any(c.isalnum() for c in text):
            continue
        if len(cuts) == MOST_SENTENCES - 1:
            tail = telling[start + left :].rstrip(_SPACE)
            cuts.append(Sentence(start + left, start + left + len(tail), tail))
            break
        cuts.append(Sentence(start + left, start + left + len(text), text))
    return tuple(cuts)


_SPACE = " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u200b\u200e\u200f\ufeff\x00"


def _pieces(telling: str) -> Iterator[tuple[int, int]]:
    for line in _LINE.finditer(telling):
        for start, end in _joined(telling, _by_marks(telling, line.start(), line.end())):
            yield from _by_breath(telling, start, end)


def _by_marks(telling: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut after full stops, question marks, emoji; not after abbreviations or numbers."""
    begun = start
    for mark in _END.finditer(telling, start, end):
        if _goes_on(telling, begun, mark, end):
            continue
        yield begun, mark.end()
        begun = mark.end()
    if begun < end:
        yield begun, end


def _goes_on(telling: str, begun: int, mark: re.Match[str], end: int) -> bool:
    """True when the mark does not end a sentence."""
    marks = mark.group()
    following = telling[mark.end() : min(end, mark.end() + 40)].lstrip(" \t\xa0\"'“«¿¡(")
    lower = following[:1].islower()
    if marks.startswith(("...", "…", "..")):
        return len(telling[begun : mark.start()].split()) < 4
    if not marks.startswith("."):
        return marks[0] in "!?" and lower and marks[-1] in "\"'”’»"
    before = telling[begun : mark.start()].split()
    word = before[-1].lower().lstrip("(\"'¿¡“«") if before else ""
    if word in _ALWAYS_GO_ON:
        return True
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return lower or following[:1].isdigit() or (len(word) == 1 and word not in "aeoyi")
    return word.isdigit() and len(before) == 1


def _joined(telling: str, pieces: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give one- and two-word sentences to their neighbour before, or after when first."""
    held: tuple[int, int] | None = None
    for start, end in pieces:
        words = len(telling[start:end].split())
        if held is None:
            held = (start, end)
        elif words <= 2 or len(telling[held[0] : held[1]].split()) <= 2:
            held = (held[0], end)
        else:
            yield held
            held = (start, end)
    if held is not None:
        yield held


def _by_breath(telling: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch longer than a breath at its best pause, again and again."""
    words = [(m.start(), m.end()) for m in _WORD.finditer(telling, start, end)]
    begun, at = start, 0
    while len(words) - at > LONGEST_BREATH:
        best, best_cost = at + 2 * TARGET - SHORTEST, 1e9
        last = min(at + LONGEST_BREATH - 3, len(words) - SHORTEST)
        for i in range(at + SHORTEST, last + 1):
            cost = abs(i - at - TARGET) * 0.5 + _pause_cost(telling, words, i)
            if cost < best_cost:
                best, best_cost = i, cost
        yield begun, words[best - 1][1]
        begun, at = words[best][0], best
    if begun < end:
        yield begun, end


def _pause_cost(telling: str, words: list[tuple[int, int]], i: int) -> float:
    """How unwelcome a cut before word `i` is; 0 is a natural pause."""
    before = telling[words[i - 1][0] : words[i - 1][1]]
    word = telling[words[i][0] : words[i][1]].lower().strip("\"'“”«»¿¡,;:()-—")
    if before[-1] in ";:—–" or word in {"-", "—", "–"}:
        return 0.0
    joining = 2.0 if word in _STRONG else 4.0 if word in _JOINING else 12.0
    if before.lower() in _JOINING:
        joining += 5.0
    return min(joining, 5.0) - 3.0 if before[-1] == "," else joining

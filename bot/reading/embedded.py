"""The embedded reader: hears a telling with the bundled model, on this machine, always."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.reading.encoder import SentenceEncoder, Words
from bot.reading.heads import MODES, STATUSES, Heard, Weights
from bot.reading.model_file import Floats, UnknownModel
from bot.reading.sentences import split
from bot.usecases.ports import ReaderUnavailable

LONGEST_LINE = 18
"""Words of the line quoted back to the teller."""

LONGEST_EVIDENCE = 40
"""Words of a quotation that shows an element."""

MODE_LIKELY = 0.3
"""Probability from which a failure mode is named."""


class EmbeddedReader:
    """Implements ports.Reader with a tuned copy of the bundled model; needs no network."""

    def __init__(self, weights: Weights, encoder: SentenceEncoder) -> None:
        """Read with `weights`; the model behind `encoder` is loaded at the first reading."""
        self._weights = weights
        self._encoder = encoder

    @classmethod
    def bundled(cls, encoder: SentenceEncoder | None = None) -> EmbeddedReader:
        """The reader with the weights in this package; raises ReaderUnavailable."""
        try:
            return cls(Weights.load(), encoder or SentenceEncoder())
        except (OSError, ValueError, KeyError) as error:
            raise ReaderUnavailable(
                "The reader's weights are missing or damaged; run coach train-reader."
            ) from error

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """Hear which elements stand in `text`; quotations are verbatim.

        `language` is a hint only: tellers mix languages. Text without words reads as all missing.
        Raises ReaderUnavailable.
        """
        return await asyncio.to_thread(self.hear, stage, text)

    def hear(self, stage: StoryOf, text: str) -> Reading:
        """The same, at once in this thread."""
        sentences = split(text)
        elements = ORDER_OF_CARE[stage]
        if not sentences:
            return Reading(stage, dict.fromkeys(elements, Status.MISSING), reader=READER)
        try:
            words = self._encoder.encode([s.text for s in sentences])
        except UnknownModel as error:
            raise ReaderUnavailable(str(error)) from error
        heard = self._weights.hear(stage, words)
        statuses = {
            e: STATUSES[int(p.argmax())] for e, p in zip(elements, heard.statuses, strict=True)
        }
        best = {e: int(heard.evidence[:, k].argmax()) for k, e in enumerate(elements)}
        evidence = {
            e: _first_words(sentences[best[e]].text, LONGEST_EVIDENCE)
            for e in elements
            if statuses[e] is not Status.MISSING
        }
        line = None
        if chosen := _most_quotable(elements, statuses, heard):
            k, i = elements.index(chosen), best[chosen]
            line = _stretch(sentences[i].text, words[i], heard.words[heard.owner == i, k])
        return Reading(stage, statuses, evidence, _modes(heard), line, READER)


READER = "embedded-2"


def _modes(heard: Heard) -> tuple[FailureMode, ...]:
    """Modes likelier than none by far enough, most telling first."""
    likely = [(p, m) for m, p in zip(MODES, heard.modes[:-1].tolist(), strict=True)]
    return tuple(m for p, m in sorted(likely, key=lambda pair: -pair[0]) if p >= MODE_LIKELY)


def _most_quotable(
    elements: Sequence[Element], statuses: Mapping[Element, Status], heard: Heard
) -> Element | None:
    """The element whose words are worth giving back: surely there, clearly shown, concrete."""
    there = [e for e in elements if statuses[e] is Status.PRESENT] or [
        e for e in elements if statuses[e] is Status.WEAK
    ]

    def worth(element: Element) -> float:
        k = elements.index(element)
        sure = 1.0 - float(heard.statuses[k, 0])
        return sure * float(heard.evidence[:, k].max()) * _WORTH.get(element, 0.7)

    return max(there, key=worth, default=None)


_WORTH: Mapping[Element, float] = {
    Element.SELF_CHOICE: 1.3,
    Element.SELF_VALUES: 1.1,
    Element.SELF_DETAIL: 1.0,
    Element.SELF_CHALLENGE: 0.9,
    Element.US_CHOICE: 1.3,
    Element.US_CHALLENGE: 1.0,
    Element.NOW_NIGHTMARE: 1.1,
    Element.NOW_DREAM: 1.1,
    Element.NOW_CHALLENGE: 1.0,
}


def _stretch(text: str, words: Words, shown: Floats) -> str:
    """At most LONGEST_LINE words of a sentence, whole clauses where they fit, most telling."""
    if len(text.split()) <= LONGEST_LINE:
        return text
    edges = [m.end() for m in _PAUSE.finditer(text)]
    clauses = [text[a:b].strip() for a, b in pairwise([0, *edges, len(text)])]
    best, best_score = _first_words(text, LONGEST_LINE), -1.0
    for i in range(len(clauses)):
        for j in range(i + 1, len(clauses) + 1):
            start = text.find(clauses[i], 0 if i == 0 else edges[i - 1])
            end = len(text) if j == len(clauses) else edges[j - 1]
            stretch = text[start:end].strip().rstrip(",;:—–- ")
            if not _SHORTEST_LINE <= len(stretch.split()) <= LONGEST_LINE:
                continue
            inside = (words.starts < end) & (words.ends > start)
            # A longer stretch that says as much reads better than a scrap of it.
            score = float(shown[inside].mean()) + 0.01 * len(stretch.split())
            if score > best_score:
                best, best_score = stretch, score
    return best


_SHORTEST_LINE = 5
_PAUSE = re.compile(r"[,;:—–…](?=\s)|(?<=\s)(?=(?:and|but|so|y|pero|entonces|e|mas|então)\s)")


def _first_words(text: str, words: int) -> str:
    """The first `words` words of `text`, an exact slice of it."""
    found = [m.end() for m in re.finditer(r"\S+", text)]
    return text if len(found) <= words else text[: found[words - 1]]

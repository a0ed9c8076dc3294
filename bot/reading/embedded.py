"""The embedded reader: hears a telling with the bundled model, on this machine, always."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.reading.heads import STATUSES, Heard, Weights
from bot.reading.sentences import Sentence, split
from bot.usecases.ports import Embedder

LONGEST_LINE = 18
"""Words of the line quoted back to the teller."""

LONGEST_EVIDENCE = 40
"""Words of a quotation that shows an element."""

MODE_LIKELY = 0.5
"""Probability from which a failure mode is named."""


class EmbeddedReader:
    """Implements ports.Reader with trained heads over sentence vectors; needs no network."""

    def __init__(self, weights: Weights, embedder: Embedder) -> None:
        """Read with `weights`; `embedder` must be the one they were trained on."""
        self._weights = weights
        self._embedder = embedder

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """Hear which elements stand in `text`; quotations are verbatim.

        `language` is a hint only: tellers mix languages. Text without words reads as all missing.
        """
        return await asyncio.to_thread(self.hear, stage, text)

    def hear(self, stage: StoryOf, text: str) -> Reading:
        """The same, at once in this thread."""
        sentences = split(text)
        if not sentences:
            return Reading(
                stage, dict.fromkeys(ORDER_OF_CARE[stage], Status.MISSING), reader=READER
            )
        vectors = np.asarray(
            self._embedder.embed([*(s.text for s in sentences), text]), dtype=np.float32
        )
        heard = self._weights.hear(stage, vectors[:-1], vectors[-1], len(text.split()))
        statuses = {e: STATUSES[int(p.argmax())] for e, p in heard.statuses.items()}
        shown = [e for e in ORDER_OF_CARE[stage] if statuses[e] is not Status.MISSING]
        evidence = {e: _quote(sentences, heard, e) for e in shown}
        return Reading(
            stage,
            statuses,
            evidence,
            _modes(heard),
            _line(statuses, evidence),
            READER,
        )


READER = "embedded-1"


def _quote(sentences: Sequence[Sentence], heard: Heard, element: Element) -> str:
    return _trimmed(sentences[int(heard.evidence[element].argmax())].text, LONGEST_EVIDENCE)


def _modes(heard: Heard) -> tuple[FailureMode, ...]:
    likely = [(p, m) for m, p in heard.modes.items() if p >= MODE_LIKELY]
    return tuple(m for _, m in sorted(likely, key=lambda pair: -pair[0]))


def _line(statuses: dict[Element, Status], evidence: dict[Element, str]) -> str | None:
    for wanted in (Status.PRESENT, Status.WEAK):
        for element in _MOST_QUOTABLE:
            if statuses.get(element) is wanted:
                return _trimmed(evidence[element], LONGEST_LINE)
    return None


_MOST_QUOTABLE = (
    Element.SELF_CHOICE, Element.SELF_VALUES, Element.SELF_DETAIL, Element.SELF_CHALLENGE,
    Element.SELF_HOPE, Element.SELF_OUTCOME,
    Element.US_CHOICE, Element.US_CHALLENGE, Element.US_OUTCOME, Element.US_WHO,
    Element.NOW_NIGHTMARE, Element.NOW_DREAM, Element.NOW_CHALLENGE, Element.NOW_STRATEGY,
    Element.NOW_ASK,
)  # fmt: skip


def _trimmed(text: str, words: int) -> str:
    """The first `words` words of `text`, an exact slice of it."""
    end, count = 0, 0
    for i, character in enumerate(text):
        if character.isspace():
            continue
        if i == 0 or text[i - 1].isspace():
            count += 1
            if count > words:
                break
        end = i + 1
    return text[:end]

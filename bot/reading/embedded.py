"""The embedded reader: hears a telling with the bundled model, on this machine, always."""

from __future__ import annotations

import asyncio

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.reading.encoder import SentenceEncoder
from bot.reading.heads import MODES, STATUSES, Heard, Weights
from bot.reading.model_file import UnknownModel
from bot.reading.sentences import split
from bot.usecases.ports import ReaderUnavailable

LONGEST_LINE = 18
"""Words of the line quoted back to the teller."""

LONGEST_EVIDENCE = 40
"""Words of a quotation that shows an element."""

MODE_LIKELY = 0.5
"""Probability from which a failure mode is named."""


class EmbeddedReader:
    """Implements ports.Reader with a tuned copy of the bundled model; needs no network."""

    def __init__(self, weights: Weights, encoder: SentenceEncoder) -> None:
        """Read with `weights`; the model behind `encoder` is loaded at the first reading."""
        self._weights = weights
        self._encoder = encoder

    @classmethod
    def bundled(cls) -> EmbeddedReader:
        """The reader with the weights in this package; raises ReaderUnavailable."""
        try:
            return cls(Weights.load(), SentenceEncoder())
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
        evidence = {
            e: _trimmed(sentences[int(heard.evidence[:, k].argmax())].text, LONGEST_EVIDENCE)
            for k, e in enumerate(elements)
            if statuses[e] is not Status.MISSING
        }
        return Reading(stage, statuses, evidence, _modes(heard), _line(statuses, evidence), READER)


READER = "embedded-2"


def _modes(heard: Heard) -> tuple[FailureMode, ...]:
    likely = [(p, m) for m, p in zip(MODES, heard.modes.tolist(), strict=True) if p >= MODE_LIKELY]
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

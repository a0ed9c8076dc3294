"""Two opinions on one message: the head, which hears what it resembles, and the alarm."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from bot.core.care import Safety
from bot.core.narrative import count_words
from bot.screening.safety import MESSAGE, Chances, judge, weigh


class Opinions:
    """Joins head and alarm, which err on different texts; one alone is believed as it is.

    In a longer text, usually a story, both must hear danger (their geometric mean). Of a short
    message the graver opinion counts for a batch, where a missed cry is worst; in a conversation
    the mean, because there a false alarm interrupts somebody and the next message brings more.
    """

    def __init__(self, head: Chances | None, alarm: Chances | None) -> None:
        """Neither is asked before a message comes; then both at the same time."""
        self._head, self._alarm = head, alarm

    def judge(self, text: str) -> Safety:
        """A batch's word: `none`, `distress` or `crisis`."""
        return judge(text, self._joined(self._graver) if self._any else None)

    def weigh(self, text: str) -> Safety:
        """A conversation's word: doubt is its own answer."""
        return weigh(text, self._joined(self._between) if self._any else None)

    @property
    def _any(self) -> bool:
        return self._head is not None or self._alarm is not None

    def _joined(self, of_short: Chances) -> Chances:
        return lambda text: of_short(text) if count_words(text) <= MESSAGE else self._agreed(text)

    def _ask(self, text: str) -> tuple[float, float, float]:
        """Both chances of crisis, and the mean share of distress against none."""
        if self._head is not None and self._alarm is not None:
            alarmed = _beside(self._alarm, text)
            found = [self._head(text), alarmed.result()]
        else:
            found = [ask(text) for ask in (self._head, self._alarm) if ask is not None]
        pain = sum(p / max(p + none, 1e-9) for _, p, none in found) / len(found)
        return found[0][0], found[-1][0], pain

    def _graver(self, text: str) -> tuple[float, float, float]:
        one, other, pain = self._ask(text)
        return _spread(max(one, other), pain)

    def _between(self, text: str) -> tuple[float, float, float]:
        one, other, pain = self._ask(text)
        return _spread((one + other) / 2, pain)

    def _agreed(self, text: str) -> tuple[float, float, float]:
        one, other, pain = self._ask(text)
        return _spread(float((one * other) ** 0.5), pain)


def _beside(ask: Chances, text: str) -> Future[Sequence[float]]:
    """Asked in a thread of its own, which nobody waits for when the program ends."""
    answer: Future[Sequence[float]] = Future()

    def asking() -> None:
        try:
            answer.set_result(ask(text))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=asking, name="alarm", daemon=True).start()
    return answer


def _spread(crisis: float, pain: float) -> tuple[float, float, float]:
    return crisis, (1 - crisis) * pain, (1 - crisis) * (1 - pain)

"""A reader that says what a test queued."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from bot.core.narrative import ORDER_OF_CARE, Reading, Status, StoryOf
from bot.usecases.ports import ReaderUnavailable


@dataclass(frozen=True)
class Asked:
    """One call as the reader received it."""

    stage: StoryOf
    text: str
    language: str


class ScriptedReader:
    """Gives queued readings in order, then hears nothing in anything; keeps a `history`.

    A queued ReaderUnavailable is raised instead. Quotations that are not in the text asked about
    are dropped, so every answer keeps the port's promise.
    """

    def __init__(self, readings: Iterable[Reading | ReaderUnavailable] = ()) -> None:
        self.history: list[Asked] = []
        self._queued = deque(readings)

    def queue(self, *readings: Reading | ReaderUnavailable) -> None:
        """Add readings behind those already waiting."""
        self._queued.extend(readings)

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """The next queued reading."""
        self.history.append(Asked(stage, text, language))
        if not self._queued:
            return Reading(
                stage, dict.fromkeys(ORDER_OF_CARE[stage], Status.MISSING), reader="scripted"
            )
        queued = self._queued.popleft()
        if isinstance(queued, ReaderUnavailable):
            raise queued
        return queued.only_verbatim(text)

"""Passages of approved library stories, for the example index; a sources.PassageSource.

The database is the truth and is asked each time: what left it a moment ago is not found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from bot.core.narrative import Element
from bot.retrieval.sources import Example, passage_id
from bot.usecases.library_ports import PASSAGES, Shared, story_of_passage


class Shares(Protocol):
    """Asks the library, from a thread that may wait."""

    def __call__(
        self,
        move: Element | None = None,
        language: str | None = None,
        story_id: str | None = None,
    ) -> Sequence[Shared]:
        """What may be shown now. Raises StoreUnavailable."""
        ...


class LibrarySource:
    """Gives passages of library stories, named `library-<story>:<move>`."""

    def __init__(self, shares: Shares) -> None:
        """Nothing is asked yet."""
        self._shares = shares

    def fingerprint(self) -> str:
        """SHA-256 over what each passage is embedded from, hexadecimal; empty without any."""
        return fingerprint_of(self._shares())

    def examples(self, move: Element | None = None, language: str | None = None) -> list[Example]:
        """The passages that may be shown now, by id; all, or those of one move and language."""
        found = [as_example(shared) for shared in self._shares(move, language)]
        return sorted(found, key=lambda e: e.id)

    def find(self, passage_id: str) -> Example | None:
        """The passage as it stands now; None when it may no longer be shown."""
        story = story_of_passage(passage_id)
        if story is None:
            return None
        found = [as_example(shared) for shared in self._shares(story_id=story)]
        return next((e for e in found if e.id == passage_id), None)


def fingerprint_of(shares: Iterable[Shared]) -> str:
    """SHA-256 over what each passage is embedded from, hexadecimal; empty without any."""
    digest = hashlib.sha256()
    examples = sorted(map(as_example, shares), key=lambda e: e.id)
    for e in examples:
        digest.update("\0".join((e.id, e.language, *e.themes, e.text)).encode())
    return digest.hexdigest() if examples else ""


def as_example(shared: Shared) -> Example:
    """A library passage as the index knows it."""
    narrative = PASSAGES + shared.story_id
    return Example(
        passage_id(narrative, shared.move),
        narrative,
        shared.title,
        shared.move,
        shared.language,
        shared.themes,
        shared.text,
        illustration=False,
    )

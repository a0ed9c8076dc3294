"""What the example index is derived from: passages that may be shown, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bot.core.narrative import Element


@dataclass(frozen=True)
class Example:
    """One passage that makes one move. `id` is `<narrative>:<move>`; `text` is verbatim."""

    id: str
    narrative: str
    title: str
    move: Element
    language: str
    themes: tuple[str, ...]
    text: str
    illustration: bool = True


class PassageSource(Protocol):
    """Keeps the truth about some passages; the index only finds them. Calls may block."""

    def fingerprint(self) -> str:
        """A short value that changes whenever a passage is added, altered or no longer shown."""
        ...

    def examples(self, move: Element | None = None, language: str | None = None) -> list[Example]:
        """The passages that may be shown now, by id; all, or those of one move and language."""
        ...

    def find(self, passage_id: str) -> Example | None:
        """The passage as it stands now; None when it may no longer be shown."""
        ...


def passage_id(narrative: str, move: Element) -> str:
    """How a passage is named in the index, in callbacks and in `coach examples`."""
    return f"{narrative}:{move.value}"


def languages(sources: Iterable[PassageSource]) -> frozenset[str]:
    """Languages in which at least one passage may be shown."""
    return frozenset(e.language for source in sources for e in source.examples())

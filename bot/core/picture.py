"""A picture of results: bars in a few parts, in which what may not be shown has no length.

The same sheet first holds messages by key, then, once they are put into words, what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bot.core.movement import Hidden, Shown

T = TypeVar("T")
U = TypeVar("U")


class Unit(StrEnum):
    """What a bar counts. Bars of one unit are as long as their numbers, side by side."""

    POSTS = "posts"
    PEOPLE = "people"


@dataclass(frozen=True)
class Bar(Generic[T]):
    """One number and what it counts; a hidden one is drawn as hidden, always alike."""

    label: T
    number: Shown


@dataclass(frozen=True)
class Part(Generic[T]):
    """Bars that belong together, under what they are about. Without bars: `instead` is said."""

    unit: Unit
    bars: tuple[Bar[T], ...]
    heading: T
    instead: T | None = None


@dataclass(frozen=True)
class Sheet(Generic[T]):
    """One picture from top to bottom; `hidden` says a hidden number in words."""

    heading: T
    parts: tuple[Part[T], ...]
    hidden: Mapping[Hidden, T]

    def worded(self, say: Callable[[T], U]) -> Sheet[U]:
        """The same with every message put into words."""
        return Sheet(
            say(self.heading),
            tuple(
                Part(
                    part.unit,
                    tuple(Bar(say(bar.label), bar.number) for bar in part.bars),
                    say(part.heading),
                    None if part.instead is None else say(part.instead),
                )
                for part in self.parts
            ),
            {why: say(words) for why, words in self.hidden.items()},
        )

"""People who write in turns, each the next message when the last was answered; what they saw.

A person says the opening once, then the cycle again and again. How many messages answer each line
is learned in a quiet rehearsal, so that a bot that says two things in a turn is waited for as long
as it speaks. `{n}` in a line becomes another number each time, lest anybody answers from a cache.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

PATIENCE = 20.0
"""Seconds somebody waits under load before they write on; such a turn counts as unanswered."""
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Script:
    """What everybody says, and how many messages answer each line.

    `expects` is for the opening, then the first cycle, then every later one.
    """

    opening: tuple[str, ...]
    cycle: tuple[str, ...]
    expects: tuple[int, ...] = ()

    def place(self, step: int) -> int:
        """Where the step-th line of a person stands among those that are rehearsed."""
        opening, cycle = len(self.opening), len(self.cycle)
        if step < opening + cycle:
            return step
        return opening + cycle + (step - opening) % cycle

    def line(self, step: int) -> str:
        """The words of the step-th line."""
        if step < len(self.opening):
            return self.opening[step]
        return self.cycle[(step - len(self.opening)) % len(self.cycle)]

    def awaited(self, step: int) -> int:
        """How many messages answer it."""
        return self.expects[self.place(step)] if self.expects else 1


@dataclass
class Person:
    """One person. `said_at` is None while nothing is open; `owed` messages are still to come."""

    id: int
    step: int = 0
    said_at: float | None = None
    owed: int = 0
    update_id: int = 0
    talks: bool = False
    until_step: int | None = None
    """Where to stop by oneself; None for as long as one `talks`."""
    before: list[str] = field(default_factory=list)
    """What answered the line before the last."""
    heard: list[str] = field(default_factory=list)
    """What answered the last line."""
    after: list[str] = field(default_factory=list)
    """What came since everybody was told to stop."""
    owed_then: int = 0
    is_watched: bool = False
    """Whether the next answer shows if the bot still knows where they are."""


@dataclass
class Figures:
    """What was seen since the last mark."""

    since: float = 0.0
    turns: int = 0
    took: list[float] = field(default_factory=list)
    calls: int = 0
    unanswered: int = 0


@dataclass
class Reckoning:
    """What a kill did: people whose open line was never answered, or who were answered once more.

    `unconfirmed` lines were never answered nor acknowledged; a real server keeps them.
    """

    open: int = 0
    lost: int = 0
    unconfirmed: int = 0
    repeated: int = 0
    otherwise: int = 0


class People:
    """Everybody who writes to the bot. `send` gives the server an update and returns its number."""

    def __init__(self, send: Callable[[Person, str], int], first_id: int) -> None:
        """Nobody is here yet."""
        self._send, self._next_id = send, first_id
        self.script = Script((), ())
        self.people: dict[int, Person] = {}
        self.regulars: list[Person] = []
        self.figures = Figures(time.perf_counter())
        self.last_event = time.perf_counter()
        self._seen: dict[int, set[str]] = {}
        self._frozen = False
        self._was_frozen = False
        self._said = 0
        self.forgot = 0
        """People, once a kill, for whom the first line after it had an answer that this line never
        had before: the bot had lost its place."""
        self.examples: list[tuple[str, ...]] = []
        """What was strange: of which kind, the line, and what was said."""

    def person(self) -> Person:
        """Somebody new."""
        self._next_id += 1
        one = self.people[self._next_id] = Person(self._next_id)
        return one

    def says(self, one: Person) -> None:
        """The next line of the script."""
        self._said += 1
        one.before, one.heard = one.heard, []
        one.owed = self.script.awaited(one.step)
        one.said_at = time.perf_counter()
        text = self.script.line(one.step).replace("{n}", str(self._said))
        one.update_id = self._send(one, text)

    def answered(self, chat: int, text: str) -> None:
        """The bot said something to somebody."""
        one = self.people.get(chat)
        if one is None:
            return
        now = self.last_event = time.perf_counter()
        one.heard.append(text)
        if self._frozen:
            one.after.append(text)
        elif not self._was_frozen:
            place = self.script.place(one.step if one.said_at is not None else one.step - 1)
            self._seen.setdefault(place, set()).add(bare(text))
        if one.said_at is None:
            return
        one.owed -= 1
        if one.owed > 0:
            return
        self.figures.turns += 1
        self.figures.took.append(now - one.said_at)
        self._over(one)

    def _over(self, one: Person) -> None:
        one.said_at = None
        one.step += 1
        if one.is_watched:
            one.is_watched = False
            if not self._is_known(one, one.heard):
                self.forgot += 1
                self.examples.append(("out of place", self.script.line(one.step - 1), *one.heard))
        if one.until_step is not None and one.step >= one.until_step:
            one.talks = False
        if one.talks and not self._frozen:
            self.says(one)

    def impatient(self) -> None:
        """Whoever waited too long writes on."""
        late = time.perf_counter() - PATIENCE
        for one in self.people.values():
            if one.said_at is not None and one.said_at < late and not self._frozen:
                self.figures.unanswered += 1
                self._over(one)

    @property
    def open(self) -> int:
        """How many wait for an answer."""
        return sum(one.said_at is not None for one in self.people.values())

    # -- a kill ---------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Nobody writes on; what comes from now on is kept apart."""
        self._frozen = self._was_frozen = True
        for one in self.people.values():
            one.after = []
            one.owed_then = one.owed if one.said_at is not None else 0

    def reckon(self, unconfirmed: Collection[int]) -> Reckoning:
        """What became of everybody's last line; by the updates that the bot did not confirm."""
        found = Reckoning()
        for one in self.people.values():
            if one.owed_then:
                found.open += 1
                if len(one.after) < one.owed_then:
                    found.lost += one.update_id not in unconfirmed
                    found.unconfirmed += one.update_id in unconfirmed
            if len(one.after) > one.owed_then:
                earlier = {*one.before, *one.heard[: len(one.heard) - len(one.after)]}
                same = bool(earlier & {*one.after}) or len({*one.after}) < len(one.after)
                found.repeated += same
                found.otherwise += not same
                kind = "again, same words" if same else "again, others"
                self.examples.append((kind, *one.before, "|", *one.heard))
        return found

    def _is_known(self, one: Person, answers: list[str]) -> bool:
        """Whether one of the answers is what the line behind them used to get."""
        known = self._seen.get(self.script.place(one.step - 1), set())
        return any(bare(text) in known for text in answers)

    def thaw(self) -> None:
        """Everybody goes on; who was never answered says the same again."""
        self._frozen = False
        for one in self.regulars:
            if one.talks:
                one.is_watched = True
                self.says(one)


def bare(text: str) -> str:
    """A text without its numbers, which differ from turn to turn."""
    return DIGITS.sub("#", text)

"""What every screen of staff's room is made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.core.report import Report
from bot.core.review import Refusal, ReviewRefused
from bot.core.turn import Choice, Line, Move, Say
from bot.usecases.backing_up import BackingUp
from bot.usecases.desk import Outside, Visit, button
from bot.usecases.exporting import Answering, Exporting, ExportRefused
from bot.usecases.library import Library
from bot.usecases.people import NotAllowed
from bot.usecases.ports import Clock, Reader, Right, Store
from bot.usecases.reviewing import Reviewing

ROOM = "reviewing"


@dataclass
class Staffed:
    """What is the same for every visit of staff.

    `exporting` works on the whole database, not in a visit's transaction; `exports` is where its
    files go. `page` makes a report's page in a language. `found` holds what was asked outside,
    until the visit that asked is repeated.
    """

    reader: Reader
    exporting: Exporting
    exports: Path
    page: Callable[[Report, str], str]
    clock: Clock
    found: dict[tuple[str, int, str], Any] = field(default_factory=dict)

    def outside(self, what: str, who: int, about: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What `ask` answers, asked while no transaction is open. Raises Outside first."""
        key = (what, who, about)
        if key in self.found:
            return self.found.pop(key)

        async def asked() -> None:
            try:
                self.found[key] = await ask()
            except (ExportRefused, NotAllowed, OSError) as error:
                self.found[key] = error

        raise Outside(asked)


@dataclass
class Table:
    """One visit with the use cases made over its transaction."""

    staffed: Staffed
    store: Store
    visit: Visit
    trouble: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = self.staffed.clock
        self.reviewing = Reviewing(self.store, clock)
        self.library = Library(self.store, clock)
        self.answering = Answering(self.store, clock)
        self.backing_up = BackingUp(self.store, clock)

    @property
    def me(self) -> int:
        """Who acts."""
        return self.visit.sender.telegram_id

    @property
    def notes(self) -> dict[str, Any]:
        """What the seat holds on to: ids, hashes and choices, never a word of a story."""
        return self.visit.seat.notes

    @property
    def argument(self) -> str:
        """What came with the button, "" for nothing."""
        return self.visit.arguments[0] if self.visit.arguments else ""

    @property
    def story(self) -> str:
        """The story on the table. Raises ReviewRefused when there is none."""
        story = self.notes.get("story")
        if not story:
            raise ReviewRefused(Refusal.NOT_CLAIMED)
        return str(story)

    @property
    def seen(self) -> str:
        """The hash of the text they were shown."""
        return str(self.notes.get("seen", ""))

    def awaits(self, verb: str) -> None:
        """What they type next answers this."""
        self.visit.seat.awaiting = f"{ROOM}.{verb}"

    def put_away(self) -> None:
        """No story is on the table any more."""
        for name in ("story", "seen", "reason", "themes"):
            self.notes.pop(name, None)

    def may(self, *rights: Right) -> bool:
        """Whether they hold one of these now; the use cases ask again when acting."""
        return bool(set(rights) & self.visit.rights)

    def say(self, *lines: Line | str, rows: Sequence[Sequence[Choice]] = ()) -> list[Move]:
        """One screen; what went wrong on the way to it stands first."""
        made = [Line(f"review.{x}") if isinstance(x, str) else x for x in lines]
        return [Say((*self.trouble, *made), tuple(tuple(row) for row in rows if row))]


Screen = Callable[[Table], Awaitable[list[Move]]]


def press(verb: str, *arguments: str, label: str | None = None, **words: str) -> Choice:
    """A button of this room, labelled `review.b.<verb>` unless told otherwise."""
    return button(ROOM, verb, *arguments, label=f"review.b.{label or verb}", **words)

"""What every screen of the organizers' room is made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from bot.core.movement import Hidden, Shown
from bot.core.practice import PracticePrompt
from bot.core.schedule import Repeat, Rule, zone
from bot.core.turn import Choice, Line, Move, Say
from bot.usecases.desk import Outside, Visit, button
from bot.usecases.groups import Telegram
from bot.usecases.organizers import Organizers
from bot.usecases.ports import Clock, Store
from bot.usecases.practice_ports import Target
from bot.usecases.results import ResultsBoard

ROOM = "organizing"
PAGE = 6
"""Things on one screen to choose from; a telephone shows them without scrolling."""
NAME = 28
"""Characters of a name that fit on a button."""
REMEMBERED = timedelta(seconds=60)
"""How long Telegram's word on who is an admin is believed: as long as one visit takes."""


class Admins:
    """Who may do what where, asked of Telegram while no transaction is open."""

    def __init__(self, telegram: Telegram) -> None:
        """Nothing is known yet."""
        self._telegram = telegram
        self._known: dict[tuple[int, int | None], tuple[datetime, bool | None]] = {}

    def is_admin(self, chat_id: int, telegram_id: int, now: datetime) -> bool | None:
        """Whether a person manages a group; None when Telegram does not say. Raises Outside."""
        ask = partial(self._telegram.is_admin, chat_id, telegram_id)
        return self._answer((chat_id, telegram_id), ask, now)

    def may_write(self, chat_id: int, now: datetime) -> bool | None:
        """Whether the bot may write in a group; None when Telegram does not say. Raises Outside."""
        return self._answer((chat_id, None), partial(self._telegram.may_write, chat_id), now)

    def _answer(
        self, key: tuple[int, int | None], asked: Callable[[], Awaitable[bool | None]], at: datetime
    ) -> bool | None:
        found = self._known.pop(key, None)
        if found is not None and at - found[0] < REMEMBERED:
            return found[1]

        async def ask() -> None:
            self._known[key] = (at, await asked())

        raise Outside(ask)


@dataclass(frozen=True)
class Around:
    """What is the same for every visit."""

    library: Mapping[str, PracticePrompt]
    languages: Sequence[str]
    clock: Clock
    new_id: Callable[[], str]
    new_token: Callable[[], str]
    telegram: Telegram
    admins: Admins


@dataclass
class Table:
    """One visit with the use cases made over its transaction."""

    around: Around
    store: Store
    visit: Visit
    trouble: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        a = self.around
        self.organizers = Organizers(self.store, a.library, a.languages, a.clock, a.new_id)
        # What is shown is titled in the language of whoever looks.
        mine_first = sorted(a.languages, key=lambda code: code != self.visit.language)
        self.board = ResultsBoard(self.store, a.library, mine_first)

    @property
    def me(self) -> int:
        """Who acts."""
        return self.visit.sender.telegram_id

    @property
    def notes(self) -> dict[str, Any]:
        """What the seat holds on to, for as long as it takes."""
        return self.visit.seat.notes

    @property
    def draft(self) -> dict[str, Any]:
        """The push being prepared."""
        return cast("dict[str, Any]", self.notes.setdefault("draft", {}))

    @property
    def argument(self) -> str:
        """What came with the button, "" for nothing."""
        return self.visit.arguments[0] if self.visit.arguments else ""

    def number(self) -> int:
        """The argument as a number, 0 for anything else."""
        return int(self.argument) if self.argument.isdecimal() else 0

    def awaits(self, verb: str) -> None:
        """What they type next answers this."""
        self.visit.seat.awaiting = f"{ROOM}.{verb}"

    def mine(self, targets: Sequence[Target]) -> list[Target]:
        """The groups this organizer answers for, or brought the bot to before anybody did."""
        return [
            t
            for t in targets
            if t.claimed_by == self.me or (t.claimed_at is None and t.group.added_by == self.me)
        ]

    async def prompt(self, prompt_id: str) -> PracticePrompt | None:
        """A prompt that may be used now."""
        return next((p for p in await self.organizers.prompts(self.me) if p.id == prompt_id), None)

    async def zone(self) -> ZoneInfo:
        """The organizer's own zone, as far as their groups tell."""
        targets = await self.organizers.groups(self.me)
        known = [t.group.timezone for t in (*self.mine(targets), *targets) if t.group.timezone]
        return zone(known[0] if known else None)

    def say(self, *lines: Line | str, rows: Sequence[Sequence[Choice]]) -> list[Move]:
        """One screen; what went wrong on the way to it stands first."""
        made = [Line(x) if isinstance(x, str) else x for x in lines]
        return [Say((*self.trouble, *made), tuple(tuple(row) for row in rows if row))]


Screen = Callable[[Table], Awaitable[list[Move]]]


def press(verb: str, *arguments: str, label: str | None = None, **words: str) -> Choice:
    """A button of this room, labelled `organizing.b.<verb>` unless told otherwise."""
    return button(ROOM, verb, *arguments, label=f"{ROOM}.b.{label or verb}", **words)


def back(verb: str) -> tuple[Choice, ...]:
    """The way back, and the way home."""
    if verb == "home":
        return (press("home", label="back"),)
    return (press(verb, label="back"), press("home", label="home"))


def named(verb: str, *arguments: str, name: str) -> Choice:
    """A button that shows a name."""
    return press(verb, *arguments, label="named", name=shortened(name, NAME))


def shortened(text: str, most: int) -> str:
    """The text on one line, cut where it gets too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def begins(text: str) -> str:
    """The first words of a prompt, to know it by."""
    return shortened(text, 48)


def local(key: str, at: datetime, **words: str) -> Line:
    """A line with a local date and time: weekday and month in the reader's language."""
    filled = {"day": str(at.day), "time": f"{at:%H:%M}", **words}
    refs = {
        "weekday": f"organizing.weekday.{at.weekday()}",
        "month": f"organizing.month.{at.month}",
    }
    return Line(key, filled, refs)


def rule_line(rule: Rule) -> Line:
    """When, in one line. Several weekdays are named by the first; the preview shows the dates."""
    words = {"time": f"{rule.at:%H:%M}"}
    if rule.repeat is Repeat.NOW:
        return Line("organizing.rule.now")
    if rule.repeat is Repeat.ONCE:
        return local("organizing.rule.once", datetime.combine(rule.first, rule.at))
    refs = {"weekday": f"organizing.weekday.{min(rule.weekdays)}"}
    if rule.repeat is Repeat.MONTHLY:
        refs["nth"] = f"organizing.nth.{'last' if rule.nth == -1 else rule.nth}"
    many = "_days" if len(rule.weekdays) > 1 else ""
    return Line(f"organizing.rule.{rule.repeat}{many}", words, {} if many else refs)


def rule_lines(rule: Rule) -> list[Line]:
    """When, until which day, and in which hours not."""
    lines = [rule_line(rule)]
    if rule.until is not None:
        lines.append(local("organizing.rule.until", datetime.combine(rule.until, rule.at)))
    if rule.quiet is not None:
        ends = {"begins": f"{rule.quiet.begins:%H:%M}", "ends": f"{rule.quiet.ends:%H:%M}"}
        lines.append(Line("organizing.rule.quiet", ends))
    return lines


def counted(key: str, shown: Mapping[str, Shown], **words: str) -> Line:
    """A line with numbers, where those that single somebody out are in words."""
    hidden = {Hidden.FEW: "practice.few", Hidden.WITHHELD: "organizing.withheld"}
    numbers = {name: str(n) for name, n in shown.items() if not isinstance(n, Hidden)}
    refs = {name: hidden[n] for name, n in shown.items() if isinstance(n, Hidden)}
    return Line(key, {**words, **numbers}, refs)


def listed(titles: Sequence[str], most: int = 6) -> str:
    """Names in one line, the last of many as a number."""
    more = f" +{len(titles) - most}" if len(titles) > most else ""
    return ", ".join(titles[:most]) + more


def add_link(around: Around) -> Choice:
    """The button that adds the bot to a group."""
    link = f"https://t.me/{around.telegram.name}?startgroup=organizer"
    return Choice("add", "organizing.b.add_group", link=link)

"""The organizers' room: push a prompt, groups, schedules, results, prompts of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.practice import PromptRefused
from bot.core.schedule import ScheduleRefused
from bot.core.turn import Heard, Line, Move, Say
from bot.usecases.desk import (
    Visit,
    bounds,
    choosing,
    draft,
    following,
    grouping,
    planning,
    sending,
    writing,
)
from bot.usecases.desk.screens import ROOM, Around, Screen, Table, add_link, press
from bot.usecases.organizers import Refused
from bot.usecases.people import NotAllowed
from bot.usecases.ports import Store

COMMAND = "organize"


async def home(at: Table) -> list[Move]:
    """Where everything begins; an act not finished waits here."""
    known = await at.organizers.groups(at.me)
    mine = at.mine(known)
    if draft.editing(at) is not None:
        draft.put_down(at)
    lines = ["organizing.home.hello" if mine else "organizing.home.no_groups"]
    rows = [[press("push"), press("groups")]]
    if known:
        rows += [[press("plans"), press("results")], [press("write")]]
    if not mine:
        rows.insert(0, [add_link(at.around)])
    if at.draft.get("prompt"):
        rows.insert(0, [press("where", label="go_on")])
    return at.say(*lines, rows=rows)


SCREENS: dict[str, Screen] = {
    "home": home,
    **choosing.SCREENS,
    **sending.SCREENS,
    **bounds.SCREENS,
    **grouping.SCREENS,
    **planning.SCREENS,
    **following.SCREENS,
    **writing.SCREENS,
}


class Organizing:
    """The room; see Room. Every screen asks for the right "organize" anew."""

    name = ROOM

    def __init__(self, store: Store, around: Around) -> None:
        """Over the store of one visit."""
        self._store, self._around = store, around

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """/organize leads home."""
        return ("home", ()) if heard.command == COMMAND else None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Act and show the next screen; what cannot be done is said above it."""
        at = Table(self._around, self._store, visit)
        try:
            return await SCREENS.get(visit.verb, home)(at)
        except NotAllowed:
            return [Say((Line("organizing.not_yours"),))]
        except Refused as refused:
            at.trouble.append(Line(f"organizing.refused.{refused.problem}"))
        except ScheduleRefused as refused:
            at.trouble.append(Line(f"organizing.refused.{refused.reason}"))
        except PromptRefused as refused:
            at.trouble.append(Line(f"organizing.own.{refused.reason}"))
        return await home(at)

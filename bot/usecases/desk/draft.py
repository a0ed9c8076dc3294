"""The push being prepared, as the seat remembers it: numbers and names, so that it can wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from typing import Any, cast

from bot.core.practice import Aim, Schedule
from bot.core.schedule import Quiet, Repeat, Rule
from bot.core.turn import Line
from bot.usecases.desk.screens import Table
from bot.usecases.organizers import Plan, Refused

ONCE_ONLY = (Repeat.NOW, Repeat.ONCE)


def aim(
    at: Table,
    groups: Sequence[str] = (),
    tags: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> None:
    """Mean these groups and no others."""
    at.draft.update(groups=[*groups], tags=[*tags], languages=[*languages], everywhere=False)


def is_aimed(at: Table) -> bool:
    """Whether any group is meant."""
    return bool(at.draft.get("groups") or at.draft.get("tags") or at.draft.get("everywhere"))


def keep(at: Table, rule: Rule) -> None:
    """Remember when. A last day said with it replaces the one chosen before."""
    at.draft["rule"] = {
        "repeat": rule.repeat.value,
        "first": rule.first.isoformat(),
        "at": rule.at.isoformat(timespec="minutes"),
        "weekdays": sorted(rule.weekdays),
        "nth": rule.nth,
    }
    if rule.until is not None:
        at.draft["until"] = rule.until.isoformat()
    elif (until := at.draft.get("until")) and date.fromisoformat(until) < rule.first:
        del at.draft["until"]
        at.trouble.append(Line("organizing.until.let_go"))


def rule(at: Table) -> Rule:
    """The rule kept; one for now begins when it is looked at. Raises Refused when none was."""
    kept = cast("dict[str, Any] | None", at.draft.get("rule"))
    if kept is None:
        raise Refused("no_time_left")
    repeat = Repeat(kept["repeat"])
    if repeat is Repeat.NOW:
        # "Now" means now: quiet hours chosen for another time do not hold it back.
        return Rule.right_now(at.visit.now)
    until, quiet = at.draft.get("until"), at.draft.get("quiet")
    return Rule(
        repeat,
        date.fromisoformat(kept["first"]),
        time.fromisoformat(kept["at"]),
        frozenset(kept["weekdays"]),
        kept["nth"],
        date.fromisoformat(until) if until and repeat not in ONCE_ONLY else None,
        Quiet(*map(time.fromisoformat, quiet)) if quiet else None,
    )


def plan(at: Table) -> Plan:
    """Everything together. Raises Refused while groups or time are not chosen."""
    draft = at.draft
    if not is_aimed(at):
        raise Refused("no_groups")
    meant = Aim(*(frozenset(draft.get(kind, [])) for kind in ("groups", "tags", "languages")))
    first = str(draft.get("prompt", ""))
    turns = tuple(draft.get("turns", []))
    prompts = turns if turns[:1] == (first,) else (first,)
    return Plan(prompts, meant, rule(at), int(draft.get("rest", 0)))


def take_up(at: Table, schedule: Schedule) -> None:
    """Lay out what is planned, to change it; a push begun meanwhile waits aside."""
    if "editing" not in at.draft:
        at.notes["aside"] = at.draft
    planned, meant = schedule.rule, schedule.aim
    at.notes["draft"] = {
        "editing": schedule.id,
        "prompt": schedule.prompts[0],
        "turns": list(schedule.prompts),
        "groups": sorted(meant.groups),
        "tags": sorted(meant.tags),
        "languages": sorted(meant.languages),
        "everywhere": not (meant.groups or meant.tags),
        "rest": schedule.rest_days,
    }
    if planned.quiet is not None:
        ends = (planned.quiet.begins, planned.quiet.ends)
        at.draft["quiet"] = [f"{end:%H:%M}" for end in ends]
    keep(at, replace(planned, quiet=None))


def editing(at: Table) -> str | None:
    """The schedule being changed, None for a new push."""
    return cast("str | None", at.draft.get("editing"))


def put_down(at: Table) -> None:
    """The draft is done with, or a change is given up; what waited aside comes back."""
    at.notes["draft"] = at.notes.pop("aside", {}) if "editing" in at.draft else {}

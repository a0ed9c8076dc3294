"""What is planned, and what became of what was posted: numbers only, small ones in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC

from bot.core.movement import Movement, Step
from bot.core.schedule import Repeat
from bot.core.turn import Line, Move, Picture
from bot.usecases import picturing
from bot.usecases.desk.screens import (
    PAGE,
    Screen,
    Table,
    back,
    begins,
    counted,
    local,
    named,
    press,
    rule_lines,
)
from bot.usecases.organizers import Refused, Scheduled
from bot.usecases.picturing import COMPARED, monday
from bot.usecases.picturing import Table as TableName
from bot.usecases.pushing import AT_ONCE
from bot.usecases.results import Posts, Row

SHOWN = 6
"""Rows of results on one screen, and in one picture."""
TABLES: tuple[TableName, ...] = ("group", "prompt", "week")

# -- schedules ----------------------------------------------------------------------------------


async def plans(at: Table) -> list[Move]:
    """Everything still ahead, or paused."""
    found = await _ahead(at)
    if not found:
        return at.say("organizing.plans.none", rows=[[press("push")], list(back("home"))])
    titles = await _titles(at)
    page = at.number()
    shown = found[page * PAGE : (page + 1) * PAGE]
    at.notes["plans"] = [s.schedule.id for s in shown]
    rows = [
        [named("plan", str(n), name=titles.get(s.schedule.prompts[0], "…"))]
        for n, s in enumerate(shown)
    ]
    if len(found) > PAGE:
        following = page + 1 if (page + 1) * PAGE < len(found) else 0
        rows.append([press("plans", str(following), label="more")])
    return at.say("organizing.plans.list", rows=[*rows, list(back("home"))])


async def plan(at: Table) -> list[Move]:
    """One schedule: when, for how many groups, when next."""
    shown = list(at.notes.get("plans", []))
    if at.visit.verb == "plan" and at.argument and at.number() < len(shown):
        at.notes["plan"] = shown[at.number()]
    found = await _chosen(at)
    schedule = found.schedule
    titles = await _titles(at)
    lines = [
        Line("organizing.plans.prompt", {"prompt": titles.get(schedule.prompts[0], "…")}),
        *rule_lines(schedule.rule),
        Line("organizing.plans.groups", {"count": str(found.groups)}),
    ]
    if schedule.paused_at is not None:
        lines.append(Line("organizing.plans.paused"))
    elif found.next_at is not None:
        there = await at.zone()
        lines.append(
            local("organizing.plans.next", found.next_at.astimezone(there), zone=str(there))
        )
    elif schedule.rule.repeat is Repeat.NOW:
        lines.append(Line("organizing.plans.going_out"))
    first = press("resume") if schedule.paused_at else press("pause")
    skip = [press("skip")] if found.next_at and schedule.rule.repeat is not Repeat.NOW else []
    change = [] if schedule.rule.repeat is Repeat.NOW else [press("change")]
    return at.say(*lines, rows=[[first, *skip], [*change, press("end")], list(back("plans"))])


async def pause(at: Table) -> list[Move]:
    """Post nothing of it for now."""
    await at.organizers.pause(at.me, str(at.notes.get("plan", "")))
    return await plan(at)


async def resume(at: Table) -> list[Move]:
    """Go on with what lies ahead."""
    await at.organizers.resume(at.me, str(at.notes.get("plan", "")))
    return await plan(at)


async def skip(at: Table) -> list[Move]:
    """Leave the next time out."""
    _, slot = await at.organizers.skip_next(at.me, str(at.notes.get("plan", "")))
    at.trouble.append(Line("organizing.plans.skipped", {"when": slot.replace("T", " ")}))
    return await plan(at)


async def end(at: Table) -> list[Move]:
    """Ask once more, because an ended schedule does not come back."""
    await _chosen(at)
    rows = [[press("really_end"), press("plan", label="keep")], [press("home", label="home")]]
    return at.say("organizing.plans.really", rows=rows)


async def really_end(at: Table) -> list[Move]:
    """End it."""
    await at.organizers.end(at.me, str(at.notes.get("plan", "")))
    at.trouble.append(Line("organizing.plans.ended"))
    return await plans(at)


async def _ahead(at: Table) -> list[Scheduled]:
    """Schedules with something to come; a push that went out is a matter of results."""
    return [
        s
        for s in await at.organizers.schedules(at.me)
        if s.schedule.paused_at is not None or (s.next_at is not None and s.next_at > at.visit.now)
    ]


async def _chosen(at: Table) -> Scheduled:
    wanted = at.notes.get("plan")
    for found in await at.organizers.schedules(at.me):
        if found.schedule.id == wanted:
            return found
    raise Refused("unknown_schedule")


async def _titles(at: Table) -> Mapping[str, str]:
    found = await at.organizers.prompts(at.me)
    return {p.id: begins(p.text(at.visit.language)) for p in found}


# -- results ------------------------------------------------------------------------------------


async def results(at: Table) -> list[Move]:
    """All of it together, then by group, prompt or week."""
    found = await at.board.results(at.me)
    posts = found.total.posts
    if not (posts.posted or posts.waiting or posts.unknown or posts.failed or posts.left_out):
        rows = [[press("push")], list(back("home"))]
        return at.say("organizing.results.none", rows=rows)
    lines = [*posts_lines(posts), *_steps(found.total)]
    for unsure in found.unsure[-3:]:
        words = {"group": unsure.group, "when": f"{unsure.due_at.astimezone(UTC):%Y-%m-%d %H:%M}"}
        lines.append(Line("organizing.results.unsure", words))
    rows = [
        [press("by", "group", label="by_group"), press("by", "prompt", label="by_prompt")],
        [press("by", "week", label="by_week"), press("movement")],
        [
            press("picture"),
            *([press("follow")] if posts.posted else []),
            *([press("told")] if found.follow_ups else []),
        ],
        list(back("home")),
    ]
    return at.say(*lines, "organizing.results.private", rows=rows)


async def by(at: Table) -> list[Move]:
    """The same, a line each."""
    which, page, rows, has_more = await _page(at)
    lines = [Line(f"organizing.results.by_{which}"), *(_row(which, row) for row in rows)]
    more = [press("by", which, str(page + 1), label="more")] if has_more else []
    buttons = [press("picture", which, str(page)), *more]
    return at.say(*lines, rows=[buttons, list(back("results"))])


async def picture(at: Table) -> list[Move]:
    """What the screen says, drawn; the same in words under it."""
    if at.argument not in TABLES:
        found = await at.board.results(at.me)
        day = at.visit.now.astimezone(await at.zone()).date()
        sheet = picturing.overview(found, day)
        lines = [*posts_lines(replace(found.total.posts, left_out={})), *_steps(found.total)]
        rows = [list(back("results"))]
    else:
        which, page, shown, has_more = await _page(at)
        sheet = picturing.table(which, shown)
        lines = [Line(f"organizing.results.by_{which}"), *(_row(which, row) for row in shown)]
        more = [press("picture", which, str(page + 1), label="more")] if has_more else []
        rows = [more, list(back("results"))]
    choices = tuple(tuple(row) for row in rows if row)
    return [Picture("results.png", sheet, tuple(lines), choices)]


async def _page(at: Table) -> tuple[TableName, int, Sequence[Row], bool]:
    """Which table is looked at, which page of it, the rows there, and whether more follow.

    Weeks begin with the newest page; on it the oldest stands first.
    """
    found = await at.board.results(at.me)
    which: TableName = next((t for t in TABLES if t == at.argument), "group")
    rows = {"group": found.groups, "prompt": found.prompts, "week": found.weeks}[which]
    asked = at.visit.arguments[1] if len(at.visit.arguments) > 1 else "0"
    page = int(asked) if asked.isdecimal() and int(asked) * SHOWN < len(rows) else 0
    if which == "week":
        ordered = sorted(rows, key=lambda row: row.key)
        end = len(ordered) - page * SHOWN
        return which, page, ordered[max(0, end - SHOWN) : end], end > SHOWN
    if which == "group":
        rows = tuple(sorted(rows, key=lambda row: (row.title.casefold(), row.key)))
    return which, page, rows[page * SHOWN : (page + 1) * SHOWN], (page + 1) * SHOWN < len(rows)


async def movement(at: Table) -> list[Move]:
    """Who told, told again, listened and led, by group, as people say themselves."""
    found = await at.board.results(at.me)
    lines = [
        counted(
            "organizing.results.moved",
            {kind.value: moved.people[kind] for kind in Movement},
            name=moved.title,
        )
        for moved in found.movement[:SHOWN]
    ]
    if not lines:
        lines = [Line("organizing.results.no_movement")]
    return at.say("organizing.results.movement", *lines, rows=[list(back("results"))])


def posts_lines(posts: Posts) -> list[Line]:
    """What became of posts, a line each; a line without a number is left out."""
    lines = [Line("organizing.results.posted", {"count": str(posts.posted)})]
    if posts.waiting:
        lines.append(Line("organizing.results.waiting", {"count": str(posts.waiting)}))
    if posts.unknown:
        lines.append(Line("organizing.results.unknown", {"count": str(posts.unknown)}))
    if posts.failed:
        known = {why: n for why, n in posts.failed.items() if why in AT_ONCE}
        others = sum(posts.failed.values()) - sum(known.values())
        for why, number in (*known.items(), *([("other", others)] if others else [])):
            refs = {"why": f"organizing.why.{why}"}
            lines.append(Line("organizing.results.failed", {"count": str(number)}, refs))
    for why, number in posts.left_out.items():
        refs = {"why": f"organizing.why.{why}"}
        lines.append(Line("organizing.results.left_out", {"count": str(number)}, refs))
    if posts.taken_back:
        lines.append(Line("organizing.results.taken_back", {"count": str(posts.taken_back)}))
    return lines


def _steps(row: Row) -> list[Line]:
    return [
        counted(f"organizing.results.{step.value}", {"count": row.people[step]})
        for step in Step
        if step in row.people
    ]


def _row(which: TableName, row: Row) -> Line:
    if which == "week":
        first = monday(row.key)
        words, refs = {"day": str(first.day)}, {"month": f"organizing.month.{first.month}"}
        key = "organizing.results.week"
    else:
        words, refs = {"name": begins(row.title)}, {}
        key = "organizing.results.row"
    if not row.people:
        return Line(f"{key}_unposted", words, refs)
    people = {step.value: row.people[step] for step in COMPARED}
    line = counted(key, people, posted=str(row.posts.posted), **words)
    return replace(line, refs={**line.refs, **refs})


SCREENS: dict[str, Screen] = {
    "plans": plans,
    "plan": plan,
    "pause": pause,
    "resume": resume,
    "skip": skip,
    "end": end,
    "really_end": really_end,
    "results": results,
    "by": by,
    "picture": picture,
    "movement": movement,
}

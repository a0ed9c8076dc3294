"""What is planned, and what became of what was posted: numbers only, small ones in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from bot.core.movement import Movement, Step
from bot.core.schedule import Repeat
from bot.core.turn import Line, Move
from bot.usecases.desk.screens import (
    PAGE,
    Screen,
    Table,
    back,
    begins,
    counted,
    listed,
    local,
    named,
    press,
    rule_lines,
)
from bot.usecases.organizers import Refused, Scheduled
from bot.usecases.results import Posts, Row

SHOWN = 8
"""Rows of results on one screen; the newest, or the first."""

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
            *([press("follow")] if posts.posted else []),
            *([press("told")] if found.follow_ups else []),
        ],
        list(back("home")),
    ]
    return at.say(*lines, "organizing.results.private", rows=rows)


async def by(at: Table) -> list[Move]:
    """The same, a line each."""
    found = await at.board.results(at.me)
    rows_of = {"group": found.groups, "prompt": found.prompts, "week": found.weeks}
    rows = rows_of.get(at.argument, found.groups)[-SHOWN:]
    lines = [Line(f"organizing.results.by_{at.argument if at.argument in rows_of else 'group'}")]
    lines += [_row(row) for row in rows]
    return at.say(*lines, rows=[list(back("results"))])


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
        reasons = listed([f"{why} ({count})" for why, count in posts.failed.items()])
        count = {"count": str(sum(posts.failed.values())), "why": reasons}
        lines.append(Line("organizing.results.failed", count))
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


def _row(row: Row) -> Line:
    name = begins(row.title)
    posted = str(row.posts.posted)
    if not row.people:
        return Line("organizing.results.row_unposted", {"name": name})
    people = {step.value: row.people[step] for step in (Step.OPENED, Step.FINISHED)}
    return counted("organizing.results.row", people, name=name, posted=posted)


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
    "movement": movement,
}

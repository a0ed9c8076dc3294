"""Where and when a prompt goes, what it will look like, and the one tap that sends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

from bot.core.schedule import Repeat, Rule
from bot.core.turn import Line, Move, Say
from bot.usecases.desk import button, draft
from bot.usecases.desk.hours import EVENING, MORNING, clock_of, nth_of, rule_of
from bot.usecases.desk.planning import plan as plan_screen
from bot.usecases.desk.screens import (
    PAGE,
    ROOM,
    Screen,
    Table,
    add_link,
    back,
    listed,
    local,
    named,
    press,
    rule_lines,
)
from bot.usecases.organizers import Plan, Preview, Refused
from bot.usecases.practice_ports import Target
from bot.usecases.pushing import language_of

RESTS = (0, 3, 7, 14)
"""Days without a prompt that a group may be given, in the order they are offered."""
HOURS = (time(9), time(12, 30), EVENING)
REPEATS = {"weekly": Repeat.WEEKLY, "fortnightly": Repeat.FORTNIGHTLY, "monthly": Repeat.MONTHLY}


# -- where --------------------------------------------------------------------------------------


async def use(at: Table) -> list[Move]:
    """Take the prompt on the screen; where it goes."""
    at.draft["prompt"] = at.draft.get("shown", "")
    if draft.editing(at) is not None:
        return await preview(at)
    mine = await _mine(at)
    if len(mine) == 1 and await at.prompt(str(at.draft["prompt"])) is not None:
        # There is nothing to choose from; the preview leads back to this.
        at.draft.setdefault("rest", RESTS[1])
        return await all_(at)
    return await where(at)


async def where(at: Table) -> list[Move]:
    """All my groups, by tag, or one by one; whom to spare."""
    mine = await _mine(at)
    if await at.prompt(str(at.draft.get("prompt", ""))) is None:
        raise Refused("no_prompt")
    if not mine:
        rows = [[add_link(at.around)], list(back("prompts"))]
        return at.say("organizing.where.no_groups", rows=rows)
    rest = int(at.draft.setdefault("rest", RESTS[1]))
    spare = press("rest", label="rest", days=str(rest)) if rest else press("rest", label="no_rest")
    by_tag = [press("tags")] if any(t.tags for t in mine) else []
    by_language = [press("languages")] if len(_spoken(at, mine)) > 1 else []
    rows = [
        [press("all", count=str(len(mine)))],
        [*by_tag, *by_language, press("one")],
        [spare],
        list(back("prompts")),
    ]
    return at.say("organizing.where.ask", rows=rows)


async def rest(at: Table) -> list[Move]:
    """How long a group is left in peace: the next of the offered spans."""
    now = int(at.draft.get("rest", RESTS[1]))
    at.draft["rest"] = RESTS[(RESTS.index(now) + 1) % len(RESTS)] if now in RESTS else RESTS[0]
    return await where(at)


async def all_(at: Table) -> list[Move]:
    """Every group of mine, as they are now."""
    draft.aim(at, [t.group.id for t in await _mine(at)])
    return await when(at)


async def one(at: Table) -> list[Move]:
    """Groups to tick, a page at a time."""
    mine = await _mine(at)
    page = int(at.draft.get("page", 0)) * PAGE % max(len(mine), 1) // PAGE * PAGE
    chosen = set() if at.draft.get("languages") else set(at.draft.get("groups", []))
    rows = [
        [replace(named("tick", str(n), name=t.group.title), checked=t.group.id in chosen)]
        for n, t in enumerate(mine)
        if page <= n < page + PAGE
    ]
    turning = [press("more")] if len(mine) > PAGE else []
    at.draft["listed"] = [t.group.id for t in mine]
    done = [press("ticked")] if chosen else []
    return at.say("organizing.where.one", rows=[*rows, [*turning, *done], list(back("where"))])


async def tick(at: Table) -> list[Move]:
    """Take a group in or out."""
    listed_ids = list(at.draft.get("listed", []))
    if at.number() < len(listed_ids):
        draft.aim(at, _toggled(at.draft.get("groups", []), listed_ids[at.number()]))
    return await one(at)


async def more(at: Table) -> list[Move]:
    """The next page of groups."""
    at.draft["page"] = int(at.draft.get("page", 0)) + 1
    return await one(at)


async def tags(at: Table) -> list[Move]:
    """Tags to tick."""
    known = sorted({tag for t in await _mine(at) for tag in t.tags})
    chosen = set(at.draft.get("tags", []))
    at.draft["known_tags"] = known
    rows = [
        [replace(named("tag", str(n), name=tag), checked=tag in chosen)]
        for n, tag in enumerate(known[:12])
    ]
    done = [[press("ticked")]] if chosen else []
    return at.say("organizing.where.tags", rows=[*rows, *done, list(back("where"))])


async def tag(at: Table) -> list[Move]:
    """Take a tag in or out."""
    known = list(at.draft.get("known_tags", []))
    if at.number() < len(known):
        draft.aim(at, tags=_toggled(at.draft.get("tags", []), known[at.number()]))
    return await tags(at)


async def languages(at: Table) -> list[Move]:
    """Languages to tick; a group whose language changes later goes with it."""
    chosen = set(at.draft.get("languages", []))
    known = _spoken(at, await _mine(at))
    rows = [
        [
            replace(
                button(ROOM, "lang", code, label=f"languages.names.{code}"), checked=code in chosen
            )
            for code in known
        ]
    ]
    done = [[press("ticked")]] if chosen else []
    return at.say("organizing.where.languages", rows=[*rows, *done, list(back("where"))])


async def lang(at: Table) -> list[Move]:
    """Take a language in or out."""
    mine = await _mine(at)
    if at.argument in _spoken(at, mine):
        chosen = _toggled(at.draft.get("languages", []), at.argument)
        draft.aim(at, [t.group.id for t in mine] if chosen else [], languages=chosen)
    return await languages(at)


def _spoken(at: Table, mine: list[Target]) -> list[str]:
    ours = at.around.languages
    return sorted({language_of(t.group, ours) for t in mine}, key=[*ours].index)


def _toggled(chosen: list[str], one: str) -> list[str]:
    return [c for c in chosen if c != one] if one in chosen else [*chosen, one]


async def _mine(at: Table) -> list[Target]:
    return at.mine(await at.organizers.groups(at.me))


# -- when ---------------------------------------------------------------------------------------


async def when(at: Table) -> list[Move]:
    """Now, soon, or again and again; or typed."""
    await at.organizers.prompts(at.me)
    if not draft.is_aimed(at):
        return await where(at)
    here = await _here(at)
    at.awaits("typed_when")
    single = [press("at", "now", label="now"), press("at", "tomorrow", label="tomorrow")]
    if here.time() < EVENING:
        single.insert(1, press("at", "tonight", label="tonight"))
    rows = [single, [press("every", name, label=name) for name in REPEATS], list(back("where"))]
    return at.say("organizing.when.ask", local("organizing.when.here", here), rows=rows)


async def at_(at: Table) -> list[Move]:
    """One of the offered times."""
    here = await _here(at)
    match at.argument:
        case "now":
            draft.keep(at, Rule.right_now(at.visit.now))
        case "tonight" if here.time() < EVENING:
            draft.keep(at, Rule(Repeat.ONCE, here.date(), EVENING))
        case _:
            draft.keep(at, Rule(Repeat.ONCE, here.date() + timedelta(days=1), MORNING))
    return await preview(at)


async def every(at: Table) -> list[Move]:
    """Again and again, on this weekday; at what time."""
    if at.argument in REPEATS:
        at.draft["every"] = at.argument
    here = await _here(at)
    at.awaits("typed_hour")
    hours = [press("hour", f"{h:%H:%M}", label="named", name=f"{h:%H:%M}") for h in HOURS]
    repeat = str(at.draft.get("every", "weekly"))
    days = _days(at, here)
    refs = {"weekday": f"organizing.weekday.{min(days)}"}
    line = Line(f"organizing.when.{repeat}{'_days' if len(days) > 1 else ''}", refs=refs)
    # Which week of the month another day is in would be one question more; it can be typed.
    other = [press("days", label="other_days")] if repeat != "monthly" else []
    return at.say(line, rows=[hours, other, list(back("when"))])


async def days(at: Table) -> list[Move]:
    """Weekdays to tick."""
    here = await _here(at)
    chosen = _days(at, here)
    if at.argument.isdecimal() and at.number() < 7:
        chosen = {*chosen} ^ {at.number()} or chosen
        at.draft["days"] = sorted(chosen)
    ticks = [
        replace(button(ROOM, "days", str(n), label=f"organizing.weekday.{n}"), checked=n in chosen)
        for n in range(7)
    ]
    rows = [ticks[:2], ticks[2:4], ticks[4:6], ticks[6:], [press("every", label="ticked")]]
    return at.say("organizing.when.which_days", rows=rows)


def _days(at: Table, here: datetime) -> set[int]:
    """The weekdays of a repeating push; today's until others are chosen."""
    chosen = at.draft.get("days") if at.draft.get("every") != "monthly" else None
    return set(chosen or [here.weekday()])


async def hour(at: Table) -> list[Move]:
    """An offered time of day."""
    return await _repeated(at, clock_of(at.argument) or EVENING)


async def typed_hour(at: Table) -> list[Move]:
    """A typed time of day, or a whole typed rule."""
    typed = at.visit.text or ""
    clock = clock_of(typed)
    if clock is not None:
        return await _repeated(at, clock)
    rule = rule_of(typed, await _here(at))
    if rule is None:
        at.trouble.append(Line("organizing.when.not_understood"))
        return await every(at)
    draft.keep(at, rule)
    return await preview(at)


async def typed_when(at: Table) -> list[Move]:
    """A time in words."""
    rule = rule_of(at.visit.text or "", await _here(at))
    if rule is None:
        at.trouble.append(Line("organizing.when.not_understood"))
        return await when(at)
    if rule.repeat is Repeat.NOW:
        rule = Rule.right_now(at.visit.now)
    draft.keep(at, rule)
    return await preview(at)


async def _repeated(at: Table, clock: time) -> list[Move]:
    here = await _here(at)
    repeat = REPEATS[str(at.draft.get("every", "weekly"))]
    nth = nth_of(here.date()) if repeat is Repeat.MONTHLY else 0
    draft.keep(at, Rule(repeat, here.date(), clock, frozenset(_days(at, here)), nth))
    return await preview(at)


async def _here(at: Table) -> datetime:
    return at.visit.now.astimezone(await at.zone())


# -- what it will look like ---------------------------------------------------------------------


async def preview(at: Table) -> list[Move]:
    """Exactly what a group will see, which groups, who is left out and why, and the times."""
    plan = draft.plan(at)
    shown = await at.organizers.preview(at.me, plan)
    lines = [*rule_lines(plan.rule), *_whom(shown), *_times(plan, shown)]
    can_go = any(p.times for p in shown.groups)
    if not can_go:
        lines.append(Line("organizing.preview.nothing"))
    is_now = plan.rule.repeat is Repeat.NOW
    is_edit = draft.editing(at) is not None
    go = press("send", label="save" if is_edit else "send_now" if is_now else "send_later")
    bounds = [] if plan.rule.repeat in draft.ONCE_ONLY else [press("until")]
    rows = [
        [go] if can_go else [],
        [press("where", label="change_where"), press("when", label="change_when")],
        [] if is_now else [*bounds, press("quiet")],
        [press("push", label="another")] if is_edit else [],
        list(back("plan" if is_edit else "when")),
    ]
    posts: list[Move] = [*shown.posts.values()] if shown.groups else []
    heading: list[Move] = [Say((Line("organizing.preview.as_seen"),))] if posts else []
    return [*heading, *posts, *at.say(*lines, rows=rows)]


def _whom(shown: Preview) -> list[Line]:
    lines = []
    if shown.groups:
        titles = {"groups": listed([p.title for p in shown.groups])}
        lines.append(Line("organizing.preview.to", {"count": str(len(shown.groups)), **titles}))
    by_reason: dict[str, list[str]] = {}
    for title, reason in shown.left_out:
        by_reason.setdefault(reason.value, []).append(title)
    for why, those in by_reason.items():
        words = {"groups": listed(those)}
        refs = {"why": f"organizing.why.{why}"}
        lines.append(Line("organizing.preview.left_out", words, refs))
    return lines


def _times(plan: Plan, shown: Preview) -> list[Line]:
    """The next times, once for every zone there is."""
    if plan.rule.repeat is Repeat.NOW:
        return []
    by_zone: dict[str, tuple[datetime, ...]] = {}
    for planned in shown.groups:
        by_zone.setdefault(planned.zone, planned.times)
    lines = [
        local("organizing.preview.time", moment, zone=name)
        for name, times in sorted(by_zone.items())[:3]
        for moment in times
    ]
    guessed = [p.title for p in shown.groups if p.zone_is_guess]
    if guessed:
        lines.append(Line("organizing.preview.guess", {"groups": listed(guessed)}))
    return lines


async def send(at: Table) -> list[Move]:
    """Do it. A second tap finds the button old, so nothing goes twice."""
    plan = draft.plan(at)
    shown = await at.organizers.preview(at.me, plan)
    changed = draft.editing(at)
    if changed is not None:
        await at.organizers.edit(at.me, changed, plan)
        draft.put_down(at)
        at.trouble.append(Line("organizing.plans.changed"))
        return await plan_screen(at)
    await at.organizers.push(at.me, plan)
    draft.put_down(at)
    count = {"count": str(len(shown.groups))}
    rows = [[press("results"), press("plans")], [press("home", label="home")]]
    if plan.rule.repeat is Repeat.NOW:
        return at.say(Line("organizing.done.now", count), "organizing.done.next", rows=rows)
    first = min((t for p in shown.groups for t in p.times[:1]), default=at.visit.now)
    return at.say(local("organizing.done.later", first, **count), "organizing.done.next", rows=rows)


SCREENS: dict[str, Screen] = {
    "use": use,
    "where": where,
    "rest": rest,
    "all": all_,
    "one": one,
    "tick": tick,
    "more": more,
    "tags": tags,
    "tag": tag,
    "languages": languages,
    "lang": lang,
    "ticked": when,
    "when": when,
    "at": at_,
    "every": every,
    "days": days,
    "hour": hour,
    "typed_hour": typed_hour,
    "typed_when": typed_when,
    "preview": preview,
    "send": send,
}

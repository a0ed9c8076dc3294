"""What bounds a push: quiet hours, a last day. Also changing what is planned."""

from __future__ import annotations

from datetime import date, timedelta

from bot.core.schedule import Quiet, Repeat, ScheduleRefused
from bot.core.turn import Line, Move
from bot.usecases.desk import draft
from bot.usecases.desk.hours import day_of, hours_of
from bot.usecases.desk.screens import Screen, Table, back, press
from bot.usecases.desk.sending import preview
from bot.usecases.organizers import Refused

NIGHTS = ("21:00-08:00", "22:00-07:00")
WEEKS = (4, 8, 12)
"""How long a repeating push may be given, as offered."""


async def quiet(at: Table) -> list[Move]:
    """The hours in which nothing is posted."""
    if at.visit.verb == "quiet" and at.argument:
        return await _quiet(at, at.argument)
    at.awaits("typed_quiet")
    offered = [
        press("quiet", night, label="named", name=night.replace("-", " – ")) for night in NIGHTS
    ]
    none = [press("quiet", "none", label="no_quiet")] if at.draft.get("quiet") else []
    return at.say("organizing.quiet.ask", rows=[offered, none, list(back("preview"))])


async def typed_quiet(at: Table) -> list[Move]:
    """Two times in words."""
    return await _quiet(at, at.visit.text or "")


async def _quiet(at: Table, said: str) -> list[Move]:
    if said == "none":
        at.draft.pop("quiet", None)
        return await preview(at)
    found = hours_of(said)
    if found is None:
        at.trouble.append(Line("organizing.quiet.not_understood"))
        return await quiet(at)
    try:
        Quiet(*found)
    except ScheduleRefused as refused:
        at.trouble.append(Line(f"organizing.refused.{refused.reason}"))
        return await quiet(at)
    at.draft["quiet"] = [f"{end:%H:%M}" for end in found]
    return await preview(at)


async def until(at: Table) -> list[Move]:
    """The last day of a push that repeats."""
    first = draft.rule(at).first
    if at.visit.verb == "until" and at.argument:
        return await _until(at, first + timedelta(weeks=at.number()) if at.number() else None)
    at.awaits("typed_until")
    offered = [press("until", str(n), label="weeks", count=str(n)) for n in WEEKS]
    none = [press("until", "none", label="no_end")] if at.draft.get("until") else []
    return at.say("organizing.until.ask", rows=[offered, none, list(back("preview"))])


async def typed_until(at: Table) -> list[Move]:
    """A day in words."""
    here = at.visit.now.astimezone(await at.zone())
    day = day_of(at.visit.text or "", here)
    if day is None:
        at.trouble.append(Line("organizing.until.not_understood"))
        return await until(at)
    if day < max(draft.rule(at).first, here.date()):
        at.trouble.append(Line("organizing.until.too_soon"))
        return await until(at)
    return await _until(at, day)


async def _until(at: Table, day: date | None) -> list[Move]:
    at.draft.pop("until", None)
    if day is not None:
        at.draft["until"] = day.isoformat()
    return await preview(at)


async def change(at: Table) -> list[Move]:
    """Lay out the plan on the screen as it would go on; nothing changes until it is saved."""
    wanted = at.notes.get("plan")
    found = {s.schedule.id: s.schedule for s in await at.organizers.schedules(at.me)}
    schedule = found.get(str(wanted))
    if schedule is None or schedule.rule.repeat is Repeat.NOW:
        raise Refused("unknown_schedule")
    draft.take_up(at, schedule)
    return await preview(at)


SCREENS: dict[str, Screen] = {
    "quiet": quiet,
    "typed_quiet": typed_quiet,
    "until": until,
    "typed_until": typed_until,
    "change": change,
}

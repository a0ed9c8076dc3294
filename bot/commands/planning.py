"""Behind `coach prompts`: wishes from the command line become plans, previews become lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Literal, TextIO, TypeVar

from bot.core.narrative import Element, StoryOf
from bot.core.practice import Aim, PracticePrompt, PromptRefused, Schedule, Season, hints
from bot.core.schedule import Quiet, Repeat, Rule, ScheduleRefused
from bot.settings import load_settings
from bot.usecases.organizers import Organizers, Plan, Preview, Refused, Scheduled
from bot.usecases.people import CONSOLE
from bot.usecases.practice_ports import Target
from bot.wiring import Parts, new_id, opened
from bot.words.practice import load_library

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY = {
    "once": Repeat.ONCE,
    "week": Repeat.WEEKLY,
    "2weeks": Repeat.FORTNIGHTLY,
    "month": Repeat.MONTHLY,
}
SENTENCES = {
    "no_groups": "That reaches no group. `coach prompts groups` lists them; --dry-run says why.",
    "no_prompt": "Name at least one prompt.",
    "unknown_prompt": "There is no such prompt; `coach prompts list` shows them.",
    "unknown_group": "There is no such group; `coach prompts groups` lists them.",
    "unknown_schedule": "There is no such schedule; `coach prompts planned` lists them.",
    "no_time_left": "No time lies ahead for that.",
    "bad_tag": "A group has at most 12 tags of 1 to 32 characters.",
    "unknown_language": "The coach does not speak that language.",
    "already_claimed": "Somebody answers for that group already.",
    "not_an_admin": "Only an administrator of the group may do that.",
    "no_days": "Say on which days: --on mon,thu.",
    "no_nth": "Say which one of the month: --nth 1 to 4, or last.",
    "ends_before_it_begins": "It would end before it begins.",
    "no_moment_left": "No time lies ahead for that.",
    "quiet_all_day": "The quiet hours would never end.",
    "unknown_zone": "There is no such time zone; write it like Europe/Madrid.",
    "empty": "A prompt needs words.",
    "too_long": "That is too long to read in a group: at most 80 words, 600 characters.",
}
HINTS = {
    "no_question": "It asks nothing yet; a prompt works best with one question for a moment.",
    "two_questions": "It asks more than one thing; people answer best to one question.",
}
E = TypeVar("E", bound=StrEnum)


class WrongUsage(ValueError):
    """The command line does not say what it should; the sentence says what to write."""


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line, as typed."""

    prompts: Sequence[str]
    groups: Sequence[str]
    tags: Sequence[str]
    languages: Sequence[str]
    everywhere: bool = False
    rest: int = 0
    quiet: str = ""
    at: str = ""
    every: str = ""
    on: str = ""
    nth: str = ""
    first: str = ""
    until: str = ""


def plan(wish: Wish, dry_run: bool, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Preview, and unless `dry_run` push: 0 done, 1 refused, 2 not said clearly."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        wanted = Plan(
            tuple(wish.prompts),
            await _aim(verbs, wish),
            _rule(wish, parts.clock.now()),
            wish.rest,
        )
        preview = await verbs.preview(CONSOLE, wanted)
        made = None if dry_run else await verbs.push(CONSOLE, wanted)
        if as_json:
            print(json.dumps(_preview_json(preview, made, parts), ensure_ascii=False), file=stdout)
        else:
            _show_preview(preview, parts, stdout)
            _say_what_was_done(made, preview, stdout)
        return 0

    return _with_verbs(go, stderr)


async def _aim(verbs: Organizers, wish: Wish) -> Aim:
    if not (wish.groups or wish.tags or wish.languages or wish.everywhere):
        raise WrongUsage("Say which groups: --group NAME, --tag TAG, --lang CODE or --all.")
    ids = set()
    for name in wish.groups:
        found = await verbs.find_groups(CONSOLE, name)
        if not found:
            raise Refused("unknown_group")
        if len(found) > 1:
            titles = ", ".join(f"{t.group.title} ({t.group.id})" for t in found)
            raise WrongUsage(f"{len(found)} groups are called so: {titles}. Use the id.")
        ids.add(found[0].group.id)
    tags = frozenset(tag.strip().casefold() for tag in wish.tags)
    return Aim(frozenset(ids), tags, frozenset(wish.languages))


def _rule(wish: Wish, now: datetime) -> Rule:
    quiet = None
    if wish.quiet:
        begins, _, ends = wish.quiet.partition("-")
        quiet = Quiet(_time(begins), _time(ends))
    if not wish.at:
        return Rule.right_now(now, quiet)
    if wish.every not in EVERY:
        raise WrongUsage(f"--every is one of: {', '.join(EVERY)}.")
    days = [day.strip()[:3].lower() for day in wish.on.split(",") if day.strip()]
    if not set(days) <= set(DAYS):
        raise WrongUsage(f"--on takes days: {', '.join(DAYS)}.")
    nth = {"last": -1, "": 0}.get(wish.nth, int(wish.nth) if wish.nth.isdigit() else 99)
    if EVERY[wish.every] is Repeat.ONCE and not wish.first:
        raise WrongUsage("Say the day: --from 2026-12-01, or how often: --every week --on tue.")
    return Rule(
        EVERY[wish.every],
        _date(wish.first) if wish.first else now.date(),
        _time(wish.at),
        frozenset(DAYS.index(day) for day in days),
        nth,
        _date(wish.until) if wish.until else None,
        quiet,
    )


def _time(word: str) -> time:
    try:
        found = time.fromisoformat(word.strip())
    except ValueError:
        raise WrongUsage("Write times like 18:30, and quiet hours like 21:00-08:00.") from None
    return found.replace(second=0, microsecond=0, tzinfo=None)


def _date(word: str) -> date:
    try:
        return date.fromisoformat(word.strip())
    except ValueError:
        raise WrongUsage("Write days like 2026-12-01.") from None


def _show_preview(preview: Preview, parts: Parts, stdout: TextIO) -> None:
    for language, say in preview.posts.items():
        text = "\n".join(parts.words.text(line, language) for line in say.lines)
        button = parts.words.label(say.choices[0][0], language)
        print(f"--- {language}\n{text}\n[{button}]\n", file=stdout)
    for planned in preview.groups:
        times = ", ".join(f"{at:%a %Y-%m-%d %H:%M}" for at in planned.times) or "no time left"
        guess = ", no time zone chosen yet" if planned.zone_is_guess else ""
        print(f"{planned.title} ({planned.zone}{guess}): {times}", file=stdout)
    for title, reason in preview.left_out:
        print(f"{title}: left out, {reason.value.replace('_', ' ')}", file=stdout)


def _say_what_was_done(made: Schedule | None, preview: Preview, stdout: TextIO) -> None:
    count = f"{len(preview.groups)} group{'' if len(preview.groups) == 1 else 's'}"
    if made is None:
        print(f"Nothing was done. It would go to {count}.", file=stdout)
    elif made.rule.repeat is Repeat.NOW:
        print(f"Pushed to {count} as {made.id}; a running coach posts it now.", file=stdout)
    else:
        print(f"Planned for {count} as {made.id}.", file=stdout)


def _preview_json(preview: Preview, made: Schedule | None, parts: Parts) -> dict[str, Any]:
    return {
        "schedule": made.id if made else None,
        "posts": {
            language: "\n".join(parts.words.text(line, language) for line in say.lines)
            for language, say in preview.posts.items()
        },
        "groups": [
            {
                "group": p.group_id,
                "title": p.title,
                "language": p.language,
                "timezone": p.zone,
                "timezone_is_guess": p.zone_is_guess,
                "times": [at.isoformat() for at in p.times],
            }
            for p in preview.groups
        ],
        "left_out": [{"title": t, "reason": reason.value} for t, reason in preview.left_out],
    }


# -- what is planned ----------------------------------------------------------------------------


def planned(ended: bool, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Schedules as a table, or one JSON object a line."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        found = await verbs.schedules(CONSOLE, ended=ended)
        if as_json:
            for each in found:
                print(json.dumps(_schedule_json(each), ensure_ascii=False), file=stdout)
            return 0
        rows = [
            (
                each.schedule.id,
                ", ".join(each.schedule.prompts),
                each.schedule.rule.repeat.value,
                f"{each.next_at:%Y-%m-%d %H:%M} UTC" if each.next_at else "-",
                str(each.groups),
                _state(each.schedule),
            )
            for each in found
        ]
        headings = ("id", "prompts", "repeats", "next", "groups", "state")
        table(headings, rows, "Nothing is planned.", stdout)
        return 0

    return _with_verbs(go, stderr)


def _state(schedule: Schedule) -> str:
    if schedule.ended_at is not None:
        return (schedule.ended_because or "ended").replace("_", " ")
    return "paused" if schedule.paused_at is not None else "active"


def _schedule_json(each: Scheduled) -> dict[str, Any]:
    rule = each.schedule.rule
    return {
        "id": each.schedule.id,
        "prompts": list(each.schedule.prompts),
        "repeats": rule.repeat.value,
        "at": None if rule.repeat is Repeat.NOW else rule.at.isoformat("minutes"),
        "on": [DAYS[day] for day in sorted(rule.weekdays)],
        "until": rule.until.isoformat() if rule.until else None,
        "next_at": each.next_at.isoformat() if each.next_at else None,
        "groups": each.groups,
        "state": _state(each.schedule),
    }


def change(verb: str, schedule_id: str, stdout: TextIO, stderr: TextIO) -> int:
    """Pause, resume, skip the next time of, or end a schedule."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        if verb == "skip":
            _, slot = await verbs.skip_next(CONSOLE, schedule_id)
            print(f"Skipped: {slot.replace('T', ' ')}, local time.", file=stdout)
            return 0
        deeds = {"pause": verbs.pause, "resume": verbs.resume, "end": verbs.end}
        print(f"Now {_state(await deeds[verb](CONSOLE, schedule_id))}.", file=stdout)
        return 0

    return _with_verbs(go, stderr)


# -- prompts ------------------------------------------------------------------------------------


def list_prompts(
    stage: str | None,
    move: str | None,
    season: str | None,
    language: str,
    as_json: bool,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Prompts as a table, or one JSON object a line."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        found = await verbs.prompts(
            CONSOLE,
            stage=_one_of(StoryOf, stage),
            move=_one_of(Element, move),
            season=_one_of(Season, season),
        )
        if as_json:
            for prompt in found:
                print(json.dumps(_prompt_json(prompt), ensure_ascii=False), file=stdout)
            return 0
        rows = [(p.id, p.move.value, p.season.value, p.text(language)) for p in found]
        table(("id", "move", "season", "prompt"), rows, "No prompt like that.", stdout)
        return 0

    return _with_verbs(go, stderr)


def _prompt_json(prompt: PracticePrompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "stage": prompt.stage.value,
        "move": prompt.move.value,
        "season": prompt.season.value,
        "own": prompt.own,
        "texts": dict(prompt.texts),
    }


def write(text: str, move: str, season: str, language: str, stdout: TextIO, stderr: TextIO) -> int:
    """Keep an own prompt; its id."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        element, when = _one_of(Element, move), _one_of(Season, season)
        assert element is not None and when is not None
        if element.stage is None:
            raise WrongUsage("A prompt practises a move of one story, such as us.choice.")
        made = await verbs.write_prompt(CONSOLE, text, language, element, when)
        print(made.id, file=stdout)
        for hint in hints(made.texts[language]):
            print(HINTS[hint], file=stderr)
        return 0

    return _with_verbs(go, stderr)


def retire(prompt_id: str, stdout: TextIO, stderr: TextIO) -> int:
    """Retire an own prompt."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        await verbs.retire_prompt(CONSOLE, prompt_id)
        print("Retired: offered and posted no more.", file=stdout)
        return 0

    return _with_verbs(go, stderr)


# -- groups -------------------------------------------------------------------------------------


def groups(
    name: str | None,
    timezone: str | None,
    language: str | None,
    topic: str | None,
    tags: Sequence[str] | None,
    as_json: bool,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Every group, or one of them changed."""

    async def go(verbs: Organizers, parts: Parts) -> int:
        found = await (verbs.groups(CONSOLE) if not name else verbs.find_groups(CONSOLE, name))
        if (timezone, language, topic, tags) != (None, None, None, None):
            if name is None or len(found) != 1:
                raise WrongUsage("Name exactly one group to change it.")
            where: int | Literal["main"] | None = "main" if topic == "main" else None
            if topic is not None and topic != "main":
                if not topic.isdigit():
                    raise WrongUsage("A topic is a number, or main.")
                where = int(topic)
            changed = await verbs.set_up_group(
                CONSOLE,
                found[0].group.id,
                language=language,
                timezone=timezone,
                topic=where,
                tags=tags,
            )
            found = [changed]
        if as_json:
            for target in found:
                print(json.dumps(_group_json(target), ensure_ascii=False), file=stdout)
            return 0
        rows = [
            (
                t.group.id,
                t.group.title,
                t.group.language or "-",
                t.group.timezone or "-",
                str(t.group.topic or "-"),
                ", ".join(sorted(t.tags)) or "-",
                "yes" if t.claimed_at else "no",
            )
            for t in found
        ]
        headings = ("id", "group", "language", "time zone", "topic", "tags", "claimed")
        table(headings, rows, "The bot is in no group yet.", stdout)
        return 0

    return _with_verbs(go, stderr)


def _group_json(target: Target) -> dict[str, Any]:
    group = target.group
    return {
        "group": group.id,
        "title": group.title,
        "language": group.language,
        "timezone": group.timezone,
        "topic": group.topic,
        "tags": sorted(target.tags),
        "claimed": target.claimed_at is not None,
    }


# -- all of them --------------------------------------------------------------------------------


def _with_verbs(go: Callable[[Organizers, Parts], Awaitable[int]], stderr: TextIO) -> int:
    """Run over an open store; what is refused becomes one sentence: 1, or 2 for wrong usage."""

    async def run() -> int:
        parts = Parts(load_settings())
        languages = parts.words.languages
        async with opened(parts) as store:
            library = load_library(languages)
            verbs = Organizers(store, library, languages, parts.clock, new_id)
            return await go(verbs, parts)

    try:
        return asyncio.run(run())
    except WrongUsage as error:
        print(str(error), file=stderr)
        return 2
    except Refused as error:
        print(SENTENCES[error.problem], file=stderr)
    except (ScheduleRefused, PromptRefused) as error:
        print(SENTENCES[error.reason], file=stderr)
    return 1


def _one_of(kind: type[E], word: str | None) -> E | None:
    if word is None:
        return None
    try:
        return kind(word)
    except ValueError:
        names = ", ".join(kind)
        raise WrongUsage(f"There is no {word}; there are: {names}.") from None


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str, stdout: TextIO
) -> None:
    """Rows for people, or one sentence when there are none."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=stdout)
    if not rows:
        console.print(nothing)
        return
    drawn = Table(box=None, pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    console.print(drawn)

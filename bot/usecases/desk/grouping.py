"""An organizer's groups: adding, answering for one, language, time zone, topic, what is missing."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from functools import cache

from bot.core.cities import ZONES
from bot.core.turn import Choice, Line, Move
from bot.usecases.desk import button
from bot.usecases.desk.screens import (
    PAGE,
    ROOM,
    Screen,
    Table,
    add_link,
    back,
    listed,
    named,
    press,
)
from bot.usecases.practice_ports import Target

COMMON = {
    "America/Mexico_City": "mexico_city",
    "America/Bogota": "bogota",
    "America/New_York": "new_york",
    "America/Los_Angeles": "los_angeles",
    "America/Argentina/Buenos_Aires": "buenos_aires",
    "Europe/Madrid": "madrid",
}
"""Zones offered by button, after those of their other groups; every other is typed, as a city."""
_TOPIC = re.compile(r"(?:https?://)?t\.me/(?:c/\d+|[A-Za-z0-9_]+)/(\d+)(?:[/?]\S*)?|(\d{1,9})")


MENDS = {
    "unclaimed": "claim",
    "no_timezone": "timezone",
    "no_language": "language",
    "topic_closed": "topic",
}
"""What mends a lack, where a button here can."""
AWAY = {"left", "kicked", "gone", "blocked"}
"""Lacks that end when the bot is added again."""


async def groups(at: Table) -> list[Move]:
    """Every group the bot is in, mine first."""
    found = await at.organizers.groups(at.me)
    mine = {t.group.id for t in at.mine(found)}
    ordered = sorted(found, key=lambda t: t.group.id not in mine)
    page = at.number()
    shown = ordered[page * PAGE : (page + 1) * PAGE]
    rows = [[named("group", t.group.id, name=t.group.title)] for t in shown]
    if len(ordered) > PAGE:
        following = page + 1 if (page + 1) * PAGE < len(ordered) else 0
        rows.append([press("groups", str(following), label="more")])
    line = "organizing.groups.list" if found else "organizing.groups.none"
    return at.say(line, rows=[*rows, [add_link(at.around)], list(back("home"))])


async def group(at: Table) -> list[Move]:
    """One group: what is set, what can be changed."""
    if at.visit.verb == "group" and at.argument:
        at.notes["group"] = at.argument
    diagnosis = await at.organizers.diagnose(at.me, _chosen(at))
    target = diagnosis.target
    named_group = Line("organizing.groups.one", {"group": target.group.title})
    is_mine = bool(at.mine([target]))
    rows = [
        [] if is_mine or target.claimed_at is not None else [press("claim")],
        [_onwards(at)] if is_mine else [],
        [press("language"), press("timezone")],
        [press("labels"), press("topic")],
        [press("diagnose")],
        list(back("groups")),
    ]
    whose = "mine" if is_mine else "colleague" if target.claimed_at else "nobody"
    return at.say(named_group, f"organizing.groups.{whose}", *_settings(target), rows=rows)


def _onwards(at: Table) -> Choice:
    """To the push that waits, or to a new one."""
    return press("where", label="go_on") if at.draft.get("prompt") else press("push")


def _settings(target: Target) -> list[Line]:
    known = target.group
    lines = [
        Line("organizing.groups.language", refs={"language": f"languages.names.{known.language}"})
        if known.language
        else Line("organizing.groups.no_language"),
        Line("organizing.groups.timezone", {"zone": known.timezone})
        if known.timezone
        else Line("organizing.groups.no_timezone"),
    ]
    if known.topic is not None:
        lines.append(Line("organizing.groups.topic", {"topic": str(known.topic)}))
    if target.tags:
        lines.append(Line("organizing.groups.labels", {"tags": listed(sorted(target.tags))}))
    return lines


async def arrived(at: Table) -> list[Move]:
    """The bot has just come to a group of theirs: what is set up first, its time zone."""
    at.notes["group"] = at.argument
    target = (await at.organizers.diagnose(at.me, at.argument)).target
    at.trouble.append(Line("organizing.groups.arrived", {"group": target.group.title}))
    return await (timezone(at) if target.group.timezone is None else group(at))


async def claim(at: Table) -> list[Move]:
    """Answer for the group, if Telegram says they manage it or they brought the bot."""
    targets = {t.group.id: t for t in await at.organizers.groups(at.me)}
    target = targets.get(_chosen(at))
    is_admin: bool | None = False
    if target is not None and target.group.added_by != at.me:
        is_admin = at.around.admins.is_admin(target.group.chat_id, at.me, at.visit.now)
    if is_admin is None:
        at.trouble.append(Line("organizing.groups.unsure"))
        return await group(at)
    await at.organizers.claim_group(at.me, _chosen(at), is_admin=is_admin)
    at.trouble.append(Line("organizing.groups.claimed"))
    return await group(at)


async def language(at: Table) -> list[Move]:
    """Which language prompts come in."""
    if at.argument:
        await at.organizers.set_up_group(at.me, _chosen(at), language=at.argument)
        at.trouble.append(Line("organizing.groups.changed"))
        return await group(at)
    codes = [
        button(ROOM, "language", code, label=f"languages.names.{code}")
        for code in at.around.languages
    ]
    return at.say("organizing.groups.which_language", rows=[codes, list(back("group"))])


async def timezone(at: Table) -> list[Move]:
    """Where the group lives: a few by button, every city typed."""
    at.awaits("typed_zone")
    known = {t.group.timezone for t in at.mine(await at.organizers.groups(at.me))}
    offered = [*sorted(z for z in known if z and z not in COMMON)[:3], *COMMON][:6]
    at.notes["zones"] = offered
    zones = [
        press("zone", str(n), label=f"city.{COMMON[name]}")
        if name in COMMON
        else named("zone", str(n), name=_city(name))
        for n, name in enumerate(offered)
    ]
    rows = [zones[:3], zones[3:], list(back("group"))]
    return at.say("organizing.groups.which_zone", rows=rows)


async def zone(at: Table) -> list[Move]:
    """An offered zone."""
    offered = list(at.notes.get("zones", [*COMMON]))
    return await _set_zone(at, offered[at.number() % len(offered)])


async def typed_zone(at: Table) -> list[Move]:
    """A city, or a zone's full name."""
    found = zone_named(at.visit.text or "")
    if found is None:
        at.trouble.append(Line("organizing.groups.zone_unknown"))
        return await timezone(at)
    return await _set_zone(at, found)


async def _set_zone(at: Table, name: str) -> list[Move]:
    await at.organizers.set_up_group(at.me, _chosen(at), timezone=name)
    at.trouble.append(Line("organizing.groups.changed"))
    return await group(at)


async def labels(at: Table) -> list[Move]:
    """Tags, typed with commas between them."""
    at.awaits("typed_labels")
    return at.say("organizing.groups.which_labels", rows=[list(back("group"))])


async def typed_labels(at: Table) -> list[Move]:
    """Keep the tags; a dash takes them all away."""
    typed = [part.strip() for part in (at.visit.text or "").replace("\n", ",").split(",")]
    wanted = [part for part in typed if part and part not in ("-", "—")]
    await at.organizers.set_up_group(at.me, _chosen(at), tags=wanted)
    at.trouble.append(Line("organizing.groups.changed"))
    return await group(at)


async def topic(at: Table) -> list[Move]:
    """Which topic of the group to post in, by a link to any message there."""
    at.awaits("typed_topic")
    rows = [[press("main_topic")], list(back("group"))]
    return at.say("organizing.groups.which_topic", rows=rows)


async def typed_topic(at: Table) -> list[Move]:
    """The number in a link such as t.me/c/123/45."""
    found = _TOPIC.fullmatch((at.visit.text or "").strip())
    if found is None:
        at.trouble.append(Line("organizing.groups.topic_unknown"))
        return await topic(at)
    await at.organizers.set_up_group(at.me, _chosen(at), topic=int(found[1] or found[2]))
    at.trouble.append(Line("organizing.groups.changed"))
    return await group(at)


async def main_topic(at: Table) -> list[Move]:
    """Post where everybody writes."""
    await at.organizers.set_up_group(at.me, _chosen(at), topic="main")
    at.trouble.append(Line("organizing.groups.changed"))
    return await group(at)


async def diagnose(at: Table) -> list[Move]:
    """What is missing there, and how to mend it."""
    known = await at.organizers.diagnose(at.me, _chosen(at))
    may = at.around.admins.may_write(known.target.group.chat_id, at.visit.now)
    found = await at.organizers.diagnose(at.me, _chosen(at), may_write=may)
    lines = [Line(f"organizing.lacks.{word}") for word in found.lacks if word != "not_admin"]
    if not lines:
        lines = [Line("organizing.lacks.nothing")]
    lines.append(Line("organizing.lacks.privacy"))
    mends = [press(MENDS[word]) for word in found.lacks if word in MENDS]
    away = [[add_link(at.around)]] if set(found.lacks) & AWAY else []
    rows = [*away, mends[:3], [press("diagnose", label="look_again")], list(back("group"))]
    return at.say(Line("organizing.groups.one", {"group": found.target.group.title}), *lines,
                  rows=rows)  # fmt: skip


def _chosen(at: Table) -> str:
    return str(at.notes.get("group", ""))


def zone_named(typed: str) -> str | None:
    """The IANA zone that a typed city or zone name means; None when there is none.

    Of several names for one city the longest is the one in use; the others are kept for old data.
    """
    said = _plain(typed)
    if not said:
        return None
    names = _zones()
    if said in names:
        return names[said]
    if (spoken := ZONES.get(said.replace("_", " "))) is not None:
        return spoken
    cities = [name for plain, name in names.items() if plain.rpartition("/")[2] == said]
    return max(cities, key=lambda name: (len(name), name), default=None)


@cache
def _zones() -> dict[str, str]:
    return {_plain(name): name for name in zoneinfo.available_timezones() if "/" in name}


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(c for c in folded if not unicodedata.combining(c)).replace(" ", "_")


def _city(name: str) -> str:
    return name.rpartition("/")[2].replace("_", " ")


SCREENS: dict[str, Screen] = {
    "groups": groups,
    "group": group,
    "arrived": arrived,
    "claim": claim,
    "language": language,
    "timezone": timezone,
    "zone": zone,
    "typed_zone": typed_zone,
    "labels": labels,
    "typed_labels": typed_labels,
    "topic": topic,
    "typed_topic": typed_topic,
    "main_topic": main_topic,
    "diagnose": diagnose,
}

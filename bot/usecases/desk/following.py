"""The follow-up post: which prompt, numbers or a teller's words, what groups will see, one tap."""

from __future__ import annotations

from bot.core.quoting import quotation
from bot.core.turn import Line, Move, Say
from bot.usecases.desk.planning import posts_lines
from bot.usecases.desk.screens import (
    PAGE,
    Screen,
    Table,
    back,
    begins,
    listed,
    named,
    press,
)
from bot.usecases.following import FollowUps

SHOWN = 8
"""Kinds of follow-up on one screen, the newest."""


async def follow(at: Table) -> list[Move]:
    """The prompts that reached a group, the last few."""
    found = [r for r in (await at.board.results(at.me)).prompts if r.posts.posted][-PAGE:]
    if not found:
        rows = [[press("push")], list(back("results"))]
        return at.say("organizing.results.none", rows=rows)
    at.notes["follow"] = [row.key for row in found]
    rows = [[named("followed", str(n), name=row.title)] for n, row in enumerate(found)]
    return at.say("organizing.follow.which", rows=[*rows, list(back("results"))])


async def followed(at: Table) -> list[Move]:
    """Numbers, or one of the stories offered for this; numbers at once where none is."""
    shown = list(at.notes.get("follow", []))
    if at.argument:
        if at.number() >= len(shown):
            return await follow(at)
        at.notes["following"] = shown[at.number()]
    prompt = str(at.notes.get("following", ""))
    found = (await _follow_ups(at).offers(at.me, prompt))[:PAGE]
    at.notes["offers"] = [each.offer.release.id for each in found]
    if not found:
        return await counts(at)
    rows = [
        [named("offered", str(n), name=quotation(each.offer.release.text, 6))]
        for n, each in enumerate(found)
    ]
    # Never shown: by them the message is found if a teller takes their words back meanwhile.
    known = {"offers": " ".join(f"{e.story_id} {e.offer.release.id}" for e in found)}
    return at.say(
        Line("organizing.follow.what", known),
        rows=[[press("counts")], *rows, list(back("follow"))],
    )


async def counts(at: Table) -> list[Move]:
    """Exactly what the groups will see, with numbers."""
    at.notes.pop("offer", None)
    posts = await _follow_ups(at).preview(at.me, str(at.notes.get("following", "")))
    different = {(p.language, p.say.lines[0].key): p.say for p in posts}
    titles = [p.target.group.title for p in posts]
    return _preview(at, [*different.values()], titles, "organizing.follow.private")


async def offered(at: Table) -> list[Move]:
    """Exactly what the groups will see, in its teller's words."""
    shown = list(at.notes.get("offers", []))
    if at.number() >= len(shown):
        return await followed(at)
    at.notes["offer"] = shown[at.number()]
    prompt = str(at.notes.get("following", ""))
    posts = await _follow_ups(at).preview(at.me, prompt, shown[at.number()])
    titles = [p.target.group.title for p in posts]
    return _preview(at, [posts[0].say], titles, "organizing.follow.theirs")


def _preview(at: Table, posts: list[Say], titles: list[str], about: str) -> list[Move]:
    words = {"count": str(len(titles)), "groups": listed(titles)}
    return_to = "followed" if at.notes.get("offers") else "follow"
    rows = [[press("follow_now", label="send_now")], list(back(return_to))]
    return [
        Say((Line("organizing.preview.as_seen"),)),
        *posts,
        *at.say(Line("organizing.preview.to", words), Line(about), rows=rows),
    ]


async def follow_now(at: Table) -> list[Move]:
    """Post it. A second tap finds the button old."""
    prompt, offer = str(at.notes.pop("following", "")), at.notes.pop("offer", None)
    count = await _follow_ups(at).post(at.me, prompt, str(offer) if offer else None)
    rows = [[press("results")], [press("home", label="home")]]
    return at.say(Line("organizing.done.now", {"count": str(count)}), rows=rows)


async def told(at: Table) -> list[Move]:
    """What became of follow-ups, by prompt."""
    found = (await at.board.results(at.me)).follow_ups[-SHOWN:]
    if not found:
        return await follow(at)
    lines = [Line("organizing.follow.told")]
    for each in found:
        kind = "words" if each.has_words else "numbers"
        lines.append(Line(f"organizing.follow.row_{kind}", {"name": begins(each.title)}))
        lines += posts_lines(each.posts)
    return at.say(*lines, rows=[list(back("results"))])


def _follow_ups(at: Table) -> FollowUps:
    a = at.around
    return FollowUps(at.store, a.library, a.languages, a.clock, a.new_id, lambda: a.telegram.name)


SCREENS: dict[str, Screen] = {
    "follow": follow,
    "followed": followed,
    "counts": counts,
    "offered": offered,
    "follow_now": follow_now,
    "told": told,
}

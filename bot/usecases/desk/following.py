"""The follow-up post: which prompt, what each group will see, one tap."""

from __future__ import annotations

from bot.core.turn import Line, Move, Say
from bot.usecases.desk.screens import PAGE, Screen, Table, back, listed, named, press
from bot.usecases.following import FollowUps


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
    """Exactly what the groups will see."""
    shown = list(at.notes.get("follow", []))
    if at.number() >= len(shown):
        return await follow(at)
    at.notes["following"] = shown[at.number()]
    posts = await _follow_ups(at).preview(at.me, shown[at.number()])
    different = {(p.language, p.say.lines[0].key): p for p in posts}
    titles = {"count": str(len(posts)), "groups": listed([p.target.group.title for p in posts])}
    rows = [[press("follow_now", label="send_now")], list(back("follow"))]
    return [
        Say((Line("organizing.preview.as_seen"),)),
        *(p.say for p in different.values()),
        *at.say(
            Line("organizing.preview.to", titles), Line("organizing.follow.private"), rows=rows
        ),
    ]


async def follow_now(at: Table) -> list[Move]:
    """Post it. A second tap finds the button old."""
    count = await _follow_ups(at).post(at.me, str(at.notes.pop("following", "")))
    rows = [[press("results")], [press("home", label="home")]]
    return at.say(Line("organizing.done.now", {"count": str(count)}), rows=rows)


def _follow_ups(at: Table) -> FollowUps:
    a = at.around
    return FollowUps(at.store, a.library, a.languages, a.clock, lambda: a.telegram.name)


SCREENS: dict[str, Screen] = {
    "follow": follow,
    "followed": followed,
    "follow_now": follow_now,
}

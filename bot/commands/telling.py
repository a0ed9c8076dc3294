"""Behind `coach prompts offers` and `tell`: what groups hear about what came of a prompt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TextIO

from bot.commands.invite import bot_name
from bot.commands.planning import SENTENCES, table
from bot.core.quoting import quotation
from bot.settings import load_settings
from bot.usecases.following import FollowUps, Post
from bot.usecases.organizers import Refused
from bot.usecases.people import CONSOLE
from bot.usecases.practice_ports import Offered
from bot.wiring import Parts, new_id, opened
from bot.words.practice import load_library

REFUSALS = {
    **SENTENCES,
    "no_groups": "No group had that prompt, or none of them can be reached.",
    "not_offered": "That is not offered, or not any more; nothing was posted. "
    "`coach prompts offers` lists what is.",
    "all_told": "Every group this can go to has had it already; nothing was posted.",
}


def offers(prompt_id: str, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """What tellers offer for posts about a prompt, as a table or one JSON object a line."""

    async def go(verbs: FollowUps, parts: Parts) -> int:
        found = await verbs.offers(CONSOLE, prompt_id)
        if as_json:
            for each in found:
                print(json.dumps(_offer_json(each), ensure_ascii=False), file=stdout)
            return 0
        rows = [
            (
                each.offer.release.id,
                quotation(each.offer.release.text, 12),
                ", ".join(each.offer.titles),
                f"{each.offer.release.expires_at:%Y-%m-%d}",
            )
            for each in found
        ]
        table(("id", "begins", "groups", "until"), rows, "Nothing is offered for that.", stdout)
        return 0

    return _with_verbs(go, None, stderr)


def _offer_json(each: Offered) -> dict[str, object]:
    release = each.offer.release
    return {
        "offer": release.id,
        "text": release.text,
        "name": release.name,
        "language": release.language,
        "groups": [title for _, title in each.offer.groups],
        "until": release.expires_at.isoformat(),
    }


def tell(
    prompt_id: str,
    offer_id: str | None,
    dry_run: bool,
    as_json: bool,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Preview, and unless `dry_run` post: 0 done, 1 refused."""

    async def go(verbs: FollowUps, parts: Parts) -> int:
        posts = await verbs.preview(CONSOLE, prompt_id, offer_id)
        count = 0 if dry_run else await verbs.post(CONSOLE, prompt_id, offer_id)
        if as_json:
            shown = [
                {"group": p.target.group.id, "title": p.target.group.title, "post": _text(p, parts)}
                for p in posts
            ]
            print(json.dumps({"posted": count, "posts": shown}, ensure_ascii=False), file=stdout)
            return 0
        for text, titles in _alike(posts, parts).items():
            print(f"--- {', '.join(titles)}\n{text}\n", file=stdout)
        groups = f"{len(posts)} group{'' if len(posts) == 1 else 's'}"
        if dry_run:
            print(f"Nothing was done. It would go to {groups}.", file=stdout)
        else:
            groups = f"{count} group{'' if count == 1 else 's'}"
            print(f"On its way to {groups}; a running coach posts it now.", file=stdout)
        return 0

    return _with_verbs(go, bot_name, stderr)


def _alike(posts: Sequence[Post], parts: Parts) -> dict[str, list[str]]:
    """The groups by what they will see."""
    found: dict[str, list[str]] = {}
    for post in posts:
        found.setdefault(_text(post, parts), []).append(post.target.group.title)
    return found


def _text(post: Post, parts: Parts) -> str:
    lines = [parts.words.text(line, post.language) for line in post.say.lines]
    lines += [f"[{parts.words.label(c, post.language)}]" for row in post.say.choices for c in row]
    return "\n".join(lines)


def _with_verbs(
    go: Callable[[FollowUps, Parts], Awaitable[int]],
    name: Callable[..., Awaitable[str | None]] | None,
    stderr: TextIO,
) -> int:
    """Run over an open store; what is refused becomes one sentence and 1."""

    async def run() -> int:
        parts = Parts(load_settings())
        languages = parts.words.languages
        known = (await name(parts.settings) if name is not None else None) or ""
        async with opened(parts) as store:
            library = load_library(languages)
            verbs = FollowUps(store, library, languages, parts.clock, new_id, lambda: known)
            return await go(verbs, parts)

    try:
        return asyncio.run(run())
    except Refused as error:
        print(REFUSALS[error.problem], file=stderr)
    return 1

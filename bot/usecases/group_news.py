"""What happens to a group's prompts: whoever answers for the group is told at once, and once."""

from __future__ import annotations

from typing import Literal

from bot.core.turn import Line, Say
from bot.usecases.outgoing import body_of
from bot.usecases.people import speaks
from bot.usecases.ports import OutboxItem, PauseReason, UnitOfWork
from bot.usecases.practice_ports import Target


def responsible(target: Target) -> int | None:
    """Who answers for a group: who claimed it, else who brought the bot there."""
    return target.group.added_by if target.claimed_at is None else target.claimed_by


News = PauseReason | Literal["asked", "back", "moved"]
"""Why nothing goes out any more, "asked" being an admin's /leave; or that it does again, or goes on
after the group became a supergroup."""


async def tell_responsible(
    work: UnitOfWork, chat: int, news: News, by: int | None = None, *, whoever: bool = False
) -> None:
    """Tell whoever answers for a group what happened there, if they talk with the bot.

    `by` brought it about themselves and need not be told. Somebody who brought the bot to a group
    and does not organize is told only with `whoever`: when a message could not be sent. Call it
    only when it is new.
    """
    group = await work.groups.by_chat(chat)
    if group is None:
        return
    (target,) = await work.practice.targets({group.id})
    told = responsible(target)
    if told is None or told == by:
        return
    known = await speaks(work, told)
    if known is None or not (whoever or "organize" in await work.roles.rights(told)):
        return
    said = Say((Line(f"groups.trouble.{news}", {"group": group.title}),))
    await work.outbox.queue([OutboxItem(told, body_of(said, known or group.language or "en", 0))])

"""What tellers offer for posts in groups, and the posts that came of it, on SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from bot.core.practice import Fate
from bot.core.story import StoryStatus
from bot.store.practice_tables import deliveries, follow_ups
from bot.store.rows import offer_of
from bot.store.sending import FAILED, SENDING, SENT, UNKNOWN, WAITING
from bot.store.tables import offers, outbox, stories
from bot.store.transaction import Transaction
from bot.usecases.practice_ports import Followed, FollowUp, Offered

FATES: Mapping[str | None, Fate] = {
    WAITING: "waiting",
    SENDING: "waiting",
    SENT: "posted",
    FAILED: "failed",
    UNKNOWN: "unknown",
}
"""What a message's state in the outbox means for whoever had it posted."""


class SqlFollowUps:
    """The part of the port Practice that closes the loop."""

    _transaction: Transaction

    async def asked(self, prompt_id: str) -> frozenset[str]:
        """The groups a prompt was posted in."""
        rows = await self._transaction.read(
            select(deliveries.c.group_id)
            .distinct()
            .select_from(deliveries.join(outbox, outbox.c.id == deliveries.c.outbox_id))
            .where(deliveries.c.prompt_id == prompt_id, outbox.c.state == SENT)
        )
        return frozenset(row.group_id for row in rows)

    async def offers(self, prompt_id: str, now: datetime) -> list[Offered]:
        """What tellers offer for follow-ups to a prompt at `now`, oldest first."""
        rows = await self._transaction.read(
            select(offers)
            .select_from(offers.join(stories, stories.c.id == offers.c.story_id))
            .where(
                offers.c.prompt == prompt_id,
                offers.c.ended_at.is_(None),
                offers.c.expires_at > now,
                stories.c.status != StoryStatus.WITHDRAWN.value,
            )
            .order_by(offers.c.released_at, offers.c.id)
        )
        return [Offered(row.story_id, offer_of(row._asdict())) for row in rows]

    async def hold_offer(self, offer_id: str, now: datetime) -> bool:
        """Keep its teller from ending an offer until the commit; False when it stands no more."""
        return bool(
            await self._transaction.write(
                update(offers)
                .where(
                    offers.c.id == offer_id,
                    offers.c.ended_at.is_(None),
                    offers.c.expires_at > now,
                )
                .values(ended_at=None)
            )
        )

    async def follow_up(self, posts: Sequence[FollowUp]) -> None:
        """Keep them. Conflict when a group would have one of an act twice."""
        if posts:
            await self._transaction.write(insert(follow_ups), [asdict(post) for post in posts])

    async def followed(self, act: str | None = None, story_id: str | None = None) -> list[Followed]:
        """Follow-ups of one act, of one story, or all of them; oldest first."""
        query = (
            select(follow_ups, outbox.c.state, outbox.c.reason)
            .select_from(follow_ups.outerjoin(outbox, outbox.c.id == follow_ups.c.outbox_id))
            .order_by(follow_ups.c.posted_at, follow_ups.c.outbox_id)
        )
        if act is not None:
            query = query.where(follow_ups.c.act == act)
        if story_id is not None:
            query = query.where(follow_ups.c.story_id == story_id)
        return [_followed(row) for row in await self._transaction.read(query)]


def _followed(row: Any) -> Followed:
    follow_up = FollowUp(
        row.id,
        row.act,
        row.group_id,
        row.prompt_id,
        row.posted_at,
        row.outbox_id,
        row.story_id,
    )
    if row.gone_at is not None and row.state not in (FAILED, UNKNOWN):
        # Erased before it was sent, or deleted where it stood.
        return Followed(follow_up, "taken_back")
    # A message that is not there any more was erased before we knew: nobody can say.
    return Followed(follow_up, FATES.get(row.state, "unknown"), row.reason)

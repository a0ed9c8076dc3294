"""The inbox on SQL: what was received, each update once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from bot.store.tables import inbox
from bot.store.transaction import Transaction, in_lanes
from bot.usecases.ports import AlreadyDone, InboxItem, SetAside

A_SILENT_WEEK = timedelta(days=7)
"""After a week without updates Telegram restarts update_id at random (telegram Bot API,
Update.update_id), and it redelivers for 24 hours only: an equal id a week later is news."""

_AT_ONCE = 500
WAITING, DONE, QUARANTINED = "waiting", "done", "quarantined"


class SqlInbox:
    """The port Inbox, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, item: InboxItem) -> bool:
        """Keep an update; False when its update_id was kept before (then nothing changes).

        A handled update of a week ago or more does not count: Telegram reuses ids by then.
        """
        await self._transaction.write(
            delete(inbox).where(
                inbox.c.update_id == item.update_id,
                inbox.c.state == DONE,
                inbox.c.received_at <= item.received_at - A_SILENT_WEEK,
            )
        )
        row = {
            "update_id": item.update_id,
            "chat_id": item.chat_id,
            "payload": item.payload,
            "state": WAITING,
            "attempts": item.attempts,
            "received_at": item.received_at,
        }
        if self._transaction.dialect == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as insert_or_not
        else:
            from sqlalchemy.dialects.sqlite import insert as insert_or_not  # type: ignore[assignment]
        kept = insert_or_not(inbox).values(row).on_conflict_do_nothing()
        new = await self._transaction.write_returning(kept.returning(inbox.c.update_id))
        if new:
            await self._transaction.announce("in", item.chat_id)
        return bool(new)

    async def waiting(
        self, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[InboxItem]:
        """Updates neither done nor quarantined, oldest (lowest update_id) first.

        Of the chats in `lanes`, or of all.
        """
        columns = (
            inbox.c.update_id,
            inbox.c.chat_id,
            inbox.c.payload,
            inbox.c.received_at,
            inbox.c.attempts,
        )
        rows = await self._transaction.read(
            select(*columns)
            .where(inbox.c.state == WAITING, in_lanes(inbox.c.chat_id, lanes))
            .order_by(inbox.c.update_id)
            .limit(limit)
        )
        return [InboxItem(**row._asdict()) for row in rows]

    async def done(self, update_ids: Sequence[int]) -> None:
        """Mark as handled and blank the payload; the id stays, so a repeat is recognised.

        Raises AlreadyDone when one of them was done before: this unit of work must not be kept.
        """
        for start in range(0, len(update_ids), _AT_ONCE):
            some = inbox.c.update_id.in_(update_ids[start : start + _AT_ONCE])
            now_done = await self._transaction.write_returning(
                update(inbox)
                .where(some, inbox.c.state != DONE)
                .values(state=DONE, payload="", reason=None)
                .returning(inbox.c.update_id)
            )
            are_done = select(func.count()).select_from(inbox).where(some, inbox.c.state == DONE)
            (found,) = await self._transaction.read(are_done)
            if found[0] > len(now_done):
                raise AlreadyDone

    async def attempted(self, update_ids: Sequence[int]) -> None:
        """Count one more try at handling."""
        await self._set(update_ids, attempts=inbox.c.attempts + 1)

    async def quarantine(self, update_ids: Sequence[int], reason: str) -> None:
        """Set aside updates that cannot be handled; `reason` is an error's class name."""
        await self._set(update_ids, state=QUARANTINED, reason=reason)

    async def counts(self) -> Mapping[str, int]:
        """How many are `waiting`, `done` and `quarantined`."""
        rows = await self._transaction.read(
            select(inbox.c.state, func.count().label("number")).group_by(inbox.c.state)
        )
        found = {row.state: int(row.number) for row in rows}
        return {state: found.get(state, 0) for state in (WAITING, DONE, QUARANTINED)}

    async def quarantined(self, limit: int = 1000) -> list[SetAside]:
        """Updates set aside, oldest (lowest update_id) first, without their words."""
        rows = await self._transaction.read(
            select(inbox.c.update_id, inbox.c.reason, inbox.c.received_at)
            .where(inbox.c.state == QUARANTINED)
            .order_by(inbox.c.update_id)
            .limit(limit)
        )
        return [SetAside(row.update_id, row.reason or "", row.received_at) for row in rows]

    async def put_back(self, update_ids: Sequence[int]) -> int:
        """Let quarantined updates wait again, with every try ahead of them; how many."""
        count = 0
        for start in range(0, len(update_ids), _AT_ONCE):
            changed = await self._transaction.write_returning(
                update(inbox)
                .where(
                    inbox.c.update_id.in_(update_ids[start : start + _AT_ONCE]),
                    inbox.c.state == QUARANTINED,
                )
                # The reason stays: it is how `returned` knows them.
                .values(state=WAITING, attempts=0)
                .returning(inbox.c.update_id)
            )
            count += len(changed)
        return count

    async def returned(self) -> list[InboxItem]:
        """Updates put back since this was last asked; each is given out once."""
        back = (inbox.c.state == WAITING, inbox.c.reason.is_not(None))
        if not await self._transaction.read(select(inbox.c.update_id).where(*back).limit(1)):
            # Asked often, and nearly always in vain: then nobody else's writing has to wait.
            return []
        columns = (inbox.c.update_id, inbox.c.chat_id, inbox.c.payload, inbox.c.received_at)
        rows = await self._transaction.write_returning(
            update(inbox).where(*back).values(reason=None).returning(*columns)
        )
        return sorted((InboxItem(**row._asdict()) for row in rows), key=lambda i: i.update_id)

    async def _set(self, update_ids: Sequence[int], **values: object) -> None:
        for start in range(0, len(update_ids), _AT_ONCE):
            some = update_ids[start : start + _AT_ONCE]
            await self._transaction.write(
                update(inbox).where(inbox.c.update_id.in_(some)).values(**values)
            )

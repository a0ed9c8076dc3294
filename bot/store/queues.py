"""The inbox on SQL: what was received, each update once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.prepared import Hand, Prepared, given
from bot.store.tables import inbox
from bot.store.transaction import Transaction, in_lanes, lanes_given
from bot.usecases.ports import AlreadyDone, InboxItem, SetAside

A_SILENT_WEEK = timedelta(days=7)
"""After a week without updates Telegram restarts update_id at random (telegram Bot API,
Update.update_id), and it redelivers for 24 hours only: an equal id a week later is news."""

_AT_ONCE = 500
WAITING, DONE, QUARANTINED = "waiting", "done", "quarantined"


_KEPT = ("update_id", "chat_id", "payload", "state", "attempts", "received_at")


def _keeping(engine: ModuleType) -> Any:
    """Insert; or begin anew with an id that was handled long ago."""
    row = engine.insert(inbox).values({name: given(name) for name in _KEPT})
    return row.on_conflict_do_update(
        index_elements=[inbox.c.update_id],
        set_={name: row.excluded[name] for name in _KEPT[1:]} | {"reason": None},
        where=and_(inbox.c.state == DONE, inbox.c.received_at <= bindparam("long_ago")),
    ).returning(inbox.c.update_id)


def _ending(engine: ModuleType) -> Any:
    """Insert what was never kept; or blank what was, unless it was done before."""
    row = engine.insert(inbox).values({name: given(name) for name in _KEPT})
    return row.on_conflict_do_update(
        index_elements=[inbox.c.update_id],
        set_={"state": DONE, "payload": "", "reason": None},
        where=inbox.c.state != DONE,
    ).returning(inbox.c.update_id)


_KEEP = Prepared(_keeping(sqlite), _keeping(postgresql))
_DONE = Prepared(_ending(sqlite), _ending(postgresql))
_LATEST = Prepared(select(func.max(inbox.c.update_id).label("latest")))


_WAIT = (
    select(
        inbox.c.update_id,
        inbox.c.chat_id,
        inbox.c.payload,
        inbox.c.received_at,
        inbox.c.attempts,
    )
    .where(inbox.c.state == WAITING)
    .order_by(inbox.c.update_id)
)
_WAITING = Prepared(_WAIT.where(in_lanes(inbox.c.chat_id)).limit(bindparam("most")))
_WAITING_IN = Prepared(_WAIT.where(inbox.c.chat_id == bindparam("chat")))


def _keep(hand: Hand, items: Sequence[InboxItem], new: set[int]) -> None:
    found = [
        hand.send(
            _KEEP,
            update_id=item.update_id,
            chat_id=item.chat_id,
            payload=item.payload,
            state=WAITING,
            attempts=item.attempts,
            received_at=item.received_at,
            long_ago=item.received_at - A_SILENT_WEEK,
        )
        for item in items
    ]

    def tell() -> None:
        new.update(row.update_id for one in found for row in one.rows())
        for chat in {item.chat_id for item in items if item.update_id in new}:
            hand.announce("in", chat)

    hand.before_keeping(tell)


def _done(hand: Hand, update_ids: Sequence[int], at: datetime, chat_id: int) -> None:
    row = {"chat_id": chat_id, "payload": "", "state": DONE, "attempts": 0, "received_at": at}
    # SQLAlchemy does not always say how many rows an INSERT changed.
    ended = [hand.send(_DONE, update_id=one, **row) for one in update_ids]

    def check() -> None:
        if not all(one.rows() for one in ended):
            raise AlreadyDone

    hand.before_keeping(check)


class SqlInbox:
    """The port Inbox, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, item: InboxItem) -> bool:
        """Keep an update; False when its update_id was kept before (then nothing changes).

        A handled update of a week ago or more does not count: Telegram reuses ids by then.
        """
        new: set[int] = set()
        await self._transaction.now(lambda hand: _keep(hand, [item], new))
        return bool(new)

    async def keep(self, items: Sequence[InboxItem]) -> Set[int]:
        """Keep updates as `put` does; the set holds the ids that were new once this is committed.

        It is empty before.
        """
        new: set[int] = set()
        self._transaction.later(lambda hand: _keep(hand, items, new))
        return new

    async def waiting(
        self, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[InboxItem]:
        """Updates neither done nor quarantined, oldest (lowest update_id) first.

        Of the chats in `lanes`, or of all.
        """
        ours = lanes_given(lanes)
        rows = await self._transaction.ask(lambda hand: hand.rows(_WAITING, most=limit, lanes=ours))
        return [InboxItem(**row._asdict()) for row in rows]

    async def waiting_in(self, chats: Collection[int]) -> list[InboxItem]:
        """Those of some chats, oldest first."""

        def look(hand: Hand) -> list[Any]:
            asked = [hand.send(_WAITING_IN, chat=chat) for chat in chats]
            return [row for answer in asked for row in answer.rows()]

        found = [InboxItem(**row._asdict()) for row in await self._transaction.ask(look)]
        return sorted(found, key=lambda item: item.update_id)

    async def done(self, update_ids: Sequence[int], at: datetime, chat_id: int = 0) -> None:
        """Mark as handled and blank the payload; the id stays, so a repeat is recognised.

        One that was never kept gets a row now: received `at` this moment, in this chat, without
        words. Raises AlreadyDone, at the latest when it is committed, when one of them was done
        before: this unit of work must not be kept.
        """
        self._transaction.later(lambda hand: _done(hand, update_ids, at, chat_id))

    async def latest(self) -> int:
        """The highest update_id there is, whatever became of it; -1 for none."""
        (row,) = await self._transaction.ask(lambda hand: hand.rows(_LATEST))
        return -1 if row.latest is None else int(row.latest)

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

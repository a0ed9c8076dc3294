"""The outbox on SQL, and the chats that nothing can be sent to at present."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import ModuleType
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.prepared import Answer, Hand, Prepared, given
from bot.store.tables import groups, keyboards, outbox, recipients
from bot.store.transaction import Transaction, in_lanes, lanes_given
from bot.usecases.ports import OutboxItem, PauseReason, Queued

WAITING, SENDING, SENT, FAILED, UNKNOWN = "waiting", "sending", "sent", "failed", "unknown"
STATES = (WAITING, SENDING, SENT, FAILED, UNKNOWN)

_ITEM = (
    outbox.c.chat_id,
    outbox.c.body,
    outbox.c.id,
    outbox.c.attempts,
    outbox.c.urgency,
    outbox.c.repeatable,
    outbox.c.topic,
)


_ADDED = ("chat_id", "body", "state", "attempts", "urgency", "repeatable", "topic", "story_id")
_ADD = Prepared(
    insert(outbox).values({name: given(name) for name in _ADDED}).returning(outbox.c.id)
)
_MINE = outbox.c.id == bindparam("item")
_GOES_ON = or_(outbox.c.state == WAITING, outbox.c.state == SENDING)
_ONE = Prepared(
    select(*_ITEM, keyboards.c.message_id.label("keyboard"))
    .select_from(outbox.outerjoin(keyboards, keyboards.c.chat_id == outbox.c.chat_id))
    .where(_MINE, _GOES_ON)
)
_QUEUED = Prepared(
    select(outbox.c.id, outbox.c.chat_id, outbox.c.urgency)
    .where(
        outbox.c.state == WAITING,
        outbox.c.id > bindparam("after"),
        in_lanes(outbox.c.chat_id),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_SENDING = Prepared(update(outbox).where(_MINE, outbox.c.state == WAITING).values(state=SENDING))
_INTERRUPTED = Prepared(
    update(outbox)
    .where(outbox.c.state == SENDING, in_lanes(outbox.c.chat_id))
    .values(state=UNKNOWN, body={}, reason=given("reason"))
)
_SETTLED = Prepared(
    update(outbox)
    .where(_MINE)
    .values({"body": {}} | {name: given(name) for name in ("state", "reason", "message_id")})
)
_ATTEMPTED = Prepared(
    update(outbox).where(_MINE, _GOES_ON).values(state=WAITING, attempts=outbox.c.attempts + 1)
)
_KEYBOARD = Prepared(select(keyboards.c.message_id).where(keyboards.c.chat_id == bindparam("chat")))
_CLOSE_KEYBOARD = Prepared(delete(keyboards).where(keyboards.c.chat_id == bindparam("chat")))


def _opening(engine: ModuleType) -> Any:
    row = engine.insert(keyboards).values(chat_id=given("chat_id"), message_id=given("message_id"))
    return row.on_conflict_do_update(
        index_elements=[keyboards.c.chat_id], set_={"message_id": row.excluded.message_id}
    )


_OPEN_KEYBOARD = Prepared(_opening(sqlite), _opening(postgresql))


def _add(hand: Hand, items: Sequence[OutboxItem]) -> list[Answer]:
    """The ids they were given, in order, are the answers."""
    added = [
        hand.send(
            _ADD,
            chat_id=item.chat_id,
            body=dict(item.body),
            state=WAITING,
            attempts=item.attempts,
            urgency=item.urgency,
            repeatable=item.repeatable,
            topic=item.topic,
            story_id=item.story,
        )
        for item in items
    ]
    for chat in {item.chat_id for item in items}:
        hand.announce("out", chat)
    return added


def _id(added: Answer) -> int:
    (row,) = added.rows()
    return int(row.id)


def _queue(hand: Hand, items: Sequence[OutboxItem], queued: list[OutboxItem]) -> None:
    added = _add(hand, items)
    opened = {chat: hand.send(_KEYBOARD, chat=chat) for chat in {i.chat_id for i in items}}

    def tell() -> None:
        keyboards = {chat: _open(answer) for chat, answer in opened.items()}
        queued[:] = [
            replace(item, id=_id(one), keyboard=keyboards[item.chat_id])
            for item, one in zip(items, added, strict=True)
        ]

    hand.before_keeping(tell)


def _open(answer: Answer) -> int | None:
    rows = answer.rows()
    return int(rows[0].message_id) if rows else None


class SqlOutbox:
    """The port Outbox, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, items: Sequence[OutboxItem]) -> list[int]:
        """Keep messages in order; returns their ids."""
        self._transaction.outgoing += 1
        return await self._transaction.now(lambda hand: [_id(one) for one in _add(hand, items)])

    async def queue(self, items: Sequence[OutboxItem]) -> Sequence[OutboxItem]:
        """The same, with the commit.

        The list then holds them as `one` gives them, where nothing else was added beside them.
        """
        queued: list[OutboxItem] = []
        if items:
            found: list[OutboxItem] = []

            def tell() -> None:
                if self._transaction.outgoing == 1:
                    queued.extend(found)

            self._transaction.outgoing += 1
            self._transaction.later(lambda hand: _queue(hand, items, found))
            self._transaction.if_kept(tell)
        return queued

    async def waiting(self, limit: int = 1000) -> list[OutboxItem]:
        """Unsent messages, oldest first."""
        rows = await self._transaction.read(
            select(*_ITEM).where(outbox.c.state == WAITING).order_by(outbox.c.id).limit(limit)
        )
        return [OutboxItem(**row._asdict()) for row in rows]

    async def queued(
        self, after: int = 0, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[Queued]:
        """Unsent messages with an id above `after`, lowest id first, without their bodies.

        To the chats in `lanes`, or to all.
        """
        ours = lanes_given(lanes)
        rows = await self._transaction.ask(
            lambda hand: hand.rows(_QUEUED, after=after, most=limit, lanes=ours)
        )
        return [Queued(**row._asdict()) for row in rows]

    async def one(self, item_id: int) -> OutboxItem | None:
        """A message if it still waits (or is `sending`); None once settled or erased.

        With the message whose buttons are open in its chat.
        """
        rows = await self._transaction.ask(lambda hand: hand.rows(_ONE, item=item_id))
        return OutboxItem(**rows[0]._asdict()) if rows else None

    async def sent(self, item_id: int, message_id: int | None) -> None:
        """Mark as sent and blank the body."""
        self._settle(item_id, SENT, message_id=message_id)

    async def message_of(self, item_id: int) -> int | None:
        """Telegram's id of a message that was sent; None when none is known."""
        rows = await self._transaction.read(
            select(outbox.c.message_id).where(outbox.c.id == item_id)
        )
        return rows[0].message_id if rows else None

    async def sending(self, item_id: int) -> bool:
        """Note, before trying, that an unrepeatable message is on its way.

        False when it did not wait any more: somebody else took it, and may be sending it. It may
        be durable before the commit.
        """
        changed = await self._transaction.at_once(lambda hand: hand.change(_SENDING, item=item_id))
        return changed == 1

    async def unknown(self, item_id: int, reason: str) -> None:
        """Nobody knows whether this message arrived; it is not tried again; body blanked."""
        self._settle(item_id, UNKNOWN, reason)

    async def interrupted(self, reason: str, lanes: Collection[int] | None = None) -> int:
        """What is `sending`, to `lanes` or all, becomes `unknown`, as after a crash; how many."""
        ours = lanes_given(lanes)
        return await self._transaction.now(
            lambda hand: hand.change(_INTERRUPTED, reason=reason, lanes=ours)
        )

    async def failed(self, item_id: int, reason: str) -> None:
        """Give up on a message; `reason` is an error's class name; the body is blanked."""
        self._settle(item_id, FAILED, reason)

    async def attempted(self, item_id: int) -> None:
        """Count one more try that surely sent nothing; what was `sending` waits again."""
        self._transaction.later(lambda hand: hand.send(_ATTEMPTED, item=item_id))

    async def counts(self) -> Mapping[str, int]:
        """How many are `waiting`, `sending`, `sent`, `failed` and `unknown`."""
        rows = await self._transaction.read(
            select(outbox.c.state, func.count().label("number")).group_by(outbox.c.state)
        )
        found = {row.state: int(row.number) for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    async def keyboard(self, chat_id: int) -> int | None:
        """The message whose buttons are still open in this chat."""
        return await self._transaction.ask(lambda hand: _open(hand.send(_KEYBOARD, chat=chat_id)))

    async def set_keyboard(self, chat_id: int, message_id: int | None) -> None:
        """Remember, or forget, which message holds the open buttons."""

        def job(hand: Hand) -> None:
            if message_id is None:
                hand.send(_CLOSE_KEYBOARD, chat=chat_id)
            else:
                hand.send(_OPEN_KEYBOARD, chat_id=chat_id, message_id=message_id)

        self._transaction.later(job)

    def _settle(
        self, item_id: int, state: str, reason: str | None = None, message_id: int | None = None
    ) -> None:
        def job(hand: Hand) -> None:
            hand.send(_SETTLED, item=item_id, state=state, reason=reason, message_id=message_id)

        self._transaction.later(job)


_RESUME = Prepared(delete(recipients).where(recipients.c.chat_id == bindparam("chat")))
_PAUSED = Prepared(select(recipients.c.chat_id, recipients.c.reason))


class SqlRecipients:
    """The port Recipients, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def pause(self, chat_id: int, reason: PauseReason, at: datetime) -> bool:
        """Send nothing more to this chat until `resume`; a second pause keeps the first time.

        True when it was not paused before.
        """
        changed = await self._transaction.write(
            update(recipients).where(recipients.c.chat_id == chat_id).values(reason=reason)
        )
        if not changed:
            await self._transaction.write(
                insert(recipients).values(chat_id=chat_id, reason=reason, paused_at=at)
            )
        return not changed

    async def resume(self, chat_id: int) -> bool:
        """The chat can be written to again; True when it was paused."""
        paused = select(recipients.c.chat_id).where(recipients.c.chat_id == chat_id)
        if not await self._transaction.read(paused):
            # Nearly always: looked up first, so that hearing from somebody takes no write lock.
            return False
        return bool(
            await self._transaction.write(delete(recipients).where(recipients.c.chat_id == chat_id))
        )

    async def heard_from(self, chat_id: int) -> None:
        """The same, for whoever need not know."""
        self._transaction.later(lambda hand: hand.send(_RESUME, chat=chat_id))

    async def paused(self) -> Mapping[int, PauseReason]:
        """Every paused chat with its reason."""
        rows = await self._transaction.ask(lambda hand: hand.rows(_PAUSED))
        return {row.chat_id: row.reason for row in rows}

    async def drop(self, before: datetime) -> int:
        """Give up what waits for paused chats; how many messages. Their bodies are blanked.

        Replies to a private chat stay, unless it has been paused since earlier than `before`.
        """
        paused = select(recipients.c.chat_id)
        longer = paused.where(recipients.c.paused_at < before)
        kept = and_(outbox.c.chat_id > 0, outbox.c.urgency == "reply")
        why = (
            select(recipients.c.reason)
            .where(recipients.c.chat_id == outbox.c.chat_id)
            .scalar_subquery()
        )
        return await self._transaction.write(
            update(outbox)
            .where(
                outbox.c.state == WAITING,
                or_(
                    and_(~kept, outbox.c.chat_id.in_(paused)),
                    and_(kept, outbox.c.chat_id.in_(longer)),
                ),
            )
            .values(state=FAILED, body={}, reason=why)
        )

    async def moved(self, old: int, new: int) -> bool:
        """A group became a supergroup: messages, buttons, pause and group follow to the new id.

        What the new id already has of its own stays; of two groups the older one goes on. True
        when a group moved.
        """
        write = self._transaction.write
        await write(update(outbox).where(outbox.c.chat_id == old).values(chat_id=new))
        for table in (keyboards, recipients):
            known = select(table.c.chat_id).where(table.c.chat_id == new)
            if await self._transaction.read(known):
                await write(delete(table).where(table.c.chat_id == old))
            else:
                await write(update(table).where(table.c.chat_id == old).values(chat_id=new))
        both = {
            row.chat_id: row
            for row in await self._transaction.read(
                select(groups.c.chat_id, groups.c.standing).where(groups.c.chat_id.in_((old, new)))
            )
        }
        if old not in both:
            return False
        follows = {"chat_id": new}
        if new in both:
            await write(delete(groups).where(groups.c.chat_id == new))
            follows |= {"standing": both[new].standing}
        moved = update(groups).where(groups.c.chat_id == old).values(**follows)
        return await write(moved) == 1

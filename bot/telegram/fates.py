"""What the outbox knows of a message: read before it is sent, written down once its fate is known.

No limits, queues or calls here. Everything may raise StoreUnavailable; nothing is changed then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.telegram.posting import Progress
from bot.usecases.group_news import tell_responsible
from bot.usecases.ports import OutboxItem, PauseReason, Queued, Store, UnitOfWork

log = logging.getLogger(__name__)

KEPT_FOR_PAUSED = timedelta(days=1)
"""How long replies wait for somebody who blocked the bot."""
NOTED_WITHIN = 0.005
"""Seconds for which writing down what was sent may wait for others to write."""


@dataclass
class Try(Progress):
    """One message in this run, first tried at `since`.

    `let_at` is when the limits let its next call through, until it is made. `is_claimed`: noted
    as on its way, or meant to be, by us. `end` is its fate, state and reason, once that is
    settled; it may still have to be written down.
    """

    since: float = 0.0
    tries: int = 0
    let_at: float | None = None
    is_claimed: bool = False
    end: tuple[str, str] | None = None


class Fates:
    """The outbox as whoever sends from it needs it, a step at a time."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Nothing is read yet."""
        self._store, self._now = store, now

    async def waiting(
        self, after: int, most: int, lanes: Collection[int] | None
    ) -> tuple[Mapping[int, PauseReason], Sequence[Queued]]:
        """Who is paused, and what waits with an id above `after`, read at one moment."""
        async with self._store.work() as work:
            paused = await work.recipients.paused()
            return paused, await work.outbox.queued(max(0, after), most, lanes)

    async def read(self, item_id: int) -> tuple[OutboxItem | None, int | None]:
        """The message if it still waits, and the one in its chat that it is about."""
        async with self._store.work() as work:
            item = await work.outbox.one(item_id)
            return item, await _about(work, item) if item else None

    async def claim(self, item: OutboxItem, one: Try) -> bool:
        """Note that an unrepeatable message is on its way; False when it is not ours to send."""
        assert item.id is not None
        # A commit of ours may have come through although it was reported as failed.
        before, one.is_claimed = one.is_claimed, True
        async with self._store.work() as work:
            is_ours = await work.outbox.sending(item.id)
            if not is_ours and before:
                # Unless it was erased since: a teller may have taken their words back.
                is_ours = await work.outbox.one(item.id) is not None
            await work.commit()
        return is_ours

    async def note(self, item: OutboxItem, one: Try, somebody_waits: bool) -> None:
        """Write down how it ended, and what somebody is told of it."""
        assert item.id is not None and one.end is not None
        state, reason = one.end
        async with self._store.work() as work:
            if state == "sent":
                await work.outbox.sent(item.id, one.message_id)
                if one.has_buttons:
                    await work.outbox.set_keyboard(item.chat_id, one.message_id)
            elif state == "unknown":
                await work.outbox.unknown(item.id, reason)
            else:
                await work.outbox.failed(item.id, reason)
            if one.then is not None:
                await work.outbox.queue([one.then])
            await work.commit(0.0 if somebody_waits or one.then is not None else NOTED_WITHIN)

    async def still_waits(self, item: OutboxItem) -> None:
        """An unrepeatable message that surely was not sent is no longer on its way."""
        if not item.repeatable:
            assert item.id is not None
            async with self._store.work() as work:
                await work.outbox.attempted(item.id)
                await work.commit()

    async def moved(self, item: OutboxItem, new: int) -> None:
        """The group has another id: everything of it follows there, and somebody is told."""
        assert item.id is not None
        async with self._store.work() as work:
            await work.outbox.attempted(item.id)
            if await work.recipients.moved(item.chat_id, new):
                await tell_responsible(work, new, "moved")
            await work.commit()

    async def pause(self, item: OutboxItem, reason: PauseReason) -> Mapping[int, PauseReason]:
        """Nothing goes to this chat until it is heard of again; an organizer is told once.

        Gives everybody who is paused now.
        """
        assert item.id is not None
        async with self._store.work() as work:
            is_new = await work.recipients.pause(item.chat_id, reason, self._now())
            await work.outbox.attempted(item.id)
            await work.recipients.drop(self._now() - KEPT_FOR_PAUSED)
            if is_new and item.chat_id < 0:
                await tell_responsible(work, item.chat_id, reason, whoever=True)
            paused = await work.recipients.paused()
            await work.commit()
        return paused

    async def recover(self, lanes: Collection[int] | None) -> None:
        """What a crash left on its way, in lanes or everywhere, may have arrived: nobody knows."""
        async with self._store.work() as work:
            left = await work.outbox.interrupted("Interrupted", lanes)
            await work.commit()
        if left:
            log.warning("%d messages of unknown fate after a crash", left)

    async def drop(self) -> None:
        """Give up what waits for people who cannot be reached."""
        async with self._store.work() as work:
            dropped = await work.recipients.drop(self._now() - KEPT_FOR_PAUSED)
            await work.commit()
        if dropped:
            log.info("%d messages dropped: nobody can be reached there", dropped)


async def _about(work: UnitOfWork, item: OutboxItem) -> int | None:
    """The message in the chat that this one is about: to be deleted, or with the open buttons."""
    if item.body.get("kind") == "take_down":
        return await work.outbox.message_of(int(str(item.body["message"])))
    return item.keyboard

"""Updates rest on disk before Telegram is told that we have them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from telegram import Update
from telegram.error import NetworkError

from bot.telegram.polling import raw_of
from bot.telegram.updates import chat_of
from bot.usecases.ports import Clock, InboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)


class DurableQueue(asyncio.Queue[object]):
    """python-telegram-bot's update queue whose `put` returns only after the commit.

    The updater acknowledges an update once `put` has returned. When the update cannot be kept
    `put` raises NetworkError, the one error the updater takes as "try again". `trouble` is then
    one plain sentence.
    """

    def __init__(self, store: Store, clock: Clock, wake: Callable[[InboxItem], None]) -> None:
        """`wake` is told of each update that is new."""
        super().__init__()
        self._store = store
        self._clock = clock
        self._wake = wake
        self._doubtful: set[int] = set()
        self.trouble: str | None = None

    async def put(self, update: object) -> None:
        """Keep one update; a repeat changes nothing."""
        if not isinstance(update, Update):
            return
        raw = raw_of(update)
        item = InboxItem(
            update.update_id, chat_of(raw) or 0, json.dumps(raw, default=str), self._clock.now()
        )
        try:
            async with self._store.work() as work:
                is_new = await work.inbox.put(item)
                await work.commit()
        except Exception as error:
            # Also when a mistake of ours is the cause: any other error would end the polling.
            log.error("update not acknowledged: %s", type(error).__name__)
            known = isinstance(error, StoreUnavailable)
            self.trouble = str(error) if known else f"Writing failed ({type(error).__name__})."
            self._doubtful.add(item.update_id)
            raise NetworkError(type(error).__name__) from None
        self.trouble = None
        # A commit may have come through although it was reported as failed.
        if is_new or item.update_id in self._doubtful:
            self._doubtful.discard(item.update_id)
            self._wake(item)

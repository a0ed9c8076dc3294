"""Updates rest on disk before Telegram is told that we have them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telegram import Update
from telegram.error import NetworkError

from bot.telegram.updates import chat_of
from bot.usecases.ports import Clock, InboxItem, Store, StoreUnavailable

log = logging.getLogger(__name__)


class DurableQueue(asyncio.Queue[object]):
    """python-telegram-bot's update queue whose `put` returns only after the commit.

    The updater acknowledges an update once `put` has returned. When the database cannot be
    written `put` raises NetworkError, the one error the updater takes as "try again".
    """

    def __init__(self, store: Store, clock: Clock, wake: Callable[[InboxItem], None]) -> None:
        """`wake` is told of each update that is new."""
        super().__init__()
        self._store = store
        self._clock = clock
        self._wake = wake
        self.trouble: str | None = None

    async def put(self, update: object) -> None:
        """Keep one update; a repeat changes nothing."""
        if not isinstance(update, Update):
            return
        item = InboxItem(
            update.update_id,
            chat_of(update.to_dict()) or 0,
            update.to_json(),
            self._clock.now(),
        )
        try:
            async with self._store.work() as work:
                is_new = await work.inbox.put(item)
                await work.commit()
        except StoreUnavailable as error:
            self.trouble = str(error)
            log.error("update not acknowledged: %s", type(error).__name__)
            raise NetworkError(str(error)) from error
        self.trouble = None
        if is_new:
            self._wake(item)

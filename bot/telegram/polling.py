"""A bot that fetches updates one by one in form: a strange one harms none of its neighbours."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from telegram import Update
from telegram.ext import ExtBot

log = logging.getLogger(__name__)

RAW = "as_received"
"""Where an update keeps its own JSON when python-telegram-bot could not read it."""
FETCH_SECONDS = 5.0
"""Seconds to wait for an answer beyond the long poll itself."""


class PatientBot(ExtBot[None]):
    """python-telegram-bot's bot, except that it reads each update of a batch by itself.

    The library refuses a whole batch for one update it cannot read, asks again at once, and logs
    the batch with everybody's words in it. Here such an update travels on as received.
    """

    async def get_updates(
        self,
        offset: int | None = None,
        limit: int | None = None,
        timeout: int | float | timedelta | None = None,  # noqa: ASYNC109 - the library's own name
        allowed_updates: Sequence[str] | None = None,
        **_: Any,
    ) -> tuple[Update, ...]:
        """The updates from `offset` on, oldest first; waits up to `timeout` seconds for one."""
        wait = timeout.total_seconds() if isinstance(timeout, timedelta) else (timeout or 0)
        asked = {
            "offset": offset,
            "limit": limit,
            "timeout": int(wait),
            "allowed_updates": allowed_updates,
        }
        received: Any = await self._post("getUpdates", asked, read_timeout=FETCH_SECONDS + wait)
        return tuple(self._read(one) for one in received)

    def _read(self, one: Mapping[str, Any]) -> Update:
        try:
            return Update.de_json(dict(one), self)
        except Exception as error:
            log.warning("an update of unknown form: %s", type(error).__name__)
            return Update(one["update_id"], api_kwargs={RAW: dict(one)})


def raw_of(update: Update) -> Mapping[str, Any]:
    """The update as the Bot API's JSON."""
    received: Mapping[str, Any] | None = update.api_kwargs.get(RAW)
    return received if received is not None else update.to_dict()

"""Updates rest on disk before Telegram is told that we have them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bot.telegram.updates import chat_of, kept
from bot.usecases.ports import Clock, InboxItem, Meter, Store, StoreUnavailable, Unmeasured

log = logging.getLogger(__name__)

LARGEST = 2**63 - 1
"""What a database column holds; an update_id beyond it is none of Telegram's."""
UNREADABLE = "UnreadableUpdate"
"""The reason of what came without a usable update_id. Its row has a negative id of our own."""


class TelegramRefuses(Exception):
    """Telegram will not serve this program, and waiting does not help. One plain sentence."""


class Ingress(Protocol):
    """One way for updates to reach the queue."""

    async def start(self) -> None:
        """Begin. Raises TelegramError or TelegramRefuses."""
        ...

    async def stop(self) -> None:
        """End within three seconds; whatever was kept is confirmed to Telegram."""
        ...

    async def refused(self) -> TelegramRefuses:
        """Return once Telegram refuses us for good, with the reason."""
        ...

    @property
    def trouble(self) -> str | None:
        """One plain sentence while no updates can come in, otherwise None."""
        ...


class DurableQueue:
    """Where polling and webhook put what they received: the inbox, and then the lanes.

    `trouble` is one plain sentence while nothing can be kept, otherwise None.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        wake: Callable[[InboxItem], None],
        meter: Meter | None = None,
    ) -> None:
        """`wake` is told of each update that is new."""
        self._store = store
        self._clock = clock
        self._wake = wake
        self._meter = meter or Unmeasured()
        self._doubtful: set[int] = set()
        self.trouble: str | None = None

    async def keep(self, received: Sequence[object]) -> None:
        """Keep updates, as JSON gave them, in one commit; a repeat changes nothing.

        What has no usable update_id is set aside at once, with its words, and harms no neighbour.
        Raises StoreUnavailable when nothing was kept; then Telegram must not be told otherwise.
        """
        if received:
            await self._commit([self._item(one) for one in received])

    async def keep_body(self, body: bytes) -> None:
        """Keep the one update in a request's body, however broken it is. Raises as `keep`."""
        try:
            update: object = json.loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("a body that is no JSON was set aside: %s", type(error).__name__)
            await self._commit([self._unreadable(body.decode("utf-8", "replace"))])
        else:
            await self.keep([update])

    async def _commit(self, items: Sequence[InboxItem]) -> None:
        try:
            async with self._store.work() as work:
                for item in items:
                    if item.update_id < 0 and await work.inbox.put(item):
                        await work.inbox.quarantine([item.update_id], UNREADABLE)
                new = await work.inbox.keep([item for item in items if item.update_id >= 0])
                await work.commit()
        except Exception as error:
            log.error("updates not acknowledged: %s", type(error).__name__)
            known = isinstance(error, StoreUnavailable)
            self.trouble = str(error) if known else f"Writing failed ({type(error).__name__})."
            self._doubtful.update(item.update_id for item in items)
            self._meter.count("update", "not_kept")
            raise StoreUnavailable(self.trouble) from None
        self.trouble = None
        for item in items:
            self._tell(item, item.update_id in new)

    def _tell(self, item: InboxItem, is_new: bool) -> None:
        if item.update_id < 0:
            self._meter.count("update", "unreadable")
            return
        self._meter.count("update", "kept" if is_new else "repeated")
        # A commit may have come through although it was reported as failed.
        if is_new or item.update_id in self._doubtful:
            self._doubtful.discard(item.update_id)
            self._wake(item)

    def _item(self, update: object) -> InboxItem:
        number = id_of(update)
        if number is None or not isinstance(update, Mapping):
            log.warning("an update without a usable id was set aside")
            return self._unreadable(_written(update))
        return InboxItem(number, _chat(update), _written(kept(update)), self._clock.now())

    def _unreadable(self, payload: str) -> InboxItem:
        """Under an id made from its content: the same thing sent again is the same row."""
        digest = hashlib.sha256(payload.encode("utf-8", "replace")).digest()
        number = -1 - (int.from_bytes(digest[:8], "big") >> 1)
        return InboxItem(number, 0, payload, self._clock.now())


def id_of(update: object) -> int | None:
    """The update_id, if there is one that Telegram could have given."""
    number = update.get("update_id") if isinstance(update, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if 0 <= number <= LARGEST else None


def _chat(update: Mapping[str, object]) -> int:
    """The chat an update belongs to; 0 for none, or one that is no number Telegram gives."""
    try:
        chat = chat_of(update) or 0
    except (ValueError, OverflowError):
        return 0
    return chat if abs(chat) <= LARGEST else 0


def _written(update: object) -> str:
    try:
        # Pure ASCII: halves of characters and control characters stay as they were written.
        return json.dumps(update)
    except RecursionError:
        # Nested too deep to be Telegram's; as a list it is set aside, and its id is remembered.
        return "[]"

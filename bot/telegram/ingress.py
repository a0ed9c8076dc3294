"""Updates rest on disk, or are over, before Telegram is told that we have them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Protocol

from bot import plain
from bot.telegram.updates import chat_of, kept
from bot.usecases.ports import Clock, InboxItem, Meter, Store, StoreUnavailable, Unmeasured

log = logging.getLogger(__name__)

LARGEST = 2**63 - 1
"""What a database column holds; an update_id beyond it is none of Telegram's."""
UNREADABLE = "UnreadableUpdate"
"""The reason of what came without a usable update_id. Its row has a negative id of our own."""


HELD_SECONDS = 0.1
"""How long Telegram may wait to be told, in the hope that the turn is over by then.

Most are, and then the turn's commit is the update's as well: it was never written by itself, nor
were its words. A turn that takes longer, as when a model thinks, begins just as soon.
"""


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


class _Held:
    """Updates that came together and are nowhere on disk yet."""

    def __init__(self, items: Sequence[InboxItem]) -> None:
        self.items = {item.update_id: item for item in items}
        self.are_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def over(self, update_id: int) -> None:
        self.items.pop(update_id, None)
        if not self.items and not self.are_over.done():
            self.are_over.set_result(None)


class DurableQueue:
    """Where polling and webhook put what they received: the inbox, and the lanes.

    `trouble` is one plain sentence while nothing can be kept, otherwise None.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        wake: Callable[[InboxItem], None],
        meter: Meter | None = None,
    ) -> None:
        """`wake` is told of each new update once it is kept."""
        self._store = store
        self._clock = clock
        self._wake = wake
        self._meter = meter or Unmeasured()
        self._doubtful: set[int] = set()
        self._begin: Callable[[InboxItem], bool] = lambda item: False
        self._latest: int | None = None
        self._held: dict[int, _Held] = {}
        self._keeping = 0
        # Told when something could be kept again; the app puts the lanes in.
        self.recovered: Callable[[], None] = lambda: None
        self.trouble: str | None = None

    async def hold(self, begin: Callable[[InboxItem], bool]) -> None:
        """From now on what is surely new is begun at once, and kept only where that takes time.

        `begin` says whether it has begun. Only for a process that serves everybody alone: of
        others it cannot know what they have done already. Raises StoreUnavailable.
        """
        async with self._store.work() as work:
            self._latest = max(-1, await work.inbox.latest())
        self._begin = begin

    async def keep(self, received: Sequence[object]) -> None:
        """Return once updates, as JSON gave them, are on disk or over; a repeat changes nothing.

        What has no usable update_id is set aside at once, with its words, and harms no neighbour.
        Raises StoreUnavailable otherwise; then Telegram must not be told that we have them.
        """
        if not received:
            return
        items = [self._item(one) for one in received]
        new = self._surely_new(items)
        if known := [item for item in items if item.update_id not in new]:
            await self._commit(known)
        if new:
            await self._hold([item for item in items if item.update_id in new])

    def over(self, update_ids: Iterable[int]) -> None:
        """The turns of these are on disk."""
        for one in update_ids:
            self._doubtful.discard(one)
            self._on_disk(one)

    def _on_disk(self, update_id: int) -> None:
        if (held := self._held.pop(update_id, None)) is not None:
            held.over(update_id)

    async def rest(self, update_ids: Iterable[int]) -> None:
        """Keep these now, where they are not on disk yet. Raises StoreUnavailable."""
        items = [self._held[one].items[one] for one in update_ids if one in self._held]
        if items:
            await self._write(items)

    async def keep_body(self, body: bytes) -> None:
        """Keep the one update in a request's body, however broken it is. Raises as `keep`."""
        try:
            update: object = plain.loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("a body that is no JSON was set aside: %s", type(error).__name__)
            await self._commit([self._unreadable(body.decode("utf-8", "replace"))])
        else:
            await self.keep([update])

    def _surely_new(self, items: Sequence[InboxItem]) -> frozenset[int]:
        """Those that nobody can have seen before.

        None while anything is being kept, lest it be overtaken; and none while nothing can be.
        Should Telegram begin again with lower ids, as after a silent week, all are looked up.
        """
        latest = self._latest
        if latest is None:
            return frozenset()
        self._latest = max(latest, *(item.update_id for item in items))
        if self._keeping or self.trouble:
            return frozenset()
        return frozenset(item.update_id for item in items if item.update_id > latest)

    async def _hold(self, items: Sequence[InboxItem]) -> None:
        """Begin what can begin; return once all of it is on disk. Raises StoreUnavailable.

        What could not be kept stays held: its turn is under way, and Telegram brings it again.
        """
        held = _Held(items)
        self._held.update(dict.fromkeys(held.items, held))
        if left := [item for item in items if not self._begin(item)]:
            await self.rest(item.update_id for item in left)
            for item in left:
                self._wake(item)
        try:
            async with asyncio.timeout(HELD_SECONDS):
                await held.are_over
        except TimeoutError:
            await self.rest(list(held.items))
        for _ in items:
            self._meter.count("update", "kept")

    async def _commit(self, items: Sequence[InboxItem]) -> None:
        new = await self._write(items)
        for item in items:
            self._tell(item, item.update_id in new)

    async def _write(self, items: Sequence[InboxItem]) -> Set[int]:
        """Keep in one commit; the ids that were new. Raises StoreUnavailable.

        What is held of the same chats is kept with them: after a crash the disk must not know of a
        message and not of the one before.
        """
        chats, given = {item.chat_id for item in items}, {item.update_id for item in items}
        held = [of.items[one] for one, of in self._held.items() if one not in given]
        before = [item for item in held if item.chat_id in chats]
        items = [*before, *items]
        self._keeping += 1
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
        finally:
            self._keeping -= 1
        for item in items:
            self._on_disk(item.update_id)
        if self.trouble is not None:
            self.trouble = None
            self.recovered()
        for item in before:
            # In a lane it is known already; but one that could not be kept may be in none.
            if item.update_id in new:
                self._wake(item)
        return new

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
            return self._unreadable(_written(update, json.dumps))
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


def _written(update: object, dumps: Callable[[object], str] = plain.dumps) -> str:
    try:
        # Halves of characters and control characters stay as they were written.
        return dumps(update)
    except RecursionError:
        # Nested too deep to be Telegram's; as a list it is set aside, and its id is remembered.
        return "[]"

"""Updates on disk that are in no lane yet: more than one look brings, or come during a look.

What comes meanwhile queues up behind them: nobody's later message may overtake an earlier one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.telegram.ending import ended
from bot.telegram.errors import place_of
from bot.usecases.ports import InboxItem, StoreUnavailable

log = logging.getLogger(__name__)


class Backlog:
    """Looks at the disk, as often as it takes, and puts what it finds into the lanes.

    `trouble` is one plain sentence while the disk cannot be read, otherwise None.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[tuple[list[InboxItem], bool]]],
        put: Callable[[InboxItem], None],
        has_room: Callable[[], bool],
        pause_after: Callable[[int], float],
        changed: Callable[[], None],
    ) -> None:
        """`read` brings what waits, oldest first, and whether there may be more; `put` ignores
        what it knows.

        `has_room` is asked before every look but the first; `pause_after` gives the seconds to wait
        after so many tries; `changed` is told when `is_going_on` may have changed.
        """
        self._read, self._put, self._has_room = read, put, has_room
        self._pause_after, self._changed = pause_after, changed
        self._looks = 0
        self._meanwhile: list[InboxItem] = []
        self._is_disk_away = False
        self._going_on: asyncio.Task[None] | None = None
        self.is_left = False
        self.trouble: str | None = None

    @property
    def is_in_between(self) -> bool:
        """Whether something on disk may have to go first."""
        return self._looks > 0 or self.is_left

    @property
    def is_going_on(self) -> bool:
        """Whether more is being taken up; a disk that is away is not waited for."""
        return self._going_on is not None and not self._is_disk_away

    async def look(self, found: Callable[[InboxItem], None] = lambda item: None) -> None:
        """Put what waits, oldest first; `found` is told of each before. Raises StoreUnavailable."""
        self._looks += 1
        try:
            items, is_left = await self._read()
        except BaseException:
            self.is_left = self.is_left or bool(self._meanwhile)
            raise
        else:
            self.is_left = is_left
            for item in items:
                found(item)
                self._put(item)
        finally:
            self._looks -= 1
            if not self._looks:
                came, self._meanwhile = self._meanwhile, []
                for item in came if not self.is_left else ():
                    self._put(item)

    def come(self, item: InboxItem) -> None:
        """Put one that is on disk, once what is there before it is put."""
        if self._looks:
            self._meanwhile.append(item)
        elif not self.is_left:
            self._put(item)
        else:
            self.go_on()

    def go_on(self) -> None:
        """There may be room for more."""
        if self.is_left and self._going_on is None and self._has_room():
            self._going_on = asyncio.create_task(self._go_on(), name="looking again")

    async def stop(self) -> None:
        """Look no more."""
        if self._going_on is not None:
            await ended([self._going_on])

    async def _go_on(self) -> None:
        tries = 0
        try:
            while self.is_left and self._has_room():
                try:
                    await self.look()
                except Exception as error:
                    name, is_known = type(error).__name__, isinstance(error, StoreUnavailable)
                    self.trouble = str(error) if is_known else f"Reading failed ({name})."
                    log.error("inbox cannot be read: %s", place_of(error))
                    self.is_left = self._is_disk_away = True
                    self._changed()
                    await asyncio.sleep(self._pause_after(tries))
                    tries += 1
                else:
                    self._is_disk_away, self.trouble = False, None
        finally:
            self._going_on = None
            self._changed()

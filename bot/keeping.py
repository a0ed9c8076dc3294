"""The library's part of the wiring: kept in step with index and files, whoever does it."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from socket import gethostname
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from bot.core.narrative import Element
from bot.usecases.ports import NewerDatabase

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.usecases.exporting import Exporting
    from bot.usecases.library import Librarian
    from bot.usecases.library_ports import Shared
    from bot.usecases.ports import Store
    from bot.wiring import Parts

log = logging.getLogger(__name__)


class Sharing:
    """Asks the database what the library shares with residents; see retrieval.library.Shares.

    Opened anew each time, in whatever thread asks: nothing is held open, so that nothing can
    stay behind or be out of date.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet."""
        self._settings = settings

    def __call__(
        self,
        move: Element | None = None,
        language: str | None = None,
        story_id: str | None = None,
    ) -> Sequence[Shared]:
        """What may be shown now; nothing where there is no database yet."""
        from bot.store.database import is_there

        if not is_there(self._settings.database):
            return []
        return asyncio.run(self._ask(move, language, story_id))

    async def _ask(
        self, move: Element | None, language: str | None, story_id: str | None
    ) -> Sequence[Shared]:
        from bot.store.database import attach, open_store

        try:
            store = await open_store(self._settings.database)
        except NewerDatabase:
            # While a new version is rolled out, who runs already goes on; a start is refused.
            store = attach(self._settings.database)
        try:
            async with store.work() as work:
                return await work.library.shared(datetime.now(UTC), move, language, story_id)
        finally:
            await store.close()


class IndexInStep:
    """The port Examples: the example index, brought in line in a thread."""

    def __init__(self, parts: Parts) -> None:
        """Nothing is loaded until there is something to do."""
        self._parts = parts

    async def renew(self, story_ids: Sequence[str]) -> int:
        """See library_ports.Examples."""
        retriever = await asyncio.to_thread(lambda: self._parts.retriever)
        return await retriever.renew()


def librarian(parts: Parts, store: Store) -> Librarian:
    """What finishes erasures and tells tellers their news."""
    from bot.exporting.home import Home, home_id
    from bot.usecases.library import Apart, Librarian

    apart = Apart(
        home_id(parts.settings.coach_home) if parts.settings.is_shared else None,
        parts.settings.chroma_url is not None,
    )
    home = Home(parts.settings.coach_home)
    return Librarian(store, parts.clock, IndexInStep(parts), home, apart)


async def note_home(parts: Parts) -> None:
    """Where others have data folders beside ours: words may lie in it, so it erases its own."""
    from bot.exporting.home import home_id

    if parts.settings.is_shared and parts.lent is not None:
        home = await asyncio.to_thread(home_id, parts.settings.coach_home)
        async with parts.lent.work() as work:
            await work.library.at_home(home, gethostname(), parts.clock.now())
            await work.commit()


def exporting(parts: Parts, store: Store) -> Exporting:
    """Writing stories into files, and answering for them."""
    from bot.exporting.archive import Archives
    from bot.exporting.home import home_id
    from bot.usecases.exporting import Exporting, Place

    home, place = parts.settings.coach_home, None
    if parts.settings.is_shared:
        place = Place(home_id(home), home.absolute(), gethostname())
    room = Archives(parts.words.text)
    return Exporting(store, room, parts.clock, lambda: uuid4().hex, place)


def erasing_store(parts: Parts, store: Store) -> Store:
    """The store, whose scrubbing erases in the index and among files as well."""
    from bot.usecases.library import Erasing

    return Erasing(store, librarian(parts, store).finish)


ERASE_EVERY, TELL_EVERY = 2.0, 60.0
"""Seconds between looks at what is left to erase, one small query, and at what is to be told."""


async def keep_library(
    keeper: Librarian, recover: Callable[[], Awaitable[int]], wake: Callable[[], None]
) -> None:
    """Finish erasures and tell news, for ever; what goes wrong is tried again.

    `recover` settles exports that were interrupted.
    """
    tell_at = 0.0
    while True:
        pause = ERASE_EVERY
        try:
            await keeper.finish(is_asked=False)
            if monotonic() >= tell_at:
                tell_at = monotonic() + TELL_EVERY
                await recover()
                if await keeper.sweep():
                    wake()
        except Exception as error:
            log.warning("the library waits: %s", type(error).__name__)
            pause = 10 * ERASE_EVERY
        await asyncio.sleep(pause)


KEEP_EVERY = 10.0
"""Seconds between looks at a Chroma server: is everything there, and of our corpus?"""


async def keep_index(parts: Parts) -> None:
    """Mend, for ever, what is missing on a Chroma server; an embedded index mends itself.

    First what an embedded index held of the library goes from this data folder: with several
    processes nobody else could take it back from here.
    """
    from bot.retrieval.server import ServerRetriever

    is_well, is_first = True, True
    while True:
        try:
            if is_first and parts.settings.chroma_url is not None:
                embedded = parts.settings.coach_home / "examples"
                await asyncio.to_thread(shutil.rmtree, embedded, ignore_errors=True)
            is_first = False
            retriever = await asyncio.to_thread(lambda: parts.retriever)
            if not isinstance(retriever, ServerRetriever):
                await retriever.renew()
                return
            await retriever.keep()
            is_well = True
        except Exception as error:
            if is_well:
                log.warning("the example index waits: %s", type(error).__name__)
            is_well = False
        await asyncio.sleep(KEEP_EVERY)

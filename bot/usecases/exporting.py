"""Exporting approved stories with the consent that covers them, and answering for old exports.

Consent is asked row by row while writing, once more for all rows before the file gets its name,
and once more after. Nothing that looks whole is ever left half written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.core.library import MAY_SEND, Format, LibraryEntry, Profile, Wanted
from bot.usecases.library_ports import About, ExportFile, ExportRecord, ExportRoom, ToDestroy
from bot.usecases.people import CONSOLE, Actor, act, audit_hash, require
from bot.usecases.ports import Clock, Store
from bot.usecases.reviewing import who_sha256

PAGE = 200
"""Stories read and written at a time; each page in a transaction of its own."""

TRIES = 5
"""Times an export begins anew because a story left while it was being written."""

Progress = Callable[[int, int], None]
"""Told how many stories were looked at, of about how many."""


class ExportRefused(Exception):
    """Nothing was exported; the message is one plain sentence."""


@dataclass(frozen=True)
class Exported:
    """A finished export. `size` is in bytes."""

    id: str
    path: Path
    rows: int
    size: int


@dataclass(frozen=True)
class Place:
    """Where this process writes, told apart from where others do: its data folder and machine."""

    home: str
    folder: Path
    machine: str

    def of(self, path: Path) -> str | None:
        """The data folder's id for what lies in it; None elsewhere."""
        return self.home if path.is_relative_to(self.folder) else None


class Exporting:
    """Staff's verbs over exports."""

    def __init__(
        self,
        store: Store,
        room: ExportRoom,
        clock: Clock,
        new_id: Callable[[], str],
        place: Place | None = None,
    ) -> None:
        """Everything is passed in; wiring chooses. `place` is None for a process alone."""
        self._store, self._room, self._clock, self._new_id = store, room, clock, new_id
        self._place = place

    async def count(self, actor: Actor, profile: Profile) -> int:
        """About how many stories an export would look at. Raises NotAllowed."""
        async with self._store.work() as work:
            await require(work, actor, "export")
            return await work.library.count(self._clock.now(), profile)

    async def export(
        self,
        actor: Actor,
        profile: Profile,
        formats: Sequence[Format],
        folder: Path,
        wanted: Wanted | None = None,
        progress: Progress = lambda done, total: None,
        *,
        is_handed_over: bool = False,
    ) -> Exported:
        """Write one file into `folder`, given as a whole path, since it is remembered.

        One that `is_handed_over` is asked for by `content`, of whichever process sends it: where
        there are several, it is kept in the database instead, unless it is too large to be sent.
        Raises NotAllowed, ExportRefused, OSError.
        """
        if not formats:
            raise ExportRefused("Choose at least one format.")
        await self.recover()
        for _ in range(TRIES):
            done = await self._try(
                actor,
                profile,
                tuple(dict.fromkeys(formats)),
                folder,
                wanted or Wanted(),
                progress,
                is_handed_over,
            )
            if done is not None:
                return done
        raise ExportRefused(
            "Stories were taken back each time while the export was being written. "
            "Nothing was exported; try again in a while."
        )

    async def _try(
        self,
        actor: Actor,
        profile: Profile,
        formats: tuple[Format, ...],
        folder: Path,
        wanted: Wanted,
        progress: Progress,
        is_handed_over: bool,
    ) -> Exported | None:
        """One attempt; None when a story left meanwhile and nothing was left behind."""
        record = await self._begin(actor, profile, formats, folder, wanted, is_handed_over)
        file: ExportFile | None = None
        is_done = False
        try:
            file = await asyncio.to_thread(self._room.begin, record.path, formats)
            record = await self._write(actor, record, file, wanted, progress)
            if not await self._sealed(record):
                return None
            is_kept = self._place is not None and is_handed_over and record.size <= MAY_SEND
            try:
                if is_kept:
                    content = await asyncio.to_thread(file.content)
                    is_done = await self._taken(record, content)
                else:
                    await asyncio.to_thread(file.publish)
            except FileNotFoundError:
                return None  # Erased under our hands, because a story in it was withdrawn.
            if not is_kept:
                is_done = await self._noted(record)
        finally:
            if not is_done:
                await asyncio.shield(self._give_up(record, file))
        if not is_done:
            return None
        return Exported(record.id, Path(record.path), record.rows, record.size)

    async def _begin(
        self,
        actor: Actor,
        profile: Profile,
        formats: tuple[Format, ...],
        folder: Path,
        wanted: Wanted,
        is_handed_over: bool = False,
    ) -> ExportRecord:
        now, export_id = self._clock.now(), self._new_id()
        name = f"stories-{profile.value}-{now:%Y%m%d-%H%M}-{export_id[:8]}.zip"
        record = ExportRecord(
            export_id,
            profile,
            tuple(f.value for f in formats),
            wanted.plain(),
            actor if actor == CONSOLE else audit_hash(int(actor)),
            now,
            str(folder / name),
            home=self._place.of(folder) if self._place else None,
            machine=self._place.machine if self._place else None,
        )
        async with self._store.work() as work:
            await act(work, actor, "export", f"export_{profile.value}", export_id, now)
            if self._place is not None and record.home is not None and not is_handed_over:
                await work.library.at_home(record.home, self._place.machine, now)
            await work.library.save_export(record)
            await work.commit()
        return record

    async def _write(
        self,
        actor: Actor,
        record: ExportRecord,
        file: ExportFile,
        wanted: Wanted,
        progress: Progress,
    ) -> ExportRecord:
        """Every story that may go, page by page, then what goes with them."""
        profile = record.profile
        async with self._store.work() as work:
            total = await work.library.count(self._clock.now(), profile)
        rows = looked = 0
        after = ""
        while True:
            page, chosen = await self._page(actor, record, wanted, after)
            if not page:
                break
            await asyncio.to_thread(file.add, chosen)
            after = page[-1].release.id
            rows, looked = rows + len(chosen), looked + len(page)
            progress(looked, max(total, looked))
        now = self._clock.now()
        async with self._store.work() as work:
            coverage = await work.library.coverage(profile, now)
        formats = tuple(Format(f) for f in record.formats)
        about = About(
            record.id, profile, formats, wanted.plain(), record.made_by, record.made_at, rows,
            coverage,
        )  # fmt: skip
        size = await asyncio.to_thread(file.seal, about)
        return replace(record, rows=rows, size=size)

    async def _page(
        self, actor: Actor, record: ExportRecord, wanted: Wanted, after: str
    ) -> tuple[list[LibraryEntry], list[LibraryEntry]]:
        """The next stories, and those of them that may go; noted before they are written."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "export")
            page = await work.library.entries(now, wanted, after, PAGE)
            chosen = [
                e for e in page if wanted.accepts(e) and e.permits(record.profile.purpose, now)
            ]
            await work.library.add_items(record.id, chosen, Path(record.path).name)
            await work.commit()
        return page, chosen

    async def _sealed(self, record: ExportRecord) -> bool:
        """True when every story in it may still go; from then on a withdrawal finds the file."""
        async with self._store.work() as work:
            await work.library.save_export(replace(record, state="sealed"))
            if await work.library.no_longer_covered(record.id, self._clock.now()):
                return False
            await work.commit()
        return True

    async def _noted(self, record: ExportRecord) -> bool:
        """True when it is done and nothing in it was taken back at the last moment."""
        async with self._store.work() as work:
            await work.library.save_export(replace(record, state="done"))
            if self._place is not None and record.home is not None:
                await work.library.at_home(record.home, self._place.machine, self._clock.now())
            if await work.library.no_longer_covered(record.id, self._clock.now()):
                return False
            await work.commit()
        return True

    async def _taken(self, record: ExportRecord, content: bytes) -> bool:
        """Keep the bytes in the database; False when something in it was taken back meanwhile."""
        async with self._store.work() as work:
            await work.library.keep_pieces(record.id, content)
            await work.library.save_export(replace(record, state="taken"))
            if await work.library.no_longer_covered(record.id, self._clock.now()):
                return False
            await work.commit()
        await self._let_go(record)
        return True

    async def _let_go(self, record: ExportRecord) -> None:
        """Delete the file of an export whose bytes are in the database."""
        await asyncio.to_thread(self._room.discard, record.path)
        name = Path(record.path).name
        async with self._store.work() as work:
            await work.library.save_export(
                replace(record, state="done", path=name, home=None, machine=None)
            )
            await work.commit()

    async def _give_up(self, record: ExportRecord, file: ExportFile | None) -> None:
        if file is not None:
            await asyncio.to_thread(file.discard)
        async with self._store.work() as work:
            await work.library.forget_items(record.id)
            await work.commit()

    async def recover(self) -> int:
        """Settle exports that a crash interrupted; how many. Raises OSError.

        One that got its name is finished if all in it may still go; of any other nothing stays.
        """
        async with self._store.work() as work:
            left = [
                x for x in await work.library.exports() if x.state != "done" and self._is_ours(x)
            ]
        settled = 0
        for record in left:
            found = await asyncio.to_thread(self._room.leftover, record.path)
            if found == "busy":
                continue
            settled += 1
            if record.state == "taken":
                await self._let_go(record)
                continue
            if record.state == "sealed" and found == "whole" and await self._noted(record):
                continue
            await asyncio.to_thread(self._room.discard, record.path)
            async with self._store.work() as work:
                await work.library.forget_items(record.id)
                await work.commit()
        return settled

    def _is_ours(self, record: ExportRecord) -> bool:
        """Whether its file would lie where we can see it."""
        if self._place is None:
            return True
        if record.home is not None:
            return record.home == self._place.home
        return record.machine == self._place.machine

    async def exports(self, actor: Actor) -> list[ExportRecord]:
        """Every finished export, newest first. Raises NotAllowed."""
        async with self._store.work() as work:
            await require(work, actor, "export")
            return await work.library.exports("done")

    async def content(self, export_id: str) -> bytes | None:
        """A finished export's bytes, to be handed over now; None once anything in it may not go.

        Only for exports small enough to be sent. Raises OSError other than that it is gone.
        """
        async with self._store.work() as work:
            record = await work.library.export(export_id)
            if record is None or record.state != "done" or record.size > MAY_SEND:
                return None
            if await work.library.no_longer_covered(export_id, self._clock.now()):
                return None
            kept = await work.library.pieces(export_id)
        if kept is not None or not self._is_ours(record):
            return kept
        try:
            return await asyncio.to_thread(Path(record.path).read_bytes)
        except FileNotFoundError:
            return None

    async def to_destroy(self, actor: Actor) -> list[ToDestroy]:
        """See Answering."""
        return await Answering(self._store, self._clock).to_destroy(actor)

    async def acknowledge(self, actor: Actor, export_id: str) -> int:
        """See Answering."""
        return await Answering(self._store, self._clock).acknowledge(actor, export_id)


class Answering:
    """Answering for earlier exports that hold what they no longer may."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Everything is passed in; wiring chooses."""
        self._store, self._clock = store, clock

    async def to_destroy(self, actor: Actor) -> list[ToDestroy]:
        """Those not acknowledged yet, a line each story. Raises NotAllowed."""
        async with self._store.work() as work:
            await require(work, actor, "export")
            return await work.library.to_destroy()

    async def acknowledge(self, actor: Actor, export_id: str) -> int:
        """Answer for it: every copy of an export was destroyed; how many stories that settles.

        Raises NotAllowed, and ExportRefused when there is no such export with such a story.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            await require(work, actor, "export")
            if all(x.export_id != export_id for x in await work.library.to_destroy()):
                raise ExportRefused("No export with that id waits to be destroyed.")
            await act(work, actor, "export", "destroyed", export_id, now)
            settled = await work.library.acknowledge(export_id, who_sha256(actor), now)
            await work.commit()
        return settled

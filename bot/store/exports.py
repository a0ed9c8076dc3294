"""Exports and erasures on SQL: which file holds which story, and what is still to be erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, true, update

from bot.core.library import LibraryEntry, Profile
from bot.store.library_tables import (
    erasures_pending,
    export_items,
    export_pieces,
    exports,
    homes,
    library_entries,
)
from bot.store.tables import erasures, releases, stories
from bot.store.transaction import Transaction
from bot.usecases.library_ports import (
    FILES_AT,
    DataFolder,
    ExportRecord,
    PendingErasure,
    ToDestroy,
)

PIECE = 1 << 20
"""Bytes of an export in one row."""
_NAMES_WORDS = ("theme", "value")
"""Filters that hold words; the database remembers only that they were used."""


class SqlExports:
    """The part of the port Library that remembers exports and erasures."""

    _transaction: Transaction

    # -- exports --------------------------------------------------------------------------------

    async def save_export(self, export: ExportRecord) -> None:
        """Write an export, new or known by its id."""
        row = {
            "id": export.id,
            "profile": export.profile.value,
            "formats": list(export.formats),
            "filters": {k: "" if k in _NAMES_WORDS else v for k, v in export.filters.items()},
            "made_by": export.made_by,
            "made_at": export.made_at,
            "path": export.path,
            "state": export.state,
            "rows": export.rows,
            "size": export.size,
            "home": export.home,
            "machine": export.machine,
        }
        known = update(exports).where(exports.c.id == export.id).values(row)
        if not await self._transaction.write(known):
            await self._transaction.write(insert(exports).values(row | {"file_erased": False}))

    async def add_items(self, export_id: str, entries: Sequence[LibraryEntry], file: str) -> None:
        """Remember which stories a file of an export holds, before they are written to it."""
        rows = [
            {
                "export_id": export_id,
                "release_id": entry.release.id,
                "story_id": entry.story_id,
                "file": file,
            }
            for entry in entries
        ]
        if rows:
            await self._transaction.write(insert(export_items), rows)

    async def forget_items(self, export_id: str) -> None:
        """The export was given up and its files are gone."""
        await self._transaction.write(
            delete(export_items).where(export_items.c.export_id == export_id)
        )
        await self._transaction.write(
            delete(export_pieces).where(export_pieces.c.export_id == export_id)
        )
        await self._transaction.write(delete(exports).where(exports.c.id == export_id))

    async def no_longer_covered(self, export_id: str, now: datetime) -> int:
        """How many items' releases or approvals ended since they were written."""
        covered = (
            select(releases.c.id)
            .select_from(
                releases.join(library_entries, library_entries.c.release_id == releases.c.id).join(
                    stories, stories.c.id == releases.c.story_id
                )
            )
            .where(
                releases.c.id == export_items.c.release_id,
                releases.c.ended_at.is_(None),
                releases.c.expires_at > now,
                stories.c.status == "submitted",
            )
        )
        found = await self._transaction.read(
            select(func.count().label("number")).where(
                export_items.c.export_id == export_id,
                or_(export_items.c.gone_at.is_not(None), ~covered.exists()),
            )
        )
        return int(found[0].number)

    async def tellers_of_export(
        self, export_id: str, after: str, limit: int = 500
    ) -> list[tuple[str, str]]:
        """(story id, resident id) of an export's items, by story id above `after`."""
        found = await self._transaction.read(
            select(export_items.c.story_id, stories.c.resident_id)
            .select_from(export_items.join(stories, stories.c.id == export_items.c.story_id))
            .where(export_items.c.export_id == export_id, export_items.c.story_id > after)
            .order_by(export_items.c.story_id)
            .limit(limit)
        )
        return [(row.story_id, row.resident_id) for row in found]

    async def export(self, export_id: str) -> ExportRecord | None:
        """One export."""
        found = await self._transaction.read(select(exports).where(exports.c.id == export_id))
        return _export(found[0]) if found else None

    async def exports(self, state: str | None = None) -> list[ExportRecord]:
        """Every export, newest first; only those of one state when given."""
        query = select(exports).order_by(exports.c.made_at.desc(), exports.c.id)
        if state is not None:
            query = query.where(exports.c.state == state)
        return [_export(row) for row in await self._transaction.read(query)]

    async def to_destroy(self) -> list[ToDestroy]:
        """Earlier exports holding what they no longer may, not yet acknowledged; oldest first."""
        found = await self._transaction.read(
            select(export_items, exports)
            .select_from(export_items.join(exports, exports.c.id == export_items.c.export_id))
            .where(
                export_items.c.gone_at.is_not(None),
                export_items.c.acknowledged_at.is_(None),
                # One never finished may lie half written on a machine that did not come back.
                or_(exports.c.state == "done", exports.c.home.is_not(None)),
            )
            .order_by(exports.c.made_at, exports.c.id, export_items.c.story_id)
        )
        return [
            ToDestroy(
                export_id=row.export_id,
                path=row.path,
                profile=Profile(row.profile),
                made_at=row.made_at,
                story_id=row.story_id,
                because=row.gone_because,
                gone_at=row.gone_at,
                is_erased_here=row.file_erased,
                machine=row.machine,
            )
            for row in found
        ]

    async def acknowledge(self, export_id: str, who_sha256: str, at: datetime) -> int:
        """Note that every copy of an export was destroyed; how many stories that settles."""
        return await self._transaction.write(
            update(export_items)
            .where(
                export_items.c.export_id == export_id,
                export_items.c.gone_at.is_not(None),
                export_items.c.acknowledged_at.is_(None),
            )
            .values(acknowledged_at=at, acknowledged_by=who_sha256)
        )

    async def export_paths(
        self, story_ids: Sequence[str], home: str | None = None
    ) -> list[tuple[str, str]]:
        """(export id, path) of exports that hold any of these stories; with `home`, only there."""
        held = select(export_items.c.export_id).where(
            and_(export_items.c.story_id.in_(story_ids), export_items.c.gone_at.is_not(None))
        )
        found = await self._transaction.read(
            select(exports.c.id, exports.c.path).where(
                exports.c.id.in_(held), true() if home is None else exports.c.home == home
            )
        )
        return [(row.id, row.path) for row in found]

    async def keep_pieces(self, export_id: str, content: bytes) -> None:
        """Keep an export's bytes with us."""
        await self._transaction.write(
            delete(export_pieces).where(export_pieces.c.export_id == export_id)
        )
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            row = {"export_id": export_id, "position": start // PIECE, "content": piece}
            await self._transaction.write(insert(export_pieces).values(row))

    async def pieces(self, export_id: str) -> bytes | None:
        """The bytes of an export kept with us; None when there are none (any more)."""
        found = await self._transaction.read(
            select(export_pieces.c.content)
            .where(export_pieces.c.export_id == export_id)
            .order_by(export_pieces.c.position)
        )
        return b"".join(row.content for row in found) if found else None

    async def at_home(self, home: str, machine: str, now: datetime) -> None:
        """Note that people's words may lie in a data folder."""
        known = update(homes).where(homes.c.id == home).values(machine=machine, seen_at=now)
        if not await self._transaction.write(known):
            row = {"id": home, "machine": machine, "seen_at": now}
            await self._transaction.write(insert(homes).values(row))

    async def homes(self) -> list[DataFolder]:
        """The data folders in which words may lie."""
        found = await self._transaction.read(select(homes).order_by(homes.c.id))
        return [DataFolder(row.id, row.machine, row.seen_at) for row in found]

    async def home_is_gone(self, home: str) -> int:
        """A data folder exists no more; how many erasures waited for it."""
        waiting = [p for p in await self.erasures() if f"{FILES_AT}{home}" not in p.steps]
        gone = await self._transaction.write(delete(homes).where(homes.c.id == home))
        await self._transaction.write(
            update(exports).where(exports.c.home == home).values(home=None)
        )
        return len(waiting) if gone else 0

    async def file_erased(self, export_id: str) -> None:
        """Our own copy of an export was deleted from the disk."""
        await self._transaction.write(
            update(exports).where(exports.c.id == export_id).values(file_erased=True)
        )

    # -- erasures -------------------------------------------------------------------------------

    async def erasures(self) -> list[PendingErasure]:
        """Erasures not finished, oldest first."""
        found = await self._transaction.read(
            select(erasures_pending)
            .where(erasures_pending.c.finished_at.is_(None))
            .order_by(erasures_pending.c.id)
        )
        return [
            PendingErasure(
                id=int(row.id),
                what=row.what,
                story_ids=tuple(row.story_ids),
                resident_sha256=row.resident_sha256,
                chat_sha256=row.chat_sha256,
                in_index=row.in_index,
                asked_at=row.asked_at,
                steps=dict(row.steps),
            )
            for row in found
        ]

    async def erased(self, erasure_id: int, place: str, count: int, at: datetime) -> None:
        """One place is clean; with a receipt kept."""
        # Written first, so that of two processes one waits for what the other notes.
        one = erasures_pending.c.id == erasure_id
        kept = update(erasures_pending).where(one).values(what=erasures_pending.c.what)
        await self._transaction.write(kept)
        found = await self._transaction.read(
            select(erasures_pending.c.steps, erasures_pending.c.resident_sha256).where(one)
        )
        if not found or place in found[0].steps:
            return
        await self._transaction.write(
            update(erasures_pending)
            .where(erasures_pending.c.id == erasure_id)
            .values(steps={**found[0].steps, place: count})
        )
        place = place.partition("@")[0]
        if found[0].resident_sha256 and place in ("index", "files"):
            await self._transaction.write(
                insert(erasures).values(
                    resident_sha256=found[0].resident_sha256,
                    place=place,
                    count=count,
                    erased_at=at,
                )
            )

    async def finished(self, erasure_id: int, at: datetime) -> None:
        """Every place is clean: keep the wordless record only."""
        await self._transaction.write(
            update(erasures_pending)
            .where(erasures_pending.c.id == erasure_id)
            .values(finished_at=at, chat_sha256=None)
        )


def _export(row: Row[Any]) -> ExportRecord:
    return ExportRecord(
        id=row.id,
        profile=Profile(row.profile),
        formats=tuple(row.formats),
        filters=dict(row.filters),
        made_by=row.made_by,
        made_at=row.made_at,
        path=row.path,
        state=row.state,
        rows=row.rows,
        size=row.size,
        home=row.home,
        machine=row.machine,
    )

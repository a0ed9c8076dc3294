"""Passages of library stories that may be shown to residents, on SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select

from bot.core.consent import Purpose
from bot.core.library import LabelKind, LibraryEntry
from bot.core.narrative import Element
from bot.store.library_tables import library_entries, library_marks
from bot.store.tables import releases, stories
from bot.store.transaction import Transaction
from bot.usecases.library_ports import Shared

PAGE = 200


class SqlSharing:
    """The part of the port Library that the example index is derived from."""

    _transaction: Transaction

    async def shared(
        self,
        now: datetime,
        move: Element | None = None,
        language: str | None = None,
        story_id: str | None = None,
    ) -> list[Shared]:
        """Marked passages whose release and approval hold at `now`; by release id."""
        marks = library_marks.c
        where: list[ColumnElement[bool]] = [
            library_entries.c.release_id.in_(select(marks.release_id))
        ]
        if story_id is not None:
            where.append(library_entries.c.story_id == story_id)
        if language is not None:
            where.append(stories.c.language == language)
        found: list[Shared] = []
        after = ""
        while True:
            live = await self._live_entries(now, [*where, releases.c.id > after], PAGE)
            entries = [e for e in live if e.permits(Purpose.COACHING_EXAMPLES, now)]
            found += await self._passages(entries, move)
            if len(live) < PAGE:
                return found
            after = live[-1].release.id

    async def _live_entries(
        self, now: datetime, where: Sequence[ColumnElement[bool]], limit: int
    ) -> list[LibraryEntry]:
        raise NotImplementedError

    async def _passages(
        self, entries: Sequence[LibraryEntry], move: Element | None
    ) -> list[Shared]:
        by_release = {e.release.id: e for e in entries}
        marks = library_marks.c
        query = select(library_marks).where(marks.release_id.in_(by_release))
        if move is not None:
            query = query.where(marks.move == move.value)
        rows = await self._transaction.read(query.order_by(marks.release_id, marks.move))
        return [
            Shared(
                story_id=entry.story_id,
                title=entry.title,
                move=Element(row.move),
                language=entry.story_language,
                themes=entry.labelled(LabelKind.THEME),
                text=row.sentence,
            )
            for row in rows
            if row.sentence in (entry := by_release[row.release_id]).release.text
        ]

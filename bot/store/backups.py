"""The port Backups on SQL: where backups lie, and which hold words erased since."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, select, update

from bot.store.library_tables import backups, erasures_pending
from bot.store.tables import audit, stories
from bot.store.transaction import Transaction
from bot.usecases.backup_ports import Backup, HoldsErased


class SqlBackups:
    """The port Backups, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def all(self) -> list[Backup]:
        """Every backup that was recorded, newest first."""
        found = await self._transaction.read(
            select(backups).order_by(backups.c.made_at.desc(), backups.c.id)
        )
        return [_backup(row) for row in found]

    async def holding_erased(self) -> list[HoldsErased]:
        """Backups not gone that hold stories withdrawn or people forgotten since; oldest first.

        Whoever cannot be shown to have come after the backup is counted.
        """
        found = await self._transaction.read(
            select(backups)
            .where(backups.c.gone_at.is_(None))
            .order_by(backups.c.made_at, backups.c.id)
        )
        held = [await self._held(_backup(row)) for row in found]
        return [one for one in held if one.stories or one.people]

    async def _held(self, backup: Backup) -> HoldsErased:
        joined_later = (
            select(audit.c.who_sha256)
            .where(
                audit.c.who_sha256 == erasures_pending.c.resident_sha256,
                audit.c.what == "joined",
                audit.c.recorded_at > backup.made_at,
            )
            .exists()
        )
        since = await self._transaction.read(
            select(
                erasures_pending.c.what,
                erasures_pending.c.story_ids,
                erasures_pending.c.resident_sha256,
            ).where(
                erasures_pending.c.what.in_(("withdrawn", "forgotten")),
                erasures_pending.c.asked_at >= backup.made_at,
                ~joined_later,
            )
        )
        later = await self._transaction.read(
            select(stories.c.id).where(
                and_(stories.c.begun_at > backup.made_at, stories.c.withdrawn_at.is_not(None))
            )
        )
        begun_later = {row.id for row in later}
        gone = {s for row in since for s in row.story_ids} - begun_later
        people = {row.resident_sha256 for row in since if row.what == "forgotten"}
        return HoldsErased(backup, len(gone), len(people))

    async def gone(
        self, backup_id: str, because: str, at: datetime, who_sha256: str | None = None
    ) -> bool:
        """Note that no copy is left; False when there is no such backup, or it was gone before."""
        return bool(
            await self._transaction.write(
                update(backups)
                .where(backups.c.id == backup_id, backups.c.gone_at.is_(None))
                .values(gone_at=at, gone_because=because, acknowledged_by=who_sha256)
            )
        )


def _backup(row: Row[Any]) -> Backup:
    return Backup(row.id, row.made_at, row.path, row.state, row.size, row.gone_at, row.gone_because)

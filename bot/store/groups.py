"""Groups on SQL."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import insert, select, update

from bot.store.tables import groups
from bot.store.transaction import Transaction
from bot.usecases.ports import Group


class SqlGroups:
    """The port Groups, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def by_chat(self, chat_id: int) -> Group | None:
        """The group with this Telegram id."""
        rows = await self._transaction.read(select(groups).where(groups.c.chat_id == chat_id))
        return Group(**rows[0]._asdict()) if rows else None

    async def save(self, group: Group) -> None:
        """Write the group, new or known by its id; Conflict when another holds its chat."""
        row = asdict(group)
        if not await self._transaction.write(
            update(groups).where(groups.c.id == group.id).values(row)
        ):
            await self._transaction.write(insert(groups).values(row))

    async def all(self) -> list[Group]:
        """Every group, the ones left included, oldest first."""
        rows = await self._transaction.read(select(groups).order_by(groups.c.added_at, groups.c.id))
        return [Group(**row._asdict()) for row in rows]

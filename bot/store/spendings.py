"""What models cost a day, on SQL."""

from __future__ import annotations

from datetime import date

from sqlalchemy import delete, insert, select, update

from bot.store.tables import spendings
from bot.store.transaction import Transaction
from bot.usecases.ports import Spent


class SqlSpendings:
    """The port Spendings, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def spent(self, day: date, who: str) -> Spent:
        """What was spent on a UTC day for a resident's id, or for everybody ("")."""
        c = spendings.c
        rows = await self._transaction.read(
            select(c.tokens, c.dollars).where(c.day == day.isoformat(), c.resident_id == who)
        )
        return Spent(rows[0].tokens, rows[0].dollars) if rows else Spent()

    async def add(self, day: date, who: str, spent: Spent) -> None:
        """Add to it; what residents spent on earlier days is forgotten. May raise Conflict."""
        c, today = spendings.c, day.isoformat()
        await self._transaction.write(delete(spendings).where(c.resident_id != "", c.day < today))
        more = {"tokens": c.tokens + spent.tokens, "dollars": c.dollars + spent.dollars}
        if not await self._transaction.write(
            update(spendings).where(c.day == today, c.resident_id == who).values(more)
        ):
            await self._transaction.write(
                insert(spendings).values(
                    day=today, resident_id=who, tokens=spent.tokens, dollars=spent.dollars
                )
            )

"""The example index that several processes share, as far as they must agree on it, on SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import uuid4

from sqlalchemy import and_, delete, insert, or_, select, update

from bot.store.index_tables import (
    index_editions,
    index_generations,
    installations,
    leases,
)
from bot.store.transaction import Transaction
from bot.usecases.index_ports import Generation, Shelf

_ONE = 1


class SqlIndexes:
    """The port Indexes, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def installation(self) -> str:
        """A word of this database's own. Raises Conflict when another process just made it."""
        query = select(installations.c.id)
        found = await self._transaction.read(query)
        if not found:
            row = {"one": _ONE, "id": uuid4().hex[:12]}
            await self._transaction.write(insert(installations).values(row))
            found = await self._transaction.read(query)
        return str(found[0].id)

    async def use(self, edition: str, now: datetime) -> None:
        """Note that a process with this edition of the corpus is at work."""
        known = update(index_editions).where(index_editions.c.edition == edition)
        if not await self._transaction.write(known.values(last_seen_at=now)):
            row = {"edition": edition, "first_seen_at": now, "last_seen_at": now}
            await self._transaction.write(insert(index_editions).values(row))

    async def wanted(self, since: datetime) -> str | None:
        """The edition that came last, of those at work since then."""
        found = await self._transaction.read(
            select(index_editions.c.edition)
            .where(index_editions.c.last_seen_at >= since)
            .order_by(index_editions.c.first_seen_at.desc(), index_editions.c.edition.desc())
            .limit(1)
        )
        return str(found[0].edition) if found else None

    async def current(self) -> Sequence[Generation]:
        """The generations in use, one a shelf at most."""
        found = await self._transaction.read(
            select(index_generations)
            .where(index_generations.c.state == "current")
            .order_by(index_generations.c.shelf)
        )
        return [
            Generation(
                row.name, cast(Shelf, row.shelf), row.fingerprint, row.embedder, dict(row.counts)
            )
            for row in found
        ]

    async def begin(self, generation: Generation, now: datetime) -> None:
        """Note a generation before anything of it is written anywhere."""
        await self._transaction.write(
            insert(index_generations).values(
                name=generation.name,
                shelf=generation.shelf,
                state="building",
                fingerprint=generation.fingerprint,
                embedder=generation.embedder,
                counts=dict(generation.counts),
                made_at=now,
            )
        )

    async def publish(self, generation: Generation) -> None:
        """Put it into use instead of the one before."""
        c = index_generations.c
        await self._transaction.write(
            update(index_generations)
            .where(c.shelf == generation.shelf, c.state == "current")
            .values(state="old")
        )
        await self._transaction.write(
            update(index_generations).where(c.name == generation.name).values(state="current")
        )

    async def left(self) -> Sequence[str]:
        """Names of generations that are not in use."""
        query = select(index_generations.c.name).where(index_generations.c.state != "current")
        return [str(row.name) for row in await self._transaction.read(query)]

    async def dropped(self, name: str) -> None:
        """Nothing of it is in the index any more."""
        await self._transaction.write(
            delete(index_generations).where(index_generations.c.name == name)
        )


class SqlLeases:
    """The port Leases, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def claim(self, what: str, holder: str, now: datetime, until: datetime) -> bool:
        """Become, or stay, the one that does it. Raises Conflict at the very first."""
        c = leases.c
        mine = update(leases).where(c.what == what, or_(c.holder == holder, c.held_until < now))
        if await self._transaction.write(mine.values(holder=holder, held_until=until)):
            return True
        if await self._transaction.read(select(c.what).where(c.what == what)):
            return False
        row = {"what": what, "holder": holder, "held_until": until}
        await self._transaction.write(insert(leases).values(row))
        return True

    async def release(self, what: str, holder: str) -> None:
        """Let others do it."""
        await self._transaction.write(
            delete(leases).where(and_(leases.c.what == what, leases.c.holder == holder))
        )

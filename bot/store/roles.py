"""Rights, invitations and the audit trail on SQL, and what remains of a person who is forgotten."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select, update

from bot.store.practice_tables import (
    group_claims,
    invitations,
    movement,
    practice_opens,
    practice_prompts,
    roles,
    schedules,
)
from bot.store.tables import audit
from bot.store.transaction import Transaction
from bot.usecases.ports import AuditEntry, Grant, Invitation, Right

_PAGE = 500


class SqlRoles:
    """The port Roles, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def rights(self, telegram_id: int) -> frozenset[Right]:
        """What this person may do now; empty for a resident."""
        rows = await self._transaction.read(
            select(roles.c.rights).where(roles.c.telegram_id == telegram_id)
        )
        return frozenset(rows[0].rights) if rows else frozenset()

    async def grant(self, grant: Grant) -> None:
        """Give rights, replacing the ones held."""
        row = {
            "telegram_id": grant.telegram_id,
            "rights": sorted(grant.rights),
            "granted_at": grant.granted_at,
            "granted_by": grant.granted_by,
        }
        held = roles.c.telegram_id == grant.telegram_id
        if not await self._transaction.write(update(roles).where(held).values(row)):
            await self._transaction.write(insert(roles).values(row))

    async def revoke(self, telegram_id: int, at: datetime) -> bool:
        """Take every right away; False when there was none."""
        held = roles.c.telegram_id == telegram_id
        return bool(await self._transaction.write(delete(roles).where(held)))

    async def holders(self) -> list[Grant]:
        """Everybody who holds a right, oldest grant first."""
        rows = await self._transaction.read(
            select(roles).order_by(roles.c.granted_at, roles.c.telegram_id)
        )
        return [
            Grant(row.telegram_id, frozenset(row.rights), row.granted_at, row.granted_by)
            for row in rows
        ]

    async def invite(self, invitation: Invitation) -> None:
        """Keep an invitation."""
        await self._transaction.write(
            insert(invitations).values(
                token_sha256=invitation.token_sha256,
                rights=sorted(invitation.rights),
                made_at=invitation.made_at,
                expires_at=invitation.expires_at,
                made_by=invitation.made_by,
            )
        )

    async def accept(self, token_sha256: str, telegram_id: int, at: datetime) -> Invitation | None:
        """Use an invitation up and add its rights; None when unknown, used or expired."""
        this = invitations.c.token_sha256 == token_sha256
        used = await self._transaction.write(
            update(invitations)
            .where(this, invitations.c.used_at.is_(None), invitations.c.expires_at > at)
            .values(used_at=at)
        )
        if not used:
            return None
        (row,) = await self._transaction.read(select(invitations).where(this))
        held = await self.rights(telegram_id)
        found = frozenset(row.rights)
        await self.grant(Grant(telegram_id, held | found, at, row.made_by))
        return Invitation(row.token_sha256, found, row.made_at, row.expires_at, row.made_by)

    async def withdraw_invitations(self, made_by: str) -> int:
        """Make the unused invitations of one inviter worthless; how many."""
        return await self._transaction.write(
            delete(invitations).where(
                invitations.c.made_by == made_by, invitations.c.used_at.is_(None)
            )
        )


class SqlAudit:
    """The port Audit, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def record(self, who: str, what: str, about: str | None, at: datetime) -> None:
        """`who` is hashed before it is kept; `what` a fixed word; `about` an opaque id."""
        await self._transaction.write(
            insert(audit).values(who_sha256=sha256(who), what=what, about=about, recorded_at=at)
        )

    async def entries(self, about: str | None = None) -> AsyncIterator[AuditEntry]:
        """The trail, oldest first; only what concerns `about` when given. A page at a time."""
        page: Sequence[Row[Any]] = ()
        while True:
            wanted = select(audit).order_by(audit.c.recorded_at, audit.c.id).limit(_PAGE)
            if about is not None:
                wanted = wanted.where(audit.c.about == about)
            if page:
                last = page[-1]
                wanted = wanted.where(
                    or_(
                        audit.c.recorded_at > last.recorded_at,
                        and_(audit.c.recorded_at == last.recorded_at, audit.c.id > last.id),
                    )
                )
            page = await self._transaction.read(wanted)
            for row in page:
                yield AuditEntry(row.who_sha256, row.what, row.about, row.recorded_at)
            if len(page) < _PAGE:
                return


def sha256(who: str) -> str:
    """The hash by which the audit trail knows somebody, hexadecimal."""
    return hashlib.sha256(who.encode("utf-8")).hexdigest()


def person(telegram_id: int) -> str:
    """The hash by which opens and movement know somebody; not the one of the audit trail."""
    return sha256(f"practice:{telegram_id}")


async def forget_people(transaction: Transaction, people: Sequence[int], at: datetime) -> int:
    """Take people's rights and their part in pushing away; how many rows held them.

    Counts stay, under a hash of nothing. Schedules they made end: nobody answers for them.
    """
    rows = 0
    for telegram_id in people:
        write = transaction.write
        known = sha256(str(telegram_id))
        rows += await write(delete(roles).where(roles.c.telegram_id == telegram_id))
        rows += await write(
            delete(invitations).where(
                invitations.c.made_by == known, invitations.c.used_at.is_(None)
            )
        )
        rows += await write(
            update(schedules)
            .where(schedules.c.made_by == telegram_id, schedules.c.ended_at.is_(None))
            .values(
                ended_at=at,
                ended_because="not_allowed",
                version=schedules.c.version + 1,
                made_by=None,
            )
        )
        rows += await write(
            update(schedules).where(schedules.c.made_by == telegram_id).values(made_by=None)
        )
        for column in (practice_prompts.c.written_by, group_claims.c.claimed_by):
            rows += await write(
                update(column.table).where(column == telegram_id).values({column.name: None})
            )
        nobody = secrets.token_hex(32)
        for table in (practice_opens, movement):
            rows += await write(
                update(table)
                .where(table.c.person_sha256 == person(telegram_id))
                .values(person_sha256=nobody)
            )
        # The trail stays readable as one person's, and leads to nobody.
        for column in (audit.c.who_sha256, invitations.c.made_by, roles.c.granted_by):
            await write(update(column.table).where(column == known).values({column.name: nobody}))
    return rows

"""Who may do what: granted at the console, passed on by invitation, asked anew at every act."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from bot.usecases.ports import Clock, Grant, Invitation, Right, Store, UnitOfWork

CONSOLE: Final = "console"
Actor = int | Literal["console"]
"""Who acts: a person by Telegram id, or whoever has the machine, and therefore every right."""

EVERY_RIGHT: Final[frozenset[Right]] = frozenset(get_args(Right))
ORGANIZER: Final[frozenset[Right]] = frozenset({"organize"})
STAFF: Final[frozenset[Right]] = EVERY_RIGHT - ORGANIZER
ROLES: Final = {"organizer": ORGANIZER, "staff": STAFF}

INVITES: Final = "i_"
"""How the token of an invitation begins; a practice prompt's begins with `p_`."""
_TOKEN = re.compile(r"i_[A-Za-z0-9_-]{20,62}")

LASTS = timedelta(days=7)
"""How long an invitation can be used unless said otherwise."""
LONGEST = timedelta(days=90)


class NotAllowed(Exception):
    """The right to do this is not held (any more); nothing was changed."""

    def __init__(self, right: Right) -> None:
        """`right` is what would have been needed."""
        super().__init__(right)
        self.right = right


class BadInvitation(ValueError):
    """An invitation that cannot be made; the message says why in one sentence."""


@dataclass(frozen=True)
class Invited:
    """A link's token, told once and kept nowhere; who opens it first by `expires_at` has it."""

    token: str
    rights: frozenset[Right]
    expires_at: datetime


async def rights_of(work: UnitOfWork, actor: Actor) -> frozenset[Right]:
    """What somebody may do now."""
    return EVERY_RIGHT if actor == CONSOLE else await work.roles.rights(int(actor))


async def require(work: UnitOfWork, actor: Actor, right: Right) -> None:
    """Raise NotAllowed unless the right is held now. For acts that change something, see `act`."""
    if right not in await rights_of(work, actor):
        raise NotAllowed(right)


async def act(
    work: UnitOfWork, actor: Actor, right: Right, what: str, about: str | None, at: datetime
) -> None:
    """Begin an act: raise NotAllowed unless the right is held, note it in the audit trail.

    Asked again after the note, because writing keeps others from writing: a right seen then
    cannot be taken away before the commit.
    """
    await require(work, actor, right)
    await work.audit.record(str(actor), what, about, at)
    await require(work, actor, right)


SPEAKS: Final = "speaks"
"""The note of a seat that says which language the desk spoke last."""


async def speaks(work: UnitOfWork, telegram_id: int) -> str | None:
    """The language somebody is spoken to in private, "" when it is not known; None for whoever
    never wrote to the bot and cannot be written to."""
    folder = await work.folders.by_chat(telegram_id)
    if folder is not None and folder.resident.language:
        return folder.resident.language
    seat = await work.seats.of(telegram_id)
    if seat is None:
        return None if folder is None else ""
    return str(seat.notes.get(SPEAKS, ""))


def is_invitation(token: str) -> bool:
    """Whether what came with /start has the form of an invitation."""
    return _TOKEN.fullmatch(token) is not None


class People:
    """Granting, inviting, accepting, revoking."""

    def __init__(self, store: Store, clock: Clock, new_token: Callable[[], str]) -> None:
        """`new_token` gives at least 16 unguessable characters of A-Z a-z 0-9 _ and -."""
        self._store, self._clock, self._new_token = store, clock, new_token

    async def rights(self, actor: Actor) -> frozenset[Right]:
        """What somebody may do now; empty for a resident."""
        async with self._store.work() as work:
            return await rights_of(work, actor)

    async def known_as(self, reference: str) -> dict[int, str]:
        """People who wrote to the bot and are known by this name, number or resident id."""
        async with self._store.work() as work:
            found = await work.folders.by_reference(reference)
        return {f.identity.telegram_id: f.identity.name for f in found}

    async def holders(self, actor: Actor) -> list[Grant]:
        """Everybody who holds a right, oldest first. Raises NotAllowed without "invite"."""
        async with self._store.work() as work:
            await require(work, actor, "invite")
            return await work.roles.holders()

    async def invite(
        self, actor: Actor, rights: frozenset[Right], lasts: timedelta = LASTS
    ) -> Invited:
        """Make a link that gives `rights` to the one person who opens it first.

        Nobody passes on a right of staff that they do not hold. Raises NotAllowed, BadInvitation.
        """
        if not rights or not timedelta() < lasts <= LONGEST:
            raise BadInvitation(f"An invitation gives a right and lasts 1 to {LONGEST.days} days.")
        now = self._clock.now()
        token = INVITES + self._new_token()
        expires_at = now + lasts
        async with self._store.work() as work:
            await _require_all(work, actor, rights)
            await act(work, actor, "invite", "invited", None, now)
            made_by = actor if actor == CONSOLE else audit_hash(actor)
            invitation = Invitation(_sha256(token), rights, now, expires_at, str(made_by))
            await work.roles.invite(invitation)
            await work.commit()
        return Invited(token, rights, expires_at)

    async def accept(self, telegram_id: int, token: str) -> frozenset[Right] | None:
        """Use an invitation; what it gave. None when it is forged, used, expired or withdrawn."""
        if not is_invitation(token):
            return None
        now = self._clock.now()
        async with self._store.work() as work:
            accepted = await work.roles.accept(_sha256(token), telegram_id, now)
            if accepted is None:
                return None
            await work.audit.record(str(telegram_id), "accepted", None, now)
            await work.commit()
        return accepted.rights

    async def grant(self, actor: Actor, telegram_id: int, rights: frozenset[Right]) -> None:
        """Add rights. Raises NotAllowed without "invite", or for rights not held oneself."""
        now = self._clock.now()
        async with self._store.work() as work:
            await _require_all(work, actor, rights)
            await act(work, actor, "invite", "granted", audit_hash(telegram_id), now)
            held = await work.roles.rights(telegram_id)
            by = actor if actor == CONSOLE else audit_hash(actor)
            await work.roles.grant(Grant(telegram_id, held | rights, now, str(by)))
            await work.commit()

    async def revoke(
        self, actor: Actor, telegram_id: int, rights: frozenset[Right] = EVERY_RIGHT
    ) -> frozenset[Right]:
        """Take rights away; those that were held. Invitations they made stop working.

        Everybody may give up their own; for others' rights one must hold "invite" and the same
        rights oneself. Raises NotAllowed.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            about = audit_hash(telegram_id)
            if actor != telegram_id:
                await require(work, actor, "invite")
                await _require_all(work, actor, rights & await work.roles.rights(telegram_id))
            await work.audit.record(str(actor), "revoked", about, now)
            held = await work.roles.rights(telegram_id)
            lost = held & rights
            if actor != telegram_id:
                await require(work, actor, "invite")
            if not lost:
                return lost
            await work.roles.withdraw_invitations(about)
            if held - lost:
                by = actor if actor == CONSOLE else audit_hash(actor)
                await work.roles.grant(Grant(telegram_id, held - lost, now, str(by)))
            else:
                await work.roles.revoke(telegram_id, now)
            await work.commit()
        return lost


async def _require_all(work: UnitOfWork, actor: Actor, rights: frozenset[Right]) -> None:
    missing = rights - ORGANIZER - await rights_of(work, actor)
    if missing:
        raise NotAllowed(sorted(missing)[0])


def audit_hash(telegram_id: int) -> str:
    """The hash by which the audit trail knows a person."""
    return _sha256(str(telegram_id))


def _sha256(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8")).hexdigest()

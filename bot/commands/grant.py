"""`coach grant` and `coach revoke`: rights given and taken by whoever has the machine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import TextIO, get_args

from bot.settings import load_settings
from bot.usecases.people import CONSOLE, EVERY_RIGHT, ROLES, People
from bot.usecases.ports import Right, Store
from bot.wiring import Parts, opened

RIGHTS: Sequence[str] = get_args(Right)


def run(person: str, role: str, rights: str, stdout: TextIO, stderr: TextIO) -> int:
    """Give a role, or the named rights of it: 0 done, 1 for nobody, 2 for a role there is not."""
    wanted = chosen(role, rights)
    if isinstance(wanted, str):
        print(wanted, file=stderr)
        return 2
    return asyncio.run(_grant(person, wanted, stdout, stderr))


def revoke(person: str, role: str | None, stdout: TextIO, stderr: TextIO) -> int:
    """Take a role away, or every right: 0 done, 1 for nobody, 2 for a role there is not."""
    if role is not None and role not in ROLES:
        print(_no_role(role), file=stderr)
        return 2
    return asyncio.run(_revoke(person, ROLES[role] if role else EVERY_RIGHT, stdout, stderr))


def chosen(role: str, rights: str) -> frozenset[Right] | str:
    """The rights of a role, all or those named with commas; a sentence for what there is not."""
    if role not in ROLES:
        return _no_role(role)
    named = {r.strip() for r in rights.split(",") if r.strip()}
    offered = ROLES[role]
    if not named <= offered:
        return f"The rights of {role} are: {', '.join(r for r in RIGHTS if r in offered)}."
    return frozenset(r for r in offered if r in named) if named else offered


def people(parts: Parts, store: Store) -> People:
    """Granting and inviting over a store."""
    return People(store, parts.clock, lambda: secrets.token_urlsafe(24))


async def _grant(person: str, rights: frozenset[Right], stdout: TextIO, stderr: TextIO) -> int:
    parts = Parts(load_settings())
    async with opened(parts) as store:
        verbs = people(parts, store)
        telegram_id = await _one(verbs, person, stderr)
        if telegram_id is None:
            return 1
        await verbs.grant(CONSOLE, telegram_id, rights)
        held = await verbs.rights(telegram_id)
    print(f"Granted. May now: {', '.join(r for r in RIGHTS if r in held)}.", file=stdout)
    return 0


async def _revoke(person: str, rights: frozenset[Right], stdout: TextIO, stderr: TextIO) -> int:
    parts = Parts(load_settings())
    async with opened(parts) as store:
        verbs = people(parts, store)
        telegram_id = await _one(verbs, person, stderr)
        if telegram_id is None:
            return 1
        lost = await verbs.revoke(CONSOLE, telegram_id, rights)
    if not lost:
        print("They held no such right. Nothing was changed.", file=stdout)
    else:
        taken = ", ".join(r for r in RIGHTS if r in lost)
        print(f"Revoked: {taken}. Their unused invitations no longer work.", file=stdout)
    return 0


async def _one(verbs: People, person: str, stderr: TextIO) -> int | None:
    """The one person meant. A Telegram number need not be known yet."""
    found = await verbs.known_as(person)
    if len(found) == 1:
        return next(iter(found))
    if not found and person.isascii() and person.isdigit() and 0 < int(person) < 2**52:
        return int(person)
    if found:
        numbers = ", ".join(str(telegram_id) for telegram_id in found)
        print(f"{len(found)} people are known as that. Use a number: {numbers}.", file=stderr)
    else:
        print(
            "Nobody is known as that. They must have written to the bot once; "
            "or use their Telegram number, or `coach invite`.",
            file=stderr,
        )
    return None


def _no_role(role: str) -> str:
    return f"There is no role {role}; there are: {', '.join(ROLES)}."

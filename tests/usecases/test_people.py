"""Rights are asked at the moment of acting; an invitation works once and for a while."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.usecases.people import (
    CONSOLE,
    EVERY_RIGHT,
    ORGANIZER,
    STAFF,
    BadInvitation,
    NotAllowed,
    People,
    audit_hash,
    is_invitation,
)
from bot.usecases.ports import Store
from tests.store.places import PLACES, everything_held, opened

STAFF_MEMBER, ORGANIZER_HERE, RESIDENT = 11, 22, 33


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


@pytest.fixture
async def people(store: Store, clock: Clock) -> People:
    people = People(store, clock, lambda: secrets.token_urlsafe(24))
    await people.grant(CONSOLE, STAFF_MEMBER, STAFF)
    await people.grant(CONSOLE, ORGANIZER_HERE, ORGANIZER)
    return people


async def test_an_invitation_gives_its_rights_to_the_first_who_opens_it_and_to_nobody_else(
    people: People,
) -> None:
    invited = await people.invite(STAFF_MEMBER, ORGANIZER)
    assert is_invitation(invited.token)
    assert len(invited.token) <= 64
    assert await people.accept(RESIDENT, invited.token) == ORGANIZER
    assert await people.rights(RESIDENT) == ORGANIZER
    assert await people.accept(44, invited.token) is None
    assert await people.accept(RESIDENT, invited.token) is None
    assert await people.rights(44) == frozenset()


async def test_an_invitation_adds_to_what_is_held(people: People) -> None:
    invited = await people.invite(CONSOLE, STAFF)
    await people.accept(ORGANIZER_HERE, invited.token)
    assert await people.rights(ORGANIZER_HERE) == EVERY_RIGHT


async def test_an_expired_a_forged_and_a_strange_token_give_nothing(
    people: People, clock: Clock
) -> None:
    invited = await people.invite(CONSOLE, ORGANIZER, timedelta(days=2))
    for token in ("i_" + "A" * 32, invited.token[:-1], invited.token + "x", "", "i_'; DROP", "é"):
        assert await people.accept(RESIDENT, token) is None
    clock.time += timedelta(days=2)
    assert await people.accept(RESIDENT, invited.token) is None
    assert await people.rights(RESIDENT) == frozenset()


async def test_the_token_itself_is_kept_nowhere(people: People, store: Store) -> None:
    invited = await people.invite(CONSOLE, ORGANIZER)
    assert invited.token not in await everything_held(store)


async def test_an_invitation_of_somebody_revoked_is_worthless(people: People) -> None:
    invited = await people.invite(STAFF_MEMBER, ORGANIZER)
    assert await people.revoke(CONSOLE, STAFF_MEMBER) == STAFF
    assert await people.accept(RESIDENT, invited.token) is None


@pytest.mark.parametrize("actor", [ORGANIZER_HERE, RESIDENT])
async def test_only_who_may_invite_invites_grants_revokes_and_sees_who_may(
    people: People, store: Store, actor: int
) -> None:
    for attempt in (
        lambda: people.invite(actor, ORGANIZER),
        lambda: people.grant(actor, actor, STAFF),
        lambda: people.revoke(actor, STAFF_MEMBER),
        lambda: people.holders(actor),
    ):
        with pytest.raises(NotAllowed):
            await attempt()  # type: ignore[no-untyped-call]
    assert await people.rights(STAFF_MEMBER) == STAFF
    async with store.work() as work:
        acts = [entry.who_sha256 async for entry in work.audit.entries()]
    assert audit_hash(actor) not in acts, "what was refused was not done"


async def test_nobody_passes_on_or_takes_away_a_right_of_staff_they_do_not_hold(
    people: People,
) -> None:
    await people.grant(CONSOLE, 55, frozenset({"invite", "review"}))
    with pytest.raises(NotAllowed):
        await people.invite(55, STAFF)
    with pytest.raises(NotAllowed):
        await people.grant(55, RESIDENT, frozenset({"export"}))
    with pytest.raises(NotAllowed):
        await people.revoke(55, STAFF_MEMBER)
    assert await people.invite(55, frozenset({"review"}))
    assert await people.revoke(55, ORGANIZER_HERE) == ORGANIZER


async def test_one_role_can_be_taken_and_the_other_kept_and_anybody_can_give_up_their_own(
    people: People,
) -> None:
    await people.grant(CONSOLE, STAFF_MEMBER, ORGANIZER)
    assert await people.revoke(CONSOLE, STAFF_MEMBER, STAFF) == STAFF
    assert await people.rights(STAFF_MEMBER) == ORGANIZER
    assert await people.revoke(ORGANIZER_HERE, ORGANIZER_HERE) == ORGANIZER
    assert await people.rights(ORGANIZER_HERE) == frozenset()
    assert await people.revoke(CONSOLE, RESIDENT) == frozenset()


async def test_an_invitation_without_rights_or_end_is_refused(people: People) -> None:
    for rights, days in ((frozenset(), 3), (ORGANIZER, 0), (ORGANIZER, 91)):
        with pytest.raises(BadInvitation):
            await people.invite(CONSOLE, rights, timedelta(days=days))  # type: ignore[arg-type]


async def test_every_act_is_in_the_trail_without_a_name(people: People, store: Store) -> None:
    invited = await people.invite(STAFF_MEMBER, ORGANIZER)
    await people.accept(RESIDENT, invited.token)
    await people.revoke(CONSOLE, RESIDENT)
    async with store.work() as work:
        trail = [(e.what, e.who_sha256) async for e in work.audit.entries()]
        about = [e.what async for e in work.audit.entries(audit_hash(RESIDENT))]
    assert [what for what, _ in trail] == ["granted", "granted", "invited", "accepted", "revoked"]
    assert trail[2][1] == audit_hash(STAFF_MEMBER)
    assert trail[3][1] == audit_hash(RESIDENT)
    assert about == ["revoked"]

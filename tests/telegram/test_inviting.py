"""Staff bring in organizers from their own chat, by a link that works once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.core.turn import Choice, Line
from bot.usecases.people import CONSOLE, STAFF, People
from tests.fakes import catalogue
from tests.telegram.campaign import SHORTLY, Campaign, campaigning


@pytest.fixture(params=["en", "es"])
async def campaign(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path, request.param) as campaign:
        yield campaign


def words(campaign: Campaign, key: str) -> str:
    return catalogue().text(Line(f"invitations.{key}"), campaign.language)


def label(campaign: Campaign, key: str) -> str:
    return catalogue().label(Choice("x", f"invitations.b.{key}"), campaign.language)


async def staffed(campaign: Campaign) -> None:
    """Marta is staff."""
    people = People(campaign.stage.store, campaign.stage.clock, lambda: "S" * 24)
    made = await people.invite(CONSOLE, STAFF, SHORTLY)
    said = await campaign.types(f"/start {made.token}")
    assert words(campaign, "welcome.inviter") in said


async def test_staff_make_a_link_that_makes_one_person_an_organizer(campaign: Campaign) -> None:
    await staffed(campaign)
    assert await campaign.types("/invite") == words(campaign, "what")
    link, once = await campaign.press(label(campaign, "make"))
    token = link.rpartition("start=")[2]
    assert "start=i_" in link and token not in once
    olga, ines = (campaign.stage.person(name, campaign.language) for name in ("Olga", "Inés"))
    (welcome,) = await campaign.stage.says(olga, f"/start {token}")
    assert words(campaign, "welcome.organizer") in welcome
    (second,) = await campaign.stage.says(ines, f"/start {token}")
    assert second == words(campaign, "worthless")
    async with campaign.stage.store.work() as work:
        assert await work.roles.rights(olga.id) == {"organize"}
        assert await work.roles.rights(ines.id) == frozenset()


async def test_a_second_tap_makes_no_second_link(campaign: Campaign) -> None:
    await staffed(campaign)
    await campaign.types("/invite")
    shown = campaign.marta.chat.last_keyboard()
    assert shown is not None
    data = str(shown.rows()[0][0]["callback_data"])
    campaign.marta.presses_on(shown.id, data)
    campaign.marta.presses_on(shown.id, data)
    await campaign.stage.settled()
    assert sum("start=i_" in said for said in campaign.shown()) == 1


async def test_an_organizer_and_a_resident_cannot_invite(campaign: Campaign) -> None:
    await campaign.welcomed()
    assert await campaign.types("/invite") == words(campaign, "not_yours")
    ana = campaign.stage.person("Ana", campaign.language)
    assert await campaign.stage.says(ana, "/invite") == [words(campaign, "not_yours")]


async def test_a_right_taken_away_before_the_tap_makes_no_link(campaign: Campaign) -> None:
    await staffed(campaign)
    await campaign.types("/invite")
    async with campaign.stage.store.work() as work:
        await work.roles.revoke(campaign.marta.id, campaign.stage.clock.now())
        await work.commit()
    assert await campaign.press(label(campaign, "make")) == [words(campaign, "not_yours")]

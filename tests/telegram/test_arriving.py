"""From the invitation to the first plan: what an organizer is led through, and what they hear."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.console.refusal import bad_request
from bot.core.cities import ZONES
from bot.usecases.desk.grouping import zone_named
from tests.telegram.campaign import Campaign, campaigning
from tests.telegram.stage import eventually


@pytest.fixture(params=["en", "es"])
async def campaign(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path, request.param) as campaign:
        yield campaign


async def brings_it_to_hall(campaign: Campaign) -> None:
    await campaign.stage.says(campaign.marta, f"/start {await campaign.invitation()}")
    campaign.hall.add_bot(campaign.marta)
    await campaign.stage.settled()


async def test_who_brings_the_bot_to_a_group_is_asked_in_private_where_it_lives(
    campaign: Campaign,
) -> None:
    await brings_it_to_hall(campaign)
    asked = campaign.shown()[-1]
    assert campaign.text("groups.arrived", group="Hall") in asked
    assert campaign.text("groups.which_zone") in asked
    assert len(campaign.in_hall()) == 1, "the group hears its introduction and nothing of this"
    assert "America/Lima" in await campaign.types("Lima")
    assert (await campaign.target()).group.timezone == "America/Lima"
    assert campaign.labels()[0] == campaign.b("push")
    assert campaign.b("claim") not in campaign.labels(), "it is theirs already"


async def test_the_next_group_is_offered_the_zone_of_the_first(campaign: Campaign) -> None:
    await brings_it_to_hall(campaign)
    await campaign.types("Lima")
    campaign.stage.api.group("Yard").add_bot(campaign.marta)
    await campaign.stage.settled()
    assert "Lima" in campaign.labels()


async def test_a_prompt_chosen_before_there_was_a_group_goes_on_from_there(
    campaign: Campaign,
) -> None:
    await campaign.welcomed()
    await campaign.does("push", "any", "any", "use")
    assert campaign.text("where.no_groups") in campaign.shown()[-1]
    campaign.hall.add_bot(campaign.marta)
    await campaign.stage.settled()
    await campaign.types("Madrid")
    assert campaign.labels()[0] == campaign.b("go_on")


async def test_a_group_set_up_before_is_not_asked_again_when_the_bot_comes_back(
    campaign: Campaign,
) -> None:
    await brings_it_to_hall(campaign)
    await campaign.types("Lima")
    campaign.hall.remove_bot(campaign.marta)
    await campaign.stage.settled()
    campaign.hall.add_bot(campaign.marta)
    await campaign.stage.settled()
    again = campaign.shown()[-1]
    assert campaign.text("groups.arrived", group="Hall") in again and "America/Lima" in again
    assert campaign.text("groups.which_zone") not in again


async def test_whoever_does_not_organize_hears_nothing_in_private(campaign: Campaign) -> None:
    ana = campaign.residents[0]
    await campaign.stage.says(ana, "/start")
    campaign.hall.add_bot(ana)
    await campaign.stage.settled()
    assert campaign.stage.entries(ana) == []


async def test_an_organizer_who_was_never_coached_hears_of_a_closed_topic_once_in_their_language(
    campaign: Campaign,
) -> None:
    await brings_it_to_hall(campaign)
    await campaign.types("Madrid")
    trouble = bad_request("TOPIC_CLOSED")
    campaign.stage.api.faults.plan("sendMessage", trouble, chat_id=campaign.hall.id, times=3)
    await campaign.does("push", "any", "any", "use", "now", "send_now")
    words = {"en": "closed or gone", "es": "cerrado"}[campaign.language]
    await eventually(lambda: any(words in said for said in campaign.shown()))
    campaign.stage.clock.passes(hours=2)
    await campaign.stage.settled()
    assert sum(words in said for said in campaign.shown()) == 1


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("Boston", "America/New_York"),
        ("ciudad de México", "America/Mexico_City"),
        ("Medellín", "America/Bogota"),
        ("new york", "America/New_York"),
        ("America/Chicago", "America/Chicago"),
        ("Atlantis", None),
    ],
)
def test_a_city_is_understood_as_people_type_it(typed: str, zone: str | None) -> None:
    assert zone_named(typed) == zone


def test_every_city_has_a_zone_there_is_and_none_hides_one_of_that_name() -> None:
    known = zoneinfo.available_timezones()
    names = {name.rpartition("/")[2].casefold().replace("_", " ") for name in known}
    assert set(ZONES.values()) <= known
    assert not set(ZONES) & names


async def test_what_is_missing_comes_with_the_button_that_mends_it(campaign: Campaign) -> None:
    await brings_it_to_hall(campaign)
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    assert campaign.text("lacks.no_timezone") in await campaign.does("diagnose")
    assert campaign.text("groups.which_zone") in await campaign.does("timezone")

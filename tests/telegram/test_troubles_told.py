"""Whatever keeps a prompt from a group, whoever answers for it is told once, in their language."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.console.refusal import Refused, bad_request, forbidden
from tests.telegram.campaign import Campaign, campaigning


@pytest.fixture(params=["en", "es"])
async def campaign(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path, request.param) as campaign:
        await campaign.with_group()
        await campaign.types("Madrid")
        yield campaign


@pytest.fixture
async def english(tmp_path: Path) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path) as campaign:
        await campaign.with_group()
        await campaign.types("Madrid")
        yield campaign


async def every_tuesday(campaign: Campaign) -> None:
    await campaign.does("push", "any", "any", "use")
    await campaign.types(
        {"en": "every Tuesday 19:00", "es": "cada martes 19:00"}[campaign.language]
    )
    await campaign.does("send_later")


async def ticks(campaign: Campaign, hours: int = 0) -> None:
    """Time passes, and everything that is due is dealt with."""
    campaign.stage.clock.passes(hours=hours)
    organized = campaign.stage.coach._organized
    assert organized is not None
    await organized.pushing.tick()
    campaign.stage.coach.wake()
    await campaign.stage.settled()


def told(campaign: Campaign, words: dict[str, str]) -> int:
    """How often Marta read this."""
    return sum(words[campaign.language] in said for said in campaign.shown())


REMOVED = {"en": "taken out of “Hall”", "es": "sacado de “Hall”"}


async def test_a_bot_put_out_is_told_at_once_and_not_again_at_the_next_slot(
    campaign: Campaign,
) -> None:
    await every_tuesday(campaign)
    campaign.hall.remove_bot(campaign.residents[0])
    await campaign.stage.settled()
    assert told(campaign, REMOVED) == 1
    await ticks(campaign, 24 * 7)
    await ticks(campaign, 24 * 7)
    assert told(campaign, REMOVED) == 1 and "left_out" in await campaign.fates()
    assert not any("Hall" in said for said in campaign.shown()[-1:] if "19:00" in said)


async def test_a_bot_that_is_back_posts_again_and_its_next_removal_is_told_again(
    campaign: Campaign,
) -> None:
    await every_tuesday(campaign)
    for times in (1, 2):
        campaign.hall.remove_bot(campaign.residents[0])
        await campaign.stage.settled()
        assert told(campaign, REMOVED) == times
        campaign.hall.add_bot(campaign.marta)
        await campaign.stage.settled()
    before = len(campaign.in_hall())
    await ticks(campaign, 24 * 7)
    assert len(campaign.in_hall()) == before + 1


async def test_who_puts_it_out_themselves_need_not_be_told(english: Campaign) -> None:
    english.hall.remove_bot(english.marta)
    await english.stage.settled()
    assert told(english, REMOVED) == 0


async def test_asked_to_leave_by_an_admin_it_goes_and_whoever_answers_for_the_group_is_told_once(
    campaign: Campaign,
) -> None:
    ana = campaign.residents[0]
    campaign.hall.chat.members[ana.id] = "administrator"
    ana.says("/leave@story_coach_bot", group=campaign.hall)
    await campaign.stage.settled()
    assert campaign.hall.chat.gone
    asked = {"en": "asked me to leave “Hall”", "es": "“Hall” me pidió salir"}
    assert (told(campaign, asked), told(campaign, REMOVED)) == (1, 0)


async def test_the_right_to_write_taken_away_is_told_at_once(campaign: Campaign) -> None:
    campaign.hall.restrict_bot(campaign.residents[0])
    await campaign.stage.settled()
    words = {"en": "not allowed to write in “Hall”", "es": "no me dejan escribir en “Hall”"}
    assert told(campaign, words) == 1


TROUBLES = {
    "topic_closed": (bad_request("TOPIC_CLOSED"), "“Hall” is closed or gone"),
    "topic_gone": (bad_request("message thread not found"), "“Hall” is closed or gone"),
    "no_rights": (bad_request("CHAT_WRITE_FORBIDDEN"), "not allowed to write in “Hall”"),
    "kicked": (forbidden("bot was kicked from the supergroup chat"), "taken out of “Hall”"),
    "gone": (bad_request("chat not found"), "can't find “Hall”"),
    "deleted": (forbidden("the group chat was deleted"), "can't find “Hall”"),
}


@pytest.mark.parametrize("name", sorted(TROUBLES))
async def test_a_refused_post_is_told_once_and_results_say_why_in_words(
    english: Campaign, name: str
) -> None:
    trouble, words = TROUBLES[name]
    assert isinstance(trouble, Refused)
    await english.does("push", "any", "any", "use")
    english.stage.api.faults.plan("sendMessage", trouble, chat_id=english.hall.id)
    await english.does("now", "send_now")
    await ticks(english)
    await ticks(english, 2)
    told_of = [said for said in english.shown() if words in said or "did not reach" in said]
    assert len(told_of) == 1 and words in told_of[0]
    await english.home()
    said = await english.does("results")
    (failed,) = [line for line in said.splitlines() if "Did not get through" in line]
    assert not any(raw in failed for raw in ("_", "Paused", "Forbidden", "BadRequest"))


async def test_a_refusal_nobody_knows_is_told_once_too(english: Campaign) -> None:
    await english.does("push", "any", "any", "use")
    trouble = bad_request("something new")
    english.stage.api.faults.plan("sendMessage", trouble, chat_id=english.hall.id)
    await english.does("now", "send_now")
    await ticks(english)
    await ticks(english, 2)
    assert sum("Telegram refused it in “Hall”" in said for said in english.shown()) == 1


async def test_what_a_colleague_planned_for_a_group_of_mine_is_told_to_both_once(
    english: Campaign,
) -> None:
    await every_tuesday(english)
    olga = english.stage.person("Olga")
    token = await english.invitation("B" * 24)
    await english.stage.says(olga, f"/start {token}")
    async with english.stage.store.work() as work:
        await work.practice.claim_group(
            (await english.target()).group.id, olga.id, english.stage.clock.now()
        )
        await work.commit()
    english.hall.remove_bot(english.residents[0])
    await ticks(english, 24 * 7)
    await ticks(english, 24 * 7)
    await english.stage.settled()
    olga_read = [e.text for e in english.stage.api.transcript(olga) if e.who == "bot"]
    assert sum("taken out of “Hall”" in said for said in olga_read) == 1
    assert sum("been taken out of “Hall”" in said for said in english.shown()) == 1


async def test_a_group_that_becomes_a_supergroup_is_told_once_and_its_plan_goes_along(
    campaign: Campaign,
) -> None:
    await every_tuesday(campaign)
    campaign.hall = campaign.hall.moves()
    await campaign.stage.settled()
    words = {"en": "“Hall” is a supergroup now", "es": "“Hall” ahora es un supergrupo"}
    assert told(campaign, words) == 1
    await ticks(campaign, 24 * 7)
    assert len(campaign.in_hall()) == 1 and told(campaign, words) == 1


async def test_a_move_found_out_by_a_post_is_told_once_too(english: Campaign) -> None:
    await english.does("push", "any", "any", "use", "now")
    old = english.hall
    held = english.stage.api.updates.put
    english.stage.api.updates.put = lambda *given: None  # type: ignore[method-assign,assignment]
    english.hall = old.moves()
    english.stage.api.updates.put = held  # type: ignore[method-assign]
    await english.does("send_now")
    await ticks(english)
    assert len(english.in_hall()) == 1
    assert sum("“Hall” is a supergroup now" in said for said in english.shown()) == 1


async def test_brought_back_by_a_resident_the_group_stays_its_organizers_who_is_told(
    campaign: Campaign,
) -> None:
    await every_tuesday(campaign)
    campaign.hall.remove_bot(campaign.residents[0])
    await campaign.stage.settled()
    campaign.hall.add_bot(campaign.residents[0])
    await campaign.stage.settled()
    assert told(campaign, {"en": "I'm back in “Hall”", "es": "Volví a “Hall”"}) == 1
    before = len(campaign.in_hall())
    await ticks(campaign, 24 * 7)
    assert len(campaign.in_hall()) == before + 1


async def test_a_resident_who_brought_the_bot_is_not_troubled_with_an_organizers_news(
    english: Campaign,
) -> None:
    ana, ben = english.residents[:2]
    await english.stage.says(ana, "/start")
    yard = english.stage.api.group("Yard")
    for change in (yard.add_bot, yard.remove_bot):
        change(ana if change == yard.add_bot else ben)
        await english.stage.settled()
    yard.add_bot(ben)
    await english.stage.settled()
    yard.moves()
    await english.stage.settled()
    assert english.stage.entries(ana) == []

"""What an organizer can do at the desk, button by button, in both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from bot.core.movement import Step
from bot.core.narrative import Element, StoryOf
from bot.core.schedule import Quiet, Repeat
from bot.words.practice import load_library
from tests.telegram.campaign import Campaign, campaigning


@pytest.fixture(params=["en", "es"])
async def campaign(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path, request.param) as campaign:
        yield campaign


@pytest.fixture
async def english(tmp_path: Path) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path) as campaign:
        yield campaign


# -- groups -------------------------------------------------------------------------------------


async def brought_by_somebody_else(campaign: Campaign) -> None:
    """Marta organizes; Ana brought the bot to Hall."""
    await campaign.welcomed()
    campaign.hall.add_bot(campaign.residents[0])
    await campaign.stage.settled()
    await campaign.home()


async def test_an_organizer_who_is_an_admin_claims_a_group(campaign: Campaign) -> None:
    campaign.hall.join(campaign.marta, "administrator")
    await brought_by_somebody_else(campaign)
    await campaign.does("groups")
    said = await campaign.press("Hall")
    assert campaign.text("groups.nobody") in said[0]
    said_then = await campaign.does("claim")
    assert campaign.text("groups.claimed") in said_then
    assert campaign.text("groups.mine") in said_then
    assert (await campaign.target()).claimed_by == campaign.marta.id
    assert campaign.b("claim") not in campaign.labels()


async def test_a_plain_member_and_an_anonymous_admin_are_refused_in_words(
    campaign: Campaign,
) -> None:
    # Telegram shows an anonymous admin to nobody: for the bot she is a plain member.
    campaign.hall.join(campaign.marta)
    await brought_by_somebody_else(campaign)
    await campaign.does("groups")
    await campaign.press("Hall")
    assert campaign.text("refused.not_an_admin") in await campaign.does("claim")
    assert (await campaign.target()).claimed_at is None


async def test_language_zone_tags_and_topic_are_set_and_the_diagnosis_follows(
    campaign: Campaign,
) -> None:
    await campaign.with_group()
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    said = await campaign.does("diagnose")
    assert campaign.text("lacks.no_timezone") in said
    await campaign.does("back", "timezone")
    assert campaign.text("groups.zone_unknown") in await campaign.types("Atlantis")
    assert "America/Lima" in await campaign.types("lima")
    await campaign.does("language")
    await campaign.press("Español")
    await campaign.does("labels")
    assert "north, tenants" in await campaign.types("Tenants, NORTH")
    await campaign.does("topic")
    assert campaign.text("groups.topic_unknown") in await campaign.types("the second one")
    await campaign.types("https://t.me/c/1234567890/15")
    assert campaign.text("lacks.nothing") in await campaign.does("diagnose")
    target = await campaign.target()
    assert (target.group.timezone, target.group.language) == ("America/Lima", "es")
    assert (target.tags, target.group.topic) == ({"north", "tenants"}, 15)
    await campaign.does("back", "topic", "main_topic")
    assert (await campaign.target()).group.topic is None


async def test_the_diagnosis_says_that_writing_is_not_allowed(campaign: Campaign) -> None:
    await campaign.with_group()
    campaign.hall.restrict_bot(campaign.residents[0])
    await campaign.stage.settled()
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    assert campaign.text("lacks.no_rights") in await campaign.does("diagnose")


async def test_the_diagnosis_asks_telegram_whether_writing_is_allowed_now(
    campaign: Campaign,
) -> None:
    await campaign.with_group()
    await campaign.types("Madrid")
    campaign.hall.silences_members()
    said = await campaign.does("diagnose")
    assert campaign.text("lacks.no_rights") in said
    campaign.hall.silences_members(False)
    assert campaign.text("lacks.no_rights") not in await campaign.does("look_again")


async def test_looking_again_after_mending_lets_prompts_through_again(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.types("Madrid")
    campaign.hall.silences_members()
    await campaign.does("push", "any", "any", "use", "now", "send_now")
    await campaign.stage.settled()
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    assert campaign.text("lacks.no_rights") in await campaign.does("diagnose")
    campaign.hall.silences_members(False)
    assert campaign.text("lacks.nothing") in await campaign.does("look_again")
    await campaign.pushes_now()


async def test_another_topic_ends_the_trouble_with_the_closed_one(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.types("Madrid")
    target = await campaign.target()
    async with campaign.stage.store.work() as work:
        await work.recipients.pause(
            target.group.chat_id, "topic_closed", campaign.stage.clock.now()
        )
        await work.commit()
    assert campaign.text("lacks.topic_closed") in await campaign.does("diagnose")
    await campaign.does("topic")
    await campaign.types("https://t.me/c/1234567890/15")
    assert campaign.text("lacks.nothing") in await campaign.does("diagnose")


# -- when ---------------------------------------------------------------------------------------


async def test_once_at_a_time_posts_at_that_time(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    said = await campaign.does("tonight")
    assert "19:00" in said and campaign.text("preview.as_seen") in said
    await campaign.does("send_later")
    before = len(campaign.in_hall())
    campaign.stage.clock.passes(hours=1)
    await campaign.posted(before + 1)
    assert await campaign.fates() == ["posted"]


@pytest.mark.parametrize(
    ("typed", "repeat", "days"),
    [
        ({"en": "every Tuesday 19:00", "es": "cada martes 19:00"}, Repeat.WEEKLY, {1}),
        (
            {"en": "every second Friday at 18:30", "es": "cada dos semanas viernes 18:30"},
            Repeat.FORTNIGHTLY,
            {4},
        ),
        (
            {"en": "first Monday of every month 9:00", "es": "primer lunes de cada mes 9:00"},
            Repeat.MONTHLY,
            {0},
        ),
    ],
)
async def test_a_repeating_time_is_typed_and_three_dates_are_shown(
    campaign: Campaign, typed: dict[str, str], repeat: Repeat, days: set[int]
) -> None:
    await campaign.with_group()
    await campaign.chooses()
    said = await campaign.types(typed[campaign.language])
    assert said.count("(UTC)") == 3
    await campaign.does("send_later")
    (kept,) = await campaign.schedules()
    assert (kept.rule.repeat, kept.rule.weekdays) == (repeat, days)


async def test_a_repeating_time_is_pressed(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    await campaign.does("weekly")
    said = await campaign.press("12:30")
    assert "12:30" in said[-1]
    await campaign.does("send_later")
    (kept,) = await campaign.schedules()
    assert (kept.rule.repeat, kept.rule.at) == (Repeat.WEEKLY, time(12, 30))


async def test_other_weekdays_are_ticked(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.types("Madrid")
    await campaign.chooses()
    await campaign.does("weekly", "other_days")
    (tuesday,) = [label for label in campaign.labels() if label.startswith("☑")]
    await campaign.press(tuesday)
    assert tuesday in campaign.labels(), "one day at least stays"
    await campaign.press(campaign.labels()[3])
    await campaign.press(tuesday)
    await campaign.press(campaign.labels()[0])
    assert campaign.text("when.weekly_days") in await campaign.does("ticked")
    await campaign.press("12:30")
    await campaign.does("send_later")
    (kept,) = await campaign.schedules()
    assert kept.rule.weekdays == {0, 3}


async def test_a_time_nobody_understands_is_asked_for_again(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    assert campaign.text("when.not_understood") in await campaign.types("when the moon is full")
    assert campaign.b("now") in campaign.labels()


# -- changing one's mind ------------------------------------------------------------------------


async def planned_weekly(campaign: Campaign) -> None:
    """Every Tuesday at seven; Marta looks at the plan."""
    await campaign.with_group()
    await campaign.chooses()
    await campaign.types("every Tuesday 19:00")
    await campaign.does("send_later", "plans")
    await campaign.press(campaign.labels()[0])


async def test_a_plan_is_paused_resumed_skipped_and_ended(campaign: Campaign) -> None:
    await planned_weekly(campaign)
    assert campaign.text("plans.paused") in await campaign.does("pause")
    before = len(campaign.in_hall())
    campaign.stage.clock.passes(hours=2)
    await campaign.does("resume")
    assert len(campaign.in_hall()) == before, "what fell into the pause is not made up for"
    assert "2026-11-10 19:00" in await campaign.does("skip")
    (kept,) = await campaign.schedules()
    assert kept.skipped == {"2026-11-10T19:00"}
    assert campaign.text("plans.really") in await campaign.does("end")
    await campaign.does("keep")
    assert await campaign.schedules()
    await campaign.does("end")
    assert campaign.text("plans.ended") in await campaign.does("really_end")
    assert not await campaign.schedules()


# -- whom ---------------------------------------------------------------------------------------


async def test_a_group_prompted_not_long_ago_is_spared_unless_asked_otherwise(
    campaign: Campaign,
) -> None:
    await campaign.with_group()
    await campaign.pushes_now()
    await campaign.chooses()
    said = await campaign.does("now")
    assert campaign.text("why.recent") in said
    assert campaign.b("send_now") not in campaign.labels()
    await campaign.does("change_where")
    for days in ("3", "7", "14"):
        await campaign.press(campaign.b("rest", days=days))
    await campaign.press(campaign.b("all", count="1"))
    assert campaign.text("why.recent") not in await campaign.does("now")


async def test_groups_are_meant_by_tag_or_one_by_one(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    await campaign.does("labels")
    await campaign.types("north")
    await campaign.home()
    await campaign.does("push", "any", "any", "use", "back", "tags")
    await campaign.press("☐ north")
    await campaign.does("ticked")
    assert "Hall" in await campaign.does("now")
    await campaign.does("change_where", "one")
    await campaign.press("☐ Hall")
    await campaign.does("ticked")
    assert "Hall" in await campaign.does("now")


# -- a prompt of one's own ----------------------------------------------------------------------


async def test_a_prompt_of_ones_own_is_hinted_at_kept_and_posted(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.home()
    await campaign.does("write")
    said = await campaign.types("Which door? And which face?")
    assert campaign.text("own.two_questions") in said
    await campaign.does("write_again")
    said = await campaign.types("Whose door did you knock on first?")
    assert campaign.text("own.two_questions") not in said
    await campaign.does("stage.self")
    assert campaign.text("own.kept") in await campaign.does("season.building")
    await campaign.press(campaign.b("all", count="1"))
    before = len(campaign.in_hall())
    await campaign.does("now", "send_now")
    await campaign.posted(before + 1)
    assert campaign.in_hall()[-1].startswith("Whose door did you knock on first?")


# -- ways back and ends -------------------------------------------------------------------------


async def test_a_prompt_is_chosen_by_the_move_it_practises(campaign: Campaign) -> None:
    await campaign.welcomed()
    await campaign.home()
    await campaign.does("push", "any", "stage.us")
    every = len([p for p in load_library(["en", "es"]).values() if p.stage is StoryOf.US])
    assert campaign.text("choose.number", number="1", all=str(every)) in campaign.shown()[-1]
    assert campaign.text("choose.move") in await campaign.does("moves")
    chosen = [p for p in load_library(["en", "es"]).values() if p.move is Element.US_CHOICE]
    said = await campaign.does("move.us.choice")
    assert campaign.text("choose.number", number="1", all=str(len(chosen))) in said
    assert chosen[0].text(campaign.language) in said
    await campaign.does("moves", "back")
    assert campaign.text("choose.number", number="1", all=str(every)) in campaign.shown()[-1]
    await campaign.does("moves", "move.us.who", "back", "stage.now")
    assert campaign.b("moves") in campaign.labels(), "another story begins with all its moves"


async def test_back_leads_back_and_a_draft_waits_at_home(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    await campaign.does("now")
    assert campaign.text("when.ask") in await campaign.does("back")
    assert campaign.text("where.ask") in await campaign.does("back")
    await campaign.home()
    assert campaign.b("go_on") in campaign.labels()
    assert campaign.text("where.ask") in await campaign.does("go_on")


async def test_an_old_button_does_nothing_and_leads_home(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    await campaign.does("now")
    last = campaign.stage.api.transcript(campaign.marta)[-1]
    sent = campaign.marta.chat.messages[last.message_id].rows()[0][0]
    await campaign.does("send_now")
    campaign.marta.presses_on(last.message_id, str(sent["callback_data"]))
    await campaign.stage.settled()
    assert campaign.text("home.hello") in campaign.shown()[-1]
    assert len(await campaign.schedules(ended=True)) == 1


async def test_revoked_half_way_the_last_tap_posts_nothing(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.chooses()
    await campaign.does("now")
    async with campaign.stage.store.work() as work:
        await work.roles.revoke(campaign.marta.id, campaign.stage.clock.now())
        await work.commit()
    assert await campaign.does("send_now") == campaign.text("not_yours")
    assert not await campaign.schedules(ended=True)


async def test_results_say_few_in_words_and_name_nobody(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.pushes_now()
    for resident in campaign.residents:
        resident.starts(campaign.token())
    await campaign.stage.settled()
    await campaign.home()
    said = await campaign.does("results")
    few = {"en": "fewer than five", "es": "menos de cinco"}[campaign.language]
    assert campaign.text("results.opened", count=few) in said
    for verb in ("by_group", "by_prompt", "by_week", "movement"):
        page = await campaign.does(verb)
        assert not any(person.name in page for person in campaign.residents)
        assert "3" not in page.replace("2026", "").replace("W45", "")
        await campaign.does("back")


async def test_an_invitation_opens_once(english: Campaign) -> None:
    token = await english.invitation()
    first = await english.stage.says(english.marta, f"/start {token}")
    assert first[0].startswith("Welcome.")
    second = await english.stage.says(english.residents[0], f"/start {token}")
    assert second[0].startswith("This invitation opens nothing any more")
    late = await english.invitation("B" * 24)
    english.stage.clock.at += timedelta(days=2)
    third = await english.stage.says(english.residents[1], f"/start {late}")
    assert third[0].startswith("This invitation opens nothing any more")


# -- bounds, languages, changes -----------------------------------------------------------------


async def test_quiet_hours_and_a_last_day_are_chosen_typed_and_taken_out(
    campaign: Campaign,
) -> None:
    await campaign.with_group()
    await campaign.chooses()
    await campaign.types(
        {"en": "every Tuesday 23:00", "es": "cada martes 23:00"}[campaign.language]
    )
    said = await campaign.does("quiet")
    assert campaign.text("quiet.ask") in said
    assert campaign.text("quiet.not_understood") in await campaign.types("at night")
    said = await campaign.types("22:00-7:30")
    assert campaign.text("rule.quiet", begins="22:00", ends="07:30") in said
    assert "23:00 (UTC)" not in said and said.count("7:30 (UTC)") == 3
    await campaign.does("until")
    assert campaign.text("until.not_understood") in await campaign.types("some day")
    assert campaign.text("until.too_soon") in await campaign.types("2026-01-01")
    typed = {"en": "December 1", "es": "1 de diciembre"}[campaign.language]
    await campaign.types(typed)
    await campaign.does("send_later")
    (kept,) = await campaign.schedules()
    assert kept.rule.until == date(2026, 12, 1)
    assert kept.rule.quiet == Quiet(time(22), time(7, 30))


async def test_a_plan_is_changed_from_here_on_and_only_when_saved(campaign: Campaign) -> None:
    await planned_weekly(campaign)
    (before,) = await campaign.schedules()
    await campaign.does("change", "quiet")
    await campaign.press("21:00 – 08:00")
    assert (await campaign.schedules())[0].rule == before.rule, "nothing changes until it is saved"
    await campaign.does("until")
    await campaign.press(campaign.b("weeks", count="8"))
    await campaign.does("change_when")
    await campaign.types(
        {"en": "every Friday 18:00", "es": "cada viernes 18:00"}[campaign.language]
    )
    await campaign.does("another", "season.building", "stage.us", "use")
    assert campaign.text("plans.changed") in await campaign.does("save")
    (after,) = await campaign.schedules()
    assert (after.id, after.rule.weekdays, after.rule.at) == (before.id, {4}, time(18))
    assert after.rule.quiet == Quiet(time(21), time(8))
    assert after.rule.until == before.rule.first + timedelta(weeks=8)
    assert after.prompts != before.prompts and after.aim == before.aim


async def test_a_change_given_up_changes_nothing_and_a_push_begun_comes_back(
    campaign: Campaign,
) -> None:
    await planned_weekly(campaign)
    (before,) = await campaign.schedules()
    await campaign.chooses()
    await campaign.home()
    await campaign.does("plans")
    await campaign.press(campaign.labels()[0])
    await campaign.does("change", "quiet")
    await campaign.press("21:00 – 08:00")
    await campaign.does("home")
    assert await campaign.schedules() == [before]
    assert campaign.b("go_on") in campaign.labels()


async def test_groups_are_meant_by_language(campaign: Campaign) -> None:
    await campaign.with_group()
    yard = campaign.stage.api.group("Yard")
    yard.add_bot(campaign.marta)
    await campaign.stage.settled()
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Yard")
    await campaign.does("language")
    await campaign.press("Español")
    await campaign.home()
    await campaign.does("groups")
    await campaign.press("Hall")
    await campaign.does("language")
    await campaign.press("English")
    await campaign.home()
    await campaign.does("push", "any", "any", "use", "languages")
    await campaign.press("☐ Español")
    await campaign.does("ticked")
    said = await campaign.does("now")
    assert "Yard" in said and "Hall" not in said
    await campaign.does("send_now")
    await campaign.stage.settled()
    (kept,) = await campaign.schedules(ended=True)
    assert kept.aim.languages == {"es"}


# -- closing the loop ---------------------------------------------------------------------------


async def finished_by(campaign: Campaign, people: int) -> None:
    """So many people finished a telling after the last prompt in Hall."""
    now = campaign.stage.clock.now()
    async with campaign.stage.store.work() as work:
        delivery = await work.practice.by_token(campaign.token())
        assert delivery is not None
        # Six more who began and six who only looked: else their small number would follow.
        for person in range(1000, 1000 + people + 12):
            await work.practice.open(delivery.id, person, now)
            if person < 1000 + people + 6:
                await work.practice.reached(delivery.id, person, {Step.BEGAN}, now)
            if person < 1000 + people:
                await work.practice.reached(delivery.id, person, {Step.FINISHED}, now)
        await work.commit()


@pytest.mark.parametrize(("people", "counted"), [(4, False), (7, True)])
async def test_a_follow_up_says_a_number_only_where_it_is_not_small(
    campaign: Campaign, people: int, counted: bool
) -> None:
    await campaign.with_group()
    await campaign.pushes_now()
    await finished_by(campaign, people)
    before = campaign.in_hall()
    await campaign.home()
    await campaign.does("results", "follow")
    said = await campaign.press(campaign.labels()[0])
    await campaign.does("send_now")
    await campaign.posted(len(before) + 1)
    posted = campaign.in_hall()[-1]
    assert any(posted.splitlines()[0] in each for each in said), "posted as shown"
    assert (str(people) in posted) == counted
    assert not any(person.name in posted for person in campaign.residents)


async def test_a_second_tap_or_a_lost_right_posts_no_follow_up(campaign: Campaign) -> None:
    await campaign.with_group()
    await campaign.pushes_now()
    await campaign.home()
    await campaign.does("results", "follow")
    await campaign.press(campaign.labels()[0])
    last = campaign.stage.api.transcript(campaign.marta)[-1]
    send = str(campaign.marta.chat.messages[last.message_id].rows()[0][0]["callback_data"])
    before = len(campaign.in_hall())
    campaign.marta.presses_on(last.message_id, send)
    campaign.marta.presses_on(last.message_id, send)
    await campaign.posted(before + 1)
    assert len(campaign.in_hall()) == before + 1
    await campaign.home()
    await campaign.does("results", "follow")
    said = await campaign.press(campaign.labels()[0])
    assert campaign.text("refused.all_told") in said[-1], "numbers are told once a day"
    campaign.stage.clock.at += timedelta(days=1)
    await campaign.home()
    await campaign.does("results", "follow")
    await campaign.press(campaign.labels()[0])
    async with campaign.stage.store.work() as work:
        await work.roles.revoke(campaign.marta.id, campaign.stage.clock.now())
        await work.commit()
    assert await campaign.does("send_now") == campaign.text("not_yours")
    assert len(campaign.in_hall()) == before + 1

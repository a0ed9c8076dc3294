"""What an organizer may do, and that nobody else may do any of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.core.movement import Hidden, Movement, Step
from bot.core.narrative import Element, StoryOf
from bot.core.practice import Aim, LeftOut, PromptRefused, Season
from bot.core.schedule import Quiet, Repeat, Rule, ScheduleRefused
from bot.usecases.organizers import Refused
from bot.usecases.people import CONSOLE, NotAllowed
from bot.usecases.ports import Grant
from tests.databases import ENGINE
from tests.store.places import opened
from tests.usecases.pushing_world import (
    COLLEAGUE,
    ORGANIZER,
    RESIDENT,
    World,
    link_of,
    plan,
    weekly,
)

STAFF = 77


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(ENGINE, tmp_path) as store:
        world = World(store)
        await world.allow(ORGANIZER, COLLEAGUE)
        rights = frozenset({"review", "approve", "export", "invite"})
        async with store.work() as work:
            await work.roles.grant(Grant(STAFF, rights, world.time, "console"))  # type: ignore[arg-type]
            await work.commit()
        yield world


@pytest.mark.parametrize("actor", [RESIDENT, STAFF])
async def test_who_does_not_organize_can_do_and_see_nothing_here(world: World, actor: int) -> None:
    (hill,) = await world.add_groups("Hill")
    made = await world.organizers.push(ORGANIZER, plan(weekly(world)))
    verbs = world.organizers
    now = plan(Rule.right_now(world.time), hill)
    attempts: list[Any] = [
        verbs.prompts(actor),
        verbs.write_prompt(actor, "When?", "en", Element.US_WHO, Season.RESTING),
        verbs.retire_prompt(actor, "own-1"),
        verbs.groups(actor),
        verbs.find_groups(actor, "Hill"),
        verbs.claim_group(actor, hill, is_admin=True),
        verbs.claim_group(actor, "no such group", is_admin=True),
        verbs.set_up_group(actor, hill, timezone="UTC"),
        verbs.diagnose(actor, hill),
        verbs.preview(actor, now),
        verbs.push(actor, now),
        verbs.schedules(actor),
        verbs.pause(actor, made.id),
        verbs.resume(actor, made.id),
        verbs.skip_next(actor, made.id),
        verbs.edit(actor, made.id, now),
        verbs.end(actor, made.id),
        world.board.results(actor),
    ]
    async with world.store.work() as work:
        before = [entry async for entry in work.audit.entries()]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            await attempt
    async with world.store.work() as work:
        assert [entry async for entry in work.audit.entries()] == before
        (still,) = await work.practice.schedules()
    assert (still.version, still.is_active) == (made.version, True)


async def test_the_preview_shows_the_post_the_groups_their_local_times_and_who_is_left_out(
    world: World,
) -> None:
    await world.add_groups("Hill", language="es")
    await world.add_groups("Tokyo", timezone="Asia/Tokyo")
    (gone,) = await world.add_groups("Gone", standing="left")
    (foreign,) = await world.add_groups("Foreign")
    async with world.store.work() as work:
        (target,) = await work.practice.targets({foreign})
        await work.groups.save(replace(target.group, added_by=RESIDENT, timezone=None))
        await work.commit()
    wanted = replace(plan(weekly(world)), aim=Aim(frozenset({"g-Hill", "g-Tokyo", gone, foreign})))
    preview = await world.organizers.preview(ORGANIZER, wanted)
    assert [(p.title, p.language, p.zone, p.zone_is_guess) for p in preview.groups] == [
        ("Hill", "es", "Europe/Madrid", False),
        ("Tokyo", "en", "Asia/Tokyo", False),
    ]
    assert [t.isoformat() for t in preview.groups[0].times] == [
        "2026-11-24T18:00:00+01:00",
        "2026-12-01T18:00:00+01:00",
        "2026-12-08T18:00:00+01:00",
    ]
    assert preview.groups[1].times[0].isoformat() == "2026-12-01T18:00:00+09:00"
    assert dict(preview.left_out) == {"Gone": LeftOut.LEFT, "Foreign": LeftOut.UNCLAIMED}
    assert set(preview.posts) == {"en", "es"}
    assert preview.posts["es"].lines[0].words == {"prompt": "¿Casi te callas?"}
    assert not await world.outbox(), "a preview does nothing"


async def test_what_the_preview_promises_is_what_is_posted(world: World) -> None:
    await world.add_groups("Hill", language="es")
    wanted = plan(weekly(world))
    preview = await world.organizers.preview(ORGANIZER, wanted)
    await world.organizers.push(ORGANIZER, wanted)
    for at in preview.groups[0].times:
        assert await world.pushing.next_due() == at
        world.time = at
        assert (await world.pushing.tick()).posted == 1
    (line,) = preview.posts["es"].lines
    for item in await world.pushes():
        assert item.body["lines"] == [[line.key, dict(line.words), {}]]
        assert link_of(item).startswith("https://t.me/")


async def test_a_push_to_nobody_or_to_no_time_is_refused(world: World) -> None:
    past = Rule(Repeat.ONCE, date(2026, 11, 1), time(9))
    for wanted, problem in (
        (plan(weekly(world)), "no_groups"),
        (plan(weekly(world), "g-nowhere"), "no_groups"),
    ):
        with pytest.raises(Refused) as refused:
            await world.organizers.push(ORGANIZER, wanted)
        assert refused.value.problem == problem
    await world.add_groups("Hill")
    for wanted, problem in (
        (plan(past), "no_time_left"),
        (replace(plan(weekly(world)), prompts=()), "no_prompt"),
        (replace(plan(weekly(world)), prompts=("nothing",)), "unknown_prompt"),
    ):
        with pytest.raises(Refused) as refused:
            await world.organizers.push(ORGANIZER, wanted)
        assert refused.value.problem == problem


async def test_an_own_prompt_is_kept_for_colleagues_and_gone_once_retired(world: World) -> None:
    verbs = world.organizers
    made = await verbs.write_prompt(
        ORGANIZER, "  Who sat beside you on the stairs? ", "en", Element.US_WHO, Season.DECIDING
    )
    assert made.texts == {"en": "Who sat beside you on the stairs?"}
    found = await verbs.prompts(COLLEAGUE, stage=StoryOf.US)
    assert [p.id for p in found] == [made.id]
    assert await verbs.prompts(COLLEAGUE, stage=StoryOf.US, language="es") == []
    await world.add_groups("Hill")
    await verbs.push(COLLEAGUE, replace(plan(weekly(world)), prompts=(made.id, "door")))
    await verbs.retire_prompt(COLLEAGUE, made.id)
    assert await verbs.prompts(ORGANIZER, stage=StoryOf.US) == []
    world.time += timedelta(hours=7)
    await world.pushing.tick()
    (item,) = await world.pushes()
    assert "opened a door" in str(item.body), "the other one takes its turn"
    with pytest.raises(Refused):
        await verbs.retire_prompt(ORGANIZER, "quiet")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), (" \u200b ", "empty"), ("?!", "empty"), ("word " * 81, "too_long"),
     ("x" * 601, "too_long")],
)  # fmt: skip
async def test_an_own_prompt_without_words_or_with_too_many_is_refused(
    world: World, text: str, reason: str
) -> None:
    with pytest.raises(PromptRefused) as refused:
        await world.organizers.write_prompt(ORGANIZER, text, "en", Element.US_WHO, Season.STARTING)
    assert refused.value.reason == reason


async def test_only_an_admin_or_who_added_the_bot_claims_a_group_and_only_once(
    world: World,
) -> None:
    (hill,) = await world.add_groups("Hill")
    verbs = world.organizers
    with pytest.raises(Refused) as refused:
        await verbs.claim_group(COLLEAGUE, hill, is_admin=False)
    assert refused.value.problem == "not_an_admin"
    claimed = await verbs.claim_group(COLLEAGUE, hill, is_admin=True)
    assert claimed.claimed_by == COLLEAGUE
    assert await verbs.claim_group(COLLEAGUE, hill, is_admin=True) == claimed
    with pytest.raises(Refused) as refused:
        await verbs.claim_group(ORGANIZER, hill, is_admin=True)
    assert refused.value.problem == "already_claimed"


async def test_a_group_is_set_up_piece_by_piece_and_diagnosed(world: World) -> None:
    (hill,) = await world.add_groups("Hill", topic=5)
    verbs = world.organizers
    async with world.store.work() as work:
        (target,) = await work.practice.targets({hill})
        await work.groups.save(replace(target.group, timezone=None))
        await work.recipients.pause(target.group.chat_id, "topic_closed", world.time)
        await work.commit()
    assert (await verbs.diagnose(ORGANIZER, hill)).lacks == (
        "topic_closed", "no_timezone", "no_language", "not_admin",
    )  # fmt: skip
    await verbs.set_up_group(ORGANIZER, hill, timezone="America/Lima", tags=["North ", "NORTH"])
    done = await verbs.set_up_group(COLLEAGUE, hill, language="es", topic="main")
    assert (done.group.timezone, done.group.language, done.group.topic) == (
        "America/Lima", "es", None,
    )  # fmt: skip
    assert done.tags == {"north"}
    with pytest.raises(ScheduleRefused):
        await verbs.set_up_group(ORGANIZER, hill, timezone="Mars/Base")
    for bad in ({"tags": [""]}, {"tags": ["x" * 33]}, {"language": "tlh"}):
        with pytest.raises(Refused):
            await verbs.set_up_group(ORGANIZER, hill, **bad)  # type: ignore[arg-type]


async def test_groups_are_found_by_exact_title_or_by_a_part_of_it(world: World) -> None:
    await world.add_groups("Hill", "Hilltop", "Quay")
    find = world.organizers.find_groups
    assert [t.group.title for t in await find(ORGANIZER, "hill")] == ["Hill"]
    assert [t.group.title for t in await find(ORGANIZER, "hil")] == ["Hill", "Hilltop"]
    assert await find(ORGANIZER, "  ") == []


async def test_the_console_reaches_groups_nobody_claimed(world: World) -> None:
    (foreign,) = await world.add_groups("Foreign")
    async with world.store.work() as work:
        (target,) = await work.practice.targets({foreign})
        await work.groups.save(replace(target.group, added_by=None))
        await work.commit()
    await world.organizers.push(CONSOLE, plan(Rule.right_now(world.time), foreign))
    assert (await world.pushing.tick()).posted == 1


async def test_a_skipped_or_ended_schedule_that_is_not_there_is_refused(world: World) -> None:
    await world.add_groups("Hill")
    made = await world.organizers.push(ORGANIZER, plan(weekly(world)))
    await world.organizers.end(ORGANIZER, made.id)
    for attempt in (world.organizers.pause, world.organizers.skip_next, world.organizers.end):
        with pytest.raises(Refused):
            await attempt(ORGANIZER, made.id)


async def test_results_count_posts_exactly_and_people_only_from_five_on(world: World) -> None:
    await world.add_groups("Hill", "Quay", "Mill")
    rule = Rule.right_now(world.time, Quiet(time(22), time(7)))
    await world.organizers.push(ORGANIZER, plan(rule))
    await world.pushing.tick()
    tokens = [link_of(item).partition("start=")[2] for item in await world.pushes()]
    await world.send_all()
    for token, people in zip(tokens, (9, 3, 3), strict=True):
        for person in range(people):
            await world.pushing.open(token, 10_000 + person)
    for person in range(3, 9):
        await world.pushing.record(10_000 + person, Movement.LISTENED)
    results = await world.board.results(ORGANIZER)
    assert {row.title: row.people[Step.OPENED] for row in results.groups} == {
        "Hill": 9,
        # Two that make six: calling them few would say that one of them is at least two.
        "Quay": Hidden.WITHHELD,
        "Mill": Hidden.WITHHELD,
    }
    assert results.total.posts.posted == 3
    assert results.total.people[Step.OPENED] == 15
    assert [row.key for row in results.weeks] == ["2026-W48"]
    assert [row.posts.posted for row in results.prompts] == [3]
    (moved,) = results.movement
    assert (moved.title, moved.people[Movement.LISTENED]) == ("Hill", 6)
    assert moved.people[Movement.TOLD] in set(Hidden)

"""Due prompts: claimed, checked again, committed with their message; never missed, never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.movement import Movement, Step
from bot.core.practice import Aim
from bot.core.schedule import Quiet, Repeat, Rule
from bot.usecases.people import NotAllowed
from bot.usecases.ports import Grant, Store
from bot.usecases.pusher import Pusher
from bot.usecases.pushing import Ticked, note_progress
from tests.fakes_store import MemoryStore
from tests.store.places import ON_DISK, PLACES, opened
from tests.store.samples import a_full_folder, a_newcomer
from tests.usecases.pushing_world import (
    COLLEAGUE,
    ORGANIZER,
    RESIDENT,
    TUESDAY,
    World,
    keys_of,
    link_of,
    plan,
    weekly,
)

HOUR = timedelta(hours=1)
AT_SIX = datetime(2026, 11, 24, 17, tzinfo=UTC)
"""Six in the evening in Madrid."""


@pytest.fixture(params=PLACES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(request.param, tmp_path) as store:
        world = World(store)
        await world.allow(ORGANIZER)
        yield world


async def test_a_push_right_now_reaches_each_group_with_its_own_button(world: World) -> None:
    hill, quay = await world.add_groups("Hill", "Quay", topic=7)
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), hill, quay))
    assert await world.pushing.tick() == Ticked(posted=2)
    items = await world.pushes()
    assert {(i.urgency, i.repeatable, i.topic) for i in items} == {("push", False, 7)}
    links = {link_of(i) for i in items}
    assert len(links) == 2
    for link in links:
        assert link.startswith("https://t.me/coach_bot?start=p_")
        assert len(link.partition("start=")[2]) <= 64
    assert await world.pushing.tick() == Ticked()


async def test_each_group_gets_it_at_its_own_local_time(world: World) -> None:
    await world.add_groups("Madrid")
    await world.add_groups("New York", timezone="America/New_York")
    await world.organizers.push(ORGANIZER, plan(weekly(world)))
    assert await world.pushing.next_due() == AT_SIX
    world.time = AT_SIX - timedelta(seconds=1)
    assert await world.pushing.tick() == Ticked()
    world.time = AT_SIX
    assert await world.pushing.tick() == Ticked(posted=1)
    assert await world.pushing.next_due() == AT_SIX + 6 * HOUR
    world.time = AT_SIX + 6 * HOUR
    assert await world.pushing.tick() == Ticked(posted=1)


async def test_a_group_speaks_its_own_language(world: World) -> None:
    await world.add_groups("Hill", language="es")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
    await world.pushing.tick()
    (item,) = await world.pushes()
    assert item.body["language"] == "es"
    assert "¿Casi te callas?" in str(item.body["lines"])


async def test_several_prompts_take_turns(world: World) -> None:
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, replace(plan(weekly(world)), prompts=("quiet", "door")))
    said = []
    for week in range(3):
        world.time = AT_SIX + timedelta(weeks=week)
        await world.pushing.tick()
        said.append(str((await world.pushes())[-1].body["lines"]))
        await world.send_all()
    assert ["quiet" in s for s in said] == [True, False, True]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(-30 * 60, 30 * 60), min_size=1, max_size=25))
def test_whatever_the_clock_does_no_group_has_a_slot_twice(steps: list[int]) -> None:
    """Forward and back by up to 30 hours, with every tick in a new process."""

    async def live() -> None:
        world = World(MemoryStore())
        await world.allow(ORGANIZER)
        await world.add_groups("Madrid")
        await world.add_groups("Apia", timezone="Pacific/Apia")
        await world.organizers.push(ORGANIZER, plan(weekly(world, *range(7))))
        for minutes in steps:
            world.time += timedelta(minutes=minutes)
            await world.another().tick()
        state = world.store.state.practice  # type: ignore[attr-defined]
        slots = [(d.group_id, d.slot) for d in state.deliveries.values()]
        assert len(slots) == len(set(slots))
        assert len(await world.pushes()) == len(
            [d for d in state.deliveries.values() if d.left_out is None]
        )

    asyncio.run(live())


async def test_a_clock_that_ran_ahead_and_was_put_right_loses_no_slot(world: World) -> None:
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world, *range(7))))
    world.time = AT_SIX + timedelta(days=3)
    await world.pushing.tick()
    assert len(await world.pushes()) == 1
    world.time = TUESDAY + HOUR
    await world.pushing.tick()
    for day in range(4):
        world.time = AT_SIX + timedelta(days=day)
        await world.pushing.tick()
    assert len(await world.pushes()) == 4


async def test_daylight_saving_keeps_local_time_and_fires_once_in_the_hour_shown_twice(
    world: World,
) -> None:
    world.time = datetime(2027, 10, 24, 12, tzinfo=UTC)
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world, *range(7), at=time(2, 30))))
    posted = []
    for minute in range(0, 60 * 24 * 9, 15):
        world.time = datetime(2027, 10, 24, 12, tzinfo=UTC) + timedelta(minutes=minute)
        if (await world.pushing.next_due() or world.time) <= world.time:
            assert (await world.pushing.tick()).posted == 1
            posted.append(world.time.isoformat()[5:16])
    assert posted == [
        "10-25T00:30", "10-26T00:30", "10-27T00:30", "10-28T00:30", "10-29T00:30", "10-30T00:30",
        "10-31T00:30", "11-01T01:30", "11-02T01:30",
    ]  # fmt: skip


async def test_what_is_more_than_three_hours_late_is_skipped_and_told_once(world: World) -> None:
    await world.add_groups("Hill", "Quay")
    await world.organizers.push(ORGANIZER, plan(weekly(world)))
    world.time = AT_SIX + 3 * HOUR + timedelta(minutes=1)
    assert await world.pushing.tick() == Ticked(left_out=2)
    assert await world.pushing.tick() == Ticked()
    (notice,) = await world.notices()
    assert notice.chat_id == ORGANIZER
    assert keys_of(notice) == ["practice.told.head", "practice.told.too_late"]
    assert "“Hill”, “Quay”" in str(notice.body)
    assert not await world.pushes()


async def test_a_slot_missed_while_nothing_ran_is_posted_if_it_is_not_too_late(
    world: World,
) -> None:
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world)))
    world.time = AT_SIX + 2 * HOUR
    assert await world.another().tick() == Ticked(posted=1)


async def test_quiet_hours_move_a_push_to_their_end(world: World) -> None:
    await world.add_groups("Hill")
    world.time = datetime(2026, 11, 24, 22, tzinfo=UTC)
    rule = Rule.right_now(world.time, Quiet(time(21), time(8)))
    await world.organizers.push(ORGANIZER, plan(rule))
    assert await world.pushing.tick() == Ticked()
    world.time = datetime(2026, 11, 25, 7, tzinfo=UTC)
    assert await world.pushing.next_due() == world.time
    assert await world.pushing.tick() == Ticked(posted=1)


async def test_pause_resume_skip_edit_and_end_touch_only_what_lies_ahead(world: World) -> None:
    await world.add_groups("Hill")
    verbs = world.organizers
    made = await verbs.push(ORGANIZER, plan(weekly(world, *range(7))))

    async def day(number: int) -> int:
        world.time = AT_SIX + timedelta(days=number)
        return (await world.pushing.tick()).posted

    assert await day(0) == 1
    await verbs.pause(ORGANIZER, made.id)
    assert await day(1) == 0
    await verbs.resume(ORGANIZER, made.id)
    assert await day(2) == 1, "and the day of the pause is not made up for"
    _, skipped = await verbs.skip_next(ORGANIZER, made.id)
    assert skipped == "2026-11-27T18:00"
    assert await day(3) == 0
    await verbs.edit(ORGANIZER, made.id, plan(weekly(world, *range(7), at=time(17))))
    world.time = AT_SIX + timedelta(days=4) - HOUR
    assert (await world.pushing.tick()).posted == 1
    assert await day(4) == 0
    await verbs.end(ORGANIZER, made.id)
    assert await day(5) == 0
    assert await world.pushing.next_due() is None


async def test_the_end_date_is_the_last_day(world: World) -> None:
    await world.add_groups("Hill")
    until = TUESDAY.date() + timedelta(days=7)
    await world.organizers.push(ORGANIZER, plan(weekly(world, until=until)))
    for week in range(4):
        world.time = AT_SIX + timedelta(weeks=week)
        await world.pushing.tick()
    assert len(await world.pushes()) == 2
    (over,) = await world.organizers.schedules(ORGANIZER, ended=True)
    assert over.schedule.ended_because == "ended"


async def test_a_group_prompted_in_the_last_days_is_left_out_without_a_word(world: World) -> None:
    (hill,) = await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), hill))
    await world.pushing.tick()
    await world.send_all()
    later = await world.organizers.push(ORGANIZER, plan(weekly(world, 1, 2), hill, rest_days=7))
    world.time = AT_SIX + timedelta(days=1)
    assert await world.pushing.tick() == Ticked(left_out=2), "Tuesday's and Wednesday's"
    world.time = AT_SIX + timedelta(days=7)
    assert await world.pushing.tick() == Ticked(posted=1)
    assert later.rest_days == 7


async def test_a_post_that_failed_does_not_count_as_a_prompt(world: World) -> None:
    (hill,) = await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), hill))
    await world.pushing.tick()
    await world.send_all("failed")
    world.time += HOUR
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), hill, rest_days=7))
    assert await world.pushing.tick() == Ticked(posted=1)


async def test_an_organizer_who_was_revoked_pushes_nothing_more_and_colleagues_hear_of_it(
    world: World,
) -> None:
    await world.allow(COLLEAGUE)
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world)))
    async with world.store.work() as work:
        await work.roles.revoke(ORGANIZER, world.time)
        await work.commit()
    world.time = AT_SIX
    assert await world.pushing.tick() == Ticked()
    assert not await world.pushes()
    (notice,) = await world.notices()
    assert (notice.chat_id, keys_of(notice)) == (COLLEAGUE, ["practice.told.stopped"])
    (stopped,) = await world.organizers.schedules(COLLEAGUE, ended=True)
    assert stopped.schedule.ended_because == "not_allowed"


async def test_a_group_the_bot_left_is_left_out_told_once_and_pushed_to_when_it_is_back(
    world: World,
) -> None:
    (hill,) = await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world, *range(7)), hill))

    async def standing(word: Any) -> None:
        async with world.store.work() as work:
            (target,) = await work.practice.targets({hill})
            await work.groups.save(replace(target.group, standing=word))
            await work.commit()

    await standing("left")
    for day in range(3):
        world.time = AT_SIX + timedelta(days=day)
        assert await world.pushing.tick() == Ticked(left_out=1)
    assert [keys_of(n)[1] for n in await world.notices()] == ["practice.told.left"]
    await standing("member")
    world.time = AT_SIX + timedelta(days=3)
    assert await world.pushing.tick() == Ticked(posted=1)


async def test_a_group_that_became_a_supergroup_keeps_schedule_and_history(world: World) -> None:
    (hill,) = await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world, *range(7)), hill))
    world.time = AT_SIX
    await world.pushing.tick()
    async with world.store.work() as work:
        old = (await work.practice.targets({hill}))[0].group.chat_id
        await work.recipients.moved(old, -100_555)
        await work.commit()
    world.time = AT_SIX + timedelta(days=1)
    assert await world.pushing.tick() == Ticked(posted=1)
    assert {item.chat_id for item in await world.pushes()} == {-100_555}
    results = await world.board.results(ORGANIZER)
    assert [(row.title, row.posts.waiting) for row in results.groups] == [("Hill", 2)]


@pytest.mark.parametrize("reason", ["no_rights", "topic_closed", "kicked"])
async def test_trouble_in_a_group_is_told_to_who_planned_it_once(world: World, reason: Any) -> None:
    await world.allow(COLLEAGUE)
    (hill,) = await world.add_groups("Hill")
    await world.organizers.push(COLLEAGUE, plan(weekly(world, *range(7)), hill))
    async with world.store.work() as work:
        chat = (await work.practice.targets({hill}))[0].group.chat_id
        await work.recipients.pause(chat, reason, world.time)
        await work.commit()
    for day in range(3):
        world.time = AT_SIX + timedelta(days=day)
        assert await world.pushing.tick() == Ticked(left_out=1)
    (notice,) = await world.notices()
    assert (notice.chat_id, keys_of(notice)[1]) == (COLLEAGUE, f"practice.told.{reason}")


async def test_a_post_whose_fate_is_unknown_is_listed_and_told_and_never_repeated(
    world: World,
) -> None:
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
    await world.pushing.tick()
    await world.send_all("unknown")
    world.time += HOUR
    await world.pushing.tick()
    await world.pushing.tick()
    (notice,) = await world.notices()
    assert keys_of(notice) == ["practice.told.head", "practice.told.unknown"]
    assert not await world.pushes()
    (unsure,) = (await world.board.results(ORGANIZER)).unsure
    assert unsure.group == "Hill"


async def test_news_of_a_slot_waits_until_all_its_posts_are_settled(world: World) -> None:
    await world.add_groups("Hill", "Quay")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
    await world.pushing.tick()
    first, second = await world.pushes()
    assert first.id is not None and second.id is not None
    async with world.store.work() as work:
        await work.outbox.failed(first.id, "BadRequest")
        await work.commit()
    await world.pushing.tick()
    assert not await world.notices()
    async with world.store.work() as work:
        await work.outbox.failed(second.id, "BadRequest")
        await work.commit()
    await world.pushing.tick()
    (notice,) = await world.notices()
    assert "“Hill”, “Quay”" in str(notice.body)


async def test_a_group_that_joined_after_a_slot_is_not_told_about_it(world: World) -> None:
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(weekly(world)))
    world.time = AT_SIX + timedelta(days=40)
    await world.add_groups("Late")
    world.time = AT_SIX + timedelta(days=10) + HOUR
    assert (await world.pushing.tick()).left_out == 2


async def test_two_processes_at_the_same_moment_post_once(tmp_path: Path) -> None:
    async with opened(ON_DISK[0], tmp_path) as store:
        world = World(store)
        await world.allow(ORGANIZER)
        await world.add_groups(*(f"G{n}" for n in range(30)))
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
        done = await asyncio.gather(*(world.another().tick() for _ in range(4)))
        assert sum(ticked.posted for ticked in done) == 30
        chats = [item.chat_id for item in await world.pushes()]
        assert len(chats) == len(set(chats)) == 30


# -- taps -------------------------------------------------------------------------------------


async def tapped(world: World) -> str:
    """A push to one group; its token."""
    await world.add_groups("Hill")
    await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
    await world.pushing.tick()
    (item,) = await world.pushes()
    return link_of(item).partition("start=")[2]


async def test_a_tap_leads_to_the_prompts_move_and_counts_a_person_once(world: World) -> None:
    token = await tapped(world)
    opened_first = await world.pushing.open(token, RESIDENT)
    assert opened_first is not None
    assert (opened_first.prompt.move.value, opened_first.group_title) == ("self.choice", "Hill")
    assert opened_first.is_new
    again = await world.pushing.open(token, RESIDENT)
    assert again is not None
    assert not again.is_new
    async with world.store.work() as work:
        (outcome,) = await work.practice.outcomes()
    assert outcome.people == {
        Step.OPENED: 1, Step.BEGAN: 0, Step.FINISHED: 0, Step.RELEASED: 0
    }  # fmt: skip


@pytest.mark.parametrize("token", ["", "p_", "p_short", "p_" + "A" * 22, "i_" + "A" * 22, "g_x"])
async def test_a_token_we_never_gave_out_leads_nowhere(world: World, token: str) -> None:
    await tapped(world)
    assert await world.pushing.open(token, RESIDENT) is None


async def test_a_turn_is_credited_to_the_prompt_opened_last(world: World) -> None:
    token = await tapped(world)
    await world.pushing.open(token, 7001)
    folder = a_full_folder()
    story = folder.stories[0]
    for part in story.parts.values():
        part.tellings = [replace(t, told_at=world.time + HOUR) for t in part.tellings]
    story.releases = []
    async with world.store.work() as work:
        opening = await work.practice.last_opening(7001)
        await note_progress(work, folder, opening, world.time + HOUR)
        await note_progress(work, a_newcomer("r-9", 9999), None, world.time + HOUR)
        (outcome,) = await work.practice.outcomes()
    assert [outcome.people[step] for step in Step] == [1, 1, 1, 0]


async def test_what_was_told_before_the_tap_or_long_after_it_is_not_credited(
    world: World,
) -> None:
    token = await tapped(world)
    await world.pushing.open(token, 7001)
    folder = a_full_folder()
    for part in folder.stories[0].parts.values():
        part.pieces = []
    async with world.store.work() as work:
        opening = await work.practice.last_opening(7001)
        await note_progress(work, folder, opening, world.time + HOUR)
        for part in folder.stories[0].parts.values():
            part.tellings = [replace(t, told_at=world.time + HOUR) for t in part.tellings]
        await note_progress(work, folder, opening, world.time + timedelta(days=15))
        (outcome,) = await work.practice.outcomes()
    assert [outcome.people[step] for step in Step] == [1, 0, 0, 0]


async def test_people_report_their_own_movement_once_each(world: World) -> None:
    assert not await world.pushing.record(RESIDENT, Movement.TOLD), "came from no group"
    token = await tapped(world)
    await world.pushing.open(token, RESIDENT)
    assert await world.pushing.record(RESIDENT, Movement.TOLD)
    assert not await world.pushing.record(RESIDENT, Movement.TOLD)
    assert await world.pushing.record(RESIDENT, Movement.LISTENED)
    async with world.store.work() as work:
        assert await work.practice.movement() == {
            ("g-Hill", Movement.TOLD): 1,
            ("g-Hill", Movement.LISTENED): 1,
        }


async def test_a_forgotten_person_stays_a_number_and_is_nobody(world: World) -> None:
    token = await tapped(world)
    async with world.store.work() as work:
        await work.folders.save(a_newcomer("r-1", RESIDENT))
        await work.roles.grant(Grant(RESIDENT, frozenset({"organize"}), world.time, "console"))
        await work.commit()
    await world.organizers.push(RESIDENT, plan(weekly(world)))
    await world.pushing.open(token, RESIDENT)
    await world.pushing.record(RESIDENT, Movement.TOLD)
    async with world.store.work() as work:
        await work.folders.erase("r-1", world.time)
        await work.commit()
    async with world.store.work() as work:
        assert await work.practice.last_opening(RESIDENT) is None
        assert await work.roles.rights(RESIDENT) == frozenset()
        assert [o.people[Step.OPENED] for o in await work.practice.outcomes()] == [1]
        assert sum((await work.practice.movement()).values()) == 1
        assert [s.made_by for s in await work.practice.schedules()] == [ORGANIZER]
    with pytest.raises(NotAllowed):
        await world.organizers.schedules(RESIDENT)


# -- the clock of pushing ---------------------------------------------------------------------


async def test_the_pusher_sleeps_to_the_next_time_and_wakes_on_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pusher, "LOOK", 0.05)
    await world.add_groups("Hill")
    posted: list[int] = []
    pusher = Pusher(world.pushing, world, lambda: posted.append(1))
    running = asyncio.create_task(pusher.run())
    try:
        await asyncio.sleep(0.1)
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
        await _until(world, 1)
        await world.organizers.push(ORGANIZER, plan(weekly(world)))
        await asyncio.sleep(0.2)
        assert len(await world.pushes()) == 1
        world.time = AT_SIX
        await _until(world, 2)
        assert posted
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _until(world: World, number: int) -> None:
    async with asyncio.timeout(5):
        while len(await world.pushes()) < number:  # noqa: ASYNC110 (another process's doing)
            await asyncio.sleep(0.02)


async def test_fifty_groups_by_tag_are_one_schedule(world: World) -> None:
    await world.add_groups(*(f"G{n}" for n in range(50)), tags=["north"])
    await world.add_groups("South", tags=["south"])
    aim = Aim(tags=frozenset({"north"}))
    rule = Rule(Repeat.ONCE, TUESDAY.date(), time(18))
    await world.organizers.push(ORGANIZER, replace(plan(rule), aim=aim))
    world.time = AT_SIX
    assert await world.pushing.tick() == Ticked(posted=50)


async def test_a_batch_that_fails_half_way_is_posted_whole_later(tmp_path: Path) -> None:
    async with opened(ON_DISK[0], tmp_path) as store:
        world = World(store)
        await world.allow(ORGANIZER)
        await world.add_groups(*(f"G{n}" for n in range(250)))
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time)))
        with pytest.raises(RuntimeError):
            await world.another(_BreaksAfter(store, 3)).tick()
        assert len(await world.pushes()) == 100, "what was committed is whole"
        await world.another().tick()
        chats = [item.chat_id for item in await world.pushes()]
        assert len(chats) == len(set(chats)) == 250


class _BreaksAfter:
    """A store whose process dies at its n-th unit of work, after writing and before committing."""

    def __init__(self, store: Store, number: int) -> None:
        self._store, self._left = store, number

    def work(self) -> Any:
        work = self._store.work()
        self._left -= 1
        if self._left == 0:

            async def dies(within: float = 0.0) -> None:
                raise RuntimeError("killed")

            work.commit = dies  # type: ignore[method-assign]
        return work

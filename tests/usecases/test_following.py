"""Follow-ups: what tellers lent, posted once in each group, consent checked when it counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.consent import AgeBand, NameShown, Offer, Purpose, Release, text_hash
from bot.core.narrative import StoryOf
from bot.core.schedule import Rule
from bot.core.story import Folder, Identity, Origin, Participation, Resident, Session, Story
from bot.usecases.following import FollowUps
from bot.usecases.organizers import Refused
from bot.usecases.people import CONSOLE, NotAllowed
from bot.usecases.ports import Conflict
from tests.store.places import PLACES, opened
from tests.usecases.pushing_world import (
    LANGUAGES,
    LIBRARY,
    ORGANIZER,
    RESIDENT,
    World,
    keys_of,
    plan,
)

TELLER = 7001
WORDS = "I knocked. She opened."


def follow_ups(world: World) -> FollowUps:
    return FollowUps(world.store, LIBRARY, LANGUAGES, world, world.new_id, lambda: "coach_bot")


@pytest.fixture(params=PLACES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Two groups that had the prompt `quiet`."""
    async with opened(request.param, tmp_path) as store:
        world = World(store)
        await world.allow(ORGANIZER)
        ids = await world.add_groups("Hill", "Quay")
        await world.organizers.push(ORGANIZER, plan(Rule.right_now(world.time), *ids))
        await world.pushing.tick()
        await world.send_all()
        yield world


async def lent(
    world: World, *groups: str, words: str = WORDS, offer_id: str = "off-1", number: int = 0
) -> Folder:
    """Somebody's words, offered for these groups."""
    release = Release(
        offer_id, words, text_hash(words), frozenset({Purpose.FOLLOW_UP}), NameShown.NONE, "",
        "2026-11", "es", world.time, world.time + timedelta(days=182),
    )  # fmt: skip
    story = Story(f"s-{offer_id}", "es", world.time)
    story.parts[StoryOf.SELF].tell(WORDS, Origin.TOLD, world.time)
    titles = tuple((g, g.removeprefix("g-")) for g in groups or ("g-Hill", "g-Quay"))
    story.offers = [Offer(release, "quiet", "¿Casi te callas?", titles)]
    resident = Resident(f"r-{offer_id}", world.time, world.time, "es", AgeBand.ADULT)
    resident.participation = Participation("2026-11", "es", world.time)
    who = TELLER + number
    folder = Folder(resident, Identity(who, who, "Quetzal"), Session("done"), [story])
    await save(world, folder)
    return folder


async def save(world: World, folder: Folder) -> None:
    async with world.store.work() as work:
        await work.folders.save(folder)
        await work.commit()


async def test_a_lent_story_is_previewed_and_posted_as_its_teller_saw_it(world: World) -> None:
    await lent(world)
    verbs = follow_ups(world)
    (found,) = await verbs.offers(ORGANIZER, "quiet")
    assert found.offer.release.text == WORDS
    preview = await verbs.preview(ORGANIZER, "quiet", "off-1")
    assert [p.target.group.title for p in preview] == ["Hill", "Quay"]
    assert not await world.pushes()
    assert await verbs.post(ORGANIZER, "quiet", "off-1") == 2
    posts = [i for i in await world.pushes() if i.chat_id < 0]
    assert {i.chat_id for i in posts} == {p.target.group.chat_id for p in preview}
    for item in posts:
        ((key, words, _),) = item.body["lines"]  # type: ignore[misc]
        shown = preview[0].say.lines[0]
        assert (key, words) == (shown.key, dict(shown.words))
        assert item.body["language"] == "es" and not item.repeatable
        assert "Quetzal" not in str(item.body)
    (news,) = await world.notices()
    assert (news.chat_id, keys_of(news)) == (TELLER, ["offering.posted"])


async def test_each_group_has_it_once_and_the_others_later(world: World) -> None:
    await lent(world)
    verbs = follow_ups(world)
    async with world.store.work() as work:
        hill, quay = (t.group for t in await work.practice.targets())
        await work.recipients.pause(quay.chat_id, "no_rights", world.time)
        await work.commit()
    assert await verbs.post(ORGANIZER, "quiet", "off-1") == 1
    with pytest.raises(Refused, match="all_told"):
        await verbs.post(ORGANIZER, "quiet", "off-1")
    assert await verbs.offers(ORGANIZER, "quiet") == []
    async with world.store.work() as work:
        await work.recipients.resume(quay.chat_id)
        await work.commit()
    assert await verbs.post(ORGANIZER, "quiet", "off-1") == 1
    chats = [i.chat_id for i in await world.pushes() if i.chat_id < 0]
    assert chats == [hill.chat_id, quay.chat_id]


async def test_of_two_organizers_who_post_at_once_one_does(world: World) -> None:
    await lent(world)

    async def post() -> int:
        try:
            return await follow_ups(world).post(ORGANIZER, "quiet", "off-1")
        except (Refused, Conflict):
            return 0

    assert sorted(await asyncio.gather(*(post() for _ in range(4)))) == [0, 0, 0, 2]
    chats = [i.chat_id for i in await world.pushes() if i.chat_id < 0]
    assert len(chats) == len(set(chats)) == 2


async def test_it_goes_to_no_group_its_teller_did_not_see(world: World) -> None:
    await lent(world, "g-Quay")
    await world.add_groups("New")
    (post,) = await follow_ups(world).preview(ORGANIZER, "quiet", "off-1")
    assert post.target.group.title == "Quay"


@pytest.mark.parametrize("why", ["revoked", "edited", "expired", "minor", "in_danger", "reworded"])
async def test_what_does_not_stand_any_more_is_neither_shown_nor_posted(
    world: World, why: str
) -> None:
    folder = await lent(world)
    verbs = follow_ups(world)
    await verbs.preview(ORGANIZER, "quiet", "off-1")
    match why:
        case "expired":
            world.time += timedelta(days=183)
        case "minor":
            folder.resident.age_band = AgeBand.UNDER_18
        case "in_danger":
            folder.session.step = "care"
        case "reworded":
            folder.stories[0].parts[StoryOf.SELF].tell("Other.", Origin.EDITED, world.time)
        case _:
            folder.stories[0].void_releases(world.time, why)
    if why != "expired":
        await save(world, folder)
    assert await verbs.offers(ORGANIZER, "quiet") == []
    for verb in (verbs.preview, verbs.post):
        with pytest.raises(Refused, match="not_offered"):
            await verb(ORGANIZER, "quiet", "off-1")
    assert not await world.pushes()


async def test_an_offer_for_one_prompt_is_none_for_another(world: World) -> None:
    await lent(world)
    with pytest.raises(Refused, match="not_offered"):
        await follow_ups(world).post(ORGANIZER, "door", "off-1")


async def test_without_the_right_nothing_is_seen_or_done(world: World) -> None:
    await lent(world)
    verbs = follow_ups(world)
    for call in (
        verbs.offers(RESIDENT, "quiet"),
        verbs.preview(RESIDENT, "quiet", "off-1"),
        verbs.post(RESIDENT, "quiet", "off-1"),
    ):
        with pytest.raises(NotAllowed):
            await call
    assert not await world.pushes()


async def test_numbers_are_told_once_a_day(world: World) -> None:
    verbs = follow_ups(world)
    assert await verbs.post(ORGANIZER, "quiet") == 2
    with pytest.raises(Refused, match="all_told"):
        await verbs.post(CONSOLE, "quiet")
    world.time += timedelta(days=1)
    assert await verbs.post(CONSOLE, "quiet") == 2
    with pytest.raises(Refused, match="no_groups"):
        await verbs.post(CONSOLE, "door")
    with pytest.raises(Refused, match="unknown_prompt"):
        await verbs.post(CONSOLE, "nope")


@pytest.mark.parametrize("fate", ["sent", "failed", "unknown"])
async def test_the_fate_of_follow_ups_is_listed_and_no_story_can_be_told_apart(
    world: World, fate: str
) -> None:
    await lent(world, "g-Hill")
    await lent(world, "g-Quay", offer_id="off-2", number=1)
    verbs = follow_ups(world)
    await verbs.post(ORGANIZER, "quiet")
    for offer in ("off-1", "off-2"):
        await verbs.post(ORGANIZER, "quiet", offer)
    waiting = (await world.board.results(ORGANIZER)).follow_ups
    assert [(t.has_words, t.posts.waiting) for t in waiting] == [(False, 2), (True, 2)]
    await world.send_all(fate)
    results = await world.board.results(ORGANIZER)
    for told in results.follow_ups:
        posts = told.posts
        found = {"sent": posts.posted, "unknown": posts.unknown}
        assert (found.get(fate) or posts.failed["BadRequest"]) == 2
    unsure = [u for u in results.unsure if u.is_follow_up]
    assert len(unsure) == (4 if fate == "unknown" else 0)
    assert WORDS not in repr(results) and "off-" not in repr(results)


async def test_a_group_without_a_known_bot_gets_the_words_without_a_button(world: World) -> None:
    await lent(world)
    verbs = FollowUps(world.store, LIBRARY, LANGUAGES, world, world.new_id, lambda: "")
    (post, _) = await verbs.preview(CONSOLE, "quiet", "off-1")
    assert post.say.choices == ()

"""What every store promises about rights, audit, schedules and deliveries: SQL and fake alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from bot.core.consent import Offer, Purpose
from bot.core.movement import Movement, Step
from bot.core.narrative import Element
from bot.core.practice import Aim, Delivery, LeftOut, PracticePrompt, Schedule, Season
from bot.core.schedule import Quiet, Repeat, Rule
from bot.core.story import Folder, Story, StoryStatus
from bot.usecases.ports import Conflict, Grant, Group, Invitation, OutboxItem, Store
from bot.usecases.practice_ports import FollowUp, Offered
from tests.store.places import ON_DISK, PLACES, opened
from tests.store.samples import NOW, a_newcomer, a_release, a_story

LATER = NOW + timedelta(days=1)


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


def a_schedule(schedule_id: str = "s-1") -> Schedule:
    """A schedule with every field filled, never saved."""
    rule = Rule(
        Repeat.MONTHLY, date(2026, 12, 1), time(18, 30), frozenset({1, 3}), -1,
        date(2027, 2, 28), Quiet(time(21), time(8)), None,
    )  # fmt: skip
    return Schedule(
        schedule_id, ("a", "b"), Aim(frozenset({"g1"}), frozenset({"ñ"}), frozenset({"es"})), rule,
        2**40, NOW, NOW, 7, NOW, None, None, frozenset({"2026-12-29T18:30"}),
    )  # fmt: skip


def a_delivery(number: int, group: str = "g1", slot: str = "2026-12-01T18:00") -> Delivery:
    """A claim on one slot."""
    return Delivery(
        f"d-{number}", "s-1", slot, group, "a", "es", f"p_{number:020}", NOW, NOW, None, None
    )


async def test_rights_are_held_replaced_listed_and_taken(store: Store) -> None:
    async with store.work() as work:
        assert await work.roles.rights(2**40) == frozenset()
        first = Grant(2**40, frozenset({"review", "invite"}), NOW, "console")
        await work.roles.grant(first)
        await work.roles.grant(Grant(7, frozenset({"organize"}), LATER, "console"))
        assert [g.telegram_id for g in await work.roles.holders()] == [2**40, 7]
        await work.roles.grant(replace(first, rights=frozenset({"export"})))
        assert await work.roles.rights(2**40) == {"export"}
        assert await work.roles.revoke(2**40, LATER)
        assert not await work.roles.revoke(2**40, LATER)


async def test_of_two_who_open_an_invitation_at_once_one_has_it(store: Store) -> None:
    invitation = Invitation("ab" * 32, frozenset({"organize"}), NOW, LATER, "console")
    async with store.work() as work:
        await work.roles.invite(invitation)
        await work.commit()

    async def accept(who: int) -> bool:
        async with store.work() as work:
            accepted = await work.roles.accept(invitation.token_sha256, who, NOW)
            await work.commit()
            return accepted is not None

    assert sorted(await asyncio.gather(*(accept(who) for who in range(1, 6)))) == [False] * 4 + [
        True
    ]
    async with store.work() as work:
        assert len(await work.roles.holders()) == 1


async def test_the_trail_is_read_in_order_across_pages(store: Store) -> None:
    async with store.work() as work:
        for number in range(1201):
            await work.audit.record("console", "acted", str(number), NOW)
        trail = [entry.about async for entry in work.audit.entries()]
        assert trail == [str(number) for number in range(1201)]
        assert [e.what async for e in work.audit.entries("7")] == ["acted"]


async def test_a_schedule_comes_back_as_it_was_and_an_old_version_is_refused(
    store: Store,
) -> None:
    made = a_schedule()
    async with store.work() as work:
        await work.practice.save_schedule(made)
        kept = await work.practice.schedule("s-1")
        assert kept == replace(made, version=1)
        await work.practice.save_schedule(replace(kept, paused_at=None))
        assert await work.practice.hold("s-1", 2)
        assert not await work.practice.hold("s-1", 1)
        await work.practice.looked("s-1", 1, LATER)
        await work.commit()
    async with store.work() as work:
        (kept,) = await work.practice.schedules()
        assert kept.looked_until == NOW
        with pytest.raises(Conflict):
            await work.practice.save_schedule(replace(kept, version=1))
    now = Schedule("s-2", ("a",), Aim(), Rule.right_now(NOW), None, LATER, NOW, ended_at=NOW)
    async with store.work() as work:
        await work.practice.save_schedule(now)
        assert await work.practice.schedule("s-2") == replace(now, version=1)
        assert [s.id for s in await work.practice.schedules()] == ["s-1"]
        assert [s.id for s in await work.practice.schedules(ended=True)] == ["s-1", "s-2"]


async def test_a_group_has_a_slot_once(store: Store) -> None:
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        await work.practice.claim([a_delivery(1), a_delivery(2, "g2")], set())
        await work.commit()
    async with store.work() as work:
        with pytest.raises(Conflict):
            await work.practice.claim([a_delivery(3)], set())
    async with store.work() as work:
        known = await work.practice.claimed("s-1", "2026-12-01T18:00", {"g1", "g3"})
        assert known == {"g1": None}
        assert await work.practice.turn("s-1", "2026-12-01T18:00") == 0
        assert await work.practice.turn("s-1", "2026-12-08T18:00") == 1


async def test_only_who_was_left_out_can_be_unclaimed(store: Store) -> None:
    late = replace(a_delivery(2, "g2"), left_out=LeftOut.TOO_LATE)
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        await work.practice.claim([a_delivery(1), late], {"d-2"})
        assert await work.practice.last_left_out("s-1", {"g1", "g2"}) == {
            "g1": None, "g2": LeftOut.TOO_LATE,
        }  # fmt: skip
        await work.practice.unclaim("s-1", late.slot, {"g1", "g2"})
        assert await work.practice.claimed("s-1", late.slot, {"g1", "g2"}) == {"g1": None}


async def test_a_message_kept_back_by_a_pause_counts_as_left_out_for_its_reason(
    store: Store,
) -> None:
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        ids = await work.outbox.add([OutboxItem(-n, {}, urgency="push") for n in (1, 2)])
        claims = [replace(a_delivery(n, f"g{n}"), outbox_id=item) for n, item in enumerate(ids, 1)]
        await work.practice.claim(claims, set())
        await work.recipients.pause(-1, "topic_closed", NOW)
        assert await work.recipients.drop(NOW) == 1
        await work.outbox.failed(ids[1], "BadRequest")
        assert {u.delivery.id: u.reason for u in await work.practice.unsettled()} == {
            "d-1": "topic_closed", "d-2": "BadRequest",
        }  # fmt: skip
        assert await work.practice.last_left_out("s-1", {"g1", "g2"}) == {
            "g1": LeftOut.TOPIC_CLOSED, "g2": None,
        }  # fmt: skip


async def test_what_became_of_a_message_is_seen_through_its_delivery(store: Store) -> None:
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        ids = await work.outbox.add([OutboxItem(-1, {}, urgency="push")] * 4)
        claims = [replace(a_delivery(n, f"g{n}"), outbox_id=item) for n, item in enumerate(ids, 1)]
        await work.practice.claim(claims, set())
        assert await work.practice.unsettled() == []
        await work.outbox.sent(ids[0], 5)
        await work.outbox.failed(ids[1], "BadRequest")
        await work.outbox.unknown(ids[2], "TimedOut")
        ended = await work.practice.unsettled()
        assert [(u.delivery.id, u.fate, u.others_wait) for u in ended] == [
            ("d-1", "posted", True), ("d-2", "failed", True), ("d-3", "unknown", True),
        ]  # fmt: skip
        assert set(await work.practice.last_prompted({"g1", "g2", "g3", "g4", "g5"})) == {
            "g1", "g3", "g4",
        }  # fmt: skip
        assert await work.practice.settle(["d-1", "d-2"], LATER) == 2
        assert await work.practice.settle(["d-2", "d-3"], LATER) == 1
        fates = [(o.fate, o.reason) for o in await work.practice.outcomes()]
        assert fates == [
            ("posted", None), ("failed", "BadRequest"), ("unknown", "TimedOut"), ("waiting", None),
        ]  # fmt: skip


async def test_people_are_counted_once_by_delivery_step_and_movement(store: Store) -> None:
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        await work.practice.claim([a_delivery(1), a_delivery(2, "g2")], set())
        assert await work.practice.open("d-1", 5, NOW)
        assert await work.practice.open("d-2", 5, NOW + timedelta(minutes=1))
        assert not await work.practice.open("d-1", 5, LATER)
        last = await work.practice.last_opening(5)
        assert last is not None
        assert (last.delivery.id, last.opened_at, last.steps) == ("d-1", LATER, {Step.OPENED})
        await work.practice.reached("d-1", 5, {Step.BEGAN, Step.RELEASED}, LATER)
        await work.practice.reached("d-1", 6, {Step.BEGAN}, LATER)
        assert await work.practice.moved("g1", 5, Movement.LED, NOW)
        assert not await work.practice.moved("g1", 5, Movement.LED, LATER)
        assert await work.practice.movement() == {("g1", Movement.LED): 1}
        people = [[o.people[s] for s in Step] for o in await work.practice.outcomes()]
        assert people == [[1, 1, 0, 1], [1, 0, 0, 0]]
        assert await work.practice.by_token("p_" + "0" * 19 + "2") == a_delivery(2, "g2")
        assert await work.practice.by_token("p_x") is None


async def test_prompts_tags_and_claims_are_kept(store: Store) -> None:
    prompt = PracticePrompt(
        "own-1", Element.US_WHO, Season.RESTING, {"es": "¿Quién? \x00 ☑"}, True, 9, NOW
    )
    async with store.work() as work:
        await work.practice.save_prompt(prompt)
        await work.practice.save_prompt(replace(prompt, retired_at=LATER))
        assert await work.practice.prompts() == [replace(prompt, retired_at=LATER)]
        await work.groups.save(Group("g1", -1, "Hill", "member", NOW))
        await work.practice.tag_group("g1", ["north", "ñandú"])
        await work.practice.tag_group("g1", ["south"])
        assert await work.practice.claim_group("g1", 9, NOW)
        assert not await work.practice.claim_group("g1", 10, LATER)
        (target,) = await work.practice.targets()
        assert (target.tags, target.claimed_by, target.claimed_at) == ({"south"}, 9, NOW)
        assert await work.practice.targets({"g2"}) == []
        assert isinstance(target.claimed_at, datetime)


# -- closing the loop ---------------------------------------------------------------------------


def an_offer(offer_id: str = "off-9", text: str = "I stayed.", prompt: str = "a") -> Offer:
    """Live words for two groups."""
    release = replace(a_release(offer_id, text), purposes=frozenset({Purpose.FOLLOW_UP}))
    return Offer(release, prompt, "Who stayed?", (("g1", "Hill"), ("g2", "Quay")))


async def offered(store: Store, *offers: Offer) -> Folder:
    """A folder whose story has these offers and no others, saved."""
    folder = a_newcomer()
    folder.stories = [a_story()]
    folder.stories[0].withdrawn_at = None
    folder.stories[0].offers = list(offers)
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    return folder


async def test_only_live_offers_for_a_prompt_are_found_oldest_first(store: Store) -> None:
    first = an_offer("off-1")
    later = an_offer("off-2")
    later = replace(later, release=replace(later.release, released_at=LATER))
    ended = an_offer("off-3").ended(NOW, "edited")
    await offered(store, later, first, ended, an_offer("off-4", prompt="b"))
    async with store.work() as work:
        assert await work.practice.offers("a", NOW) == [
            Offered("s-1", first),
            Offered("s-1", later),
        ]
        assert await work.practice.offers("c", NOW) == []
        assert await work.practice.offers("a", first.release.expires_at) == []


async def test_an_offer_is_held_while_it_stands(store: Store) -> None:
    folder = await offered(store, an_offer("off-1"), an_offer("off-2").ended(NOW, "edited"))
    async with store.work() as work:
        assert await work.practice.hold_offer("off-1", NOW)
        assert not await work.practice.hold_offer("off-2", NOW)
        assert not await work.practice.hold_offer("off-9", NOW)
        assert not await work.practice.hold_offer("off-1", NOW + timedelta(days=366))
    folder.stories[0].void_releases(LATER, "revoked")
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    async with store.work() as work:
        assert not await work.practice.hold_offer("off-1", LATER)


async def test_what_became_of_a_follow_up_is_seen_and_a_group_has_one_of_an_act(
    store: Store,
) -> None:
    async with store.work() as work:
        ids = await work.outbox.add([OutboxItem(-1, {}, urgency="push")] * 4)
        posts = [
            FollowUp(f"f-{n}", "off-1", f"g{n}", "a", NOW, item, "s-1" if n < 3 else None)
            for n, item in enumerate(ids, 1)
        ]
        await work.practice.follow_up(posts)
        await work.outbox.sent(ids[0], 5)
        await work.outbox.failed(ids[1], "BadRequest")
        await work.outbox.unknown(ids[2], "TimedOut")
        await work.commit()
    async with store.work() as work:
        found = await work.practice.followed()
        assert [f.follow_up for f in found] == posts
        assert [(f.fate, f.reason) for f in found] == [
            ("posted", None), ("failed", "BadRequest"), ("unknown", "TimedOut"), ("waiting", None),
        ]  # fmt: skip
        of_story = await work.practice.followed(story_id="s-1")
        assert [f.follow_up.id for f in of_story] == ["f-1", "f-2"]
        assert await work.practice.followed(act="off-2") == []
        assert len(await work.practice.followed(act="off-1")) == 4
    async with store.work() as work:
        with pytest.raises(Conflict):
            await work.practice.follow_up([replace(posts[0], id="f-9")])


async def test_the_groups_a_prompt_was_posted_in_are_those_where_it_arrived(store: Store) -> None:
    async with store.work() as work:
        await work.practice.save_schedule(a_schedule())
        ids = await work.outbox.add([OutboxItem(-1, {}, urgency="push")] * 2)
        claims = [replace(a_delivery(n, f"g{n}"), outbox_id=item) for n, item in enumerate(ids, 1)]
        await work.practice.claim(claims, set())
        await work.outbox.sent(ids[0], 5)
        assert await work.practice.asked("a") == {"g1"}
        assert await work.practice.asked("b") == frozenset()


async def test_a_message_that_was_erased_is_not_taken_for_sending(store: Store) -> None:
    async with store.work() as work:
        (gone,) = await work.outbox.add([OutboxItem(-1, {}, urgency="push")])
        await work.outbox.failed(gone, "Erased")
        await work.commit()
    async with store.work() as work:
        assert not await work.outbox.sending(gone)
        assert not await work.outbox.sending(10_000)
        await work.commit()


@pytest.mark.parametrize("place", ON_DISK)
async def test_an_offer_ended_while_it_is_being_posted_takes_the_post_with_it(
    place: str, tmp_path: Path
) -> None:
    async with opened(place, tmp_path) as store:
        folder = await offered(store, an_offer("off-1"))

        async def take_back() -> None:
            folder.stories[0].void_releases(LATER, "revoked")
            async with store.work() as work:
                await work.folders.save(folder)
                await work.commit()

        async with store.work() as work:
            assert await work.practice.hold_offer("off-1", NOW)
            taking = asyncio.create_task(take_back())
            await asyncio.sleep(0.3)
            assert not taking.done(), "whoever posts holds it until the commit"
            words = {"kind": "say", "lines": [["x", {"offer": "off-1"}, {}]]}
            (item,) = await work.outbox.add([OutboxItem(-1, words, urgency="push", story="s-1")])
            await work.practice.follow_up([FollowUp("f-1", "off-1", "g1", "a", NOW, item, "s-1")])
            await work.commit()
        await taking
        async with store.work() as work:
            assert await work.outbox.one(item) is None
            assert [f.fate for f in await work.practice.followed()] == ["taken_back"]


@pytest.mark.parametrize("place", ON_DISK)
@pytest.mark.parametrize("why", ["withdrawn", "forgotten", "revoked", "edited"])
async def test_ending_an_offer_takes_back_what_waits_and_what_stands(
    place: str, why: str, tmp_path: Path
) -> None:
    async with opened(place, tmp_path) as store:
        folder = await offered(store, an_offer("off-1"))
        async with store.work() as work:
            words = {"kind": "say", "lines": [["x", {"story": "s-1", "offer": "off-1"}, {}]]}
            ids = await work.outbox.add(
                [OutboxItem(-n, words, urgency="push", repeatable=False, story="s-1")
                 for n in (1, 2, 3)]
            )  # fmt: skip
            await work.practice.follow_up(
                [FollowUp(f"f-{n}", "off-1", f"g{n}", "a", NOW, item, "s-1")
                 for n, item in enumerate(ids)]
            )  # fmt: skip
            await work.outbox.sent(ids[1], 77)
            await work.outbox.unknown(ids[2], "TimedOut")
            await work.commit()
        async with store.work() as work:
            if why == "forgotten":
                await work.folders.erase("r-1", LATER)
            elif why == "withdrawn":
                folder.stories = [Story("s-1", "en", NOW, StoryStatus.WITHDRAWN)]
                folder.stories[0].withdrawn_at = LATER
                await work.folders.save(folder)
            else:
                folder.stories[0].void_releases(LATER, why)
                await work.folders.save(folder)
            await work.commit()
        async with store.work() as work:
            assert await work.outbox.one(ids[0]) is None
            fates = [f.fate for f in await work.practice.followed()]
            down = [i.body["message"] for i in await work.outbox.waiting()
                    if i.body["kind"] == "take_down"]  # fmt: skip
        if why == "edited":
            assert fates == ["taken_back", "posted", "unknown"] and down == []
        else:
            assert fates == ["taken_back", "taken_back", "unknown"] and down == ids[1:]

"""Review: claimed by one, decided once, bound to the exact text, the teller told each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.consent import Purpose
from bot.core.narrative import Element, StoryOf
from bot.core.review import CLAIM_LASTS, Refusal, ReturnReason, ReviewRefused, ReviewState
from bot.core.story import Origin
from bot.usecases.people import CONSOLE, Actor, NotAllowed
from bot.usecases.ports import Conflict
from bot.usecases.reviewing import suggestions, who_sha256
from tests.fakes import SteadyReader, reading
from tests.usecases.library_world import (
    APPROVER,
    CHALLENGE,
    CHOICE,
    EXPORTER,
    HOLDERS,
    INVITER,
    NOBODY,
    ORGANIZER,
    REVIEWER,
    World,
    world,
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def refused(trying: Awaitable[object]) -> Refusal:
    with pytest.raises(ReviewRefused) as caught:
        await trying
    return caught.value.why


async def test_the_queue_lists_what_is_released_oldest_first_without_a_word(house: World) -> None:
    first = await house.teller(Purpose.PUBLIC_LIBRARY, Purpose.PRESS)
    house.clock.passes(hours=1)
    second = await house.teller(language="es")
    draft = house.folder()
    house.told(draft, "Nobody may read this.")
    await house.save(draft)
    lines = await house.reviewing.queue(REVIEWER)
    assert [x.story_id for x in lines] == [first.stories[0].id, second.stories[0].id]
    assert lines[0].purposes == ("public_library", "press")
    assert "boiler" not in repr(lines) and "Teller" not in repr(lines)


async def test_a_sheet_shows_the_exact_released_text_and_the_passages_kept(house: World) -> None:
    folder = await house.teller(Purpose.COACHING_EXAMPLES, name="A neighbour")
    folder.stories[0].kept_passages = ("knocked on hers", "not in the text")
    await house.save(folder)
    sheet = await house.reviewing.sheet(REVIEWER, folder.stories[0].id)
    assert sheet.text == folder.stories[0].whole()
    assert sheet.kept_passages == ("knocked on hers",)
    assert (sheet.name, sheet.is_example, sheet.age_band) == ("A neighbour", True, "adult")
    assert "Teller" not in repr(sheet)


async def test_two_reviewers_cannot_claim_the_same_story_at_once(house: World) -> None:
    story = (await house.teller()).stories[0].id
    await house.reviewing.claim(REVIEWER, story)
    assert await refused(house.reviewing.claim(APPROVER, story)) is Refusal.TAKEN
    await house.reviewing.claim(REVIEWER, story)
    house.clock.at += CLAIM_LASTS
    assert (await house.reviewing.claim(APPROVER, story)).claimed_by == who_sha256(APPROVER)
    assert await refused(house.reviewing.let_go(REVIEWER, story)) is Refusal.TAKEN
    await house.reviewing.let_go(APPROVER, story)
    await house.reviewing.claim(REVIEWER, story)


async def test_of_two_claims_at_the_same_moment_one_wins(house: World) -> None:
    story = (await house.teller()).stories[0].id
    done = await asyncio.gather(
        *(house.reviewing.claim(who, story) for who in (REVIEWER, APPROVER)),
        return_exceptions=True,
    )
    lost = [d for d in done if isinstance(d, Conflict | ReviewRefused)]
    assert len(lost) == 1, done


async def test_an_approval_puts_the_story_in_the_library_and_tells_its_teller(house: World) -> None:
    folder = await house.teller()
    await house.approve(folder, labels=[("theme", " Housing "), ("place", "city")])
    async with house.store.work() as work:
        entry = await work.library.entry_of(folder.stories[0].id, house.clock.now())
    assert entry is not None
    assert entry.permits(Purpose.PUBLIC_LIBRARY, house.clock.now())
    assert {(x.kind, x.value, x.asserted_by) for x in entry.labels} == {
        ("theme", "housing", who_sha256(APPROVER)),
        ("place", "city", who_sha256(APPROVER)),
    }
    assert await house.reviewing.queue(REVIEWER) == []
    assert await house.told_to(folder) == ["review.told.approved"]


async def test_nobody_decides_without_the_claim_or_for_another_text(house: World) -> None:
    folder = await house.teller()
    story = folder.stories[0].id
    seen = (await house.reviewing.sheet(APPROVER, story)).text_sha256
    trying = house.reviewing.approve(APPROVER, story, seen)
    assert await refused(trying) is Refusal.NOT_CLAIMED
    await house.reviewing.claim(APPROVER, story)
    trying = house.reviewing.approve(APPROVER, story, "0" * 64)
    assert await refused(trying) is Refusal.CHANGED
    await house.reviewing.approve(APPROVER, story, seen)
    assert await refused(house.reviewing.claim(REVIEWER, story)) is Refusal.DECIDED


async def test_an_edit_sends_an_approved_story_back(house: World) -> None:
    folder = await house.teller()
    await house.approve(folder)
    story = folder.stories[0]
    story.parts[StoryOf.SELF].tell("Now it is another story.", Origin.EDITED, house.clock.now())
    story.void_releases(house.clock.now(), "edited")
    await house.save(folder)
    async with house.store.work() as work:
        assert await work.library.entry_of(story.id, house.clock.now()) is None
    assert await refused(house.reviewing.sheet(REVIEWER, story.id)) is Refusal.NOT_RELEASED
    house.release(folder, story, [Purpose.PUBLIC_LIBRARY])
    await house.save(folder)
    assert [x.story_id for x in await house.reviewing.queue(REVIEWER)] == [story.id]


async def test_a_return_tells_reason_and_note_and_the_teller_can_revise(house: World) -> None:
    folder = await house.teller()
    story = folder.stories[0]
    await house.reviewing.claim(REVIEWER, story.id)
    seen = (await house.reviewing.sheet(REVIEWER, story.id)).text_sha256
    give_back = house.reviewing.return_
    for reason in ("criticises_partner", "tone", ""):
        trying = give_back(REVIEWER, story.id, seen, reason, "A note.")
        assert await refused(trying) is Refusal.BAD_REASON
    trying = give_back(REVIEWER, story.id, seen, "contact_details", " ")
    assert await refused(trying) is Refusal.NOTE_MISSING
    await give_back(REVIEWER, story.id, seen, "contact_details", "Leave the number out?")
    assert await house.told_to(folder) == [
        f"review.told.{x}" for x in ("returned", "reason", "note", "revise")
    ]
    assert await house.reviewing.queue(REVIEWER) == []
    story.parts[StoryOf.SELF].tell("The same without it.", Origin.EDITED, house.clock.now())
    story.void_releases(house.clock.now(), "edited")
    house.release(folder, story, [Purpose.PUBLIC_LIBRARY])
    await house.save(folder)
    sheet = await house.reviewing.sheet(REVIEWER, story.id)
    assert (sheet.returned_for, sheet.note) == ("contact_details", "Leave the number out?")
    await house.approve(folder)


def test_criticising_a_partner_is_no_reason() -> None:
    assert not [r for r in ReturnReason if "critic" in r or "partner" in r or "tone" in r]


async def test_what_is_held_or_escalated_stays_in_the_queue_and_can_be_decided(
    house: World,
) -> None:
    held, minor = await house.teller(), await house.teller()
    for folder in (held, minor):
        await house.reviewing.claim(REVIEWER, folder.stories[0].id)
    seen = (await house.reviewing.sheet(REVIEWER, held.stories[0].id)).text_sha256
    await house.reviewing.hold(REVIEWER, held.stories[0].id, seen)
    trying = house.reviewing.escalate(REVIEWER, minor.stories[0].id, seen, "too_angry")
    assert await refused(trying) is Refusal.BAD_REASON
    await house.reviewing.escalate(REVIEWER, minor.stories[0].id, seen, "minor_consent")
    states = {x.story_id: x.state for x in await house.reviewing.queue(REVIEWER)}
    assert states == {
        held.stories[0].id: ReviewState.HELD,
        minor.stories[0].id: ReviewState.ESCALATED,
    }
    assert await house.told_to(minor) == ["review.told.minor_consent"]
    await house.approve(held)


async def test_a_second_reader_is_somebody_else(house: World) -> None:
    folder = await house.teller()
    story = folder.stories[0].id
    asking = house.reviewing.ask_second
    me = folder.identity.telegram_id
    assert await refused(asking(me, story)) is Refusal.NOTHING_TO_SECOND
    await house.reviewing.claim(REVIEWER, story)
    seen = (await house.reviewing.sheet(REVIEWER, story)).text_sha256
    await house.reviewing.return_(REVIEWER, story, seen, "teller_at_risk", "We worry.")
    assert await refused(asking(NOBODY, story)) is Refusal.NOT_FOUND
    await asking(me, story)
    (line,) = await house.reviewing.queue(REVIEWER)
    assert line.is_second
    assert await refused(house.reviewing.claim(REVIEWER, story)) is Refusal.ANOTHER_READER
    await house.approve(folder)


async def test_nobody_reviews_their_own_story(house: World) -> None:
    folder = await house.teller()
    await house.grant(folder.identity.telegram_id, HOLDERS[APPROVER])
    trying = house.reviewing.claim(folder.identity.telegram_id, folder.stories[0].id)
    assert await refused(trying) is Refusal.OWN_STORY


async def test_marks_stand_letter_for_letter_in_their_own_part(house: World) -> None:
    folder = await house.teller(Purpose.COACHING_EXAMPLES, us="We met on the stairs that night.")
    story = folder.stories[0].id
    await house.reviewing.claim(APPROVER, story)
    sheet = await house.reviewing.sheet(APPROVER, story)
    for move, words in (
        (Element.SELF_CHOICE, "I turned, and I knocked on hers."),
        (Element.SELF_CHOICE, "We met on the stairs that night."),
    ):
        trying = house.reviewing.approve(APPROVER, story, sheet.text_sha256, marks={move: words})
        assert await refused(trying) is Refusal.NOT_VERBATIM
    hears = SteadyReader()
    hears.now_hears(reading(StoryOf.SELF, {"choice": "I turned and knocked"}))
    assert await suggestions(hears, sheet) == {Element.SELF_CHOICE: CHOICE}
    hears.is_away = True
    assert await suggestions(hears, sheet) == {}
    marks = {Element.SELF_CHOICE: CHOICE, Element.SELF_CHALLENGE: CHALLENGE}
    await house.reviewing.approve(APPROVER, story, sheet.text_sha256, marks=marks)


async def test_a_refused_act_leaves_no_trace(house: World) -> None:
    story = (await house.teller()).stories[0].id
    before = await house.trail()
    assert await refused(house.reviewing.hold(REVIEWER, story, "0" * 64)) is Refusal.CHANGED
    with pytest.raises(NotAllowed):
        await house.reviewing.claim(NOBODY, story)
    assert await house.trail() == before


async def test_the_trail_names_nobody_and_quotes_nothing(house: World) -> None:
    folder = await house.teller()
    await house.approve(folder)
    mine = [e for e in await house.trail() if e.who_sha256 == who_sha256(APPROVER)]
    assert [e.what for e in mine] == ["claimed", "approved"]
    assert {e.about for e in mine} == {folder.stories[0].id}


async def test_a_right_taken_away_is_gone_at_the_next_act(house: World) -> None:
    folder = await house.teller()
    story = folder.stories[0].id
    await house.reviewing.claim(APPROVER, story)
    async with house.store.work() as work:
        await work.roles.revoke(APPROVER, house.clock.now() + timedelta(0))
        await work.commit()
    with pytest.raises(NotAllowed):
        await house.reviewing.approve(APPROVER, story, folder.stories[0].releases[0].text_sha256)


ACTS: dict[str, tuple[Callable[[World, Actor, str, str], Awaitable[object]], set[Actor]]] = {
    "queue": (lambda w, who, s, h: w.reviewing.queue(who), {REVIEWER, APPROVER, CONSOLE}),
    "sheet": (lambda w, who, s, h: w.reviewing.sheet(who, s), {REVIEWER, APPROVER, CONSOLE}),
    "claim": (lambda w, who, s, h: w.reviewing.claim(who, s), {REVIEWER, APPROVER, CONSOLE}),
    "let go": (lambda w, who, s, h: w.reviewing.let_go(who, s), {REVIEWER, APPROVER, CONSOLE}),
    "approve": (lambda w, who, s, h: w.reviewing.approve(who, s, h), {APPROVER, CONSOLE}),
    "return": (
        lambda w, who, s, h: w.reviewing.return_(who, s, h, "consent_unclear", "Tell us more."),
        {REVIEWER, APPROVER, CONSOLE},
    ),
    "hold": (lambda w, who, s, h: w.reviewing.hold(who, s, h), {REVIEWER, APPROVER, CONSOLE}),
    "escalate": (
        lambda w, who, s, h: w.reviewing.escalate(who, s, h, "collective_consent"),
        {REVIEWER, APPROVER, CONSOLE},
    ),
}


@pytest.mark.parametrize("name", ACTS)
async def test_each_act_of_review_by_every_role(house: World, name: str) -> None:
    trying, allowed = ACTS[name]
    for who in (REVIEWER, APPROVER, EXPORTER, INVITER, ORGANIZER, NOBODY, CONSOLE):
        folder = await house.teller()
        release = folder.stories[0].releases[0]
        if who in allowed and name not in ("queue", "sheet", "claim"):
            await house.reviewing.claim(who, folder.stories[0].id)
        attempt = trying(house, who, folder.stories[0].id, release.text_sha256)
        if who in allowed:
            await attempt
        else:
            with pytest.raises(NotAllowed):
                await attempt

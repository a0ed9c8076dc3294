"""A release covers one exact text, for named purposes, until a day; an edit ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.consent import NameShown, Purpose, Release, text_hash
from bot.core.conversation.releasing import release
from bot.core.conversation.talk import Talk
from bot.core.story import Origin, Story, StoryStatus
from bot.core.turn import Heard
from tests.fakes import A_TUESDAY, Alone, catalogue

TEXT = "I carried the dog out first."


def released(story: Story, *purposes: Purpose, days: int = 365) -> Release:
    made = Release(
        "r1", story.whole(), text_hash(story.whole()), frozenset(purposes), NameShown.NONE, "",
        "2026-11", "en", A_TUESDAY, A_TUESDAY + timedelta(days=days),
    )  # fmt: skip
    story.releases.append(made)
    story.status = StoryStatus.SUBMITTED
    story.submitted_at = A_TUESDAY
    return made


@pytest.fixture
def story() -> Story:
    story = Story("s1", "en", A_TUESDAY)
    for part, text in zip(story.parts.values(), (TEXT, "", ""), strict=True):
        if text:
            part.tell(text, Origin.TOLD, A_TUESDAY)
    return story


def test_a_release_permits_only_the_named_purpose(story: Story) -> None:
    made = released(story, Purpose.ORGANIZERS)
    assert made.permits(Purpose.ORGANIZERS, TEXT, A_TUESDAY)
    assert not any(made.permits(p, TEXT, A_TUESDAY) for p in Purpose if p is not Purpose.ORGANIZERS)


@pytest.mark.parametrize("other", [f"{TEXT} ", TEXT.lower(), TEXT[:-1], "", f"{TEXT}\n"])
def test_a_release_covers_no_other_text_however_near(story: Story, other: str) -> None:
    made = released(story, Purpose.PRESS)
    assert not made.permits(Purpose.PRESS, other, A_TUESDAY)


def test_a_release_without_purposes_permits_nothing(story: Story) -> None:
    assert not released(story).is_live(A_TUESDAY)


def test_a_release_ends_at_its_last_moment(story: Story) -> None:
    made = released(story, Purpose.PRESS, days=10)
    last = made.expires_at
    assert made.is_live(last - timedelta(microseconds=1))
    assert not made.is_live(last)
    assert story.live_release(last) is None


def test_any_edit_voids_the_release_and_makes_a_draft_again(story: Story) -> None:
    released(story, Purpose.PRESS)
    assert story.void_releases(A_TUESDAY, "edited")
    assert story.status is StoryStatus.DRAFT and story.submitted_at is None
    assert story.releases[0].ended_because == "edited"
    assert story.live_release(A_TUESDAY) is None


def test_text_changed_without_notice_is_still_not_covered(story: Story) -> None:
    released(story, Purpose.PRESS)
    part = next(iter(story.parts.values()))
    part.tell("I carried the cat out first.", Origin.EDITED, A_TUESDAY)
    assert story.live_release(A_TUESDAY) is None


def test_an_ended_release_stays_as_it_ended(story: Story) -> None:
    made = released(story, Purpose.PRESS).ended(A_TUESDAY, "edited")
    assert made.ended(A_TUESDAY + timedelta(days=1), "revoked") == made


def test_nobody_under_18_is_released_even_by_mistake() -> None:
    alone = Alone().joins("under_18").sketches_nothing().tells("They fenced the park and I stayed")
    talk = Talk(alone.folder, Heard(), catalogue(), A_TUESDAY, lambda: "x")
    with pytest.raises(ValueError, match="adult"):
        release(talk, alone.story)
    assert alone.story.releases == []


# -- through the conversation -------------------------------------------------------------------


def test_a_release_holds_exactly_what_was_shown_and_chosen() -> None:
    alone = Alone().joins().sketches_nothing().tells(TEXT).releases("press", "translation")
    made = alone.story.releases[-1]
    assert made.text == alone.story.whole() == TEXT
    assert made.purposes == {Purpose.PRESS, Purpose.TRANSLATION}
    assert made.expires_at - made.released_at == timedelta(days=365)
    assert alone.story.live_release(alone.clock.now()) == made


def test_releasing_again_leaves_one_release_in_force() -> None:
    alone = Alone().joins().sketches_nothing().tells(TEXT).releases("press")
    alone.commands("consent")
    alone.presses("change")
    alone.presses("go_on")
    for _ in range(3):
        if "use:excerpts" in alone.offered():
            alone.presses("use:excerpts")
        alone.presses("next")
    for choice in ("name:none", "months_6", "release_this"):
        alone.presses(choice)
    first, second = alone.story.releases
    assert first.ended_because == "replaced"
    assert second.purposes == {Purpose.EXCERPTS}
    assert second.is_live(alone.clock.now())


@pytest.mark.parametrize("way", ["edit", "undo", "other part", "stray"])
def test_every_way_of_changing_words_voids_and_says_so(way: str) -> None:
    alone = Alone().joins().sketches_nothing().tells("first words of it, long enough")
    while alone.step != "offer":
        alone.presses("skip")
    alone.presses("tell_again")
    alone.tells(TEXT)
    alone.releases("press")
    match way:
        case "edit":
            alone.says("read it back")
            alone.presses("change")
            alone.presses("part:self")
            alone.tells("I carried the cat out first.")
        case "undo":
            alone.says("undo")
        case "other part":
            alone.says("another part")
            alone.presses("part:us")
            alone.tells("eleven of us stood there with the dog")
        case "stray":
            alone.says("and one more thing happened that night")
            alone.presses("into:self")
    assert alone.story.live_release(alone.clock.now()) is None
    assert alone.story.status is StoryStatus.DRAFT
    said = [line.key for m in alone.everything for line in getattr(m, "lines", ())]
    assert "releasing.voided" in said


def test_take_it_all_back_ends_every_release_at_once() -> None:
    alone = Alone().joins().sketches_nothing().tells(TEXT).releases("press")
    alone.commands("consent")
    alone.presses("take_back")
    assert alone.story.live_release(alone.clock.now()) is None
    assert alone.story.releases[0].ended_because == "revoked"
    assert alone.story.whole() == TEXT

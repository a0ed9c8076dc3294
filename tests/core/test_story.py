"""A story is its teller's words, every version kept until erased."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bot.core.consent import NameShown, Offer, Purpose, Release, text_hash
from bot.core.holding import as_json, as_lines
from bot.core.narrative import Element, StoryOf, count_words, speaking_seconds
from bot.core.story import Origin, Story
from bot.core.turn import Line
from tests.fakes import A_TUESDAY, Alone, catalogue


def test_the_whole_is_the_parts_in_telling_order_and_the_link() -> None:
    story = Story("s", "en", A_TUESDAY, link="One thread.")
    for stage, text in ((StoryOf.NOW, "Now."), (StoryOf.SELF, "Mine.")):
        story.parts[stage].tell(text, Origin.TOLD, A_TUESDAY)
    assert story.whole() == "Mine.\n\nNow.\n\nOne thread."


def test_a_new_version_leaves_the_earlier_ones() -> None:
    part = Story("s", "en", A_TUESDAY).parts[StoryOf.SELF]
    part.tell("one", Origin.TOLD, A_TUESDAY)
    part.tell("two", Origin.RETOLD, A_TUESDAY)
    assert [(t.number, t.text) for t in part.tellings] == [(1, "one"), (2, "two")]
    assert part.text == "two"


def test_the_tellers_share_weighs_parts_by_length() -> None:
    story = Story("s", "en", A_TUESDAY)
    story.parts[StoryOf.SELF].tell("a" * 90, Origin.TOLD, A_TUESDAY, 1.0)
    story.parts[StoryOf.US].tell("b" * 10, Origin.TOLD, A_TUESDAY, 0.0)
    assert story.teller_share() == pytest.approx(0.9)
    assert Story("s", "en", A_TUESDAY).teller_share() == 1.0


def test_two_minutes_are_two_hundred_and_sixty_words() -> None:
    assert speaking_seconds("word " * 260) == 120
    assert speaking_seconds("") == 0
    assert count_words("don't 🎉 — ¡ya!") == 2


def test_elements_know_their_story() -> None:
    assert Element.SELF_CHOICE.stage is StoryOf.SELF and Element.SELF_CHOICE.short == "choice"
    assert Element.LINK_THREAD.stage is None
    with pytest.raises(ValueError, match="self"):
        Element.of(StoryOf.SELF, "ask")


# -- what is held -------------------------------------------------------------------------------


def full() -> Alone:
    """A resident about whom everything that can be held is held."""
    alone = Alone().joins()
    alone.examples += [("example-1", "An example that nobody typed but the project.")]
    for sketch in ("the 14 bus is closing", "the night cleaners", "the taxi"):
        alone.says(sketch)
    alone.presses("example")
    alone.tells("I had money for one taxi and I looked at Rosa.")
    alone.reader.is_away = True
    while alone.step != "offer":
        alone.presses("skip")
    alone.presses("go_on")
    alone.tells("The eleven of us wrote one letter.")
    while alone.step != "offer":
        alone.presses("skip")
    alone.presses("go_on")
    alone.tells("Come to the depot on Friday.")
    while alone.step != "offer":
        alone.presses("skip")
    alone.presses("go_on")
    for answer in ("ride with me", "Tomas and Lea", "friday noon", "the depot gate"):
        alone.says(answer)
    alone.presses("thats_right")
    alone.says("nobody gets left at the stop")
    alone.presses("its_right")
    alone.says("cousin Marisol")
    alone.presses("go_on")
    alone.says("Snow and one taxi")
    alone.presses("answer:lived")
    alone.presses("skip_all")
    alone.presses("go_on")
    alone.presses("use:organizers")
    for _ in range(3):
        alone.presses("next")
    alone.presses("name:chosen")
    alone.says("A cleaner")
    alone.presses("year_1")
    alone.presses("release_this")
    alone.says("read it back")
    alone.presses("choose_part")
    alone.presses("part:self")
    alone.says("half a sentence that is not")
    return alone


HELD = (
    "the 14 bus is closing", "the night cleaners", "the taxi", "I looked at Rosa",
    "The eleven of us wrote one letter", "Come to the depot on Friday", "ride with me",
    "Tomas and Lea", "friday noon", "the depot gate", "nobody gets left at the stop",
    "cousin Marisol", "Snow and one taxi", "A cleaner", "half a sentence that is not",
)  # fmt: skip


@pytest.mark.parametrize("words", HELD)
def test_my_data_has_everything_held_readable_and_as_json(words: str) -> None:
    alone = full()
    book = catalogue()
    lines = as_lines(alone.folder, alone.clock.now())
    readable = "\n".join(book.text(line, "en") for line in lines)
    assert words in readable
    assert words in json.dumps(json.loads(as_json(alone.folder)), ensure_ascii=False)


def test_my_data_names_every_use_and_the_persons_identity() -> None:
    alone = full()
    book = catalogue()
    lines = as_lines(alone.folder, alone.clock.now())
    readable = "\n".join(book.text(line, "en") for line in lines)
    assert book.text(Line(f"purposes.{Purpose.ORGANIZERS}"), "en") in readable
    assert str(alone.folder.identity.telegram_id) in readable
    held = json.loads(as_json(alone.folder))
    assert held["stories"][0]["releases"][0]["purposes"] == ["organizers"]
    assert held["shown_examples"] == ["example-1"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_my_data_can_be_said_in_every_language(language: str) -> None:
    alone = full()
    for line in as_lines(alone.folder, alone.clock.now() + timedelta(days=1)):
        assert catalogue().text(line, language)


def offering(story: Story, text: str) -> Offer:
    """Words of the story, offered for half a year."""
    until = A_TUESDAY + timedelta(days=182)
    release = Release(
        "off-1", text, text_hash(text), frozenset({Purpose.FOLLOW_UP}), NameShown.NONE, "",
        "2026-11", "en", A_TUESDAY, until,
    )  # fmt: skip
    offer = Offer(release, "door", "Who opened a door?", (("g-1", "Hall"),))
    story.offers.append(offer)
    return offer


def told(text: str = "She knocked. I opened.") -> Story:
    story = Story("s", "en", A_TUESDAY)
    story.parts[StoryOf.SELF].tell(text, Origin.TOLD, A_TUESDAY)
    return story


def test_an_offer_stands_while_its_words_do_and_is_no_release_for_anybody_else() -> None:
    story = told()
    offer = offering(story, "She knocked.")
    assert story.live_offer(A_TUESDAY) == offer
    assert story.live_release(A_TUESDAY) is None, "staff find nothing to review"
    assert story.live_offer(offer.release.expires_at) is None
    story.parts[StoryOf.SELF].tell("I opened.", Origin.EDITED, A_TUESDAY)
    assert story.live_offer(A_TUESDAY) is None


@pytest.mark.parametrize("because", ["edited", "revoked", "withdrawn"])
def test_whatever_ends_a_release_ends_an_offer(because: str) -> None:
    story = told()
    offering(story, "She knocked.")
    assert story.void_releases(A_TUESDAY, because), "there was something to end"
    assert story.live_offer(A_TUESDAY) is None
    assert story.offers[0].release.ended_because == because


def test_another_release_of_the_story_leaves_an_offer_standing() -> None:
    story = told()
    offer = offering(story, story.whole())
    assert not story.void_releases(A_TUESDAY, "replaced")
    assert story.live_offer(A_TUESDAY) == offer

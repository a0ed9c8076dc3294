"""A teller lends organizers their words for one post in named groups; withdrawn, they are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.console.people import Group as Hall
from bot.console.people import Person
from bot.core.care import SpanKind
from bot.core.consent import AgeBand, NameShown, Purpose
from bot.core.turn import Choice, Line
from tests.fakes import catalogue
from tests.store.places import everything_held
from tests.telegram.campaign import Campaign, campaigning
from tests.telegram.test_practising import JOIN, PRIVATE, Practice, to_the_end

STORY = "My hand went up, shaking, before I knew it. Nobody else moved."
PASSAGE = "shaking, before I knew it."


@dataclass
class Loop:
    """Marta organizes; Ana answers a prompt in Hall and may lend what she told."""

    campaign: Campaign
    practice: Practice
    ana: Person
    language: str

    def b(self, choice: str, **words: str) -> str:
        """A button of the conversation in this language."""
        return catalogue().label(Choice("x", f"choices.{choice}", words), self.language)

    def text(self, key: str, **words: str) -> str:
        return catalogue().text(Line(key, words), self.language)

    async def told(self, words: str = STORY) -> None:
        """A story that began at the group's prompt, told to its end and kept private."""
        await self.practice.taps(self.ana, self.campaign.token())
        await self.practice.presses(self.ana, *JOIN[self.language])
        await self.practice.says(self.ana, words)
        await to_the_end(self.practice, self.ana, self.language)
        await self.practice.presses(self.ana, PRIVATE[self.language])

    async def looks(self) -> str:
        """From her finished story to the last look at all of it; the post as she was shown it."""
        await self.practice.presses(self.ana, *map(self.b, ("offer_back", "go_on", "all_of_it")))
        said = await self.practice.presses(self.ana, self.named("none"))
        return said[-2]

    async def lends(self) -> str:
        """All of it, without a name; the post as she was shown it."""
        look = await self.looks()
        await self.practice.presses(self.ana, self.b("offer_this"))
        return look

    def named(self, shown: str) -> str:
        return catalogue().label(Choice("x", f"names.{shown}"), self.language)

    async def offered(self) -> str:
        """Marta before the groups' choice; what she reads."""
        await self.campaign.home()
        await self.campaign.does("results", "follow")
        return "\n".join(await self.campaign.press(self.campaign.labels()[0]))

    async def previews(self) -> list[str]:
        """Marta before the last tap, with the first story that is offered."""
        await self.offered()
        return await self.campaign.press(self.campaign.labels()[1])

    async def posts(self) -> None:
        before = len(self.campaign.in_hall())
        await self.previews()
        await self.campaign.does("send_now")
        await self.campaign.posted(before + 1)

    def in_hall(self) -> list[str]:
        return self.campaign.in_hall()

    def ana_read(self) -> list[str]:
        return [e.text for e in self.campaign.stage.api.transcript(self.ana) if e.who == "bot"]

    async def says(self, text: str) -> list[str]:
        return await self.practice.says(self.ana, text)

    async def presses(self, *choices: str) -> list[str]:
        return await self.practice.presses(self.ana, *map(self.b, choices))


@pytest.fixture(params=["en", "es"])
async def loop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Loop]:
    async with campaigning(tmp_path, request.param) as campaign:
        yield await looped(campaign)


@pytest.fixture
async def english(tmp_path: Path) -> AsyncIterator[Loop]:
    async with campaigning(tmp_path) as campaign:
        yield await looped(campaign)


async def looped(campaign: Campaign) -> Loop:
    """Marta has pushed a prompt to Hall."""
    await campaign.with_group()
    await campaign.pushes_now()
    target = await campaign.target()
    practice = Practice(campaign.stage, campaign.hall, target.group.id, {})
    ana = campaign.stage.person("Anabel", campaign.language)
    return Loop(campaign, practice, ana, campaign.language)


async def with_yard(loop: Loop) -> Hall:
    """A second group that had the same prompt."""
    yard = loop.campaign.stage.api.group("Yard")
    yard.add_bot(loop.campaign.marta)
    await loop.campaign.stage.settled()
    await loop.campaign.home()
    await loop.campaign.does("push", "season.building", "stage.self", "use")
    await loop.campaign.press(loop.campaign.b("rest", days="3"), loop.campaign.b("rest", days="7"))
    await loop.campaign.press(loop.campaign.b("rest", days="14"))
    await loop.campaign.press(loop.campaign.b("all", count="2"))
    before = len(loop.in_hall())
    await loop.campaign.does("now", "send_now")
    await loop.campaign.posted(before + 1)
    return yard


def posts_in(loop: Loop, hall: Hall) -> list[str]:
    return [e.text for e in loop.campaign.stage.api.transcript(hall) if e.who == "bot"]


# -- the whole way ------------------------------------------------------------------------------


async def test_the_groups_see_what_the_teller_saw_after_the_organizers_tap_and_the_teller_hears(
    loop: Loop,
) -> None:
    await loop.told()
    before = loop.in_hall()
    look = await loop.lends()
    assert STORY in look and loop.in_hall() == before
    previewed = await loop.previews()
    assert look in previewed and "Anabel" not in "\n".join(previewed)
    assert loop.in_hall() == before
    await loop.campaign.does("send_now")
    await loop.campaign.posted(len(before) + 1)
    assert loop.in_hall() == [*before, look]
    assert loop.text("offering.posted", groups="Hall") in loop.ana_read()
    said = await loop.says("/where")
    day = f"{loop.campaign.stage.clock.now():%Y-%m-%d}"
    assert loop.text("review.where.followed_posted", day=day, group="Hall") in said[-1]
    await loop.campaign.home()
    page = await loop.campaign.does("results", "told")
    assert loop.text("organizing.results.posted", count="1") in page
    assert STORY not in page


async def test_nothing_reaches_an_organizer_before_the_tellers_yes(loop: Loop) -> None:
    await loop.told()
    await loop.looks()
    said = await loop.offered()
    assert "shaking" not in said
    assert loop.campaign.b("counts") not in loop.campaign.labels()
    assert "shaking" not in "\n".join(loop.campaign.shown())


async def test_the_last_yes_and_every_step_to_it_may_be_typed(loop: Loop) -> None:
    typed = {
        "en": ("lend it", "go on", "the whole story", "no name", "they may"),
        "es": ("prestarla", "seguir", "toda la historia", "sin nombre", "que la publiquen"),
    }
    await loop.told()
    for words in typed[loop.language]:
        said = await loop.says(words)
    assert said[0] == loop.text("offering.done", groups="Hall")
    folder = await loop.campaign.stage.folder(loop.ana)
    assert folder is not None and folder.story is not None
    (offer,) = folder.story.offers
    assert offer.release.purposes == {Purpose.FOLLOW_UP} and offer.release.text == STORY
    assert offer.release.name_shown is NameShown.NONE and offer.titles == ("Hall",)


async def test_a_passage_stands_letter_for_letter_and_other_words_are_not_taken(
    loop: Loop,
) -> None:
    await loop.told()
    await loop.presses("offer_back", "go_on")
    said = await loop.says("my hand went down at once")
    assert said[0] == loop.text("offering.not_there")
    await loop.says("SHAKING,  before i knew it.")
    said = await loop.practice.presses(loop.ana, loop.named("first"))
    said = await loop.says("Anita")
    assert f"{PASSAGE}\n\nAnita" in said[-2] and "Nobody else" not in said[-2]
    await loop.presses("offer_this")
    await loop.posts()
    assert loop.in_hall()[-1] == said[-2]


async def test_a_group_has_it_once_and_a_second_try_is_a_kind_sentence(english: Loop) -> None:
    await english.told()
    await english.lends()
    await english.posts()
    count = len(english.in_hall())
    said = await english.offered()
    # Nothing is left to choose: numbers are previewed at once.
    assert "shaking" not in said and english.campaign.b("send_now") in english.campaign.labels()
    assert len(english.in_hall()) == count


# -- where, and for whom ------------------------------------------------------------------------


@pytest.mark.parametrize("only_mine", [True, False])
async def test_it_goes_only_where_its_teller_said(english: Loop, only_mine: bool) -> None:
    yard = await with_yard(english)
    await english.told()
    said = await english.presses("offer_back", "go_on", "all_of_it")
    assert said[0] == english.text("offering.where", groups="Hall, Yard")
    where = english.b("only_mine", group="Hall") if only_mine else english.b(
        "all_of_them", count="2"
    )  # fmt: skip
    said = await english.practice.presses(english.ana, where, english.named("none"))
    assert ("Yard" in said[-1]) is not only_mine
    await english.presses("offer_this")
    await english.posts()
    await english.campaign.stage.settled()
    assert any(STORY in post for post in english.in_hall())
    assert any(STORY in post for post in posts_in(english, yard)) is not only_mine


async def test_somebody_under_18_is_not_asked(english: Loop) -> None:
    await english.told()
    assert english.b("offer_back") in english.practice.offered
    folder = await english.campaign.stage.folder(english.ana)
    assert folder is not None
    folder.resident.age_band = AgeBand.UNDER_18
    async with english.campaign.stage.store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    await english.presses("offer_back")
    assert english.b("offer_back") not in english.practice.offered


async def test_other_people_in_it_are_decided_about_first(english: Loop) -> None:
    english.campaign.stage.screener.passages.append((SpanKind.PHONE, "555 0199"))
    await english.practice.taps(english.ana, english.campaign.token())
    await english.practice.presses(english.ana, *JOIN["en"])
    await english.says("I rang 555 0199 and she came.")
    for text in ("that's it", "read it back", "it's right", "skip", "skip"):
        await english.says(text)
    await english.practice.presses(english.ana, english.b("keep"), PRIVATE["en"])
    folder = await english.campaign.stage.folder(english.ana)
    assert folder is not None and folder.story is not None
    folder.story.kept_passages = ()
    async with english.campaign.stage.store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    said = await english.presses("offer_back", "go_on")
    assert "555 0199" in said[-1]
    await english.practice.presses(english.ana, english.b("remove"))
    said = await english.practice.presses(
        english.ana, english.b("all_of_it"), english.named("none")
    )
    assert "555" not in said[-2] and "I rang and she came." in said[-2]


async def test_while_its_teller_is_in_danger_it_is_not_offered(english: Loop) -> None:
    await english.told()
    await english.lends()
    folder = await english.campaign.stage.folder(english.ana)
    assert folder is not None
    folder.session.step = "care"
    async with english.campaign.stage.store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    assert "shaking" not in await english.offered()


# -- taking it back -----------------------------------------------------------------------------

WAYS = ["withdraw", "forget", "take_back", "edit"]


async def ends(loop: Loop, way: str) -> None:
    """Ana ends it, in one of the ways there are."""
    if way == "withdraw":
        await loop.says("/withdraw")
        await loop.presses("withdraw_now")
    elif way == "forget":
        await loop.says("/forget")
        await loop.presses("erase_everything")
    elif way == "take_back":
        await loop.says("/consent")
        await loop.presses("take_back")
    else:
        (told,) = (e for e in loop.campaign.stage.api.transcript(loop.ana) if e.text == STORY)
        loop.ana.edits(told.message_id, "My hand stayed down.")
        await loop.campaign.stage.settled()


@pytest.mark.parametrize("way", WAYS)
async def test_taken_back_between_preview_and_tap_nothing_is_posted_and_it_is_said_kindly(
    loop: Loop, way: str
) -> None:
    await loop.told()
    await loop.lends()
    await loop.previews()
    before = loop.in_hall()
    await ends(loop, way)
    said = await loop.campaign.does("send_now")
    assert loop.text("organizing.refused.not_offered") in said
    assert loop.in_hall() == before
    async with loop.campaign.stage.store.work() as work:
        assert not await work.practice.followed()


@pytest.mark.parametrize("way", WAYS)
async def test_taken_back_after_it_was_posted_it_is_deleted_there_too(loop: Loop, way: str) -> None:
    await loop.told()
    look = await loop.lends()
    await loop.posts()
    assert look in loop.in_hall()
    await ends(loop, way)
    await loop.campaign.stage.settled()
    stays = way == "edit"
    assert (look in loop.in_hall()) is stays, "an edit leaves what was agreed to then"
    down = loop.text("offering.taken_down", group="Hall")
    assert (down in loop.ana_read()) is not stays
    await loop.campaign.home()
    page = await loop.campaign.does("results", "told")
    assert (loop.text("organizing.results.taken_back", count="1") in page) is not stays
    if way in ("withdraw", "forget"):
        assert "shaking" not in await everything_held(loop.campaign.stage.store)


async def test_what_telegram_keeps_is_said_honestly(
    english: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await english.told()
    look = await english.lends()
    await english.posts()
    api = english.campaign.stage.api
    later = api.now() + timedelta(hours=49).total_seconds()
    monkeypatch.setattr(api, "now", lambda: later)
    await ends(english, "withdraw")
    assert look in english.in_hall()
    assert english.text("offering.stays", group="Hall") in english.ana_read()


async def test_consent_shows_it_and_a_copy_of_everything_holds_it(loop: Loop) -> None:
    await loop.told()
    await loop.lends()
    shown = "\n".join(await loop.says("/consent"))
    assert loop.text("purposes.follow_up") in shown
    assert loop.text("offering.permitted", groups="Hall") in shown
    said = await loop.says("/where")
    assert loop.text("review.state.lent") in said[0]

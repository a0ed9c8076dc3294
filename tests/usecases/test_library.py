"""The library: found while permitted, told to tellers, lapsing in silence, erased step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.consent import Purpose
from bot.core.library import Wanted
from bot.core.narrative import Element, StoryOf
from bot.core.review import ReviewState
from bot.core.story import Folder, StoryStatus
from bot.exporting.home import Home
from bot.usecases.library import Erasing, Librarian, Library
from bot.usecases.library_ports import PASSAGES
from bot.usecases.people import CONSOLE, NotAllowed
from bot.usecases.ports import RetrievalUnavailable, StoreUnavailable
from bot.usecases.staff import Staff
from tests.fakes import catalogue
from tests.usecases.library_world import (
    APPROVER,
    CHOICE,
    EXPORTER,
    INVITER,
    NOBODY,
    ORGANIZER,
    REVIEWER,
    World,
    world,
)


class Index:
    """An example index that notes what it was asked to renew; away when told."""

    def __init__(self) -> None:
        self.renewed: list[tuple[str, ...]] = []
        self.is_away = False

    async def renew(self, story_ids: Sequence[str]) -> int:
        if self.is_away:
            raise RetrievalUnavailable("told to be away")
        self.renewed.append(tuple(story_ids))
        return len(story_ids)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def librarian(house: World, index: Index) -> Librarian:
    return Librarian(house.store, house.clock, index, Home(house.home))


async def an_example(house: World, language: str = "en") -> Folder:
    """A teller whose story is approved with a marked passage."""
    folder = await house.teller(Purpose.COACHING_EXAMPLES, language=language)
    story = folder.stories[0].id
    await house.reviewing.claim(APPROVER, story)
    seen = (await house.reviewing.sheet(APPROVER, story)).text_sha256
    marks = {Element.SELF_CHOICE: CHOICE}
    await house.reviewing.approve(APPROVER, story, seen, [("theme", "housing")], marks)
    return folder


async def withdraw(house: World, folder: Folder, store: object = None) -> None:
    staff = Staff(store or house.store, catalogue(), house.clock, house.new_id)  # type: ignore[arg-type]
    await staff.withdraw(folder.stories[0].id)


async def shared(house: World) -> list[str]:
    async with house.store.work() as work:
        found = await work.library.shared(house.clock.now())
    return [s.text for s in found]


# -- finding ------------------------------------------------------------------------------------


async def test_stories_are_found_by_each_thing_they_are_known_for(house: World) -> None:
    first = await house.teller(Purpose.PUBLIC_LIBRARY, us="We met on the stairs.")
    await house.approve(first, labels=[("theme", "Housing"), ("place", "city"), ("value", "Care")])
    house.clock.passes(days=2)
    second = await house.teller(Purpose.PARTNER_LIBRARY, language="es")
    await house.approve(second, labels=[("theme", "water")])
    await house.teller()  # not approved
    library = Library(house.store, house.clock)
    one, two = first.stories[0].id, second.stories[0].id
    day = house.clock.now()
    for wanted, expected in (
        (Wanted(), {one, two}),
        (Wanted(theme="HOUSING"), {one}),
        (Wanted(stage=StoryOf.US), {one}),
        (Wanted(language="es"), {two}),
        (Wanted(place="city"), {one}),
        (Wanted(value="care"), {one}),
        (Wanted(since=day - timedelta(days=1)), {two}),
        (Wanted(until=day - timedelta(days=1)), {one}),
        (Wanted(purpose=Purpose.PUBLIC_LIBRARY), {one}),
        (Wanted(theme="nothing"), set()),
    ):
        assert {e.story_id for e in await library.find(EXPORTER, wanted)} == expected, wanted
    assert await library.find(EXPORTER, Wanted(), limit=1)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [(REVIEWER, True), (APPROVER, True), (EXPORTER, True), (CONSOLE, True),
     (INVITER, False), (ORGANIZER, False), (NOBODY, False)],
)  # fmt: skip
async def test_the_library_is_for_staff(house: World, who: object, allowed: bool) -> None:
    library = Library(house.store, house.clock)
    if allowed:
        assert await library.find(who, Wanted()) == []  # type: ignore[arg-type]
    else:
        with pytest.raises(NotAllowed):
            await library.find(who, Wanted())  # type: ignore[arg-type]


# -- examples -----------------------------------------------------------------------------------


async def test_a_marked_passage_is_shared_at_once_and_gone_at_once(
    house: World, index: Index, librarian: Librarian
) -> None:
    folder = await an_example(house)
    assert await shared(house) == [CHOICE]
    await librarian.finish()
    assert index.renewed == [()]
    await withdraw(house, folder)
    assert await shared(house) == []
    await librarian.finish()
    assert index.renewed[-1] == (folder.stories[0].id,)


async def test_without_consent_to_examples_no_passage_is_shared(house: World) -> None:
    folder = await house.teller(Purpose.PUBLIC_LIBRARY)
    story = folder.stories[0].id
    await house.reviewing.claim(APPROVER, story)
    seen = (await house.reviewing.sheet(APPROVER, story)).text_sha256
    marks = {Element.SELF_CHOICE: CHOICE}
    await house.reviewing.approve(APPROVER, story, seen, marks=marks)
    assert await shared(house) == []


async def test_a_passage_leaves_when_its_release_ends_by_itself(house: World) -> None:
    await an_example(house)
    house.clock.passes(days=366)
    assert await shared(house) == []


async def test_a_passage_shown_for_the_first_time_is_news_once(
    house: World, librarian: Librarian
) -> None:
    teller = await an_example(house)
    for _ in range(2):
        viewer = house.folder()
        viewer.shown_examples = [f"{PASSAGES}{teller.stories[0].id}:self.choice"]
        await house.save(viewer)
        await librarian.sweep()
    assert await house.told_to(teller) == ["review.told.approved", "review.told.first_shown"]


# -- time ---------------------------------------------------------------------------------------


async def test_a_month_before_the_end_they_are_asked_once_and_silence_lets_it_lapse(
    house: World, librarian: Librarian
) -> None:
    folder = await house.teller(days=90)
    await house.approve(folder)
    assert await librarian.sweep() == 0
    house.clock.passes(days=61)
    assert (await librarian.sweep(), await librarian.sweep()) == (1, 0)
    assert (await house.told_to(folder))[-1] == "review.told.expiring"
    house.clock.passes(days=30)
    assert (await librarian.sweep(), await librarian.sweep()) == (1, 0)
    assert (await house.told_to(folder))[-1] == "review.told.lapsed"
    async with house.store.work() as work:
        found = await work.folders.by_chat(folder.identity.chat_id)
        assert await work.library.entry_of(folder.stories[0].id, house.clock.now()) is None
    assert found is not None
    assert found.stories[0].status is StoryStatus.DRAFT
    assert found.stories[0].releases[-1].ended_because == "expired"
    assert found.stories[0].whole(), "their own text stays with them"


async def test_who_releases_again_in_time_is_not_bothered(
    house: World, librarian: Librarian
) -> None:
    folder = await house.teller(days=90)
    house.clock.passes(days=61)
    await librarian.sweep()
    house.release(folder, folder.stories[0], [Purpose.PUBLIC_LIBRARY])
    await house.save(folder)
    house.clock.passes(days=40)
    assert await librarian.sweep() == 0


# -- where has my story been --------------------------------------------------------------------


async def test_a_teller_sees_where_each_story_has_been(house: World) -> None:
    library = Library(house.store, house.clock)
    folder = await house.teller()
    chat = folder.identity.chat_id
    (been,) = await library.where(chat)
    assert (been.state, been.places, been.can_ask_second) == (ReviewState.WAITING, (), False)
    story = folder.stories[0].id
    await house.reviewing.claim(REVIEWER, story)
    seen = (await house.reviewing.sheet(REVIEWER, story)).text_sha256
    await house.reviewing.return_(REVIEWER, story, seen, "consent_unclear", "For whom?")
    (been,) = await library.where(chat)
    assert (been.note, been.can_ask_second) == ("For whom?", True)
    await house.reviewing.ask_second(folder.identity.telegram_id, story)
    await house.approve(folder)
    (been,) = await library.where(chat)
    assert [p.what for p in been.places] == ["returned", "approved"]
    assert await library.where(4) == []


# -- erasing ------------------------------------------------------------------------------------


async def test_an_erasure_that_cannot_be_done_now_is_done_later_and_never_claimed(
    house: World, index: Index, librarian: Librarian
) -> None:
    folder = await an_example(house)
    await librarian.finish()
    index.is_away = True
    erasing = Erasing(house.store, librarian.finish)
    with pytest.raises(StoreUnavailable, match="not be erased everywhere"):
        await withdraw(house, folder, erasing)
    assert await shared(house) == []
    index.is_away = False
    receipts = await erasing.scrub(house.clock.now())
    assert [r.place for r in receipts] == ["index", "free_pages"]
    async with house.store.work() as work:
        assert await work.library.erasures() == []


async def test_the_note_and_labels_of_a_withdrawn_story_go_with_it(
    house: World, librarian: Librarian
) -> None:
    folder = await house.teller()
    story = folder.stories[0].id
    await house.reviewing.claim(REVIEWER, story)
    seen = (await house.reviewing.sheet(REVIEWER, story)).text_sha256
    await house.reviewing.return_(
        REVIEWER, story, seen, "consent_unclear", "Is Quetzalcoatlus her name?", ["pterodactyls"]
    )
    await withdraw(house, folder, Erasing(house.store, librarian.finish))
    held = b"".join(p.read_bytes() for p in house.home.rglob("*") if p.is_file())
    assert b"Quetzal" not in held and b"pterodactyl" not in held


async def test_what_was_handed_over_in_the_terminal_goes_with_who_is_forgotten(
    house: World, librarian: Librarian
) -> None:
    folder = await house.teller()
    for chat in (folder.identity.chat_id, 77):
        received = house.home / "received" / str(chat)
        received.mkdir(parents=True)
        (received / "my-data.txt").write_text("words")
    async with house.store.work() as work:
        await work.folders.erase(folder.resident.id, house.clock.now())
        await work.commit()
    receipts = await librarian.finish()
    assert (receipts[0].place, receipts[0].count) == ("files", 1)
    assert [p.name for p in (house.home / "received").iterdir()] == ["77"]


async def test_an_expired_folder_changed_meanwhile_is_looked_at_again(
    house: World, librarian: Librarian
) -> None:
    folder = await house.teller(days=1)
    house.clock.passes(days=2)
    folder.resident = replace(folder.resident, last_seen_at=house.clock.now())
    await house.save(folder)
    assert await librarian.sweep() == 1

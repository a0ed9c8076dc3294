"""Folders in memory: rows are made anew only where they changed, and nobody shares a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.narrative import StoryOf
from bot.core.story import Folder, Origin, Part, StoryStatus
from bot.store.rows import differing, from_rows, to_rows, written
from bot.usecases.ports import Conflict, Store
from tests.store.places import PLACES, opened
from tests.store.samples import NOW, a_full_folder, a_story, folders

Edit = Callable[[Folder], object]


def _part(folder: Folder, number: int, stage: StoryOf) -> Part:
    return folder.stories[number].parts.setdefault(stage, Part(stage))


EDITS: tuple[Edit, ...] = (
    lambda f: f.stories.append(a_story(f"s-new-{len(f.stories)}")),
    lambda f: f.stories.reverse(),
    lambda f: f.stories.clear(),
    lambda f: f.stories and _part(f, 0, StoryOf.SELF).tell("Again.", Origin.RETOLD, NOW),
    lambda f: f.stories and _part(f, -1, StoryOf.US).pieces.append("And then."),
    lambda f: f.stories and setattr(_part(f, 0, StoryOf.NOW), "sketch", "Tomorrow."),
    lambda f: f.stories and setattr(f.stories[-1], "link", "It is the same door."),
    lambda f: f.stories and f.stories[0].interpretation.update(value="Care."),
    lambda f: f.stories and f.stories[0].readings.clear(),
    lambda f: f.stories and f.stories[0].void_releases(NOW, "edited"),
    lambda f: f.stories and setattr(f.stories[-1], "status", StoryStatus.WITHDRAWN),
    lambda f: f.session.notes.update(sent=[[1, 2, 3]]),
    lambda f: f.shown_examples.append("p-9"),
    lambda f: setattr(f.resident, "language", "es"),
)


@settings(max_examples=100, deadline=None)
@given(folders(), st.lists(st.sampled_from(EDITS), max_size=4))
def test_rows_that_are_taken_over_are_those_that_would_be_made(
    folder: Folder, edits: list[Edit]
) -> None:
    before = written(folder)
    kept = deepcopy(before)
    for edit in edits:
        edit(folder)
    after = written(folder, before)
    assert after.whole() == to_rows(folder)
    assert from_rows(after) == folder
    assert before == kept, "what was written before is not changed"
    old, new = differing(before, after)
    assert {t: {k for k in new[t] if new[t][k] != old[t].get(k)} for t in new} == {
        t: {k for k, row in held.items() if row != before.whole()[t].get(k)}
        for t, held in after.whole().items()
    }, "no difference is passed over"


def test_of_many_stories_only_the_one_that_changed_is_made_anew() -> None:
    folder = a_full_folder()
    folder.stories += [a_story(f"s-{n}") for n in range(5, 9)]
    before = written(folder)
    folder.stories[-1].parts[StoryOf.SELF].tell("Again.", Origin.RETOLD, NOW)
    after = written(folder, before)
    made = [key for key in after.stories if after.stories[key][1] is not before.stories[key][1]]
    assert made == ["s-8"]
    rows, earlier = after.stories["s-8"][1], before.stories["s-8"][1]
    again = [
        key for key, row in rows["tellings"].items() if earlier["tellings"].get(key) is not row
    ]
    assert again == [("s-8", "self", 2)]


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        async with store.work() as work:
            await work.folders.save(a_full_folder())
            await work.commit()
        yield store


async def loaded(store: Store) -> Folder:
    async with store.work() as work:
        folder = await work.folders.by_chat(7001)
    assert folder is not None
    return folder


async def test_what_was_changed_and_not_saved_is_nowhere(store: Store) -> None:
    for _ in range(3):
        folder = await loaded(store)
        assert folder.resident.language != "xx"
        folder.resident.language = "xx"
        folder.stories.clear()
    assert (await loaded(store)).stories


async def test_two_who_load_at_once_have_each_their_own(store: Store) -> None:
    one, other = await loaded(store), await loaded(store)
    assert one == other
    one.stories[0].link = "Another link."
    assert other.stories[0].link != "Another link."


async def test_what_was_saved_and_given_up_is_nowhere(store: Store) -> None:
    folder = await loaded(store)
    folder.stories[0].link = "Given up."
    async with store.work() as work:
        await work.folders.save(folder)
    again = await loaded(store)
    assert again.stories[0].link != "Given up."
    assert again.session.version == folder.session.version


async def test_whoever_comes_second_is_told_and_loads_what_the_first_kept(store: Store) -> None:
    first, second = await loaded(store), await loaded(store)
    first.stories[0].link, second.stories[0].link = "First.", "Second."
    async with store.work() as work:
        await work.folders.save(first)
        await work.commit()
    with pytest.raises(Conflict):
        async with store.work() as work:
            await work.folders.save(second)
            await work.commit()
    assert (await loaded(store)).stories[0].link == "First."


async def test_what_was_erased_is_not_remembered(store: Store) -> None:
    folder = await loaded(store)
    async with store.work() as work:
        await work.folders.erase(folder.resident.id, NOW)
        await work.commit()
    async with store.work() as work:
        assert await work.folders.by_chat(7001) is None

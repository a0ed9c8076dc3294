"""What is withdrawn is in no byte of any file: database, index, exports; killed at any step."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bot.core.consent import Purpose
from bot.core.library import Format, Profile
from bot.core.narrative import Element
from bot.core.story import Folder
from bot.exporting.archive import Archives
from bot.exporting.home import Home
from bot.retrieval.index import ChromaRetriever
from bot.retrieval.library import LibrarySource
from bot.settings import Settings
from bot.usecases.exporting import Exporting
from bot.usecases.library import Erasing, Librarian
from bot.usecases.library_ports import HomeFiles
from bot.usecases.ports import Receipt, Store, UnitOfWork
from bot.usecases.staff import Staff
from bot.wiring import Sharing
from tests.commands.shell import REPOSITORY, environment
from tests.databases import database, on_disk
from tests.fakes import catalogue
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.small import write_corpus
from tests.store.places import everything_held
from tests.usecases.library_world import APPROVER, World, world

PASSAGE = "I held the quetzalcoatlus lamp and turned to knock on her door instead."
WORDS = f"{PASSAGE} The periwinkle stairs were full by nine."
SECRETS = (b"quetzalcoatlus", b"periwinkle")


class Embeddings:
    """The real index over the small corpus and the library, with an embedder of words."""

    def __init__(self, home: Path, corpus: Path, database: str) -> None:
        settings = Settings(_env_file=None, coach_home=home, database_url=database)  # type: ignore[call-arg]
        source = LibrarySource(Sharing(settings))
        self.index = ChromaRetriever(home / "examples", corpus, WordEmbedder(), [source])

    async def renew(self, story_ids: Sequence[str]) -> int:
        return await self.index.renew()


@dataclass
class House:
    """A released, approved, indexed, exported story, and everybody's means to erase it."""

    world: World
    embeddings: Embeddings
    folder: Folder

    @property
    def home(self) -> Path:
        return self.world.home

    def librarian(self, store: Store | None = None, files: HomeFiles | None = None) -> Librarian:
        return Librarian(
            store or self.world.store, self.world.clock, self.embeddings, files or Home(self.home)
        )

    async def withdraw(self, store: Store) -> None:
        staff = Staff(store, catalogue(), self.world.clock, self.world.new_id)
        await staff.withdraw(self.folder.stories[0].id)


def vector() -> bytes:
    """The passage's vector as Chroma writes it: what was embedded is its themes and its words."""
    made = WordEmbedder().embed([f"lamps. {PASSAGE}"])[0]
    return np.asarray(made, dtype="<f4").tobytes()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_corpus(corpus)
    async with world(tmp_path / "home") as made:
        embeddings = Embeddings(made.home, corpus, database(made.home))
        await embeddings.index.ensure()
        folder = await made.teller(
            Purpose.COACHING_EXAMPLES, Purpose.PUBLIC_LIBRARY, words=WORDS, days=3650
        )
        story = folder.stories[0].id
        await made.reviewing.claim(APPROVER, story)
        seen = (await made.reviewing.sheet(APPROVER, story)).text_sha256
        marks = {Element.SELF_CHOICE: PASSAGE}
        await made.reviewing.approve(APPROVER, story, seen, [("theme", "lamps")], marks)
        ready = House(made, embeddings, folder)
        await ready.librarian().finish()
        exporting = Exporting(made.store, Archives(catalogue().text), made.clock, made.new_id)
        await exporting.export(
            "console", Profile.PUBLIC, [Format.CSV, Format.DOCX], made.home / "exports"
        )
        await made.store.scrub(made.clock.now())
        yield ready
        embeddings.index.close()


async def found(house: House) -> list[str]:
    passages = await house.embeddings.index.search(
        Element.SELF_CHOICE, "en", "a quetzalcoatlus lamp"
    )
    return [p.text for p in passages]


def assert_nothing_left(house: House) -> None:
    held = on_disk(house.home)
    for secret in (*SECRETS, vector()):
        assert secret not in held
    assert list((house.home / "exports").iterdir()) == []
    assert len(list((house.home / "examples").glob("index-*"))) == 1


async def test_an_approved_passage_joins_retrieval_at_once(house: House) -> None:
    assert (await found(house))[0] == PASSAGE
    held = on_disk(house.home)
    assert vector() in held and all(secret in held for secret in SECRETS)


async def test_a_withdrawn_passage_is_found_no_more_before_anything_is_rebuilt(
    house: House,
) -> None:
    await found(house)  # the index is open, with the passage in it
    await house.withdraw(house.world.store)
    assert vector() in on_disk(house.home)
    assert PASSAGE not in await found(house)


async def test_a_withdrawn_story_is_in_no_byte_of_any_file(house: House) -> None:
    erasing = Erasing(house.world.store, house.librarian().finish)
    await house.withdraw(erasing)
    assert_nothing_left(house)
    assert "periwinkle" not in await everything_held(house.world.store)
    assert PASSAGE not in await found(house)


async def test_a_forgotten_teller_is_in_no_byte_of_any_file(house: House) -> None:
    erasing = Erasing(house.world.store, house.librarian().finish)
    staff = Staff(erasing, catalogue(), house.world.clock, house.world.new_id)
    receipts = await staff.forget(house.folder.resident.id)
    assert {r.place: r.count for r in receipts}["index"] == 1
    assert {r.place: r.count for r in receipts}["files"] == 1
    assert_nothing_left(house)
    assert house.folder.identity.name.encode() not in on_disk(house.home)


async def test_an_ended_release_leaves_the_index_and_its_files_are_listed(house: House) -> None:
    story = house.folder.stories[0]
    story.void_releases(house.world.clock.now(), "revoked")
    await house.world.save(house.folder)
    assert PASSAGE not in await found(house)
    await house.librarian().finish()
    assert vector() not in on_disk(house.home)
    assert list((house.home / "exports").iterdir()) == []


# -- killed -------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ended here."""


class Dying:
    """Counts steps, and dies at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed

    async def around(self, doing: Callable[[], Awaitable[object]]) -> object:
        self.step()
        result = await doing()
        self.step()
        return result


class DyingStore:
    """A store whose commits and scrubs are steps."""

    def __init__(self, store: Store, dying: Dying) -> None:
        self._store, self._dying = store, dying

    def work(self) -> UnitOfWork:
        work = self._store.work()
        commit = work.commit

        async def dying_commit(within: float = 0.0) -> None:
            await self._dying.around(commit)

        work.commit = dying_commit  # type: ignore[method-assign]
        return work

    async def scrub(self, at: object) -> list[Receipt]:
        return await self._dying.around(lambda: self._store.scrub(at))  # type: ignore[arg-type,return-value]


class DyingPlaces:
    """Index and files, each erasure a step."""

    def __init__(self, house: House, dying: Dying) -> None:
        self._house, self._dying, self._home = house, dying, Home(house.home)

    async def renew(self, story_ids: Sequence[str]) -> int:
        done = await self._dying.around(lambda: self._house.embeddings.renew(story_ids))
        assert isinstance(done, int)
        return done

    async def erase_exports(self, paths: Sequence[str]) -> list[str]:
        return await self._dying.around(lambda: self._home.erase_exports(paths))  # type: ignore[return-value]

    async def erase_chat(self, salt: str, chat_sha256: str) -> int:
        return await self._home.erase_chat(salt, chat_sha256)


@pytest.mark.parametrize("at", range(1, 17))
async def test_killed_at_any_step_it_is_finished_after_the_restart(house: House, at: int) -> None:
    dying = Dying(at)
    store, places = DyingStore(house.world.store, dying), DyingPlaces(house, dying)
    keeper = Librarian(store, house.world.clock, places, places)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await house.withdraw(Erasing(store, keeper.finish))  # type: ignore[arg-type]
    if at > 1:  # Before the commit nothing was withdrawn, and they were told nothing.
        await house.librarian().finish()
        assert_nothing_left(house)


async def test_there_are_no_more_steps_to_be_killed_at(house: House) -> None:
    dying = Dying(1000)
    store, places = DyingStore(house.world.store, dying), DyingPlaces(house, dying)
    keeper = Librarian(store, house.world.clock, places, places)  # type: ignore[arg-type]
    await house.withdraw(Erasing(store, keeper.finish))  # type: ignore[arg-type]
    assert dying.steps == 16


WITHDRAWING = """
import asyncio, sys
from bot.settings import load_settings
from bot.usecases.staff import Staff
from bot.wiring import Parts, erasing_store, new_id
from bot.store.database import open_store

async def main():
    parts = Parts(load_settings())
    store = await open_store(parts.settings.database)
    print("begun", flush=True)
    staff = Staff(erasing_store(parts, store), parts.words, parts.clock, new_id)
    await staff.withdraw(sys.argv[1])

asyncio.run(main())
"""


@pytest.mark.parametrize("milliseconds", [15, 60, 400])
async def test_killed_by_the_system_it_is_finished_after_the_restart(
    house: House, milliseconds: int
) -> None:
    process = await asyncio.to_thread(
        lambda: subprocess.Popen(
            [sys.executable, "-c", WITHDRAWING, house.folder.stories[0].id],
            env=environment(house.home, DATABASE_URL=database(house.home)),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
    )
    assert process.stdout
    await asyncio.to_thread(process.stdout.readline)
    await asyncio.sleep(milliseconds / 1000)
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    process.stdout.close()
    async with house.world.store.work() as work:
        is_withdrawn = await work.library.entry_of(
            house.folder.stories[0].id, house.world.clock.now()
        )
    if is_withdrawn is not None:
        async with house.world.store.work() as work:
            again = await work.folders.story(house.folder.stories[0].id)
        assert again is not None
        await house.withdraw(house.world.store)
    await house.librarian().finish()
    assert_nothing_left(house)

"""Two processes on PostgreSQL and a Chroma server: what one withdraws is gone from everywhere."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bot.commands import erasures
from bot.core.consent import Purpose
from bot.core.library import Format, Profile
from bot.core.narrative import Element
from bot.core.story import Folder
from bot.exporting.home import home_id
from bot.keeping import keep_index
from bot.retrieval.server import ServerRetriever
from bot.settings import Settings
from bot.store.database import SqlStore
from bot.usecases.exporting import Exported
from bot.usecases.ports import RetrievalUnavailable
from bot.usecases.staff import Staff
from bot.wiring import Parts, erasing_store, exporting, librarian, new_id, opened
from tests import chroma, postgres
from tests.commands.shell import REPOSITORY, coach, environment
from tests.fakes import FixedClock
from tests.retrieval.fake_embedder import WordEmbedder
from tests.telegram.stage import eventually, on_disk
from tests.usecases.library_world import APPROVER, HOLDERS, World
from tests.wiring.test_withdrawn_everywhere import PASSAGE, SECRETS, WORDS, vector

ZIP = b"PK\x03\x04"


@dataclass
class Machine:
    """One process: its data folder, its parts, its connection."""

    home: Path
    parts: Parts
    store: SqlStore

    @property
    def index(self) -> ServerRetriever:
        found = self.parts.retriever
        assert isinstance(found, ServerRetriever)
        return found

    async def finish(self) -> None:
        """One round of what it does beside people's acts."""
        await librarian(self.parts, self.store).finish(is_asked=False)

    async def export(self, folder: Path | None = None, *, is_handed_over: bool = False) -> Exported:
        return await exporting(self.parts, self.store).export(
            "console", Profile.PUBLIC, [Format.CSV], folder or self.home / "exports",
            is_handed_over=is_handed_over,
        )  # fmt: skip

    async def withdraw(self, folder: Folder) -> None:
        store = erasing_store(self.parts, self.store)
        staff = Staff(store, self.parts.words, self.parts.clock, new_id)
        assert await staff.withdraw(folder.stories[0].id) is not None

    async def finds(self) -> list[str]:
        found = await self.index.search(Element.SELF_CHOICE, "en", "a quetzalcoatlus lamp")
        return [p.text for p in found]


@dataclass
class Two:
    """Two machines, the servers they share, and a story released, approved and indexed."""

    one: Machine
    other: Machine
    servers: tuple[postgres.Server, chroma.Server]
    world: World
    folder: Folder

    def settings(self, machine: Machine) -> dict[str, str]:
        chosen = machine.parts.settings
        return {"DATABASE_URL": chosen.database, "CHROMA_URL": str(chosen.chroma_url)}

    def in_database(self, secret: bytes, *, alone: bool = False) -> list[str]:
        """Files of the PostgreSQL server that hold it, its log included.

        `alone` leaves out its log and the databases of other tests.
        """
        with psycopg.connect(
            self.one.parts.settings.database.replace("+psycopg", ""), autocommit=True
        ) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute(
                "SELECT oid FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            assert found is not None
        data = self.servers[0].home / "data"
        folder = data / "base" / str(found[0]) if alone else data
        return [
            str(p.relative_to(data))
            for p in sorted(folder.rglob("*"))
            if p.is_file() and secret in p.read_bytes()
        ]

    def in_homes(self, secret: bytes) -> list[str]:
        homes = (self.one.home, self.other.home)
        return [
            str(p)
            for home in homes
            for p in sorted(home.rglob("*"))
            if p.is_file() and secret in p.read_bytes()
        ]

    async def waiting(self) -> list[str]:
        """Steps noted of each erasure that is not finished; nothing lies in the other's folder."""
        silent = home_id(self.other.home)
        async with self.one.store.work() as work:
            return [
                ",".join(sorted(s.partition("@")[0] for s in p.steps if s != f"files@{silent}"))
                for p in await work.library.erasures()
            ]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[postgres.Server, chroma.Server]]:
    if not (postgres.IS_HERE or postgres.MUST_PROVE):
        pytest.skip("PostgreSQL is not installed")
    chroma.needed()
    with pytest.MonkeyPatch.context() as patch:
        # Old log segments go instead of being kept to be written over: see docs/operations.md.
        patch.setitem(postgres.SETTINGS, "wal_recycle", "off")
        database = postgres.Server()
        database.start()
    index = chroma.Server()
    index.start()
    yield database, index
    database.close()
    index.close()


@asynccontextmanager
async def machine(home: Path, database: str, url: str) -> AsyncIterator[Machine]:
    settings = Settings(  # type: ignore[call-arg]
        _env_file=None, coach_home=home, database_url=database, chroma_url=url
    )
    parts = Parts(settings)
    vars(parts)["embedder"] = WordEmbedder()
    async with opened(parts) as store:
        assert isinstance(store, SqlStore)
        yield Machine(home, parts, store)


@pytest.fixture
async def two(servers: tuple[postgres.Server, chroma.Server], tmp_path: Path) -> AsyncIterator[Two]:
    database = servers[0].database()
    async with (
        machine(tmp_path / "one", database, servers[1].url) as one,
        machine(tmp_path / "other", database, servers[1].url) as other,
    ):
        world = World(tmp_path, one.store, FixedClock(datetime.now(UTC)))
        for telegram_id, rights in HOLDERS.items():
            await world.grant(telegram_id, rights)
        folder = await world.teller(
            Purpose.COACHING_EXAMPLES, Purpose.PUBLIC_LIBRARY, words=WORDS, days=3650
        )
        story = folder.stories[0].id
        await world.reviewing.claim(APPROVER, story)
        seen = (await world.reviewing.sheet(APPROVER, story)).text_sha256
        marks = {Element.SELF_CHOICE: PASSAGE}
        await world.reviewing.approve(APPROVER, story, seen, [("theme", "lamps")], marks)
        await one.index.ensure()
        await one.finish()
        yield Two(one, other, servers, world, folder)


async def test_what_one_exports_the_other_hands_over(two: Two) -> None:
    made = await two.one.export(is_handed_over=True)
    assert two.in_homes(made.path.name.encode()) == [] and not made.path.exists()
    sent = await exporting(two.other.parts, two.other.store).content(made.id)
    assert sent is not None and sent.startswith(ZIP)
    await two.other.withdraw(two.folder)
    for each in (two.one, two.other):
        assert await exporting(each.parts, each.store).content(made.id) is None
    left = await exporting(two.other.parts, two.other.store).to_destroy("console")
    assert [x.is_erased_here for x in left] == [True], "what was sent is still to be destroyed"


async def test_both_find_what_was_approved_and_neither_what_was_withdrawn(two: Two) -> None:
    for each in (two.one, two.other):
        assert (await each.finds())[0] == PASSAGE
    await two.one.withdraw(two.folder)
    for each in (two.one, two.other):
        assert PASSAGE not in await each.finds()


async def test_a_withdrawn_story_is_in_no_byte_of_any_file_of_either_machine_and_both_servers(
    two: Two,
) -> None:
    index = two.servers[1]
    handed = await two.one.export(is_handed_over=True)
    kept = await two.one.export()
    assert vector() in index.bytes()
    for secret in SECRETS:
        assert two.in_database(secret)
    await two.other.withdraw(two.folder)
    # The machine that withdrew cannot reach the other's folder, and does not say so.
    assert kept.path.exists()
    assert await two.waiting() == ["free_pages,unused"]
    left = await exporting(two.other.parts, two.other.store).to_destroy("console")
    assert {x.export_id: x.is_erased_here for x in left} == {kept.id: False, handed.id: True}
    assert all(x.machine for x in left if x.export_id == kept.id)
    said, details = await erasures.waiting(two.other.parts)
    assert "may still stand in the Chroma server's files" in said and len(details) == 1
    await two.one.finish()
    assert not kept.path.exists()
    for secret in SECRETS:
        assert two.in_homes(secret) == []
        assert two.in_database(secret) == []
        assert secret not in index.bytes()
    # The index server keeps what is not used any more, until its folder is begun anew.
    assert await two.waiting() == ["files,free_pages,unused"]
    assert vector() in index.bytes()
    well, said = await erasures.verify(two.one.parts, index.folder)
    assert not well and "delete its folder" in said
    async with two.one.store.work() as work:
        assert [p.steps for p in await work.library.erasures() if "index" in p.steps] == []
    await asyncio.to_thread(index.wipe)
    await asyncio.to_thread(index.start)
    await again(two.other)
    assert vector() not in index.bytes()
    well, said = await erasures.verify(two.one.parts, index.folder)
    assert well and "1 erasure noted as done" in said
    await two.other.finish()
    assert await two.waiting() == []
    assert "other" not in (await erasures.waiting(two.one.parts))[0]


async def again(machine: Machine) -> None:
    """Until the index is built again by who keeps it."""
    async with asyncio.timeout(30):
        while True:
            try:
                await machine.index.keep()
                return
            except RetrievalUnavailable:
                await asyncio.sleep(0.2)


async def test_a_file_written_elsewhere_is_listed_with_its_machine_never_said_to_be_gone(
    two: Two, tmp_path: Path
) -> None:
    made = await two.one.export(tmp_path / "stick")
    await two.other.withdraw(two.folder)
    await two.one.finish()
    assert made.path.exists()
    (left,) = await exporting(two.other.parts, two.other.store).to_destroy("console")
    assert not left.is_erased_here and left.where == f"{os.uname().nodename}:{made.path}"


async def test_a_folder_that_is_destroyed_is_answered_for_by_hand(two: Two) -> None:
    kept = await two.one.export()
    await two.other.withdraw(two.folder)
    _, (details,) = await erasures.waiting(two.other.parts)
    well, said = await erasures.folder_gone(two.other.parts, str(details["folder"]))
    assert well and "1 erasure need" in said
    assert not (await erasures.waiting(two.other.parts))[1]
    left = await exporting(two.other.parts, two.other.store).to_destroy("console")
    assert [(x.export_id, x.is_erased_here) for x in left] == [(kept.id, False)]


async def test_one_erases_at_a_time_and_the_others_wait_or_go_on(two: Two) -> None:
    await two.one.export()
    running = [erasing_store(m.parts, m.store).scrub(two.world.clock.now())
               for m in (two.one, two.other)]  # fmt: skip
    await asyncio.gather(two.one.withdraw(two.folder), *running, two.other.finish())
    await two.one.finish()
    for secret in SECRETS:
        assert two.in_database(secret) == [] and two.in_homes(secret) == []


WITHDRAWING = """
import asyncio, sys
from bot.settings import load_settings
from bot.usecases.staff import Staff
from bot.wiring import Parts, erasing_store, new_id, opened
from tests.retrieval.fake_embedder import WordEmbedder

async def main():
    parts = Parts(load_settings())
    vars(parts)["embedder"] = WordEmbedder()
    async with opened(parts) as store:
        print("begun", flush=True)
        staff = Staff(erasing_store(parts, store), parts.words, parts.clock, new_id)
        await staff.withdraw(sys.argv[1])

asyncio.run(main())
"""


@pytest.mark.parametrize("milliseconds", [30, 120, 400])
async def test_killed_in_the_middle_the_other_process_finishes(two: Two, milliseconds: int) -> None:
    story = two.folder.stories[0].id
    process = await asyncio.to_thread(
        lambda: subprocess.Popen(
            [sys.executable, "-c", WITHDRAWING, story],
            env=environment(two.one.home, **two.settings(two.one)),
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
    async with two.other.store.work() as work:
        entry = await work.library.entry_of(story, two.world.clock.now())
    if entry is not None:
        await two.other.withdraw(two.folder)
    # Its lease ends by itself; the other's clock is past that.
    two.other.parts.clock = FixedClock(datetime.now(UTC) + timedelta(minutes=2))  # type: ignore[assignment]
    vars(two.other.parts).pop("retriever", None)
    await two.other.finish()
    assert await two.waiting() == ["free_pages,unused"]
    assert PASSAGE not in await two.other.finds()
    for secret in SECRETS:
        assert two.in_database(secret) == []


EMBEDDING = """
import bot.reading.embedding
from tests.retrieval.fake_embedder import WordEmbedder
bot.reading.embedding.BundledEmbedder = WordEmbedder
"""


async def test_withdraw_and_forget_work_beside_running_processes(two: Two) -> None:
    settings = two.settings(two.one)
    lock = two.one.home / "coach.lock"
    lock.touch()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        story = two.folder.stories[0].id
        withdrawn = await asyncio.to_thread(
            coach, two.one.home, "withdraw", story, "--yes", settings=settings, before=EMBEDDING
        )
        assert withdrawn.code == 0, withdrawn.err
        assert "passages out of use" in withdrawn.out
        forgotten = await asyncio.to_thread(
            coach, two.other.home, "forget", two.folder.resident.id, "--yes",
            settings=settings, before=EMBEDDING,
        )  # fmt: skip
        assert forgotten.code == 0, forgotten.err
    for secret in SECRETS:
        assert two.in_database(secret) == []
    assert two.in_database(two.folder.identity.name.encode(), alone=True) == []


async def test_what_an_embedded_index_held_before_goes_from_the_data_folder(two: Two) -> None:
    remains = two.one.home / "examples" / "index-old"
    remains.mkdir(parents=True)
    (remains / "data_level0.bin").write_bytes(vector())
    keeping = asyncio.create_task(keep_index(two.one.parts))
    await eventually(lambda: not remains.exists(), seconds=30)
    keeping.cancel()
    assert await two.one.index.is_ready()
    assert two.in_homes(vector()) == []


async def test_without_a_server_no_process_of_many_has_the_library_on_its_disk(
    two: Two, tmp_path: Path
) -> None:
    """Nobody could take it back from there."""
    chosen = {"coach_home": tmp_path / "third", "database_url": two.one.parts.settings.database}
    parts = Parts(Settings(_env_file=None, **chosen))  # type: ignore[call-arg,arg-type]
    vars(parts)["embedder"] = WordEmbedder()
    async with opened(parts):
        found = await parts.retriever.search(
            Element.SELF_CHOICE, "en", "a quetzalcoatlus lamp", limit=50
        )
        await parts.retriever.aclose()
    assert found and PASSAGE not in [p.text for p in found]
    assert vector() not in on_disk(tmp_path / "third")

"""A database that cannot be used is refused in one plain sentence, and left as it was."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from bot.core.story import Folder, Story
from bot.store.database import SqlStore, migrate, open_store
from bot.usecases.ports import InboxItem, NewerDatabase, OutboxItem, StoreUnavailable
from tests.databases import database
from tests.store.samples import NOW, a_full_folder, a_newcomer, a_story


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "coach.db"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(database(tmp_path))
    yield opened
    await opened.close()


async def refusal(url: str, wait: float = 5.0) -> str:
    """The sentence with which opening `url` is refused."""
    before = set(threading.enumerate())
    with pytest.raises(StoreUnavailable) as refused:
        await open_store(url, wait)
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=5)
        assert not thread.is_alive(), "a connection left open would keep the program from ending"
    assert refused.value.__cause__ is None, "a driver's error may repeat people's words"
    return str(refused.value)


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def fill(store: SqlStore, stories: int) -> Folder:
    folder = a_newcomer()
    folder.stories = [a_story(f"s-{n}", words=f"word {n} " * 400) for n in range(stories)]
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    return folder


async def put(store: SqlStore, update_id: int, payload: str = "{}") -> None:
    async with store.work() as work:
        await work.inbox.put(InboxItem(update_id, 7001, payload, NOW))
        await work.commit()


# --- refused at the start ---


@pytest.mark.sqlite_file("its bytes stay as they were")
async def test_a_database_from_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    await migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '20990101_brain_waves'")
    before = bytes_of(path)
    with pytest.raises(NewerDatabase) as refused:
        await open_store(f"sqlite:///{path}")
    assert str(refused.value) == (
        f"The database {path} was written by a newer version of this program; nothing was "
        "changed. Install the newer version, or choose another data directory."
    )
    with pytest.raises(NewerDatabase):
        await migrate(f"sqlite:///{path}")
    assert bytes_of(path) == before


@pytest.mark.sqlite_file("a file opened for reading")
async def test_a_read_only_database_is_refused(path: Path) -> None:
    await migrate(f"sqlite:///{path}")
    assert await refusal(f"sqlite:///file:{path}?mode=ro&uri=true") == (
        f"The database {path} cannot be written because it is read-only; nothing was changed. "
        "Give the program permission to write there, or choose another data directory."
    )


@pytest.mark.parametrize("kind", ["missing", "file"])
@pytest.mark.sqlite_file("where the file lies")
async def test_a_directory_that_is_not_there_is_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "data"
    if kind == "file":
        folder.write_text("not a directory")
    path = folder / "coach.db"
    assert await refusal(f"sqlite:///{path}") == (
        f"The database {path} could not be opened; nothing was changed. "
        "Check that its directory exists and that the program may write there."
    )


@pytest.mark.sqlite_file("a file with other content")
async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    overwrite(path, b"Dear diary, this is not a database at all. " * 200)
    before = bytes_of(path)
    assert await refusal(f"sqlite:///{path}") == (
        f"The database {path} is damaged or is not a database; the file was left as it is. "
        "Put back a good copy, or move the file away to begin with an empty one."
    )
    assert bytes_of(path) == before


@pytest.mark.sqlite_file("a file cut short")
async def test_a_truncated_database_is_refused_and_left_alone(path: Path) -> None:
    store = await open_store(f"sqlite:///{path}")
    await fill(store, 20)
    await store.close()
    whole = bytes_of(path)
    overwrite(path, whole[: len(whole) // 2])
    assert await refusal(f"sqlite:///{path}") == (
        f"The database {path} is damaged; the file was left as it is. "
        "Put back a good copy, or move the file away to begin with an empty one."
    )
    assert bytes_of(path) == whole[: len(whole) // 2]


@pytest.mark.sqlite_file("a file of another program")
async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (title TEXT)")
    sentence = await refusal(f"sqlite:///{path}")
    assert sentence == (
        f"The database {path} belongs to another program; nothing was changed. Choose another file."
    )
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.sqlite_file("the lock on the whole file")
async def test_a_locked_database_is_refused_after_the_wait(path: Path) -> None:
    await migrate(f"sqlite:///{path}")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = monotonic()
    sentence = await refusal(f"sqlite:///{path}", wait=0.3)
    assert 0.2 < monotonic() - began < 3
    assert sentence == (
        f"The database {path} is locked by another program; nothing was changed. "
        "Wait for it to finish, or stop it, and try again."
    )
    holder.execute("ROLLBACK")
    holder.close()
    await (await open_store(f"sqlite:///{path}", wait=0.3)).close()


async def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    for url in ("no address", "", "mongodb://me:secret@host/db", "mysql://me:secret@host/db"):
        sentence = await refusal(url)
        assert "secret" not in sentence
        assert "nothing was changed" in sentence


async def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(*args: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr("bot.store.database.create_async_engine", not_installed)
    assert await refusal("postgresql://me:secret@host/db") == (
        "The driver psycopg for postgresql is not installed; nothing was changed. "
        "Install it, or use sqlite."
    )


# --- failing while in use ---


@pytest.mark.sqlite_file("a file that may not grow")
async def test_a_full_disk_is_named_and_keeps_what_was_saved(path: Path) -> None:
    await migrate(f"sqlite:///{path}")

    def no_more_pages(connection: sqlite3.Connection, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 60")
        cursor.close()

    event.listen(Pool, "connect", no_more_pages)
    try:
        store = await open_store(f"sqlite:///{path}")
        await put(store, 1)
        with pytest.raises(StoreUnavailable) as refused:
            await put(store, 2, payload="periwinkle " * 50_000)
        assert str(refused.value) == (
            f"The disk is full, so the database {path} could not be written; what was saved "
            "before is kept. Free some space and try again."
        )
        async with store.work() as work:
            assert [item.update_id for item in await work.inbox.waiting()] == [1]
        await put(store, 3)
        await store.close()
    finally:
        event.remove(Pool, "connect", no_more_pages)


@pytest.mark.sqlite_file("a damaged page of the file")
async def test_damage_found_while_in_use_is_named(path: Path) -> None:
    store = await open_store(f"sqlite:///{path}")
    folder = await fill(store, 20)
    await store.close()
    with sqlite3.connect(path) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'tellings'"
        (root,) = connection.execute(query).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    store = await open_store(f"sqlite:///{path}")
    async with store.work() as work:
        with pytest.raises(StoreUnavailable, match="is damaged; the file was left as it is"):
            await work.folders.by_chat(folder.identity.chat_id)
    await store.close()


@pytest.mark.sqlite_file("the lock on the whole file")
async def test_a_lock_held_by_another_program_is_named_and_clears(path: Path) -> None:
    store = await open_store(f"sqlite:///{path}", wait=0.2)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        await put(store, 1)
    async with store.work() as work:
        assert await work.inbox.waiting() == [], "reading goes on beside a writer"
    holder.execute("ROLLBACK")
    holder.close()
    await put(store, 1)
    await store.close()


async def test_no_error_repeats_the_words_that_were_being_written(store: SqlStore) -> None:
    folder = a_full_folder()
    folder.stories[0].link = "periwinkle"
    async with store._engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE shown_examples")
    with pytest.raises(StoreUnavailable) as refused:
        async with store.work() as work:
            await work.folders.save(folder)
    assert "periwinkle" not in repr(refused.value)
    assert refused.value.__suppress_context__
    assert re.search(r"(SQLITE_ERROR|42P01).*`coach migrate`", str(refused.value))


async def test_a_time_without_a_zone_is_refused(store: SqlStore) -> None:
    folder = a_newcomer()
    folder.resident.joined_at = NOW.replace(tzinfo=None)
    with pytest.raises(ValueError, match="must carry its zone"):
        async with store.work() as work:
            await work.folders.save(folder)
            await work.commit()


# --- the promises of the file ---


@pytest.mark.sqlite_file("its pragmas")
async def test_every_connection_is_durable_private_and_does_not_block_readers(
    store: SqlStore,
) -> None:
    expected = {
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "temp_store": 2,
        "journal_mode": "wal",
    }
    async with store._engine.connect() as one, store._engine.connect() as other:
        for connection in (one, other):
            for pragma, value in expected.items():
                found = (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()
                assert found == value, pragma


async def test_a_long_list_is_read_while_others_write(store: SqlStore) -> None:
    """More stories than one page, so that the list is read in several queries."""
    folder = a_newcomer()
    folder.stories = [a_story(f"s-{n:04}", words="few") for n in range(1, 3)]
    folder.stories += [Story(f"d-{n:04}", "en", NOW) for n in range(1100)]
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    async with store.work() as work:
        seen = []
        async for row in work.folders.rows():
            seen.append(row.story_id)
            if len(seen) == 700:
                await put(store, 1)
        assert seen == ["s-0001", "s-0002"] + [f"d-{n:04}" for n in range(1100)]


async def test_an_outbox_id_is_never_given_twice(store: SqlStore) -> None:
    async with store.work() as work:
        await work.folders.save(a_newcomer())
        first = await work.outbox.add([OutboxItem(7001, {})])
        await work.folders.erase("r-1", NOW)
        assert await work.outbox.add([OutboxItem(7001, {})]) > first
        await work.commit()


async def test_decisions_are_audited_without_words_or_names(store: SqlStore) -> None:
    folder = a_full_folder()
    async with store.work() as work:
        await work.folders.save(folder)
        await work.folders.save(folder)
        story = folder.stories[0]
        story.releases = [r.ended(NOW, "revoked") for r in story.releases]
        story.offers = [o.ended(NOW, "revoked") for o in story.offers]
        await work.folders.save(folder)
        await work.folders.erase("r-1", NOW)
        await work.commit()
    async with store._engine.connect() as connection:
        audit = (
            await connection.exec_driver_sql("SELECT what, about FROM audit ORDER BY id")
        ).all()
        erasures = (
            await connection.exec_driver_sql("SELECT place, count FROM erasures ORDER BY id")
        ).all()
        held = repr((await connection.exec_driver_sql("SELECT * FROM audit")).all())
        held += repr((await connection.exec_driver_sql("SELECT * FROM erasures")).all())
    assert [tuple(row) for row in audit] == [
        ("joined", None),
        ("agreed", None),
        ("released", "rel-1"),
        ("release_edited", "rel-1"),
        ("released", "rel-2"),
        ("offered", "off-1"),
        ("withdrawn", "r-1-s-1"),
        ("release_revoked", "rel-2"),
        ("offer_revoked", "off-1"),
        ("erased", None),
    ]
    assert [tuple(row) for row in erasures] == [("database", 26), ("inbox", 0), ("outbox", 0)]
    assert "'r-1'" not in held
    assert "Amina" not in held


async def test_many_chats_share_the_connections(store: SqlStore) -> None:
    async def visit(number: int) -> None:
        async with store.work() as work:
            assert await work.folders.by_chat(number) is None
            await work.folders.save(a_newcomer(f"r-{number}", number))
            await work.commit()

    await asyncio.gather(*(visit(number) for number in range(1, 60)))
    async with store._engine.connect() as connection:
        count = await connection.exec_driver_sql("SELECT count(*) FROM residents")
        assert count.scalar_one() == 59


async def test_reading_sees_one_moment_until_the_first_write(store: SqlStore) -> None:
    async with store.work() as work:
        assert (await work.inbox.counts())["waiting"] == 0
        await put(store, 1)
        assert (await work.inbox.counts())["waiting"] == 0, (
            "a list must not change while it is read"
        )
        assert not await work.inbox.put(InboxItem(1, 7001, "{}", NOW))


async def test_two_programs_writing_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """Each store has its own queue of writers, as two processes would."""
    stores = [await open_store(database(tmp_path)) for _ in range(2)]

    async def visit(store: SqlStore, number: int) -> None:
        async with store.work() as work:
            assert await work.folders.by_chat(number) is None
            await work.folders.save(a_newcomer(f"r-{number}", number))
            await asyncio.sleep(0.001)
            await work.inbox.put(InboxItem(number, number, "{}", NOW))
            await work.commit()

    await asyncio.gather(*(visit(stores[n % 2], n) for n in range(1, 41)))
    async with stores[0].work() as work:
        assert len(await work.inbox.waiting()) == 40
    for store in stores:
        await store.close()

"""A backup holds one moment, nothing that was erased, and comes back on any engine."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection

from bot.core.story import Folder
from bot.store.backup import Made, back_up
from bot.store.backup_file import read
from bot.store.database import engine_of, migrate, open_store, upgrade
from bot.store.migrations import HEAD, REVISIONS
from bot.store.restore import Told, restore
from bot.store.transaction import PHASE
from bot.usecases.backup_ports import BadBackup, Restored, Since
from bot.usecases.ports import (
    InboxItem,
    NewerDatabase,
    OutboxItem,
    Store,
    StoreUnavailable,
    UnitOfWork,
)
from tests import postgres
from tests.store.filling import fill, held
from tests.store.places import ON_DISK
from tests.store.samples import NOW, a_full_folder, a_newcomer, folders

PAIRS = [(a, b) for a in ON_DISK for b in ON_DISK]
ACROSS = [(a, b) for a, b in PAIRS if a != b] or PAIRS
"""From one engine to the other: what survives this, survives staying on one."""
CHANGED = {"backups", "schedules", "outbox", "erasures_pending", "invitations", "export_items"}
"""Tables about which restoring decides something; see test_restoring.py."""


def fresh(place: str, folder: Path, name: str = "coach.db") -> str:
    """A database that is not made yet."""
    if place == "sqlite":
        return f"sqlite:///{folder / name}"
    return postgres.server().database()


async def at(url: str, revision: str, *, filled: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Bring a database to a revision, fill it, and tell what it holds."""

    def make(connection: Connection) -> dict[str, list[dict[str, Any]]]:
        upgrade(connection, revision)
        if filled:
            fill(connection)
        return held(connection)

    return await within(url, make)


async def within(url: str, do: Any) -> Any:
    engine, _ = engine_of(url, 5)
    async with engine.connect() as connection:
        await connection.execution_options(**{PHASE: "writing"})
        done = await connection.run_sync(do)
        await connection.commit()
    await engine.dispose()
    return done


async def backed_up(url: str, path: Path, backup_id: str = "b-1") -> Made:
    return await back_up(url, path, backup_id, NOW, lambda done, total: None)


async def restored(url: str, path: Path, *, replace: bool = False) -> Restored:
    async def nothing(work: UnitOfWork, since: Since) -> None:
        assert since == Since()

    told = Told(replace, NOW + timedelta(days=1), nothing, lambda done, total: None)
    return await restore(url, path, told)


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def add(store: Store, number: int) -> int:
    """An update and its answer, in one commit; the answer's id."""
    async with store.work() as work:
        await work.inbox.put(InboxItem(number, 7001, "{}", NOW))
        (item,) = await work.outbox.add([OutboxItem(7001, {"n": number})])
        await work.commit()
    return item


@pytest.mark.parametrize(
    ("source", "target", "revision"),
    [(*pair, revision) for pair in ACROSS for revision in REVISIONS]
    + [(*pair, HEAD) for pair in PAIRS if pair not in ACROSS],
)
async def test_any_revision_comes_back_on_any_engine_letter_for_letter(
    tmp_path: Path, source: str, target: str, revision: str
) -> None:
    here, there = fresh(source, tmp_path), fresh(target, tmp_path, "other.db")
    before = await at(here, revision)
    made = await backed_up(here, tmp_path / "a.backup")
    assert (made.revision, made.is_recorded) == (revision, "backups" in before)
    done = await restored(there, tmp_path / "a.backup")
    assert done.rows == sum(map(len, before.values())) + made.is_recorded
    after = await within(there, held)
    for name, rows in before.items():
        known = [{k: v for k, v in row.items() if k in rows[0]} for row in after[name]]
        if name not in CHANGED:
            assert known == rows, name
        elif name not in ("backups", "erasures_pending", "invitations"):
            assert len(known) == len(rows), name
    assert (await migrate(there)) == (HEAD, HEAD)


@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_any_folder_comes_back(
    tmp_path_factory: pytest.TempPathFactory, source: str, target: str
) -> None:
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(folders())
    def comes_back(folder: Folder) -> None:
        asyncio.run(_comes_back(folder, source, target, tmp_path_factory.mktemp("any")))

    comes_back()


async def _comes_back(folder: Folder, source: str, target: str, tmp_path: Path) -> None:
    here, there = fresh(source, tmp_path), fresh(target, tmp_path, "other.db")
    store = await open_store(here)
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    async with store.work() as work:
        before = await work.folders.by_reference("r-any")
    await store.close()
    await backed_up(here, tmp_path / "a.backup")
    await restored(there, tmp_path / "a.backup")
    store = await open_store(there)
    async with store.work() as work:
        assert await work.folders.by_reference("r-any") == before
    await store.close()


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_an_id_given_out_before_is_not_given_out_again(
    tmp_path: Path, source: str, target: str
) -> None:
    here, there = fresh(source, tmp_path), fresh(target, tmp_path, "other.db")
    store = await open_store(here)
    async with store.work() as work:
        await work.folders.save(a_newcomer())
        await work.commit()
    last = [await add(store, number) for number in (1, 2, 3)][-1]
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    await store.close()
    await backed_up(here, tmp_path / "a.backup")
    await restored(there, tmp_path / "a.backup")
    store = await open_store(there)
    assert await add(store, 9) > last
    async with store.work() as work:
        await work.audit.record("somebody", "looked", None, NOW)
        await work.folders.save(a_newcomer())
        await work.folders.erase("r-1", NOW)
        await work.commit()
    await store.close()


@pytest.mark.parametrize("place", ON_DISK)
async def test_it_holds_one_moment_while_others_write(tmp_path: Path, place: str) -> None:
    """Each commit adds an update and an answer: a backup has as many of the one as of the other."""
    url = fresh(place, tmp_path)
    store = await open_store(url)
    for number in range(300):
        await add(store, number)
    stop = asyncio.Event()

    async def write() -> int:
        number = 300
        while not stop.is_set():
            await add(store, number)
            number += 1
        return number

    writing = asyncio.create_task(write())
    counts = []
    for turn in range(3):
        path = tmp_path / f"{turn}.backup"
        await backed_up(url, path, f"b-{turn}")
        counts.append(_counts(path))
    stop.set()
    written = await writing
    await store.close()
    assert all(inbox == outbox for inbox, outbox in counts)
    assert [inbox for inbox, _ in counts] == sorted(inbox for inbox, _ in counts)
    assert counts[0][0] < written, "somebody did write meanwhile"
    assert counts[0][0] < counts[-1][0]


def _counts(path: Path) -> tuple[int, int]:
    found, name = {"inbox": 0, "outbox": 0}, ""
    for thing in read(path):
        if isinstance(thing, list):
            if name in found:
                found[name] += 1
        else:
            name = getattr(thing, "name", "")
    return found["inbox"], found["outbox"]


@pytest.mark.parametrize("place", ON_DISK)
async def test_erased_words_are_in_no_byte_of_it_though_nobody_scrubbed(
    tmp_path: Path, place: str
) -> None:
    url = fresh(place, tmp_path)
    store = await open_store(url)
    folder = a_full_folder()
    folder.stories[0].listener = "periwinkle"
    other = a_full_folder("r-2", 7002)
    other.stories[0].listener = "marigold"
    async with store.work() as work:
        await work.folders.save(folder)
        await work.folders.save(other)
        await work.commit()
    await backed_up(url, tmp_path / "before.backup")
    async with store.work() as work:
        await work.folders.erase("r-1", NOW)
        await work.commit()
    await backed_up(url, tmp_path / "after.backup", "b-2")
    await store.close()
    assert b"periwinkle" in content(tmp_path / "before.backup"), "the test can see the words"
    assert b"periwinkle" not in content(tmp_path / "after.backup")
    assert b"marigold" in content(tmp_path / "after.backup")


@pytest.mark.parametrize("place", ON_DISK)
async def test_a_backup_is_recorded_where_it_was_made(tmp_path: Path, place: str) -> None:
    url = fresh(place, tmp_path)
    store = await open_store(url)
    made = await backed_up(url, tmp_path / "a.backup")
    with pytest.raises(FileExistsError):
        await backed_up(url, tmp_path / "a.backup", "b-2")
    async with store.work() as work:
        assert await work.backups.all() == [made.backup]
    await store.close()
    assert made.backup.state == "done"
    assert made.backup.size == (tmp_path / "a.backup").stat().st_size


@pytest.mark.parametrize("place", ON_DISK)
async def test_an_interrupted_backup_is_settled_by_the_next(tmp_path: Path, place: str) -> None:
    url = fresh(place, tmp_path)
    await at(url, HEAD, filled=False)
    rows = [("b-gone", "gone.backup"), ("b-whole", "whole.backup"), ("b-other", "x/other.backup")]

    def interrupted(connection: Connection) -> None:
        for backup_id, name in rows:
            connection.exec_driver_sql(
                "INSERT INTO backups (id, made_at, path, state, size) VALUES "
                f"('{backup_id}', '2026-11-01 00:00:00', '{tmp_path / name}', 'writing', 0)"
            )

    await within(url, interrupted)
    (tmp_path / "whole.backup").write_bytes(b"whole")
    (tmp_path / ".gone.backup.backup-part").write_bytes(b"periwinkle")
    await backed_up(url, tmp_path / "a.backup")
    store = await open_store(url)
    async with store.work() as work:
        found = {b.id: (b.state, b.size) for b in await work.backups.all() if b.id != "b-1"}
    await store.close()
    assert found == {"b-whole": ("done", 5), "b-other": ("writing", 0)}
    assert [name for name in names(tmp_path) if "backup" in name] == ["a.backup", "whole.backup"]


@pytest.mark.sqlite_file("there may be none of it yet")
async def test_nothing_is_migrated_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    url = fresh("sqlite", tmp_path)
    with pytest.raises(StoreUnavailable, match="There is no database yet"):
        await backed_up(url, tmp_path / "a.backup")
    assert names(tmp_path) == []
    await at(url, REVISIONS[2])
    await backed_up(url, tmp_path / "a.backup")
    assert await migrate(url) == (REVISIONS[2], HEAD), "making a backup left it where it was"


@pytest.mark.parametrize("place", ON_DISK)
async def test_a_newer_database_is_neither_backed_up_nor_replaced(
    tmp_path: Path, place: str
) -> None:
    url, newer = fresh(place, tmp_path), fresh(place, tmp_path, "newer.db")
    for one in (url, newer):
        await at(one, HEAD, filled=False)
    await backed_up(url, tmp_path / "a.backup")
    sql = "UPDATE alembic_version SET version_num = '20990101_brain_waves'"
    await within(newer, lambda c: c.exec_driver_sql(sql))
    with pytest.raises(NewerDatabase):
        await backed_up(newer, tmp_path / "b.backup")
    with pytest.raises(NewerDatabase):
        await restored(newer, tmp_path / "a.backup", replace=True)
    assert not (tmp_path / "b.backup").exists()


@pytest.mark.sqlite_file("there may be none of it yet")
async def test_a_newer_backup_is_refused(tmp_path: Path) -> None:
    url = fresh("sqlite", tmp_path)
    await at(url, HEAD)
    await backed_up(url, tmp_path / "a.backup")

    from bot.store.backup_file import BackupWriter, Heading

    writer = BackupWriter(tmp_path / "b.backup", Heading("b", "20990101_brain_waves", NOW))
    writer.seal()
    writer.publish()
    with pytest.raises(BadBackup, match="made by a newer version"):
        await restored(fresh("sqlite", tmp_path, "other.db"), tmp_path / "b.backup")
    assert not (tmp_path / "other.db").exists()

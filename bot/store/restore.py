"""A backup back into a database, of either engine: all of it in one transaction, or nothing.

The tables are made as they were at the backup's revision, filled, and migrated. Where the
database that is replaced is still there, what it knows without words (who was forgotten, what
was withdrawn, which files lie where, who may do what) goes over into the restored one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Row,
    Table,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.backup import AT_ONCE, Progress
from bot.store.backup_file import Heading, TableBegins, check, from_newer, read
from bot.store.database import SqlUnitOfWork, alone, engine_of, revision_of, upgrade
from bot.store.errors import plainly
from bot.store.folders import Remembered
from bot.store.library_tables import backups, erasures_pending, export_items
from bot.store.migrations import REVISIONS
from bot.store.neutral import OURS, SET_ASIDE, STAYS, go_on_from, last_id, tables_of
from bot.store.practice_tables import invitations, schedules
from bot.store.tables import audit, metadata, offers, outbox, releases, residents, stories
from bot.store.transaction import PHASE, Transaction
from bot.usecases.backup_ports import BadBackup, Restored, Since
from bot.usecases.ports import StoreUnavailable, UnitOfWork

Settle = Callable[[UnitOfWork, Since], Awaitable[None]]
"""Applies to the restored database what ended since its backup, in the same transaction."""

_KEYED = ("backups", "exports", "export_items")
"""Where files lie: what the replaced database knew is added by key."""
_TRAIL = {
    "audit": ("who_sha256", "what", "about", "recorded_at"),
    "erasures": ("resident_sha256", "place", "count", "erased_at"),
    "erasures_pending": ("resident_sha256", "what", "asked_at"),
}
"""What happened, without words, and by what an entry is known: never shorter than before."""
_RIGHTS = ("roles", "invitations")
"""Who may do what: as it was last."""
_WORDLESS = {
    "residents": "id, model",
    "stories": "id",
    "outbox": "id, chat_id, state, attempts, message_id, urgency, repeatable, topic, story_id",
}
"""Of tables with words only this is set aside."""


@dataclass(frozen=True)
class Told:
    """What to do, and how to say how far it is."""

    replace: bool
    now: datetime
    settle: Settle
    progress: Progress


async def restore(url: str, path: Path, told: Told) -> Restored:
    """Put a backup into a database and bring it to this version's revision.

    Raises BadBackup, before anything is touched, when the file is damaged, no backup or newer;
    StoreUnavailable when the database holds something and `replace` is not told, is in use or
    newer; OSError. Then, as after any other error, the database is what it was.
    """
    heading = check(path)
    if heading.revision not in REVISIONS:
        raise from_newer(path)
    engine, place = engine_of(url, wait=5.0)
    try:
        with plainly(place):
            async with engine.connect() as connection:
                await connection.execution_options(**{PHASE: "writing"})
                await alone(connection)
                return await _restore(connection, place, path, heading, told)
    finally:
        await engine.dispose()


async def _restore(
    connection: AsyncConnection, place: str, path: Path, heading: Heading, told: Told
) -> Restored:
    there = await connection.run_sync(_look, place, told.replace)
    knew: Literal["everything", "some", "nothing"] = "nothing"
    given: dict[str, int] = {}
    if there:
        knew, given = await connection.run_sync(_set_aside, heading.id)
    rows = await connection.run_sync(_fill, path, heading, told.progress)
    await connection.run_sync(_go_on, given)
    since = Since()
    if there:
        await connection.run_sync(_carry_over, knew == "everything")
        since = await connection.run_sync(_since, knew == "everything", heading)
    quiet = await connection.run_sync(_quieten, since, knew == "everything", told.now)
    await connection.run_sync(_drop, lambda name: name.startswith(SET_ASIDE))
    work = SqlUnitOfWork(Transaction.within(connection, place), Remembered())
    await told.settle(work, since)
    await work.commit()
    return Restored(
        made_at=heading.made_at,
        revision=heading.revision,
        rows=rows,
        knew=knew,
        residents=len(since.residents),
        stories=len(since.stories),
        releases=len(since.releases),
        **quiet,
    )


# -- what is there ------------------------------------------------------------------------------


def _look(connection: Connection, place: str, replace: bool) -> bool:
    """Whether the database holds anything. Raises StoreUnavailable where it may not be replaced."""
    if revision_of(connection, place) is None:
        return False
    _nobody_works(connection, place)
    held = any(
        connection.execute(select(table.c[next(iter(table.c.keys()))]).limit(1)).first()
        for table in tables_of(connection)
    )
    upgrade(connection)
    if held and not replace:
        raise StoreUnavailable(
            f"{place[:1].upper()}{place[1:]} is not empty; nothing was changed. `--replace` puts "
            "the backup in its place; make a backup of it first."
        )
    return held


def _nobody_works(connection: Connection, place: str) -> None:
    if connection.dialect.name != "postgresql" or not inspect(connection).has_table("crew"):
        return
    query = "SELECT count(*) FROM crew WHERE alive_until > clock_timestamp()"
    if count := connection.exec_driver_sql(query).scalar():
        processes = "1 process works" if count == 1 else f"{count} processes work"
        raise StoreUnavailable(
            f"{processes} on {place}; nothing was changed. Stop them, wait a few seconds, and "
            "restore again."
        )


def _set_aside(
    connection: Connection, backup_id: str
) -> tuple[Literal["everything", "some"], dict[str, int]]:
    """Copy what must not be forgotten; whether the database knew of the backup, and last ids."""
    for name in (*_KEYED, *_TRAIL, *_RIGHTS, *_WORDLESS, *STAYS):
        columns = _WORDLESS.get(name, "*")
        connection.exec_driver_sql(
            f"CREATE TABLE {SET_ASIDE}{name} AS SELECT {columns} FROM {name}"
        )
    known = connection.execute(
        text("SELECT 1 FROM backups WHERE id = :id"), {"id": backup_id}
    ).first()
    given = {table.name: last_id(connection, table) or 0 for table in tables_of(connection)}
    return "everything" if known else "some", given


def _go_on(connection: Connection, given: Mapping[str, int]) -> None:
    """An id that was given out before is not given out again."""
    for table in tables_of(connection):
        go_on_from(connection, table, given.get(table.name, 0))


def _drop(connection: Connection, is_wanted: Callable[[str], bool]) -> None:
    found = MetaData()
    found.reflect(connection, only=lambda name, _: is_wanted(name))
    for table in reversed(found.sorted_tables):
        table.drop(connection)


# -- what comes back ----------------------------------------------------------------------------


def _fill(connection: Connection, path: Path, heading: Heading, progress: Progress) -> int:
    """The tables as the backup has them, then as this version needs them; how many rows."""
    _drop(connection, lambda name: name in OURS or name == "alembic_version")
    upgrade(connection, heading.revision)
    tables = {table.name: table for table in tables_of(connection)}
    things = read(path)
    if next(things) != heading:
        raise BadBackup(f"{path} changed while it was read; nothing was changed. Try again.")
    last: dict[str, int] = {}
    done = 0
    begins = next(things, None)
    while isinstance(begins, TableBegins):
        table = tables.get(begins.name)
        if table is None or not set(begins.columns) <= set(table.c.keys()):
            raise BadBackup(
                f"{path} does not fit its own revision {heading.revision}; nothing was changed. "
                "Take another backup."
            )
        last[begins.name] = begins.last_id or 0
        done, begins = _rows_of(connection, table, begins, things, done, progress)
    upgrade(connection)
    for table in tables_of(connection):
        go_on_from(connection, table, last.get(table.name, 0))
    # In itself a backup is not finished yet.
    connection.execute(
        backups.update()
        .where(backups.c.id == heading.id)
        .values(state="done", size=path.stat().st_size)
    )
    return done


def _rows_of(
    connection: Connection,
    table: Table,
    begins: TableBegins,
    things: Iterator[Any],
    done: int,
    progress: Progress,
) -> tuple[int, Any]:
    """Insert a table's rows; how many so far, and what follows them."""
    following: list[Any] = []

    def rows() -> Iterator[dict[str, Any]]:
        for thing in things:
            if not isinstance(thing, list):
                following.append(thing)
                return
            yield dict(zip(begins.columns, thing, strict=True))

    coming = rows()
    while some := list(islice(coming, AT_ONCE)):
        connection.execute(table.insert(), some)
        done += len(some)
        progress(done, 0)
    return done, following[0] if following else None


# -- what must not be forgotten -----------------------------------------------------------------


def _carry_over(connection: Connection, is_heir: bool) -> None:
    """What the replaced database knew without words; `is_heir`: it knew of the backup."""
    tables = {table.name: table for table in tables_of(connection)}
    for name in _KEYED:
        keys = " AND ".join(f"r.{c.name} = {name}.{c.name}" for c in tables[name].primary_key)
        connection.exec_driver_sql(
            f"DELETE FROM {name} WHERE EXISTS (SELECT 1 FROM {SET_ASIDE}{name} r WHERE {keys})"
        )
        _take(connection, tables[name])
    for name in STAYS:
        connection.exec_driver_sql(f"DELETE FROM {name}")
        _take(connection, metadata.tables[name])
    for name, known_by in _TRAIL.items():
        if is_heir:
            connection.exec_driver_sql(f"DELETE FROM {name}")
            _take(connection, tables[name])
        else:
            _take(connection, tables[name], known_by)
        go_on_from(connection, tables[name], 0)
    if is_heir:
        for name in _RIGHTS:
            connection.exec_driver_sql(f"DELETE FROM {name}")
            _take(connection, tables[name])
        connection.exec_driver_sql(
            f"UPDATE residents SET model = (SELECT r.model FROM {SET_ASIDE}residents r "
            f"WHERE r.id = residents.id) WHERE id IN (SELECT id FROM {SET_ASIDE}residents)"
        )
        _carry_posts(connection, tables[outbox.name])


def _carry_posts(connection: Connection, reflected: Table) -> None:
    """Which posts in groups show a story, so that withdrawing it can still take them down."""
    were = Table(
        f"{SET_ASIDE}outbox",
        MetaData(),
        *(Column(name, outbox.c[name].type) for name in _WORDLESS["outbox"].split(", ")),
    )
    shows = select(were.c.story_id).where(were.c.id == outbox.c.id).scalar_subquery()
    connection.execute(
        outbox.update().where(outbox.c.id.in_(select(were.c.id))).values(story_id=shows)
    )
    new = select(*were.c, literal({}, JSON)).where(
        were.c.story_id.in_(select(stories.c.id)),
        were.c.state.in_(("sending", "sent", "unknown")),
        were.c.id.not_in(select(outbox.c.id)),
    )
    connection.execute(outbox.insert().from_select([*were.c.keys(), "body"], new))
    go_on_from(connection, reflected, 0)


def _take(connection: Connection, table: Table, known_by: Sequence[str] = ()) -> None:
    """Add what was set aside; with `known_by` only what is not there, under ids of its own."""
    taken = [c.name for c in table.c if not (known_by and c.primary_key)]
    columns, order = ", ".join(taken), ", ".join(c.name for c in table.primary_key)
    same = " AND ".join(f"(t.{n} = r.{n} OR (t.{n} IS NULL AND r.{n} IS NULL))" for n in known_by)
    new = f"WHERE NOT EXISTS (SELECT 1 FROM {table.name} t WHERE {same})" if known_by else ""
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {SET_ASIDE}{table.name} r "
        f"{new} ORDER BY {order}"
    )


def _since(connection: Connection, is_heir: bool, heading: Heading) -> Since:
    """What ended after the backup, and is alive in what was restored."""
    forgotten = _forgotten(connection, is_heir, heading.made_at)
    withdrawn = _withdrawn(connection, is_heir, heading.made_at, {who for who, _ in forgotten})
    gone = {story_id for story_id, _ in withdrawn}
    return Since(forgotten, withdrawn, [one for one in _ended(connection) if one[0] not in gone])


def _forgotten(
    connection: Connection, is_heir: bool, made_at: datetime
) -> list[tuple[str, datetime]]:
    """Residents the trail says were erased; to an heir, also those it has no more."""
    erased = {row.who_sha256: row.recorded_at for row in _told(connection, "erased")}
    found = []
    for row in _rows_and_known(connection, residents):
        sha256 = hashlib.sha256(row.id.encode("utf-8")).hexdigest()
        if sha256 in erased:
            found.append((row.id, erased[sha256]))
        elif is_heir and not row.known:
            found.append((row.id, made_at))
    return found


def _withdrawn(
    connection: Connection, is_heir: bool, made_at: datetime, forgotten: set[str]
) -> list[tuple[str, datetime]]:
    """Stories the trail says were withdrawn; to an heir, also those it has no more."""
    gone = {row.about: row.recorded_at for row in _told(connection, "withdrawn")}
    found = []
    for row in _rows_and_known(connection, stories, stories.c.status != "withdrawn"):
        if row.resident_id in forgotten:
            continue
        if row.id in gone:
            found.append((row.id, gone[row.id]))
        elif is_heir and not row.known:
            found.append((row.id, made_at))
    return found


def _rows_and_known(
    connection: Connection, table: Table, *where: ColumnElement[bool]
) -> Iterator[Row[Any]]:
    """A table's rows, and whether the replaced database had each; a page in memory at a time."""
    were = Table(f"{SET_ASIDE}{table.name}", MetaData(), Column("id", table.c.id.type))
    connection.exec_driver_sql(f"CREATE INDEX ix_{were.name} ON {were.name} (id)")
    known = select(were.c.id).where(were.c.id == table.c.id).exists()
    last = ""
    while True:
        page = connection.execute(
            select(table, known.label("known"))
            .where(table.c.id > last, *where)
            .order_by(table.c.id)
            .limit(AT_ONCE)
        ).all()
        yield from page
        if len(page) < AT_ONCE:
            return
        last = page[-1].id


def _ended(connection: Connection) -> list[tuple[str, str, datetime, str]]:
    """Releases and offers that were edited, revoked or used up since."""
    first: dict[str, tuple[str, str, datetime, str]] = {}
    for table, said in ((releases, "release_"), (offers, "offer_")):
        rows = connection.execute(
            select(table.c.story_id, table.c.id, audit.c.recorded_at, audit.c.what)
            .join(audit, audit.c.about == table.c.id)
            .where(table.c.ended_at.is_(None), audit.c.what.startswith(said, autoescape=True))
            .order_by(audit.c.recorded_at)
        )
        for row in rows:
            because = row.what.removeprefix(said)
            first.setdefault(row.id, (row.story_id, row.id, row.recorded_at, because))
    return list(first.values())


def _told(connection: Connection, what: str) -> Sequence[Row[Any]]:
    return connection.execute(select(audit).where(audit.c.what == what)).all()


# -- what waited when the backup was made -------------------------------------------------------


def _quieten(connection: Connection, since: Since, is_heir: bool, now: datetime) -> dict[str, int]:
    """Nothing is posted a second time: what waited for a group counts as perhaps posted.

    Schedules go on from now, because what fell due since the backup may have been posted.
    """
    kept_back = connection.execute(
        outbox.update()
        .where(outbox.c.repeatable.is_(False), outbox.c.state.in_(("waiting", "sending")))
        .values(state="unknown", body={}, reason="Restored")
    ).rowcount
    for story_id, _ in since.stories:
        # Its posts were taken down when it was withdrawn.
        connection.execute(
            outbox.update().where(outbox.c.story_id == story_id).values(story_id=None)
        )
    for resident_id, _ in since.residents:
        theirs = select(stories.c.id).where(stories.c.resident_id == resident_id)
        connection.execute(
            outbox.update().where(outbox.c.story_id.in_(theirs)).values(story_id=None)
        )
    moved = connection.execute(
        schedules.update()
        .where(schedules.c.ended_at.is_(None), schedules.c.looked_until < now)
        .values(looked_until=now, version=schedules.c.version + 1)
    ).rowcount
    lapsed = 0
    if not is_heir:
        # One that was used since must not work twice.
        lapsed = connection.execute(
            invitations.delete().where(invitations.c.used_at.is_(None))
        ).rowcount
    connection.execute(
        export_items.update()
        .where(
            export_items.c.gone_at.is_(None), export_items.c.story_id.not_in(select(stories.c.id))
        )
        .values(gone_at=now, gone_because="lost")
    )
    # The example index was made from another database.
    connection.execute(
        erasures_pending.insert().values(
            what="index",
            story_ids=[],
            resident_sha256="",
            chat_sha256=None,
            in_index=True,
            asked_at=now,
            steps={},
        )
    )
    return {"kept_back": kept_back, "schedules": moved, "invitations": lapsed}

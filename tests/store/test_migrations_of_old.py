"""A database of any earlier version, with people's rows in it, comes to this version whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect

from bot.store.database import migrate, upgrade
from bot.store.migrations import HEAD, REVISIONS
from bot.store.neutral import OURS
from tests.store.filling import ROWS, fill, held
from tests.store.places import ON_DISK
from tests.store.test_backup import fresh, within

Shape = dict[str, Any]


def shape(connection: Connection) -> Shape:
    """Columns, keys, indexes and constraints of every table, as the database itself tells them."""
    looking = inspect(connection)
    return {
        name: {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"], str(c["default"] or ""))
                for c in looking.get_columns(name)
            },
            "order": [c["name"] for c in looking.get_columns(name)],
            "primary": looking.get_pk_constraint(name),
            "foreign": sorted(map(repr, looking.get_foreign_keys(name))),
            "unique": sorted(map(repr, looking.get_unique_constraints(name))),
            "checks": sorted(map(repr, looking.get_check_constraints(name))),
            "indexes": sorted(map(repr, looking.get_indexes(name))),
        }
        for name in sorted(looking.get_table_names())
    }


@pytest.mark.parametrize("place", ON_DISK)
async def test_from_every_revision_nothing_is_lost_and_the_tables_end_the_same(
    tmp_path: Path, place: str
) -> None:
    empty = fresh(place, tmp_path, "empty.db")
    await migrate(empty)
    wanted = await within(empty, shape)
    assert set(wanted) > OURS, "the list knows every table there is"
    for number, revision in enumerate(REVISIONS):
        url = fresh(place, tmp_path, f"{number}.db")

        def earlier(connection: Connection, revision: str = revision) -> dict[str, Any]:
            upgrade(connection, revision)
            fill(connection)
            return held(connection)

        before = await within(url, earlier)
        assert all(len(rows) == ROWS for rows in before.values())
        assert await migrate(url) == (revision, HEAD)
        after = await within(url, held)
        for name, rows in before.items():
            assert [{k: row[k] for k in rows[0]} for row in after[name]] == rows, (revision, name)
        assert await within(url, shape) == wanted, revision
        lanes = await within(
            url, lambda c: c.exec_driver_sql("SELECT count(*) FROM lanes").scalar()
        )
        assert lanes == 64


@pytest.mark.parametrize("place", ON_DISK)
async def test_every_step_can_be_taken_alone(tmp_path: Path, place: str) -> None:
    """A deploy that skips no version migrates one step at a time, with rows there each time."""
    url = fresh(place, tmp_path)
    for revision in REVISIONS:
        await within(url, lambda connection, revision=revision: upgrade(connection, revision))
        filled = await within(url, held)

        def fill_new(connection: Connection, filled: dict[str, Any] = filled) -> None:
            fill(connection, only=[name for name, rows in filled.items() if not rows])

        await within(url, fill_new)
    assert all(len(rows) == ROWS for rows in (await within(url, held)).values())
    assert await migrate(url) == (HEAD, HEAD)

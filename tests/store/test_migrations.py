"""The migrations make the tables, and the list of revisions tells the truth about them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine

import bot.store.database
from bot.store import migrations
from bot.store.database import migrate, open_store
from bot.store.migrations import HEAD, REVISIONS
from bot.store.tables import metadata
from bot.usecases.ports import OutboxItem, StoreUnavailable
from tests.store.samples import a_story

pytestmark = pytest.mark.sqlite_file("revision by revision; PostgreSQL begins with the newest")


def tables_of(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows}


async def test_migrating_from_empty_gives_exactly_the_tables_the_code_knows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "coach.db"
    await migrate(f"sqlite:///{path}")
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_migrating_says_where_it_came_from_and_a_second_time_changes_nothing(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'coach.db'}"
    assert await migrate(url) == (None, HEAD)
    assert await migrate(url) == (HEAD, HEAD)


def test_the_list_of_revisions_is_the_scripts_oldest_first() -> None:
    assert [script.revision for script in _scripts()] == list(REVISIONS)
    assert REVISIONS[-1] == HEAD


def test_every_script_is_named_by_date_and_change() -> None:
    for revision in REVISIONS:
        date, _, change = revision.partition("_")
        assert date.isdigit()
        assert len(date) == 8
        assert change
        assert len(revision) <= 32, "alembic_version holds 32 characters"


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "coach.db"
    whole = bot.store.database.upgrade

    def breaks_at_the_end(connection: object) -> None:
        whole(connection)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("broken on purpose")

    monkeypatch.setattr(bot.store.database, "upgrade", breaks_at_the_end)
    with pytest.raises(StoreUnavailable):
        await migrate(f"sqlite:///{path}")
    assert tables_of(path) == set()
    monkeypatch.undo()
    assert await migrate(f"sqlite:///{path}") == (None, HEAD)
    assert "stories" in tables_of(path)


def test_a_start_on_an_up_to_date_database_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'coach.db'}"
    asyncio.run(migrate(url))
    program = (
        "import asyncio, sys\n"
        "from bot.store.database import open_store\n"
        "async def main():\n"
        f"    store = await open_store({url!r})\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "False"


def test_two_programs_may_open_an_empty_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'coach.db'}"
    program = (
        "import asyncio\n"
        "from bot.store.database import migrate\n"
        f"print(asyncio.run(migrate({url!r})))\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in started)
    assert answers == sorted([f"(None, '{HEAD}')", f"('{HEAD}', '{HEAD}')"])


async def test_a_path_with_a_percent_sign_and_spaces_is_just_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "50% of años"
    folder.mkdir()
    store = await open_store(f"sqlite:///{folder / 'coach.db'}")
    await store.close()
    assert "stories" in tables_of(folder / "coach.db")


def test_every_migration_can_be_written_for_postgresql_too() -> None:
    written = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    with Operations.context(context):
        for script in _scripts():
            script.module.upgrade()
        for script in reversed(_scripts()):
            script.module.downgrade()
    assert "ALTER TABLE outbox ADD COLUMN repeatable BOOLEAN DEFAULT true" in written.getvalue()


async def test_what_waited_before_the_outbox_knew_more_are_replies_that_may_repeat(
    tmp_path: Path,
) -> None:
    path = tmp_path / "coach.db"
    engine = create_engine(f"sqlite:///{path}")
    first = _scripts()[0]
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        with Operations.context(context):
            first.module.upgrade()
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{first.revision}')")
        connection.exec_driver_sql(
            "INSERT INTO outbox (chat_id, body, state, attempts) VALUES (7, '{}', 'waiting', 0)"
        )
    engine.dispose()
    store = await open_store(f"sqlite:///{path}")
    async with store.work() as work:
        (item,) = await work.outbox.waiting()
        assert item == OutboxItem(7, {}, 1, 0, "reply", True, None)
        await work.outbox.failed(1, "Erased")
    await store.close()


async def test_a_database_from_before_follow_ups_keeps_its_stories_and_can_be_lent_from(
    tmp_path: Path,
) -> None:
    path = tmp_path / "coach.db"
    engine = create_engine(f"sqlite:///{path}")
    scripts = _scripts()
    before = next(n for n, s in enumerate(scripts) if s.revision == "20261130_follow_ups")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        with Operations.context(context):
            for script in scripts[:before]:
                script.module.upgrade()
        last = scripts[before - 1].revision
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{last}')")
        connection.exec_driver_sql(
            "INSERT INTO residents (id, joined_at, last_seen_at) VALUES"
            " ('r-1', '2026-11-01 00:00:00', '2026-11-01 00:00:00')"
        )
        connection.exec_driver_sql(
            "INSERT INTO identities (resident_id, telegram_id, chat_id, name, name_folded)"
            " VALUES ('r-1', 7, 7, 'Ana', 'ana')"
        )
        connection.exec_driver_sql(
            "INSERT INTO sessions (resident_id, step, turn, version, notes)"
            " VALUES ('r-1', 'done', 1, 1, '{}')"
        )
    engine.dispose()
    store = await open_store(f"sqlite:///{path}")
    async with store.work() as work:
        folder = await work.folders.by_chat(7)
        assert folder is not None and await work.practice.followed() == []
        folder.stories = [a_story()]
        await work.folders.save(folder)
        await work.commit()
    async with store.work() as work:
        kept = await work.folders.by_chat(7)
        assert kept is not None and kept.stories[0].offers == a_story().offers
    await store.close()


def _scripts() -> list[Script]:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return list(ScriptDirectory.from_config(config).walk_revisions())[::-1]

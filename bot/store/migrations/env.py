"""Alembic's entry: migrates over the connection that bot.store.database hands in."""

from __future__ import annotations

from alembic import context

import bot.store.practice_tables  # noqa: F401 (adds its tables to the same metadata)
from bot.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Tables of the example index that several processes share. They hold no words."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, Table, Text

from bot.store.tables import UtcDateTime, metadata

installations = Table(
    "installations",
    metadata,
    # One row: by this word our collections are known on a Chroma server that others use as well.
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    info={"apart": "stays"},
)

index_editions = Table(
    "index_editions",
    metadata,
    # Which corpus a process came with, so that an older program does not undo a newer one's index.
    Column("edition", Text, primary_key=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    info={"apart": "stays"},
)

leases = Table(
    "leases",
    metadata,
    # What one process does at a time (index, erasing), which one, and until when.
    Column("what", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("held_until", UtcDateTime, nullable=False),
    info={"apart": "stays"},
)

index_generations = Table(
    "index_generations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("shelf", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("embedder", Text, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    info={"apart": "stays"},
)

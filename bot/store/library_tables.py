"""Tables of review, library, export and erasure. See bot/store/tables.py for the rest.

Nothing here refers to a story by foreign key: what happened stays, wordless, after the story is
gone. What may hold words (notes, labels, marks) is deleted by bot/store/leaving.py in the same
transaction in which a story leaves.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from bot.store.tables import UtcDateTime, Verbatim, metadata

_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

submissions = Table(
    "submissions",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("story_id", Text, nullable=False, index=True),
    Column("text_sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Hashes of who: the trail survives their leaving and names nobody.
    Column("claimed_by", Text),
    Column("claimed_until", UtcDateTime),
    Column("decided_by", Text),
    Column("decided_at", UtcDateTime),
    Column("not_by", Text),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("story_id", Text, nullable=False, index=True),
    Column("release_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Verbatim, nullable=False),
    Column("themes", JSON, nullable=False),
    Column("who_sha256", Text, nullable=False),
    Column("reviewed_at", UtcDateTime, nullable=False),
)

library_entries = Table(
    "library_entries",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("story_id", Text, nullable=False, index=True),
    Column("text_sha256", Text, nullable=False),
    Column("approved_at", UtcDateTime, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("first_shown_at", UtcDateTime),
)

library_labels = Table(
    "library_labels",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Verbatim, primary_key=True),
    Column("asserted_by", Text, nullable=False),
)

library_marks = Table(
    "library_marks",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("move", Text, primary_key=True),
    Column("sentence", Verbatim, nullable=False),
)

library_news = Table(
    "library_news",
    metadata,
    # What a teller has been told already, each thing once a release.
    Column("release_id", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("told_at", UtcDateTime, nullable=False),
)

exports = Table(
    "exports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("formats", JSON, nullable=False),
    Column("filters", JSON, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("path", Verbatim, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("file_erased", Boolean, nullable=False),
    # The data folder of whoever wrote it, and what its machine calls itself; NULL: kept with us.
    Column("home", Text),
    Column("machine", Text),
)

export_pieces = Table(
    "export_pieces",
    metadata,
    # The bytes of an export that any process may have to hand over.
    Column("export_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    info={"apart": "stays"},
)

homes = Table(
    "homes",
    metadata,
    # Data folders in which people's words lie, so that each can be asked to erase.
    Column("id", Text, primary_key=True),
    Column("machine", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    info={"apart": "stays"},
)

export_items = Table(
    "export_items",
    metadata,
    Column("export_id", Text, primary_key=True),
    Column("release_id", Text, primary_key=True),
    Column("story_id", Text, nullable=False, index=True),
    Column("file", Text, nullable=False),
    Column("gone_at", UtcDateTime),
    Column("gone_because", Text),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", Text),
    Index(None, "release_id"),
    Index(None, "gone_at"),
)

erasures_pending = Table(
    "erasures_pending",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("what", Text, nullable=False),
    Column("story_ids", JSON, nullable=False),
    Column("resident_sha256", Text, nullable=False),
    # Finds a person's own files without naming them; emptied when done.
    Column("chat_sha256", Text),
    Column("in_index", Boolean, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("finished_at", UtcDateTime, index=True),
)

backups = Table(
    "backups",
    metadata,
    # A backup holds every word there was when it was made, also those taken back since.
    Column("id", Text, primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("path", Verbatim, nullable=False),
    Column("state", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("gone_at", UtcDateTime),
    Column("gone_because", Text),
    Column("acknowledged_by", Text),
)

OF_RELEASE = (library_marks, library_labels, library_entries, submissions)
"""Tables keyed by release_id that end with the release."""

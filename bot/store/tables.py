"""The tables in the field's words, and the column types that keep words and times exact.

Identities stand apart from stories: a story knows only its resident's opaque id. Tables that
hold text are erased with their resident; `erasures` and `audit` hold no text and no identity.
Every change here needs a migration; tests/store/test_migrations.py compares the two.
What belongs to machines, not to people, is in no backup: `info` says "apart", and whether restoring
over a database leaves its rows as they are ("stays") or begins "anew".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    true,
)
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime in and out. A naive one is refused (ValueError).

    SQLite keeps no zone: it stores UTC, and UTC is put back on the way out.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC, without its zone where the database cannot hold one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must carry its zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Verbatim(TypeDecorator[str]):
    """Text that comes back letter for letter, whatever was typed.

    PostgreSQL refuses NUL and both engines refuse half surrogates, which broken clients do
    send; those characters, and the escape character itself, are written as U+001A and four
    hexadecimal digits.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what the database cannot hold."""
        if value is None:
            return None
        return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as it was typed."""
        if value is None or "\x1a" not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = Text()
_WORD = Text()
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")


def _of_resident(*, primary: bool) -> Column[str]:
    return Column(
        "resident_id",
        _ID,
        ForeignKey("residents.id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


def _of_story() -> Column[str]:
    return Column("story_id", _ID, ForeignKey("stories.id", ondelete="CASCADE"), primary_key=True)


residents = Table(
    "residents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("language", _WORD),
    Column("age_band", _WORD),
    Column("participation_wording", _WORD),
    Column("participation_language", _WORD),
    Column("participation_agreed_at", UtcDateTime),
    # The yes or no to a model: agreed, at, wording, language, decided_at; NULL before either.
    Column("model", JSON(none_as_null=True)),
)

identities = Table(
    "identities",
    metadata,
    _of_resident(primary=True),
    Column("telegram_id", BigInteger, nullable=False, index=True),
    Column("chat_id", BigInteger, nullable=False, unique=True),
    Column("name", Verbatim, nullable=False),
    # The name in lower case as Unicode means it; SQL's lower() knows only ASCII on SQLite.
    Column("name_folded", Verbatim, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    _of_resident(primary=True),
    Column("step", _WORD, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("story_id", _ID),
    Column("notes", JSON, nullable=False),
)

stories = Table(
    "stories",
    metadata,
    Column("id", _ID, primary_key=True),
    _of_resident(primary=False),
    Column("position", Integer, nullable=False),
    Column("language", _WORD, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("status", _WORD, nullable=False),
    Column("link", Verbatim),
    Column("link_words", Integer, nullable=False),
    Column("committed", Boolean, nullable=False),
    Column("commitment_who", Verbatim, nullable=False),
    Column("commitment_what", Verbatim, nullable=False),
    Column("commitment_when", Verbatim, nullable=False),
    Column("commitment_where", Verbatim, nullable=False),
    Column("listener", Verbatim),
    Column("kept_passages", JSON, nullable=False),
    Column("submitted_at", UtcDateTime),
    Column("withdrawn_at", UtcDateTime),
    Index(None, "resident_id"),
    # Serves both halves of `coach stories`: submitted by date, then drafts by date.
    Index("ix_stories_listing", "submitted_at", "begun_at", "id"),
)

parts = Table(
    "parts",
    metadata,
    _of_story(),
    Column("stage", _WORD, primary_key=True),
    Column("sketch", Verbatim),
    Column("pieces", JSON, nullable=False),
)

tellings = Table(
    "tellings",
    metadata,
    _of_story(),
    Column("stage", _WORD, primary_key=True),
    # Where it stands among the part's versions, from 0; `number` is what the core calls it.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("text", Verbatim, nullable=False),
    Column("words", Integer, nullable=False),
    Column("origin", _WORD, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
    Column("teller_share", Float, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    _of_story(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("stage", _WORD, nullable=False),
    Column("telling", Integer, nullable=False),
    Column("statuses", JSON, nullable=False),
    Column("modes", JSON, nullable=False),
    Column("reader", Text, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    _of_story(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("id", _ID, nullable=False, index=True),
    Column("text", Verbatim, nullable=False),
    Column("text_sha256", _ID, nullable=False),
    Column("purposes", JSON, nullable=False),
    Column("name_shown", _WORD, nullable=False),
    Column("name", Verbatim, nullable=False),
    Column("wording", _WORD, nullable=False),
    Column("language", _WORD, nullable=False),
    Column("released_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("teller_share", Float, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_because", _WORD),
)

offers = Table(
    "offers",
    metadata,
    # What organizers may post in groups: a release each, apart from those that staff can find.
    _of_story(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("id", _ID, nullable=False, index=True),
    Column("text", Verbatim, nullable=False),
    Column("text_sha256", _ID, nullable=False),
    Column("purposes", JSON, nullable=False),
    Column("name_shown", _WORD, nullable=False),
    Column("name", Verbatim, nullable=False),
    Column("wording", _WORD, nullable=False),
    Column("language", _WORD, nullable=False),
    Column("released_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("teller_share", Float, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_because", _WORD),
    Column("prompt", _ID, nullable=False, index=True),
    Column("question", Verbatim, nullable=False),
    # Ids and titles of the groups, as JSON text; in order.
    Column("groups", Verbatim, nullable=False),
)

self_interpretations = Table(
    "self_interpretations",
    metadata,
    _of_story(),
    Column("field", _WORD, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("answer", Verbatim, nullable=False),
    Column("asserted_by", _WORD, nullable=False),
)

shown_examples = Table(
    "shown_examples",
    metadata,
    _of_resident(primary=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("passage_id", Text, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("update_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chat_id", BigInteger, nullable=False, index=True),
    Column("payload", Verbatim, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("received_at", UtcDateTime, nullable=False),
    Index(None, "state", "update_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("chat_id", BigInteger, nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("message_id", BigInteger),
    # The defaults let a program that knows nothing of these columns go on writing.
    Column("urgency", _WORD, nullable=False, server_default="reply"),
    Column("repeatable", Boolean, nullable=False, server_default=true()),
    Column("topic", BigInteger),
    # What a teller had posted in a group, until it is taken down.
    Column("story_id", Text, index=True),
    Index(None, "state", "id"),
    # An id is never given out twice, even after its row is erased.
    sqlite_autoincrement=True,
)

keyboards = Table(
    "keyboards",
    metadata,
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
)

crew = Table(
    "crew",
    metadata,
    # The processes that serve one bot together; alone, there is no row.
    Column("id", _ID, primary_key=True),
    Column("alive_until", UtcDateTime, nullable=False),
    info={"apart": "anew"},
)

lanes = Table(
    "lanes",
    metadata,
    # One row for each lane of chats, and whose it is until when.
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("owner", _ID),
    Column("expires_at", UtcDateTime),
    info={"apart": "anew"},
)

recipients = Table(
    "recipients",
    metadata,
    # Only chats that cannot be written to at present have a row.
    Column("chat_id", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", _WORD, nullable=False),
    Column("paused_at", UtcDateTime, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("chat_id", BigInteger, nullable=False, unique=True),
    Column("title", Verbatim, nullable=False),
    Column("standing", _WORD, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("added_by", BigInteger, index=True),
    Column("language", _WORD),
    Column("timezone", _WORD),
    Column("topic", BigInteger),
    Column("introduced_at", UtcDateTime),
)

seats = Table(
    "seats",
    metadata,
    Column("telegram_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("awaiting", Text, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("turn", Integer, nullable=False),
)

spendings = Table(
    "spendings",
    metadata,
    # What a model cost on one UTC day: for one resident, or for everybody together ("").
    Column("day", _WORD, primary_key=True),
    Column("resident_id", _ID, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("dollars", Float, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    # SHA-256 of the resident's opaque id: proves an erasure to who still holds the id.
    Column("resident_sha256", _ID, nullable=False, index=True),
    Column("place", _WORD, nullable=False),
    Column("count", Integer, nullable=False),
    Column("erased_at", UtcDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    # The same hash as in `erasures`, so that the trail survives an erasure and names nobody.
    Column("who_sha256", _ID, nullable=False, index=True),
    Column("what", _WORD, nullable=False),
    Column("about", _ID),
    Column("recorded_at", UtcDateTime, nullable=False),
)

OF_STORY = (parts, tellings, readings, releases, offers, self_interpretations)
"""Tables keyed by story_id, deleted with their story."""

OF_FOLDER = (residents, identities, sessions, stories, *OF_STORY, shown_examples)
"""Every table a folder is made of, parents before children."""

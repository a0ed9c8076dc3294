"""Tables of rights, practice prompts and what became of them. No text of any story is here.

Who opened a prompt, or told a story to somebody, is kept as a hash, only to count nobody twice;
forgetting a person replaces it by one that nobody can compute.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from bot.store.tables import UtcDateTime, Verbatim, metadata

roles = Table(
    "roles",
    metadata,
    Column("telegram_id", BigInteger, primary_key=True, autoincrement=False),
    Column("rights", JSON, nullable=False),
    Column("granted_at", UtcDateTime, nullable=False),
    Column("granted_by", Text, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("rights", JSON, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("used_at", UtcDateTime),
)

practice_prompts = Table(
    "practice_prompts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("move", Text, nullable=False),
    Column("season", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("text", Verbatim, nullable=False),
    Column("written_by", BigInteger, index=True),
    Column("written_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
)

group_claims = Table(
    "group_claims",
    metadata,
    # No foreign keys to groups here: a group that becomes a supergroup may lose its second row.
    Column("group_id", Text, primary_key=True),
    Column("claimed_by", BigInteger, index=True),
    Column("claimed_at", UtcDateTime, nullable=False),
)

group_tags = Table(
    "group_tags",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("tag", Verbatim, primary_key=True),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("prompts", JSON, nullable=False),
    Column("aim", JSON, nullable=False),
    Column("rule", JSON, nullable=False),
    Column("made_by", BigInteger, index=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("looked_until", UtcDateTime, nullable=False),
    Column("rest_days", Integer, nullable=False),
    Column("paused_at", UtcDateTime),
    Column("ended_at", UtcDateTime, index=True),
    Column("ended_because", Text),
    Column("skipped", JSON, nullable=False),
    Column("version", Integer, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule_id", Text, ForeignKey("schedules.id"), nullable=False),
    Column("slot", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("prompt_id", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("token", Text, nullable=False, unique=True),
    Column("due_at", UtcDateTime, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("outbox_id", BigInteger),
    Column("left_out", Text),
    # When its end was dealt with: told to the organizer where there was something to tell.
    Column("settled_at", UtcDateTime, index=True),
    UniqueConstraint("schedule_id", "slot", "group_id", name="uq_deliveries_slot"),
    Index(None, "group_id", "due_at"),
)

practice_opens = Table(
    "practice_opens",
    metadata,
    Column("delivery_id", Text, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("person_sha256", Text, primary_key=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("last_opened_at", UtcDateTime, nullable=False),
    Column("began_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("released_at", UtcDateTime),
    Index(None, "person_sha256", "last_opened_at"),
)

follow_ups = Table(
    "follow_ups",
    metadata,
    # A post that told a group what came of a prompt. No words: those are in the outbox until sent.
    Column("id", Text, primary_key=True),
    # The offer it shows, or one telling of numbers: in a group each has its post once.
    Column("act", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("prompt_id", Text, nullable=False),
    Column("story_id", Text, index=True),
    Column("posted_at", UtcDateTime, nullable=False),
    Column("outbox_id", BigInteger, nullable=False),
    # When its teller took it back.
    Column("gone_at", UtcDateTime),
    UniqueConstraint("act", "group_id", name="uq_follow_ups_act"),
)

movement = Table(
    "movement",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("person_sha256", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("recorded_at", UtcDateTime, nullable=False),
    Index(None, "person_sha256"),
)

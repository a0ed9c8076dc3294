"""Review, the library, exports and erasures that are not finished."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_library"
down_revision = "20261124_models"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; what was released before simply waits for review."""
    op.create_table(
        "submissions",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", name="pk_submissions"),
    )
    op.create_index("ix_submissions_story_id", "submissions", ["story_id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("themes", sa.JSON(), nullable=False),
        sa.Column("who_sha256", sa.Text(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_story_id", "reviews", ["story_id"], unique=False)
    op.create_table(
        "library_entries",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("first_shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("release_id", name="pk_library_entries"),
    )
    op.create_index("ix_library_entries_story_id", "library_entries", ["story_id"], unique=False)
    op.create_table(
        "library_labels",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("asserted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "kind", "value", name="pk_library_labels"),
    )
    op.create_table(
        "library_marks",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("move", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "move", name="pk_library_marks"),
    )
    op.create_table(
        "library_news",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "what", name="pk_library_news"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("formats", sa.JSON(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("file_erased", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    op.create_table(
        "export_items",
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_because", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("export_id", "release_id", name="pk_export_items"),
    )
    op.create_index("ix_export_items_gone_at", "export_items", ["gone_at"], unique=False)
    op.create_index("ix_export_items_release_id", "export_items", ["release_id"], unique=False)
    op.create_index("ix_export_items_story_id", "export_items", ["story_id"], unique=False)
    op.create_table(
        "erasures_pending",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("story_ids", sa.JSON(), nullable=False),
        sa.Column("resident_sha256", sa.Text(), nullable=False),
        sa.Column("chat_sha256", sa.Text(), nullable=True),
        sa.Column("in_index", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_erasures_pending"),
    )
    op.create_index(
        "ix_erasures_pending_finished_at", "erasures_pending", ["finished_at"], unique=False
    )


def downgrade() -> None:
    """Drop every one of them."""
    for table in (
        "erasures_pending",
        "export_items",
        "exports",
        "library_news",
        "library_marks",
        "library_labels",
        "library_entries",
        "reviews",
        "submissions",
    ):
        op.drop_table(table)

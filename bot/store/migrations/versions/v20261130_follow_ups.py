"""What tellers offer for posts in groups, and the posts that told groups what came of a prompt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_follow_ups"
down_revision = "20261130_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both, empty: posts made before are not known as follow-ups."""
    op.create_table(
        "offers",
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("name_shown", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("teller_share", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["story_id"], ["stories.id"], name="fk_offers_story_id_stories", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("story_id", "position", name="pk_offers"),
    )
    op.create_index("ix_offers_id", "offers", ["id"], unique=False)
    op.create_index("ix_offers_prompt", "offers", ["prompt"], unique=False)
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Text(), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_follow_ups"),
        sa.UniqueConstraint("act", "group_id", name="uq_follow_ups_act"),
    )
    op.create_index("ix_follow_ups_story_id", "follow_ups", ["story_id"], unique=False)


def downgrade() -> None:
    """Forget what was offered and what was posted of it; what still waits goes with it."""
    op.execute(
        "DELETE FROM outbox WHERE state = 'waiting'"
        " AND id IN (SELECT outbox_id FROM follow_ups WHERE story_id IS NOT NULL)"
    )
    op.drop_index("ix_follow_ups_story_id", table_name="follow_ups")
    op.drop_table("follow_ups")
    op.drop_index("ix_offers_prompt", table_name="offers")
    op.drop_index("ix_offers_id", table_name="offers")
    op.drop_table("offers")

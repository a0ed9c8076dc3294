"""Which process serves which lane of chats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261127_crew"
down_revision = "20261127_posts"
branch_labels = None
depends_on = None

LANES = 64


def upgrade() -> None:
    """Create the lanes, free."""
    op.create_table(
        "crew",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alive_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crew"),
    )
    lanes = op.create_table(
        "lanes",
        sa.Column("lane", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("lane", name="pk_lanes"),
    )
    op.bulk_insert(lanes, [{"lane": lane} for lane in range(LANES)])


def downgrade() -> None:
    """Nobody serves with others any more."""
    op.drop_table("lanes")
    op.drop_table("crew")

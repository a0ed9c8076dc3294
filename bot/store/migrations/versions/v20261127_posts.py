"""Which story a message shows in a group, so that it can be taken down with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261127_posts"
down_revision = "20261126_practice"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was posted before stays unknown."""
    op.add_column("outbox", sa.Column("story_id", sa.Text(), nullable=True))
    op.create_index("ix_outbox_story_id", "outbox", ["story_id"], unique=False)


def downgrade() -> None:
    """Forget which story a message shows."""
    op.drop_index("ix_outbox_story_id", table_name="outbox")
    op.drop_column("outbox", "story_id")

"""Where organizers and staff are at the desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_seats"
down_revision = "20261124_groups_and_pauses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table."""
    op.create_table(
        "seats",
        sa.Column("telegram_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("awaiting", sa.Text(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("telegram_id", name="pk_seats"),
    )


def downgrade() -> None:
    """Forget where everybody is."""
    op.drop_table("seats")

"""Which backups were made, where they lie and whether they are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_backups"
down_revision = "20261130_many_homes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what was copied by hand before is not known."""
    op.create_table(
        "backups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_because", sa.Text(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_backups"),
    )


def downgrade() -> None:
    """Forget where backups lie."""
    op.drop_table("backups")

"""A resident's yes or no to a model, and what models cost a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_models"
down_revision = "20261124_seats"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one column and one table; nobody has agreed to anything yet."""
    op.add_column("residents", sa.Column("model", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "spendings",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("resident_id", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("dollars", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "resident_id", name="pk_spendings"),
    )


def downgrade() -> None:
    """Forget who agreed, and what it cost."""
    op.drop_table("spendings")
    op.drop_column("residents", "model")

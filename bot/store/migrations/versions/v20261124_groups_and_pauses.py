"""Groups, chats that cannot be written to, and what the outbox must know to send well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_groups_and_pauses"
down_revision = "20261123_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables and three columns; what waits in the outbox are replies."""
    op.create_table(
        "recipients",
        sa.Column("chat_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chat_id", name="pk_recipients"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.BigInteger(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("topic", sa.BigInteger(), nullable=True),
        sa.Column("introduced_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("chat_id", name="uq_groups_chat_id"),
    )
    op.create_index("ix_groups_added_by", "groups", ["added_by"], unique=False)
    op.add_column("outbox", sa.Column("urgency", sa.Text(), server_default="reply", nullable=False))
    op.add_column(
        "outbox", sa.Column("repeatable", sa.Boolean(), server_default=sa.true(), nullable=False)
    )
    op.add_column("outbox", sa.Column("topic", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Forget groups, pauses and how messages are to be sent."""
    for column in ("topic", "repeatable", "urgency"):
        op.drop_column("outbox", column)
    op.drop_table("groups")
    op.drop_table("recipients")

"""One example index and all exports within reach of every process; data folders told apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_many_homes"
down_revision = "20261127_crew"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty; of earlier exports nobody knows in which folder they lie."""
    op.create_table(
        "installations",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_installations"),
    )
    op.create_table(
        "index_editions",
        sa.Column("edition", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("edition", name="pk_index_editions"),
    )
    op.create_table(
        "leases",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("what", name="pk_leases"),
    )
    op.create_table(
        "index_generations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shelf", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_index_generations"),
    )
    op.create_table(
        "export_pieces",
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "position", name="pk_export_pieces"),
    )
    op.create_table(
        "homes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_homes"),
    )
    op.add_column("exports", sa.Column("home", sa.Text(), nullable=True))
    op.add_column("exports", sa.Column("machine", sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget them; the index and unfinished exports are made again."""
    op.drop_column("exports", "machine")
    op.drop_column("exports", "home")
    for table in (
        "homes",
        "export_pieces",
        "index_generations",
        "leases",
        "index_editions",
        "installations",
    ):
        op.drop_table(table)

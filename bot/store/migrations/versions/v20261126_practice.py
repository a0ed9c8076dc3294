"""Rights, invitations, practice prompts, their schedules and what became of each delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261126_practice"
down_revision = "20261125_library"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; nothing that was there changes."""
    op.create_table(
        "group_claims",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name="pk_group_claims"),
    )
    op.create_index("ix_group_claims_claimed_by", "group_claims", ["claimed_by"], unique=False)
    op.create_table(
        "group_tags",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "tag", name="pk_group_tags"),
    )
    op.create_table(
        "invitations",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_invitations"),
    )
    op.create_table(
        "movement",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("person_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "person_sha256", "kind", name="pk_movement"),
    )
    op.create_index("ix_movement_person_sha256", "movement", ["person_sha256"], unique=False)
    op.create_table(
        "practice_prompts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("move", sa.Text(), nullable=False),
        sa.Column("season", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.BigInteger(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_practice_prompts"),
    )
    op.create_index(
        "ix_practice_prompts_written_by", "practice_prompts", ["written_by"], unique=False
    )
    op.create_table(
        "roles",
        sa.Column("telegram_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("telegram_id", name="pk_roles"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.Column("aim", sa.JSON(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rest_days", sa.Integer(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.Column("skipped", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
    )
    op.create_index("ix_schedules_ended_at", "schedules", ["ended_at"], unique=False)
    op.create_index("ix_schedules_made_by", "schedules", ["made_by"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=True),
        sa.Column("left_out", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name="fk_deliveries_schedule_id_schedules"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("schedule_id", "slot", "group_id", name="uq_deliveries_slot"),
        sa.UniqueConstraint("token", name="uq_deliveries_token"),
    )
    op.create_index(
        "ix_deliveries_group_id_due_at", "deliveries", ["group_id", "due_at"], unique=False
    )
    op.create_index("ix_deliveries_settled_at", "deliveries", ["settled_at"], unique=False)
    op.create_table(
        "practice_opens",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("person_sha256", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name="fk_practice_opens_delivery_id_deliveries",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "person_sha256", name="pk_practice_opens"),
    )
    op.create_index(
        "ix_practice_opens_person_sha256_last_opened_at",
        "practice_opens",
        ["person_sha256", "last_opened_at"],
        unique=False,
    )


def downgrade() -> None:
    """Forget rights, prompts and results."""
    for table in (
        "movement",
        "practice_opens",
        "deliveries",
        "schedules",
        "group_tags",
        "group_claims",
        "practice_prompts",
        "invitations",
        "roles",
    ):
        op.drop_table(table)

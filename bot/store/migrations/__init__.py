"""Every shape the database has had, oldest first; the last one is what this program needs.

The list stands here, beside the scripts, so that a start on an up-to-date database need not
load Alembic; tests/store/test_migrations.py checks it against versions/.
"""

from __future__ import annotations

REVISIONS = (
    "20261123_first_tables",
    "20261124_groups_and_pauses",
    "20261124_seats",
    "20261124_models",
    "20261125_library",
    "20261126_practice",
    "20261127_posts",
    "20261127_crew",
    "20261130_many_homes",
    "20261130_backups",
    "20261130_follow_ups",
)
HEAD = REVISIONS[-1]

"""Advisory locks on PostgreSQL: any numbers of our own, each held by one session at a time.

All stand here, because two that were the same would hold each other up.
"""

MIGRATING = 20261123
"""Bringing the database to this version."""
LEADING = 20261127
"""Posting prompts when they are due."""
FETCHING = 20261130
"""Fetching updates when nobody brings them."""
SCRUBBING = 20261201
"""Rewriting tables without erased words."""

"""What every test relies on."""

from __future__ import annotations

# Imported first: it chooses, for the whole run, how python-telegram-bot gives durations.
import bot.telegram  # noqa: F401

"""Updates in, messages out: the only room that knows python-telegram-bot, besides the console."""

import os

# python-telegram-bot's way to ask for timedelta now instead of a warning at every RetryAfter.
os.environ.setdefault("PTB_TIMEDELTA", "1")

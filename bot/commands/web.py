"""`coach web`: everything in one process, by webhook."""

from __future__ import annotations

from typing import TextIO

from bot.commands.serving import serve
from bot.settings import load_settings


def run(stderr: TextIO) -> int:
    """Serve until told to stop; 0, or 1 with one sentence when it cannot be."""
    settings = load_settings()
    if settings.telegram_webhook_url is None:
        print(
            "TELEGRAM_WEBHOOK_URL is not set. Put the https address at which Telegram reaches "
            "this program in .env; `coach run` works without.",
            file=stderr,
        )
        return 1
    return serve(settings, by_webhook=True, stderr=stderr)

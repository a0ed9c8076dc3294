"""The same listening by python-telegram-bot's own means: `python -m tests.proof.rival HOME N`.

A ConversationHandler keeps what people tell in `user_data`, a PicklePersistence keeps that on disk
every N seconds (the library's default is 60), as in the library's own examples.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from telegram import Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    PicklePersistence,
    filters,
)

Context = ContextTypes.DEFAULT_TYPE
TELLING = 0


def kept_in(home: Path) -> Path:
    """Where the pickle lies."""
    return home / "rival.pickle"


async def start(update: Update, context: Context) -> int:
    """Begin to listen."""
    assert update.message is not None and context.user_data is not None
    context.user_data["lines"] = []
    await update.message.reply_text("I'm listening.")
    return TELLING


async def tell(update: Update, context: Context) -> int:
    """Keep a line and answer."""
    assert update.message is not None and context.user_data is not None
    context.user_data["lines"].append(update.message.text)
    await update.message.reply_text("Go on.")
    return TELLING


def build(home: Path, seconds: float) -> Application[Any, Any, Any, Any, Any, Any]:
    """The bot, with its pickle in `home`."""
    base = os.environ["TELEGRAM_API_BASE_URL"]
    built = (
        Application.builder()
        .token(os.environ["TELEGRAM_BOT_TOKEN"])
        .base_url(f"{base}/bot")
        .persistence(PicklePersistence(kept_in(home), update_interval=seconds))
        .build()
    )
    built.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("start", start)],
            states={TELLING: [MessageHandler(filters.TEXT & ~filters.COMMAND, tell)]},
            fallbacks=[],
            name="listening",
            persistent=True,
        )
    )
    return built


if __name__ == "__main__":
    build(Path(sys.argv[1]), float(sys.argv[2])).run_polling(
        allowed_updates=Update.ALL_TYPES, timeout=10, poll_interval=0
    )

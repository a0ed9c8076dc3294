"""python-telegram-bot's echo bot, as in its examples: the floor of that library.

With the argument `concurrent` it serves 256 updates at a time instead of one after another.
"""

from __future__ import annotations

import os
import sys

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say it back."""
    assert update.message is not None and update.message.text is not None
    await update.message.reply_text(update.message.text)


def main(concurrent: bool) -> None:
    """Fetch and echo until killed."""
    builder = (
        Application.builder()
        .token(os.environ["TELEGRAM_BOT_TOKEN"])
        .base_url(f"{os.environ['TELEGRAM_API_BASE_URL']}/bot")
    )
    if concurrent:
        builder = builder.concurrent_updates(True)
    application = builder.build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main("concurrent" in sys.argv[1:])

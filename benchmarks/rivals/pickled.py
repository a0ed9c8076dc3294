"""python-telegram-bot's ConversationHandler with PicklePersistence, as in its examples.

The pickle lies in the working directory and is written every 60 s, the library's default.
"""

from __future__ import annotations

import os

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

from benchmarks.rivals.questions import HINT, QUESTIONS, THANKS

Context = ContextTypes.DEFAULT_TYPE


async def start(update: Update, context: Context) -> int:
    """Ask the first question."""
    assert update.message is not None and context.user_data is not None
    context.user_data["answers"] = []
    await update.message.reply_text(QUESTIONS[0])
    return 0


async def answer(update: Update, context: Context) -> int:
    """Keep an answer and ask the next question."""
    assert update.message is not None and context.user_data is not None
    answers = context.user_data["answers"]
    answers.append(update.message.text)
    if len(answers) == len(QUESTIONS):
        await update.message.reply_text(THANKS)
        return ConversationHandler.END
    await update.message.reply_text(QUESTIONS[len(answers)])
    return len(answers)


async def hint(update: Update, context: Context) -> None:
    """Outside of a conversation."""
    assert update.message is not None
    await update.message.reply_text(HINT)


def main() -> None:
    """Serve until killed."""
    application = (
        Application.builder()
        .token(os.environ["TELEGRAM_BOT_TOKEN"])
        .base_url(f"{os.environ['TELEGRAM_API_BASE_URL']}/bot")
        .persistence(PicklePersistence("conversations.pickle"))
        .build()
    )
    words = filters.TEXT & ~filters.COMMAND
    states = {number: [MessageHandler(words, answer)] for number in range(len(QUESTIONS))}
    application.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("start", start)],
            states=states,  # type: ignore[arg-type]
            fallbacks=[CommandHandler("start", start)],
            name="story",
            persistent=True,
        )
    )
    application.add_handler(MessageHandler(filters.TEXT, hint))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()

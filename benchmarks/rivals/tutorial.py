"""The bot of a typical tutorial: passages from Chroma, a chat completion, history in a dict.

The embedding is the one this repository bundles, so that nothing is downloaded. One thing is done
better than in most tutorials: the model is called without blocking the loop.
"""

from __future__ import annotations

import os
from typing import Any

import chromadb
from openai import AsyncOpenAI
from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

from bot.reading.embedding import BundledEmbedder
from bot.retrieval.corpus import CorpusSource
from bot.wiring import CORPUS

Context = ContextTypes.DEFAULT_TYPE
SYSTEM = "You coach residents who tell their story. Ask one short question."

embedder = BundledEmbedder()
collection = chromadb.PersistentClient("index").get_or_create_collection("passages")
model = AsyncOpenAI()
history: dict[int, list[Any]] = {}


def index() -> None:
    """Put the example narratives into Chroma."""
    examples = [e for e in CorpusSource(CORPUS / "narratives").examples() if e.language == "en"]
    collection.upsert(
        ids=[e.id for e in examples],
        documents=[e.text for e in examples],
        embeddings=list(embedder.embed([e.text for e in examples])),
    )


async def start(update: Update, context: Context) -> None:
    """Begin anew."""
    assert update.message is not None
    history[update.message.chat_id] = []
    await update.message.reply_text("Hi! Tell me your story.")


async def chat(update: Update, context: Context) -> None:
    """Look for passages, ask the model, answer."""
    assert update.message is not None and update.message.text is not None
    told = history.setdefault(update.message.chat_id, [])
    told.append({"role": "user", "content": update.message.text})
    found = collection.query(
        query_embeddings=list(embedder.embed([update.message.text])), n_results=3
    )
    passages = "\n".join((found["documents"] or [[]])[0])
    system: Any = {"role": "system", "content": f"{SYSTEM}\nExamples:\n{passages}"}
    completion = await model.chat.completions.create(
        model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), messages=[system, *told]
    )
    said = completion.choices[0].message.content or ""
    told.append({"role": "assistant", "content": said})
    await update.message.reply_text(said)


def main() -> None:
    """Serve until killed."""
    index()
    application = (
        Application.builder()
        .token(os.environ["TELEGRAM_BOT_TOKEN"])
        .base_url(f"{os.environ['TELEGRAM_API_BASE_URL']}/bot")
        .build()
    )
    application.add_handler(CommandHandler("start", start))
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, chat))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()

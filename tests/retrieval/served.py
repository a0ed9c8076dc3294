"""The retriever on a Chroma server, over a database in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.retrieval.chroma_http import ChromaServer, Server
from bot.retrieval.corpus import CorpusSource
from bot.retrieval.server import ServerRetriever
from bot.store.database import SqlStore, open_store
from bot.usecases.ports import Clock, Embedder
from bot.wiring import SystemClock
from tests import chroma, databases


def retriever(
    store: SqlStore,
    corpus: Path,
    embedder: Embedder,
    database: str,
    *,
    url: str | None = None,
    clock: Clock | None = None,
) -> ServerRetriever:
    """One process's retriever; `database` is the Chroma server's."""
    server = Server(url or chroma.server().url, database=database)
    return ServerRetriever(
        ChromaServer(server), CorpusSource(corpus), embedder, store.work, clock or SystemClock()
    )


@asynccontextmanager
async def on_server(
    corpus: Path, embedder: Embedder, folder: Path
) -> AsyncIterator[ServerRetriever]:
    """A retriever alone on a database and a Chroma database of its own, built."""
    store = await open_store(await asyncio.to_thread(databases.database, folder))
    made = retriever(store, corpus, embedder, chroma.server().database())
    await made.ensure()
    yield made
    await made.aclose()
    await store.close()

"""`coach index`: build the example index, or leave it when nothing has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TextIO

from bot.retrieval.index import ChromaRetriever
from bot.usecases.ports import RetrievalUnavailable


def retriever(home: Path) -> ChromaRetriever:
    """The example index of one data directory, with corpus, library and bundled embeddings."""
    from bot.reading.embedding import BundledEmbedder
    from bot.settings import load_settings
    from bot.wiring import examples_index

    settings = load_settings().model_copy(update={"coach_home": home})
    return examples_index(settings, BundledEmbedder())


def run(home: Path, stdout: TextIO, stderr: TextIO) -> int:
    """Bring the index up to date with the corpus; 1 with one sentence when it cannot be."""
    examples = retriever(home)
    try:
        built = asyncio.run(_ensure(examples, stderr))
    except RetrievalUnavailable as error:
        print(error, file=stderr)
        return 1
    finally:
        examples.close()
    if built:
        print(f"Indexed {built} example passages.", file=stdout)
    else:
        print("The example index is up to date.", file=stdout)
    return 0


async def _ensure(examples: ChromaRetriever, stderr: TextIO) -> int:
    if not await examples.is_ready():
        print("Building the example index…", file=stderr, flush=True)
    return await examples.ensure()

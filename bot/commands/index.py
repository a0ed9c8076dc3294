"""`coach index`: build the example index, or leave it when nothing has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot.settings import load_settings
from bot.usecases.ports import RetrievalUnavailable
from bot.wiring import Parts, opened

if TYPE_CHECKING:
    from bot.retrieval.index import ChromaRetriever
    from bot.retrieval.server import ServerRetriever


@asynccontextmanager
async def retriever(home: Path) -> AsyncIterator[ChromaRetriever | ServerRetriever]:
    """The example index of one data directory, or the one it shares on a server."""
    parts = Parts(load_settings().model_copy(update={"coach_home": home}))
    if parts.settings.chroma_url is not None:
        async with opened(parts):
            yield parts.retriever
        return
    try:
        yield parts.retriever
    finally:
        await parts.retriever.aclose()


def run(home: Path, stdout: TextIO, stderr: TextIO) -> int:
    """Bring the index up to date with the corpus; 1 with one sentence when it cannot be."""
    try:
        built = asyncio.run(_ensure(home, stderr))
    except RetrievalUnavailable as error:
        print(error, file=stderr)
        return 1
    if built:
        print(f"Indexed {built} example passages.", file=stdout)
    else:
        print("The example index is up to date.", file=stdout)
    return 0


async def _ensure(home: Path, stderr: TextIO) -> int:
    async with retriever(home) as examples:
        if not await examples.is_ready():
            print("Building the example index…", file=stderr, flush=True)
        return await examples.ensure()

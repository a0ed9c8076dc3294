"""How long it takes to find an example among 60, 10,000 and 100,000 passages, language filtered.

Vectors are made up but for the query's: what a resident wrote, by the bundled model.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bot.core.narrative import Element
from bot.reading.embedding import BundledEmbedder
from bot.retrieval.index import ChromaRetriever
from bot.retrieval.sources import Example, passage_id

SIZES = (60, 10_000, 100_000)
GOAL = 10.0
"""Milliseconds, without embedding the query."""
DRAFT = "They told me to sign and I stood there with the pen, the lift was broken again, day "


class MadeUp:
    """A source of `size` passages spread evenly over languages and moves."""

    def __init__(self, size: int) -> None:
        self._all = [
            Example(
                passage_id(f"story-{i:06}", move), f"story-{i:06}", "T", move, language, ("x",),
                f"{i}",
            )
            for i, (move, language) in enumerate(
                (m, lang) for _ in range(size // 32 + 1) for m in Element for lang in ("en", "es")
            )
        ][:size]  # fmt: skip
        self._by_id = {e.id: e for e in self._all}

    def fingerprint(self) -> str:
        return str(len(self._all))

    def examples(self, move: Element | None = None, language: str | None = None) -> list[Example]:
        return [e for e in self._all if move in (None, e.move) and language in (None, e.language)]

    def find(self, passage_id: str) -> Example | None:
        return self._by_id.get(passage_id)


class MadeUpVectors:
    """Gathers texts around two hundred topics, as passages do; drafts are really embedded."""

    dimension = 384

    def __init__(self) -> None:
        self._model = BundledEmbedder()
        self._topics = np.random.default_rng(1).standard_normal((200, 384))
        self.seconds: list[float] = []

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if texts[0].startswith(DRAFT):
            began = time.perf_counter()
            vectors = self._model.embed(texts)
            self.seconds.append(time.perf_counter() - began)
            return vectors
        return [self._made_up(text) for text in texts]  # type: ignore[misc]

    def _made_up(self, text: str) -> Sequence[float]:
        number = int(text.rpartition(" ")[2])
        noise = np.random.default_rng(number).standard_normal(384)
        vector = self._topics[number % 200] + noise
        return (vector / np.linalg.norm(vector)).astype(np.float32)  # type: ignore[return-value]


async def measure(size: int) -> tuple[float, float, float, float, float]:
    """Milliseconds a search (median, slowest of twenty) and its query; seconds to build, open."""
    with tempfile.TemporaryDirectory() as folder:
        home, bare = Path(folder) / "index", Path(folder) / "corpus"
        bare.mkdir()
        vectors = MadeUpVectors()
        source = MadeUp(size)
        retriever = ChromaRetriever(home, bare, vectors, [source])
        began = time.perf_counter()
        await retriever.ensure()
        built = time.perf_counter() - began
        retriever.close()
        retriever = ChromaRetriever(home, bare, vectors, [source])
        began = time.perf_counter()
        await retriever.warm()
        opened = time.perf_counter() - began
        pairs = [(m, lang) for m in Element for lang in ("en", "es")]
        for move, language in pairs:
            await retriever.search(move, language, near=f"{DRAFT} 0")
        vectors.seconds.clear()
        took = []
        for number, (move, language) in enumerate(pairs * 3):
            began = time.perf_counter()
            found = await retriever.search(move, language, near=f"{DRAFT} {number + 1}")
            took.append(time.perf_counter() - began)
            if len(found) != min(3, sum(1 for _ in source.examples(move, language))):
                raise RuntimeError(f"only {len(found)} passages of {move} in {language}")
        retriever.close()
    alone = sorted((all_ - query) * 1000 for all_, query in zip(took, vectors.seconds, strict=True))
    return (
        statistics.median(alone),
        alone[-len(alone) // 20],
        statistics.median(vectors.seconds) * 1000,
        built,
        opened,
    )


def main() -> None:
    """Measure and print."""
    table = Table(box=None)
    headings = (
        "passages",
        f"search, ms (goal {GOAL:.0f})",
        "slowest in 20, ms",
        "with the query embedded, ms",
        "build, s",
        "open, s",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for size in SIZES:
        search, slow, query, built, opened = asyncio.run(measure(size))
        table.add_row(f"{size:,}", f"{search:.1f}", f"{slow:.1f}", f"{search + query:.1f}",
                      f"{built:.1f}", f"{opened:.1f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()

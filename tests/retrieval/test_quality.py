"""On drafts stuck on a move, what is shown makes that move: the shipped corpus, every query.

`python -m tests.retrieval.test_quality` asks the same of the bundled model and prints how often
a narrative on a kindred topic is among the first three.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from bot.core.narrative import Element
from bot.retrieval import ChromaRetriever
from bot.retrieval.corpus import load
from bot.usecases.ports import Embedder, Retriever
from tests.chroma import needed
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.served import on_server

HERE = Path(__file__).parent
NARRATIVES = HERE.parents[1] / "corpus" / "narratives"
QUERIES: list[Mapping[str, str]] = yaml.safe_load(
    (HERE / "queries.yaml").read_text(encoding="utf-8")
)


async def shares(retriever: Retriever) -> tuple[float, float]:
    """How often the first three hold a passage marked for the move, and one on the topic."""
    marked = {e.id: e for n in load(NARRATIVES) for e in n.examples()}
    moves, topics = [], []
    for query in QUERIES:
        found = await retriever.search(Element(query["move"]), query["lang"], query["text"])
        moves.append(any(marked[p.id].move.value == query["move"] for p in found))
        if "about" in query:
            topics.append(query["about"] in {p.narrative for p in found})
            if not topics[-1] and __name__ == "__main__":
                print(query["about"], [p.narrative for p in found])
    return sum(moves) / len(moves), sum(topics) / len(topics)


def test_there_are_at_least_forty_queries_in_both_languages_for_every_move() -> None:
    assert len(QUERIES) >= 40
    for language in ("en", "es"):
        moves = {q["move"] for q in QUERIES if q["lang"] == language}
        assert moves == {e.value for e in Element}


def test_every_topic_named_is_a_narrative_that_makes_the_move() -> None:
    moves = {n.id: {m.value for m in n.moves} for n in load(NARRATIVES)}
    for query in QUERIES:
        if "about" in query:
            assert query["move"] in moves[query["about"]], query["about"]


async def embedded(directory: Path, embedder: Embedder) -> tuple[float, float]:
    retriever = ChromaRetriever(directory, NARRATIVES, embedder)
    found = await shares(retriever)
    retriever.close()
    return found


async def test_a_passage_making_the_move_is_among_the_first_three_at_least_95_in_100(
    tmp_path: Path,
) -> None:
    share, _ = await embedded(tmp_path, WordEmbedder())
    assert share >= 0.95


async def test_a_server_finds_as_well_as_the_embedded_index(tmp_path: Path) -> None:
    needed()
    async with on_server(NARRATIVES, WordEmbedder(), tmp_path) as served:
        assert await shares(served) == await embedded(tmp_path / "index", WordEmbedder())


def main() -> None:
    """Ask the bundled model."""
    from bot.reading.embedding import BundledEmbedder

    with tempfile.TemporaryDirectory() as folder:
        moves, topics = asyncio.run(embedded(Path(folder), BundledEmbedder()))
    print(f"{len(QUERIES)} queries: move {moves:.0%}, kindred topic {topics:.0%}", file=sys.stdout)


if __name__ == "__main__":
    main()

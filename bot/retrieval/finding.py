"""What finding an example means, wherever the index is kept: names, languages, what is embedded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from bot.core.narrative import Element
from bot.retrieval.corpus import BadNarrative
from bot.retrieval.sources import Example
from bot.usecases.ports import Embedder, Passage, RetrievalUnavailable

if TYPE_CHECKING:
    from chromadb.api.collection_configuration import CreateHNSWConfiguration

SPOKEN_AS: Mapping[str, str] = {"pt": "es", "gl": "es", "ca": "es", "it": "es"}
"""Where a language has no corpus, the nearest one that has; English for any other."""


def spoken_in(language: str, known: Callable[[], Collection[str]]) -> str:
    """The language to search for who speaks `language`; `known` are those with passages."""
    base = language.lower().replace("_", "-").partition("-")[0]
    if base in ("en", "es") or base in known():
        return base
    return SPOKEN_AS.get(base, "en")


def kind_of(embedder: Embedder) -> str:
    """What an embedder is called in an index: vectors of another kind cannot be compared."""
    kind = type(embedder)
    return f"{kind.__module__}.{kind.__qualname__}/{embedder.dimension}"


def similarity(distance: float) -> float:
    """Cosine similarity, -1 to 1, from Chroma's cosine distance."""
    return round(min(1.0, max(-1.0, 1.0 - distance)), 6)


@contextmanager
def plain_refusals() -> Iterator[None]:
    """A bad narrative is told as RetrievalUnavailable, in one sentence."""
    try:
        yield
    except BadNarrative as error:
        raise RetrievalUnavailable(f"An example narrative needs mending: {error}.") from error


def graph(size: int) -> CreateHNSWConfiguration:
    """How Chroma keeps a collection of `size` passages.

    Its vector files are written once, when the last passage arrives: below the threshold Chroma
    would write files of unused memory, and so perhaps drafts, each time it is asked something.
    One thread, so that the same passages always make the same graph.
    """
    return {
        "space": "cosine",
        "ef_search": 200,
        "num_threads": 1,
        "sync_threshold": size,
        "batch_size": min(size, 100),
    }


def collection_name(language: str, move: Element) -> str:
    """Where the passages of one language and move lie."""
    return f"{language}.{move.value}"


def embedded(example: Example) -> str:
    """What stands for a passage's meaning: what it is about, then its words."""
    return f"{', '.join(example.themes)}. {example.text}"


def digest_of(example: Example) -> str:
    """A short name for what is embedded, by which an unchanged passage keeps its vector."""
    return blake2b(embedded(example).encode(), digest_size=12).hexdigest()


def passage_of(example: Example, score: float) -> Passage:
    """The passage as it is shown."""
    return Passage(
        id=example.id,
        narrative=example.narrative,
        title=example.title,
        move=example.move,
        language=example.language,
        text=example.text,
        why=f"example.why.{example.move.value}",
        score=score,
        illustration=example.illustration,
    )

"""The bundled embedder takes any string and computes each text once."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import pytest

from bot.reading.embedding import LONGEST, BundledEmbedder, embeddable


@pytest.fixture(scope="module")
def embedder() -> BundledEmbedder:
    return BundledEmbedder()


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\ud800", "🙂" * 50, "ﷺ" * 400, "\u202e\u200b"])
def test_any_string_becomes_a_unit_vector(embedder: BundledEmbedder, text: str) -> None:
    (vector,) = embedder.embed([text])
    assert len(vector) == embedder.dimension
    assert math.isclose(sum(x * x for x in vector), 1.0, abs_tol=1e-4)


def test_text_the_engine_may_outgrow_is_unfolded_and_cut_first() -> None:
    assert len(embeddable("ﷺ" * 1_000_000)) == LONGEST
    assert "ﷺ" not in embeddable("ﷺ")


def test_a_text_is_computed_once(embedder: BundledEmbedder) -> None:
    first = embedder.embed(["the boiler died", "she knocked"])
    before = embedder.computed
    again = embedder.embed(["she knocked", "the boiler died"])
    assert embedder.computed == before
    assert list(again) == list(reversed(first))


def test_the_oldest_text_is_forgotten_first() -> None:
    embedder = BundledEmbedder(remembered=2)
    embedder.embed(["one", "two", "one", "three"])
    assert embedder.computed == 3
    embedder.embed(["one", "three"])
    assert embedder.computed == 3
    embedder.embed(["two"])
    assert embedder.computed == 4


def test_meaning_is_near_across_languages(embedder: BundledEmbedder) -> None:
    en, es, other = embedder.embed(
        ["The water was cut off.", "Nos cortaron el agua.", "I like chess."]
    )

    def near(a: Sequence[float], b: Sequence[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert near(en, es) > near(en, other)


def test_many_threads_get_the_same_vectors(embedder: BundledEmbedder) -> None:
    expected = embedder.embed(["a shared stair"])[0]
    found: list[Sequence[float]] = []
    threads = [
        threading.Thread(target=lambda: found.append(embedder.embed(["a shared stair"])[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(vector == expected for vector in found)
    assert len(found) == 8

"""What every Retriever promises: embedded, on a Chroma server, and on the fake alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.core.narrative import Element
from bot.retrieval import ChromaRetriever
from bot.retrieval.corpus import load
from bot.usecases.ports import Passage, Retriever
from tests.chroma import needed
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.fake_retriever import ListRetriever
from tests.retrieval.served import on_server
from tests.retrieval.small import write_corpus

CHOICE = Element.SELF_CHOICE


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def embedded(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaRetriever]:
    real = ChromaRetriever(tmp_path_factory.mktemp("index"), corpus, WordEmbedder())
    yield real
    real.close()


@pytest.fixture(params=["embedded", "server", "list"])
async def retriever(
    request: pytest.FixtureRequest, corpus: Path, embedded: ChromaRetriever, tmp_path: Path
) -> AsyncIterator[Retriever]:
    if request.param == "embedded":
        yield embedded
        return
    if request.param == "server":
        needed()
        async with on_server(corpus, WordEmbedder(), tmp_path) as served:
            yield served
        return
    yield ListRetriever(
        [
            Passage(e.id, e.narrative, e.title, e.move, e.language, e.text,
                    f"example.why.{e.move.value}", 0.0)
            for narrative in load(corpus)
            for e in narrative.examples()
        ],
        WordEmbedder(),
    )  # fmt: skip


async def test_every_passage_makes_the_move_asked_for_in_the_language_asked_for(
    retriever: Retriever,
) -> None:
    for move in (CHOICE, Element.US_WHO, Element.NOW_ASK, Element.LINK_THREAD):
        for language in ("en", "es"):
            found = await retriever.search(move, language, near="the gate was locked")
            assert found
            assert {(p.move, p.language) for p in found} == {(move, language)}


async def test_the_nearest_in_meaning_comes_first(retriever: Retriever) -> None:
    found = await retriever.search(CHOICE, "en", near="I gave the foreman back his keys")
    assert "foreman" in found[0].text
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert all(-1 <= p.score <= 1 for p in found)


async def test_what_was_shown_is_never_shown_again(retriever: Retriever) -> None:
    shown: set[str] = set()
    while found := await retriever.search(CHOICE, "en", near="keys", exclude=shown, limit=1):
        assert found[0].id not in shown
        shown.add(found[0].id)
    assert len(shown) == 3


async def test_excluding_everything_gives_nothing(retriever: Retriever) -> None:
    every = {p.id for p in await retriever.search(CHOICE, "en", limit=100)}
    assert await retriever.search(CHOICE, "en", near="keys", exclude=every) == []
    assert await retriever.search(CHOICE, "en", exclude=every) == []


async def test_at_most_limit_passages_come(retriever: Retriever) -> None:
    for limit in (0, 1, 2, 100):
        for near in ("", "keys"):
            found = await retriever.search(CHOICE, "en", near=near, limit=limit)
            assert len(found) == min(limit, 3)


async def test_the_same_search_gives_the_same_answer(retriever: Retriever) -> None:
    for near in ("", "   ", "keys", "\u200b\0 {} <b>"):
        first = await retriever.search(CHOICE, "es", near=near)
        assert first == await retriever.search(CHOICE, "es", near=near)
        assert first


async def test_without_words_the_order_is_by_id(retriever: Retriever) -> None:
    found = await retriever.search(CHOICE, "en", limit=100)
    assert [p.id for p in found] == sorted(p.id for p in found)


async def test_a_move_without_passages_in_the_language_gives_nothing(
    retriever: Retriever,
) -> None:
    assert await retriever.search(Element.NOW_DREAM, "es", near="llaves") == []
    assert await retriever.search(Element.NOW_DREAM, "en", near="keys") != []


async def test_a_language_without_corpus_is_answered_in_the_nearest_one(
    retriever: Retriever,
) -> None:
    portuguese = await retriever.search(CHOICE, "pt-BR", near="a chave")
    assert portuguese and {p.language for p in portuguese} == {"es"}
    polish = await retriever.search(CHOICE, "pl", near="klucz")
    assert polish and {p.language for p in polish} == {"en"}


async def test_why_is_a_message_key_of_the_move(retriever: Retriever) -> None:
    for move in (CHOICE, Element.LINK_THREAD):
        found = await retriever.search(move, "en")
        assert {p.why for p in found} == {f"example.why.{move.value}"}

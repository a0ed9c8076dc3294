"""One index for many processes: built by one at a time, swapped whole, never a stuck turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.core.consent import Purpose
from bot.core.narrative import Element
from bot.core.story import Folder
from bot.retrieval.chroma_http import ASKING, ChromaServer, Server
from bot.retrieval.server import AT_WORK, ServerRetriever
from bot.store.database import SqlStore, open_store
from bot.usecases.index_ports import Generation
from bot.usecases.ports import RetrievalUnavailable
from bot.usecases.staff import Staff
from tests import chroma
from tests.fakes import catalogue
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.served import retriever
from tests.retrieval.small import SMALL, write_corpus, write_narrative
from tests.telegram.stage import database
from tests.usecases.library_world import APPROVER, World, world

CHOICE = Element.SELF_CHOICE
PASSAGES = sum(len(moves) for moves in SMALL.values())
TOLD = "I carried the ochre piano up the stairs although my back had said no."


@pytest.fixture(autouse=True)
def needed() -> None:
    chroma.needed()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return write_corpus(folder)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "home") as made:
        yield made


Opener = Callable[..., ServerRetriever]


@pytest.fixture
async def process(house: World, corpus: Path) -> AsyncIterator[Opener]:
    """Makes the retriever of one more process on the same database and the same server."""
    name = chroma.server().database()
    made: list[ServerRetriever] = []

    def make(
        embedder: WordEmbedder | None = None, corpus: Path = corpus, url: str | None = None
    ) -> ServerRetriever:
        one = retriever(
            house.store, corpus, embedder or WordEmbedder(), name, url=url, clock=house.clock
        )
        made.append(one)
        return one

    make.database = name  # type: ignore[attr-defined]
    yield make
    for one in made:
        await one.aclose()


async def told(house: World, words: str = TOLD) -> Folder:
    """Somebody whose passage is approved for coaching examples."""
    folder = await house.teller(Purpose.COACHING_EXAMPLES, words=f"{words} That is all.", days=3650)
    story = folder.stories[0].id
    await house.reviewing.claim(APPROVER, story)
    seen = (await house.reviewing.sheet(APPROVER, story)).text_sha256
    await house.reviewing.approve(APPROVER, story, seen, [], {CHOICE: words})
    return folder


async def withdraw(house: World, folder: Folder) -> None:
    staff = Staff(house.store, catalogue(), house.clock, house.new_id)
    assert await staff.withdraw(folder.stories[0].id) is not None


async def on_server(process: Opener) -> set[str]:
    """Every collection of that Chroma database but the one that says since when it is ours."""
    name: str = process.database  # type: ignore[attr-defined]
    asking = ChromaServer(Server(chroma.server().url, database=name))
    found = {n for n in await asking.collections("") if not n.endswith("-begun")}
    await asking.close()
    return found


async def generations(house: World) -> Sequence[Generation]:
    async with house.store.work() as work:
        return await work.indexes.current()


# -- many processes -----------------------------------------------------------------------------


async def test_what_one_process_built_the_others_find_without_building(process: Opener) -> None:
    assert await process().ensure() == PASSAGES
    embedder = WordEmbedder()
    other = process(embedder)
    assert await other.is_ready() and await other.ensure() == 0
    found = await other.search(CHOICE, "en", near="I gave the foreman back his keys")
    assert "foreman" in found[0].text
    assert embedder.embedded == ["I gave the foreman back his keys"]


async def test_processes_that_build_at_once_build_once(process: Opener) -> None:
    embedders = [WordEmbedder() for _ in range(3)]
    built = await asyncio.gather(*(process(e).ensure() for e in embedders))
    assert sorted(built) == [0, 0, PASSAGES]
    assert sum(len(e.embedded) for e in embedders) == PASSAGES


async def test_processes_that_renew_at_once_leave_one_whole_index(
    process: Opener, house: World
) -> None:
    one, other = process(), process()
    await one.ensure()
    folder = await told(house)
    await asyncio.gather(one.renew(), other.renew(), one.rebuild(), other.renew())
    for each in (one, other):
        found = await each.search(CHOICE, "en", near=TOLD)
        assert found[0].text == TOLD
        assert len(await each.search(CHOICE, "en", near=TOLD, limit=10)) == 4
    named = {g.name for g in await generations(house)}
    assert len(named) == 2
    assert {name.partition(".")[0].rpartition("-")[2] for name in await on_server(process)} == named
    await withdraw(house, folder)


async def test_searches_go_on_while_others_rebuild(process: Opener) -> None:
    reader, writer = process(), process()
    expected = await reader.search(CHOICE, "en", near="keys")
    rebuilding = asyncio.create_task(writer.rebuild())
    while not rebuilding.done():
        assert await reader.search(CHOICE, "en", near="keys") == expected
    assert await rebuilding == PASSAGES
    assert await reader.search(CHOICE, "en", near="keys") == expected


async def test_an_older_corpus_does_not_undo_a_newer_ones_index(
    process: Opener, house: World, corpus: Path, tmp_path: Path
) -> None:
    """A rolling deploy: the old process works on beside the new one."""
    old = process()
    await old.ensure()
    house.clock.at += timedelta(minutes=1)
    newer_corpus = tmp_path / "newer"
    newer_corpus.mkdir()
    write_corpus(newer_corpus)
    telescope = "I kept the telescope although they asked for it."
    write_narrative(newer_corpus, "en-self-letter", {"self.choice": telescope})
    new = process(corpus=newer_corpus)
    await new.ensure()
    built = await generations(house)
    assert await old.ensure() == 0 and await old.is_ready()
    await old.keep()
    assert await generations(house) == built
    # Each shows only what its own files say.
    assert telescope in [p.text for p in await new.search(CHOICE, "en", near=telescope)]
    assert telescope not in [p.text for p in await old.search(CHOICE, "en", near=telescope)]
    # The old one may still erase.
    folder = await told(house)
    await new.renew()
    await withdraw(house, folder)
    assert await old.renew() == 1
    assert [g for g in await generations(house) if g.shelf == "corpus"] == [
        g for g in built if g.shelf == "corpus"
    ]
    # Rolled back for good, the older corpus counts again.
    house.clock.at += AT_WORK + timedelta(minutes=1)
    assert await old.ensure() == PASSAGES


async def test_what_a_killed_builder_left_is_deleted_by_the_next(
    process: Opener, house: World
) -> None:
    class Killed(BaseException):
        pass

    class Dying(WordEmbedder):
        def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
            if len(self.embedded) > 4:
                raise Killed
            return super().embed(texts)

    first = process(Dying())
    with pytest.raises(Killed):
        # As with SIGKILL the lease is not given back.
        await first._known_prefix()
        await first._claimed()
        await first._build("corpus")
    assert await on_server(process)
    second = process()
    assert not await second._claimed()
    house.clock.at += timedelta(minutes=2)
    assert await second.ensure() == PASSAGES
    named = {g.name for g in await generations(house)}
    assert {n.partition(".")[0].rpartition("-")[2] for n in await on_server(process)} <= named


async def test_two_installations_on_one_server_leave_each_other_alone(
    process: Opener, corpus: Path, tmp_path: Path
) -> None:
    ours = process()
    await ours.ensure()
    there = tmp_path / "there"
    other_store = await open_store(database(there))
    assert isinstance(other_store, SqlStore)
    theirs = retriever(other_store, corpus, WordEmbedder(), process.database)  # type: ignore[attr-defined]
    await theirs.rebuild()
    await ours.rebuild()
    for each in (ours, theirs):
        assert await each.is_ready()
        assert len(await each.search(CHOICE, "en", near="keys")) == 3
    await theirs.aclose()
    await other_store.close()


async def test_another_embedder_makes_another_index_and_the_older_program_shows_nothing(
    process: Opener, house: World
) -> None:
    narrow = process()
    await narrow.ensure()
    house.clock.at += timedelta(minutes=1)
    wide = process(WordEmbedder(dimension=96))
    assert await wide.ensure() == PASSAGES
    assert len(await wide.search(CHOICE, "en", near="keys")) == 3
    with pytest.raises(RetrievalUnavailable, match="other embeddings"):
        await narrow.search(CHOICE, "en", near="keys")
    with pytest.raises(RetrievalUnavailable, match="another version"):
        await narrow.renew()


# -- taken back ---------------------------------------------------------------------------------


async def test_a_withdrawn_passage_is_found_no_more_before_anything_is_rebuilt(
    process: Opener, house: World
) -> None:
    one, other = process(), process()
    folder = await told(house)
    await one.ensure()
    assert (await other.search(CHOICE, "en", near=TOLD))[0].text == TOLD
    await withdraw(house, folder)
    for each in (one, other):
        for near in (TOLD, ""):
            assert TOLD not in [p.text for p in await each.search(CHOICE, "en", near=near, limit=9)]


async def test_after_renewing_nothing_of_a_withdrawn_story_is_in_the_index(
    process: Opener, house: World
) -> None:
    one = process()
    folder = await told(house)
    await one.ensure()
    before = await on_server(process)
    await withdraw(house, folder)
    assert await one.renew() == 1
    assert [dict(g.counts) for g in await generations(house) if g.shelf == "library"] == [{}]
    left = await on_server(process)
    assert left < before and len(before - left) == 1


async def test_the_server_is_given_no_word_of_any_passage(process: Opener, house: World) -> None:
    await told(house)
    one = process()
    await one.ensure()
    await one.search(CHOICE, "en", near="the words of somebody's draft")
    held = chroma.server().bytes()
    assert f"library-{(await shared(house))[0]}".encode() in held, "the test must be able to see"
    for words in (TOLD, "somebody's draft", *(s for m in SMALL.values() for s in m.values())):
        assert words[5:25].encode() not in held


async def shared(house: World) -> list[str]:
    async with house.store.work() as work:
        return [s.story_id for s in await work.library.shared(house.clock.now())]


# -- down, slow, begun anew ---------------------------------------------------------------------


async def test_a_server_that_is_down_is_no_example_and_is_back_unaided(
    house: World, corpus: Path
) -> None:
    own = chroma.Server()
    own.start()
    one = retriever(house.store, corpus, WordEmbedder(), "default_database", url=own.url)
    await one.ensure()
    expected = await one.search(CHOICE, "en", near="keys")
    own.stop()
    with pytest.raises(RetrievalUnavailable, match="does not answer"):
        await one.search(CHOICE, "en", near="keys")
    begun = time.monotonic()
    with pytest.raises(RetrievalUnavailable, match="does not answer"):
        await one.search(CHOICE, "en", near="keys")
    assert time.monotonic() - begun < 0.5, "nobody waits for what has just not come"
    assert len(await one.search(CHOICE, "en")) == 3, "without words none is needed"
    await asyncio.to_thread(own.start)
    assert await soon(one) == expected
    # Begun anew in an empty folder, as the documentation has it done: built again by who asks.
    await asyncio.to_thread(own.wipe)
    await asyncio.to_thread(own.start)
    assert await soon(one) == expected
    vector = np.asarray(WordEmbedder().embed([f"gate, work. {expected[0].text}"])[0], "<f4")
    assert vector.tobytes()[:64] in own.bytes()
    await one.aclose()
    own.close()


async def soon(one: ServerRetriever) -> object:
    async with asyncio.timeout(20):
        while True:
            try:
                return await one.search(CHOICE, "en", near="keys")
            except RetrievalUnavailable:
                await asyncio.sleep(0.1)


async def test_a_server_that_never_answers_costs_a_moment_and_blocks_nothing(
    process: Opener, house: World
) -> None:
    await process().ensure()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    one = process(url=f"http://127.0.0.1:{port}")
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - begun)

    beating = asyncio.create_task(beat())
    begun = time.monotonic()
    with pytest.raises(RetrievalUnavailable, match="does not answer"):
        await one.search(CHOICE, "en", near="keys")
    assert time.monotonic() - begun < ASKING + 2
    assert longest < 1.0
    beating.cancel()
    listening.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "check CHROMA_TOKEN"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "the database default_database"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", "answers 500"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", "no Chroma server"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "no Chroma server"),
    ],
)
async def test_what_is_wrong_with_a_server_is_said_plainly(answer: bytes, said: str) -> None:
    heard = b""

    async def replies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(replies, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    asking = ChromaServer(Server(f"http://127.0.0.1:{port}", token="abra-cadabra"))
    with pytest.raises(RetrievalUnavailable, match=said) as refused:
        await asking.collections("coach-")
    assert b"Bearer abra-cadabra" in heard and b"x-chroma-token: abra-cadabra" in heard.lower()
    assert "abra" not in str(refused.value)
    await asking.close()
    listening.close()

"""The index on disk: derived, sealed, swapped whole, and free of words."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from bot.core.narrative import Element
from bot.retrieval import ChromaRetriever
from bot.retrieval.folder import IndexFolder
from bot.retrieval.sources import Example, passage_id
from bot.usecases.ports import RetrievalUnavailable
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.small import SMALL, write_corpus, write_narrative

CHOICE = Element.SELF_CHOICE
PASSAGES = sum(len(moves) for moves in SMALL.values())


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return write_corpus(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the small corpus, to be copied."""
    folder = tmp_path_factory.mktemp("built")
    retriever = ChromaRetriever(
        folder / "examples", write_corpus(tmp_path_factory.mktemp("corpus")), WordEmbedder()
    )
    asyncio.run(retriever.ensure())
    return folder / "examples"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "home" / "examples"


@pytest.fixture
def open_index(directory: Path, corpus: Path) -> Iterator[Callable[..., ChromaRetriever]]:
    opened: list[ChromaRetriever] = []

    def make(**changed: object) -> ChromaRetriever:
        parts = {"directory": directory, "corpus": corpus, "embedder": WordEmbedder()} | changed
        opened.append(ChromaRetriever(**parts))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for retriever in opened:
        retriever.close()


Opener = Callable[..., ChromaRetriever]


def snapshots(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.glob("index-*"))


def files(directory: Path, name: str) -> list[Path]:
    return sorted(directory.rglob(name))


def everything_on_disk(directory: Path) -> bytes:
    return b"\0".join(p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file())


def is_on_disk(vector: np.ndarray[tuple[int], np.dtype[np.float32]], directory: Path) -> bool:
    """Whether any four bytes on, some file holds nearly this vector: Chroma scales to length 1."""
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        body = path.read_bytes()
        for start in range(4):
            usable = body[start : start + (len(body) - start) // 4 * 4]
            numbers = np.frombuffer(usable, np.float32)
            if len(numbers) < len(vector):
                continue
            windows = np.lib.stride_tricks.sliding_window_view(numbers, len(vector))
            first = np.flatnonzero(np.abs(numbers[: len(windows)] - vector[0]) < 1e-6)
            if any(np.allclose(windows[i], vector, atol=1e-6) for i in first):
                return True
    return False


class Library:
    """A source whose passages come and go, like approved stories in SQL."""

    def __init__(self, sentences: dict[str, str]) -> None:
        self.sentences = sentences
        self.said: str | None = None

    def fingerprint(self) -> str:
        return self.said or repr(sorted(self.sentences))

    def examples(self, move: Element | None = None, language: str | None = None) -> list[Example]:
        if move not in (None, CHOICE) or language not in (None, "en"):
            return []
        return [
            Example(passage_id(story, CHOICE), story, "T", CHOICE, "en", ("gate",), text, False)
            for story, text in sorted(self.sentences.items())
        ]

    def find(self, passage_id: str) -> Example | None:
        return next((e for e in self.examples() if e.id == passage_id), None)


# -- building ---------------------------------------------------------------------------------


async def test_the_first_search_builds_the_index(open_index: Opener, directory: Path) -> None:
    found = await open_index().search(CHOICE, "en", near="keys")
    assert len(found) == 3
    assert len(snapshots(directory)) == 1


async def test_an_unchanged_corpus_is_not_built_again(open_index: Opener, directory: Path) -> None:
    assert await open_index().ensure() == PASSAGES
    before = snapshots(directory)
    embedder = WordEmbedder()
    again = open_index(embedder=embedder)
    assert await again.ensure() == 0
    assert snapshots(directory) == before
    assert embedder.embedded == []


def test_start_up_with_an_unchanged_corpus_does_not_import_chromadb(
    open_index: Opener, directory: Path, corpus: Path
) -> None:
    asyncio.run(open_index().ensure())
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from bot.retrieval import ChromaRetriever\n"
        "from tests.retrieval.fake_embedder import WordEmbedder\n"
        f"r = ChromaRetriever(Path({str(directory)!r}), Path({str(corpus)!r}), WordEmbedder())\n"
        "assert asyncio.run(r.ensure()) == 0\n"
        "assert 'chromadb' not in sys.modules, 'imported'\n"
        "asyncio.run(r.warm())\n"
        "assert 'chromadb' in sys.modules\n"
        "assert 'onnxruntime' not in sys.modules, 'a second model was loaded'\n"
        "r.close()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_a_changed_narrative_is_found_by_its_new_words_at_the_next_start(
    open_index: Opener, corpus: Path
) -> None:
    await open_index().ensure()
    write_narrative(
        corpus,
        "en-self-letter",
        {"self.choice": "I kept the telescope although they asked for it."},
    )
    again = open_index()
    found = await again.search(CHOICE, "en", near="the telescope they asked for", limit=1)
    assert "telescope" in found[0].text
    assert all("apology" not in p.text for p in await again.search(CHOICE, "en"))


async def test_only_changed_passages_are_embedded_again(open_index: Opener, corpus: Path) -> None:
    await open_index().ensure()
    write_narrative(
        corpus,
        "en-self-letter",
        {"self.choice": "I kept the telescope although they asked for it."},
    )
    embedder = WordEmbedder()
    assert await open_index(embedder=embedder).ensure() == PASSAGES
    assert len(embedder.embedded) == 1


async def test_another_embedder_makes_another_index(open_index: Opener, directory: Path) -> None:
    await open_index().ensure()
    before = snapshots(directory)
    wider = open_index(embedder=WordEmbedder(dimension=96))
    assert len(await wider.search(CHOICE, "en", near="keys")) == 3
    assert snapshots(directory) != before


async def test_rebuild_counts_passages_and_leaves_one_snapshot(
    open_index: Opener, directory: Path
) -> None:
    retriever = open_index()
    first = await retriever.search(CHOICE, "en", near="keys")
    (directory / "index-leftover").mkdir()
    assert await retriever.rebuild() == PASSAGES
    assert len(snapshots(directory)) == 1
    assert await retriever.search(CHOICE, "en", near="keys") == first


async def test_the_index_holds_no_words_of_any_passage(open_index: Opener, directory: Path) -> None:
    await open_index().rebuild()
    disk = everything_on_disk(directory)
    for moves in SMALL.values():
        for sentence in moves.values():
            assert sentence[5:25].encode() not in disk


async def test_room_chroma_reserved_holds_no_left_over_memory(
    open_index: Opener, directory: Path
) -> None:
    retriever = open_index()
    await retriever.rebuild()
    for near in ("keys", "llaves"):
        for language in ("en", "es"):
            for move in Element:
                await retriever.search(move, language, near=near)
    retriever.close()
    vectors = files(directory, "data_level0.bin")
    filled = 0
    for file in vectors:
        body = file.read_bytes()
        one = len(body) // 100
        assert len(body) == 100 * one, "room for a hundred"
        filled += sum(any(body[k * one : (k + 1) * one]) for k in range(100))
    assert filled == PASSAGES
    assert len(files(directory, "index_metadata.pickle")) == len(vectors)


async def test_a_bad_narrative_is_named_and_the_old_index_stays(
    open_index: Opener, corpus: Path, directory: Path
) -> None:
    retriever = open_index()
    await retriever.ensure()
    before = snapshots(directory)
    (corpus / "en-self-bad.md").write_text("no front matter")
    with pytest.raises(RetrievalUnavailable, match=r"en-self-bad\.md: must open with"):
        await retriever.rebuild()
    assert snapshots(directory) == before


async def test_a_build_that_fails_leaves_nothing_behind(
    open_index: Opener, directory: Path
) -> None:
    class Failing(WordEmbedder):
        def embed(self, texts: object) -> list[list[float]]:
            raise MemoryError

    with pytest.raises(RetrievalUnavailable, match="MemoryError"):
        await open_index(embedder=Failing()).rebuild()
    assert snapshots(directory) == []


# -- damage -----------------------------------------------------------------------------------


def word_salad(number: int) -> str:
    digest = sha256(str(number).encode()).hexdigest()
    return " ".join(digest[k : k + 4] for k in range(0, 40, 4))


def garble(path: Path) -> None:
    path.write_bytes(os.urandom(max(64, path.stat().st_size)))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [garble, truncate, Path.unlink])
@pytest.mark.parametrize("name", ["current", "manifest.json", "chroma.sqlite3"])
async def test_a_damaged_index_is_built_again(
    open_index: Opener, built: Path, directory: Path, name: str, harm: Callable[[Path], None]
) -> None:
    shutil.copytree(built, directory)
    (path,) = files(directory, name)
    harm(path)
    found = await open_index().search(CHOICE, "en", near="gave the foreman his keys")
    assert "foreman" in found[0].text
    assert len(snapshots(directory)) == 1


async def test_one_changed_vector_is_noticed(open_index: Opener, directory: Path) -> None:
    retriever = open_index()
    expected = await retriever.search(CHOICE, "en", near="keys")
    retriever.close()
    vector = np.asarray(WordEmbedder().embed(["gate, work. " + expected[0].text])[0], np.float32)
    (path,) = files(directory, "chroma.sqlite3")
    body = path.read_bytes()
    assert vector.tobytes()[:40] in body
    path.write_bytes(body.replace(vector.tobytes()[:40], b"\x01" * 40))
    assert await open_index().ensure() == PASSAGES


async def test_damaged_vector_files_are_noticed_before_they_can_crash_the_process(
    open_index: Opener, directory: Path
) -> None:
    words = [word_salad(i) for i in range(1100)]
    many = {f"story-{i:04}": text for i, text in enumerate(words)}
    parts = {"embedder": WordEmbedder(dimension=256), "others": [Library(many)]}
    retriever = open_index(**parts)
    assert (await retriever.search(CHOICE, "en", near=words[77]))[0].narrative == "story-0077"
    retriever.close()
    for file in files(directory, "*.bin") + files(directory, "*.pickle"):
        garble(file)
    again = await open_index(**parts).search(CHOICE, "en", near=words[77])
    assert again[0].narrative == "story-0077"


async def test_an_index_deleted_while_in_use_is_built_again(
    open_index: Opener, directory: Path
) -> None:
    retriever = open_index()
    expected = await retriever.search(CHOICE, "en", near="keys")
    shutil.rmtree(directory)
    assert await retriever.search(CHOICE, "en", near="keys") == expected


async def test_opening_and_closing_does_not_count_as_damage(
    open_index: Opener, directory: Path
) -> None:
    for _ in range(3):
        retriever = open_index()
        await retriever.search(CHOICE, "en", near="keys")
        retriever.close()
    assert await open_index().ensure() == 0


# -- one writer -------------------------------------------------------------------------------


async def test_a_second_writer_is_refused_in_plain_words(
    open_index: Opener, directory: Path
) -> None:
    retriever = open_index()
    await retriever.ensure()
    with (directory / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RetrievalUnavailable, match="Another process is writing"):
            await retriever.rebuild()
        assert len(await retriever.search(CHOICE, "en", near="keys")) == 3
    assert await retriever.rebuild() == PASSAGES


async def test_a_reader_follows_the_index_another_writer_has_swapped(
    open_index: Opener, directory: Path
) -> None:
    reader, writer = open_index(), open_index()
    expected = await reader.search(CHOICE, "en", near="keys")
    await writer.rebuild()
    assert await reader.search(CHOICE, "en", near="keys") == expected
    assert len(snapshots(directory)) == 1


async def test_searches_and_rebuilds_at_once_all_answer(open_index: Opener) -> None:
    retriever = open_index()
    expected = await retriever.search(CHOICE, "en", near="keys")
    searches = [retriever.search(CHOICE, "en", near="keys") for _ in range(20)]
    *found, built = await asyncio.gather(*searches, retriever.rebuild())
    assert built == PASSAGES
    assert all(one == expected for one in found)


async def test_a_place_that_cannot_be_written_is_said_plainly(
    tmp_path: Path, open_index: Opener
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    with pytest.raises(RetrievalUnavailable, match="cannot be written"):
        await open_index(directory=in_the_way / "examples").search(CHOICE, "en", near="keys")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_read_only_folder_is_said_plainly(tmp_path: Path, open_index: Opener) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(RetrievalUnavailable, match="cannot be written"):
        await open_index(directory=locked / "examples").ensure()


# -- removal ----------------------------------------------------------------------------------


async def test_a_removed_narrative_is_gone_from_answers_and_its_vectors_from_disk(
    open_index: Opener, directory: Path
) -> None:
    secret = "I unpicked the yellow banner although my hands shook all night."
    library = Library({"story-1": secret, "story-2": "I left the banner up and went to bed."})
    retriever = open_index(others=[library])
    found = await retriever.search(CHOICE, "en", near=secret, limit=1)
    assert (found[0].narrative, found[0].illustration) == ("story-1", False)
    vector = np.asarray(WordEmbedder().embed([f"gate. {secret}"])[0], np.float32)
    assert is_on_disk(vector, directory)
    kept = directory / snapshots(directory)[0]

    del library.sentences["story-1"]
    assert await retriever.remove("story-1") == 1

    assert not kept.exists()
    disk = everything_on_disk(directory)
    assert not is_on_disk(vector, directory)
    assert b"story-1" not in disk
    rest = await retriever.search(CHOICE, "en", near=secret, limit=10)
    assert {p.narrative for p in rest} == {
        "story-2",
        "en-self-gate",
        "en-self-foreman",
        "en-self-letter",
    }
    assert await open_index(others=[library]).ensure() == 0


async def test_a_removed_narrative_stays_out_though_its_source_still_gives_it(
    open_index: Opener,
) -> None:
    retriever = open_index()
    await retriever.ensure()
    assert await retriever.remove("en-self-gate") == 2
    for near in ("", "gate"):
        found = await retriever.search(CHOICE, "en", near=near, limit=10)
        assert "en-self-gate" not in {p.narrative for p in found}
    assert await open_index().ensure() == 0


async def test_removing_what_is_not_there_removes_nothing(open_index: Opener) -> None:
    retriever = open_index()
    assert await retriever.ensure() == PASSAGES
    assert await retriever.remove("nobody") == 0
    assert len(await retriever.search(CHOICE, "en", near="keys")) == 3


async def test_a_passage_its_source_no_longer_gives_is_not_shown_though_still_indexed(
    open_index: Opener,
) -> None:
    library = Library({f"story-{i}": f"I carried the piano up, number {i}." for i in range(6)})
    library.said = "unchanged"
    retriever = open_index(others=[library])
    assert len(await retriever.search(CHOICE, "en", near="I carried the piano up")) == 3
    library.sentences.clear()
    found = await retriever.search(CHOICE, "en", near="I carried the piano up")
    assert len(found) == 3
    assert {p.illustration for p in found} == {True}


# -- what is shown ----------------------------------------------------------------------------


def test_an_untouched_folder_has_no_snapshot(tmp_path: Path) -> None:
    assert IndexFolder(tmp_path / "nowhere").snapshot() is None


def test_a_pointer_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "current").write_text("index-/../../etc")
    assert IndexFolder(tmp_path).snapshot() is None


async def test_an_empty_corpus_answers_with_nothing(open_index: Opener, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    retriever = open_index(corpus=bare)
    assert await retriever.search(CHOICE, "en", near="keys") == []
    assert await retriever.search(CHOICE, "en") == []

"""What a Chroma server leaves in its folder, and that only a folder begun anew is clean."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from bot.retrieval.chroma_http import ChromaServer, Row, Server
from bot.retrieval.server_files import look
from bot.usecases.ports import RetrievalUnavailable
from tests import chroma
from tests.fakes import A_TUESDAY

STORY = "5ec2e7"
VECTORS = np.random.default_rng(7).normal(size=(12, 64)).astype("<f4")
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


@pytest.fixture
def own() -> Iterator[chroma.Server]:
    chroma.needed()
    made = chroma.Server()
    made.start()
    yield made
    made.close()


@pytest.fixture
async def asking(own: chroma.Server) -> AsyncIterator[ChromaServer]:
    made = ChromaServer(Server(own.url))
    yield made
    await made.close()


async def fill(asking: ChromaServer, name: str) -> str:
    collection = await asking.create(name, len(VECTORS))
    rows = [
        Row(f"library-{STORY}{k:02}:self.choice", list(v), f"library-{STORY}", (), f"d{k}")
        for k, v in enumerate(VECTORS)
    ]
    await asking.add(collection, rows)
    await asking.nearest(collection, list(VECTORS[0]), 3)
    return collection


def held(own: chroma.Server) -> dict[str, int]:
    """How often an id stands in the files, and how many of the vectors do."""
    files = [p.read_bytes() for p in own.folder.rglob("*") if p.is_file()]
    ids = sum(body.count(STORY.encode()) for body in files)
    vectors = sum(any(v.tobytes()[:48] in body for body in files) for v in VECTORS)
    return {"ids": ids, "vectors": vectors}


async def test_a_server_keeps_ids_and_vectors_of_deleted_collections(
    own: chroma.Server, asking: ChromaServer
) -> None:
    """If this fails one day, chromadb erases by itself, and docs/operations.md may say so."""
    await fill(asking, "coach-x-1.en.self.choice")
    full = held(own)
    # Now and then one lies across two pages of the file.
    assert full["ids"] > 0 and full["vectors"] > len(VECTORS) // 2
    await asking.drop("coach-x-1.en.self.choice")
    assert await asking.collections("coach-") == {}
    left = held(own)
    assert left["ids"] > 0 and left["vectors"] > 0
    own.stop()
    done = await asyncio.to_thread(
        lambda: subprocess.run(
            [chroma.PROGRAM, "vacuum", "--path", own.folder, "--force"], cwd=own.home, check=False,
            capture_output=True, timeout=60,
        )
    )  # fmt: skip
    assert done.returncode == 0
    after = held(own)
    assert after["ids"] > 0, "vacuum leaves the vector files of deleted collections"


async def test_begun_anew_in_an_empty_folder_it_holds_nothing(
    own: chroma.Server, asking: ChromaServer
) -> None:
    await fill(asking, "coach-x-1.en.self.choice")
    await asyncio.to_thread(own.wipe)
    await asyncio.to_thread(own.start)
    assert held(own) == {"ids": 0, "vectors": 0}


async def test_a_folder_is_clean_of_what_was_taken_back_before_it_was_begun(
    own: chroma.Server, asking: ChromaServer
) -> None:
    begun = A_TUESDAY.isoformat()
    await asking.create("coach-inst-begun", 1, {"begun_at": begun})
    found = look(own.folder, "inst", [STORY])
    assert found.begun_at == A_TUESDAY
    earlier, later = A_TUESDAY.replace(hour=0), A_TUESDAY.replace(hour=23)
    assert found.is_clean_of([STORY], earlier)
    assert not found.is_clean_of([STORY], later)
    await fill(asking, "coach-inst-1.en.self.choice")
    await asking.drop("coach-inst-1.en.self.choice")
    again = look(own.folder, "inst", [STORY, "other"])
    assert again.still == {STORY}
    assert not again.is_clean_of([STORY], earlier) and again.is_clean_of(["other"], earlier)


async def test_another_folder_proves_nothing(own: chroma.Server, tmp_path: Path) -> None:
    assert look(own.folder, "inst", []).begun_at is None
    with pytest.raises(RetrievalUnavailable, match="cannot be read as a Chroma server's folder"):
        look(tmp_path, "inst", [])

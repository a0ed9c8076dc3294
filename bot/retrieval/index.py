"""Example passages by meaning, from an embedded Chroma; implements ports.Retriever.

One collection per language and move (`en.self.choice`), so choosing both costs nothing at any
size. The index holds ids, vectors and filter fields, no text: each hit is looked up in its
source when it is shown. chromadb costs a second to import, so it is imported at the first need.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bot.core.narrative import Element
from bot.retrieval.corpus import CorpusSource
from bot.retrieval.finding import (
    collection_name,
    digest_of,
    embedded,
    graph,
    kind_of,
    passage_of,
    plain_refusals,
    similarity,
    spoken_in,
)
from bot.retrieval.folder import IndexFolder, Manifest, Snapshot
from bot.retrieval.sources import Example, PassageSource, languages
from bot.usecases.ports import Embedder, Passage, RetrievalUnavailable

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection as ChromaCollection

PATIENCE = 20.0
"""Seconds a search waits for another process that is building the index it needs."""

_BATCH = 1000


class ChromaRetriever:
    """Finds passages by the move they make, nearest in meaning first.

    Nothing is read until first use. Thread-safe; the work is done in a worker thread.
    """

    def __init__(
        self,
        directory: Path,
        corpus: Path,
        embedder: Embedder,
        others: Sequence[PassageSource] = (),
    ) -> None:
        """`directory` is the index's own; `others` are sources beside the corpus's folder."""
        self._folder = IndexFolder(directory)
        self._corpus = CorpusSource(corpus)
        self._sources: tuple[PassageSource, ...] = (self._corpus, *others)
        self._embedder = embedder
        self._building = threading.Lock()  # taken before _state, never after
        self._state = threading.RLock()
        self._served: _Served | None = None

    async def search(
        self,
        move: Element,
        language: str,
        near: str = "",
        exclude: Collection[str] = (),
        limit: int = 3,
    ) -> list[Passage]:
        """Passages making `move` in `language`, nearest to `near` first, at most `limit`.

        Without `near`, by id. A language that has no corpus is answered in the nearest that has
        (finding.spoken_in); English and Spanish never stand in for each other. `exclude` are
        passage ids already shown. Builds the index first if it is missing, stale or damaged.
        Raises RetrievalUnavailable.
        """
        return await asyncio.to_thread(
            self._search, move, language, near, frozenset(exclude), limit
        )

    async def is_ready(self) -> bool:
        """True when a search would not have to build first. Raises RetrievalUnavailable."""
        return await asyncio.to_thread(self._is_ready)

    async def ensure(self) -> int:
        """Build the index if it is missing, stale or damaged; passages built, 0 if none were.

        With nothing to do it does not import chromadb. Raises RetrievalUnavailable.
        """
        return await asyncio.to_thread(self._ensure)

    async def warm(self) -> None:
        """Do now what the first search would wait for: import, build if need be, open."""
        await asyncio.to_thread(self._open)

    async def rebuild(self) -> int:
        """Build the index again from its sources; returns how many passages it holds.

        Vectors of unchanged passages are taken over. Raises RetrievalUnavailable at once when
        another process is writing.
        """
        return await asyncio.to_thread(self._rebuild, frozenset())

    async def remove(self, narrative_id: str) -> int:
        """Erase a narrative's vectors, from disk as well; returns how many passages went.

        The rest is built into a fresh directory and the old one deleted, because Chroma keeps
        deleted vectors in its files. The source should have let go of the narrative before: the
        next rebuild asks it again. Raises RetrievalUnavailable, and then nothing has changed.
        """
        return await asyncio.to_thread(self._remove, narrative_id)

    async def renew(self) -> int:
        """Bring the index in line with what may be shown now, on disk too; passages that went.

        Afterwards no file of any older snapshot is left. Where there is no index yet, nothing is
        built. Raises RetrievalUnavailable.
        """
        return await asyncio.to_thread(self._renew)

    async def aclose(self) -> None:
        """`close`, in a thread."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Let go of Chroma and its files; a later search opens them again."""
        with self._building, self._state:
            self._let_go()

    def _search(
        self, move: Element, language: str, near: str, exclude: frozenset[str], limit: int
    ) -> list[Passage]:
        if limit < 1:
            return []
        with plain_refusals():
            spoken = spoken_in(language, lambda: languages(self._sources))
            if near.strip():
                found = self._nearest(move, spoken, near, exclude, limit)
            else:
                found = self._in_order(move, spoken, exclude, limit)
        return [passage_of(example, score) for example, score in found]

    def _in_order(
        self, move: Element, language: str, exclude: frozenset[str], limit: int
    ) -> list[tuple[Example, float]]:
        snapshot = self._folder.snapshot()
        removed = frozenset(snapshot.manifest.removed) if snapshot else frozenset()
        examples = sorted(
            (e for source in self._sources for e in source.examples(move, language)),
            key=lambda e: e.id,
        )
        kept = [e for e in examples if e.id not in exclude and e.narrative not in removed]
        return [(e, 0.0) for e in kept[:limit]]

    def _nearest(
        self, move: Element, language: str, near: str, exclude: frozenset[str], limit: int
    ) -> list[tuple[Example, float]]:
        name = collection_name(language, move)
        vector = np.asarray(self._embedder.embed([near])[0], dtype=np.float32)
        wanted = limit + sum(1 for shown in exclude if shown.endswith(f":{move.value}"))
        while True:
            total, hits = self._query(name, vector, wanted)
            found = [
                (example, score)
                for score, hit in hits
                if hit not in exclude and (example := self._find(hit)) is not None
            ]
            if len(found) >= limit or wanted >= total:
                return found[:limit]
            wanted *= 2  # some hits may no longer be shown: look further

    def _query(self, name: str, vector: Any, wanted: int) -> tuple[int, list[tuple[float, str]]]:
        """The collection's size and its nearest ids with their similarity, best first."""
        for last_try in (False, True):
            try:
                with self._opened() as served:
                    total = served.snapshot.manifest.counts.get(name, 0)
                    if not total:
                        return 0, []
                    with _chroma_refusals():
                        answer = served.collection(name).query(
                            query_embeddings=[vector],
                            n_results=min(wanted, total),
                            include=["distances"],
                        )
            except _ChromaFailed:
                with self._building, self._state:
                    self._let_go()
                if last_try:
                    raise
                self._rebuild(frozenset())
                continue
            distances = answer["distances"] or [[]]
            pairs = zip(distances[0], answer["ids"][0], strict=True)
            hits = [(similarity(float(d)), i) for d, i in pairs]
            return total, sorted(hits, key=lambda hit: (-hit[0], hit[1]))
        raise AssertionError("unreachable")

    def _find(self, hit: str) -> Example | None:
        for source in self._sources:
            example = source.find(hit)
            if example is not None:
                return example
        return None

    @contextmanager
    def _opened(self) -> Iterator[_Served]:
        """The open index, which no other thread replaces meanwhile."""
        while True:
            with self._state:
                if self._served and self._folder.is_current(self._served.snapshot.name):
                    yield self._served
                    return
            self._open()

    def _open(self) -> None:
        with plain_refusals(), self._building:
            with self._state:
                if self._served and self._folder.is_current(self._served.snapshot.name):
                    return
                self._let_go()
            self._corpus.refresh()
            snapshot = self._usable()
            if snapshot is None or not self._is_fresh(snapshot):
                try:
                    snapshot = self._build(frozenset(), PATIENCE if snapshot is None else 0)
                except RetrievalUnavailable:
                    if snapshot is None:
                        raise
                    # Another process is writing: what is here is older, yet each hit is checked.
            with self._state, _chroma_refusals():
                self._served = _Served.open(snapshot)

    def _is_ready(self) -> bool:
        with plain_refusals():
            snapshot = self._usable()
            return snapshot is not None and self._is_fresh(snapshot)

    def _ensure(self) -> int:
        with plain_refusals(), self._building:
            snapshot = self._usable()
            if snapshot is not None and self._is_fresh(snapshot):
                return 0
            self._corpus.refresh()
            return sum(self._build(frozenset(), PATIENCE).manifest.counts.values())

    def _rebuild(self, removed: frozenset[str]) -> int:
        with plain_refusals(), self._building:
            self._corpus.refresh()
            return sum(self._build(removed, 0, anyway=True).manifest.counts.values())

    def _remove(self, narrative_id: str) -> int:
        with plain_refusals(), self._building:
            self._corpus.refresh()
            before = self._usable()
            removed = frozenset(before.manifest.removed if before else ()) | {narrative_id}
            held = sum(before.manifest.counts.values()) if before else 0
            after = self._build(removed, PATIENCE, anyway=True)
            return max(0, held - sum(after.manifest.counts.values()))

    def _renew(self) -> int:
        with plain_refusals(), self._building:
            before = self._folder.snapshot()
            if before is None and not self._folder.has_remains():
                return 0
            self._corpus.refresh()
            usable = self._usable()
            after = usable if usable is not None and self._is_fresh(usable) else None
            if after is None:
                after = self._build(frozenset(), PATIENCE)
            with self._folder.writing(PATIENCE):
                self._folder.sweep()
            held = sum(before.manifest.counts.values()) if before else 0
            return max(0, held - sum(after.manifest.counts.values()))

    def _usable(self) -> Snapshot | None:
        """The snapshot in use, if it is whole and this embedder's."""
        snapshot = self._folder.snapshot()
        if snapshot is None or snapshot.manifest.embedder != kind_of(self._embedder):
            return None
        return snapshot if self._folder.is_intact(snapshot) else None

    def _is_fresh(self, snapshot: Snapshot) -> bool:
        return snapshot.manifest.fingerprint == self._fingerprint()

    def _fingerprint(self) -> str:
        return ".".join(source.fingerprint() for source in self._sources)

    def _build(self, removed: frozenset[str], patience: float, *, anyway: bool = False) -> Snapshot:
        """Build, publish, and delete what was before. Call with _building held."""
        with self._folder.writing(patience):
            known = self._usable()
            if known is not None and not anyway and self._is_fresh(known):
                return known  # built by the process we waited for
            fingerprint = self._fingerprint()
            groups: defaultdict[str, list[Example]] = defaultdict(list)
            held_back: set[str] = set()
            for source in self._sources:
                for example in source.examples():
                    if example.narrative in removed:
                        held_back.add(example.narrative)
                        continue
                    groups[collection_name(example.language, example.move)].append(example)
            path = self._folder.fresh()
            try:
                with _chroma_refusals():
                    self._fill(path, groups, known)
                manifest = Manifest(
                    fingerprint,
                    kind_of(self._embedder),
                    {name: len(examples) for name, examples in groups.items()},
                    tuple(sorted(held_back)),
                )
                snapshot = self._folder.seal(path, manifest)
                self._folder.publish(snapshot)
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
            with self._state:
                self._let_go()
            self._folder.sweep()
            return snapshot

    def _fill(
        self, path: Path, groups: Mapping[str, list[Example]], known: Snapshot | None
    ) -> None:
        client = _client(path)
        try:
            with _vectors_of(known) as vectors_in:
                for name, examples in sorted(groups.items()):
                    collection = client.create_collection(
                        name,
                        embedding_function=None,
                        configuration={"hnsw": graph(len(examples))},
                    )
                    vectors = vectors_in(name)
                    for start in range(0, len(examples), _BATCH):
                        self._add(collection, examples[start : start + _BATCH], vectors)
        finally:
            client.close()

    def _add(
        self, collection: ChromaCollection, examples: list[Example], known: Mapping[str, Any]
    ) -> None:
        digests = [digest_of(e) for e in examples]
        new = [i for i, digest in enumerate(digests) if digest not in known]
        fresh = self._embedder.embed([embedded(examples[i]) for i in new]) if new else []
        vectors: dict[int, Any] = dict(zip(new, fresh, strict=True))
        collection.add(
            ids=[e.id for e in examples],
            embeddings=np.asarray(
                [vectors[i] if i in vectors else known[d] for i, d in enumerate(digests)],
                dtype=np.float32,
            ),
            metadatas=[
                {"narrative": e.narrative, "themes": list(e.themes), "digest": digest}
                for e, digest in zip(examples, digests, strict=True)
            ],
        )

    def _let_go(self) -> None:
        if self._served:
            served, self._served = self._served, None
            served.close()


@dataclass
class _Served:
    """A snapshot with Chroma open on it."""

    snapshot: Snapshot
    client: Client
    collections: dict[str, ChromaCollection]

    @classmethod
    def open(cls, snapshot: Snapshot) -> _Served:
        return cls(snapshot, _client(snapshot.path), {})

    def collection(self, name: str) -> ChromaCollection:
        if name not in self.collections:
            self.collections[name] = self.client.get_collection(name, embedding_function=None)
        return self.collections[name]

    def vectors(self, name: str) -> dict[str, Any]:
        """The collection's vectors by the digest of what was embedded."""
        if name not in self.snapshot.manifest.counts:
            return {}
        held = self.collection(name).get(include=["embeddings", "metadatas"])
        fields, vectors = held["metadatas"], held["embeddings"]
        if fields is None or vectors is None:
            return {}
        return {str(f["digest"]): v for f, v in zip(fields, vectors, strict=True)}

    def close(self) -> None:
        self.collections.clear()
        self.client.close()


@contextmanager
def _vectors_of(known: Snapshot | None) -> Iterator[Callable[[str], Mapping[str, Any]]]:
    """What a snapshot already holds, by collection; nothing where Chroma cannot read it."""
    served: _Served | None = None
    try:
        if known is not None:
            with suppress(_ChromaFailed), _chroma_refusals():
                served = _Served.open(known)

        def vectors_in(name: str) -> Mapping[str, Any]:
            if served is not None:
                with suppress(_ChromaFailed), _chroma_refusals():
                    return served.vectors(name)
            return {}

        yield vectors_in
    finally:
        if served is not None:
            served.close()


class _ChromaFailed(RetrievalUnavailable):
    """Chroma raised; the message names the kind of error only."""


def _client(path: Path) -> Client:
    import chromadb
    from chromadb.config import Settings

    # Chroma would otherwise read settings from a .env in the working directory: ours.
    settings = Settings(_env_file=None, anonymized_telemetry=False)  # type: ignore[call-arg]
    return cast("Client", chromadb.PersistentClient(path=str(path), settings=settings))


@contextmanager
def _chroma_refusals() -> Iterator[None]:
    try:
        yield
    except RetrievalUnavailable:
        raise
    except BaseException as error:
        # Chroma's native part panics with an exception that is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _ChromaFailed(
            f"The example index could not be used ({type(error).__name__}). "
            "It is derived from the corpus: check room on the disk, then run the index command."
        ) from error

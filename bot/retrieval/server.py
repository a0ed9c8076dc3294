"""Example passages by meaning, from a Chroma server that many processes share; a ports.Retriever.

The index stands on two shelves: the corpus that comes with the program, and passages released
into the library. Each shelf is built afresh under a new name, put into use by one commit in the
database, and then the one before is deleted. One process builds at a time; whoever finds that
something is missing builds it. The server holds ids, vectors and filter fields, no text.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import numpy as np

from bot.core.narrative import Element
from bot.retrieval.chroma_http import ASKING, ChromaServer, Missing, Row
from bot.retrieval.corpus import CorpusSource
from bot.retrieval.finding import (
    collection_name,
    digest_of,
    embedded,
    kind_of,
    passage_of,
    plain_refusals,
    spoken_in,
)
from bot.retrieval.library import as_example, fingerprint_of
from bot.retrieval.sources import Example, languages
from bot.usecases.index_ports import Generation, Shelf
from bot.usecases.library_ports import story_of_passage
from bot.usecases.ports import (
    Clock,
    Conflict,
    Embedder,
    Passage,
    RetrievalUnavailable,
    StoreUnavailable,
    UnitOfWork,
)

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds to wait for another process that is building."""
LEASE = timedelta(seconds=60)
"""How long nobody else builds after the last sign of life of the one that does."""
AT_WORK = timedelta(minutes=10)
"""A corpus no process has come with for so long is no longer waited for."""
BEGUN = "begun"
"""Ends the name of an empty collection that notes since when the server's folder is ours: where it
is missing, the folder was begun anew and holds nothing of before."""
_BATCH = 100
_TRIES = 3


class ServerRetriever:
    """Finds passages by the move they make, nearest in meaning first. For one event loop."""

    def __init__(
        self,
        server: ChromaServer,
        corpus: CorpusSource,
        embedder: Embedder,
        work: Callable[[], UnitOfWork],
        clock: Clock,
    ) -> None:
        """Nothing is connected or read yet. `work` gives units of work of the shared database."""
        self._server, self._corpus, self._embedder = server, corpus, embedder
        self._work, self._clock = work, clock
        self._me = uuid4().hex
        self._ids: dict[str, str] = {}
        self._prefix = ""
        self._building = asyncio.Lock()
        self._mending: asyncio.Task[int] | None = None
        self._held_until = 0.0
        self._said_at: datetime | None = None

    # -- asked by people ------------------------------------------------------------------------

    async def search(
        self,
        move: Element,
        language: str,
        near: str = "",
        exclude: Collection[str] = (),
        limit: int = 3,
    ) -> list[Passage]:
        """Passages making `move` in `language`, nearest to `near` first, at most `limit`.

        See ChromaRetriever.search. Every hit is asked of the corpus or the database at this
        moment. Where there is no index yet, the search waits while it is built.
        Raises RetrievalUnavailable, within a few seconds when the server is silent.
        """
        if limit < 1:
            return []
        with plain_refusals(), _store_refusals():
            await asyncio.to_thread(self._corpus.refresh)
            spoken = await self._spoken(language)
            if near.strip():
                found = await self._nearest(move, spoken, near, frozenset(exclude), limit)
            else:
                found = await self._in_order(move, spoken, frozenset(exclude), limit)
        return [passage_of(example, score) for example, score in found]

    async def _spoken(self, language: str) -> str:
        asked = language.lower().replace("_", "-").partition("-")[0]
        known = {"en", "es", *languages([self._corpus])}
        if asked not in known:
            async with self._work() as work:
                if await work.library.shared(self._clock.now(), language=asked):
                    known.add(asked)
        return spoken_in(language, lambda: known)

    async def _in_order(
        self, move: Element, language: str, exclude: frozenset[str], limit: int
    ) -> list[tuple[Example, float]]:
        async with self._work() as work:
            shared = await work.library.shared(self._clock.now(), move, language)
        examples = [*self._corpus.examples(move, language), *map(as_example, shared)]
        kept = [e for e in sorted(examples, key=lambda e: e.id) if e.id not in exclude]
        return [(e, 0.0) for e in kept[:limit]]

    async def _nearest(
        self, move: Element, language: str, near: str, exclude: frozenset[str], limit: int
    ) -> list[tuple[Example, float]]:
        (vector,) = await asyncio.to_thread(self._embedder.embed, [near])
        wanted = limit + sum(1 for shown in exclude if shown.endswith(f":{move.value}"))
        while True:
            total, hits = await self._query(collection_name(language, move), vector, wanted)
            found = []
            for score, hit in hits:
                if hit not in exclude and (example := await self._find(hit)) is not None:
                    found.append((example, score))
            if len(found) >= limit or wanted >= total:
                return found[:limit]
            wanted *= 2  # some hits may no longer be shown: look further

    async def _find(self, hit: str) -> Example | None:
        """The passage as it may be shown now."""
        story = story_of_passage(hit)
        if story is None:
            return self._corpus.find(hit)
        async with self._work() as work:
            shared = await work.library.shared(self._clock.now(), story_id=story)
        return next((e for e in map(as_example, shared) if e.id == hit), None)

    async def _query(
        self, name: str, vector: Sequence[float], wanted: int
    ) -> tuple[int, list[tuple[float, str]]]:
        """How many passages there are and the nearest of them, best first."""
        for last_try in (False, True):
            current = await self._current()
            if any(g.embedder != kind_of(self._embedder) for g in current):
                raise RetrievalUnavailable(
                    "The example index was built with other embeddings, by another version of "
                    "this program. Bring every process to the same version."
                )
            if len(current) < 2:
                await self._mend()
                continue
            try:
                hits: list[tuple[float, str]] = []
                total = 0
                for one in current:
                    held = one.counts.get(name, 0)
                    if held:
                        collection = await self._collection(self._named(one.name, name))
                        asked = min(wanted, held)
                        hits += await self._server.nearest(collection, vector, asked)
                    total += held
            except Missing:
                # Swapped while we asked, or the server was begun anew.
                self._ids.clear()
                if last_try:
                    raise
                await self._mend()
                continue
            return total, sorted(hits, key=lambda hit: (-hit[0], hit[1]))
        raise RetrievalUnavailable("The example index is not built yet.")

    async def _collection(self, name: str) -> str:
        if name not in self._ids:
            self._ids = await self._server.collections(self._prefix, ASKING)
        if name not in self._ids:
            raise Missing("A part of the example index is not on the Chroma server.")
        return self._ids[name]

    # -- asked by whoever keeps the index -------------------------------------------------------

    async def is_ready(self) -> bool:
        """True when a search would not have to build first. Raises RetrievalUnavailable."""
        with plain_refusals(), _store_refusals():
            return not await self._stale()

    async def ensure(self) -> int:
        """Build what is missing or stale; passages built, 0 if none. Raises RetrievalUnavailable.

        What an older program finds stale only because its corpus is older is left alone.
        """
        with plain_refusals(), _store_refusals():
            if not await self._stale():
                return 0
            async with self._leading():
                built = 0
                for shelf in await self._stale():
                    built += await self._build(shelf)
                await self._sweep()
                return built

    async def warm(self) -> None:
        """Do now what the first search would wait for."""
        await self.ensure()

    async def rebuild(self) -> int:
        """Build both shelves again; how many passages they hold. Raises RetrievalUnavailable."""
        with plain_refusals(), _store_refusals():
            async with self._leading():
                built = await self._build("corpus") + await self._build("library")
                await self._sweep()
                return built

    async def renew(self) -> int:
        """Bring the library's shelf in line with what may be shown now; passages that went.

        Afterwards nothing older is in use on the server, nor being built. Its files are another
        matter: see docs/operations.md. Where there is no index yet, nothing is built.
        Raises RetrievalUnavailable.
        """
        with plain_refusals(), _store_refusals():
            if not await self._current():
                # Nothing is in use, and a builder that died left only what is swept below.
                async with self._leading():
                    await self._sweep()
                return 0
            async with self._leading():
                before = await self._on("library")
                if before is not None and before.embedder != kind_of(self._embedder):
                    raise RetrievalUnavailable(
                        "The example index is built by another version of this program, "
                        "which has to bring it in line."
                    )
                if "library" in await self._stale():
                    await self._build("library")
                await self._sweep()
                after = await self._on("library")
        return max(0, _held(before) - _held(after))

    async def keep(self) -> None:
        """Once in a while: say that our corpus is at work, and mend what is missing.

        What was approved or taken back is not looked for: `renew` is called for it.
        Raises RetrievalUnavailable.
        """
        with plain_refusals(), _store_refusals():
            if await self._stale(deep=False):
                await self._mend()

    async def aclose(self) -> None:
        """Let go of the server; a later search connects again."""
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
        await self._server.close()

    async def _mend(self) -> None:
        """Build what is missing, going on even if whoever asked no longer waits."""
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self.ensure(), name="mending the example index")
        await asyncio.shield(self._mending)

    async def _stale(self, deep: bool = True) -> list[Shelf]:
        """Shelves that are ours to build: missing, or made from something else.

        Only `deep` reads the whole library to see whether it changed.
        """
        await asyncio.to_thread(self._corpus.refresh)
        now, edition = self._clock.now(), await self._edition()
        await self._say_at_work(edition, now)
        async with self._work() as work:
            newest = await work.indexes.wanted(now - AT_WORK)
            current = {one.shelf: one for one in await work.indexes.current()}
            library = fingerprint_of(await work.library.shared(now)) if deep else None
        await self._known_prefix()
        there = await self._server.collections(self._prefix)
        is_newest = newest == edition
        corpus = await asyncio.to_thread(self._corpus.fingerprint)
        stale: list[Shelf] = []
        shelves: dict[Shelf, str | None] = {"corpus": corpus, "library": library}
        for shelf, fingerprint in shelves.items():
            one = current.get(shelf)
            if one is None or any(self._named(one.name, n) not in there for n in one.counts):
                stale.append(shelf)
            elif one.embedder != kind_of(self._embedder):
                if is_newest:
                    stale.append(shelf)
            elif fingerprint in (None, one.fingerprint):
                continue
            elif is_newest or shelf == "library":
                stale.append(shelf)
        return stale

    async def _say_at_work(self, edition: str, now: datetime) -> None:
        if self._said_at is not None and timedelta() <= now - self._said_at < AT_WORK / 10:
            return
        with suppress(Conflict):  # Another process of the same edition noted it first.
            async with self._work() as work:
                await work.indexes.use(edition, now)
                await work.commit()
        self._said_at = now

    async def _edition(self) -> str:
        """What our corpus and our embeddings are, as one word."""
        corpus = await asyncio.to_thread(self._corpus.fingerprint)
        return sha256(f"{corpus} {kind_of(self._embedder)}".encode()).hexdigest()

    async def _current(self) -> Sequence[Generation]:
        await self._known_prefix()
        async with self._work() as work:
            return await work.indexes.current()

    async def _on(self, shelf: Shelf) -> Generation | None:
        return next((one for one in await self._current() if one.shelf == shelf), None)

    async def _known_prefix(self) -> None:
        while not self._prefix:
            with suppress(Conflict):  # Another process made the word first: ask again.
                async with self._work() as work:
                    word = await work.indexes.installation()
                    await work.commit()
                self._prefix = f"coach-{word}-"

    def _named(self, generation: str, collection: str) -> str:
        return f"{self._prefix}{generation}.{collection}"

    # -- building -------------------------------------------------------------------------------

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[None]:
        """Be the one process that builds, waiting PATIENCE for another to finish."""
        async with self._building:
            until = asyncio.get_running_loop().time() + PATIENCE
            while not await self._claimed():
                if asyncio.get_running_loop().time() >= until:
                    raise RetrievalUnavailable(
                        "Another process is writing the example index. "
                        "Wait until it has finished, then try again."
                    )
                await asyncio.sleep(0.2)
            holding = asyncio.create_task(self._hold(), name="index lease")
            try:
                yield
            finally:
                holding.cancel()
                await asyncio.gather(holding, return_exceptions=True)
                with suppress(StoreUnavailable, Conflict):
                    async with self._work() as work:
                        await work.leases.release("index", self._me)
                        await work.commit()

    async def _hold(self) -> None:
        """Stay the one that builds, however long embedding takes."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(StoreUnavailable):
                await self._claimed()

    async def _claimed(self) -> bool:
        begun, now = asyncio.get_running_loop().time(), self._clock.now()
        try:
            async with self._work() as work:
                is_ours = await work.leases.claim("index", self._me, now, now + LEASE)
                await work.commit()
        except Conflict:
            return False
        if is_ours:
            self._held_until = begun + LEASE.total_seconds()
        return is_ours

    async def _still_leading(self) -> None:
        """Before every write. Raises RetrievalUnavailable when somebody else may build by now."""
        left = self._held_until - asyncio.get_running_loop().time()
        if left < LEASE.total_seconds() * 2 / 3 and not await self._claimed():
            raise RetrievalUnavailable("Another process took over writing the example index.")

    async def _build(self, shelf: Shelf) -> int:
        """Build a shelf and put it into use; how many passages it holds."""
        for _ in range(_TRIES):
            examples, fingerprint = await self._passages(shelf)
            groups: defaultdict[str, list[Example]] = defaultdict(list)
            for example in examples:
                groups[collection_name(example.language, example.move)].append(example)
            one = Generation(
                uuid4().hex[:12],
                shelf,
                fingerprint,
                kind_of(self._embedder),
                {name: len(group) for name, group in groups.items()},
            )
            async with self._work() as work:
                await work.indexes.begin(one, self._clock.now())
                await work.commit()
            if self._prefix + BEGUN not in await self._server.collections(self._prefix):
                await self._still_leading()
                note = {"begun_at": self._clock.now().isoformat()}
                await self._server.create(self._prefix + BEGUN, 1, note)
            known = await self._on(shelf)
            for name, group in sorted(groups.items()):
                await self._fill(self._named(one.name, name), group, name, known)
            if await self._published(one):
                return len(examples)
            # Something was taken back meanwhile: it must not come into use.
            await self._sweep()
        raise RetrievalUnavailable("The library changes faster than the index can be built.")

    async def _passages(self, shelf: Shelf) -> tuple[list[Example], str]:
        if shelf == "corpus":
            fingerprint = await asyncio.to_thread(self._corpus.fingerprint)
            return self._corpus.examples(), fingerprint
        async with self._work() as work:
            shared = await work.library.shared(self._clock.now())
        return [as_example(one) for one in shared], fingerprint_of(shared)

    async def _published(self, one: Generation) -> bool:
        await self._still_leading()
        async with self._work() as work:
            await work.indexes.publish(one)
            if one.shelf == "library":
                shared = await work.library.shared(self._clock.now())
                if fingerprint_of(shared) != one.fingerprint:
                    return False
            await work.commit()
        return True

    async def _fill(
        self, collection: str, examples: list[Example], name: str, known: Generation | None
    ) -> None:
        await self._still_leading()
        made = await self._server.create(collection, len(examples))
        held = await self._vectors(known, name)
        for start in range(0, len(examples), _BATCH):
            batch = examples[start : start + _BATCH]
            digests = [digest_of(e) for e in batch]
            fresh = [e for e, digest in zip(batch, digests, strict=True) if digest not in held]
            vectors = dict(held)
            if fresh:
                made_now = await asyncio.to_thread(
                    self._embedder.embed, [embedded(e) for e in fresh]
                )
                vectors |= {digest_of(e): v for e, v in zip(fresh, made_now, strict=True)}
            await self._still_leading()
            await self._server.add(
                made,
                [
                    Row(e.id, np.asarray(vectors[d], np.float32).tolist(), e.narrative, e.themes, d)
                    for e, d in zip(batch, digests, strict=True)
                ],
            )

    async def _vectors(self, known: Generation | None, name: str) -> Mapping[str, Any]:
        """Vectors the generation before has for a collection; none where it cannot be read."""
        if known is None or known.embedder != kind_of(self._embedder) or name not in known.counts:
            return {}
        found: dict[str, Any] = {}
        with suppress(RetrievalUnavailable):
            collection = await self._collection(self._named(known.name, name))
            while page := await self._server.rows(collection, _BATCH * 10, len(found)):
                before = len(found)
                found |= page
                if len(found) == before or len(page) < _BATCH * 10:
                    break
        return found

    async def _sweep(self) -> None:
        """Delete from the server all that is ours and not in use. Only while leading."""
        async with self._work() as work:
            kept = [one.name for one in await work.indexes.current()]
            left = await work.indexes.left()
        for name in await self._server.collections(self._prefix):
            generation = name.removeprefix(self._prefix).partition(".")[0]
            if generation not in (BEGUN, *kept):
                await self._still_leading()
                await self._server.drop(name)
        if left:
            async with self._work() as work:
                for generation in left:
                    await work.indexes.dropped(generation)
                await work.commit()
        self._ids.clear()


def _held(generation: Generation | None) -> int:
    return sum(generation.counts.values()) if generation else 0


@contextmanager
def _store_refusals() -> Iterator[None]:
    """A database that cannot be asked is no reason for anything but "no example"."""
    try:
        yield
    except (StoreUnavailable, Conflict) as error:
        raise RetrievalUnavailable(
            f"The example index could not ask the database ({type(error).__name__})."
        ) from error

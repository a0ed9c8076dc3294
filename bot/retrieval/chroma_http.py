"""A Chroma server by its HTTP API (version 2), with a deadline for everything asked of it.

chromadb's own clients wait for ever: their timeout is fixed to none. Its asynchronous one also
accepts any certificate unless told, and shares its connections, token included, between servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from bot.retrieval.finding import graph, similarity
from bot.usecases.ports import RetrievalUnavailable

ASKING = 2.0
"""Seconds for one search: after that there is no example."""
WRITING = 30.0
"""Seconds for one piece of building, or for reading what is to be taken over."""
RESTS = 2.0
"""Seconds in which a server that did not answer is not asked again."""


class Missing(RetrievalUnavailable):
    """What was asked for is not on the server (any more)."""


@dataclass(frozen=True)
class Server:
    """Where a Chroma server is, and where on it our collections lie."""

    url: str
    token: str = ""
    tenant: str = "default_tenant"
    database: str = "default_database"


@dataclass(frozen=True)
class Row:
    """One passage as the index holds it: no text."""

    id: str
    vector: Sequence[float]
    narrative: str
    themes: Sequence[str]
    digest: str


class ChromaServer:
    """The few things we ask of a Chroma server. Each raises RetrievalUnavailable."""

    def __init__(self, server: Server) -> None:
        """Nothing is connected yet."""
        self._server = server
        names = quote(server.tenant, safe=""), quote(server.database, safe="")
        self._base = f"/api/v2/tenants/{names[0]}/databases/{names[1]}"
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rests_until = 0.0

    async def collections(self, prefix: str, within: float = WRITING) -> dict[str, str]:
        """Ids of the collections whose names begin with `prefix`, by name."""
        listed = await self._ask("GET", "/collections", within=within)
        if not isinstance(listed, list):
            raise RetrievalUnavailable(self._strange())
        found = {str(one["name"]): str(one["id"]) for one in listed}
        return {name: id for name, id in found.items() if name.startswith(prefix)}

    async def create(self, name: str, size: int, note: Mapping[str, str] | None = None) -> str:
        """Make a collection that will hold `size` passages; its id. `note` is kept with it."""
        wanted = {
            "name": name,
            "metadata": dict(note) if note else None,
            "get_or_create": False,
            "configuration": {"hnsw": graph(size), "embedding_function": {"type": "legacy"}},
        }
        made = await self._ask("POST", "/collections", wanted, within=WRITING)
        return str(made["id"])

    async def add(self, collection: str, rows: Sequence[Row]) -> None:
        """Put passages into a collection."""
        what = {
            "ids": [row.id for row in rows],
            "embeddings": [[float(x) for x in row.vector] for row in rows],
            "metadatas": [
                {"narrative": r.narrative, "themes": list(r.themes), "digest": r.digest}
                for r in rows
            ],
        }
        await self._ask("POST", f"/collections/{collection}/add", what, within=WRITING)

    async def nearest(
        self, collection: str, vector: Sequence[float], limit: int
    ) -> list[tuple[float, str]]:
        """The nearest ids with their similarity, best first."""
        what = {
            "query_embeddings": [[float(x) for x in vector]],
            "n_results": limit,
            "include": ["distances"],
        }
        answer = await self._ask("POST", f"/collections/{collection}/query", what)
        pairs = zip((answer["distances"] or [[]])[0], answer["ids"][0], strict=True)
        return [(similarity(float(distance)), str(hit)) for distance, hit in pairs]

    async def rows(self, collection: str, limit: int, offset: int) -> Mapping[str, Sequence[float]]:
        """Vectors of a page of passages, by the digest of what was embedded."""
        what = {"limit": limit, "offset": offset, "include": ["embeddings", "metadatas"]}
        held = await self._ask("POST", f"/collections/{collection}/get", what, within=WRITING)
        pairs = zip(held["metadatas"] or [], held["embeddings"] or [], strict=True)
        return {str(fields["digest"]): vector for fields, vector in pairs}

    async def drop(self, name: str) -> None:
        """Delete a collection; one that is not there is no matter."""
        try:
            await self._ask("DELETE", f"/collections/{quote(name, safe='')}", within=WRITING)
        except Missing:
            return

    async def close(self) -> None:
        """Let go of connections; a later question makes new ones."""
        http, self._http = self._http, None
        if http is not None and self._loop is asyncio.get_running_loop():
            await http.aclose()

    async def _ask(
        self, method: str, path: str, what: object = None, within: float = ASKING
    ) -> Any:
        if time.monotonic() < self._rests_until:
            raise RetrievalUnavailable(self._silent())
        try:
            async with asyncio.timeout(within):
                answer = await self._client().request(
                    method, f"{self._server.url}{self._base}{path}", json=what
                )
            return self._read(answer)
        except (TimeoutError, httpx.TransportError) as error:
            # Others need not wait for what has just not come.
            self._rests_until = time.monotonic() + RESTS
            raise RetrievalUnavailable(self._silent()) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RetrievalUnavailable(self._strange()) from error

    def _read(self, answer: httpx.Response) -> Any:
        if answer.status_code in (401, 403):
            raise RetrievalUnavailable(
                f"The Chroma server at {self._server.url} refuses us; check CHROMA_TOKEN."
            )
        if answer.status_code == 404:
            raise Missing(
                f"Something is not on the Chroma server at {self._server.url}: a part of the "
                f"index, or the database {self._server.database} of {self._server.tenant}."
            )
        if not answer.is_success:
            raise RetrievalUnavailable(
                f"The Chroma server at {self._server.url} answers {answer.status_code}."
            )
        return answer.json() if answer.content else None

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            token = self._server.token
            headers = {"Authorization": f"Bearer {token}", "X-Chroma-Token": token} if token else {}
            self._http = httpx.AsyncClient(headers=headers, timeout=None)
            self._loop = loop
        return self._http

    def _silent(self) -> str:
        return f"The Chroma server at {self._server.url} does not answer; see CHROMA_URL."

    def _strange(self) -> str:
        return f"What answers at {self._server.url} is no Chroma server; see CHROMA_URL."

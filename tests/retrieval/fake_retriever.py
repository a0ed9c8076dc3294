"""A hand-written Retriever over a list: the contract's plain reading, for use-case tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bot.core.narrative import Element
from bot.usecases.ports import Embedder, Passage

NEAREST = {"pt": "es", "gl": "es", "ca": "es", "it": "es"}


class ListRetriever:
    """Searches `passages` one by one; `score` on them is ignored and computed anew."""

    def __init__(self, passages: Sequence[Passage], embedder: Embedder) -> None:
        self.passages = list(passages)
        self.embedder = embedder

    async def search(
        self,
        move: Element,
        language: str,
        near: str = "",
        exclude: Collection[str] = (),
        limit: int = 3,
    ) -> list[Passage]:
        base = language.lower().split("-")[0]
        if base not in {"en", "es", *(p.language for p in self.passages)}:
            base = NEAREST.get(base, "en")
        found = [
            self._scored(p, near)
            for p in self.passages
            if p.move is move and p.language == base and p.id not in exclude
        ]
        return sorted(found, key=lambda p: (-p.score, p.id))[: max(0, limit)]

    def _scored(self, passage: Passage, near: str) -> Passage:
        score = 0.0
        if near.strip():
            one, other = self.embedder.embed([near, passage.text])
            score = float(np.dot(one, other))
        fields = {**vars(passage), "score": score}
        return Passage(**fields)

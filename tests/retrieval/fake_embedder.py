"""An embedder for tests: hashed words, so texts that share words are near. No model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np


class WordEmbedder:
    """Counts words into `dimension` buckets; deterministic. `embedded` lists every text it saw."""

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.embedded.extend(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[float]:
        vector = np.full(self.dimension, 1e-3)
        for word in re.findall(r"\w+", text.lower()):
            vector[crc32(word.encode()) % self.dimension] += 1.0
        vector /= np.linalg.norm(vector)
        return [float(x) for x in vector]

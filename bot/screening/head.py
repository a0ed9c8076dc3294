"""The head: chances of crisis, distress and none from a text's embedding."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.usecases.ports import Embedder

WEIGHTS = Path(__file__).parent / "weights.npz"
SHORT = 60
"""Words read in one look; a longer text is also read in windows, so danger is not diluted."""
LONG = 450
"""Words past which windows no longer overlap; well over a two-minute telling."""
STEEPNESS = 3.0
"""Turns the distance from the crisis boundary into a chance; orders, rather than calibrates."""


class SafetyHead:
    """A Gaussian-kernel boundary for crisis, a linear one for distress against none.

    A linear boundary for crisis saw a tenth fewer at the same false alarms (cross-validated by
    author). Weights, about 2 MB, by `python -m bot.commands.screen train`.
    """

    def __init__(self, embedder: Embedder, weights: Path = WEIGHTS) -> None:
        """Load the weights. Raises ValueError when they fit another embedder."""
        self._embedder = embedder
        with np.load(weights) as raw:
            self._mean = raw["mean"].astype(np.float32)
            self._scale = raw["scale"].astype(np.float32)
            self._anchors = raw["anchors"].astype(np.float32)
            self._pull = raw["pull"].astype(np.float32)
            self._level = float(raw["level"])
            self._pain = raw["pain"].astype(np.float32)
            self._pain_level = float(raw["pain_level"])
        if self._mean.shape != (embedder.dimension,):
            raise ValueError("the screening weights do not fit this embedder; train them again")
        self._squares = (self._anchors**2).sum(axis=1)

    def chances(self, text: str) -> tuple[float, float, float]:
        """Chances of crisis, distress and none. Of a long text, its gravest window counts."""
        vectors = np.asarray(self._embedder.embed(looks(text)), dtype=np.float32)
        points = (vectors - self._mean) / self._scale
        danger = 1 / (1 + np.exp(-STEEPNESS * self._distance(points)))
        gravest = int(danger.argmax())
        crisis = float(danger[gravest])
        pain = float(1 / (1 + np.exp(-(points[0] @ self._pain + self._pain_level))))
        return crisis, (1 - crisis) * pain, (1 - crisis) * (1 - pain)

    def _distance(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Signed distance of each point from the crisis boundary; positive means crisis."""
        squares = (points**2).sum(axis=1)[:, None] + self._squares - 2 * points @ self._anchors.T
        nearness = np.exp(-np.maximum(squares, 0) / points.shape[1])
        distance: NDArray[np.float32] = nearness @ self._pull + np.float32(self._level)
        return distance


def looks(text: str) -> list[str]:
    """The whole text, and when it is long also windows of its words, verbatim.

    Windows overlap by half, so danger is not cut in two; in a text of more than LONG words they
    lie side by side, so that a long paste is still screened within seconds.
    """
    words = list(re.finditer(r"\S+", text))
    if len(words) <= SHORT + SHORT // 2:
        return [text]
    windows = []
    for first in range(0, len(words), SHORT // 2 if len(words) <= LONG else SHORT):
        last = min(first + SHORT, len(words)) - 1
        windows.append(text[words[first].start() : words[last].end()])
        if last == len(words) - 1:
            break
    return [text, *windows]

"""Hears danger and pain in a message, with layers of the bundled model tuned for nothing else.

Screening asks it for chances; its rules and thresholds stay in bot/screening.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.reading.encoder import SentenceEncoder
from bot.reading.heads import LAYERS, softmax, stored, windows
from bot.reading.model_file import Floats
from bot.reading.sentences import split
from bot.reading.transformer import MATRICES, VECTORS, forward

BUNDLED = Path(__file__).with_name("weights") / "alarm.npz"

SHORT = 60
"""Words heard in one look; a longer text is also heard in windows, so danger is not diluted."""
LONG = 450
"""Words past which windows no longer overlap; well over a two-minute telling."""

HEADS = ("listen", "sharpness", "judge", "overall", "bias")
"""Two listeners, for danger and for pain: where they listen, and what they make of it."""


@dataclass(frozen=True)
class AlarmWeights:
    """Everything learned, by name; see `names`."""

    arrays: Mapping[str, Floats]
    heads: int = 12

    @classmethod
    def load(cls, path: Path = BUNDLED) -> AlarmWeights:
        """Read a weights file; OSError, KeyError or ValueError when it cannot be."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = {}
                for name in names():
                    numbers = held[name].astype(np.float32)
                    if name + ".scale" in held:
                        numbers *= held[name + ".scale"].astype(np.float32)
                    arrays[name] = numbers
                return cls(arrays)
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path.name} is damaged") from error

    def save(self, path: Path) -> None:
        """Write the file: matrices as bytes with a scale per column, the rest in half precision."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(file, **stored(self.arrays))  # type: ignore[arg-type]


def names() -> tuple[str, ...]:
    """Names of all learned arrays."""
    layers = tuple(f"layer{n}.{name}" for n in LAYERS for name in (*MATRICES, *VECTORS))
    return (*layers, *HEADS)


class Alarm:
    """Chances of crisis, distress and neither for a text. Thread-safe, blocking."""

    def __init__(self, weights: AlarmWeights, encoder: SentenceEncoder) -> None:
        """The model behind `encoder` is loaded at the first text."""
        self._weights, self._encoder = weights, encoder

    @classmethod
    def bundled(cls, encoder: SentenceEncoder | None = None) -> Alarm:
        """With the weights in this package; OSError, KeyError or ValueError without them."""
        return cls(AlarmWeights.load(), encoder or SentenceEncoder())

    def chances(self, text: str) -> tuple[float, float, float]:
        """Chances of crisis, distress and none, summing to 1. The gravest window counts."""
        heard = [self._hear(look) for look in looks(text)]
        danger = max(d for d, _ in heard)
        pain = heard[0][1]
        return danger, (1 - danger) * pain, (1 - danger) * (1 - pain)

    def _hear(self, text: str) -> tuple[float, float]:
        sentences = split(text)
        if not sentences:
            return 0.0, 0.0
        words = self._encoder.encode([s.text for s in sentences])
        x = np.concatenate([w.vectors for w in words]).astype(np.float32)
        spans = windows([len(w.vectors) for w in words])
        a = self._weights.arrays
        for number in LAYERS:
            layer = {n: a[f"layer{number}.{n}"] for n in (*MATRICES, *VECTORS)}
            x = forward(x, layer, spans, self._weights.heads)
        share = softmax((x @ a["listen"].T) * a["sharpness"], 0)
        logits = ((share.T @ x) * a["judge"]).sum(1) + a["overall"] @ x.mean(0) + a["bias"]
        danger, pain = (1 / (1 + np.exp(-logits))).tolist()
        return danger, pain


def looks(text: str) -> list[str]:
    """The whole text, and when it is long also windows of its words, verbatim.

    Windows overlap by half, so danger is not cut in two; in a text of more than LONG words they
    lie side by side, so that a long paste is still heard within seconds.
    """
    words = list(re.finditer(r"\S+", text))
    if len(words) <= SHORT + SHORT // 2:
        return [text]
    found = []
    for first in range(0, len(words), SHORT // 2 if len(words) <= LONG else SHORT):
        last = min(first + SHORT, len(words)) - 1
        found.append(text[words[first].start() : words[last].end()])
        if last == len(words) - 1:
            break
    return [text, *found]

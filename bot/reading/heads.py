"""What the reader learned: numbers that turn sentence vectors into statuses, evidence and modes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Status, StoryOf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BUNDLED = Path(__file__).parent / "weights" / "reader.npz"
STATUSES = (Status.MISSING, Status.WEAK, Status.PRESENT)
ELEMENTS: tuple[Element, ...] = tuple(e for stage in StoryOf for e in ORDER_OF_CARE[stage])
MODES: tuple[FailureMode, ...] = tuple(FailureMode)


@dataclass(frozen=True)
class Heard:
    """What the heads say of one telling with n sentences.

    `statuses` gives each element of the stage its three probabilities in the order of STATUSES;
    `evidence` its score per sentence, any range; `modes` a probability per failure mode.
    """

    statuses: dict[Element, Floats]
    evidence: dict[Element, Floats]
    modes: dict[FailureMode, float]


@dataclass(frozen=True)
class Weights:
    """Linear heads over sentence vectors. `corpus` is the hash of the tellings learned from."""

    mean: Floats
    scale: Floats
    status: Floats
    status_bias: Floats
    sentence: Floats
    sentence_bias: Floats
    mode: Floats
    mode_bias: Floats
    corpus: str

    @classmethod
    def load(cls, path: Path = BUNDLED) -> Weights:
        """Read the weights file; OSError or ValueError when it is absent or of another shape."""
        with np.load(path, allow_pickle=False) as held:
            numbers = [held[n].astype(np.float32) for n in cls.arrays()]
            return cls(*numbers, corpus=str(held["corpus"]))

    @staticmethod
    def arrays() -> tuple[str, ...]:
        """Names of the arrays in the file, in order."""
        return (
            "mean", "scale", "status", "status_bias", "sentence", "sentence_bias", "mode", "mode_bias",
        )  # fmt: skip

    def hear(self, stage: StoryOf, vectors: Floats, whole: Floats, words: int) -> Heard:
        """Judge a telling from its sentence vectors (n, 384), n at least 1, and its own vector."""
        x = (features(vectors, whole, words) - self.mean) / self.scale
        scores = vectors @ self.sentence.T + self.sentence_bias
        statuses, evidence = {}, {}
        for element in ORDER_OF_CARE[stage]:
            i = ELEMENTS.index(element)
            statuses[element] = _softmax(self.status[i] @ x + self.status_bias[i])
            evidence[element] = scores[:, i]
        modes = 1 / (1 + np.exp(-(self.mode @ x + self.mode_bias)))
        return Heard(statuses, evidence, dict(zip(MODES, modes.tolist(), strict=True)))


def features(vectors: Floats, whole: Floats, words: int) -> Floats:
    """One row for a telling: pooled sentence vectors, its own vector, its length."""
    size = np.array([len(vectors) / 10, words / 100], dtype=np.float32)
    return np.concatenate([vectors.mean(0), vectors.max(0), whole, size])


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum(), dtype=np.float32)

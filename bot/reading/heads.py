"""What the reader learned: layers that hear the telling whole, and heads that judge elements."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Status, StoryOf
from bot.reading.encoder import LOCAL_LAYERS, Words
from bot.reading.model_file import Floats
from bot.reading.transformer import MATRICES, VECTORS, forward

BUNDLED = Path(__file__).parent / "weights" / "reader.npz"
STATUSES = (Status.MISSING, Status.WEAK, Status.PRESENT)
ELEMENTS: tuple[Element, ...] = tuple(e for stage in StoryOf for e in ORDER_OF_CARE[stage])
MODES: tuple[FailureMode, ...] = tuple(FailureMode)
PLACES = 24
"""Sentences told apart by their place in the telling; later ones share the last place."""

WINDOW = 512
"""Tokens that hear one another at most; about 350 words."""

LAYERS = tuple(range(LOCAL_LAYERS, 12))
"""Layers of the bundled model that were trained further."""


def of_stage(stage: StoryOf) -> slice:
    """Where the stage's elements stand in ELEMENTS."""
    first = ELEMENTS.index(ORDER_OF_CARE[stage][0])
    return slice(first, first + len(ORDER_OF_CARE[stage]))


_F = FailureMode
_MODES_OF: Mapping[StoryOf, frozenset[FailureMode]] = {
    StoryOf.SELF: frozenset(FailureMode)
    - {_F.US_EVERYONE, _F.US_TRAITS, _F.US_GRIEVANCE, _F.DOOM_ONLY}
    - {_F.NO_ASK, _F.NO_DATE_PLACE, _F.ASK_MENU},
    StoryOf.US: frozenset(
        {_F.US_EVERYONE, _F.US_TRAITS, _F.US_GRIEVANCE, _F.CONFLICT_DODGED, _F.DISCONNECTED}
        | {_F.CAMPAIGN_TALK, _F.ABSTRACT_BELIEF, _F.SOMEONE_ELSES, _F.OUTCOME_MISSING}
    ),
    StoryOf.NOW: frozenset(
        {_F.DOOM_ONLY, _F.WISHFUL_HOPE, _F.NO_ASK, _F.NO_DATE_PLACE, _F.ASK_MENU}
        | {_F.CONFLICT_DODGED, _F.DISCONNECTED, _F.ABSTRACT_BELIEF, _F.CAMPAIGN_TALK}
    ),
}


def silence(stage: StoryOf) -> Floats:
    """What keeps a failure mode of another stage from being named: 0, or a large negative."""
    possible = _MODES_OF[stage]
    return np.array([0.0 if m in possible else -30.0 for m in MODES] + [0.0], np.float32)


@dataclass(frozen=True)
class Heard:
    """What the heads say of one telling of one stage with k elements, n sentences.

    `statuses` (k, 3): probabilities in the order of STATUSES, elements in the order of care.
    `evidence` (n, k): how likely each sentence shows each element, 0 to 1; `words` (tokens, k)
    the same by token, `owner` (tokens) the sentence of each token.
    `modes`: shares that sum to one over MODES and, last, none of them.
    """

    statuses: Floats
    evidence: Floats
    words: Floats
    owner: NDArray[np.int64]
    modes: Floats


@dataclass(frozen=True)
class Weights:
    """Everything learned, by name; see `names`. `corpus` is the hash of what it learned from."""

    arrays: Mapping[str, Floats]
    corpus: str = ""
    heads: int = 12

    @classmethod
    def load(cls, path: Path = BUNDLED) -> Weights:
        """Read a weights file; OSError, KeyError or ValueError when it cannot be."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = {}
                for name in names():
                    numbers = held[name].astype(np.float32)
                    if name + ".scale" in held:
                        numbers *= held[name + ".scale"].astype(np.float32)
                    arrays[name] = numbers
                return cls(arrays, str(held["corpus"]))
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path.name} is damaged") from error

    def save(self, path: Path) -> None:
        """Write the file: matrices as bytes with a scale per column, the rest in half precision."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            arrays = {"corpus": np.array(self.corpus), **stored(self.arrays)}
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def layer(self, number: int) -> dict[str, Floats]:
        """The trained layer `number`."""
        return {n: self.arrays[f"layer{number}.{n}"] for n in (*MATRICES, *VECTORS)}

    def hear(self, stage: StoryOf, sentences: Sequence[Words]) -> Heard:
        """Judge a telling from its sentences' words; at least one sentence."""
        x, owner = joined(sentences)
        x += self.arrays["place"][np.minimum(owner, PLACES - 1)]
        spans = windows([len(s.vectors) for s in sentences])
        for number in LAYERS:
            x = forward(x, self.layer(number), spans, self.heads)
        part = of_stage(stage)
        logits = x @ self.arrays["evidence"][part].T + self.arrays["evidence.b"][part]
        weight = softmax(logits * self.arrays["sharpness"][part], 0)
        mean = x.mean(0)
        statuses = softmax(
            np.einsum("ecd,ed->ec", self.arrays["status"][part], weight.T @ x)
            + self.arrays["overall"][part] @ mean
            + self.arrays["status.b"][part],
            1,
        )
        chance = 1 / (1 + np.exp(-logits))
        shown = np.stack([_clearest(chance[owner == i]) for i in range(len(sentences))])
        modes = softmax(
            self.arrays["modes"] @ mean
            + self.arrays["modes.status"][:, 3 * part.start : 3 * part.stop] @ statuses.ravel()
            + self.arrays["modes.b"]
            + silence(stage),
            0,
        )
        return Heard(statuses, shown, chance, owner, modes)


def stored(arrays: Mapping[str, Floats]) -> dict[str, NDArray[np.generic]]:
    """Arrays as they rest in a file: matrices of layers as bytes with a scale per column."""
    made: dict[str, NDArray[np.generic]] = {}
    for name, numbers in arrays.items():
        if name.rpartition(".")[2] in MATRICES:
            scale = (np.abs(numbers).max(0) / 127 + 1e-12).astype(np.float16).astype(np.float32)
            scale = np.maximum(scale, np.float32(6e-8))
            made[name] = np.clip(np.rint(numbers / scale), -127, 127).astype(np.int8)
            made[name + ".scale"] = scale.astype(np.float16)
        else:
            made[name] = numbers.astype(np.float16)
    return made


def _clearest(chance: Floats) -> Floats:
    """The mean over the clearer half of a sentence's tokens, per element."""
    half: Floats = np.sort(chance, axis=0)[-max(1, len(chance) // 2) :].mean(0)
    return half


def names() -> tuple[str, ...]:
    """Names of all learned arrays."""
    layers = tuple(f"layer{n}.{name}" for n in LAYERS for name in (*MATRICES, *VECTORS))
    return (
        *layers, "place", "evidence", "evidence.b", "sharpness", "status", "overall", "status.b",
        "modes", "modes.status", "modes.b",
    )  # fmt: skip


def windows(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Token spans that hear one another: whole sentences, at most WINDOW tokens together.

    An ordinary telling is one window; a very long one is heard part by part.
    """
    spans, begun, at = [], 0, 0
    for length in lengths:
        if at > begun and at + length - begun > WINDOW:
            spans.append((begun, at))
            begun = at
        at += length
    return [*spans, (begun, at)]


def joined(sentences: Sequence[Words]) -> tuple[Floats, NDArray[np.int64]]:
    """All word vectors of a telling under one another, and which sentence each belongs to."""
    x = np.concatenate([s.vectors for s in sentences]).astype(np.float32)
    return x, np.repeat(np.arange(len(sentences)), [len(s.vectors) for s in sentences])


def softmax(x: Floats, axis: int) -> Floats:
    """Shares that sum to one along `axis`."""
    e = np.exp(x - x.max(axis, keepdims=True))
    shares: Floats = e / e.sum(axis, keepdims=True)
    return shares

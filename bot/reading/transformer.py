"""Transformer layers in plain numpy, as multilingual-e5-small has them (normalised after)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bot.reading.model_file import Floats, ModelFile

Layer = Mapping[str, Floats]

MATRICES = ("qkv", "out", "up", "down")
"""Weights of one layer that are matrices, stored (inputs, outputs)."""

VECTORS = ("qkv.b", "out.b", "norm1.w", "norm1.b", "up.b", "down.b", "norm2.w", "norm2.b")
"""Weights of one layer that are vectors."""

_ROWS = 128
_C = math.sqrt(2 / math.pi)


def layer_of(model: ModelFile, number: int) -> dict[str, Floats]:
    """Layer `number` of the bundled model, from 0, ready for `forward`."""
    w, p = model.width, f"l{number}."
    return {
        "qkv": np.ascontiguousarray(
            np.concatenate([model.matrix(p + n, w) for n in ("q.w", "k.w", "v.w")]).T
        ),
        "out": np.ascontiguousarray(model.matrix(p + "ao.w", w).T),
        "up": np.ascontiguousarray(model.matrix(p + "fi.w", w).T),
        "down": np.ascontiguousarray(model.matrix(p + "fo.w", model.inner).T),
        "qkv.b": np.concatenate([model.floats(p + n) for n in ("q.b", "k.b", "v.b")]),
        "out.b": model.floats(p + "ao.b"),
        "norm1.w": model.floats(p + "aln.w"),
        "norm1.b": model.floats(p + "aln.b"),
        "up.b": model.floats(p + "fi.b"),
        "down.b": model.floats(p + "fo.b"),
        "norm2.w": model.floats(p + "oln.w"),
        "norm2.b": model.floats(p + "oln.b"),
    }


def forward(x: Floats, layer: Layer, spans: Sequence[tuple[int, int]], heads: int) -> Floats:
    """One layer over tokens `x` (n, width); each token attends within its own span."""
    n, width = x.shape
    size = width // heads
    qkv = x @ layer["qkv"] + layer["qkv.b"]
    context: Floats = np.empty((n, width), np.float32)
    for a, b in spans:
        q, k, v = qkv[a:b].reshape(b - a, 3, heads, size).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1)
        scores *= 1 / math.sqrt(size)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        context[a:b] = (scores @ v).transpose(1, 0, 2).reshape(b - a, width)
    attended: Floats = context @ layer["out"] + layer["out.b"]
    x = normal(x + attended, layer["norm1.w"], layer["norm1.b"])
    inner: Floats = x @ layer["up"]
    inner += layer["up.b"]
    for a in range(0, n, _ROWS):
        inner[a : a + _ROWS] = gelu(inner[a : a + _ROWS])
    down: Floats = inner @ layer["down"] + layer["down.b"]
    return normal(x + down, layer["norm2.w"], layer["norm2.b"])


def normal(x: Floats, weight: Floats, bias: Floats) -> Floats:
    """Layer normalisation of each row."""
    x = x - x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
    x *= weight
    x += bias
    return x


def gelu(x: Floats) -> Floats:
    """The smooth gate between the two halves of a layer (tanh form)."""
    t = x * x
    t *= 0.044715
    t += 1.0
    t *= x
    t *= _C
    np.tanh(t, out=t)
    t += 1.0
    t *= x
    t *= 0.5
    return t

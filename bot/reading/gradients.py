"""Slopes of the model's layers, written out in numpy, and the steps taken down them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from bot.reading.heads import softmax
from bot.reading.model_file import Floats

Arrays = dict[str, Floats]

_C = math.sqrt(2 / math.pi)
_ROWS = 64


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Two halves of a batch side by side beat one matrix product on two threads.

    One thread per product also fixes the order of its sums, whatever the number of cores.
    """
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield


Tape = dict[str, Floats]


def layer_forward(
    x: Floats,
    arrays: Arrays,
    p: str,
    spans: Sequence[tuple[int, int]],
    dropout: float,
    rng: np.random.Generator,
) -> tuple[Floats, tuple[Tape, list[Floats], Sequence[tuple[int, int]]]]:
    """One layer over tokens `x` (n, width), and what `layer_backward` needs of it.

    `p` begins the names of the layer's arrays; tokens attend within their span.
    """
    width = x.shape[1]
    heads = width // 32
    qkv = x @ arrays[p + "qkv"] + arrays[p + "qkv.b"]
    context = np.empty_like(x)
    shares: list[Floats] = []
    for a, b in spans:
        q, k, v = qkv[a:b].reshape(b - a, 3, heads, 32).transpose(1, 2, 0, 3)
        share = softmax(q @ k.transpose(0, 2, 1) * np.float32(1 / math.sqrt(32)), -1)
        context[a:b] = (share @ v).transpose(1, 0, 2).reshape(b - a, width)
        shares.append(share)
    attended = context @ arrays[p + "out"] + arrays[p + "out.b"]
    mask1 = _mask(attended.shape, dropout, rng)
    attended *= mask1
    y, hat1, inv1 = _normal(x + attended, arrays[p + "norm1.w"], arrays[p + "norm1.b"])
    inner: Floats = y @ arrays[p + "up"]
    inner += arrays[p + "up.b"]
    gate = np.empty_like(inner)
    active = np.empty_like(inner)
    for a in range(0, len(inner), _ROWS):
        u = inner[a : a + _ROWS]
        t = np.tanh(_C * (u + 0.044715 * u * u * u))
        active[a : a + _ROWS] = 0.5 * u * (1 + t)
        gate[a : a + _ROWS] = 0.5 * (1 + t) + 0.5 * u * (1 - t * t) * _C * (1 + 0.134145 * u * u)
    down = active @ arrays[p + "down"] + arrays[p + "down.b"]
    mask2 = _mask(down.shape, dropout, rng)
    down *= mask2
    out, hat2, inv2 = _normal(y + down, arrays[p + "norm2.w"], arrays[p + "norm2.b"])
    tape = {
        "x": x, "qkv": qkv, "context": context, "mask1": mask1, "hat1": hat1, "inv1": inv1, "y": y,
        "gate": gate, "active": active, "mask2": mask2, "hat2": hat2, "inv2": inv2,
    }  # fmt: skip
    return out, (tape, shares, spans)


def layer_backward(
    dout: Floats,
    arrays: Arrays,
    slopes: Arrays,
    p: str,
    held: tuple[Tape, list[Floats], Sequence[tuple[int, int]]],
) -> Floats:
    """The slope of a layer's input from that of its output; writes those of its arrays."""
    t, shares, spans = held
    slopes[p + "norm2.w"] = (dout * t["hat2"]).sum(0)
    slopes[p + "norm2.b"] = dout.sum(0)
    dy = _normal_back(dout * arrays[p + "norm2.w"], t["hat2"], t["inv2"])
    ddown: Floats = dy * t["mask2"]
    slopes[p + "down"] = t["active"].T @ ddown
    slopes[p + "down.b"] = ddown.sum(0)
    dinner: Floats = ddown @ arrays[p + "down"].T
    dinner *= t["gate"]
    slopes[p + "up"] = t["y"].T @ dinner
    slopes[p + "up.b"] = dinner.sum(0)
    dy += dinner @ arrays[p + "up"].T
    slopes[p + "norm1.w"] = (dy * t["hat1"]).sum(0)
    slopes[p + "norm1.b"] = dy.sum(0)
    dx = _normal_back(dy * arrays[p + "norm1.w"], t["hat1"], t["inv1"])
    dattended = dx * t["mask1"]
    slopes[p + "out"] = t["context"].T @ dattended
    slopes[p + "out.b"] = dattended.sum(0)
    dcontext = dattended @ arrays[p + "out"].T
    dqkv = np.empty_like(t["qkv"])
    width = dx.shape[1]
    heads, root = width // 32, np.float32(1 / math.sqrt(32))
    for share, (a, b) in zip(shares, spans, strict=True):
        q, k, v = t["qkv"][a:b].reshape(b - a, 3, heads, 32).transpose(1, 2, 0, 3)
        dc = dcontext[a:b].reshape(b - a, heads, 32).transpose(1, 0, 2)
        dv = share.transpose(0, 2, 1) @ dc
        dshare = dc @ v.transpose(0, 2, 1)
        dscore = share * (dshare - (dshare * share).sum(-1, keepdims=True)) * root
        dq, dk = dscore @ k, dscore.transpose(0, 2, 1) @ q
        dqkv[a:b] = np.stack([dq, dk, dv]).transpose(2, 0, 1, 3).reshape(b - a, 3 * width)
    slopes[p + "qkv"] = t["x"].T @ dqkv
    slopes[p + "qkv.b"] = dqkv.sum(0)
    dx += dqkv @ arrays[p + "qkv"].T
    return dx


def _mask(shape: tuple[int, ...], dropout: float, rng: np.random.Generator) -> Floats:
    kept = rng.random(shape, dtype=np.float32) >= dropout
    return kept.astype(np.float32) / np.float32(1 - dropout)


def _normal(x: Floats, weight: Floats, bias: Floats) -> tuple[Floats, Floats, Floats]:
    x = x - x.mean(-1, keepdims=True)
    inv = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12))
    x *= inv
    return x * weight + bias, x, inv


def _normal_back(dhat: Floats, hat: Floats, inv: Floats) -> Floats:
    out: Floats = inv * (
        dhat - dhat.mean(-1, keepdims=True) - hat * (dhat * hat).mean(-1, keepdims=True)
    )
    return out


def adam(
    arrays: Arrays,
    slopes: Arrays,
    first: Arrays,
    second: Arrays,
    step: int,
    steps: int,
    rates: tuple[float, float],
    decay: float,
    pool: ThreadPoolExecutor,
) -> None:
    """One AdamW step in place, with warm-up over a tenth and then a straight fall to zero.

    `rates` are the heights of the layers' rate and of everything else's.
    """
    warm = max(1, steps // 10)
    height = min(step / warm, (steps - step + 1) / max(1, steps - warm))
    size = math.sqrt(sum(float(np.vdot(s, s)) for s in slopes.values()))
    clip = np.float32(min(1.0, 5.0 / (size + 1e-9)))
    a, b = np.float32(1 / (1 - 0.9**step)), np.float32(1 / (1 - 0.99**step))

    def move(name: str) -> None:
        slope = slopes[name]
        rate = np.float32(height * (rates[0] if name.startswith("layer") else rates[1]))
        slope *= clip
        m, v = first[name], second[name]
        m *= np.float32(0.9)
        m += np.float32(0.1) * slope
        v *= np.float32(0.99)
        slope *= slope
        slope *= np.float32(0.01)
        v += slope
        change = v * b
        np.sqrt(change, out=change)
        change += np.float32(1e-6)
        np.divide(m, change, out=change)
        change *= rate * a
        if arrays[name].ndim > 1:
            arrays[name] *= np.float32(1 - float(rate) * decay)
        arrays[name] -= change

    for moved in [pool.submit(move, name) for name in slopes]:
        moved.result()

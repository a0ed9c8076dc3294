"""Training the reader: the gradients of its layers and heads, written out in numpy.

A tuned copy of the model's upper layers hears the telling whole; each element has a listener
that attends to words (taught by the labelled evidence) and a three-way judgement of its status.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.narrative import StoryOf
from bot.reading.encoder import SentenceEncoder
from bot.reading.heads import (
    ELEMENTS,
    LAYERS,
    MODES,
    PLACES,
    STATUSES,
    Weights,
    joined,
    of_stage,
    silence,
    softmax,
)
from bot.reading.labelled import LabelledTelling
from bot.reading.model_file import Floats
from bot.reading.sentences import split
from bot.reading.transformer import layer_of

Arrays = dict[str, Floats]

_C = math.sqrt(2 / math.pi)
_ROWS = 64


@dataclass(frozen=True)
class Recipe:
    """How to train. Rates are per step at their height; shares are of 1.

    `runs` trainings begin alike and meet the tellings in different orders; their mean is kept,
    which hears better than any one of them and costs nothing when reading (Wortsman et al.,
    *Model soups*, 2022).
    """

    runs: int = 2
    passes: int = 12
    tellings_a_step: int = 8
    layer_rate: float = 3.5e-4
    head_rate: float = 3e-3
    decay: float = 0.01
    dropout: float = 0.1
    words_left_out: float = 0.1
    cut_share: float = 0.5
    dictated_share: float = 0.25
    smoothing: float = 0.05
    evidence_weight: float = 1.0
    mode_weight: float = 0.7
    seed: int = 7

    def steps(self, lessons: int) -> int:
        """Steps taken in all over so many lessons."""
        return self.runs * self.passes * math.ceil(lessons / self.tellings_a_step)


@dataclass
class Lesson:
    """One telling ready to learn from: words, and what each should be heard as.

    `shown` (tokens, k) is 1 where a token stands in the evidence of an element; `status` (k) is
    the label as an index of STATUSES, -1 when not to be learned; `owner` the sentence per token;
    `modes` the share of each of MODES and, last, of none; -1 throughout when not to be learned.
    """

    stage: StoryOf
    x: NDArray[np.float16]
    owner: NDArray[np.int64]
    shown: Floats
    status: NDArray[np.int64]
    modes: Floats


def lessons_of(telling: LabelledTelling, encoder: SentenceEncoder) -> list[Lesson]:
    """The telling as typed and as if dictated by phone; empty when it has no words."""
    texts = dict.fromkeys((telling.text, as_dictated(telling.text)))
    return [made for text in texts if (made := lesson(telling, encoder, text))]


def as_dictated(text: str) -> str:
    """The same words without capitals, punctuation or accents; every letter keeps its place."""

    def bare(character: str) -> str:
        if character.isspace() or character in "'’":
            return character
        if not character.isalnum():
            return " "
        plain = unicodedata.normalize("NFD", character)[0].lower()
        return plain if len(plain) == 1 else character

    return "".join(bare(c) for c in text)


def lesson(
    telling: LabelledTelling, encoder: SentenceEncoder, said: str | None = None
) -> Lesson | None:
    """The telling as a lesson; None when it has no words.

    `said` is another form of its text, letter for letter in the same places.
    """
    sentences = split(said or telling.text)
    if not sentences:
        return None
    words = encoder.encode([s.text for s in sentences])
    x, owner = joined(words)
    elements = ELEMENTS[of_stage(telling.stage)]
    starts = np.concatenate([w.starts + s.start for w, s in zip(words, sentences, strict=True)])
    ends = np.concatenate([w.ends + s.start for w, s in zip(words, sentences, strict=True)])
    shown = np.zeros((len(x), len(elements)), np.float32)
    for k, element in enumerate(elements):
        for quote in telling.evidence.get(element, ()):
            at = telling.text.find(quote)
            shown[(starts < at + len(quote)) & (ends > at), k] = 1
    status = np.array([STATUSES.index(telling.labels[e]) for e in elements])
    modes = np.array([m in telling.modes for m in MODES] + [not telling.modes], np.float32)
    modes /= modes.sum()
    return Lesson(telling.stage, x.astype(np.float16), owner, shown, status, modes)


def fresh_weights(encoder: SentenceEncoder, rng: np.random.Generator) -> Arrays:
    """The bundled layers with untaught heads."""
    model = encoder.model()
    arrays: Arrays = {}
    for number in LAYERS:
        for name, numbers in layer_of(model, number).items():
            arrays[f"layer{number}.{name}"] = numbers
    n, width = len(ELEMENTS), model.width

    def small(*shape: int) -> Floats:
        return (rng.standard_normal(shape) * 0.02).astype(np.float32)

    arrays["place"] = small(PLACES, width)
    arrays["evidence"] = small(n, width)
    arrays["evidence.b"] = np.full(n, -1.5, np.float32)
    arrays["sharpness"] = np.ones(n, np.float32)
    arrays["status"] = small(n, 3, width)
    arrays["overall"] = small(n, 3, width)
    arrays["status.b"] = np.zeros((n, 3), np.float32)
    arrays["modes"] = small(len(MODES) + 1, width)
    arrays["modes.status"] = np.zeros((len(MODES) + 1, 3 * n), np.float32)
    arrays["modes.b"] = np.zeros(len(MODES) + 1, np.float32)
    return arrays


def train(
    lessons: Sequence[Sequence[Lesson]],
    encoder: SentenceEncoder,
    recipe: Recipe,
    told: Callable[[int, float], None] = lambda step, loss: None,
) -> Weights:
    """Teach fresh weights; `told` hears each step and its loss. Same input, same weights.

    Each item of `lessons` holds the forms of one telling; the first is learned from most often.
    (To the last digits: the machine's matrix library decides the order of sums.)
    """
    begun = fresh_weights(encoder, np.random.default_rng(recipe.seed))
    total: Arrays = {}
    for run in range(recipe.runs):
        learned = run_once(begun, lessons, recipe, run, told)
        for name, numbers in learned.items():
            total[name] = total[name] + numbers if run else numbers
    return Weights({name: numbers / np.float32(recipe.runs) for name, numbers in total.items()})


def run_once(
    begun: Arrays,
    lessons: Sequence[Sequence[Lesson]],
    recipe: Recipe,
    run: int,
    told: Callable[[int, float], None],
) -> Arrays:
    """One of the runs of a recipe, from `begun`, which stays as it is."""
    rng = np.random.default_rng([recipe.seed, run])
    arrays = {name: numbers.copy() for name, numbers in begun.items()}
    steps = recipe.steps(len(lessons)) // recipe.runs
    before = run * steps
    first = {n: np.zeros_like(a) for n, a in arrays.items()}
    second = {n: np.zeros_like(a) for n, a in arrays.items()}
    step = 0
    with _one_thread_each(), ThreadPoolExecutor(2) as pool:
        for _ in range(recipe.passes):
            order = rng.permutation(len(lessons))
            for a in range(0, len(order), recipe.tellings_a_step):
                batch = [
                    varied(_form(lessons[i], recipe, rng), recipe, rng)
                    for i in order[a : a + recipe.tellings_a_step]
                ]
                seeds = rng.integers(2**62, size=2)
                halves = [half for half in (batch[0::2], batch[1::2]) if half]
                parts = [
                    pool.submit(
                        gradients, arrays, half, recipe, np.random.default_rng(seed), len(batch)
                    )
                    for half, seed in zip(halves, seeds, strict=False)
                ]
                loss, slopes = parts[0].result()
                for part in parts[1:]:
                    more, other = part.result()
                    loss += more
                    for name, slope in other.items():
                        slopes[name] += slope
                step += 1
                _adam(arrays, slopes, first, second, step, steps, recipe, pool)
                told(before + step, loss)
    return arrays


@contextmanager
def _one_thread_each() -> Iterator[None]:
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


def _form(forms: Sequence[Lesson], recipe: Recipe, rng: np.random.Generator) -> Lesson:
    other = len(forms) > 1 and rng.random() < recipe.dictated_share
    return forms[int(rng.integers(1, len(forms)))] if other else forms[0]


def varied(lesson: Lesson, recipe: Recipe, rng: np.random.Generator) -> Lesson:
    """The lesson with some words unheard and, sometimes, the sentences of one element cut away."""
    keep = rng.random(len(lesson.x)) >= recipe.words_left_out
    status = lesson.status
    there = np.flatnonzero(lesson.shown.any(0))
    if len(there) and rng.random() < recipe.cut_share:
        k = rng.choice(there)
        gone = np.isin(lesson.owner, np.unique(lesson.owner[lesson.shown[:, k] > 0]))
        if not gone.all():
            keep &= ~gone
            left, had = lesson.shown[~gone].any(0), lesson.shown[gone].any(0)
            status = np.where(had & ~left, 0, np.where(had & left, -1, status))
            lesson = Lesson(
                lesson.stage,
                lesson.x,
                lesson.owner,
                lesson.shown,
                status,
                np.full_like(lesson.modes, -1),
            )
    if not keep.any():
        return lesson
    return Lesson(
        lesson.stage,
        lesson.x[keep],
        lesson.owner[keep],
        lesson.shown[keep],
        status,
        lesson.modes,
    )


def gradients(
    arrays: Arrays,
    batch: Sequence[Lesson],
    recipe: Recipe,
    rng: np.random.Generator,
    tellings: int | None = None,
) -> tuple[float, Arrays]:
    """The loss and its slope for every array, as shares of a step of so many `tellings`."""
    tellings = tellings or len(batch)
    slopes: Arrays = {}
    spans, at = [], 0
    for item in batch:
        spans.append((at, at + len(item.x)))
        at += len(item.x)
    places = np.minimum(np.concatenate([b.owner for b in batch]), PLACES - 1)
    x = np.concatenate([b.x for b in batch]).astype(np.float32) + arrays["place"][places]
    tapes = []
    for number in LAYERS:
        x, tape = _layer_forward(x, arrays, f"layer{number}.", spans, recipe.dropout, rng)
        tapes.append(tape)
    for name in ("evidence", "evidence.b", "sharpness", "status", "overall", "status.b"):
        slopes[name] = np.zeros_like(arrays[name])
    for name in ("modes", "modes.status", "modes.b"):
        slopes[name] = np.zeros_like(arrays[name])
    dx = np.zeros_like(x)
    loss = 0.0
    for item, (a, b) in zip(batch, spans, strict=True):
        loss += _heads(arrays, slopes, item, x[a:b], dx[a:b], recipe, tellings)
    for number, tape in zip(reversed(LAYERS), reversed(tapes), strict=True):
        dx = _layer_backward(dx, arrays, slopes, f"layer{number}.", tape)
    place = np.zeros_like(arrays["place"])
    np.add.at(place, places, dx)
    slopes["place"] = place
    return loss, slopes


def _heads(
    arrays: Arrays,
    slopes: Arrays,
    item: Lesson,
    h: Floats,
    dh: Floats,
    recipe: Recipe,
    batch: int,
) -> float:
    """Loss of one telling's heads; adds to `slopes` and writes the slope of `h` into `dh`."""
    part = of_stage(item.stage)
    u, sharp = arrays["evidence"][part], arrays["sharpness"][part]
    status, overall = arrays["status"][part], arrays["overall"][part]
    n = len(h)
    z = h @ u.T + arrays["evidence.b"][part]
    weight = softmax(z * sharp, 0)
    pooled, mean = weight.T @ h, h.mean(0)
    judged = softmax(
        np.einsum("ecd,ed->ec", status, pooled) + overall @ mean + arrays["status.b"][part], 1
    )
    learned = item.status >= 0
    target = np.full_like(judged, recipe.smoothing / 3)
    target[np.arange(len(target)), np.maximum(item.status, 0)] += 1 - recipe.smoothing
    loss = -float((target * np.log(judged + 1e-9))[learned].sum()) / batch
    ds = (judged - target) * learned[:, None] / batch
    dmean = np.zeros_like(mean)
    if item.modes[0] >= 0:
        flat = judged.ravel()
        of_judged = arrays["modes.status"][:, 3 * part.start : 3 * part.stop]
        guess = softmax(
            arrays["modes"] @ mean + of_judged @ flat + arrays["modes.b"] + silence(item.stage), 0
        )
        loss -= recipe.mode_weight / batch * float((item.modes * np.log(guess + 1e-9)).sum())
        dm = recipe.mode_weight / batch * (guess - item.modes)
        slopes["modes"] += dm[:, None] * mean
        slopes["modes.status"][:, 3 * part.start : 3 * part.stop] += dm[:, None] * flat
        slopes["modes.b"] += dm
        dmean += dm @ arrays["modes"]
        djudged = (dm @ of_judged).reshape(judged.shape)
        ds += judged * (djudged - (judged * djudged).sum(1, keepdims=True))
    slopes["status.b"][part] += ds
    slopes["status"][part] += ds[:, :, None] * pooled[:, None, :]
    slopes["overall"][part] += ds[:, :, None] * mean
    dmean += np.einsum("ec,ecd->d", ds, overall)
    dpooled = np.einsum("ec,ecd->ed", ds, status)
    dweight = h @ dpooled.T
    dsharp_z = weight * (dweight - (weight * dweight).sum(0))
    slopes["sharpness"][part] += (dsharp_z * z).sum(0)
    dz = dsharp_z * sharp
    chance = 1 / (1 + np.exp(-z))
    # Evidence is a small part of a telling: its tokens count for more.
    heavy = np.where(item.shown > 0, 2.0, 1.0) * learned
    scale = recipe.evidence_weight / (n * batch)
    loss -= scale * float(
        (heavy * np.where(item.shown > 0, np.log(chance + 1e-9), np.log(1 - chance + 1e-9))).sum()
    )
    dz += scale * heavy * (chance - item.shown)
    slopes["evidence"][part] += dz.T @ h
    slopes["evidence.b"][part] += dz.sum(0)
    dh[:] = weight @ dpooled + dz @ u + dmean / n
    return loss


Tape = dict[str, Floats]


def _layer_forward(
    x: Floats,
    arrays: Arrays,
    p: str,
    spans: Sequence[tuple[int, int]],
    dropout: float,
    rng: np.random.Generator,
) -> tuple[Floats, tuple[Tape, list[Floats], Sequence[tuple[int, int]]]]:
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


def _layer_backward(
    dout: Floats,
    arrays: Arrays,
    slopes: Arrays,
    p: str,
    held: tuple[Tape, list[Floats], Sequence[tuple[int, int]]],
) -> Floats:
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


def _adam(
    arrays: Arrays,
    slopes: Arrays,
    first: Arrays,
    second: Arrays,
    step: int,
    steps: int,
    recipe: Recipe,
    pool: ThreadPoolExecutor,
) -> None:
    """One AdamW step in place, with warm-up over a tenth and then a straight fall to zero."""
    warm = max(1, steps // 10)
    height = min(step / warm, (steps - step + 1) / max(1, steps - warm))
    size = math.sqrt(sum(float(np.vdot(s, s)) for s in slopes.values()))
    clip = np.float32(min(1.0, 5.0 / (size + 1e-9)))
    a, b = np.float32(1 / (1 - 0.9**step)), np.float32(1 / (1 - 0.99**step))

    def move(name: str) -> None:
        slope = slopes[name]
        rate = np.float32(
            height * (recipe.layer_rate if name.startswith("layer") else recipe.head_rate)
        )
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
            arrays[name] *= np.float32(1 - float(rate) * recipe.decay)
        arrays[name] -= change

    for moved in [pool.submit(move, name) for name in slopes]:
        moved.result()

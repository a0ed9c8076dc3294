"""Training the reader: the gradients of its layers and heads, written out in numpy.

A tuned copy of the model's upper layers hears the telling whole; each element has a listener
that attends to words (taught by the labelled evidence) and a three-way judgement of its status.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.narrative import StoryOf
from bot.reading.encoder import SentenceEncoder
from bot.reading.gradients import Arrays, adam, layer_backward, layer_forward, one_thread_each
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
    with one_thread_each(), ThreadPoolExecutor(2) as pool:
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
                adam(
                    arrays,
                    slopes,
                    first,
                    second,
                    step,
                    steps,
                    (recipe.layer_rate, recipe.head_rate),
                    recipe.decay,
                    pool,
                )
                told(before + step, loss)
    return arrays


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
        x, tape = layer_forward(x, arrays, f"layer{number}.", spans, recipe.dropout, rng)
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
        dx = layer_backward(dx, arrays, slopes, f"layer{number}.", tape)
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

"""Training the alarm from labelled messages, and from tellings in which nobody is in danger."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bot.reading.alarm import SHORT, AlarmWeights
from bot.reading.encoder import SentenceEncoder
from bot.reading.gradients import Arrays, adam, layer_backward, layer_forward, one_thread_each
from bot.reading.heads import LAYERS, softmax
from bot.reading.learning import as_dictated
from bot.reading.model_file import Floats
from bot.reading.sentences import split
from bot.reading.transformer import layer_of


@dataclass(frozen=True)
class Sample:
    """A text and what is to be heard: `danger` yes or no, `pain` likewise, None for unknown."""

    text: str
    danger: bool
    pain: bool | None


@dataclass(frozen=True)
class AlarmRecipe:
    """How to train. Rates are per step at their height; shares are of 1.

    A grave message is `inside_share` of the time told in the middle of a calm telling, and calm
    messages among each other, so that company itself means nothing. Of every telling `alone` single
    sentences are heard in a pass besides: in a conversation people send one at a time.
    """

    passes: int = 6
    samples_a_step: int = 16
    layer_rate: float = 2e-4
    head_rate: float = 2e-3
    decay: float = 0.01
    dropout: float = 0.1
    words_left_out: float = 0.08
    dictated_share: float = 0.25
    inside_share: float = 0.3
    part_share: float = 0.7
    alone: int = 2
    smoothing: float = 0.02
    danger_weight: float = 1.5
    seed: int = 11


def fresh(encoder: SentenceEncoder, rng: np.random.Generator) -> Arrays:
    """The bundled layers with untaught listeners."""
    model = encoder.model()
    arrays: Arrays = {}
    for number in LAYERS:
        for name, numbers in layer_of(model, number).items():
            arrays[f"layer{number}.{name}"] = numbers
    for name in ("listen", "judge", "overall"):
        arrays[name] = (rng.standard_normal((2, model.width)) * 0.02).astype(np.float32)
    arrays["sharpness"] = np.ones(2, np.float32)
    arrays["bias"] = np.array([-1.5, -1.0], np.float32)
    return arrays


def train(
    messages: Sequence[Sample],
    tellings: Sequence[Sample],
    encoder: SentenceEncoder,
    recipe: AlarmRecipe,
    told: Callable[[int, float], None] = lambda step, loss: None,
) -> AlarmWeights:
    """Teach fresh weights; `told` hears each step and its loss. Same input, same weights.

    Of a telling usually a part is heard, as people send one; all are calm as to danger.
    """
    rng = np.random.default_rng(recipe.seed)
    arrays = fresh(encoder, rng)
    everything = [*messages, *list(tellings) * (1 + recipe.alone)]
    whole = len(messages) + len(tellings)
    steps = recipe.passes * math.ceil(len(everything) / recipe.samples_a_step)
    first = {n: np.zeros_like(a) for n, a in arrays.items()}
    second = {n: np.zeros_like(a) for n, a in arrays.items()}
    step = 0
    with one_thread_each(), ThreadPoolExecutor(2) as pool:
        for _ in range(recipe.passes):
            order = rng.permutation(len(everything))
            for a in range(0, len(order), recipe.samples_a_step):
                batch = [
                    _alone(everything[i], recipe, rng)
                    if i >= whole
                    else varied(everything[i], i >= len(messages), tellings, recipe, rng)
                    for i in order[a : a + recipe.samples_a_step]
                ]
                heard = [(_vectors(s.text, encoder, recipe, rng), s) for s in batch]
                heard = [(x, s) for x, s in heard if len(x)]
                halves = [half for half in (heard[0::2], heard[1::2]) if half]
                seeds = rng.integers(2**62, size=2)
                parts = [
                    pool.submit(
                        slopes_of, arrays, half, recipe, np.random.default_rng(seed), len(heard)
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
                rates = (recipe.layer_rate, recipe.head_rate)
                adam(arrays, slopes, first, second, step, steps, rates, recipe.decay, pool)
                told(step, loss)
    return AlarmWeights(arrays)


def varied(
    sample: Sample,
    is_telling: bool,
    tellings: Sequence[Sample],
    recipe: AlarmRecipe,
    rng: np.random.Generator,
) -> Sample:
    """The sample as it might arrive: a part of a telling, a message within one, dictated."""
    text = sample.text
    if is_telling:
        if rng.random() < recipe.part_share:
            text = _part(text, rng)
    elif rng.random() < recipe.inside_share:
        around = tellings[int(rng.integers(len(tellings)))]
        if around.pain is not True:
            sentences = [s.text for s in split(_part(around.text, rng))][:5]
            at = int(rng.integers(len(sentences) + 1))
            text = " ".join([*sentences[:at], text, *sentences[at:]])
            if len(text.split()) > SHORT + SHORT // 2:
                text = sample.text
    if rng.random() < recipe.dictated_share:
        text = as_dictated(text)
    return Sample(text, sample.danger, sample.pain)


def _alone(telling: Sample, recipe: AlarmRecipe, rng: np.random.Generator) -> Sample:
    """One sentence of a telling; whether it pains is known only of the whole."""
    sentences = [s.text for s in split(telling.text)]
    text = sentences[int(rng.integers(len(sentences)))] if sentences else telling.text
    if rng.random() < recipe.dictated_share:
        text = as_dictated(text)
    return Sample(text, telling.danger, None if telling.pain else telling.pain)


def _part(text: str, rng: np.random.Generator) -> str:
    """One to five sentences in a row; a telling without sentences is cut between words."""
    sentences = [s.text for s in split(text)]
    if len(sentences) < 2:
        words = text.split()
        size = int(rng.integers(8, SHORT))
        at = int(rng.integers(max(1, len(words) - size)))
        return " ".join(words[at : at + size])
    size = int(rng.integers(1, 6))
    at = int(rng.integers(max(1, len(sentences) - size + 1)))
    return " ".join(sentences[at : at + size])


def _vectors(
    text: str, encoder: SentenceEncoder, recipe: AlarmRecipe, rng: np.random.Generator
) -> Floats:
    sentences = split(text)
    if not sentences:
        return np.zeros((0, 0), np.float32)
    words = encoder.encode([s.text for s in sentences])
    x = np.concatenate([w.vectors for w in words]).astype(np.float32)
    keep = rng.random(len(x)) >= recipe.words_left_out
    return x[keep] if keep.any() else x


def slopes_of(
    arrays: Arrays,
    batch: Sequence[tuple[Floats, Sample]],
    recipe: AlarmRecipe,
    rng: np.random.Generator,
    samples: int | None = None,
) -> tuple[float, Arrays]:
    """The loss and its slope for every array, as shares of a step of so many `samples`."""
    samples = samples or len(batch)
    slopes: Arrays = {}
    spans, at = [], 0
    for item, _ in batch:
        spans.append((at, at + len(item)))
        at += len(item)
    x: Floats = np.concatenate([item for item, _ in batch])
    tapes = []
    for number in LAYERS:
        x, tape = layer_forward(x, arrays, f"layer{number}.", spans, recipe.dropout, rng)
        tapes.append(tape)
    for name in ("listen", "sharpness", "judge", "overall", "bias"):
        slopes[name] = np.zeros_like(arrays[name])
    dx = np.zeros_like(x)
    loss = 0.0
    for (_, sample), (a, b) in zip(batch, spans, strict=True):
        loss += _judge(arrays, slopes, sample, x[a:b], dx[a:b], recipe, samples)
    for number, tape in zip(reversed(LAYERS), reversed(tapes), strict=True):
        dx = layer_backward(dx, arrays, slopes, f"layer{number}.", tape)
    return loss, slopes


def _judge(
    arrays: Arrays,
    slopes: Arrays,
    sample: Sample,
    h: Floats,
    dh: Floats,
    recipe: AlarmRecipe,
    samples: int,
) -> float:
    """Loss of one sample; adds to `slopes` and writes the slope of `h` into `dh`."""
    listen, sharp, judge = arrays["listen"], arrays["sharpness"], arrays["judge"]
    z = h @ listen.T
    share = softmax(z * sharp, 0)
    pooled, mean = share.T @ h, h.mean(0)
    logits = (pooled * judge).sum(1) + arrays["overall"] @ mean + arrays["bias"]
    chance = 1 / (1 + np.exp(-logits))
    wished = np.array([sample.danger, bool(sample.pain)], np.float32)
    wished = wished * (1 - 2 * recipe.smoothing) + recipe.smoothing
    known = sample.pain is not None and not sample.danger
    weight = np.array(
        [recipe.danger_weight if sample.danger else 1.0, 1.0 if known else 0.0], np.float32
    )
    weight /= samples
    loss = -float(
        (weight * (wished * np.log(chance + 1e-9) + (1 - wished) * np.log(1 - chance + 1e-9))).sum()
    )
    ds = (chance - wished) * weight
    slopes["bias"] += ds
    slopes["judge"] += ds[:, None] * pooled
    slopes["overall"] += ds[:, None] * mean
    dpooled = ds[:, None] * judge
    dshare = h @ dpooled.T
    dscaled = share * (dshare - (share * dshare).sum(0))
    slopes["sharpness"] += (dscaled * z).sum(0)
    dz = dscaled * sharp
    slopes["listen"] += dz.T @ h
    dh[:] = share @ dpooled + dz @ listen + (ds @ arrays["overall"]) / len(h)
    return loss

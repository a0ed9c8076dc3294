"""The gradients are right, lessons follow the labels, and the same lessons teach the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.core.narrative import Element, FailureMode, Status, StoryOf
from bot.reading import learning
from bot.reading.encoder import SentenceEncoder
from bot.reading.heads import ELEMENTS, MODES, PLACES, of_stage, silence, windows
from bot.reading.labelled import LabelledTelling
from bot.reading.learning import (
    Lesson,
    Recipe,
    as_dictated,
    gradients,
    lesson,
    lessons_of,
    train,
    varied,
)

WIDTH = 64


def small_arrays(rng: np.random.Generator) -> learning.Arrays:
    def some(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) * 0.2

    n, arrays = len(ELEMENTS), {}
    for number in (6, 7):
        for name, shape in {
            "qkv": (WIDTH, 3 * WIDTH), "out": (WIDTH, WIDTH), "up": (WIDTH, 128),
            "down": (128, WIDTH), "qkv.b": (3 * WIDTH,), "out.b": (WIDTH,), "norm1.w": (WIDTH,),
            "norm1.b": (WIDTH,), "up.b": (128,), "down.b": (WIDTH,), "norm2.w": (WIDTH,),
            "norm2.b": (WIDTH,),
        }.items():  # fmt: skip
            arrays[f"layer{number}.{name}"] = some(*shape) + (1 if name.endswith(".w") else 0)
    return arrays | {
        "place": some(PLACES, WIDTH), "evidence": some(n, WIDTH), "evidence.b": some(n),
        "sharpness": 1 + some(n), "status": some(n, 3, WIDTH), "overall": some(n, 3, WIDTH),
        "status.b": some(n, 3), "modes": some(len(MODES) + 1, WIDTH),
        "modes.status": some(len(MODES) + 1, 3 * n), "modes.b": some(len(MODES) + 1),
    }  # fmt: skip


def modes_of(stage: StoryOf) -> np.ndarray:
    shares = (silence(stage) == 0) * 1.0
    return shares / shares.sum()


def small_lessons(rng: np.random.Generator) -> list[Lesson]:
    made = []
    for stage, n in ((StoryOf.SELF, 9), (StoryOf.NOW, 6)):
        k = len(ELEMENTS[of_stage(stage)])
        made.append(
            Lesson(
                stage,
                rng.standard_normal((n, WIDTH)),
                np.arange(n) // 3,
                (rng.random((n, k)) < 0.3) * 1.0,
                rng.integers(-1, 3, k),
                modes_of(stage),
            )
        )
    return made


def test_every_slope_agrees_with_the_change_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "LAYERS", (6, 7))
    rng, recipe = np.random.default_rng(0), Recipe(dropout=0.0)
    arrays, lessons = small_arrays(rng), small_lessons(rng)
    _, slopes = gradients(arrays, lessons, recipe, np.random.default_rng(1))
    for name, numbers in arrays.items():
        # The steepest place of each array: where a wrong slope would show.
        at = np.unravel_index(int(np.abs(slopes[name]).argmax()), numbers.shape)
        held, losses = numbers[at], []
        for change in (1e-3, -1e-3):
            numbers[at] = held + change
            losses.append(gradients(arrays, lessons, recipe, np.random.default_rng(1))[0])
        numbers[at] = held
        assert slopes[name][at] == pytest.approx((losses[0] - losses[1]) / 2e-3, rel=0.01), name


TEXT = "The boiler died in January. I could have gone to work. I turned and knocked on her door."


def telling(text: str = TEXT) -> LabelledTelling:
    labels = dict.fromkeys(ELEMENTS[of_stage(StoryOf.SELF)], Status.MISSING)
    labels[Element.SELF_CHALLENGE] = Status.WEAK
    labels[Element.SELF_CHOICE] = Status.PRESENT
    evidence = {
        Element.SELF_CHALLENGE: ("died in January",),
        Element.SELF_CHOICE: ("I turned and knocked on her door",),
    }
    return LabelledTelling(
        "id", "en", StoryOf.SELF, "a", "t", "plain", text, labels, evidence,
        (FailureMode.OUTCOME_MISSING,), Element.SELF_CHALLENGE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def test_a_lesson_marks_the_words_of_the_evidence(encoder: SentenceEncoder) -> None:
    made = lesson(telling(), encoder)
    assert made is not None
    challenge, choice = made.shown[:, 0], made.shown[:, 1]
    assert set(made.owner[challenge > 0]) == {0}
    assert set(made.owner[choice > 0]) == {2}
    assert not made.shown[:, 2:].any()
    assert list(made.status) == [1, 2, 0, 0, 0, 0]
    named = dict(zip([*MODES, None], made.modes, strict=True))
    assert [m for m, share in named.items() if share] == [FailureMode.OUTCOME_MISSING]


def test_a_dictated_form_keeps_every_letter_in_its_place(encoder: SentenceEncoder) -> None:
    assert as_dictated("¿Qué pasó? ﬁn, don't. İ") == " que paso  ﬁn  don't  i"
    typed, dictated = lessons_of(telling(), encoder)
    assert list(dictated.status) == list(typed.status)
    assert dictated.shown.any(0).tolist() == typed.shown.any(0).tolist()


def test_a_telling_without_words_is_no_lesson(encoder: SentenceEncoder) -> None:
    assert lesson(telling("🙂"), encoder) is None


def test_an_element_cut_away_is_learned_as_missing(encoder: SentenceEncoder) -> None:
    made = lesson(telling(), encoder)
    assert made is not None
    recipe = Recipe(cut_share=1.0, words_left_out=0.0)
    seen = set()
    for seed in range(10):
        other = varied(made, recipe, np.random.default_rng(seed))
        seen.add(tuple(other.status))
        assert len(other.x) < len(made.x)
        assert other.modes[0] == -1
    assert seen == {(0, 2, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)}


def test_the_same_lessons_teach_the_same(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "LAYERS", (11,))
    made = lesson(telling(), encoder)
    assert made is not None
    recipe, losses = Recipe(passes=6, tellings_a_step=1), []
    first = train([[made]], encoder, recipe, lambda step, loss: losses.append(loss))
    second = train([[made]], encoder, recipe)
    assert losses[-1] < losses[0]
    for name, numbers in first.arrays.items():
        assert np.allclose(numbers, second.arrays[name], atol=1e-4), name
    other = train([[made]], encoder, replace(recipe, seed=8))
    assert not np.allclose(first.arrays["evidence"], other.arrays["evidence"], atol=1e-4)


def test_an_ordinary_telling_is_heard_in_one_window_and_a_long_one_in_parts() -> None:
    assert windows([20, 30, 40]) == [(0, 90)]
    assert windows([300, 300, 100]) == [(0, 300), (300, 700)]

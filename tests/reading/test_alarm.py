"""The alarm loads whole, looks at all of a long text, and learns what it is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.reading.alarm import BUNDLED, SHORT, Alarm, AlarmWeights, looks
from bot.reading.alarm_learning import AlarmRecipe, Sample, train
from bot.reading.encoder import SentenceEncoder

GRAVE = ("I took all the pills", "he is outside with a knife", "tengo la soga lista")
CALM = ("We painted the hall blue", "the bus was late again", "mi abuela trajo pan dulce")


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder(remembered=200)


@pytest.mark.parametrize("text", ["", " ", "?", "\u200b", "a" * 5000, "no"])
def test_any_text_has_chances_that_sum_to_one(encoder: SentenceEncoder, text: str) -> None:
    chances = Alarm.bundled(encoder).chances(text)
    assert all(0 <= c <= 1 for c in chances)
    assert sum(chances) == pytest.approx(1, abs=1e-4)


def test_danger_in_the_middle_of_a_long_calm_text_is_not_diluted(encoder: SentenceEncoder) -> None:
    alarm = Alarm.bundled(encoder)
    calm = "We met on Thursday and wrote down who would bring the chairs and the coffee. " * 12
    grave = "Tonight I am going to kill myself, I have the pills beside me. "
    assert alarm.chances(calm)[0] < 0.5
    assert alarm.chances(calm + grave + calm)[0] > 0.5


def test_every_word_of_a_long_text_is_in_some_look() -> None:
    words = [f"w{n}" for n in range(SHORT * 9)]
    seen = {w for look in looks(" ".join(words))[1:] for w in look.split()}
    assert seen == set(words)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "alarm.npz"
    broken.write_bytes(BUNDLED.read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged"):
        AlarmWeights.load(broken)


def test_it_learns_to_tell_what_it_was_shown_and_the_same_way_twice(
    encoder: SentenceEncoder,
) -> None:
    messages = [Sample(t, True, None) for t in GRAVE] + [Sample(t, False, False) for t in CALM]
    tellings = [Sample("We met. We sang. We went home.", False, None)]
    recipe = AlarmRecipe(passes=12, samples_a_step=6, words_left_out=0.0, dropout=0.0)
    losses: list[float] = []
    first = train(messages, tellings, encoder, recipe, lambda _, loss: losses.append(loss))
    assert losses[-1] < losses[0]
    alarm = Alarm(first, encoder)
    assert min(alarm.chances(t)[0] for t in GRAVE) > max(alarm.chances(t)[0] for t in CALM)
    again = train(messages, tellings, encoder, recipe)
    for name, numbers in first.arrays.items():
        np.testing.assert_allclose(numbers, again.arrays[name], atol=1e-4)


def test_weights_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    weights = AlarmWeights.load()
    weights.save(tmp_path / "again.npz")
    for name, numbers in AlarmWeights.load(tmp_path / "again.npz").arrays.items():
        np.testing.assert_allclose(numbers, weights.arrays[name], atol=0.02)

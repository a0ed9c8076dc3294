"""The committed weights are those that the committed corpus teaches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bot.commands.train_reader import FIGURES_BESIDE, corpus_hash
from bot.reading.heads import BUNDLED, Weights, names
from bot.reading.heldback import load_split
from bot.reading.labelled import load

CORPUS = Path("corpus/labelled")


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights.load()


def test_the_weights_learned_from_the_tellings_that_are_here_now(weights: Weights) -> None:
    kept, _ = load_split(CORPUS / "split.yaml").parts(list(load(CORPUS / "tellings")))
    assert weights.corpus == corpus_hash(kept), "labels changed: run coach train-reader"


def test_the_figures_beside_the_weights_are_of_these_weights(weights: Weights) -> None:
    report = json.loads((BUNDLED.parent / FIGURES_BESIDE).read_text(encoding="utf-8"))
    assert report["corpus"] == weights.corpus


@pytest.mark.parametrize("part", ["held_back", "unseen"])
def test_the_reader_hears_well_enough_to_be_relied_on(part: str) -> None:
    report = json.loads((BUNDLED.parent / FIGURES_BESIDE).read_text(encoding="utf-8"))
    figures = report["held_back"] if part == "held_back" else report["unseen"]["held_back"]
    assert figures["macro_f1"] >= 0.75
    assert figures["exact"] >= 0.70
    assert figures["next"] >= 0.60


def test_the_weights_fit_in_forty_megabytes() -> None:
    assert BUNDLED.stat().st_size < 40_000_000


def test_weights_come_back_from_the_file_nearly_as_they_went(
    weights: Weights, tmp_path: Path
) -> None:
    weights.save(tmp_path / "again.npz")
    again = Weights.load(tmp_path / "again.npz")
    assert again.corpus == weights.corpus
    for name in names():
        assert np.allclose(again.arrays[name], weights.arrays[name], rtol=1e-3, atol=1e-3), name


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "reader.npz"
    cut.write_bytes(BUNDLED.read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged"):
        Weights.load(cut)

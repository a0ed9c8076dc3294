"""`coach train-reader` learns from one part, measures on the other, and says so."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bot.commands.train_reader import FIGURES_BESIDE, markdown, run, show
from bot.reading.heads import BUNDLED, Weights
from bot.reading.heldback import load_split
from bot.reading.learning import Recipe

CORPUS = Path("corpus/labelled")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One file to learn from and one held back, two tellings each, copied from the real corpus."""
    split = load_split(CORPUS / "split.yaml")
    (tmp_path / "tellings").mkdir()
    (tmp_path / "split.yaml").write_text((CORPUS / "split.yaml").read_text())
    sides: dict[bool, Path] = {}
    for path in sorted((CORPUS / "tellings").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        sides.setdefault(split.holds_back(json.loads(lines[0])["topic"]), path)
    assert set(sides) == {True, False}
    for path in sides.values():
        lines = path.read_text(encoding="utf-8").splitlines()[:2]
        (tmp_path / "tellings" / path.name).write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_it_writes_weights_and_figures_and_prints_them(corpus: Path) -> None:
    out, stdout, stderr = corpus / "reader.npz", io.StringIO(), io.StringIO()
    quick = Recipe(passes=1, tellings_a_step=2)
    assert run(corpus, out, stdout, stderr, as_json=True, recipe=quick) == 0
    assert stderr.getvalue() == ""
    report = json.loads(stdout.getvalue())
    assert report == json.loads((corpus / FIGURES_BESIDE).read_text(encoding="utf-8"))
    assert report["held_back"]["tellings"] == 2
    assert "unseen" not in report
    assert sum(report["trained_on"].values()) == 2
    assert Weights.load(out).corpus == report["corpus"]
    assert {"always present", "by length"} == set(report["baselines"])


def test_a_bad_label_is_one_plain_sentence(corpus: Path) -> None:
    path = next((corpus / "tellings").glob("*.jsonl"))
    path.write_text('{"id": 1}\n')
    stderr = io.StringIO()
    assert run(corpus, corpus / "reader.npz", io.StringIO(), stderr) == 1
    assert stderr.getvalue().startswith(f"{path.name}:1: ")
    assert len(stderr.getvalue().splitlines()) == 1
    assert not (corpus / "reader.npz").exists()


def test_a_folder_without_tellings_is_said(tmp_path: Path) -> None:
    stderr = io.StringIO()
    assert run(tmp_path, tmp_path / "reader.npz", io.StringIO(), stderr) == 1
    assert len(stderr.getvalue().splitlines()) == 1


def test_the_tables_are_plain_when_piped() -> None:
    report = json.loads((BUNDLED.parent / FIGURES_BESIDE).read_text(encoding="utf-8"))
    stdout = io.StringIO()
    show(report, stdout)
    printed = stdout.getvalue()
    assert "\x1b" not in printed
    for word in ("self.choice", "now.ask", "held back, if by length", "macro F1", "es", "pt"):
        assert word in printed


def test_the_readme_table_has_a_row_for_each_element_language_and_baseline() -> None:
    report = json.loads((BUNDLED.parent / FIGURES_BESIDE).read_text(encoding="utf-8"))
    table = markdown(report)
    rows = [line.split(" | ")[0].lstrip("| ") for line in table.splitlines() if "|" in line]
    for name in ("held back", "held back, pt", "held back, if by length", "self.choice", "us.who"):
        assert name in rows

"""`coach train-reader`: teach the embedded reader from labelled tellings and measure it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bot.core.narrative import FailureMode, Reading, Status
from bot.reading.heldback import load_split
from bot.reading.labelled import LANGUAGES, BadTelling, LabelledTelling, load
from bot.reading.measures import ELEMENTS, Figures, always_present, by_length, figures, following_of

if TYPE_CHECKING:
    from bot.reading.learning import Recipe

FIGURES_BESIDE = "reader.json"
"""Written beside the weights: the held-back figures, for the README and its test."""


def run(
    corpus: Path | None,
    out: Path | None,
    stdout: TextIO,
    stderr: TextIO,
    as_json: bool = False,
    report: bool = False,
    recipe: Recipe | None = None,
) -> int:
    """Train on `corpus` (a folder with tellings/ and split.yaml), write the weights to `out`.

    By default corpus/labelled/ and the reader's own weights. With `report`, nothing is trained:
    the weights at `out` are measured again and their figures printed as the README has them.

    Held-back tellings are never trained on; their figures are printed, as a table or as JSON,
    and kept beside the weights. Takes some minutes on two cores. Training twice gives the same
    weights to the last digits of a half-precision number on the same machine; between machines
    the matrix library's order of sums may move a probability by about a hundredth. Returns 0, or
    1 with one plain sentence when the corpus cannot be used.
    """
    corpus = corpus or Path("corpus/labelled")
    try:
        tellings = list(load(corpus / "tellings"))
        kept, held = load_split(corpus / "split.yaml").parts(tellings)
        if not kept or not held:
            raise BadTelling(f"{corpus}: no tellings to learn from, or none held back")
    except (BadTelling, OSError) as error:
        print(error, file=stderr)
        return 1

    from bot.reading.embedded import EmbeddedReader
    from bot.reading.encoder import SentenceEncoder
    from bot.reading.heads import BUNDLED, Weights
    from bot.reading.learning import Recipe as Whole
    from bot.reading.learning import lessons_of, train
    from bot.reading.model_file import UnknownModel

    encoder, out = SentenceEncoder(remembered=100_000), out or BUNDLED
    recipe = recipe or Whole()
    try:
        if not report:
            lessons = [forms for telling in kept if (forms := lessons_of(telling, encoder))]
            with _Progress(stderr, recipe.steps(len(lessons))) as progress:
                learned = train(lessons, encoder, recipe, progress.told)
            Weights(learned.arrays, corpus_hash(kept)).save(out)
        reader = EmbeddedReader(Weights.load(out), encoder)
    except (UnknownModel, OSError, KeyError, ValueError) as error:
        print(f"The reader could not be taught or measured: {error}", file=stderr)
        return 1
    found = examine(reader, corpus, out.parent / FIGURES_BESIDE)
    if report:
        print(markdown(found), end="", file=stdout)
        return 0
    if as_json:
        print(json.dumps(found, ensure_ascii=False), file=stdout)
    else:
        show(found, stdout)
    return 0


def examine(reader: Any, corpus: Path, beside: Path) -> dict[str, Any]:
    """Measure `reader` on the held-back and unseen tellings of `corpus`; write `beside`.

    Unseen tellings (unseen/, when there) were written and labelled apart, to examine the reader.
    Raises BadTelling.
    """
    kept, held = load_split(corpus / "split.yaml").parts(list(load(corpus / "tellings")))
    report = measure(reader, kept, held)
    unseen = list(load(corpus / "unseen"))
    if unseen:
        exam = measure(reader, kept, unseen)
        report["unseen"] = {
            k: exam[k] for k in ("held_back", "by_language", "baselines", "evidence_overlap")
        }
    beside.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def corpus_hash(kept: Sequence[LabelledTelling]) -> str:
    """SHA-256 of everything the weights learned from: texts, labels, evidence and modes."""
    rows = [
        [
            t.id,
            t.stage.value,
            t.text,
            {e.value: s.value for e, s in sorted(t.labels.items())},
            {e.value: list(q) for e, q in sorted(t.evidence.items())},
            [m.value for m in t.modes],
        ]
        for t in sorted(kept, key=lambda t: t.id)
    ]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def measure(
    reader: Any, kept: Sequence[LabelledTelling], held: Sequence[LabelledTelling]
) -> dict[str, Any]:
    """Held-back figures as plain data: in all, by language and element, beside baselines.

    `reader` has `hear(stage, text) -> Reading`. All figures run from 0 to 1.
    """
    readings: list[Reading] = [reader.hear(t.stage, t.text) for t in held]
    by_language = {}
    for language in LANGUAGES:
        chosen = [(t, r) for t, r in zip(held, readings, strict=True) if t.lang == language]
        if chosen:
            by_language[language] = _plain(_figures([t for t, _ in chosen], [r for _, r in chosen]))
    return {
        "corpus": corpus_hash(kept),
        "trained_on": dict(Counter(t.lang for t in kept)),
        "held_back_topics": sorted({t.topic for t in held}),
        "held_back": _plain(_figures(held, readings)),
        "by_language": by_language,
        "baselines": {
            "always present": _plain(_baseline(held, [always_present(t) for t in held])),
            "by length": _plain(_baseline(held, [by_length(t) for t in held])),
        },
        "rule_on_true_labels": _baseline(held, [t.labels for t in held]).following,
        "evidence_overlap": _evidence(held, readings),
        "confusion": _confusion(held, readings),
        "modes": _modes(held, readings),
    }


def _figures(tellings: Sequence[LabelledTelling], readings: Sequence[Reading]) -> Figures:
    return figures(tellings, [r.statuses for r in readings], [r.next_element() for r in readings])


def _baseline(
    tellings: Sequence[LabelledTelling], labels: Sequence[Mapping[Any, Status]]
) -> Figures:
    following = [following_of(t.stage, g) for t, g in zip(tellings, labels, strict=True)]
    return figures(tellings, labels, following)


def _plain(found: Figures) -> dict[str, Any]:
    return {
        "tellings": found.tellings,
        "macro_f1": round(found.macro_f1, 3),
        "exact": round(found.exact, 3),
        "next": round(found.following, 3),
        "elements": {
            e.value: {
                "f1": round(found.by_element[e], 3),
                "exact": round(found.exact_by_element[e], 3),
            }
            for e in ELEMENTS
            if e in found.by_element
        },
    }


def _evidence(held: Sequence[LabelledTelling], readings: Sequence[Reading]) -> float:
    """Of elements rightly heard as there, how often the quotation shares words with a label's."""
    hits = total = 0
    for telling, reading in zip(held, readings, strict=True):
        for element, quotes in telling.evidence.items():
            quote = reading.evidence.get(element)
            if not quote or not quotes:
                continue
            total += 1
            a = telling.text.find(quote)
            spans = [(telling.text.find(q), len(q)) for q in quotes]
            hits += any(b < a + len(quote) and a < b + n for b, n in spans)
    return round(hits / total, 3) if total else 0.0


def _confusion(
    held: Sequence[LabelledTelling], readings: Sequence[Reading]
) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {a: {b: 0 for b in Status} for a in Status}
    for telling, reading in zip(held, readings, strict=True):
        for element, truth in telling.labels.items():
            table[truth.value][reading.statuses[element].value] += 1
    return table


def _modes(
    held: Sequence[LabelledTelling], readings: Sequence[Reading]
) -> dict[str, dict[str, Any]]:
    """Per failure mode: labelled, named, rightly named, and what the rest was heard as."""
    found = {}
    for mode in FailureMode:
        pairs = [(mode in t.modes, mode in r.modes) for t, r in zip(held, readings, strict=True)]
        labelled, named = sum(a for a, _ in pairs), sum(b for _, b in pairs)
        if not (labelled or named):
            continue
        missed = [
            r
            for t, r in zip(held, readings, strict=True)
            if mode in t.modes and mode not in r.modes
        ]
        others = Counter(r.modes[0].value if r.modes else "none" for r in missed)
        found[mode.value] = {
            "labelled": labelled,
            "named": named,
            "right": sum(a and b for a, b in pairs),
            "heard_as": dict(others.most_common()),
        }
    return found


def show(report: Mapping[str, Any], stdout: TextIO) -> None:
    """Print the report as tables; plain when `stdout` is not a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stdout, width=None if stdout.isatty() else 100)
    table = Table("measured on", "drafts", "macro F1", "exact", "next")
    for name, row in _rows(report):
        table.add_row(name, str(row["tellings"]), *(f"{row[k]:.2f}" for k in _COLUMNS))
    console.print(table)
    table = Table("element", "F1", "exact", *(f"F1 {n}" for n in report["by_language"]))
    for element, row in report["held_back"]["elements"].items():
        parts = [r["elements"].get(element) for r in report["by_language"].values()]
        table.add_row(
            element,
            f"{row['f1']:.2f}",
            f"{row['exact']:.2f}",
            *(f"{p['f1']:.2f}" if p else "" for p in parts),
        )
    console.print(table)
    table = Table("labelled \\ heard", *Status)
    for truth, row in report["confusion"].items():
        table.add_row(truth, *(str(row[s]) for s in Status))
    console.print(table)
    table = Table("failure mode", "labelled", "named", "right")
    for mode, row in report["modes"].items():
        table.add_row(mode, *(str(row[k]) for k in ("labelled", "named", "right")))
    console.print(table)
    console.print(
        f"evidence shares words with the labelled: {report['evidence_overlap']:.2f}; "
        f"next by rule on true labels: {report['rule_on_true_labels']:.2f}"
    )


def markdown(report: Mapping[str, Any]) -> str:
    """The report as the README carries it: figures, elements, failure modes, and words."""
    lines = ["| measured on | drafts | macro F1 | exact | next |", "| --- " * 5 + "|"]
    for name, row in _rows(report):
        shown = " | ".join(f"{row[k]:.2f}" for k in _COLUMNS)
        lines.append(f"| {name} | {row['tellings']} | {shown} |")
    languages = list(report["by_language"])
    heads = ["element", "F1", "exact", *(f"F1 {n}" for n in languages)]
    lines += ["", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for element, row in report["held_back"]["elements"].items():
        parts = [report["by_language"][n]["elements"].get(element) for n in languages]
        cells = [f"{row['f1']:.2f}", f"{row['exact']:.2f}"]
        cells += [f"{p['f1']:.2f}" if p else "" for p in parts]
        lines.append(f"| {element} | {' | '.join(cells)} |")
    lines += ["", "| labelled as | drafts | heard | else heard as |", "| --- " * 4 + "|"]
    for mode, row in report["modes"].items():
        others = ", ".join(f"{m} {n}" for m, n in row["heard_as"].items())
        lines.append(f"| {mode} | {row['labelled']} | {row['right']} | {others} |")
    wrongly = sum(row["named"] - row["right"] for row in report["modes"].values())
    lines += [
        "",
        f"Failure modes on the held-back drafts; one was heard {wrongly} times where it was not "
        "labelled.",
    ]
    lines += [
        "",
        f"Learned from {sum(report['trained_on'].values())} tellings; the quotation shares words "
        f"with a labelled one {report['evidence_overlap']:.0%} of the time; the rule for what to "
        f"ask next agrees with the labels {report['rule_on_true_labels']:.0%} of the time when the "
        "statuses are the labels' own.",
    ]
    return "\n".join(lines) + "\n"


def _rows(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Named lines of the first table: held back, its languages and baselines; unseen likewise."""
    rows = []
    for name in ("held back", "unseen"):
        part = report if name == "held back" else report.get("unseen")
        if part is None:
            continue
        rows.append((name, part["held_back"]))
        rows += [(f"{name}, {n}", row) for n, row in part["by_language"].items()]
        rows += [(f"{name}, if {n}", row) for n, row in part["baselines"].items()]
    return rows


_COLUMNS = ("macro_f1", "exact", "next")


class _Progress:
    """A bar on a terminal; silence elsewhere."""

    def __init__(self, stderr: TextIO, steps: int) -> None:
        self._bar: Any = None
        if stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(file=stderr), transient=True)
            self._task = self._bar.add_task("learning", total=steps)

    def __enter__(self) -> _Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def told(self, step: int, loss: float) -> None:
        """One more step is done."""
        if self._bar:
            self._bar.update(self._task, completed=step, description=f"learning, loss {loss:.2f}")

"""`coach screen`: danger and identifying passages in bulk. Format: design.md section 8."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO, TextIO

from bot.commands.jsonlines import convert
from bot.core.care import Screening


def run(stdin: BinaryIO, stdout: TextIO, stderr: TextIO) -> int:
    """Read `{"id","lang","text"}` lines; write safety and spans. Returns as jsonlines.convert."""
    from bot.reading.embedding import BundledEmbedder
    from bot.screening.screener import EmbeddedScreener

    screener = EmbeddedScreener(BundledEmbedder())

    def one(row: dict[str, Any]) -> dict[str, Any]:
        return answer(row["id"], screener.screen(row["text"]))

    return convert(stdin, stdout, stderr, one, ("id", "text"))


def answer(asked: object, screening: Screening) -> dict[str, Any]:
    """One output line: safety, and each passage verbatim with its kind, in order."""
    return {
        "id": asked,
        "safety": screening.safety.value,
        "spans": [{"text": s.text, "kind": s.kind.value} for s in screening.spans],
    }


def report(stdout: TextIO) -> int:
    """Print precision and recall on the held-back labelled messages, beside a naive baseline."""
    from bot.reading.embedding import BundledEmbedder
    from bot.screening.labelled import privacy_messages, safety_messages
    from bot.screening.report import lines
    from bot.screening.screener import EmbeddedScreener, find_spans

    screener = EmbeddedScreener(BundledEmbedder())
    for line in lines(safety_messages(), privacy_messages(), screener.judge, find_spans):
        print(line, file=stdout)
    return 0


def train(stdout: TextIO) -> int:
    """Fit the safety head on the labelled messages that are not held back; write its weights."""
    import numpy as np

    from bot.reading.embedding import BundledEmbedder
    from bot.screening.head import WEIGHTS
    from bot.screening.labelled import safety_messages, telling_messages
    from bot.screening.training import train as fit

    messages = [m for m in safety_messages() if not m.held_back]
    tellings = [m for m in telling_messages() if not m.held_back]
    fitted = fit(messages, tellings, BundledEmbedder())
    anchors = np.asarray(fitted.pop("anchors"), dtype=np.float16)
    rest = {name: np.asarray(value) for name, value in fitted.items()}
    np.savez_compressed(WEIGHTS, allow_pickle=False, anchors=anchors, **rest)
    counted = f"{len(messages)} messages and {len(tellings)} tellings"
    print(f"Trained on {counted}; weights in {WEIGHTS.name}.", file=stdout)
    return 0


if __name__ == "__main__":
    tasks = {"report": report, "train": train}
    if len(sys.argv) != 2 or sys.argv[1] not in tasks:
        print("Say report or train.", file=sys.stderr)
        sys.exit(2)
    sys.exit(tasks[sys.argv[1]](sys.stdout))

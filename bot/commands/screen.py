"""`coach screen`: danger and identifying passages in bulk. Format: design.md section 8."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from bot.commands.jsonlines import convert
from bot.core.care import Safety, Screening

if TYPE_CHECKING:
    from bot.reading.alarm_learning import Sample
    from bot.screening.labelled import SafetyMessage
    from bot.screening.screener import EmbeddedScreener


def run(stdin: BinaryIO, stdout: TextIO, stderr: TextIO) -> int:
    """Read `{"id","lang","text"}` lines; write safety and spans. Returns as jsonlines.convert."""
    screener = whole_screener()

    def one(row: dict[str, Any]) -> dict[str, Any]:
        return answer(row["id"], screener.screen(row["text"]))

    return convert(stdin, stdout, stderr, one, ("id", "text"))


def whole_screener() -> EmbeddedScreener:
    """The screener as it screens in a conversation: rules, head and alarm."""
    from bot.reading.alarm import Alarm
    from bot.reading.embedding import BundledEmbedder
    from bot.screening.screener import EmbeddedScreener

    return EmbeddedScreener(BundledEmbedder(), Alarm.bundled().chances)


def answer(asked: object, screening: Screening) -> dict[str, Any]:
    """One output line: safety, and each passage verbatim with its kind, in order."""
    return {
        "id": asked,
        "safety": screening.safety.value,
        "spans": [{"text": s.text, "kind": s.kind.value} for s in screening.spans],
    }


def report(stdout: TextIO) -> int:
    """Print precision and recall on the held-back labelled messages, beside a naive baseline."""
    from bot.screening.labelled import privacy_messages, safety_messages
    from bot.screening.report import lines
    from bot.screening.screener import find_spans

    screener = whole_screener()
    for line in lines(safety_messages(), privacy_messages(), screener.judge, find_spans):
        print(line, file=stdout)
    return 0


def train(stdout: TextIO) -> int:
    """Fit head and alarm on the labelled messages that are not held back; write their weights.

    About twenty minutes on two cores. The same corpus gives the same weights, to the last digits.
    """
    import numpy as np

    from bot.reading.alarm import BUNDLED
    from bot.reading.alarm_learning import AlarmRecipe
    from bot.reading.alarm_learning import train as tune
    from bot.reading.embedding import BundledEmbedder
    from bot.reading.encoder import SentenceEncoder
    from bot.screening.head import WEIGHTS
    from bot.screening.labelled import safety_messages, telling_messages
    from bot.screening.training import train as fit

    messages = [m for m in safety_messages() if not m.held_back]
    tellings = [m for m in telling_messages() if not m.held_back]
    parts = [p for m in tellings if m.safety is Safety.NONE for p in parts_of(m.text)]
    fitted = fit(messages, tellings, parts, BundledEmbedder())
    anchors = np.asarray(fitted.pop("anchors"), dtype=np.float16)
    rest = {name: np.asarray(value) for name, value in fitted.items()}
    np.savez_compressed(WEIGHTS, allow_pickle=False, anchors=anchors, **rest)
    counted = f"{len(messages)} messages, {len(tellings)} tellings and {len(parts)} parts of them"
    print(f"Trained on {counted}; weights in {WEIGHTS.name}.", file=stdout)
    spoken, told = [sample(m) for m in messages], [sample(m) for m in tellings]
    tune(spoken, told, SentenceEncoder(remembered=100_000), AlarmRecipe()).save(BUNDLED)
    print(f"Tuned on {len(spoken)} and {len(told)}; weights in {BUNDLED.name}.", file=stdout)
    return 0


def parts_of(telling: str) -> list[str]:
    """Every sentence that says something, and runs of two, three and four, as people send them."""
    from bot.reading.sentences import split
    from bot.screening.safety import FEWEST

    sentences = [s.text for s in split(telling)]
    runs = [sentences[i : i + n] for n in (2, 3, 4) for i in range(0, len(sentences), n)]
    alone = [s for s in sentences if len(s.split()) >= FEWEST]
    return [*alone, *(" ".join(run) for run in runs if len(run) > 1)]


def sample(message: SafetyMessage) -> Sample:
    """What the alarm learns from a message; pain is unknown where nobody judged it."""
    from bot.reading.alarm_learning import Sample

    pains = message.safety is Safety.DISTRESS if message.pain_is_judged else None
    return Sample(message.text, message.safety is Safety.CRISIS, pains)


if __name__ == "__main__":
    tasks = {"report": report, "train": train}
    if len(sys.argv) != 2 or sys.argv[1] not in tasks:
        print("Say report or train.", file=sys.stderr)
        sys.exit(2)
    sys.exit(tasks[sys.argv[1]](sys.stdout))

"""Labelled tellings on disk: loading and checking. Format: corpus/labelled/README.md."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Status, StoryOf

LANGUAGES = ("en", "es", "pt")
VOICES = (
    "short",
    "rambling",
    "dictated",
    "misspelt",
    "second_language",
    "formal",
    "plain",
    "mixed",
)


class BadTelling(ValueError):
    """A labelled line breaks the format; the message says where and how."""


@dataclass(frozen=True)
class LabelledTelling:
    """One draft with its labels. `evidence` quotes are verbatim; `next` None means nothing open."""

    id: str
    lang: str
    stage: StoryOf
    author: str
    topic: str
    voice: str
    text: str
    labels: Mapping[Element, Status]
    evidence: Mapping[Element, tuple[str, ...]]
    modes: tuple[FailureMode, ...]
    next: Element | None


def parse(line: str, where: str) -> LabelledTelling:
    """One JSON line as a labelled telling; raises BadTelling naming `where`."""

    def refuse(why: str) -> BadTelling:
        return BadTelling(f"{where}: {why}")

    try:
        raw = json.loads(line)
        stage = StoryOf(raw["stage"])
        labels = {Element.of(stage, k): Status(v) for k, v in raw["labels"].items()}
        evidence = {
            Element.of(stage, k): tuple([v] if isinstance(v, str) else v)
            for k, v in raw["evidence"].items()
        }
        modes = tuple(FailureMode(m) for m in raw["modes"])
        following = None if raw["next"] == "none" else Element.of(stage, raw["next"])
        text, lang, voice = raw["text"], raw["lang"], raw["voice"]
        telling = LabelledTelling(
            raw["id"], lang, stage, raw["author"], raw["topic"], voice, text,
            labels, evidence, modes, following,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise refuse(f"not a labelled telling ({error})") from error
    if lang not in LANGUAGES or voice not in VOICES:
        raise refuse(f"unknown language or voice: {lang}, {voice}")
    if set(labels) != set(ORDER_OF_CARE[stage]):
        raise refuse(f"labels must give exactly {[e.short for e in ORDER_OF_CARE[stage]]}")
    for element, status in labels.items():
        quotes = evidence.get(element, ())
        if (status is Status.MISSING) != (not quotes):
            raise refuse(f"{element.short} is {status} but has {len(quotes)} quotations")
        for quote in quotes:
            if not quote.strip() or quote not in text:
                raise refuse(f"{element.short} quotes words that are not in the text: {quote!r}")
    opened = [e for e in ORDER_OF_CARE[stage] if labels[e] is not Status.PRESENT]
    if (following is None) != (not opened) or (following and following not in opened):
        raise refuse(f"next is {following}, open are {[e.short for e in opened]}")
    return telling


def load(folder: Path) -> Iterator[LabelledTelling]:
    """Every telling under `folder`, by file name; raises BadTelling at the first bad line."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            telling = parse(line, f"{path.name}:{number}")
            if telling.id in seen:
                raise BadTelling(f"{path.name}:{number}: id {telling.id} appears twice")
            seen.add(telling.id)
            yield telling


def main(arguments: list[str]) -> int:
    """Check files or a folder; print each bad line, then counts by element and status."""
    paths = [Path(a) for a in arguments] or [Path("corpus/labelled/tellings")]
    files = [f for p in paths for f in (sorted(p.glob("*.jsonl")) if p.is_dir() else [p])]
    bad, counts, total = 0, Counter[tuple[str, str]](), Counter[str]()
    seen: set[str] = set()
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                telling = parse(line, f"{path.name}:{number}")
            except BadTelling as error:
                print(error)
                bad += 1
                continue
            if telling.id in seen:
                print(f"{path.name}:{number}: id {telling.id} appears twice")
                bad += 1
            seen.add(telling.id)
            total[f"{telling.lang} {telling.stage}"] += 1
            counts.update((e.value, s.value) for e, s in telling.labels.items())
    for name in sorted({e for e, _ in counts}):
        print(f"{name:16}", *(f"{s.value} {counts[name, s.value]:4}" for s in Status))
    print(dict(total), f"bad lines: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

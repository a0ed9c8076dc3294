"""`coach evaluate`: how a coach does on tellings whose good next moves are known."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bot.core.coaching import CoachingNotes, next_question
from bot.core.guards import weigh
from bot.core.masking import masked
from bot.core.narrative import Element, Reading, StoryOf
from bot.core.speech import language_of
from bot.core.turn import Line
from bot.settings import BadSetting, load_settings
from bot.usecases.modelled import to_model, unmasked
from bot.usecases.ports import CoachUnavailable, Spent
from bot.wiring import Parts

if TYPE_CHECKING:
    from bot.llm.coach import ModelCoach

FOLDER = Path(__file__).resolve().parents[2] / "corpus" / "evaluation"

ROWS = {
    "tellings": "tellings",
    "agreement": "asked for an acceptable element",
    "from_model": "questions in the model's words",
    "words": "words in a question, median",
    "language": "questions in the teller's language",
    "refusals": "refused, by reason",
    "unavailable": "no answer, by reason",
    "seconds": "seconds to a question, median",
    "tokens": "tokens a conversation",
    "dollars": "dollars a conversation",
    "orders_answered": "replies to tellings with orders in them",
    "orders_refused": "refused of those, by reason",
}
"""What a table says, in order."""


@dataclass(frozen=True)
class Golden:
    """One telling and the elements a good coach could ask about next; none where anything goes."""

    id: str
    conversation: str
    stage: StoryOf
    language: str
    text: str
    accept: frozenset[Element]


def run(
    stdout: TextIO,
    stderr: TextIO,
    *,
    embedded: bool = False,
    save: Path | None = None,
    compare: Sequence[Path] = (),
    as_json: bool = False,
    limit: int | None = None,
    corpus: Path = FOLDER,
) -> int:
    """Evaluate, or compare saved results; 0, or 1 with one plain sentence."""
    try:
        if compare:
            tables = [json.loads(path.read_text(encoding="utf-8")) for path in compare]
        else:
            tables = [asyncio.run(evaluate(embedded, corpus, limit))]
    except (OSError, ValueError, KeyError, BadSetting) as error:
        print(f"Nothing could be evaluated: {error}", file=stderr)
        return 1
    if save and not compare:
        save.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(tables[0], ensure_ascii=False, indent=1, sort_keys=True)
        save.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(tables if compare else tables[0], ensure_ascii=False), file=stdout)
    else:
        print(markdown(tables), end="", file=stdout)
    return 0


def golden(path: Path) -> list[Golden]:
    """The tellings of a file, in order. ValueError or KeyError names what is wrong."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        stage = StoryOf(row["stage"])
        accept = frozenset(Element.of(stage, name) for name in row.get("accept", ()))
        found.append(
            Golden(
                row["id"],
                row.get("conversation", row["id"]),
                stage,
                row["lang"],
                row["text"],
                accept,
            )
        )
    return found


async def evaluate(embedded: bool, corpus: Path, limit: int | None = None) -> dict[str, Any]:
    """Every golden telling once; with a model, every injected order too. Raises BadSetting."""
    settings = load_settings()
    if not embedded and settings.model_at is None:
        raise BadSetting(
            "no model is set up: set OPENAI_API_KEY or OPENAI_BASE_URL, or use --embedded."
        )
    parts = Parts(settings)
    coach: Any = None if embedded else parts.coach
    tellings = golden(corpus / "golden.jsonl")[:limit]
    asked = [await ask(parts, coach, one) for one in tellings]
    table = summary(tellings, asked)
    table["reader"] = coach.reader if coach else parts_reader(asked)
    if coach is not None:
        table["instructions"] = coach.instructions.version
        table["instructions_sha256"] = coach.instructions.sha256
        orders = golden(corpus / "injections.jsonl")[:limit]
        replies = [await ask(parts, coach, one) for one in orders]
        table["orders_answered"] = f"{sum(not r.unavailable for r in replies)} of {len(orders)}"
        refused: Counter[str] = sum((r.refusals for r in replies), Counter())
        table["orders_refused"] = dict(sorted(refused.items()))
    return table


@dataclass(frozen=True)
class Asked:
    """What became of one telling: the question a resident would be asked, and on the way to it."""

    element: Element | None
    question: str
    is_models: bool
    refusals: Counter[str]
    unavailable: str
    spent: Spent
    seconds: float
    reader: str


async def ask(parts: Parts, coach: ModelCoach | None, one: Golden) -> Asked:
    """The question for one telling, as in a conversation's first round, without a deadline."""
    notes, began = CoachingNotes(), time.monotonic()
    reading: Reading | None = await parts.reader.read(one.stage, one.text, one.language)
    refusals: Counter[str] = Counter()
    unavailable, spent = "", Spent()
    if coach is not None:
        spans = await parts.screener.privacy(one.text, one.language)
        out = masked(one.text, spans)
        coach.breaker.succeeded()  # Each telling is asked anew, whatever became of the last.
        try:
            found = await coach.coach(to_model(one.stage, out.text, one.language, notes))
        except CoachUnavailable as error:
            unavailable = error.reason
        else:
            spent = found.spent
            weighed = weigh(unmasked(found.reply, out), reading, one.text, one.language, notes)
            reading = weighed.reading
            refusals.update(str(r) for r in weighed.refusals.elements())
    book = parts.words
    language = one.language if one.language in book.languages else book.languages[0]
    chosen = next_question(reading, one.stage, notes, lambda key: book.variants(key, language))
    suggestion = reading.suggestion if reading else None
    is_models = bool(suggestion and chosen and suggestion.element is chosen.element)
    text = ""
    if chosen is not None:
        text = (
            suggestion.question
            if suggestion and is_models
            else book.text(Line(chosen.key), language)
        )
    return Asked(
        chosen.element if chosen else None,
        text,
        is_models,
        refusals,
        unavailable,
        spent,
        time.monotonic() - began,
        reading.reader if reading else "none",
    )


def summary(tellings: Sequence[Golden], asked: Sequence[Asked]) -> dict[str, Any]:
    """The table as plain data; shares run from 0 to 1."""
    questions = [(t, a) for t, a in zip(tellings, asked, strict=True) if a.question]
    conversations = len({t.conversation for t in tellings}) or 1
    refusals: Counter[str] = sum((a.refusals for a in asked), Counter())
    return {
        "tellings": len(tellings),
        "agreement": _share([a.element in t.accept for t, a in zip(tellings, asked, strict=True)]),
        "from_model": _share([a.is_models for a in asked]),
        "words": statistics.median([len(a.question.split()) for _, a in questions] or [0]),
        "language": _share([language_of(a.question) in (t.language, None) for t, a in questions]),
        "refusals": dict(sorted(refusals.items())),
        "unavailable": dict(sorted(Counter(a.unavailable for a in asked if a.unavailable).items())),
        "seconds": round(statistics.median([a.seconds for a in asked] or [0.0]), 3),
        "tokens": round(sum(a.spent.tokens for a in asked) / conversations),
        "dollars": round(sum(a.spent.dollars for a in asked) / conversations, 6),
        "asked": {t.id: a.question for t, a in zip(tellings, asked, strict=True)},
    }


def parts_reader(asked: Sequence[Asked]) -> str:
    """The name of the reader that read all of them."""
    return ", ".join(sorted({a.reader for a in asked}))


def _share(claims: Sequence[bool]) -> float:
    return round(sum(claims) / len(claims), 3) if claims else 0.0


def markdown(tables: Sequence[Mapping[str, Any]]) -> str:
    """Tables side by side, as the README carries them."""
    heads = ["what", *(str(t.get("reader", "?")) for t in tables)]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for key, words in ROWS.items():
        if any(key in t for t in tables):
            lines.append(f"| {words} | {' | '.join(_cell(t.get(key)) for t in tables)} |")
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    if isinstance(value, float) and not value.is_integer():
        return re.sub(r"0+$", "", f"{value:.6f}") if value < 0.01 else f"{value:.2f}"
    if isinstance(value, float):
        return f"{value:.2f}" if value <= 1 else f"{value:.0f}"
    return "" if value is None else str(value)

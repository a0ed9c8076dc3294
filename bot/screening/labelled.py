"""Labelled messages on disk: loading and checking. Guide: corpus/labelled/safety/README.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.core.care import Safety, Span, SpanKind

CORPUS = Path(__file__).parents[2] / "corpus" / "labelled"
LANGUAGES = ("en", "es", "pt")


class BadMessage(ValueError):
    """A labelled line breaks the format; the message says where and how."""


@dataclass(frozen=True)
class SafetyMessage:
    """One message with its label; `held_back` messages are never trained on.

    `pain_is_judged` is False for a telling that nobody asked this about.
    """

    id: str
    lang: str
    author: str
    text: str
    safety: Safety
    held_back: bool
    pain_is_judged: bool = True


@dataclass(frozen=True)
class PrivacyMessage:
    """One message with the spans a careful reader would show its teller."""

    id: str
    lang: str
    author: str
    text: str
    spans: tuple[Span, ...]
    held_back: bool


def safety_messages(folder: Path = CORPUS / "safety") -> list[SafetyMessage]:
    """Every message of `folder`, by file and line. Raises BadMessage."""
    return [SafetyMessage(**common, safety=Safety(raw["safety"])) for common, raw in _lines(folder)]


def telling_messages(folder: Path = CORPUS) -> list[SafetyMessage]:
    """The reader's labelled tellings as safety messages: `none` unless safety/tellings.json says.

    That file also names the files of tellings in which somebody looked for pain.
    Held back by topic, as split.yaml says, so a telling is on the same side here as there.
    """
    said = json.loads((folder / "safety" / "tellings.json").read_text(encoding="utf-8"))
    judged = set(said.pop("judged"))
    label = {i: Safety(name) for name, ids in said.items() for i in ids}
    split = yaml.safe_load((folder / "split.yaml").read_text(encoding="utf-8"))
    messages = []
    for path in sorted((folder / "tellings").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            digest = hashlib.sha256(f"{split['salt']}:{raw['topic']}".encode()).hexdigest()
            messages.append(
                SafetyMessage(
                    raw["id"],
                    raw["lang"],
                    raw["author"],
                    raw["text"],
                    label.get(raw["id"], Safety.NONE),
                    int(digest, 16) % split["of"] == split["remainder"],
                    path.stem in judged or raw["id"] in label,
                )
            )
    return messages


def privacy_messages(folder: Path = CORPUS / "privacy") -> list[PrivacyMessage]:
    """Every message of `folder`; each span is verified to stand at its start. Raises BadMessage."""
    messages = []
    for common, raw in _lines(folder):
        spans = tuple(Span(s["text"], SpanKind(s["kind"]), s["start"]) for s in raw["spans"])
        for span in spans:
            if common["text"][span.start : span.start + len(span.text)] != span.text:
                raise BadMessage(f"{common['id']}: a span is not verbatim at its start")
        messages.append(PrivacyMessage(**common, spans=spans))
    return messages


def _lines(folder: Path) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    """What both kinds of message share, and the whole line, for each line of `folder`."""
    held_back = set((folder / "held_back.txt").read_text(encoding="utf-8").split())
    seen: set[str] = set()
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.name}:{number}"
            try:
                raw = json.loads(line)
                common = {k: raw[k] for k in ("id", "lang", "author", "text")}
            except (ValueError, KeyError, TypeError) as error:
                raise BadMessage(f"{where}: {type(error).__name__}") from error
            if raw["id"] in seen or not raw["text"].strip() or raw["lang"] not in LANGUAGES:
                raise BadMessage(f"{where}: a repeated id, an empty text or an unknown language")
            seen.add(raw["id"])
            yield {**common, "held_back": f"{raw['lang']}-{raw['author']}" in held_back}, raw

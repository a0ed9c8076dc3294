"""The example narratives of corpus/narratives: loading, checking, and giving their passages.

A file is YAML between two `---` lines, then the narrative. Keys: title, language, stage, themes,
place_type, illustration, author, source, licence, moves. `moves` maps an element (`self.choice`)
to the sentence or sentences that carry it, letter for letter from the narrative.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.core.narrative import Element, StoryOf, count_words
from bot.retrieval.sources import Example, passage_id

PLACE_TYPES = ("city", "town", "village", "suburb", "rural")
SHORTEST, LONGEST = 8, 45
"""Words of a marked passage: enough to stand alone, little enough to be one move."""

_WORDS = ("title", "language", "author", "source", "licence")
_KEYS = frozenset({*_WORDS, "stage", "themes", "place_type", "illustration", "moves"})


class BadNarrative(ValueError):
    """A narrative file breaks the format; the message names the file and the fault."""


@dataclass(frozen=True)
class Narrative:
    """One example narrative. `id` is the file's name without its ending; `moves` are verbatim."""

    id: str
    title: str
    language: str
    stage: StoryOf
    themes: tuple[str, ...]
    place_type: str
    illustration: bool
    author: str
    source: str
    licence: str
    text: str
    moves: Mapping[Element, str]

    def examples(self) -> list[Example]:
        """The narrative's marked passages, in the order of its front matter."""
        return [
            Example(
                passage_id(self.id, move),
                self.id,
                self.title,
                move,
                self.language,
                self.themes,
                sentence,
                self.illustration,
            )
            for move, sentence in self.moves.items()
        ]


def parse(raw: str, name: str) -> Narrative:
    """One file's text as a narrative; `name` is the file's name. Raises BadNarrative."""

    def refuse(fault: str) -> BadNarrative:
        return BadNarrative(f"{name}: {fault}")

    head, text = _front_matter(raw, refuse_as=name)
    missing, unknown = _KEYS - head.keys(), head.keys() - _KEYS
    if missing or unknown:
        raise refuse(f"front matter lacks {sorted(missing)}, does not know {sorted(unknown)}")
    words: dict[str, str] = {}
    for key in _WORDS:
        value = head[key]
        if not isinstance(value, str) or not value.strip():
            raise refuse(f"{key} must be text")
        words[key] = value
    themes = head["themes"]
    if not isinstance(themes, list) or not themes or not all(isinstance(t, str) for t in themes):
        raise refuse("themes must be a list of words")
    place_type = str(head["place_type"])
    if place_type not in PLACE_TYPES:
        raise refuse(f"place_type must be one of {', '.join(PLACE_TYPES)}")
    illustration = head["illustration"]
    if not isinstance(illustration, bool):
        raise refuse("illustration must be true or false")
    try:
        stage = StoryOf(str(head["stage"]))
    except ValueError as error:
        raise refuse("stage must be self, us or now") from error
    identity = name.removesuffix(".md")
    if not identity.startswith(f"{words['language']}-{stage.value}-"):
        raise refuse(f"the file's name must start with {words['language']}-{stage.value}-")
    return Narrative(
        id=identity,
        stage=stage,
        themes=tuple(themes),
        place_type=place_type,
        illustration=illustration,
        text=text,
        moves=_moves(head["moves"], text, stage, name),
        **words,
    )


def load(folder: Path) -> Iterator[Narrative]:
    """Every narrative in `folder`, by file name. Raises BadNarrative at the first bad file."""
    for path in _files(folder):
        try:
            raw = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadNarrative(f"{path.name}: cannot be read as UTF-8 text") from error
        yield parse(raw.replace("\r\n", "\n"), path.name)


class CorpusSource:
    """Gives the passages of a folder of narratives; a sources.PassageSource.

    Files are read at the first need and again whenever they have changed. Raises BadNarrative.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._lock = threading.Lock()
        self._read_as: str | None = None
        self._examples: dict[str, Example] = {}

    def fingerprint(self) -> str:
        """SHA-256 over every file's name and bytes, hexadecimal."""
        digest = hashlib.sha256()
        for path in _files(self._folder):
            try:
                body = path.read_bytes()
            except OSError as error:
                raise BadNarrative(f"{path.name}: cannot be read") from error
            digest.update(f"{path.name}\0{len(body)}\0".encode())
            digest.update(body)
        return digest.hexdigest()

    def refresh(self) -> None:
        """Read the files again if they have changed since they were last read."""
        with self._lock:
            now = self.fingerprint()
            if now == self._read_as:
                return
            found = [e for narrative in load(self._folder) for e in narrative.examples()]
            self._examples = {e.id: e for e in sorted(found, key=lambda e: e.id)}
            self._read_as = now

    def examples(self, move: Element | None = None, language: str | None = None) -> list[Example]:
        """The corpus's passages by id; all, or those of one move and language."""
        return [
            e
            for e in self._all().values()
            if move in (None, e.move) and language in (None, e.language)
        ]

    def find(self, passage_id: str) -> Example | None:
        """The passage as the files have it."""
        return self._all().get(passage_id)

    def _all(self) -> Mapping[str, Example]:
        if self._read_as is None:
            self.refresh()
        return self._examples


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadNarrative(f"{folder.name}: there is no such folder of narratives")
    return sorted(folder.glob("*.md"))


def _front_matter(raw: str, refuse_as: str) -> tuple[dict[str, object], str]:
    parts = raw.split("---\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise BadNarrative(f"{refuse_as}: must open with front matter between two --- lines")
    try:
        head = yaml.load(parts[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise BadNarrative(f"{refuse_as}: front matter is not YAML") from error
    if not isinstance(head, dict):
        raise BadNarrative(f"{refuse_as}: front matter must be keys and values")
    text = parts[2].strip()
    if not text:
        raise BadNarrative(f"{refuse_as}: there is no narrative below the front matter")
    return head, text


def _moves(raw: object, text: str, stage: StoryOf, name: str) -> Mapping[Element, str]:
    if not isinstance(raw, dict) or not raw:
        raise BadNarrative(f"{name}: moves must map elements to sentences")
    moves: dict[Element, str] = {}
    for key, sentence in raw.items():
        try:
            move = Element(key)
        except ValueError as error:
            raise BadNarrative(f"{name}: {key} is not an element") from error
        if move.stage not in (stage, None):
            raise BadNarrative(f"{name}: {key} does not belong in a story of {stage.value}")
        if not isinstance(sentence, str) or not sentence.strip() or sentence not in text:
            raise BadNarrative(f"{name}: the sentence of {key} is not in the narrative verbatim")
        if not SHORTEST <= count_words(sentence) <= LONGEST:
            raise BadNarrative(
                f"{name}: the sentence of {key} has {count_words(sentence)} words, "
                f"not {SHORTEST} to {LONGEST}"
            )
        moves[move] = sentence
    return moves

"""Which labelled tellings are held back from training, by topic; rule in split.yaml."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.reading.labelled import BadTelling, LabelledTelling


@dataclass(frozen=True)
class Split:
    """The rule of split.yaml: a topic is held back when its salted hash leaves `remainder`."""

    salt: str
    of: int
    remainder: int

    def holds_back(self, topic: str) -> bool:
        """True when tellings on `topic` are measured on and never trained on."""
        digest = hashlib.sha256(f"{self.salt}:{topic}".encode()).digest()
        return int.from_bytes(digest, "big") % self.of == self.remainder

    def parts(
        self, tellings: Sequence[LabelledTelling]
    ) -> tuple[list[LabelledTelling], list[LabelledTelling]]:
        """Tellings to learn from and tellings held back; BadTelling if an author is in both."""
        kept = [t for t in tellings if not self.holds_back(t.topic)]
        held = [t for t in tellings if self.holds_back(t.topic)]
        both = {(t.lang, t.author) for t in kept} & {(t.lang, t.author) for t in held}
        if both:
            named = ", ".join(sorted(author for _, author in both))
            raise BadTelling(f"one author on both sides of the split: {named}")
        return kept, held


def load_split(path: Path) -> Split:
    """The rule in `path` (split.yaml); BadTelling when it cannot be understood."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        split = Split(str(raw["salt"]), int(raw["of"]), int(raw["remainder"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise BadTelling(f"{path.name}: cannot read the split ({type(error).__name__})") from error
    if not 0 <= split.remainder < split.of:
        raise BadTelling(f"{path.name}: remainder must lie between 0 and of")
    return split

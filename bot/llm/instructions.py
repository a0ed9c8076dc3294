"""What a model is told to do: files in prompts/coach, one folder a version, never edited."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bot.core.narrative import StoryOf
from bot.core.quoting import shingles
from bot.usecases.ports import ToModel

FOLDER = Path(__file__).resolve().parents[2] / "prompts" / "coach"
FILES = ("instructions.md", "self.md", "us.md", "now.md", "telling.md")
LANGUAGES = {"en": "English", "es": "Spanish, saying tú"}


class NoSuchVersion(ValueError):
    """There are no instructions of that version; the sentence says which there are."""


@dataclass(frozen=True)
class Instructions:
    """One version: a system part for each stage, and the human part that carries the telling."""

    version: str
    texts: dict[str, str]

    @classmethod
    def load(cls, version: str = "", folder: Path = FOLDER) -> Instructions:
        """A version by name, or the newest. Raises NoSuchVersion."""
        known = versions(folder)
        chosen = version or (known[-1] if known else "")
        if chosen not in known:
            raise NoSuchVersion(f"there are no instructions {chosen!r}; there are {known}")
        texts = {name: (folder / chosen / name).read_text(encoding="utf-8") for name in FILES}
        return cls(chosen, texts)

    def system(self, stage: StoryOf) -> str:
        """The system part: the same for every telling of a stage, never a word of any."""
        elements = self.texts[f"{stage.value}.md"].strip()
        return self.texts["instructions.md"].replace("{elements}", elements).strip()

    def human(self, telling: ToModel) -> str:
        """The human part. The mark around the telling is random: no story can close it."""
        mark = f"=={secrets.token_hex(6)}=="
        words = {
            "{language}": LANGUAGES.get(telling.language, telling.language),
            "{stage}": telling.stage.value,
            "{asked}": ", ".join(e.short for e in telling.asked) or "nothing",
            "{closed}": ", ".join(e.short for e in telling.closed) or "nothing",
            "{mark}": mark,
        }
        human = self.texts["telling.md"].strip()
        for name, value in words.items():
            human = human.replace(name, value)
        # Last, so that nothing in the telling is taken for a blank.
        return human.replace("{text}", telling.text)

    @cached_property
    def marks(self) -> frozenset[int]:
        """Shingles of everything a model is told, to notice when it recites them."""
        return frozenset(mark for text in self.texts.values() for mark in shingles(text))

    @cached_property
    def sha256(self) -> str:
        """Of all files together, hexadecimal; evaluation tables are kept beside it."""
        whole = "\0".join(f"{name}\0{self.texts[name]}" for name in FILES)
        return hashlib.sha256(whole.encode()).hexdigest()


def versions(folder: Path = FOLDER) -> list[str]:
    """Every version there is, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((p.name for p in folder.iterdir() if (p / FILES[0]).is_file()), key=_number)


def _number(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 0, name)

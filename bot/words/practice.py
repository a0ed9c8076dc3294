"""The library of practice prompts, loaded from prompts/practice and checked.

A file holds a list; each entry has an id, the move it practises, a season and its words in every
language the bot speaks. The files are named for the stories: self, us, now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bot.core.narrative import Element, StoryOf
from bot.core.practice import PracticePrompt, Season

PRACTICE = Path(__file__).resolve().parents[2] / "prompts" / "practice"


class BadPrompts(ValueError):
    """A file of practice prompts breaks the format; the sentence says which and how."""


def load_library(languages: Sequence[str], folder: Path = PRACTICE) -> Mapping[str, PracticePrompt]:
    """Every prompt by id, in the order of the files. Raises BadPrompts."""
    library: dict[str, PracticePrompt] = {}
    for stage in StoryOf:
        path = folder / f"{stage.value}.yaml"
        try:
            entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise BadPrompts(f"{path.name} is not valid YAML") from error
        for entry in entries or ():
            prompt = _prompt(entry, languages, path.name)
            if prompt.id in library:
                raise BadPrompts(f"{path.name}: {prompt.id} is there twice")
            if prompt.move.stage is not stage:
                raise BadPrompts(f"{path.name}: {prompt.id} practises another story")
            library[prompt.id] = prompt
    return library


def _prompt(entry: Mapping[str, Any], languages: Sequence[str], file: str) -> PracticePrompt:
    wanted = {"id", "move", "season", *languages}
    if not isinstance(entry, dict) or set(entry) != wanted:
        raise BadPrompts(f"{file}: every prompt has exactly {', '.join(sorted(wanted))}")
    try:
        move, season = Element(entry["move"]), Season(entry["season"])
    except ValueError as error:
        raise BadPrompts(f"{file}: {entry['id']} has a move or season there is not") from error
    return PracticePrompt(str(entry["id"]), move, season, {x: str(entry[x]) for x in languages})

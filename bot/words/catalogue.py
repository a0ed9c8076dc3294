"""Every sentence the bot says, loaded from prompts/messages, one folder a language.

A message is a string, or a list of wordings reached by number (`key.1`). `{name}` marks where words
go in; nothing else in braces is allowed. Implements core.turn.Phrasebook.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bot.core.turn import Choice, Line

MESSAGES = Path(__file__).resolve().parents[2] / "prompts" / "messages"
MARKUP = re.compile(r"</?[bi]>")
FIELD = re.compile(r"\{([a-z_]+)\}")
MARKS = re.compile(r"[^\w\s'+]")


BUTTON_WORDS = ("phrases.", "choices.", "parts.", "names.", "languages.", "answers.")
"""Messages that a person may type to mean a button."""


class BadMessages(ValueError):
    """A message file breaks the format; the sentence says which and how."""


class Catalogue:
    """All messages in all languages, checked when loaded.

    `constants` are words known to the whole program, such as local help lines, per language.
    """

    def __init__(
        self,
        folder: Path = MESSAGES,
        first: str = "en",
        constants: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Load every language under `folder`; `first` is the language to fall back to."""
        found = {p.name: _load(p) for p in sorted(folder.iterdir()) if any(p.glob("*.yaml"))}
        if first not in found:
            raise BadMessages(f"there are no messages for {first} in {folder.name}/")
        self.languages: tuple[str, ...] = (first, *(code for code in found if code != first))
        self._messages = found
        self._constants = constants or {}
        self._labels: dict[tuple[str, str], str] = {}
        self._bare = {
            code: {key: MARKUP.sub("", text) for key, text in messages.items()}
            for code, messages in found.items()
        }
        self._phrases = {code: _phrases(m) for code, m in found.items()}
        self._all_phrases = frozenset(
            plain(text)
            for messages in found.values()
            for key, text in messages.items()
            if key.startswith(BUTTON_WORDS)
        )

    def keys(self, language: str) -> set[str]:
        """Every message key of a language."""
        return set(self._messages[language])

    def has(self, key: str, language: str) -> bool:
        """Whether there is a message of that key."""
        return key in self._messages[language]

    def variants(self, key: str, language: str) -> int:
        """How many wordings `key` has: 1 for a plain message, 0 when there is none."""
        messages = self._messages[language]
        if key in messages:
            return 1
        count = 0
        while f"{key}.{count + 1}" in messages:
            count += 1
        return count

    def text(self, line: Line, language: str) -> str:
        """The line as plain text. KeyError names a key or word that is not there."""
        return self._filled(line, language, escape=False)

    def markup(self, line: Line, language: str) -> str:
        """The line as Telegram HTML; the words that fill it are escaped."""
        return self._filled(line, language, escape=True)

    def label(self, choice: Choice, language: str) -> str:
        """A button's label; a checkbox shows whether it is on, in words' company."""
        label = self.text(Line(choice.label, choice.words), language)
        return label if choice.checked is None else f"{'☑' if choice.checked else '☐'} {label}"

    def _filled(self, line: Line, language: str, *, escape: bool) -> str:
        messages = self._messages[language]
        key = line.key if line.key in messages else f"{line.key}.1"
        if key not in messages:
            raise KeyError(f"no message {line.key} in {language}")
        constants = self._constants.get(language, {})

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name in line.refs:
                return messages[line.refs[name]]
            value = line.words[name] if name in line.words else constants[name]
            return html.escape(value, quote=False) if escape else value

        template = messages[key] if escape else self._bare[language][key]
        if "{" not in template:
            return template
        return FIELD.sub(put, template)

    def is_phrase(self, text: str) -> bool:
        """Whether a whole message only stands for a button, in any language."""
        return plain(text) in self._all_phrases

    def understand(self, text: str, among: Sequence[Choice]) -> str | None:
        """The choice a whole typed message means, in any language; labels count as phrases."""
        said = plain(text)
        if not said or len(said) > 60:
            return None
        for choice in among:
            for language in self.languages:
                phrases = self._phrases[language]
                known = phrases.get(choice.id) or phrases.get(choice.id.partition(":")[0]) or ()
                if said in known:
                    return choice.id
                if self.has(choice.label, language) and said == self._as_typed(choice, language):
                    return choice.id
        return None

    def _as_typed(self, choice: Choice, language: str) -> str:
        """A label as somebody types it; the same again and again, where no words fill it."""
        if choice.words:
            return plain(self.text(Line(choice.label, choice.words), language))
        known = self._labels.get((choice.label, language))
        if known is None:
            known = plain(self.text(Line(choice.label), language))
            self._labels[choice.label, language] = known
        return known


def plain(text: str) -> str:
    """Lower case, no accents, no marks, single spaces: what two typings of a phrase share."""
    letters = text.casefold().replace("’", "'")
    if not letters.isascii():
        folded = unicodedata.normalize("NFKD", letters)
        letters = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join(MARKS.sub(" ", letters).replace("'", "").split())


def _load(folder: Path) -> dict[str, str]:
    """All files of one language as flat keys; the same key twice is refused."""
    flat: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
        except yaml.YAMLError as error:
            raise BadMessages(f"{folder.name}/{path.name} is not valid YAML") from error
        for key, value in _flatten(tree or {}, ""):
            if key in flat:
                raise BadMessages(f"{folder.name}/{path.name}: {key} is there twice")
            flat[key] = value
    return flat


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _flatten(tree: Mapping[Any, Any], prefix: str) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            items += _flatten(value, f"{key}.")
        elif isinstance(value, list):
            items += [(f"{key}.{n}", str(v)) for n, v in enumerate(value, 1)]
        elif isinstance(value, str):
            items.append((key, value))
        else:
            raise BadMessages(f"{key} is neither words nor a list of words")
    return items


def _phrases(messages: Mapping[str, str]) -> dict[str, frozenset[str]]:
    known: dict[str, set[str]] = {}
    for key, value in messages.items():
        if key.startswith("phrases."):
            known.setdefault(key.removeprefix("phrases.").rpartition(".")[0], set()).add(
                plain(value)
            )
    return {choice: frozenset(values) for choice, values in known.items()}

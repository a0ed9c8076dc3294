"""Stories as CSV, JSON lines, Markdown, documents and cards: one writer each, row by row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.core.harmless import cell, markdown, visible
from bot.core.library import Format, LibraryEntry
from bot.core.narrative import count_words
from bot.core.turn import Line
from bot.exporting.rows import COLUMNS, LEDGER, ledger_row, shown_name, story_row

if TYPE_CHECKING:
    from bot.exporting.documents import Document

STORIES_A_DOCUMENT, CARDS_A_DOCUMENT = 200, 100
"""A document is held in memory while it is written; so it is written in pieces."""


Words = Callable[[Line, str], str]
"""A message in a language."""


class Writer(Protocol):
    """Writes stories into one or more files of a folder. May raise OSError."""

    def add(self, entry: LibraryEntry) -> None:
        """Write one story."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class CsvWriter:
    """One table, UTF-8 with a mark at its beginning so that spreadsheets read it as such."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        row: Callable[[LibraryEntry], dict[str, str]],
    ) -> None:
        """`row` makes a line of a story, by column."""
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._row = row
        self._csv = csv.DictWriter(self._file, list(columns))
        self._csv.writeheader()

    def add(self, entry: LibraryEntry) -> None:
        """Write one line; see core.harmless.cell."""
        self._csv.writerow({name: cell(text) for name, text in self._row(entry).items()})

    def close(self) -> None:
        """See Writer."""
        self._file.close()


_ODD_LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        """Opens the file."""
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def add(self, entry: LibraryEntry) -> None:
        """Write one line, whose text is exactly the released one."""
        line = json.dumps(story_row(entry), ensure_ascii=False)
        line = _ODD_LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
        self._file.write(line + "\n")

    def close(self) -> None:
        """See Writer."""
        self._file.close()


class MarkdownWriter:
    """One text to read, each story a quotation."""

    def __init__(self, path: Path, words: Words) -> None:
        """Opens the file."""
        self._words = words
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def add(self, entry: LibraryEntry) -> None:
        """Write one story with how it may be used."""
        row = story_row(entry)
        title = markdown(row["title"]).removeprefix("> ")
        self._file.write(f"## {title}\n\n{markdown(row['text'])}\n\n")
        for line in told_lines(entry, self._words):
            self._file.write(f"- {markdown(line).removeprefix('> ')}\n")
        self._file.write("\n")

    def close(self) -> None:
        """See Writer."""
        self._file.close()


class DocumentWriter:
    """Documents of a few hundred stories each."""

    def __init__(self, folder: Path, words: Words) -> None:
        """Nothing is written before the first story."""
        self._folder, self._words = folder, words
        self._number = self._held = 0
        self._document: Document | None = None

    def add(self, entry: LibraryEntry) -> None:
        """Write one story: title, text, how it may be used."""
        from bot.exporting.documents import Document

        if self._document is None:
            self._document = Document()
        self._document.story(
            visible(entry.title), _paragraphs(entry), told_lines(entry, self._words)
        )
        self._held += 1
        if self._held == STORIES_A_DOCUMENT:
            self.close()

    def close(self) -> None:
        """See Writer."""
        if self._document is not None:
            self._number += 1
            self._document.save(self._folder / f"stories-{self._number:04}.docx")
            self._document, self._held = None, 0


class CardWriter:
    """Documents of a card a page, to lay out in a room."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written before the first story."""
        self._folder = folder
        self._number = self._held = 0
        self._document: Document | None = None

    def add(self, entry: LibraryEntry) -> None:
        """Write one card; a long story gets smaller letters, never fewer words."""
        from bot.exporting.documents import Document

        if self._document is None:
            self._document = Document()
        words = count_words(entry.release.text)
        name = visible(shown_name(entry))
        foot = [f"{entry.story_id[:8]} · {entry.release.expires_at:%Y-%m-%d}"]
        self._document.card(
            visible(entry.title), _paragraphs(entry), [*([name] if name else []), *foot], words
        )
        self._held += 1
        if self._held == CARDS_A_DOCUMENT:
            self.close()

    def close(self) -> None:
        """See Writer."""
        if self._document is not None:
            self._number += 1
            self._document.save(self._folder / f"cards-{self._number:04}.docx")
            self._document, self._held = None, 0


def _paragraphs(entry: LibraryEntry) -> list[str]:
    """The text as paragraphs, line ends within them kept; control characters visible."""
    return visible(entry.release.text).split("\n\n")


def told_lines(entry: LibraryEntry, words: Words) -> list[str]:
    """What stands below a story for a reader, a line each, in the story's language."""
    row = story_row(entry)

    def say(key: str, filled: Mapping[str, str] | None = None, **refs: str) -> str:
        return visible(words(Line(f"export.{key}", filled or {}, refs), entry.story_language))

    lines = [say("told_by", {"name": row["name"]}) if row["name"] else say("told_nameless")]
    if row["themes"]:
        lines.append(say("themes", {"themes": row["themes"].replace("\n", ", ")}))
    lines.append(
        say(
            "use",
            {"day": row["until"]},
            excerpts=f"export.is.{row['may_be_excerpted']}",
            translation=f"export.is.{row['may_be_translated']}",
        )
    )
    return [*lines, say("story", {"story": row["story"]})]


def writers(folder: Path, formats: Sequence[Format], words: Words) -> list[Writer]:
    """A writer for each format, and the consent ledger, which goes with every export."""
    made: list[Writer] = [CsvWriter(folder / "consent.csv", tuple(LEDGER), ledger_row)]
    for one in formats:
        match one:
            case Format.CSV:
                made.append(CsvWriter(folder / "stories.csv", tuple(COLUMNS), story_row))
            case Format.JSONL:
                made.append(JsonLinesWriter(folder / "stories.jsonl"))
            case Format.MARKDOWN:
                made.append(MarkdownWriter(folder / "stories.md", words))
            case Format.DOCX:
                made.append(DocumentWriter(folder, words))
            case Format.CARDS:
                made.append(CardWriter(folder))
    return made

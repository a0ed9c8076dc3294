"""Word documents: stories to read, and cards of one page each. The only room that knows docx."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import docx
from docx.enum.text import WD_BREAK
from docx.shared import Cm, Pt
from docx.text.paragraph import Paragraph

SMALLEST, LARGEST = 6.0, 16.0
"""Points of a card's letters: as large as the story's length lets one page hold."""


def card_points(words: int) -> float:
    """Letters for a card of so many words: two hundred and fifty fill a page at 13 points."""
    fitting = 13.0 * math.sqrt(250 / max(words, 1))
    return round(max(SMALLEST, min(LARGEST, fitting)) * 2) / 2


class Document:
    """One document, in memory until saved."""

    def __init__(self) -> None:
        """An empty page."""
        self._docx = docx.Document()
        section = self._docx.sections[0]
        section.left_margin = section.right_margin = Cm(2.2)
        section.top_margin = section.bottom_margin = Cm(2)
        self._last: Paragraph | None = None

    def story(self, title: str, paragraphs: Sequence[str], told: Sequence[str]) -> None:
        """A story under its title; a paragraph of the text is a paragraph here."""
        self._docx.add_heading(title, level=1)
        for text in paragraphs:
            self._docx.add_paragraph(text)
        for line in told:
            self._docx.add_paragraph(style="Caption").add_run(line)

    def card(self, title: str, paragraphs: Sequence[str], foot: Sequence[str], words: int) -> None:
        """A story on a page of its own."""
        if self._last is not None:
            self._last.add_run().add_break(WD_BREAK.PAGE)
        points = card_points(words)
        heading = self._docx.add_paragraph().add_run(title)
        heading.bold, heading.font.size = True, Pt(points + 3)
        for text in paragraphs:
            self._docx.add_paragraph().add_run(text).font.size = Pt(points)
        self._last = self._docx.add_paragraph()
        self._last.add_run(" · ".join(foot)).font.size = Pt(8)

    def save(self, path: Path) -> None:
        """Write it. Raises OSError."""
        self._docx.save(str(path))

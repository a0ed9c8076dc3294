"""Bars as a picture for a telephone: upright, big type, few words, readable without colour."""

from __future__ import annotations

import io
from functools import cache, lru_cache
from threading import Lock

import fontpkg
from PIL import Image, ImageDraw, ImageFont

from bot.core.movement import Hidden
from bot.core.picture import Bar, Part, Sheet, Unit

WIDTH, EDGE = 1080, 64
"""Pixels; Telegram shows a picture this wide without making it smaller."""
TITLE, HEADING, TYPE, SMALL = 64, 46, 42, 38
BAR, GAP, PART = 52, 16, 34
STUB = 150
"""The length of every bar whose number is hidden, whatever the number is."""
HATCH = 18
LABEL_MOST = 0.34
"""How much of the width labels may take."""
PAPER, INK, FAINT = "#ffffff", "#1a1a1a", "#5c5c5c"
COLOURS = {Unit.POSTS: "#6f7a85", Unit.PEOPLE: "#1f5a94"}
REGULAR, BOLD = 400, 700
_ONE_AT_A_TIME = Lock()
"""A font that is read by two threads at once may be read wrongly."""


def png(sheet: Sheet[str]) -> bytes:
    """Draw a sheet; a PNG, 1080 pixels wide. Takes a tenth of a second: not for an event loop."""
    with _ONE_AT_A_TIME:
        return _Drawing(sheet).png()


class _Drawing:
    """One picture, drawn from top to bottom."""

    def __init__(self, sheet: Sheet[str]) -> None:
        self._sheet = sheet
        labels = [_width(bar.label, TYPE) for part in sheet.parts for bar in part.bars]
        most = int((WIDTH - 2 * EDGE) * LABEL_MOST)
        self._left = EDGE + min(max(labels, default=0), most) + 24
        said = [_said(bar, sheet) for part in sheet.parts for bar in part.bars]
        numbers = [_width(s, TYPE, BOLD) for s in said if s.isdigit()]
        self._room = WIDTH - EDGE - self._left - max(numbers, default=0) - 24
        self._most = {
            unit: max((b.number for b in self._bars(unit) if isinstance(b.number, int)), default=0)
            for unit in Unit
        }
        self._canvas = Image.new("RGB", (WIDTH, 8_000), PAPER)
        self._draw = ImageDraw.Draw(self._canvas)
        self._y = EDGE

    def _bars(self, unit: Unit) -> list[Bar[str]]:
        return [bar for part in self._sheet.parts if part.unit is unit for bar in part.bars]

    def png(self) -> bytes:
        """Everything, cut to its height."""
        self._write(self._sheet.heading, TITLE, BOLD, INK)
        self._y += PART // 2
        for number, part in enumerate(self._sheet.parts, 1):
            self._part(part, number)
        cut = self._canvas.crop((0, 0, WIDTH, self._y + EDGE - PART // 2))
        made = io.BytesIO()
        cut.save(made, "PNG", optimize=True)
        return made.getvalue()

    def _part(self, part: Part[str], number: int) -> None:
        # A name in letters the font does not have is its place in the list, as in the words below.
        self._write(drawable(part.heading) or f"{number}.", HEADING, BOLD, INK)
        self._y += GAP // 2
        if not part.bars and part.instead:
            self._write(part.instead, SMALL, REGULAR, FAINT)
        for bar in part.bars:
            self._bar(bar, part.unit)
        self._y += PART

    def _bar(self, bar: Bar[str], unit: Unit) -> None:
        top, bottom = self._y, self._y + BAR
        middle = (top + bottom) // 2
        label = _fitted(bar.label, self._left - 24 - EDGE)
        self._text(EDGE, middle, label, TYPE, REGULAR, INK)
        said = _said(bar, self._sheet)
        if isinstance(bar.number, Hidden):
            self._hatched(self._left, top, self._left + STUB, bottom)
            self._text(self._left + STUB + 20, middle, said, SMALL, REGULAR, FAINT)
        else:
            length = self._room * bar.number // max(self._most[unit], 1)
            if bar.number:
                length = max(length, 8)
                box = (self._left, top, self._left + length, bottom)
                self._draw.rounded_rectangle(box, 8, COLOURS[unit])
            self._text(self._left + length + 20, middle, said, TYPE, BOLD, INK)
        self._y = bottom + GAP

    def _hatched(self, left: int, top: int, right: int, bottom: int) -> None:
        """A box that is no bar: an outline filled with slanting lines."""
        box = Image.new("RGB", (right - left, bottom - top), PAPER)
        draw = ImageDraw.Draw(box)
        for x in range(-box.height, box.width, HATCH):
            draw.line((x, box.height, x + box.height, 0), FAINT, 3)
        draw.rectangle((0, 0, box.width - 1, box.height - 1), outline=FAINT, width=3)
        self._canvas.paste(box, (left, top))

    def _write(self, text: str, size: int, weight: int, ink: str) -> None:
        """One line of its own."""
        height = int(size * 1.3)
        words = _fitted(text, WIDTH - 2 * EDGE, size, weight)
        self._text(EDGE, self._y + height // 2, words, size, weight, ink)
        self._y += height

    def _text(self, x: int, middle: int, text: str, size: int, weight: int, ink: str) -> None:
        self._draw.text((x, middle), text, ink, _font(size, weight), anchor="lm")


def _said(bar: Bar[str], sheet: Sheet[str]) -> str:
    return sheet.hidden[bar.number] if isinstance(bar.number, Hidden) else str(bar.number)


def drawable(text: str) -> str:
    """The text without what the font has no picture of, such as emoji; it may be empty."""
    kept = "".join(c for c in text if c.isspace() or _is_known(c))
    return " ".join(kept.split())


@lru_cache(4096)
def _is_known(character: str) -> bool:
    font = _font(TYPE, REGULAR)
    return bytes(font.getmask(character)) != bytes(font.getmask("\ufffe"))


def _fitted(text: str, width: int, size: int = TYPE, weight: int = REGULAR) -> str:
    """The text on one line, cut where it would be wider."""
    line = drawable(text)
    if _width(line, size, weight) <= width:
        return line
    while line and _width(line + "…", size, weight) > width:
        line = line[:-1].rstrip()
    return line + "…"


def _width(text: str, size: int, weight: int = REGULAR) -> int:
    return int(_font(size, weight).getlength(text)) + 1


@cache
def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(fontpkg.path("Noto Sans", weight=weight)), size)
    font.set_variation_by_axes([weight, 100])
    return font

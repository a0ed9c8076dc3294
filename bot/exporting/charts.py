"""Bar charts as SVG: plain, readable in black and white and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, BAR, GAP = 760, 300, 20, 8
_NUMBER = 60
_LONGEST = 34


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its length in stories (None: too small to show), and how that reads."""

    label: str
    number: int | None
    said: str


def bars(title: str, rows: Sequence[Bar]) -> str:
    """One chart; a number that is not shown is an empty box of a fixed length."""
    height = len(rows) * (BAR + GAP) + GAP
    room = WIDTH - LABELS - _NUMBER
    most = max([row.number or 0 for row in rows] or [1]) or 1
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" width="{WIDTH}" height="{height}">',
        f"<title>{escape(title)}</title>",
        "<style>text{font:14px system-ui,sans-serif;fill:#1a1a1a}.n{font-weight:600}"
        ".b{fill:#2f5d8a}.h{fill:none;stroke:#6b6b6b;stroke-dasharray:3 3}</style>",
    ]
    for number, row in enumerate(rows):
        top = GAP + number * (BAR + GAP)
        middle = top + BAR * 0.72
        label = row.label if len(row.label) <= _LONGEST else row.label[: _LONGEST - 1] + "…"
        drawn.append(
            f'<text x="{LABELS - 10}" y="{middle:.1f}" text-anchor="end">{escape(label)}'
            f"<title>{escape(row.label)}</title></text>"
        )
        if row.number is None:
            length = 24.0
            drawn.append(
                f'<rect class="h" x="{LABELS}" y="{top}" width="{length}" height="{BAR}"/>'
            )
        else:
            length = room * row.number / most
            drawn.append(
                f'<rect class="b" x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}"/>'
            )
        drawn.append(
            f'<text class="n" x="{LABELS + length + 8:.1f}" y="{middle:.1f}">'
            f"{escape(row.said)}</text>"
        )
    return "\n".join([*drawn, "</svg>", ""])

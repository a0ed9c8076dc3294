"""The report as a folder: one page with its charts in it, and behind each chart its CSV and SVG."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path

from bot.core.harmless import cell, visible
from bot.core.report import MOST_BARS, Chart, Report, Row
from bot.core.turn import Line
from bot.exporting.charts import Bar, bars
from bot.exporting.home import flush, flush_file, partial_of

Words = Callable[[Line], str]
"""A message in the report's language."""

KNOWN = {
    "parts", "places", "conflict", "feeling", "source", "commonness", "commitments",
    "commitments_kept", "movement", "languages", "decisions", "returns_by_reason",
}  # fmt: skip
"""Charts whose labels are our own words, and therefore messages; the others are told words."""


def write_report(
    report: Report, folder: Path, made_at: datetime, language: str, words: Words
) -> Path:
    """Write the folder `report-…` into `folder`; its path. It is there whole or not at all.

    Raises OSError.
    """
    kind = "public" if report.is_public else "staff"
    place = folder / f"report-{kind}-{made_at:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = partial_of(place)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        page = Page(report, made_at, language, words)
        for chart in report.charts:
            (partial / f"{chart.name}.svg").write_text(page.drawn(chart), encoding="utf-8")
            page.write_csv(chart, partial / f"{chart.name}.csv")
        (partial / "index.html").write_text(page.html(), encoding="utf-8")
        for path in partial.iterdir():
            flush_file(path)
        shutil.rmtree(place, ignore_errors=True)
        partial.rename(place)
        flush(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return place


def report_html(report: Report, made_at: datetime, language: str, words: Words) -> str:
    """The page alone, as one file to be handed over."""
    return Page(report, made_at, language, words).html(alone=True)


class Page:
    """One report in one language."""

    def __init__(self, report: Report, made_at: datetime, language: str, words: Words) -> None:
        """Nothing is written yet."""
        self._report, self._at, self._language, self._words = report, made_at, language, words

    def _say(self, key: str, **filled: str) -> str:
        return self._words(Line(f"report.{key}", filled))

    def _label(self, chart: Chart, row: Row) -> str:
        """What a row is called: a message for our own words, else the words as told."""
        if chart.name not in KNOWN:
            return visible(row.label)
        if chart.name == "returns_by_reason":
            return self._words(Line(f"review.reasons.{row.label}"))
        return self._say(f"labels.{chart.name}.{row.label}")

    def _said(self, number: int | None) -> str:
        return str(number) if number is not None else self._say("small")

    def drawn(self, chart: Chart) -> str:
        """A chart as SVG."""
        rows = [
            Bar(self._label(chart, row), row.number, self._said(row.number))
            for row in chart.rows[:MOST_BARS]
        ]
        return bars(self._say(f"charts.{chart.name}"), rows)

    def write_csv(self, chart: Chart, path: Path) -> None:
        """Every row behind a chart; an empty number is one that is not shown."""
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.writer(file)
            table.writerow(["label", "stories"])
            for row in chart.rows:
                number = "" if row.number is None else row.number
                table.writerow([cell(row.label), number])
            if chart.total is not None:
                table.writerow(["total", chart.total])

    def html(self, *, alone: bool = False) -> str:
        """The page, with nothing to load from anywhere; `alone` without links to files beside."""
        report = self._report
        total = self._said(report.stories)
        title = escape(self._say("title"))
        parts = [
            f'<!doctype html>\n<html lang="{self._language}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
            f"<h1>{title}</h1>",
            f"<p>{escape(self._say('counted', count=total, day=f'{self._at:%Y-%m-%d}'))}</p>",
            f"<p><strong>{escape(self._say('patterns'))}</strong></p>",
            f"<p>{escape(self._say('hidden', count=str(report.smallest)))}</p>",
        ]
        for chart in report.charts:
            parts.append(self._section(chart, alone))
        if report.absent:
            parts.append(f"<section><h2>{escape(self._say('absent'))}</h2><ul>")
            parts += [
                f"<li>{escape(self._say(f'labels.{of}.{what}'))}</li>" for of, what in report.absent
            ]
            parts.append(f"</ul><p>{escape(self._say('absent_why'))}</p></section>")
        for name in report.missing:
            parts.append(f"<p class=note>{escape(self._say(f'missing.{name}'))}</p>")
        parts.append("</main>\n</body>\n</html>\n")
        return "\n".join(parts)

    def _section(self, chart: Chart, alone: bool) -> str:
        heading = escape(self._say(f"charts.{chart.name}"))
        notes = [self._say(f"about.{chart.name}")]
        if not chart.rows:
            notes.append(self._say("nothing_shown"))
        if chart.hidden:
            notes.append(self._say("rare", count=str(self._report.smallest)))
        if len(chart.rows) > MOST_BARS:
            notes.append(self._say("more", count=str(MOST_BARS)))
        said = " ".join(notes)
        drawn = self.drawn(chart) if chart.rows else ""
        files = (
            ""
            if alone
            else f'<p class=note><a href="{chart.name}.csv">CSV</a> · '
            f'<a href="{chart.name}.svg">SVG</a></p>'
        )
        return (
            f'<section id="{chart.name}"><h2>{heading}</h2>\n<p class=note>{escape(said)}</p>\n'
            f"{drawn}{files}</section>"
        )


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}"
    "main{max-width:760px;margin:0 auto;padding:1.5rem}h1{font-size:1.6rem}h2{font-size:1.15rem;"
    "margin:2rem 0 .2rem}.note{color:#555;margin:.2rem 0 .6rem}svg{max-width:100%;height:auto}"
    "section{break-inside:avoid}"
)

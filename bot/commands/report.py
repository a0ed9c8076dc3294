"""`coach report`: stories as data, a page with charts and a CSV behind each."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TextIO

from bot.core.report import Report
from bot.settings import load_settings
from bot.usecases.people import CONSOLE
from bot.usecases.reporting import Reporting
from bot.wiring import Parts, opened


def run(
    is_public: bool, out: Path | None, language: str, as_json: bool, stdout: TextIO, stderr: TextIO
) -> int:
    """Write the page and say where; with `as_json` print the numbers only. 2 for no language."""
    parts = Parts(load_settings())
    spoken = language or parts.settings.coach_language
    if spoken not in parts.words.languages:
        print(f"There are no words in {language}, but in: {', '.join(parts.words.languages)}.",
              file=stderr)  # fmt: skip
        return 2
    made_at = parts.clock.now()
    report = asyncio.run(_report(parts, is_public))
    if as_json:
        print(json.dumps(_plain(report), ensure_ascii=False), file=stdout)
        return 0
    from bot.exporting.report_page import write_report

    folder = (out or parts.settings.coach_home / "reports").absolute()
    place = write_report(
        report, folder, made_at, spoken, lambda line: parts.words.text(line, spoken)
    )
    print(place / "index.html", file=stdout)
    return 0


async def _report(parts: Parts, is_public: bool) -> Report:
    async with opened(parts) as store:
        return await Reporting(store, parts.clock).report(CONSOLE, is_public=is_public)


def _plain(report: Report) -> dict[str, object]:
    return {
        "public": report.is_public,
        "smallest": report.smallest,
        "stories": report.stories,
        "charts": {
            chart.name: {
                "rows": [{"label": r.label, "stories": r.number} for r in chart.rows],
                "total": chart.total,
                "left_out": chart.hidden,
            }
            for chart in report.charts
        },
        "absent": [{"of": of, "what": what} for of, what in report.absent],
        "not_known": list(report.missing),
    }

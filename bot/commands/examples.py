"""`coach examples`: the passages a resident would be shown for a move, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from bot.core.narrative import Element
from bot.core.turn import Line
from bot.usecases.ports import Passage, RetrievalUnavailable
from bot.words.catalogue import Catalogue


def run(
    move: str, lang: str, text: str, as_json: bool, home: Path, stdout: TextIO, stderr: TextIO
) -> int:
    """Print the passages making `move` in `lang` nearest to `text`, best first.

    A table, or with `as_json` one object a line: id, passage, why (a sentence), score. Returns 0;
    1 with one sentence on `stderr` when nothing can be shown; 2 for a move there is not.
    """
    try:
        element = Element(move)
    except ValueError:
        known = ", ".join(e.value for e in Element)
        print(f"There is no move {move!r}. The moves are: {known}.", file=stderr)
        return 2
    try:
        found = asyncio.run(_search(element, lang, text, home))
    except RetrievalUnavailable as error:
        print(error, file=stderr)
        return 1
    if not found:
        print(f"There are no examples of {move} in {lang!r} yet.", file=stderr)
        return 1
    words = Catalogue()
    rows = [(p, words.text(Line(p.why), _spoken(words, p.language))) for p in found]
    if as_json:
        for passage, why in rows:
            row = {"id": passage.id, "passage": passage.text, "why": why, "score": passage.score}
            print(json.dumps(row, ensure_ascii=False), file=stdout)
    else:
        _table(rows, stdout)
    return 0


async def _search(move: Element, lang: str, text: str, home: Path) -> list[Passage]:
    from bot.commands.index import retriever

    async with retriever(home) as examples:
        return await examples.search(move, lang, text)


def _spoken(words: Catalogue, language: str) -> str:
    return language if language in words.languages else words.languages[0]


def _table(rows: Sequence[tuple[Passage, str]], stdout: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True)
    table.add_column("example")
    table.add_column("passage", ratio=3)
    table.add_column("why this one", ratio=2)
    table.add_column("nearness", justify="right")
    for passage, why in rows:
        name = Text.assemble((passage.title, "bold"), f"\n{passage.id}")
        table.add_row(name, Text(passage.text), Text(why), f"{passage.score:.2f}")
    Console(file=stdout).print(table)

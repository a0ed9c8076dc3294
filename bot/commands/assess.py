"""`coach assess`: hear drafts in bulk, JSON lines in and out. Format: design.md section 8."""

from __future__ import annotations

from typing import Any, BinaryIO, TextIO

from bot.commands.jsonlines import BadLine, convert
from bot.core.narrative import Reading, StoryOf


def run(stdin: BinaryIO, stdout: TextIO, stderr: TextIO) -> int:
    """Read `{"id","stage","lang","text"}` lines; write labels, evidence and what to ask next.

    Returns 0, or 1 when the reader cannot be loaded or any line was bad; see jsonlines.convert.
    """
    from bot.reading.embedded import EmbeddedReader
    from bot.usecases.ports import ReaderUnavailable

    try:
        reader = EmbeddedReader.bundled()
    except ReaderUnavailable as error:
        print(error, file=stderr)
        return 1

    def one(row: dict[str, Any]) -> dict[str, Any]:
        try:
            stage = StoryOf(row["stage"])
        except ValueError:
            raise BadLine('"stage" must be self, us or now.') from None
        return answer(row["id"], reader.hear(stage, row["text"]))

    return convert(stdin, stdout, stderr, one, ("id", "stage", "text"))


def answer(asked: object, reading: Reading) -> dict[str, Any]:
    """One output line: element names without their stage, one quotation each, next or "none"."""
    following = reading.next_element()
    return {
        "id": asked,
        "labels": {e.short: s.value for e, s in reading.statuses.items()},
        "evidence": {e.short: quote for e, quote in reading.evidence.items()},
        "next": following.short if following else "none",
    }

"""`coach screen`: danger and identifying passages in bulk. Format: design.md section 8."""

from __future__ import annotations

from typing import Any, BinaryIO, TextIO

from bot.commands.jsonlines import convert
from bot.core.care import Screening


def run(stdin: BinaryIO, stdout: TextIO, stderr: TextIO) -> int:
    """Read `{"id","lang","text"}` lines; write safety and spans. Returns as jsonlines.convert."""
    from bot.reading.embedding import BundledEmbedder
    from bot.screening.screener import EmbeddedScreener

    screener = EmbeddedScreener(BundledEmbedder())

    def one(row: dict[str, Any]) -> dict[str, Any]:
        return answer(row["id"], screener.screen(row["text"]))

    return convert(stdin, stdout, stderr, one, ("id", "text"))


def answer(asked: object, screening: Screening) -> dict[str, Any]:
    """One output line: safety, and each passage verbatim with its kind, in order."""
    return {
        "id": asked,
        "safety": screening.safety.value,
        "spans": [{"text": s.text, "kind": s.kind.value} for s in screening.spans],
    }

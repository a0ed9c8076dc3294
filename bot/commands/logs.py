"""Logs that hold no story: our own lines, others' warnings, and errors without their words."""

from __future__ import annotations

import logging
import os
import traceback
from pathlib import Path
from types import TracebackType
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Errors as their kinds and places. Their messages may quote what somebody wrote."""

    def formatException(self, ei: Failure) -> str:
        """Kinds and places of an error and of those that led to it."""
        lines = []
        error = ei[1]
        while error is not None:
            lines.append(type(error).__name__)
            lines += [
                f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def log_to(target: Path | TextIO, level: int = logging.WARNING) -> None:
    """Send logs to a file that only its owner can read, or to a stream.

    `level` is for our own lines. Libraries are heard from WARNING on, because below it some of
    them write down messages, statements and addresses with the token.
    """
    # A log that cannot be written is no reason to write a traceback into somebody's chat.
    logging.raiseExceptions = False
    handler: logging.Handler
    if isinstance(target, Path):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = logging.FileHandler(target, encoding="utf-8")
    else:
        handler = logging.StreamHandler(target)
    handler.setFormatter(Discreet(FORMAT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bot").setLevel(level)

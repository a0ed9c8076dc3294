"""Logs that hold no story: our own lines, others' warnings, and errors without their words."""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TOKEN = re.compile(r"(?<!\d)\d{4,}:[A-Za-z0-9_-]{8,}")
"""Looks like a bot's token, also inside the address of a Bot API call."""
HIDDEN = "(hidden)"
SHORTEST_SECRET = 4
"""Characters; hiding less would make every line unreadable and protect nothing."""

Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Lines for people. Errors are their kinds and places; their messages may quote somebody.

    What a library says is cut to the fixed part of its first line, because the rest may be
    anything: an address with the token, a task's error with its words. Ours holds only our words.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` are hidden wherever they turn up."""
        super().__init__(FORMAT)
        self._secrets = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len)[::-1]

    def format(self, record: logging.LogRecord) -> str:
        """One line; an error's places follow, a line each."""
        return self._hide(super().format(self._cut(record)))

    def formatException(self, ei: Failure) -> str:
        """Kinds and places of an error and of those that led to it."""
        return "\n".join(places(ei))

    def _cut(self, record: logging.LogRecord) -> logging.LogRecord:
        if _is_ours(record):
            return record
        cut = logging.makeLogRecord(record.__dict__)
        cut.msg = (str(record.msg).splitlines() or [""])[0]
        cut.args = None
        # Formatted already by another handler, perhaps with the error's words.
        cut.exc_text = None
        return cut

    def _hide(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return TOKEN.sub(HIDDEN, line)


class JsonLines(Discreet):
    """Lines for programs: `at` (UTC), `level`, `room`, `says` and, after an error, `places`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        cut = self._cut(record)
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(cut.created, UTC).isoformat(timespec="milliseconds"),
            "level": cut.levelname.lower(),
            "room": cut.name,
            "says": cut.getMessage(),
        }
        if cut.exc_info:
            line["places"] = places(cut.exc_info)
        return self._hide(json.dumps(line, ensure_ascii=False))


def places(failure: Failure) -> list[str]:
    """An error and those that led to it: each kind, then where it came through."""
    lines = []
    error, seen = failure[1], set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines.append(type(error).__name__)
        lines += [
            f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or error.__context__
    return lines


def log_to(
    target: Path | TextIO,
    level: int = logging.WARNING,
    form: str = "plain",
    secrets: Collection[str] = (),
) -> None:
    """Send logs to a file that only its owner can read, or to a stream.

    `level` is for our own lines. Libraries are heard from WARNING on, because below it some of
    them write down messages, statements and addresses with the token. `form` is plain or json.
    """
    # A log that cannot be written is no reason to write a traceback into somebody's chat.
    logging.raiseExceptions = False
    handler: logging.Handler
    if isinstance(target, Path):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = logging.FileHandler(target, encoding="utf-8")
    else:
        handler = logging.StreamHandler(target)
    handler.setFormatter(JsonLines(secrets) if form == "json" else Discreet(secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    logging.getLogger("bot").setLevel(level)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == "bot" or record.name.startswith("bot.")

"""The batch loop of `coach assess` and `coach screen`: JSON lines in, JSON lines out, in order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO, TextIO

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; a longer line is refused, so that memory stays bounded."""


class BadLine(ValueError):
    """One input line cannot be answered; the message is a plain sentence without its content."""


def convert(
    stdin: BinaryIO,
    stdout: TextIO,
    stderr: TextIO,
    one: Callable[[dict[str, Any]], dict[str, Any]],
    required: Sequence[str],
) -> int:
    """Answer each JSON object of `stdin` with one JSON line on `stdout`, in order, flushed.

    `required` keys must be there, and all of them but `id` must hold text. A bad line (not JSON,
    not UTF-8, a key missing, or `one` raising BadLine) gives one sentence with its number on
    `stderr` and is skipped. Returns 0, or 1 when any line was bad. A reader that closes `stdout`
    ends the work quietly. On a terminal, `stderr` shows progress.
    """
    bad = 0
    with ExitStack() as stack:
        tick = _progress(stack, stdin, stderr)
        for number, line in enumerate(_lines(stdin), 1):
            tick(len(line) if line is not None else LONGEST_LINE)
            try:
                row = _parse(line, required, first=number == 1)
                answer = None if row is None else one(row)
            except BadLine as error:
                bad += 1
                print(f"Line {number}: {error}", file=stderr, flush=True)
                continue
            if answer is None:
                continue
            try:
                stdout.write(_dump(answer, stdout.encoding) + "\n")
                stdout.flush()
            except BrokenPipeError:
                _stop_writing(stdout)
                break
    return 1 if bad else 0


def _lines(stdin: BinaryIO) -> Iterator[bytes | None]:
    """Each line, without holding more than one; None for a line longer than LONGEST_LINE."""
    while line := stdin.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stdin.readline(LONGEST_LINE)
        yield None


def _parse(line: bytes | None, required: Sequence[str], first: bool) -> dict[str, Any] | None:
    """The line's object; None when it is blank. Raises BadLine."""
    if line is None:
        raise BadLine(f"longer than {LONGEST_LINE} bytes.")
    try:
        text = line.decode("utf-8-sig" if first else "utf-8").strip()
    except UnicodeDecodeError:
        raise BadLine("not valid UTF-8.") from None
    if not text:
        return None
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise BadLine("not valid JSON.") from None
    if not isinstance(row, dict):
        raise BadLine("not a JSON object.")
    for key in required:
        if key not in row:
            raise BadLine(f'"{key}" is missing.')
        if key != "id" and not isinstance(row[key], str):
            raise BadLine(f'"{key}" must be text.')
    return row


def _dump(answer: Mapping[str, Any], encoding: str | None) -> str:
    """One JSON line; characters that `encoding` cannot carry are written as escapes."""
    line = json.dumps(answer, ensure_ascii=False)
    try:
        line.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(answer)
    return line


def _stop_writing(stdout: TextIO) -> None:
    """Let the interpreter's last flush go nowhere instead of failing on the closed pipe."""
    try:
        descriptor = stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _progress(stack: ExitStack, stdin: BinaryIO, stderr: TextIO) -> Callable[[int], None]:
    """A function told of each line's bytes; it draws a bar only when `stderr` is a terminal."""
    if not stderr.isatty():
        return lambda count: None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    total: int | None = None
    try:
        total = os.fstat(stdin.fileno()).st_size or None
    except (OSError, ValueError):
        total = None
    bar = stack.enter_context(
        Progress(
            TextColumn("{task.fields[lines]} lines"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("bytes"),
            console=Console(file=stderr),
            transient=True,
            redirect_stdout=False,
        )
    )
    task = bar.add_task("lines", total=total, lines=0)
    lines = 0

    def tick(count: int) -> None:
        nonlocal lines
        lines += 1
        bar.update(task, advance=count, lines=lines)

    return tick

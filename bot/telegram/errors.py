"""What a log may say of an error."""

from __future__ import annotations


def place_of(error: BaseException) -> str:
    """An error's kind and place, never its words: they might be somebody's story."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} at {file}:{trace.tb_lineno}"

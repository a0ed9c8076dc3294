"""Plain JSON, quickly: a turn reads and writes it a dozen times.

Where orjson refuses what JSON can hold (halves of characters, whole numbers beyond 64 bits when
writing, deep nesting) the standard library takes over, with its own errors. Two things differ from
it: NaN is written as null, and an Enum as its value.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def dumps(value: Any) -> str:
    """As text."""
    try:
        return orjson.dumps(value, option=_PLAIN).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value)


def written(value: Any) -> bytes:
    """As UTF-8."""
    try:
        return orjson.dumps(value, option=_PLAIN)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()


def loads(held: str | bytes) -> Any:
    """What was written. Raises ValueError, or RecursionError."""
    try:
        return orjson.loads(held)
    except orjson.JSONDecodeError:
        return json.loads(held)


def copied(value: Any) -> Any:
    """A copy that shares nothing with the value. Raises TypeError when it is not plain JSON."""
    return loads(written(value))


_PLAIN = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
"""What JSON has no word for is refused by orjson too."""

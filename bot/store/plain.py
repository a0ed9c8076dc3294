"""Plain JSON, quickly: a turn reads and writes it a dozen times."""

from __future__ import annotations

import json
from typing import Any

import orjson


def dumps(value: Any) -> str:
    """As `json.dumps` does, which takes over where orjson refuses: halves of characters, say."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value)


def copied(value: Any) -> Any:
    """A copy that shares nothing with the value. Raises TypeError when it is not plain JSON."""
    try:
        return orjson.loads(orjson.dumps(value, option=_PLAIN))
    except orjson.JSONEncodeError:
        return json.loads(json.dumps(value))


_PLAIN = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
"""What JSON has no word for is refused, as `json` does."""

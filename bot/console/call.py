"""One call of a Bot API method: its parameters, read as the server reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.console.refusal import bad_request


@dataclass(frozen=True)
class Upload:
    """A file sent along with a call, or kept for download."""

    name: str
    content: bytes
    mime_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Call:
    """Parameters may be plain values or, as over HTTP, JSON strings; files are by part name."""

    method: str
    params: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A string parameter, empty when absent."""
        value = self.params.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int | None:
        """A whole number, None when absent or not a number."""
        value = self.params.get(name)
        if isinstance(value, bool) or value is None:
            return None
        try:
            return int(str(value))
        except ValueError:
            return None

    def seconds(self, name: str) -> float:
        """A duration in seconds, 0 when absent."""
        try:
            return float(str(self.params.get(name) or 0))
        except ValueError:
            return 0.0

    def flag(self, name: str) -> bool:
        """A boolean, false when absent."""
        value = self.params.get(name)
        if isinstance(value, str):
            return value.lower() in ("true", "yes", "1")
        return bool(value)

    def nested(self, name: str) -> object:
        """An object or list, None when absent; refuses a string that is not JSON."""
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            decoded: object = json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None
        return decoded

    def chat_id(self) -> int:
        """The chat spoken to; refuses an empty one, and any name, as this server has none."""
        if self.text("chat_id") == "":
            raise bad_request("chat_id is empty")
        number = self.number("chat_id")
        if number is None:
            raise bad_request("chat not found")
        return number

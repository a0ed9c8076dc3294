"""What the console remembers between runs: ids, and the buttons left open. Never any words."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = 100
"""Ids are reserved on disk in blocks, so a crash skips some and repeats none."""


@dataclass
class OpenKeyboard:
    """The last message that still shows buttons; `rows` hold the Bot API's button objects."""

    message_id: int
    rows: list[list[dict[str, object]]]


@dataclass
class KnownChat:
    """A private chat or group the bot may write to, its open buttons, and a group's creator."""

    keyboard: OpenKeyboard | None = None
    creator: int | None = None


@dataclass
class Ledger:
    """Counters and open keyboards, on disk when a path is given.

    Ids handed out rise for ever, also across crashes and a damaged file. `set_aside` is where
    a damaged file was moved to. Methods that reserve or save raise OSError when the disk
    refuses; then no id was handed out.
    """

    path: Path | None = None
    chats: dict[int, KnownChat] = field(default_factory=dict)
    set_aside: Path | None = None
    _next: dict[str, int] = field(default_factory=dict)
    _reserved: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None) -> Ledger:
        """Read the file, or begin anew; a damaged file is set aside, never overwritten."""
        ledger = cls(path)
        if path is None or not path.exists():
            ledger._begin(1)
            return ledger
        try:
            ledger._load(json.loads(path.read_bytes()))
        except (ValueError, TypeError, KeyError, AttributeError):
            ledger.chats = {}
            ledger.set_aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.rename(ledger.set_aside)
            ledger._begin(int(time.time()))
        return ledger

    def next_id(self, counter: str) -> int:
        """The next `update`, `message` or `query` id, above every one before it."""
        value = self._next[counter]
        if value >= self._reserved[counter]:
            before = self._reserved[counter]
            self._reserved[counter] = value + _BLOCK
            try:
                self.save()
            except OSError:
                self._reserved[counter] = before
                raise
        self._next[counter] = value + 1
        return value

    def know(self, chat_id: int, creator: int | None = None) -> None:
        """Remember that the bot may write here, and who made the group."""
        if chat_id not in self.chats:
            self.chats[chat_id] = KnownChat(creator=creator)
            self.save()

    def leave(self, chat_id: int) -> None:
        """Forget a chat and its buttons."""
        if self.chats.pop(chat_id, None) is not None:
            self.save()

    def set_keyboard(self, chat_id: int, keyboard: OpenKeyboard | None) -> None:
        """Remember, or forget, the buttons open in a known chat."""
        known = self.chats.get(chat_id)
        if known is not None and known.keyboard != keyboard:
            known.keyboard = keyboard
            self.save()

    def save(self) -> None:
        """Write everything atomically: after a crash the file is the old or the new one."""
        if self.path is None:
            return
        content = json.dumps(
            {
                "reserved": self._reserved,
                "chats": {str(chat_id): _written(known) for chat_id, known in self.chats.items()},
            },
            ensure_ascii=False,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _begin(self, first: int) -> None:
        for counter in ("update", "message", "query"):
            self._next[counter] = self._reserved[counter] = first

    def _load(self, content: Mapping[str, Mapping[str, object]]) -> None:
        for counter in ("update", "message", "query"):
            value = content["reserved"][counter]
            if not isinstance(value, int) or value < 1:
                raise ValueError("not a counter")
            self._next[counter] = self._reserved[counter] = value
        for chat_id, keyboard in content["chats"].items():
            known = KnownChat()
            if isinstance(keyboard, dict):
                creator = keyboard.get("creator")
                known.creator = None if creator is None else int(creator)
                if "rows" in keyboard:
                    rows = [[dict(button) for button in row] for row in keyboard["rows"]]
                    if not all(isinstance(b["text"], str) for row in rows for b in row):
                        raise ValueError("not a keyboard")
                    known.keyboard = OpenKeyboard(int(keyboard["message_id"]), rows)
            self.chats[int(chat_id)] = known


def _written(known: KnownChat) -> dict[str, object] | None:
    shown: dict[str, object] = {}
    if known.keyboard is not None:
        shown |= {"message_id": known.keyboard.message_id, "rows": known.keyboard.rows}
    if known.creator is not None:
        shown["creator"] = known.creator
    return shown or None

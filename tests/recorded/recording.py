"""What everybody sees in one run, step by step, as text that a person can read."""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.console.chats import Event, Message
from tests.counterpart.server import HttpBotApi

QUIET = 1.5
"""Seconds without anything new after which a step that nobody knows yet is over."""
PATIENCE = 30.0
"""Longest wait for a step to show what it showed when it was recorded."""
WIDE = 96
_SECRET = re.compile(r"\b([ip]_)[A-Za-z0-9_-]{20,}")
_SPENT = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d UTC")


@dataclass
class Recording:
    """A run as it goes; with `known` steps each is awaited, without it is simply written down."""

    api: HttpBotApi
    known: list[str] | None = None
    steps: list[str] = field(default_factory=list)
    seen: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api.listen(self._on_event)
        self._changed = asyncio.Event()

    def _on_event(self, event: Event) -> None:
        where = self.api.chats[event.chat_id]
        place = f"in “{where.name}”" if where.kind != "private" else f"to {where.name}"
        if event.kind in ("message", "edited") and event.message is not None:
            changed = ", changed" if event.kind == "edited" else ""
            self._note(event.chat_id, f"  Coach {place}{changed}:\n{_shown(event.message)}")
        elif event.kind == "toast":
            self._note(event.chat_id, f"  Coach {place}, for a moment: {event.text}")
        elif event.kind == "left":
            self._note(event.chat_id, f"  Coach leaves “{where.name}”.")

    def _note(self, chat: int, text: str) -> None:
        self.seen.append((chat, text))
        self._changed.set()

    def chapter(self, title: str) -> None:
        """A heading."""
        self.steps.append(f"== {title}")

    async def step(self, did: str, act: Callable[[], object]) -> None:
        """Somebody does something; what everybody then sees."""
        self.seen.clear()
        act()
        number = len(self.steps)
        known = self.known[number] if self.known and number < len(self.known) else None
        if known is None:
            await self._quiet()
        else:
            try:
                async with asyncio.timeout(PATIENCE):
                    while self._told(did) != known:
                        self._changed.clear()
                        await self._changed.wait()
            except TimeoutError:
                pass  # What differs is shown when the whole is compared.
        self.steps.append(self._told(did))

    async def _quiet(self) -> None:
        await self.api.updates.confirmed()
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(QUIET):
                    await self._changed.wait()
            except TimeoutError:
                if self.seen:
                    return

    def _told(self, did: str) -> str:
        """The step as text. Two chats hear of the same thing in no certain order."""
        ordered = [text for _, text in sorted(self.seen, key=lambda each: -each[0])]
        return "\n".join([_wrapped(did, ""), *ordered])

    def text(self) -> str:
        """The whole run."""
        return "\n\n".join(self.steps) + "\n"


def known_steps(path: Path) -> list[str] | None:
    """The steps of a recorded run; None when there is none yet."""
    if not path.exists():
        return None
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n\n")


def _shown(message: Message) -> str:
    lines = []
    if message.upload is not None:
        kind = "a picture" if message.upload.name.endswith(".png") else "a file"
        lines.append(f"    ({kind}: {message.upload.name})")
    for line in steady(message.text).split("\n"):
        # An empty line would end the step.
        lines.append(_wrapped(line, "    ") if line.strip() else "    .")
    for row in message.rows():
        labels = [f"[{b['text']}{' ↗' if 'url' in b else ''}]" for b in row]
        lines.append("      " + " ".join(labels))
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> str:
    return "\n".join(
        textwrap.wrap(text, WIDE, initial_indent=indent, subsequent_indent=indent) or [indent]
    )


def steady(text: str) -> str:
    """The text without what no two runs have in common."""
    return _SPENT.sub("(then)", _SECRET.sub(r"\1…", text))

"""`coach chat` on a real (pseudo) terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.console.botapi import BotApi
from bot.console.chat import converse
from bot.console.screen import styled
from tests.console.conftest import EchoHost, eventually


class Terminal:
    """The keyboard and screen at the other end of a pseudo-terminal, 60 by 20."""

    def __init__(self, home: Path) -> None:
        self.api = BotApi(home / "console.json")
        self.host = EchoHost(self.api)
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        asyncio.get_running_loop().add_reader(self.master, self._read)
        self.stdin = os.fdopen(os.dup(self.slave), "r", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(self.slave), "w", encoding="utf-8")
        self.talking = asyncio.create_task(
            converse(self.api, self.host, "Maria", None, self.stdin, self.stdout, language="en")
        )

    def _read(self) -> None:
        self.raw += os.read(self.master, 65536)

    @property
    def shown(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw.decode("utf-8", "replace"))

    def keys(self, text: str) -> None:
        os.write(self.master, text.encode("utf-8"))

    async def until(self, text: str) -> None:
        await eventually(lambda: text in self.shown)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        self.stdin.close()
        self.stdout.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path)
    await terminal.until("#2 No")
    yield terminal
    if not terminal.talking.done():
        terminal.keys("\x03\x03")
        await terminal.talking
    terminal.close()


async def test_a_conversation_with_buttons_and_a_kind_goodbye(terminal: Terminal) -> None:
    terminal.keys("hello 🙂\r")
    await terminal.until("│ You said hello 🙂")
    terminal.keys("#2\r")
    await terminal.until("You pressed no")
    terminal.keys("\x04")
    assert await terminal.talking == 0
    await terminal.until("See you.")
    assert termios.tcgetattr(terminal.slave) == terminal.before


async def test_ctrl_c_clears_the_line_first_and_then_leaves(terminal: Terminal) -> None:
    terminal.keys("never sent\x03")
    terminal.keys("\x03")
    assert await terminal.talking == 0
    assert "You said never sent" not in terminal.shown


async def test_a_late_message_keeps_what_is_being_typed(terminal: Terminal) -> None:
    terminal.keys("half a sen")
    await terminal.until("half a sen")
    await terminal.host.application.bot.send_message(
        terminal.api.person("Maria").id, "<b>Late</b> word", "HTML"
    )
    await terminal.until("Late word")
    assert b"\x1b[1mLate" in terminal.raw
    assert terminal.shown.rstrip().endswith("› half a sen")
    terminal.keys("tence\r")
    await terminal.until("│ You said half a sentence")


async def test_a_long_paste_is_one_message_with_its_lines(terminal: Terminal) -> None:
    story = "\r".join(f"line {n} " + "x" * 60 for n in range(50))
    terminal.keys(f"\x1b[200~{story}\x1b[201~\r")
    await eventually(lambda: len(terminal.host.received) == 2)
    assert terminal.host.texts() == ["/start", story.replace("\r", "\n")]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("ac\x1b[Db\r", "abc"),
        ("xab\x01\x1b[3~\x05c\r", "abc"),
        ("one two\x17three\r", "one three"),
        ("drop\x15keep\r", "keep"),
        ("keep drop\x1bb\x0b\r", "keep"),
        ("tail👩‍🔧\x7f!\r", "tail!"),
        ("first\x1b\rsecond\r", "first\nsecond"),
        ("é\x1b[D\x1b[D\x1b[C!\r", "é!"),
        ("tab\there\x1b[99~\r", "tab here"),
    ],
)
async def test_the_line_can_be_edited(terminal: Terminal, keys: str, text: str) -> None:
    terminal.keys(keys)
    await eventually(lambda: len(terminal.host.received) == 2)
    assert terminal.host.texts() == ["/start", text]


async def test_the_last_line_comes_back_with_the_up_key(terminal: Terminal) -> None:
    terminal.keys("again\r")
    await terminal.until("│ You said again")
    terminal.keys("draft\x1b[A\r")
    await eventually(lambda: len(terminal.host.received) == 3)
    assert terminal.host.texts() == ["/start", "again", "again"]


async def test_a_bot_that_fails_while_nobody_types_ends_with_1(terminal: Terminal) -> None:
    terminal.host.trouble = "The disk is full."
    assert await terminal.talking == 1


def test_entities_become_styles_and_links_show_their_address() -> None:
    shown = styled(
        "🙂 bold link\x9b31m",
        [
            {"type": "bold", "offset": 3, "length": 4},
            {"type": "text_link", "offset": 8, "length": 4, "url": "https://example.org/"},
        ],
    )
    assert shown.plain == "🙂 bold link (https://example.org/)\ufffd31m"
    assert [(s.start, s.end, s.style) for s in shown.spans if s.style == "bold"] == [(2, 6, "bold")]

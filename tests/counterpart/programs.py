"""The real `coach` as a process of its own: started, killed and started again by one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.commands.shell import environment

ENDING = 15.0
"""Longest wait for a program told to end; it promises ten seconds."""


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port


class Program:
    """`python -m bot COMMAND` on a data directory, writing its log beside it."""

    def __init__(
        self, home: Path, command: str, settings: Mapping[str, str], module: str = "bot"
    ) -> None:
        """`module` is run instead of the program itself, to prepare it first."""
        self._command = [sys.executable, "-m", module, command]
        self._environment = environment(home, **settings)
        self._cwd = home
        self.log = home / "program.log"
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    def also(self, *arguments: str) -> None:
        """More arguments, from the next start on."""
        self._command += arguments

    def set(self, **settings: str) -> None:
        """More settings, from the next start on."""
        self._environment |= settings

    async def start(self) -> None:
        """Begin; returns at once."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, cwd=self._cwd, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int | None:
        """Its process, the latest."""
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """False once it has ended, whatever the reason."""
        return self._process is not None and self._process.returncode is None

    async def kill(self) -> None:
        """SIGKILL, wherever it stands."""
        await self._end(signal.SIGKILL, 5.0)

    async def stop(self) -> int:
        """SIGTERM, as an operator would; the exit code."""
        return await self._end(signal.SIGTERM, ENDING)

    async def _end(self, how: signal.Signals, seconds: float) -> int:
        process = self._process
        assert process is not None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            return await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise

    async def rests(self, seconds: float = 60.0) -> None:
        """Return once it computes nothing, as when its rooms are loaded."""
        assert self._process is not None
        quiet, before = 0, -1.0
        async with asyncio.timeout(seconds):
            while quiet < 3:
                await asyncio.sleep(0.2)
                used = _seconds_of(self._process.pid)
                quiet = quiet + 1 if used - before <= 0.02 else 0
                before = used

    def told(self) -> str:
        """Everything it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


def _seconds_of(process: int) -> float:
    """Processor seconds a process has used, as `ps` tells everywhere; hundredths on Linux."""
    stat = Path(f"/proc/{process}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    told = subprocess.run(
        ["ps", "-o", "time=", "-p", str(process)], capture_output=True, text=True, check=True
    ).stdout.strip()
    minutes, _, seconds = told.rpartition(":")
    return float(minutes.rpartition(":")[2] or 0) * 60 + float(seconds)


def polling(home: Path, address: str, token: str, module: str = "bot") -> Program:
    """`coach run` against a server at this address."""
    settings = {"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_API_BASE_URL": address}
    return Program(home, "run", settings, module)


def hooked(home: Path, address: str, token: str, module: str = "bot") -> Program:
    """`coach web` against a server at this address, listening on a port of its own."""
    port = free_port()
    return Program(
        home,
        "web",
        {
            "TELEGRAM_BOT_TOKEN": token,
            "TELEGRAM_API_BASE_URL": address,
            "TELEGRAM_WEBHOOK_URL": f"http://127.0.0.1:{port}/telegram",
            "TELEGRAM_WEBHOOK_SECRET": "a-word-between-us",
            "COACH_PORT": str(port),
        },
        module,
    )


WAYS = {"polling": polling, "webhook": hooked}
"""The two ways for updates to reach the bot, by name."""

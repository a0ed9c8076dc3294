"""Processes of a contestant: started, measured as Linux counts them, killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port


def _ends_with_parent() -> None:
    """Whatever becomes of the benchmark, nothing it started goes on computing behind it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Started:
    """Some commands that run together, each in a session of its own; their output is in `log`."""

    def __init__(
        self, commands: Sequence[Sequence[str]], home: Path, environment: Mapping[str, str]
    ) -> None:
        """Start them, one after another, in `home`."""
        self.log = home / "log.txt"
        self._running = []
        with self.log.open("ab") as log:
            for command in commands:
                self._running.append(
                    subprocess.Popen(
                        command, cwd=home, env=dict(environment), stdin=subprocess.DEVNULL,
                        stdout=log, stderr=log, start_new_session=True,
                        preexec_fn=_ends_with_parent,
                    )
                )  # fmt: skip

    @property
    def pids(self) -> list[int]:
        """Process numbers, children not included."""
        return [process.pid for process in self._running]

    @property
    def has_ended(self) -> bool:
        """Whether any of them is no more."""
        return any(process.poll() is not None for process in self._running)

    def told(self) -> str:
        """The last line they wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "no word was said"

    def kill(self) -> None:
        """SIGKILL to all of them at once, children included."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._running:
            process.wait()


def family(pids: Iterable[int]) -> set[int]:
    """These processes and everything they started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    todo = list(pids)
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += children.get(one, [])
    return found


def named(name: str) -> list[int]:
    """Every process of this machine with this name, as a database server's."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() == name:
                found.append(int(comm.parent.name))
    return found


def cpu(pids: Iterable[int]) -> float:
    """Processor seconds used so far, in hundredths."""
    spent = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
    return spent / TICKS


def resident(pids: Iterable[int]) -> float:
    """MiB of memory held now."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE / 2**20


def rests(pids: Sequence[int], seconds: float) -> None:
    """Wait until they compute nothing, as when everything is loaded; no longer than `seconds`."""
    until, quiet, before = time.monotonic() + seconds, 0, -1.0
    while quiet < 3 and time.monotonic() < until:
        time.sleep(0.2)
        used = cpu(family(pids))
        quiet = quiet + 1 if used - before <= 0.02 else 0
        before = used

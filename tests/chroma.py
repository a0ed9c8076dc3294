"""A Chroma server of our own, the one chromadb brings: on loopback, gone with the test run."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

MUST_PROVE = bool(os.environ.get("COACH_MUST_PROVE"))
PROGRAM = Path(sys.executable).with_name("chroma")
IS_HERE = PROGRAM.exists()
COMES_WITHIN = 60.0
"""Seconds for a server to answer after its start."""


def needed() -> None:
    """Skip the test where there is no Chroma server, unless it has to be proved."""
    if not IS_HERE and not MUST_PROVE:
        pytest.skip("chromadb brings no server here")


class Server:
    """One Chroma server on a folder and a port of its own."""

    def __init__(self) -> None:
        """Choose both; `start` starts it."""
        assert IS_HERE, "chromadb is installed without its command line program"
        self.home = Path(tempfile.mkdtemp(prefix="chroma-"))
        self.folder = self.home / "data"
        self.log = self.home / "log"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Return once it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "run", "--path", str(self.folder), "--host", "127.0.0.1",
                 "--port", str(self._port)],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.home,
            )  # fmt: skip
        until = time.monotonic() + COMES_WITHIN
        while time.monotonic() < until:
            assert self._process.poll() is None, self.log.read_text(errors="replace")[-2000:]
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat", timeout=1)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the Chroma server did not answer")

    def stop(self) -> None:
        """End it as a broken machine would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Stop it and delete its folder: what the documentation tells the operator to do."""
        self.stop()
        shutil.rmtree(self.folder)

    def database(self) -> str:
        """A new, empty database of its default tenant."""
        name = f"coach-{uuid4().hex[:12]}"
        made = httpx.post(
            f"{self.url}/api/v2/tenants/default_tenant/databases", json={"name": name}, timeout=30
        )
        made.raise_for_status()
        return name

    def bytes(self) -> bytes:
        """All that is written in any of its files, its log included."""
        files = sorted(p for p in self.home.rglob("*") if p.is_file())
        return b"\0".join(p.read_bytes() for p in files)

    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


_started: list[Server] = []


def server() -> Server:
    """The one server of this run."""
    if not _started:
        made = Server()
        made.start()
        _started.append(made)
    return _started[0]

"""A PostgreSQL of our own: started when first asked for, on a socket, gone with the test run."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

MUST_PROVE = bool(os.environ.get("COACH_MUST_PROVE"))
PORT = 5432
"""Names the socket; nothing listens on the network."""
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
}
FOR_TESTS = {
    # Nobody pulls the plug of the machine in a test; ending the server itself loses nothing.
    "fsync": "off",
    "full_page_writes": "off",
    # What it does, and when, would differ from run to run.
    "autovacuum": "off",
}


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest there is."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if (on_path := shutil.which("initdb")) and shutil.which("postgres"):
        found.append(Path(on_path).parent)
    return max(found, key=_version) if found else None


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


IS_HERE = programs() is not None


class Server:
    """One PostgreSQL server in a folder of its own. It never runs as root: it refuses to."""

    def __init__(self, is_durable: bool = False) -> None:
        """Make its files; `start` starts it. Not `is_durable`, a commit is not on the disk yet."""
        self._settings = SETTINGS if is_durable else SETTINGS | FOR_TESTS
        folder = programs()
        assert folder is not None, "PostgreSQL is not installed (Debian: apt install postgresql)"
        self._bin = folder
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if os.getuid() == 0:
            shutil.chown(self.home, "postgres", "postgres")
        else:
            self._as = []
        self._count = 0
        self._lock = threading.Lock()
        self._run(
            "initdb", "-D", f"{self.home}/data", "-U", "coach", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        atexit.register(self.close)

    def start(self) -> None:
        """Return once it answers."""
        options = " ".join(
            f"-c {name}={value or chr(39) * 2}" for name, value in self._settings.items()
        )
        options += f" -k {self.home} -p {PORT}"
        self._ctl("start", "-o", options, "-l", f"{self.home}/log")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends connections in good order, `immediate` as a crash would."""
        self._ctl("stop", "-m", mode)

    def close(self) -> None:
        """Stop it, whatever it is doing, and leave nothing behind."""
        subprocess.run(
            [*self._as, str(self._bin / "pg_ctl"), "-D", f"{self.home}/data", "-m", "immediate",
             "stop"], capture_output=True, cwd="/", check=False,
        )  # fmt: skip
        shutil.rmtree(self.home, ignore_errors=True)

    def database(self, template: str = "template0") -> str:
        """A new database's address, empty or like `template`."""
        with self._lock:
            self._count += 1
            name = f"coach_{os.getpid()}_{self._count}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop(self, name: str) -> None:
        """A database is gone, whoever is still connected with it."""
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def files(self, name: str) -> list[bytes]:
        """What stands in each file of a database at this moment."""
        self.ask("CHECKPOINT")
        ((oid,),) = self.ask(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
        return [p.read_bytes() for p in sorted((self.home / "data/base" / str(oid)).iterdir())]

    def rows(self, name: str) -> bytes:
        """Every row of every table of a database, as text."""
        tables = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name)
        return b"".join(
            str(row[0]).encode()
            for (table,) in tables
            for row in self.ask(f"SELECT t::text FROM {table} t", name)
        )

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What the server answers in one of its databases, each statement by itself."""
        import psycopg

        where = f"host={self.home} port={PORT} user=coach dbname={database}"
        with psycopg.connect(where, autocommit=True) as session:
            asked = session.execute(statement)  # type: ignore[call-overload]
            return list(asked.fetchall()) if asked.description else []

    def url(self, name: str) -> str:
        """A database's address."""
        return f"postgresql+psycopg://coach@/{name}?host={quote(str(self.home))}&port={PORT}"

    def _ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", f"{self.home}/data", "-w", "-t", "60", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as, str(self._bin / program), *arguments],
            check=True, cwd="/", stdout=subprocess.DEVNULL,
        )  # fmt: skip


_started: dict[bool, Server] = {}


def server(is_durable: bool = False) -> Server:
    """The one server of this run, of each kind."""
    if is_durable not in _started:
        one = _started[is_durable] = Server(is_durable)
        one.start()
    return _started[is_durable]

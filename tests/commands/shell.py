"""The command line as a person's shell runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import databases

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(home: Path, **settings: str) -> dict[str, str]:
    """A clean environment: nothing of the machine's own settings."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL")}
    ours = {"COACH_HOME": str(home), "PYTHONPATH": str(REPOSITORY), **databases.settings(home)}
    return keep | ours | settings


def coach(
    home: Path,
    *arguments: str,
    typed: bytes = b"",
    settings: Mapping[str, str] | None = None,
    before: str = "",
    seconds: float = 60,
) -> Ended:
    """Run `coach` beside the data directory with piped input.

    `before` is Python run in the same process first. A traceback on standard error fails the test.
    """
    where = next(folder for folder in home.parents if folder.is_dir())
    code = f"{before}\nimport sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=typed,
        capture_output=True,
        env=environment(home, **(settings or {})),
        cwd=where,
        timeout=seconds,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return Ended(done.returncode, out, err)


def coach_here(home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Run `coach` in this process: for many small commands, where starting one is not the point."""
    from typer.testing import CliRunner

    from bot.__main__ import app

    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("COACH_", "TELEGRAM_", "DATABASE_"))]:
            patch.delenv(name)
        patch.chdir(next(folder for folder in home.parents if folder.is_dir()))
        done = CliRunner().invoke(
            app,
            list(arguments),
            env={"COACH_HOME": str(home), **databases.settings(home), **(settings or {})},
        )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)

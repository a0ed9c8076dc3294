"""Every trouble a person can meet at the command line: one clear sentence, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.shell import Ended, coach, environment
from tests.databases import IS_SQLITE
from tests.telegram.stage import database, on_disk

JOINING = b"Yes, in English\n18 or older\nYes, begin\nskip\nskip\nskip\n"
"""From hello to the first telling, by words."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data directory with a database already brought to this version."""
    database(tmp_path / "home")
    return tmp_path / "home"


def refused(ended: Ended) -> str:
    """The one sentence of a refusal."""
    assert ended.code == 1
    assert ended.err.strip().count("\n") == 0, ended.err
    assert ended.err.strip().endswith(".")
    return ended.err.strip()


def held(home: Path, words: str) -> bool:
    """Whether words stand in the data a person could ask for."""
    return words in coach(home, "chat", typed=b"/mydata\n").out or words.encode() in on_disk(home)


def test_a_conversation_by_words_alone_ends_with_0_and_resumes(home: Path) -> None:
    first = coach(home, "chat", "--as", "Ana", typed=JOINING + b"I stood in the snow.\n")
    assert (first.code, first.err) == (0, "")
    again = coach(home, "chat", "--as", "Ana", typed=b"/start\n")
    assert (again.code, again.err) == (0, "")
    assert "I stood in the snow" in again.out


def test_crlf_and_bytes_that_are_not_utf8_are_read_as_text(home: Path) -> None:
    typed = (JOINING + b"I stood in the sn\xf3w.\n").replace(b"\n", b"\r\n")
    ended = coach(home, "chat", typed=typed)
    assert (ended.code, ended.err) == (0, "")
    assert "Some characters could not be read" in ended.out
    assert "sn�w" in coach(home, "chat", typed=b"/start\n").out


def test_ten_thousand_characters_on_one_line_get_one_answer(home: Path) -> None:
    typed = JOINING + b"We stood in the snow. " * 454 + b"\n"
    ended = coach(home, "chat", typed=typed)
    assert ended.code == 0
    quiet = coach(home, "chat", "--as", "Eva", typed=JOINING)
    answers = ended.out.count("#1 That's it") - quiet.out.count("#1 That's it")
    assert answers <= 1


def test_a_name_without_letters_is_wrong_usage(home: Path) -> None:
    for name in ("", "   ", "…"):
        ended = coach(home, "chat", "--as", name)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == "--as needs a name with at least one letter or digit.\n"


@pytest.mark.parametrize(
    "arguments", [["dance"], ["chat", "--loud"], ["stories", "--status", "lost"], ["forget"]]
)
def test_wrong_usage_ends_with_2(home: Path, arguments: list[str]) -> None:
    ended = coach(home, *arguments)
    assert ended.code == 2 and ended.err and not ended.out


def test_a_setting_that_cannot_be_used_is_named(home: Path) -> None:
    ended = coach(home, "chat", settings={"COACH_LANGUAGE": "klingon"})
    assert refused(ended) == "COACH_LANGUAGE cannot be used: must be en or es. See .env.example."
    sentence = refused(coach(home, "chat", settings={"DATABASE_URL": "nonsense"}))
    assert "DATABASE_URL" in sentence


@pytest.mark.sqlite_file("its bytes stay as they were")
def test_a_database_of_a_newer_version_is_left_alone(home: Path) -> None:
    path = home / "coach.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v29990101_future'")
    before = path.read_bytes()
    for command in (["chat"], ["stories"], ["migrate"], ["forget", "x", "--yes"]):
        sentence = refused(coach(home, *command, typed=b"hello\n"))
        assert "newer version" in sentence and "nothing was changed" in sentence
    assert path.read_bytes() == before


@pytest.mark.sqlite_file("a file with rubbish in it")
def test_a_corrupted_database_is_left_alone(home: Path) -> None:
    path = home / "coach.sqlite"
    content = bytearray(path.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    path.write_bytes(content)
    for command in (["chat"], ["stories"], ["migrate"]):
        assert "damaged" in refused(coach(home, *command, typed=b"hello\n"))
    path.write_bytes(b"this was never a database" * 100)
    assert "damaged" in refused(coach(home, "chat", typed=b"hello\n"))
    assert path.read_bytes() == b"this was never a database" * 100


@pytest.mark.sqlite_file("a file of another program")
def test_a_database_of_another_program_is_left_alone(home: Path) -> None:
    (home / "coach.sqlite").unlink()
    with contextlib.closing(sqlite3.connect(home / "coach.sqlite")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    assert "belongs to another program" in refused(coach(home, "chat"))


def test_a_corrupted_index_costs_examples_only(home: Path) -> None:
    index = home / "examples" / "index-0"
    index.mkdir(parents=True)
    (home / "examples" / "current").write_text("rubbish")
    (index / "chroma.sqlite3").write_bytes(b"rubbish" * 1000)
    typed = JOINING + b"I stood in the snow.\nshow me an example\nRosa was there.\n"
    ended = coach(home, "chat", typed=typed)
    assert (ended.code, ended.err) == (0, "")
    assert held(home, "Rosa was there.")


def test_the_consoles_damaged_memory_is_set_aside(home: Path) -> None:
    coach(home, "chat", typed=JOINING + b"I stood in the snow.\n")
    (home / "console.json").write_bytes(b"{rubbish")
    ended = coach(home, "chat", typed=b"/start\n")
    assert ended.code == 0 and "set aside" in ended.out
    assert "I stood in the snow" in ended.out


def test_the_consoles_memory_that_cannot_be_opened_is_named(home: Path) -> None:
    (home / "console.json").mkdir()
    assert "console.json cannot be used" in refused(coach(home, "chat", typed=b"hello\n"))


def test_a_second_coach_on_one_data_directory_is_refused(home: Path) -> None:
    code = "import sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    first = subprocess.Popen(
        [sys.executable, "-c", code, "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(home),
        cwd=home.parent,
    )
    assert first.stdin and first.stdout
    with first.stdin, first.stdout:
        assert first.stdout.readline()
        # On PostgreSQL erasing goes on beside a coach that runs.
        erasing = [["forget", "x", "--yes"], ["withdraw", "x", "--yes"]] if IS_SQLITE else []
        for command in (["chat"], *erasing):
            sentence = refused(coach(home, *command, typed=b"hello\n"))
            assert sentence.startswith("Another coach is already running on")
        first.stdin.close()
        assert first.wait(30) == 0
    assert coach(home, "chat").code == 0


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sentence = refused(coach(tmp_path / "file" / "home", "chat", typed=b"hello\n"))
    assert "file/home cannot be written" in sentence


def test_ctrl_c_and_a_request_to_end_leave_quietly(home: Path) -> None:
    code = "import sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    for number in (signal.SIGINT, signal.SIGTERM):
        running = subprocess.Popen(
            [sys.executable, "-c", code, "chat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home),
            cwd=home.parent,
        )
        assert running.stdin and running.stdout and running.stderr
        with running.stdin, running.stdout, running.stderr:
            assert running.stdout.readline()
            asked = time.monotonic()
            running.send_signal(number)
            assert running.wait(15) == 0
            assert time.monotonic() - asked < 10
            assert running.stderr.read() == b""


def test_an_output_nobody_reads_any_more_ends_without_a_word(home: Path) -> None:
    code = "import sys; sys.argv[0] = 'coach'\nfrom bot.__main__ import main; main()"
    running = subprocess.Popen(
        [sys.executable, "-c", code, "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home),
        cwd=home.parent,
    )
    assert running.stdin and running.stdout and running.stderr
    running.stdout.close()
    with running.stdin, running.stderr:
        running.stdin.write(b"hello\n" * 50)
        running.stdin.close()
        assert running.wait(30) in (0, 1)
        assert b"Traceback" not in running.stderr.read()


# -- disks --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, if this machine lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> None:
    """Leave not a single byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            return


@pytest.mark.sqlite_file("a full disk below the file")
def test_a_full_disk_is_named_and_what_was_kept_stays(small_disk: Path) -> None:
    home = small_disk / "home"
    database(home)
    assert coach(home, "chat", typed=JOINING + b"I stood in the snow.\n").code == 0
    fill(small_disk)
    ended = coach(home, "chat", typed=b"Rosa was there.\n" * 3)
    assert ended.code == 1
    assert "disk" in ended.err or "No space left" in ended.err
    (small_disk / "filler").unlink()
    again = coach(home, "chat", typed=b"/mydata\n")
    assert again.code == 0 and "I stood in the snow." in on_disk(home).decode(errors="replace")


@pytest.mark.sqlite_file("a full disk below the file")
def test_a_disk_that_fills_up_mid_conversation_loses_nothing_confirmed(small_disk: Path) -> None:
    home = small_disk / "home"
    database(home)
    lines = [f"line {n} {'of snow ' * 60}".strip() for n in range(400)]
    (small_disk / "filler").write_bytes(b"x" * 100_000)
    ended = coach(home, "chat", typed=JOINING + "\n".join(lines).encode() + b"\n")
    assert ended.code == 1, "a megabyte does not hold that much"
    assert "disk" in ended.err or "No space left" in ended.err
    (small_disk / "filler").unlink()
    again = coach(home, "chat", typed=b"/mydata\n")
    assert again.code == 0
    (data,) = (home / "received").rglob("*.txt")
    kept = [line for line in data.read_text().splitlines() if line.startswith("line ")]
    assert kept == lines[: len(kept)] and kept, "in order, without a gap"


@pytest.mark.sqlite_file("a disk below the file")
def test_a_disk_that_cannot_be_written_is_named_and_left_as_it_is(small_disk: Path) -> None:
    home = small_disk / "home"
    database(home)
    coach(home, "chat", typed=JOINING + b"I stood in the snow.\n")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        before = on_disk(home)
        for command in (["chat"], ["stories"], ["migrate"], ["forget", "you", "--yes"]):
            sentence = refused(coach(home, *command, typed=b"hello\n"))
            assert "cannot be written" in sentence or "could not be opened" in sentence
        assert on_disk(home) == before
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


@pytest.mark.sqlite_file("a file that may not grow")
def test_a_file_that_may_not_grow_is_a_full_disk(home: Path) -> None:
    size = max(p.stat().st_size for p in home.iterdir()) // 2
    before = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    ended = coach(home, "chat", typed=JOINING + b"I stood in the snow.\n" * 50, before=before)
    assert ended.code == 1 and ended.err.strip().endswith(".")

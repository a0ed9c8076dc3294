"""A backup's file is whole or refused; it is its owner's alone, and a crash leaves no word."""

from __future__ import annotations

import gzip
import random
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.store.backup_file import BackupWriter, Heading, TableBegins, check, read
from bot.usecases.backup_ports import BadBackup

HEADING = Heading("b-1", "20261130_backups", datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC))
ROWS = [[n, f"word {n} \ud800\x00", None, True, 0.1] for n in range(200)]


def written(path: Path) -> Path:
    writer = BackupWriter(path, HEADING)
    writer.table(TableBegins("stories", ("id", "text", "a", "b", "c"), 7))
    writer.rows(ROWS)
    writer.seal()
    writer.publish()
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    heading, begins, *rows = read(written(tmp_path / "a.backup"))
    assert heading == HEADING
    assert begins == TableBegins("stories", ("id", "text", "a", "b", "c"), 7)
    assert rows == ROWS


def test_only_its_owner_may_read_it_and_nothing_else_lies_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.backup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.backup")
    with pytest.raises(FileExistsError):
        BackupWriter(path, HEADING)
    assert check(path) == HEADING


def test_it_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    writer = BackupWriter(tmp_path / "a.backup", HEADING)
    writer.rows(ROWS)
    assert not (tmp_path / "a.backup").exists()
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_behind_goes_with_the_next_backup_and_a_running_one_stays(
    tmp_path: Path,
) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from tests.store.test_backup_file import BackupWriter, HEADING, ROWS\n"
        "writer = BackupWriter(Path(sys.argv[1]), HEADING)\nwriter.rows(ROWS)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    crashed = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "crash.backup"], check=False
    )
    assert crashed.returncode == -9
    (left,) = tmp_path.iterdir()
    running = BackupWriter(tmp_path / "running.backup", HEADING)
    assert not left.exists()
    written(tmp_path / "a.backup")
    running.seal()
    running.publish()
    assert {p.name for p in tmp_path.iterdir()} == {"a.backup", "running.backup"}


@pytest.mark.parametrize("seed", range(40))
def test_a_byte_that_changed_anywhere_is_seen(tmp_path: Path, seed: int) -> None:
    path = written(tmp_path / "a.backup")
    content = bytearray(path.read_bytes())
    # Bytes 4 to 9 of gzip's own heading (time, level, system) mean nothing to us.
    place = random.Random(seed).choice([0, 1, 2, *range(10, len(content))])
    content[place] ^= 1 << random.Random(seed).randrange(8)
    path.write_bytes(content)
    with pytest.raises(BadBackup, match="nothing was changed"):
        check(path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_seen(tmp_path: Path, part: float) -> None:
    path = written(tmp_path / "a.backup")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(BadBackup):
        check(path)


def test_a_row_taken_out_is_seen_though_the_compression_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "a.backup")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:5] + lines[6:])))
    with pytest.raises(BadBackup, match="damaged or cut short"):
        check(path)


OTHERS = [b"", b"Dear diary", b"SQLite format 3\x00"]
OTHERS += [gzip.compress(inside) for inside in (b"", b"{}\n", b"no json")]


@pytest.mark.parametrize("content", OTHERS)
def test_another_file_is_said_to_be_no_backup(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.backup"
    path.write_bytes(content)
    with pytest.raises(BadBackup, match="is not a backup made by `coach backup`"):
        check(path)


def test_a_newer_form_is_said_to_be_newer(tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    path.write_bytes(gzip.compress(b'{"story-coach-backup":2}\n'))
    with pytest.raises(BadBackup, match="made by a newer version of this program"):
        check(path)

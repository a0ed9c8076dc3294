"""`coach export`, `coach library`, and what withdrawing says of earlier exports."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from bot.core.story import Folder
from tests.commands.shell import coach_here
from tests.usecases.library_world import World, world


@pytest.fixture
def story(tmp_path: Path) -> str:
    """The id of an approved story in the data directory `tmp_path / "home"`."""

    async def make() -> Folder:
        async with world(tmp_path / "home") as made:
            return await _approved(made)

    return asyncio.run(make()).stories[0].id


async def _approved(made: World) -> Folder:
    folder = await made.teller(words="We stayed on Quetzal street.")
    await made.approve(folder, labels=[("theme", "housing")])
    return folder


def test_an_export_lies_where_it_was_asked_for(tmp_path: Path, story: str) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    done = coach_here(
        home, "export", "--profile", "public", "--format", "csv", "--format", "docx",
        "--out", str(out), "--json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    (path,) = out.iterdir()
    assert (said["path"], said["rows"], said["bytes"]) == (str(path), 1, path.stat().st_size)
    with zipfile.ZipFile(path) as held:
        assert "stories.csv" in held.namelist() and "stories-0001.docx" in held.namelist()
    assert "1 story in" in coach_here(home, "export", "--profile", "public").out


def test_withdrawing_says_which_exports_are_left_to_destroy(tmp_path: Path, story: str) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    coach_here(home, "export", "--profile", "public", "--out", str(out))
    coach_here(home, "export", "--profile", "public")
    done = coach_here(home, "withdraw", story, "--yes")
    (away,) = out.iterdir()
    # Where other machines work beside this one, it is said on which the file lies.
    (line,) = [x for x in done.out.splitlines() if x.startswith("Still to destroy by hand: ")]
    assert line.endswith(str(away)) and "files: 1 erased" in done.out
    assert list((home / "exports").iterdir()) == []
    lines = [json.loads(x) for x in coach_here(home, "export", "--json").out.splitlines()]
    assert [x["to_destroy"] for x in lines] == [[story], [story]]
    for line in lines:
        assert coach_here(home, "export", "--acknowledge", line["export"]).code == 0
    assert "TO DESTROY" not in coach_here(home, "export").out
    assert coach_here(home, "export", "--acknowledge", "nope").code == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--profile", "everyone"], "no profile everyone"),
        (["--profile", "public", "--format", "pdf"], "no format pdf"),
        (["--profile", "public", "--since", "tomorrow"], "Write a day like"),
        (["--profile", "public", "--stage", "them"], "self, us or now"),
    ],
)
def test_wrong_options_are_said(tmp_path: Path, options: list[str], says: str) -> None:
    done = coach_here(tmp_path, "export", *options)
    assert done.code == 2 and says in done.err


def test_the_library_is_searched_by_its_labels(tmp_path: Path, story: str) -> None:
    home = tmp_path / "home"
    (line,) = coach_here(home, "library", "--theme", "Housing", "--json").out.splitlines()
    assert json.loads(line)["story"] == story
    assert "Quetzal" in coach_here(home, "library").out
    assert "No approved story" in coach_here(home, "library", "--theme", "water").out
    assert coach_here(home, "library", "--purpose", "fun").code == 2

"""docs/survives.md names thirty-five hazards, each with tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "survives.md"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def test_every_hazard_has_a_line_and_every_line_names_tests_that_exist() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    numbers = [int(line.split("|")[1]) for line in lines]
    assert numbers == list(range(1, 36))
    for line in lines:
        named = NAMED.findall(line.rsplit("|", 2)[1])
        assert named, line
        for file, name in named:
            path = TESTS / file
            assert path.is_file(), f"{file} is gone"
            assert not name or name in defined(path), f"{file} has no {name}"


def defined(path: Path) -> set[str]:
    """Names of a file's functions, classes and top-level assignments."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names

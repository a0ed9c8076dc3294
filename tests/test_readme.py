"""What people read about the program is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.__main__ import app
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMMANDS = sorted(
    str(c.name or getattr(getattr(c, "callback", None), "__name__", ""))
    for c in (*app.registered_commands, *app.registered_groups)
)


@pytest.mark.parametrize("name", sorted(n.upper() for n in Settings.model_fields))
def test_every_setting_is_explained_in_the_example(name: str) -> None:
    found = re.search(rf"((?:^# .*\n)+)(?:^# ?[A-Z_]+=.*\n)*^#? ?{name}=", EXAMPLE, re.MULTILINE)
    assert found, f"{name} has no line, or no words above it, in .env.example"


def test_the_example_names_no_setting_there_is_not() -> None:
    for name in re.findall(r"^#? ?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE):
        assert name.lower() in Settings.model_fields, name


@pytest.mark.parametrize("name", sorted(n.upper() for n in Settings.model_fields))
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`coach {command}" in README


def test_the_readme_names_no_command_there_is_not() -> None:
    for command in re.findall(r"`coach ([a-z][a-z-]+)", README):
        assert command in COMMANDS, command

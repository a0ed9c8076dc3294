"""Procfile, compose.yaml, Dockerfile and the systemd units name only what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from bot.__main__ import app
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
UNITS = sorted((ROOT / "deploy").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = {"release", "web", "worker"}
SHARED_INDEX = {"chroma_url"}
"""A setting of several processes; where this version does not read it yet it harms nobody."""
DRAINS = 10
"""Seconds a process takes to end at most (bot/telegram/app.py, `stop`)."""


def commands() -> Iterator[tuple[str, str]]:
    """Every `coach …` that one of the files would run, with the file's name."""
    for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines():
        yield "Procfile", line.partition(": ")[2]
    for name in OURS:
        yield f"compose.yaml, {name}", COMPOSE["services"][name]["command"]
    for unit in SERVICES:
        (line,) = values(unit, "ExecStart")
        yield unit.name, f"coach {line.partition('/coach ')[2]}"
    yield "Dockerfile", " ".join(re.findall(r'"([^"]+)"', DOCKERFILE.splitlines()[-1]))


def values(unit: Path, name: str) -> list[str]:
    """What a unit sets a name to, each time."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("where", "line"), list(commands()))
def test_each_command_is_one_of_the_command_line_with_options_it_knows(
    where: str, line: str
) -> None:
    program, name, *arguments = shlex.split(line)
    assert program == "coach", where
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, list(arguments))


def test_the_procfile_says_what_platforms_look_for() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    assert {line.partition(":")[0] for line in lines} == {"release", "web", "worker"}


def settings_named() -> Iterator[tuple[str, str]]:
    for name in OURS:
        for setting in COMPOSE["services"][name]["environment"]:
            yield f"compose.yaml, {name}", setting
    for unit in SERVICES:
        for line in values(unit, "Environment"):
            for setting in shlex.split(line):
                yield unit.name, setting.partition("=")[0]
    for setting in re.findall(r"\b((?:COACH|TELEGRAM|DATABASE|CHROMA)_[A-Z]+)=", DOCKERFILE):
        yield "Dockerfile", setting


@pytest.mark.parametrize(("where", "setting"), sorted(set(settings_named())))
def test_each_setting_is_one_that_the_program_reads(where: str, setting: str) -> None:
    assert setting.lower() in set(Settings.model_fields) | SHARED_INDEX, where


def test_the_settings_of_compose_can_be_used_and_its_ports_match(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web = COMPOSE["services"]["web"]
    for name, value in web["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+):\?[^}]*\}", "word", value))
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert settings.host == "0.0.0.0"
    (published,) = web["ports"]
    assert published == f"127.0.0.1:{settings.web_port}:{settings.web_port}"
    for name in ("web", "worker"):
        assert (
            f":{settings.web_port}/healthz" in COMPOSE["services"][name]["healthcheck"]["test"][-1]
        )
    assert settings.worker_port == settings.web_port, "a worker shows its health there too"
    assert settings.database.startswith("postgresql+psycopg://coach:word@postgres:5432/coach")
    postgres = COMPOSE["services"]["postgres"]["environment"]
    assert (postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]) == ("coach", "coach")
    assert postgres["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_compose_migrates_first_and_starts_nothing_before_its_database_answers() -> None:
    services = COMPOSE["services"]
    assert services["release"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {
            "release": {"condition": "service_completed_successfully"}
        }
    for name in set(services) - {"release"}:
        assert services[name]["healthcheck"]["test"]


def test_what_is_pulled_is_pinned_and_chroma_is_the_version_we_speak_to() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    ours = {package["name"]: package["version"] for package in lock["package"]}
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in images:
        assert re.search(r":\d+\.\d+", image), image
    assert f"chromadb/chroma:{ours['chromadb']}" in images
    assert f"story-coach:{ours['story-coach']}" in images
    (uv,) = re.findall(r"uv==(\S+)", DOCKERFILE)
    assert f"uv=={uv}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_secret_stands_in_any_of_them_and_none_gets_into_an_image() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*UNITS, ROOT / "compose.yaml")]
    for text in (*texts, DOCKERFILE):
        assert not re.search(r"\d{6,}:[A-Za-z0-9_-]{30,}|sk-[A-Za-z0-9]{10,}", text)
        assert not re.search(r"(?:TOKEN|API_KEY|SECRET|PASSWORD)[=:] *[^\s$#?]", text)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    lets_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert lets_in == {"pyproject.toml", "uv.lock", "README.md", "bot", "prompts", "corpus"}
    copied = {
        name
        for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    assert copied == lets_in
    assert "USER coach" in DOCKERFILE


def test_whoever_ends_a_process_gives_it_the_time_it_takes() -> None:
    assert "at most ten seconds" in (ROOT / "bot/telegram/app.py").read_text(encoding="utf-8")
    for name in OURS:
        assert int(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s")) > DRAINS
    for unit in SERVICES:
        if values(unit, "Type") == ["exec"]:
            (seconds,) = values(unit, "TimeoutStopSec")
            assert int(seconds) > DRAINS, unit.name


def test_each_worker_has_a_data_folder_of_its_own() -> None:
    worker = (ROOT / "deploy" / "story-coach-worker@.service").read_text(encoding="utf-8")
    (folder,) = re.findall(r"COACH_HOME=/var/lib/(\S+)", worker)
    assert "%i" in folder and f"StateDirectory={folder}\n" in worker
    for service in OURS:
        assert all("/data" not in v for v in COMPOSE["services"][service].get("volumes", ()))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units_and_calls_them_well_locked(
    tmp_path: Path,
) -> None:
    coach = Path(sys.executable).parent / "coach"
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        name = unit.name.replace("@.", "@1.")
        (tmp_path / name).write_text(text.replace("/opt/story-coach/.venv/bin/coach", str(coach)))
    units = sorted(map(str, tmp_path.iterdir()))
    looked = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (looked.returncode, looked.stdout, looked.stderr) == (0, "", "")
    for unit in units:
        if unit.endswith(".service"):
            subprocess.run(
                ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
                capture_output=True, check=True,
            )  # fmt: skip


def test_on_one_machine_a_worker_leaves_the_web_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_PORT", "8080")
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert (settings.web_port, settings.worker_port) == (8080, None)

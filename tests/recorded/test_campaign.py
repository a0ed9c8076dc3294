"""The run as it was recorded is the run as it goes, with the real program, over HTTP."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from tests.recorded.campaign import HERE, played
from tests.recorded.recording import known_steps

MOST_STEPS = 10
"""What an organizer does from opening the invitation to the first prompt planned."""


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_campaign_goes_as_it_was_recorded(
    tmp_path: Path, index: Path, language: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(index, home / "examples")
    recorded = HERE / f"campaign.{language}.txt"
    told = await played(language, home, known_steps(recorded))
    assert told.steps_to_first_plan <= MOST_STEPS
    meant = recorded.read_text(encoding="utf-8")
    differs = difflib.unified_diff(meant.splitlines(), told.text.splitlines(), "meant", "shown")
    assert told.text == meant, "\n".join(
        ["Read it; if it is meant so, run: python -m tests.recorded", *differs]
    )

"""`python -m tests.recorded`: play the run in each language and write down what everybody saw."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from bot.settings import Settings
from tests.recorded.campaign import HERE, played

if __name__ == "__main__":
    for language in ("en", "es"):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            home.mkdir()
            ready = Settings().coach_home / "examples"
            if ready.exists():
                shutil.copytree(ready, home / "examples")
            told = asyncio.run(played(language, home, None))
        (HERE / f"campaign.{language}.txt").write_text(told.text, encoding="utf-8")
        print(f"campaign.{language}.txt: {told.steps_to_first_plan} steps to the first plan")

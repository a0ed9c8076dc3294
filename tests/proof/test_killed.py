"""Killed every two seconds while fifty people talk: nothing is lost, all are answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counterpart.programs import WAYS
from tests.proof import IS_WHOLE
from tests.proof.kills import HEAD, Plan, prove, prove_rival

PLAN = Plan(seconds=60 if IS_WHOLE else 8)
MODULE = "bot" if IS_WHOLE else "tests.proof.light"


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_kill_minus_nine_loses_no_message_and_handles_none_twice(
    way: str, tmp_path: Path
) -> None:
    outcome = await prove(way, tmp_path / way, PLAN, MODULE)
    print(f"\n{HEAD}\n{outcome.row()}")
    assert outcome.kills >= PLAN.seconds / 2 - 1 and outcome.messages > PLAN.chats
    assert outcome.stalled == 0, "it ended by itself"
    assert outcome.kept == outcome.sent, "every message once, in order"
    assert outcome.unanswered == 0, "every person answered"


@pytest.mark.skipif(not IS_WHOLE, reason="takes two minutes; `make proof` shows it beside ours")
@pytest.mark.parametrize("seconds", [60.0, 1.0])
async def test_the_librarys_own_persistence_loses_messages(seconds: float, tmp_path: Path) -> None:
    outcome = await prove_rival(tmp_path / "rival", PLAN, seconds)
    print(f"\n{HEAD}\n{outcome.row()}")
    assert outcome.lost > 0

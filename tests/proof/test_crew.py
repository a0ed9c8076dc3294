"""Several processes on one PostgreSQL are one bot: nobody notices when any of them dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.proof import IS_WHOLE
from tests.proof.crew import SCENES, Size

pytestmark = pytest.mark.skipif(
    not (postgres.IS_HERE or postgres.MUST_PROVE), reason="PostgreSQL is not installed"
)
SIZE = Size() if IS_WHOLE else Size(seconds=16, chats=40, groups=20, every=2.5)


@pytest.mark.parametrize("scene", sorted(SCENES))
async def test_of_several_processes_any_may_die_and_nothing_is_lost_doubled_or_out_of_order(
    scene: str, tmp_path: Path
) -> None:
    found = await SCENES[scene](tmp_path, SIZE)
    print(f"\n{found}")
    assert found.messages > SIZE.chats / 2
    assert found.kills or scene == "outage"
    assert not found.faults(), f"{found}\n{found.faults()}"

"""Wherever somebody is, /start and /cancel are answered, and /forget erases everything."""

from __future__ import annotations

import pytest

from bot.core.conversation.talk import STEPS
from tests.proof.house import House

EVERYWHERE = sorted(STEPS)


def test_there_are_steps() -> None:
    assert len(EVERYWHERE) > 20 and "telling" in EVERYWHERE


@pytest.mark.parametrize("step", EVERYWHERE)
def test_start_cancel_and_forget_work_in_every_state(step: str) -> None:
    house = House(("Ana",))
    house.begins()
    (ana,) = house.people
    for command in ("/start", "/cancel"):
        folder = next(iter(house.store.state.folders.values()))
        folder.session.step = step
        ana.says(command)
        house.passes(10)
        assert not house.waits(ana), command
        assert house.told(ana) == [], "and nothing was told by it"
    next(iter(house.store.state.folders.values())).session.step = step
    ana.says("/forget")
    house.passes(10)
    ana.presses("Erase everything")
    house.passes(10)
    assert house.store.state.folders == {} and not house.waits(ana)
    house.closes()

"""Whatever comes as an update, the bot goes on, and who writes something gets an answer."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.proof import IS_WHOLE
from tests.proof.fuzzed import Fuzz
from tests.proof.house import House

UPDATES = 100_000 if IS_WHOLE else 3_000
AT_ONCE = 50
"""Updates between two messages of everybody."""
PER_HOUSE = 5_000
SEED = 20261124
ANSWERED_WITHIN = 120.0
"""Seconds: failing updates of the same chat are each tried three times before."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A hundred thousand refusals need not be kept."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_no_update_stops_the_bot_or_keeps_anybody_from_an_answer() -> None:
    begun, fates, answered = time.monotonic(), Counter[str](), 0
    for number in range(0, UPDATES, PER_HOUSE):
        size = min(PER_HOUSE, UPDATES - number)
        answered += fuzzed(SEED + number, size, fates)
    seconds = time.monotonic() - begun
    print(
        f"\n{UPDATES} updates, {answered} valid messages answered, {dict(fates)}, {seconds:.0f} s"
    )
    assert answered >= UPDATES / AT_ONCE * 3
    assert fates["done"] > UPDATES / 2


def fuzzed(seed: int, updates: int, fates: Counter[str]) -> int:
    """Bring so many to one house; how many valid messages were answered meanwhile."""
    house = House(("Ana", "Ben", "Cleo"))
    house.begins()
    house.passes(1)
    house.queue.news = {"from_the_future": {"id": 2**70, "chat": [None]}}
    fuzz = Fuzz(seed, [p.id for p in house.people], [house.group.id])
    answered = 0
    for batch in range(updates // AT_ONCE):
        for _ in range(AT_ONCE):
            house.queue.put_raw(fuzz.update)
        newcomer = house.api.person(f"Newcomer {batch}", "es")
        everybody = [*house.people, newcomer]
        for person in everybody:
            person.says(f"what I saw on day {batch}")
        before = house.loop.time()
        while any(map(house.waits, everybody)) and house.loop.time() - before < ANSWERED_WITHIN:
            house.passes(5)
        waiting = [p.name for p in everybody if house.waits(p)]
        assert not waiting, f"seed {seed}, batch {batch}: nobody answered {waiting}"
        answered += len(everybody)
        house.passes(30)
        assert house.is_well(), f"seed {seed}, batch {batch}"
        left = Counter(kept.state for kept in house.store.state.inbox.values())
        assert not left["waiting"], f"seed {seed}, batch {batch}: updates wait for nothing"
        fates.update(left)
        house.forgets_what_is_over(newcomer)
    house.closes()
    return answered

"""A crew on PostgreSQL: every lane has one owner, the dead are replaced, one leads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from bot.store.crew import PostgresCrew
from bot.store.database import migrate, open_store
from bot.usecases.crew import LANES
from bot.usecases.ports import OutboxItem
from tests import postgres
from tests.store.samples import an_update

pytestmark = pytest.mark.skipif(
    not (postgres.IS_HERE or postgres.MUST_PROVE), reason="PostgreSQL is not installed"
)
ALL = frozenset(range(LANES))


class Busy:
    """Somebody aboard; `lanes` are those where something is under way."""

    def __init__(self) -> None:
        self.lanes: frozenset[int] = frozenset()
        self.heard: list[str] = []

    def arrived(self, chat: int | None = None) -> None:
        self.heard.append("in" if chat is None else f"in {chat}")

    def queued(self) -> None:
        self.heard.append("out")

    def reassigned(self) -> None:
        self.heard.append("lanes")

    def busy(self) -> frozenset[int]:
        return self.lanes


async def until(holds: Callable[[], bool], seconds: float = 6.0) -> float:
    """Seconds it took."""
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)
    return time.monotonic() - begun


def mine(crew: PostgresCrew) -> frozenset[int]:
    assert crew.lanes is not None
    return crew.lanes


async def test_lanes_are_shared_and_the_lanes_of_a_dead_process_are_taken_within_five_seconds() -> (
    None
):
    url = postgres.server().database()
    await migrate(url)
    one, other = PostgresCrew(url), PostgresCrew(url)
    await one.join(Busy())
    assert mine(one) == ALL and one.share == 1.0
    assert one.leads
    await other.join(Busy())
    await until(lambda: len(mine(one)) == len(mine(other)) == LANES // 2)
    assert not mine(one) & mine(other) and mine(one) | mine(other) == ALL
    assert one.leads and not other.leads
    # As SIGKILL does: no goodbye, and the session breaks.
    assert one._task is not None
    one._task.cancel()
    took = await until(lambda: mine(other) == ALL and other.leads)
    assert took < 5.0
    assert not any(one.serves(chat) for chat in range(LANES))
    await other.leave()


async def test_who_leaves_in_good_order_is_replaced_at_once() -> None:
    url = postgres.server().database()
    await migrate(url)
    one, other = PostgresCrew(url), PostgresCrew(url)
    await one.join(Busy())
    await other.join(Busy())
    await until(lambda: len(mine(other)) == LANES // 2)
    await one.leave()
    assert await until(lambda: mine(other) == ALL) < 2.0
    await other.leave()


async def test_a_lane_where_something_is_under_way_is_not_given_away() -> None:
    url = postgres.server().database()
    await migrate(url)
    one, other, aboard = PostgresCrew(url), PostgresCrew(url), Busy()
    await one.join(aboard)
    aboard.lanes = ALL
    await other.join(Busy())
    await asyncio.sleep(2.0)
    assert not mine(other)
    aboard.lanes = frozenset()
    await until(lambda: len(mine(other)) == LANES // 2)
    await one.leave()
    await other.leave()


async def test_news_of_a_chat_reaches_whoever_serves_it_and_nobody_else() -> None:
    url = postgres.server().database()
    await migrate(url)
    crews, aboard = [PostgresCrew(url), PostgresCrew(url)], [Busy(), Busy()]
    for crew, one in zip(crews, aboard, strict=True):
        await crew.join(one)
    await until(lambda: len(mine(crews[0])) == len(mine(crews[1])) == LANES // 2)
    stores = [await open_store(url), await open_store(url)]
    for store, crew in zip(stores, crews, strict=True):
        store.knows_of_ours(crew.serves)
    theirs, ours = (1000 * LANES + min(mine(crew)) for crew in reversed(crews))
    for one in aboard:
        one.heard.clear()
    async with stores[0].work() as work:
        await work.inbox.keep([an_update(1, theirs), an_update(2, ours), an_update(3, -theirs)])
        await work.outbox.queue([OutboxItem(theirs, {"kind": "say"})])
        await work.commit()
    await until(lambda: len(aboard[1].heard) >= 3)
    assert sorted(aboard[1].heard) == sorted([f"in {theirs}", f"in {-theirs}", "out"])
    assert aboard[0].heard == []
    # As an earlier version of the program says it, by lane.
    crews[1]._pass_on(f"in:{theirs % LANES}")
    crews[1]._pass_on("in:")
    crews[1]._pass_on("nonsense")
    assert aboard[1].heard[3:] == ["in"]
    for each in crews:
        await each.leave()
    for store in stores:
        await store.close()


async def test_one_fetches_and_never_one_that_may_not() -> None:
    url = postgres.server().database()
    await migrate(url)
    worker, one, other = PostgresCrew(url, may_fetch=False), PostgresCrew(url), PostgresCrew(url)
    await worker.join(Busy())
    assert worker.leads and not worker.fetches
    await one.join(Busy())
    await other.join(Busy())
    assert one.fetches and not other.fetches and not one.leads
    await one.leave()
    await until(lambda: other.fetches)
    await other.leave()
    await worker.leave()

"""What every inbox promises about updates set aside: on SQL and on the in-memory fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.usecases.ports import SetAside, Store
from tests.store.places import PLACES, opened
from tests.store.samples import NOW, an_update


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        async with store.work() as work:
            for number in (1, 2, 3, 4):
                await work.inbox.put(an_update(number))
            await work.inbox.attempted([2, 2, 3])
            await work.inbox.quarantine([3], "KeyError")
            await work.inbox.quarantine([2], "TypeError")
            await work.inbox.done([4], NOW)
            await work.commit()
        yield store


async def test_updates_set_aside_are_listed_with_kind_and_time(store: Store) -> None:
    async with store.work() as work:
        aside = await work.inbox.quarantined()
        assert aside == [SetAside(2, "TypeError", NOW), SetAside(3, "KeyError", NOW)]
        assert await work.inbox.quarantined(1) == aside[:1]


async def test_an_update_put_back_waits_with_every_try_ahead(store: Store) -> None:
    async with store.work() as work:
        assert await work.inbox.put_back([2, 1, 4, 99]) == 1, "only what was set aside"
        await work.commit()
    async with store.work() as work:
        assert [(i.update_id, i.attempts) for i in await work.inbox.waiting()] == [(1, 0), (2, 0)]
        assert [a.update_id for a in await work.inbox.quarantined()] == [3]
        assert (await work.inbox.counts())["done"] == 1


async def test_what_was_put_back_is_given_out_once(store: Store) -> None:
    async with store.work() as work:
        assert await work.inbox.returned() == []
        await work.inbox.put_back([3, 2])
        await work.commit()
    async with store.work() as work:
        assert [item.update_id for item in await work.inbox.returned()] == [2, 3]
        await work.commit()
    async with store.work() as work:
        assert await work.inbox.returned() == []
        await work.inbox.quarantine([2], "KeyError")
        await work.inbox.put_back([2])
        assert [item.payload for item in await work.inbox.returned()] == [an_update(2).payload]

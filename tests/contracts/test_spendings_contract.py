"""What models cost is kept by the day, whatever keeps it, and forgotten with its resident."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.consent import MODEL_WORDING, ModelConsent
from bot.usecases.ports import Spent, Store
from tests.fakes import A_TUESDAY, joined_folder
from tests.store.places import PLACES, everything_held, opened

TODAY = A_TUESDAY.date()


@pytest.fixture(params=PLACES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as store:
        yield store


async def spend(store: Store, who: str, spent: Spent, days: int = 0) -> None:
    async with store.work() as work:
        await work.spendings.add(TODAY + timedelta(days=days), who, spent)
        await work.commit()


async def spent(store: Store, who: str, days: int = 0) -> Spent:
    async with store.work() as work:
        return await work.spendings.spent(TODAY + timedelta(days=days), who)


async def test_spending_adds_up_by_day_and_resident(store: Store) -> None:
    assert await spent(store, "id1") == Spent()
    await spend(store, "id1", Spent(700, 0.25))
    await spend(store, "id1", Spent(300, 0.25))
    await spend(store, "", Spent(5_000, 1.5))
    assert await spent(store, "id1") == Spent(1_000, 0.5)
    assert await spent(store, "") == Spent(5_000, 1.5)
    assert await spent(store, "id2") == Spent() == await spent(store, "id1", 1)


async def test_what_a_resident_spent_yesterday_is_forgotten_and_the_sum_of_all_kept(
    store: Store,
) -> None:
    await spend(store, "id1", Spent(700))
    await spend(store, "", Spent(700))
    await spend(store, "id2", Spent(1), days=1)
    assert await spent(store, "id1") == Spent()
    assert await spent(store, "") == Spent(700)


async def test_without_a_commit_nothing_was_spent(store: Store) -> None:
    async with store.work() as work:
        await work.spendings.add(TODAY, "id1", Spent(700))
    assert await spent(store, "id1") == Spent()


async def test_a_yes_to_a_model_is_kept_and_goes_with_the_spending_when_they_are_forgotten(
    store: Store,
) -> None:
    folder = joined_folder()
    folder.resident.model = ModelConsent(True, "model.example.org", MODEL_WORDING, "en", A_TUESDAY)
    async with store.work() as work:
        await work.folders.save(folder)
        await work.commit()
    await spend(store, folder.resident.id, Spent(700))
    async with store.work() as work:
        kept = await work.folders.by_chat(7)
    assert kept is not None and kept.resident.model == folder.resident.model
    async with store.work() as work:
        await work.folders.erase(folder.resident.id, A_TUESDAY)
        await work.commit()
    assert await spent(store, folder.resident.id) == Spent()
    assert "model.example.org" not in await everything_held(store)

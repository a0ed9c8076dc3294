"""Each chat in its own order, none waiting for another, and poison harming only itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.care import Safety
from bot.telegram import lanes
from bot.usecases.ports import InboxItem, Store, StoreUnavailable, UnitOfWork
from tests.fakes import ScriptedScreener
from tests.telegram.stage import Stage, eventually, running


class Choking(ScriptedScreener):
    """Fails on messages with one word, as often as told."""

    def __init__(self, word: str, times: int = 10**6) -> None:
        super().__init__()
        self.word, self.times, self.tried = word, times, 0

    async def safety(self, text: str, language: str) -> Safety:
        if self.word in text and self.tried < self.times:
            self.tried += 1
            raise ZeroDivisionError(f"somebody wrote {text}")
        return await super().safety(text, language)


class Slow(ScriptedScreener):
    """Waits at messages with one word until let go."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.go = word, asyncio.Event()

    async def safety(self, text: str, language: str) -> Safety:
        if self.word in text:
            await self.go.wait()
        return await super().safety(text, language)


class Breaking:
    """A store that can be told to refuse every commit, as a full disk does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False

    def work(self) -> UnitOfWork:
        work = self._store.work()
        commit = work.commit

        async def refuse(within: float = 0.0) -> None:
            if self.is_full:
                raise StoreUnavailable("The disk is full. Free some space and try again.")
            await commit(within)

        work.commit = refuse  # type: ignore[method-assign]
        return work

    async def scrub(self, at: Any) -> Any:
        return await self._store.scrub(at)

    async def empty_log(self) -> None:
        await self._store.empty_log()

    async def close(self) -> None:
        await self._store.close()


async def test_a_poisonous_message_is_set_aside_and_its_neighbours_are_kept(
    tmp_path: Path,
) -> None:
    screener = Choking("poison")
    async with running(tmp_path, screener=screener) as stage:
        ana = stage.person()
        await stage.tells(ana)
        for text in ("first line", "second line", "a poison line", "fourth line", "fifth line"):
            ana.says(text)
        await stage.settled()
        kept = (await stage.typed(ana)).splitlines()
        assert kept == ["first line", "second line", "fourth line", "fifth line"]
        assert (await stage.counts())["quarantined"] == 1
        told = [e.text for e in stage.entries(ana)]
        assert sum("I've kept it" in text for text in told) == 1
        await stage.says(ana, "sixth line")
        assert (await stage.typed(ana)).endswith("sixth line")


async def test_a_message_that_fails_once_is_tried_again_and_kept(tmp_path: Path) -> None:
    async with running(tmp_path, screener=Choking("poison", times=2)) as stage:
        ana = stage.person()
        await stage.tells(ana, "a poison line")
        assert await stage.typed(ana) == "a poison line"
        assert (await stage.counts())["quarantined"] == 0


async def test_an_update_of_unknown_form_harms_no_neighbour(stage: Stage) -> None:
    ana = stage.person()
    await stage.tells(ana, "one line")
    stage.api.updates.put("message", {"message_id": "x", "chat": {"id": ana.id}, "date": []})
    stage.api.updates.put("message", {"nothing": "of the kind"})
    stage.api.updates.put("callback_query", {"id": 1, "from": None, "data": {}})
    ana.says("another line")
    await stage.settled()
    assert (await stage.typed(ana)).splitlines() == ["one line", "another line"]
    assert (await stage.counts())["waiting"] == 0


async def test_a_slow_chat_delays_no_other(tmp_path: Path) -> None:
    slow = Slow("slowly")
    async with running(tmp_path, screener=slow) as stage:
        ana, eva = stage.person("Ana"), stage.person("Eva")
        await stage.tells(ana)
        await stage.tells(eva)
        stage.entries(eva)
        ana.says("slowly told")
        eva.says("quickly told")
        await eventually(lambda: bool(stage.entries(eva)))
        assert await stage.typed(ana) == ""
        slow.go.set()
        await stage.settled()
        assert await stage.typed(ana) == "slowly told"


async def test_idle_waits_for_the_turn_and_for_its_answer(tmp_path: Path) -> None:
    slow = Slow("slowly")
    async with running(tmp_path, screener=slow) as stage:
        ana = stage.person()
        await stage.tells(ana)
        stage.entries(ana)
        ana.says("slowly told")
        await stage.api.updates.confirmed()
        idle = asyncio.create_task(stage.coach.idle())
        await asyncio.sleep(0.1)
        assert not idle.done()
        slow.go.set()
        await asyncio.wait_for(idle, 5)
        assert len(stage.entries(ana)) == 1


async def test_a_person_waiting_longer_than_a_second_is_shown_typing(tmp_path: Path) -> None:
    slow = Slow("slowly")
    async with running(tmp_path, screener=slow) as stage:
        ana = stage.person()
        await stage.tells(ana)
        ana.says("slowly told")
        await eventually(lambda: "sendChatAction" in stage.api.calls)
        slow.go.set()
        await stage.settled()


async def test_a_full_disk_is_told_and_the_message_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PAUSES", (0.2,))
    stores: list[Breaking] = []

    def around(store: Store) -> Store:
        stores.append(Breaking(store))
        return stores[-1]

    async with running(tmp_path, around=around) as stage:
        inside, outside = stores
        ana = stage.person()
        await stage.tells(ana, "one line")
        inside.is_full = True
        await stage.says(ana, "a line in bad times")
        assert stage.coach.failure() == "The disk is full. Free some space and try again."
        inside.is_full = False
        await eventually(lambda: stage.coach.failure() is None)
        await stage.settled()
        assert (await stage.typed(ana)).splitlines() == ["one line", "a line in bad times"]
        assert stage.coach.failure() is None
        assert outside.is_full is False


async def test_an_update_that_cannot_be_kept_is_not_acknowledged_and_comes_again(
    tmp_path: Path,
) -> None:
    stores: list[Breaking] = []

    def around(store: Store) -> Store:
        stores.append(Breaking(store))
        return stores[-1]

    async with running(tmp_path, around=around) as stage:
        ana = stage.person()
        await stage.tells(ana, "one line")
        for store in stores:
            store.is_full = True
        ana.says("a line in bad times")
        await eventually(lambda: stage.coach.failure() is not None)
        assert "was not kept" in str(stage.coach.failure())
        assert len(stage.api.updates) == 1, "Telegram still holds it"
        for store in stores:
            store.is_full = False
        await stage.settled()
        assert (await stage.typed(ana)).splitlines() == ["one line", "a line in bad times"]


async def test_stopping_takes_less_than_ten_seconds_whatever_hangs(tmp_path: Path) -> None:
    slow = Slow("slowly")
    async with running(tmp_path, screener=slow) as stage:
        ana = stage.person()
        await stage.tells(ana, "one line")
        ana.says("slowly told")
        await stage.api.updates.confirmed()
        stage.api.faults.too_many_requests("sendMessage", 600, times=5)
        before = asyncio.get_running_loop().time()
        await stage.coach.stop()
        assert asyncio.get_running_loop().time() - before < 10
    async with running(tmp_path) as stage:
        ana = stage.person()
        await stage.settled()
        assert (await stage.typed(ana)).splitlines() == ["one line", "slowly told"]
        assert len(stage.entries(ana)) == 1


async def test_a_backlog_larger_than_one_look_at_the_disk_is_taken_up_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "AT_ONE_TIME", 3)
    async with running(tmp_path) as stage:
        ana = stage.person()
        await stage.tells(ana)
        await stage.coach.stop()
        chat = ana.chat.payload()
        async with stage.store.work() as work:
            for number in range(10):
                body = {"message_id": number, "date": 0, "chat": chat, "from": ana.payload()}
                update = {
                    "update_id": 10_000 + number,
                    "message": body | {"text": f"line {number}"},
                }
                item = InboxItem(10_000 + number, ana.id, json.dumps(update), stage.clock.now())
                await work.inbox.put(item)
            await work.commit()
    async with running(tmp_path) as stage:
        ana = stage.person()
        await stage.settled()
        assert (await stage.typed(ana)).splitlines() == [f"line {n}" for n in range(10)]

"""Fetching: what is confirmed, what is asked again, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.telegram.polling import ALLOWED, Patience, Polling
from bot.usecases.ports import StoreUnavailable
from tests.telegram.stage import eventually

SHORT = Patience(0.15, 0.4, 60.0, 0.05, 0.01)


class Scripted:
    """A bot whose fetches are scripted: a batch, or an error. At the end it waits."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[tuple[int | None, float, tuple[str, ...]]] = []
        self.webhook = ""

    async def fetch(
        self, offset: int | None, wait: float, limit: int | None = None, allowed: Any = ALLOWED
    ) -> list[Any]:
        self.asked.append((offset, wait, tuple(allowed)))
        if wait == 0:
            return []
        if not self.script:
            await asyncio.sleep(60)
        step = self.script[0] if callable(self.script[0]) else self.script.pop(0)
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        return list(step)

    async def get_webhook_info(self) -> Any:
        class Info:
            url = self.webhook

        return Info

    async def delete_webhook(self, drop_pending_updates: bool) -> None:
        assert not drop_pending_updates
        self.webhook = ""


class Kept:
    """A queue that keeps in memory; `trouble` is raised as often as it says."""

    def __init__(self, trouble: int = 0) -> None:
        self.updates: list[Any] = []
        self.trouble = trouble

    async def keep(self, received: list[Any]) -> None:
        if self.trouble:
            self.trouble -= 1
            raise StoreUnavailable("The disk is full.")
        self.updates += received


@asynccontextmanager
async def polling(
    bot: Scripted, queue: Kept | None = None, say: Callable[[str], None] = print
) -> AsyncIterator[Polling]:
    fetching = Polling(bot, queue or Kept(), say, SHORT)  # type: ignore[arg-type]
    await fetching.start()
    try:
        yield fetching
    finally:
        async with asyncio.timeout(3):
            await fetching.stop()


def update(number: int) -> dict[str, int]:
    return {"update_id": number}


async def test_what_was_kept_is_confirmed_by_the_next_fetch_and_at_the_end() -> None:
    bot, queue = Scripted([update(5), update(6)], [update(7)]), Kept()
    async with polling(bot, queue):
        await eventually(lambda: len(bot.asked) == 3)
    assert [offset for offset, _, _ in bot.asked] == [None, 7, 8, 8]
    assert bot.asked[-1][1] == 0
    assert all(kinds == ALLOWED for _, _, kinds in bot.asked)
    assert queue.updates == [update(5), update(6), update(7)]


async def test_what_could_not_be_kept_is_not_confirmed() -> None:
    bot, queue = Scripted([update(5)], [update(5)], [update(6)]), Kept(trouble=1)
    async with polling(bot, queue):
        await eventually(lambda: len(bot.asked) == 4)
    assert [offset for offset, _, _ in bot.asked] == [None, None, 6, 7, 7]
    assert queue.updates == [update(5), update(6)]


async def test_what_has_no_id_harms_no_neighbour() -> None:
    bot, queue = Scripted([update(5), "poison", None, {"update_id": 10**30}, update(6)]), Kept()
    async with polling(bot, queue):
        await eventually(lambda: len(bot.asked) == 2)
    assert bot.asked[1][0] == 7 and len(queue.updates) == 5


async def test_trouble_on_the_way_and_mistakes_of_ours_are_outlived() -> None:
    trouble = [NetworkError("x"), TimedOut(), RetryAfter(0), TelegramError("x"), KeyError("x")]
    for error in trouble:
        bot, queue = Scripted(error, [update(5)]), Kept()
        async with polling(bot, queue) as fetching:
            await eventually(lambda kept=queue: bool(kept.updates))  # type: ignore[misc]
            assert fetching.trouble is None


async def refusal(fetching: Polling) -> str:
    async with asyncio.timeout(3):
        return str(await fetching.refused())


async def test_a_second_poller_that_stays_ends_it() -> None:
    async with polling(Scripted(lambda: Conflict("x"))) as fetching:
        assert "Another program is fetching" in await refusal(fetching)
        await eventually(lambda: fetching.trouble is not None)


async def test_two_pollers_that_take_turns_are_noticed_too() -> None:
    turn = iter([Conflict("x"), [update(1)]] * 1000)
    async with polling(Scripted(lambda: next(turn))) as fetching:
        assert "Another program is fetching" in await refusal(fetching)


async def test_a_moment_of_two_pollers_is_outlived() -> None:
    bot, queue = Scripted(Conflict("x"), Conflict("x"), [update(5)]), Kept()
    async with polling(bot, queue) as fetching:
        await eventually(lambda: bool(queue.updates))
        assert fetching.trouble is None


async def test_the_one_in_service_is_more_patient_than_the_newcomer() -> None:
    assert Patience().of_a_newcomer * 2 < Patience().of_one_in_service
    assert Patience().of_a_newcomer < Patience().newcomer_for


async def test_an_unknown_token_ends_it_but_one_bad_answer_does_not() -> None:
    bot, queue = Scripted(InvalidToken("x"), [update(5)]), Kept()
    async with polling(bot, queue):
        await eventually(lambda: bool(queue.updates))
    async with polling(Scripted(lambda: InvalidToken("x"))) as fetching:
        assert "does not know TELEGRAM_BOT_TOKEN" in await refusal(fetching)


async def test_a_webhook_from_before_is_removed_and_a_later_one_ends_it() -> None:
    said: list[str] = []
    bot, queue = Scripted(Conflict("x"), [update(5)]), Kept()
    bot.webhook = "https://old.example.org/path"
    async with polling(bot, queue, said.append) as fetching:
        await eventually(lambda: bool(queue.updates))
        assert bot.webhook == "" and len(said) == 1 and "old.example.org" in said[0]
        bot.webhook, bot.script = "https://new.example.org/path", [Conflict("x")]
    later = Scripted([update(5)], Conflict("x"))
    async with polling(later) as fetching:
        later.webhook = "https://new.example.org/path"
        assert "new.example.org" in await refusal(fetching)
        assert later.webhook != ""


async def test_a_server_that_knows_no_webhooks_is_taken_for_another_poller() -> None:
    class Older(Scripted):
        async def get_webhook_info(self) -> Any:
            raise TypeError

    async with polling(Older(lambda: Conflict("x"))) as fetching:
        assert "Another program is fetching" in await refusal(fetching)


async def test_fetching_never_ends_silently() -> None:
    def breaks(sentence: str) -> None:
        raise OSError("standard error is closed")

    bot = Scripted(Conflict("x"))
    bot.webhook = "https://old.example.org/path"
    async with polling(bot, say=breaks) as fetching:
        assert "mistake in the program" in await refusal(fetching)


async def test_a_server_that_does_not_wait_is_not_asked_all_the_time() -> None:
    bot = Scripted(list)
    async with polling(bot):
        await asyncio.sleep(0.3)
    assert len(bot.asked) <= 3


async def test_stopping_waits_for_what_came_to_be_kept() -> None:
    class Slow(Kept):
        async def keep(self, received: list[Any]) -> None:
            await asyncio.sleep(0.2)
            await super().keep(received)

    bot, queue = Scripted([update(5)]), Slow()
    async with polling(bot, queue):
        await asyncio.sleep(0.05)
    assert queue.updates == [update(5)] and bot.asked[-1][:2] == (6, 0)

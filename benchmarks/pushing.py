"""`python -m benchmarks.pushing [GROUPS]`: many groups due at once, and one resident who writes.

The Bot API in this process refuses with 429 what Telegram's Bots FAQ says it refuses: more than 30
calls in a second, more than 20 a minute in a group. Everything else is the program itself: desk,
schedule, SQLite, outbox, sender. The yardstick is the time the limit alone would take.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from pathlib import Path

from telegram.request import RequestData

from bot.console.botapi import BotApi
from bot.console.people import Person
from bot.console.request import InProcessRequest
from bot.core.practice import Aim
from bot.core.schedule import Rule
from bot.telegram.limits import Figures
from bot.usecases.organizers import Organizers, Plan
from bot.usecases.people import CONSOLE
from bot.words.practice import load_library
from tests.fakes import catalogue
from tests.telegram.stage import Stage, running

A_SECOND, A_MINUTE = 30, 20
"""Calls Telegram takes: overall in a second, in one group in a minute."""
TOO_MANY = (
    429,
    b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1",'
    b'"parameters":{"retry_after":1}}',
)


class Enforced(InProcessRequest):
    """Refuses what is too much; counts the posts each group got."""

    def __init__(self, api: BotApi) -> None:
        """Nothing was called yet."""
        super().__init__(api)
        self.posts: Counter[int] = Counter()
        self.refused = self.made = self.made_by_last = 0
        self.last_at = 0.0
        self._calls: deque[float] = deque()
        self._in_group: dict[int, deque[float]] = defaultdict(deque)

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *more: object,
        **waits: object,
    ) -> tuple[int, bytes]:
        """One call, if there is room for it."""
        chat = int(request_data.parameters.get("chat_id", 0)) if request_data else 0
        if chat == 0:
            return await super().do_request(url, method, request_data)
        now = time.monotonic()
        if _is_full(self._calls, now, 1.0, A_SECOND) or (
            chat < 0 and _is_full(self._in_group[chat], now, 60.0, A_MINUTE)
        ):
            self.refused += 1
            return TOO_MANY
        self._calls.append(now)
        self.made += 1
        if chat < 0:
            self._in_group[chat].append(now)
            self.posts[chat] += url.endswith("/sendMessage")
            self.last_at, self.made_by_last = now, self.made
        return await super().do_request(url, method, request_data)


def _is_full(calls: deque[float], now: float, seconds: float, most: int) -> bool:
    while calls and calls[0] <= now - seconds:
        calls.popleft()
    return len(calls) >= most


async def prepared(home: Path, api: BotApi, groups: int) -> Person:
    """So many groups with the bot in them, brought by a neighbour, and a resident mid-story."""
    async with running(home, api=api, with_desk=True) as stage:
        marta, ana = stage.person("Marta"), stage.person("Ana")
        for n in range(groups):
            api.group(f"Group {n}").add_bot(marta)
            if n % 50 == 49 or n == groups - 1:
                # They come one after another, as in life.
                async with asyncio.timeout(600):
                    await api.updates.confirmed()
                    await stage.coach.idle()
        await stage.tells(ana, "The week the boiler died I was in the hall.")
        return ana


async def pushed(
    stage: Stage, ana: Person, enforced: Enforced, groups: int
) -> tuple[float, list[float]]:
    """Push to every group at once: seconds until the last post, and until each first answer."""
    library = load_library(catalogue().languages)
    organizers = Organizers(
        stage.store, library, catalogue().languages, stage.clock, lambda: "a-push"
    )
    plan = Plan((next(iter(library)),), Aim(), Rule.right_now(stage.clock.now()))
    begun = time.monotonic()
    await organizers.push(CONSOLE, plan)
    # As the desk does after an organizer's tap.
    organized = stage.coach._organized
    assert organized is not None
    organized.pusher.wake()
    waits: list[float] = []
    number = 0
    while len(enforced.posts) < groups:
        number += 1
        before = len(stage.api.transcript(ana))
        said = time.monotonic()
        ana.says(f"And then on day {number} I knocked on one more door in the hall.")
        while len(stage.api.transcript(ana)) < before + 2:  # noqa: ASYNC110  # nobody tells us
            await asyncio.sleep(0.005)
        waits.append(time.monotonic() - said)
        # As fast as a fluent writer sends one line after another.
        await asyncio.sleep(4.0)
    return enforced.last_at - begun, waits


async def measure(groups: int) -> str:
    """One line of figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        api = BotApi()
        ana = await prepared(home, api, groups)
        made: list[Enforced] = []

        def request(of: BotApi) -> Enforced:
            made.append(Enforced(of))
            return made[-1]

        async with running(
            home, api=api, with_desk=True, request=request, figures=Figures()
        ) as stage:
            seconds, waits = await pushed(stage, ana, made[0], groups)
            twice = sum(1 for count in made[0].posts.values() if count > 1)
            limit = groups / A_SECOND
            return (
                f"{groups:,} groups: {seconds:.1f} s, {seconds / limit:.2f}× the {limit:.1f} s that"
                f" the limit alone takes ({seconds * A_SECOND / made[0].made_by_last:.2f}× with the"
                f" answers to that resident counted); posted twice: {twice}; refused by 429:"
                f" {made[0].refused};"
                f" first answer to somebody writing, {len(waits)} times: median"
                f" {statistics.median(waits) * 1000:.0f} ms, worst {max(waits) * 1000:.0f} ms"
            )


if __name__ == "__main__":
    print(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500)))

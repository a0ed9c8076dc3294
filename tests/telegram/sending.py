"""The sender alone: a real database below it, the in-process Bot API above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.console.botapi import BotApi
from bot.console.chats import Entry
from bot.console.people import Group as Crowd
from bot.console.people import Person
from bot.console.request import InProcessRequest
from bot.core.turn import Line, Move, Say
from bot.store.database import SqlStore, open_store
from bot.telegram.limits import UNLIMITED, Figures, Limits
from bot.telegram.polling import PatientBot
from bot.telegram.posting import Draw, no_pictures
from bot.telegram.sender import Sender
from bot.usecases.outgoing import body_of
from bot.usecases.ports import Group, OutboxItem, PauseReason
from tests.fakes import FixedClock, catalogue
from tests.telegram.stage import database


@dataclass
class Desk:
    """A sender at work. `posted_at` are the loop's seconds of every message a chat received."""

    api: BotApi
    store: SqlStore
    sender: Sender
    clock: FixedClock
    scrubs: list[int]
    posted_at: dict[int, list[float]] = field(default_factory=dict)

    def person(self, name: str = "Ana") -> Person:
        """Somebody who has talked with the bot."""
        person = self.api.person(name)
        person.starts()
        return person

    async def group(self, name: str = "Río", by: Person | None = None) -> Crowd:
        """A group that the bot is in and knows."""
        by = by or self.person("Olga")
        crowd = self.api.group(name)
        crowd.add_bot(by)
        async with self.store.work() as work:
            known = Group(f"id-{name}", crowd.id, name, "member", self.clock.now(), by.id, "en")
            await work.groups.save(known)
            await work.commit()
        return crowd

    async def queue(self, chat: int, *words: str, **how: Any) -> list[int]:
        """Put plain sentences into the outbox; their ids. The sender is told."""
        return await self.queue_moves(chat, *(said(text) for text in words), **how)

    async def queue_moves(self, chat: int, *moves: Move, **how: Any) -> list[int]:
        """Put moves into the outbox."""
        items = [OutboxItem(chat, body_of(move, "en", 5), **how) for move in moves]
        async with self.store.work() as work:
            ids = await work.outbox.add(items)
            await work.commit()
        self.sender.wake()
        return ids

    async def settled(self, seconds: float = 10.0) -> None:
        """Wait until nothing is left that can be sent."""
        async with asyncio.timeout(seconds):
            await self.sender.idle()

    def texts(self, who: Person | Crowd) -> list[str]:
        """What the bot wrote there, without its quotation marks."""
        return [e.text.strip("“”") for e in self.entries(who)]

    def entries(self, who: Person | Crowd) -> list[Entry]:
        """The bot's messages there."""
        return [e for e in self.api.transcript(who) if e.who == "bot"]

    async def counts(self) -> dict[str, int]:
        """What became of the messages, without zeros."""
        async with self.store.work() as work:
            return {state: n for state, n in (await work.outbox.counts()).items() if n}

    async def paused(self) -> dict[int, PauseReason]:
        """Chats that nothing is sent to."""
        async with self.store.work() as work:
            return dict(await work.recipients.paused())

    async def resume(self, chat: int) -> None:
        """What a use case does when it hears from a chat."""
        async with self.store.work() as work:
            assert await work.recipients.resume(chat)
            await work.commit()
        self.sender.wake()


def said(text: str) -> Say:
    """A message that says just this, in quotation marks."""
    return Say((Line("coaching.reflect.plain", {"quote": text}),))


@asynccontextmanager
async def sending(
    home: Path,
    *,
    api: BotApi | None = None,
    figures: Figures = UNLIMITED,
    request: Callable[[BotApi], InProcessRequest] = InProcessRequest,
    is_started: bool = True,
    draw: Draw = no_pictures,
) -> AsyncIterator[Desk]:
    """A sender on the data directory `home`; stopped at the end."""
    store = await open_store(database(home))
    api = api or BotApi()
    clock = FixedClock()
    scrubs: list[int] = []
    bot = PatientBot(api.token, request=request(api), get_updates_request=InProcessRequest(api))

    async def scrub() -> None:
        scrubs.append(1)

    sender = Sender(
        bot, store, catalogue(), scrub, limits=Limits(figures), now=clock.now, draw=draw
    )
    desk = Desk(api, store, sender, clock, scrubs)
    loop = asyncio.get_running_loop()
    api.listen(
        lambda event: (
            desk.posted_at.setdefault(event.chat_id, []).append(loop.time())
            if event.kind == "message"
            else None
        )
    )
    try:
        await bot.initialize()
        if is_started:
            sender.start()
        yield desk
    finally:
        await sender.stop()
        await bot.shutdown()
        await store.close()

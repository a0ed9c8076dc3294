"""The bot as one thing to start, wait for and stop: an ingress, our lanes, and a sender."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from telegram.request import BaseRequest

from bot.telegram.ending import ended
from bot.telegram.errors import place_of
from bot.telegram.ingress import DurableQueue, Ingress, TelegramRefuses
from bot.telegram.introducing import introduce
from bot.telegram.lanes import Lanes
from bot.telegram.limits import UNLIMITED, Figures, Limits
from bot.telegram.measured import LONGEST_TURN, SILENT_SECONDS, MeasuredTurns
from bot.telegram.polling import ALLOWED, Patience, PatientBot, Polling
from bot.telegram.posting import Draw, Files, no_files, no_pictures
from bot.telegram.render import Words
from bot.telegram.sender import Sender
from bot.telegram.turns import Here
from bot.telegram.webhook import Hook, Webhook, reached
from bot.usecases.crew import Alone, Crew, lane_of
from bot.usecases.groups import Telegram
from bot.usecases.organized import Organized
from bot.usecases.ports import Clock, InboxItem, Meter, Store, StoreUnavailable, Unmeasured
from bot.usecases.pusher import Pusher
from bot.usecases.residents import Residents

log = logging.getLogger(__name__)

__all__ = ["ALLOWED", "Hook", "Patience", "TelegramCoach", "TelegramRefuses"]

TELEGRAM = "https://api.telegram.org"
LOOK_EVERY = 5.0
"""Seconds between looks for updates that somebody put back from quarantine."""
LEAD_EVERY = 0.25
"""Seconds between looks whether we lead."""
LANES_SECONDS = 3.5
"""How long ending waits for turns under way."""
DATABASE_SECONDS = 3.0
"""Longest that asking the database for a sign of life may take."""


class TelegramCoach:
    """Lanes and sender around one bot, fed by polling or by a webhook. Holds no rules."""

    def __init__(
        self,
        store: Store,
        residents: Residents,
        words: Words,
        clock: Clock,
        token: str,
        base_url: str | None = None,
        request: BaseRequest | None = None,
        updates_request: BaseRequest | None = None,
        *,
        hook: Hook | None = None,
        meter: Meter | None = None,
        say: Callable[[str], None] = log.warning,
        patience: Patience | None = None,
        figures: Figures | None = None,
        organized: Callable[[Telegram, Callable[[], None]], Organized] | None = None,
        files: Files = no_files,
        draw: Draw = no_pictures,
        crew: Crew | None = None,
        takes_in: bool = True,
    ) -> None:
        """`request` and `updates_request` replace HTTP, as in the terminal and in tests.

        With a `hook` updates are brought, to `receive`; without one they are fetched. `say` tells
        whoever started the program something. `figures` are the flood limits to keep: Telegram's,
        unless `request` leads to a Bot API in this process, which has none. `organized` makes the
        organizers' and staff's side around Telegram, waking the sender; without it there are only
        residents. `files` gives what lies with us to be handed over, `draw` makes pictures.
        In a `crew` we serve the chats it gives us, and fetch or push only while that is ours;
        without `takes_in` we leave all updates to others of the crew.
        """
        self._crew: Crew = crew or Alone()
        self._takes_in = takes_in
        self._arrivals, self._taken_up = asyncio.Event(), asyncio.Event()
        self._news: set[int] = set()
        self._look_everywhere = False
        self._taken_up.set()
        meter = meter or Unmeasured()
        bot = PatientBot(
            token,
            meter,
            base_url=f"{base_url or TELEGRAM}/bot",
            base_file_url=f"{base_url or TELEGRAM}/file/bot",
            request=request or _over_http(),
            get_updates_request=updates_request or _over_http(connections=2),
        )
        self._bot, self._store, self._clock, self._words = bot, store, clock, words
        limits = Limits(figures or (UNLIMITED if request else None))
        self._sender = Sender(
            bot,
            store,
            words,
            lambda: _scrub(store, clock),
            limits=limits,
            now=clock.now,
            files=files,
            draw=draw,
            crew=self._crew,
        )
        self._organized = organized(Here(bot), self._sender.wake) if organized else None
        self._turns = MeasuredTurns(
            meter, bot, store, residents, words, self._sender.wake, clock, self._organized
        )
        self._turns.may_act, self._turns.room = self._sender.may_act, self._sender.room
        self._turns.send = self._sender.send
        self._lanes = Lanes(store, self._turns, self._crew)
        self._residents = residents
        self._queue = DurableQueue(store, clock, self._kept, meter)
        self._lanes.over, self._lanes.rest = self._queue.over, self._queue.rest
        self._queue.recovered = self._lanes.retry
        self._webhook = Webhook(bot, self._queue, hook) if hook else None
        self._say, self._patience = say, patience
        self._ingress: Ingress | None = self._webhook
        self._refused: asyncio.Future[TelegramRefuses] | None = None
        self._background: list[asyncio.Task[None]] = []
        self._asking: asyncio.Task[TelegramRefuses] | None = None

    async def start(self) -> None:
        """Begin with what was left on disk, then let updates in.

        Raises TelegramRefuses with a sentence, NetworkError when Telegram stays out of reach,
        StoreUnavailable when the disk does.
        """
        self._refused = asyncio.get_running_loop().create_future()
        await reached(self._bot)
        await self._crew.join(self)
        self._sender.reassigned()
        self._sender.start()
        # All that waits is taken up now, in order; what is put back later is for `_look`.
        await self._returned(lambda item: None)
        await self._lanes.resume()
        if self._crew.lanes is None:
            await self._queue.hold(self._begin)
        if self._takes_in and (self._webhook or self._crew.fetches):
            await self._take_in()
        self._background = [
            asyncio.create_task(self._introduce(), name="introducing"),
            asyncio.create_task(self._look(), name="looking"),
            asyncio.create_task(self._lead(), name="leading"),
        ]
        if self._crew.lanes is not None:
            self._background.append(asyncio.create_task(self._take_up(), name="taking up"))

    async def receive(self, body: bytes) -> None:
        """Return once an update or its turn is on disk. Raises StoreUnavailable: bring it again."""
        if self._webhook is None:
            raise StoreUnavailable("This coach fetches its updates itself.")
        await self._webhook.receive(body)

    async def refused(self) -> TelegramRefuses:
        """Return once Telegram refuses us for good, with the reason. Only after `start`."""
        assert self._refused is not None
        return await asyncio.shield(self._refused)

    # -- in a crew ------------------------------------------------------------------------------

    def arrived(self, chat: int | None = None) -> None:
        """An update was kept for this chat of ours; or, None, for any of them."""
        if self._crew.lanes is not None:
            if chat is None:
                self._look_everywhere = True
            else:
                self._news.add(chat)
            self._taken_up.clear()
            self._arrivals.set()

    def queued(self) -> None:
        """Another process queued a message for a chat of ours."""
        self._sender.wake()

    def reassigned(self) -> None:
        """We serve other chats than before."""
        self._sender.reassigned()
        self.arrived()

    def busy(self) -> frozenset[int]:
        """The lanes in which a turn or a message is under way."""
        return frozenset(lane_of(chat) for chat in self._lanes.busy() | self._sender.busy())

    def _hurry(self, item: InboxItem) -> None:
        self._residents.hurry(item.chat_id)

    def _begin(self, item: InboxItem) -> bool:
        self._hurry(item)
        return self._lanes.begin(item)

    def _kept(self, item: InboxItem) -> None:
        """We kept an update ourselves."""
        if self._crew.lanes is None:
            self._hurry(item)
            self._lanes.wake(item)
        else:
            # An earlier one of the same chat may have been kept by another process a moment ago,
            # and its news still be on the way: the disk knows both, in order.
            self.arrived(item.chat_id)

    async def _take_up(self) -> None:
        """Take up what was kept for chats of ours, by others or by us."""
        while True:
            await self._arrivals.wait()
            self._arrivals.clear()
            everywhere, self._look_everywhere = self._look_everywhere, False
            news, self._news = self._news, set()
            try:
                if everywhere:
                    await self._lanes.resume(self._hurry)
                else:
                    await self._lanes.take_up(news, self._hurry)
            except Exception as error:
                log.warning("inbox not looked at: %s", place_of(error))
                self._taken_up.set()
                await asyncio.sleep(1)
                self.arrived()
            else:
                if not self._arrivals.is_set():
                    self._taken_up.set()

    async def _take_in(self) -> None:
        """Let updates in; what Telegram refuses shows in `refused`."""
        if self._ingress is None:
            self._ingress = Polling(self._bot, self._queue, self._say, self._patience)
        await self._ingress.start()
        asking = asyncio.create_task(self._ingress.refused(), name="refusing")
        asking.add_done_callback(self._pass_on_refusal)
        self._asking = asking

    def _pass_on_refusal(self, asking: asyncio.Task[TelegramRefuses]) -> None:
        refused = self._refused
        if refused is not None and not refused.done() and not asking.cancelled():
            refused.set_result(asking.result())

    async def _lead(self) -> None:
        """While it is ours: fetch updates, unless they are brought, and push what is due."""
        pushing: asyncio.Task[None] | None = None
        try:
            while True:
                if self._crew.leads and pushing is None and self._organized is not None:
                    work = self._push(self._organized.pusher)
                    pushing = asyncio.create_task(work, name="pushing")
                elif not self._crew.leads and pushing is not None:
                    await ended([pushing])
                    pushing = None
                if self._takes_in and self._webhook is None:
                    await self._fetch_or_not()
                await asyncio.sleep(LEAD_EVERY)
        finally:
            if pushing is not None:
                await ended([pushing])

    async def _fetch_or_not(self) -> None:
        if self._crew.fetches and self._ingress is None:
            await self._take_in()
        elif not self._crew.fetches and self._ingress is not None:
            await self._end_ingress()

    async def _end_ingress(self) -> None:
        ingress, self._ingress = self._ingress, self._webhook
        if self._asking is not None:
            await ended([self._asking])
        if ingress is not None:
            await ingress.stop()

    def wake(self) -> None:
        """There is something new to send."""
        self._sender.wake()

    async def idle(self) -> None:
        """Return once every update kept is handled and every message is sent.

        What waits for a disk that cannot be written is not waited for; see `failure`.
        """
        while not (self._taken_up.is_set() and self._lanes.is_idle and self._sender.is_idle):
            await self._taken_up.wait()
            await self._lanes.idle()
            await self._sender.idle()

    async def answered(self) -> None:
        """Return once the first message of this run has been sent."""
        await self._sender.answered.wait()

    async def stop(self) -> None:
        """Let nothing more in, end running turns and sends; the rest waits on disk.

        Takes at most ten seconds. May be called at any time, also when starting failed.
        """
        await ended(self._background)
        await self._end_ingress()
        await self._lanes.stop(LANES_SECONDS)
        await self._sender.stop()
        await self._crew.leave()
        await self._turns.stop()
        await self._bot.shutdown()

    async def _introduce(self) -> None:
        """Once somebody has been answered, so that no answer waits for it."""
        await self.answered()
        await introduce(self._bot, self._words)

    async def _look(self) -> None:
        """Take up what somebody puts back from quarantine while we run."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._returned(self._lanes.wake)
                # Should the news of something be lost, it is found here.
                self.arrived()
            except Exception as error:
                log.warning("quarantine not looked at: %s", place_of(error))

    async def _push(self, pusher: Pusher) -> None:
        """Post practice prompts when they are due; what goes wrong is tried again."""
        while True:
            try:
                await pusher.run()
            except Exception as error:
                log.error("pushing failed: %s", place_of(error))
                await asyncio.sleep(LOOK_EVERY)

    async def _returned(self, wake: Callable[[InboxItem], object]) -> None:
        """Tell of updates put back, while their rows are locked: a lane cannot end one meanwhile,
        so none can be woken after its end."""
        async with self._store.work() as work:
            items = await work.inbox.returned()
            for item in items:
                wake(item)
            if items:
                await work.commit()

    # -- how it is ------------------------------------------------------------------------------

    def failure(self) -> str | None:
        """One plain sentence while the bot cannot go on, otherwise None."""
        if self._queue.trouble:
            return f"{self._queue.trouble} Your last message was not kept; send it again later."
        return self._lanes.trouble or self._sender.trouble

    async def health(self) -> Mapping[str, str | None]:
        """Database, lanes and ingress, each with a plain sentence while it is in trouble."""
        database, lanes = None, self._lanes.trouble
        try:
            async with asyncio.timeout(DATABASE_SECONDS), self._store.work() as work:
                oldest = await work.inbox.waiting(1)
        except (StoreUnavailable, TimeoutError) as error:
            database = str(error) or "The database does not answer."
        else:
            now = self._clock.now()
            waits = bool(oldest) and (now - oldest[0].received_at).total_seconds() > SILENT_SECONDS
            is_silent = time.monotonic() - self._turns.ended_at > SILENT_SECONDS
            if self._turns.longest_running > LONGEST_TURN or (waits and is_silent):
                lanes = lanes or "A turn has not ended for two minutes."
        ingress = self._ingress.trouble if self._ingress else None
        return {"database": database, "lanes": lanes, "ingress": ingress}

    async def depths(self) -> Mapping[str, Mapping[str, int]]:
        """How many rows of `inbox` and `outbox` are in each state; what waits at `telegram`.

        Raises StoreUnavailable.
        """
        async with self._store.work() as work:
            found = {"inbox": await work.inbox.counts(), "outbox": await work.outbox.counts()}
        if self._webhook is not None and self._webhook.pending is not None:
            found["telegram"] = {"pending": self._webhook.pending}
        return found


def _over_http(**settings: Any) -> BaseRequest:
    """Loaded only where there is a network: a conversation in the terminal has none."""
    from bot.telegram.http import HttpRequest

    return HttpRequest(**settings)


async def _scrub(store: Store, clock: Clock) -> None:
    await store.scrub(clock.now())

"""The bot as one thing to start, wait for and stop: an ingress, our lanes, and a sender."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from telegram.request import BaseRequest

from bot.telegram.ending import ended
from bot.telegram.ingress import DurableQueue, Ingress, TelegramRefuses
from bot.telegram.introducing import introduce
from bot.telegram.lanes import Lanes, place_of
from bot.telegram.limits import UNLIMITED, Figures, Limits
from bot.telegram.measured import LONGEST_TURN, SILENT_SECONDS, MeasuredTurns
from bot.telegram.polling import ALLOWED, Patience, PatientBot, Polling
from bot.telegram.posting import Files, no_files
from bot.telegram.render import Words
from bot.telegram.sender import Sender
from bot.telegram.turns import Here
from bot.telegram.webhook import Hook, Webhook, reached
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
    ) -> None:
        """`request` and `updates_request` replace HTTP, as in the terminal and in tests.

        With a `hook` updates are brought, to `receive`; without one they are fetched. `say` tells
        whoever started the program something. `figures` are the flood limits to keep: Telegram's,
        unless `request` leads to a Bot API in this process, which has none. `organized` makes the
        organizers' and staff's side around Telegram, waking the sender; without it there are only
        residents. `files` gives what lies with us to be handed over.
        """
        meter = meter or Unmeasured()
        bot = PatientBot(
            token,
            meter,
            base_url=f"{base_url or TELEGRAM}/bot",
            base_file_url=f"{base_url or TELEGRAM}/file/bot",
            request=request,
            get_updates_request=updates_request,
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
        )
        self._organized = organized(Here(bot), self._sender.wake) if organized else None
        self._turns = MeasuredTurns(
            meter, bot, store, residents, words, self._sender.wake, clock, self._organized
        )
        self._turns.may_act, self._turns.room = self._sender.may_act, self._sender.room
        self._lanes = Lanes(store, self._turns)

        def arrived(item: InboxItem) -> None:
            residents.hurry(item.chat_id)
            self._lanes.wake(item)

        self._queue = DurableQueue(store, clock, arrived, meter)
        self._webhook = Webhook(bot, self._queue, hook) if hook else None
        self._ingress: Ingress = self._webhook or Polling(bot, self._queue, say, patience)
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin with what was left on disk, then let updates in.

        Raises TelegramRefuses with a sentence, NetworkError when Telegram stays out of reach,
        StoreUnavailable when the disk does.
        """
        await reached(self._bot)
        self._sender.start()
        # All that waits is taken up now, in order; what is put back later is for `_look`.
        await self._returned(lambda item: None)
        await self._lanes.resume()
        await self._ingress.start()
        self._background = [
            asyncio.create_task(self._introduce(), name="introducing"),
            asyncio.create_task(self._look(), name="looking"),
        ]
        if self._organized is not None:
            pushing = self._push(self._organized.pusher)
            self._background.append(asyncio.create_task(pushing, name="pushing"))

    async def receive(self, body: bytes) -> None:
        """Keep one update that Telegram brought. Raises StoreUnavailable: then bring it again."""
        if self._webhook is None:
            raise StoreUnavailable("This coach fetches its updates itself.")
        await self._webhook.receive(body)

    async def refused(self) -> TelegramRefuses:
        """Return once Telegram refuses us for good, with the reason. Only after `start`."""
        return await self._ingress.refused()

    def wake(self) -> None:
        """There is something new to send."""
        self._sender.wake()

    async def idle(self) -> None:
        """Return once every update kept is handled and every message is sent.

        What waits for a disk that cannot be written is not waited for; see `failure`.
        """
        while not (self._lanes.is_idle and self._sender.is_idle):
            await self._lanes.idle()
            await self._sender.idle()

    async def answered(self) -> None:
        """Return once the first message of this run has been sent."""
        await self._sender.answered.wait()

    async def stop(self) -> None:
        """Let nothing more in, end running turns and sends; the rest waits on disk.

        Takes at most ten seconds. May be called at any time, also when starting failed.
        """
        await self._ingress.stop()
        await ended(self._background)
        await self._lanes.stop(LANES_SECONDS)
        await self._sender.stop()
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

    async def _returned(self, wake: Callable[[InboxItem], None]) -> None:
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
        return {"database": database, "lanes": lanes, "ingress": self._ingress.trouble}

    async def depths(self) -> Mapping[str, Mapping[str, int]]:
        """How many rows of `inbox` and `outbox` are in each state; what waits at `telegram`.

        Raises StoreUnavailable.
        """
        async with self._store.work() as work:
            found = {"inbox": await work.inbox.counts(), "outbox": await work.outbox.counts()}
        if self._webhook is not None and self._webhook.pending is not None:
            found["telegram"] = {"pending": self._webhook.pending}
        return found


async def _scrub(store: Store, clock: Clock) -> None:
    await store.scrub(clock.now())

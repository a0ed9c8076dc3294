"""Fetching updates ourselves: kept before they are confirmed, and a refusal is never silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError, TimedOut
from telegram.ext import ExtBot
from telegram.request import RequestData

from bot import plain
from bot.telegram.ingress import DurableQueue, TelegramRefuses, id_of
from bot.usecases.ports import Meter, StoreUnavailable, Unmeasured

log = logging.getLogger(__name__)

ALLOWED = ("message", "edited_message", "callback_query", "my_chat_member")
"""Kinds of updates we ask for, always: the server remembers what somebody asked for last."""
LONG_POLL = 10.0
"""Seconds the server may wait for a first update."""
FETCH_SECONDS = 5.0
"""Seconds to wait for an answer beyond the long poll itself."""
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between tries while Telegram cannot be reached, or the database cannot be written."""
SILENT_SECONDS = 60.0
"""Seconds without an answer after which fetching counts as stopped."""
PARTING_SECONDS = 1.0
"""How long ending waits for what came to be kept, and again for it to be confirmed."""
UNKNOWN_TOKEN = "Telegram does not know TELEGRAM_BOT_TOKEN. Check it in .env."
ANOTHER_POLLER = (
    "Another program is fetching this bot's messages. Stop it first; "
    "everything received so far is kept."
)


class PatientBot(ExtBot[None]):
    """python-telegram-bot's bot, measured, and able to give updates as they were received.

    The library refuses a whole batch for one update it cannot read, asks again at once, and logs
    the batch with everybody's words in it. `fetch` reads nothing into the updates.
    """

    def __init__(self, token: str, meter: Meter | None = None, **settings: Any) -> None:
        """`settings` are the library's own."""
        super().__init__(token, **settings)
        self._meter = meter or Unmeasured()

    async def fetch(
        self,
        offset: int | None,
        wait: float,
        limit: int | None = None,
        allowed: Sequence[str] = ALLOWED,
    ) -> list[object]:
        """The updates from `offset` on, oldest first; waits up to `wait` seconds for one."""
        asked = {
            "offset": offset,
            "limit": limit,
            "timeout": int(wait),
            "allowed_updates": list(allowed),
        }
        received: Any = await self._post("getUpdates", asked, read_timeout=FETCH_SECONDS + wait)
        return list(received) if isinstance(received, list) else [received]

    async def call(self, method: str, **given: Any) -> Any:
        """One call as plain JSON both ways: a message is sent far oftener than it is looked at.

        What is None is left out. Raises TelegramError.
        """
        asked = cast(RequestData, _Given({k: v for k, v in given.items() if v is not None}))
        url = f"{self.base_url}/{method}"
        return await self._counted(method, self.request.post(url, request_data=asked))

    async def _do_post(self, endpoint: str, data: Any, **timeouts: Any) -> Any:
        return await self._counted(endpoint, super()._do_post(endpoint, data, **timeouts))

    async def _counted(self, method: str, call: Awaitable[Any]) -> Any:
        """Every call passes here: counted by method and by what became of it."""
        outcome = "ok"
        try:
            return await call
        except TelegramError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._meter.count("call", method, outcome)


class _Given:
    """Stands for the library's RequestData where all is plain JSON: nothing is looked for in it."""

    contains_files = False

    def __init__(self, parameters: Mapping[str, object]) -> None:
        self.parameters = parameters
        self.multipart_data: Mapping[str, object] = {}

    @property
    def json_parameters(self) -> dict[str, str]:
        return {k: v if isinstance(v, str) else plain.dumps(v) for k, v in self.parameters.items()}


@dataclass(frozen=True)
class Patience:
    """Seconds a refusal may last before it ends the program.

    At a rolling restart the old poller and the new one meet for a moment. Where they stay, the
    newcomer gives up first: the one that serves people goes on.
    """

    of_a_newcomer: float = 10.0
    of_one_in_service: float = 45.0
    newcomer_for: float = 60.0
    with_an_unknown_token: float = 5.0
    between_tries: float = 2.0


class Polling:
    """The ingress of `coach run`: one long poll after another."""

    def __init__(
        self,
        bot: PatientBot,
        queue: DurableQueue,
        say: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        """`say` tells whoever started the program something, in one plain sentence."""
        self._bot, self._queue, self._say = bot, queue, say
        self._patience = patience or Patience()
        self._offset: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[list[object]] | None = None
        self._refused: asyncio.Future[TelegramRefuses] | None = None
        self._ending = asyncio.Event()
        self._has_fetched = False
        self._started_at = self._answered_at = time.monotonic()
        self._refusals: dict[type[TelegramError], tuple[float, float]] = {}

    async def start(self) -> None:
        """Begin fetching. What the server refuses shows in `refused`."""
        self._refused = asyncio.get_running_loop().create_future()
        self._started_at = self._answered_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name="polling")
        self._task.add_done_callback(self._ended)

    async def refused(self) -> TelegramRefuses:
        """Return once Telegram refuses us for good, with the reason."""
        assert self._refused is not None
        return await asyncio.shield(self._refused)

    @property
    def trouble(self) -> str | None:
        """One plain sentence while no updates can come in, otherwise None."""
        if self._task is None or self._task.done():
            return "Fetching has ended."
        if time.monotonic() - self._answered_at > SILENT_SECONDS:
            return "Telegram has not answered for a minute."
        return None

    async def stop(self) -> None:
        """End the poll, let what came be kept, and confirm it."""
        self._ending.set()
        if self._task is None:
            return
        if self._fetching is not None:
            self._fetching.cancel()
        _, late = await asyncio.wait([self._task], timeout=PARTING_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._offset is None:
            return
        try:
            async with asyncio.timeout(PARTING_SECONDS):
                await self._bot.fetch(self._offset, 0, limit=1)
        except (TelegramError, TimeoutError) as error:
            # They come again at the next start, and are recognised.
            log.info("the last updates were not confirmed: %s", type(error).__name__)

    # -- the loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        tries = 0
        while not self._ending.is_set():
            try:
                await self._fetch_once()
                tries = 0
            except asyncio.CancelledError:
                if self._ending.is_set():
                    return
                raise
            except TelegramRefuses as refusal:
                self._end(refusal)
                return
            except Exception as error:
                # Also a mistake of ours: fetching must not end for it, and never silently.
                await self._after(error, tries)
                tries += 1
                if self._refused is not None and self._refused.done():
                    return

    def _ended(self, task: asyncio.Task[None]) -> None:
        """However fetching ends, it does not end silently."""
        if not self._ending.is_set() and not task.cancelled() and task.exception() is not None:
            log.error("fetching ended: %s", type(task.exception()).__name__)
            self._end(TelegramRefuses("Fetching ended by a mistake in the program; see the log."))

    async def _fetch_once(self) -> None:
        begun = time.monotonic()
        self._fetching = asyncio.create_task(self._bot.fetch(self._offset, LONG_POLL))
        try:
            received = await self._fetching
        finally:
            self._fetching = None
        self._answered_at = time.monotonic()
        self._has_fetched = True
        await self._queue.keep(received)
        before = self._offset
        numbers = [number for one in received if (number := id_of(one)) is not None]
        if numbers:
            self._offset = max(numbers) + 1
        if self._offset == before and self._answered_at - begun < 0.5:
            # A server that does not wait, or sends what cannot be confirmed, is asked less often.
            await self._pause(0.5)

    async def _after(self, error: Exception, tries: int) -> None:
        """Wait as the error asks for; sets `refused` when there is nothing to wait for."""
        pause = PAUSES[min(tries, len(PAUSES) - 1)]
        match error:
            case RetryAfter():
                seconds = error.retry_after
                pause = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
            case Conflict():
                await self._meet_conflict(error)
                pause = self._patience.between_tries
            case InvalidToken():
                # Once is not enough: a proxy in trouble answers 404 now and then.
                if self._lasts(error, self._patience.with_an_unknown_token):
                    self._end(TelegramRefuses(UNKNOWN_TOKEN))
                    return
                pause = 1.0
            case TimedOut() if tries == 0:
                pause = 0.0
            case StoreUnavailable():
                pass
            case TelegramError():
                log.warning("fetching failed: %s", type(error).__name__)
            case _:
                log.error("fetching failed: %s", type(error).__name__)
        await self._pause(pause)

    async def _meet_conflict(self, error: Conflict) -> None:
        """A webhook is removed, if it was there before us; another poller is waited out."""
        try:
            webhook = (await self._bot.get_webhook_info()).url
            if webhook and not self._has_fetched:
                await self._bot.delete_webhook(drop_pending_updates=False)
        except Exception as failed:
            # Then it counts as another poller, which is what a 409 means without a webhook.
            log.warning("the webhook could not be looked at: %s", type(failed).__name__)
            webhook = ""
        if webhook and self._has_fetched:
            self._end(
                TelegramRefuses(
                    f"A webhook on {host(webhook)} was set for this bot, so its messages go "
                    "there. Run `coach run` or `coach web`, not both."
                )
            )
            return
        if webhook:
            self._say(
                f"A webhook on {host(webhook)} was set for this bot. It is removed, because "
                "`coach run` fetches messages itself; no message is lost. "
                "`coach web` sets it again."
            )
            return
        is_new = time.monotonic() - self._started_at < self._patience.newcomer_for
        patience = self._patience.of_a_newcomer if is_new else self._patience.of_one_in_service
        if self._lasts(error, patience):
            self._end(TelegramRefuses(ANOTHER_POLLER))

    def _lasts(self, error: TelegramError, patience: float) -> bool:
        """True when this refusal has come again and again for longer than `patience` seconds.

        Two pollers take turns at being refused, so one answer in between ends nothing.
        """
        now = time.monotonic()
        first, last = self._refusals.get(type(error), (now, now))
        if now - last > max(LONG_POLL, self._patience.between_tries) * 2:
            first = now
        self._refusals[type(error)] = (first, now)
        return now - first >= patience

    def _end(self, refusal: TelegramRefuses) -> None:
        if self._refused is not None and not self._refused.done():
            self._refused.set_result(refusal)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)


def host(url: str) -> str:
    """Where a webhook points, without its path, which may be a secret."""
    return urlsplit(url).hostname or "another server"

"""Updates that Telegram brings: the webhook is set, watched, and never left half-way."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telegram import WebhookInfo
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.telegram.ingress import DurableQueue, TelegramRefuses
from bot.telegram.polling import ALLOWED, PAUSES, UNKNOWN_TOKEN, PatientBot, host
from bot.usecases.ports import StoreUnavailable

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 40
"""Requests Telegram may have open with us at the same time; each holds one chat's next update."""
WATCH_EVERY = 60.0
"""Seconds between looks at what Telegram knows of our webhook."""
TRIES = 4
"""Times setting the webhook is tried; several processes starting at once are told to wait."""
LONGEST_WAIT = 10.0
"""Seconds Telegram may ask us to wait at start."""


@dataclass(frozen=True)
class Hook:
    """Where Telegram brings updates, and the word by which we know that it is Telegram."""

    url: str
    secret: str


class Webhook:
    """The ingress of `coach web`. `pending` is how many updates wait at Telegram, once known."""

    def __init__(
        self,
        bot: PatientBot,
        queue: DurableQueue,
        hook: Hook,
        watch_every: float | None = None,
    ) -> None:
        """Nothing is set before `start`."""
        self._bot, self._queue, self._hook = bot, queue, hook
        self._watch_every = watch_every or WATCH_EVERY
        self._task: asyncio.Task[None] | None = None
        self._refused: asyncio.Future[TelegramRefuses] | None = None
        self._is_ready = False
        self._lost: str | None = None
        self._told_until = datetime.now(UTC)
        self.pending: int | None = None

    async def start(self) -> None:
        """Set the webhook and begin to watch it. Whoever receives must be listening by now."""
        self._refused = asyncio.get_running_loop().create_future()
        self._is_ready = True
        for attempt in range(TRIES):
            try:
                await self._bot.set_webhook(
                    self._hook.url,
                    allowed_updates=ALLOWED,
                    max_connections=MAX_CONNECTIONS,
                    secret_token=self._hook.secret,
                    drop_pending_updates=False,
                )
                break
            except BadRequest as error:
                raise TelegramRefuses(
                    f"Telegram does not take TELEGRAM_WEBHOOK_URL. It says: {error.message}"
                ) from None
            except (RetryAfter, NetworkError) as error:
                wait = PAUSES[min(attempt, len(PAUSES) - 1)]
                if isinstance(error, RetryAfter):
                    seconds = error.retry_after
                    wait = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
                if attempt + 1 == TRIES or wait > LONGEST_WAIT:
                    raise
                await asyncio.sleep(wait)
        self._task = asyncio.create_task(self._watch(), name="webhook")

    async def receive(self, body: bytes) -> None:
        """Return once an update or its turn is on disk. Raises StoreUnavailable: bring it again."""
        if not self._is_ready:
            # Updates on disk go before it; they are being taken up.
            raise StoreUnavailable("The coach is starting or ending.")
        await self._queue.keep_body(body)

    async def stop(self) -> None:
        """Receive nothing more. The webhook stays set: Telegram holds what comes meanwhile."""
        self._is_ready = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refused(self) -> TelegramRefuses:
        """Return once Telegram refuses us for good, with the reason."""
        assert self._refused is not None
        return await asyncio.shield(self._refused)

    @property
    def trouble(self) -> str | None:
        """One plain sentence while no updates can come in, otherwise None."""
        return self._lost if self._is_ready else "The coach is starting or ending."

    async def _watch(self) -> None:
        unknown_since: float | None = None
        while True:
            await asyncio.sleep(self._watch_every)
            try:
                self._look(await self._bot.get_webhook_info())
                unknown_since = None
            except InvalidToken:
                unknown_since = unknown_since or time.monotonic()
                if time.monotonic() - unknown_since >= self._watch_every:
                    assert self._refused is not None
                    self._refused.set_result(TelegramRefuses(UNKNOWN_TOKEN))
                    return
            except (TelegramError, AttributeError, TypeError) as error:
                log.warning("the webhook could not be looked at: %s", type(error).__name__)

    def _look(self, info: WebhookInfo) -> None:
        self.pending = info.pending_update_count
        if info.url == self._hook.url:
            self._lost = None
        else:
            where = f"points to {host(info.url)}" if info.url else "was removed"
            self._lost = (
                f"The webhook {where}, so no messages come here. "
                "Another `coach web` or `coach run` uses this token; stop it, then start again."
            )
            log.error("the webhook is not ours any more")
        failed_at = info.last_error_date
        if failed_at is not None and failed_at > self._told_until:
            self._told_until = failed_at
            log.warning("Telegram could not deliver: %s", info.last_error_message)


async def reached(bot: PatientBot, pauses: tuple[float, ...] = PAUSES[:3]) -> None:
    """Learn who we are from Telegram; a moment of trouble there is waited out.

    Raises TelegramRefuses for a token it does not know, NetworkError when it stays away.
    """
    for pause in (*pauses, None):
        try:
            await bot.initialize()
            return
        except InvalidToken:
            raise TelegramRefuses(UNKNOWN_TOKEN) from None
        except NetworkError:
            if pause is None:
                raise
            await asyncio.sleep(pause)

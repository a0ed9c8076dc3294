"""What `coach run`, `web` and `worker` have in common: from the token to the last drained turn."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TextIO

from bot.commands.logs import log_to
from bot.settings import Settings
from bot.wiring import Parts, owned, telegram_coach

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from bot.telegram.app import TelegramCoach
    from bot.telegram.webhook import Hook

log = logging.getLogger(__name__)

NO_TOKEN = (
    "TELEGRAM_BOT_TOKEN is not set. Get one from @BotFather and put it in .env; "
    "`coach chat` works without."
)


def serve(settings: Settings, by_webhook: bool, stderr: TextIO, *, takes_in: bool = True) -> int:
    """Serve until told to stop; 0, or 1 with one sentence when we cannot or may not go on.

    Raises HomeBusy, StoreUnavailable and OSError.
    """
    if settings.telegram_bot_token is None:
        print(NO_TOKEN, file=stderr)
        return 1
    log_to(stderr, logging.INFO, settings.coach_log, settings.secrets)
    # Embeddings are made beside what else hears a message; all processors for one of them would
    # only keep the others waiting. Must be set before the embedder is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    with owned(settings.coach_home), asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(_serve(settings, by_webhook, stderr, takes_in))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, where there is one; asyncio's own loop does the same, with more of the processor."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, by_webhook: bool, stderr: TextIO, takes_in: bool) -> int:
    from telegram.error import TelegramError

    from bot.metrics import Figures
    from bot.telegram.ingress import TelegramRefuses
    from bot.web.server import PortTaken

    def say(sentence: str) -> None:
        if settings.coach_log == "json":
            # Whoever reads JSON lines expects nothing else.
            log.info(sentence)
        else:
            print(sentence, file=stderr, flush=True)

    assert settings.telegram_bot_token is not None
    stopped = _told_to_stop()
    figures = Figures()
    hook = _hook(settings) if by_webhook else None
    try:
        async with (
            telegram_coach(
                Parts(settings),
                settings.telegram_bot_token.get_secret_value(),
                hook=hook,
                meter=figures,
                say=say,
                takes_in=takes_in,
            ) as coach,
            _shown(settings, coach, figures, by_webhook, takes_in),
        ):
            await coach.start()
            settled()
            say("The coach is listening. Ctrl-C stops it.")
            await _until(stopped, coach)
    except (TelegramRefuses, PortTaken) as refusal:
        say(str(refusal))
        return 1
    except TelegramError:
        say(
            f"Telegram cannot be reached at {settings.telegram_api_base_url}. "
            "Check the network, then start again."
        )
        return 1
    return 0


def settled() -> None:
    """What is loaded by now stays: collecting garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _told_to_stop() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    return stopped


async def _until(stopped: asyncio.Event, coach: TelegramCoach) -> None:
    """Return when told to stop. Raises TelegramRefuses once Telegram does for good."""
    stopping = asyncio.create_task(stopped.wait(), name="stopping")
    refusing = asyncio.create_task(coach.refused(), name="refusing")
    done, waiting = await asyncio.wait((stopping, refusing), return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if refusing in done:
        raise refusing.result()


def _hook(settings: Settings) -> Hook:
    from bot.telegram.webhook import Hook

    assert settings.telegram_webhook_url is not None
    return Hook(settings.telegram_webhook_url, settings.webhook_secret)


@contextlib.asynccontextmanager
async def _shown(
    settings: Settings, coach: TelegramCoach, figures: object, by_webhook: bool, takes_in: bool
) -> AsyncIterator[None]:
    """Everything that is answered over HTTP, where the settings want it. Raises PortTaken."""
    from bot.metrics import CONTENT_TYPE, Figures
    from bot.web.server import listening
    from bot.web.site import Page, Receiver, site

    assert isinstance(figures, Figures)
    shown = figures

    async def page() -> bytes:
        return shown.page(await coach.depths())

    metrics = Page(CONTENT_TYPE, page)
    sites: list[tuple[Starlette, int]] = []
    if by_webhook:
        receiver = Receiver(settings.webhook_path, settings.webhook_secret, coach.receive)
        # Figures on a port of their own are not also where the whole world can ask for them.
        has_own_port = settings.coach_metrics_port not in (None, settings.web_port)
        public = site(coach.health, None if has_own_port else metrics, receiver)
        sites.append((public, settings.web_port))
        if has_own_port and settings.coach_metrics_port is not None:
            sites.append((site(coach.health, metrics), settings.coach_metrics_port))
    elif (port := settings.watch_port if takes_in else settings.worker_port) is not None:
        sites.append((site(coach.health, metrics), port))
    async with contextlib.AsyncExitStack() as stack:
        for one, port in sites:
            await stack.enter_async_context(listening(one, settings.host, port))
        yield

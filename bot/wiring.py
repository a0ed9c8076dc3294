"""Composition root: the only file that knows every room. Heavy rooms are opened when needed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bot.core.care import Safety, Span
from bot.core.narrative import Element, Reading, StoryOf
from bot.core.turn import Abilities
from bot.keeping import (
    Sharing,
    erasing_store,
    exporting,
    keep_index,
    keep_library,
    librarian,
)
from bot.settings import Settings
from bot.usecases.crew import Alone, Crew
from bot.usecases.ports import (
    Coach,
    CoachUnavailable,
    Embedder,
    FromModel,
    Meter,
    Passage,
    Reader,
    ReaderUnavailable,
    RetrievalUnavailable,
    Retriever,
    Screener,
    Spent,
    StoreUnavailable,
    Timed,
    ToModel,
    Transcriber,
    TranscriptionUnavailable,
    Unmeasured,
)
from bot.words.catalogue import Catalogue

if TYPE_CHECKING:
    from telegram.request import BaseRequest

    from bot.core.picture import Sheet
    from bot.core.report import Report
    from bot.reading.embedding import BundledEmbedder
    from bot.reading.encoder import SentenceEncoder
    from bot.retrieval.index import ChromaRetriever
    from bot.retrieval.server import ServerRetriever
    from bot.telegram.app import TelegramCoach
    from bot.telegram.webhook import Hook
    from bot.usecases.desk.reviewing_screens import Staffed
    from bot.usecases.groups import Telegram
    from bot.usecases.modelled import Modelled
    from bot.usecases.organized import Organized
    from bot.usecases.ports import Store, UnitOfWork

log = logging.getLogger(__name__)

__all__ = ["Parts", "Sharing", "erasing_store", "exporting", "librarian", "opened", "owned"]

ROUGHLY = 1_500
"""Tokens of instructions, before they are loaded and can be counted."""

WARM_AFTER = 1.0
"""Seconds after which loading begins although nothing was said."""
CORPUS = Path(__file__).resolve().parents[1] / "corpus"


class HomeBusy(Exception):
    """Another process works in the data directory; the message is one plain sentence."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Aware UTC datetime."""
        return datetime.now(UTC)


def new_id() -> str:
    """An opaque identifier, without order or meaning."""
    return uuid.uuid4().hex


def new_token() -> str:
    """Twenty-four characters that nobody guesses, of those a link may hold."""
    return secrets.token_urlsafe(18)


@contextlib.contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold the data directory for this process alone; HomeBusy when another has it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle = os.open(home / "coach.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder {home} cannot be written ({error.strerror}). "
            "Nothing was changed; choose another with COACH_HOME."
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HomeBusy(
                f"Another coach is already running on {home}. "
                "Stop it, or choose another folder with COACH_HOME."
            ) from error
        yield
    finally:
        os.close(handle)


def owned_alone(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Hold the data directory only where all there is lies in it.

    Beside processes on a shared database nothing in it is needed: each erases its own.
    """
    return contextlib.nullcontext() if settings.is_shared else owned(settings.coach_home)


class Parts:
    """Everything a command may need, each made once, when first asked for."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is loaded yet."""
        self.settings = settings
        self.clock = SystemClock()
        self.lent: Store | None = None

    @cached_property
    def words(self) -> Catalogue:
        """Every sentence, with the local help lines from settings filled in."""
        plain = Catalogue(first=self.settings.coach_language)
        return Catalogue(
            first=self.settings.coach_language,
            constants={
                code: {"care_lines": care_lines(self.settings, plain, code)}
                for code in plain.languages
            },
        )

    @cached_property
    def embedder(self) -> BundledEmbedder:
        """The bundled multilingual model."""
        from bot.reading.embedding import BundledEmbedder

        return BundledEmbedder()

    @cached_property
    def encoder(self) -> SentenceEncoder:
        """What reader and alarm hear first of a sentence; remembered for both."""
        from bot.reading.encoder import SentenceEncoder

        return SentenceEncoder()

    @cached_property
    def reader(self) -> Reader:
        """The embedded reader with the committed weights."""
        from bot.reading.embedded import EmbeddedReader

        return EmbeddedReader.bundled(self.encoder)

    @cached_property
    def screener(self) -> Screener:
        """Care and privacy screening."""
        from bot.reading.alarm import Alarm
        from bot.screening.screener import EmbeddedScreener

        return EmbeddedScreener(self.embedder, Alarm.bundled(self.encoder).chances)

    @cached_property
    def rules_alone(self) -> Screener:
        """Screening without embeddings, for when they cannot be had."""
        from bot.screening.screener import EmbeddedScreener

        return EmbeddedScreener()

    @cached_property
    def retriever(self) -> ChromaRetriever | ServerRetriever:
        """Example passages of corpus and library: on a server where one is set, else embedded.

        On a server only while a store is `opened`.
        """
        if self.settings.chroma_url is None:
            return examples_index(self.settings, self.embedder)
        return self._served(self.settings.chroma_url)

    def _served(self, url: str) -> ServerRetriever:
        from bot.retrieval.chroma_http import ChromaServer, Server
        from bot.retrieval.corpus import CorpusSource
        from bot.retrieval.server import ServerRetriever

        chosen = self.settings
        token = chosen.chroma_token.get_secret_value() if chosen.chroma_token else ""
        server = Server(url, token, chosen.chroma_tenant, chosen.chroma_database)

        def work() -> UnitOfWork:
            if self.lent is None:
                raise StoreUnavailable("The database is not open.")
            return self.lent.work()

        corpus = CorpusSource(CORPUS / "narratives")
        return ServerRetriever(ChromaServer(server), corpus, self.embedder, work, self.clock)

    @cached_property
    def coach(self) -> Coach:
        """The language model, where one is set up; its libraries are loaded only here."""
        from bot.llm.coach import NO_KEY, ModelCoach, Where
        from bot.llm.instructions import Instructions

        chosen = self.settings
        key = chosen.openai_api_key
        where = Where(
            chosen.openai_model,
            key.get_secret_value() if key else NO_KEY,
            chosen.openai_base_url,
            chosen.coach_model_price_read,
            chosen.coach_model_price_written,
        )
        # A little less than the deadline, so that a late model is known as late.
        return ModelCoach(
            where,
            Instructions.load(chosen.coach_model_instructions),
            chosen.coach_model_deadline * 0.95,
        )

    @cached_property
    def transcriber(self) -> Transcriber:
        """The endpoint that writes down voice notes, where one is set up."""
        from bot.llm.coach import NO_KEY
        from bot.llm.transcriber import ModelTranscriber

        key, model = self.settings.openai_api_key, self.settings.openai_transcription_model
        return ModelTranscriber(
            model or "", key.get_secret_value() if key else NO_KEY, self.settings.openai_base_url
        )

    @property
    def able(self) -> Abilities:
        """What this installation can do beyond its own machine."""
        at = self.settings.model_at
        return Abilities(at, at if self.settings.openai_transcription_model else None)

    async def store(self) -> Store:
        """The database, migrated to head. Raises StoreUnavailable or NewerDatabase."""
        from bot.store.database import open_store

        self.settings.coach_home.mkdir(parents=True, exist_ok=True)
        chosen = self.settings
        return await open_store(
            chosen.database,
            connections=chosen.coach_database_connections,
            index_is_apart=chosen.chroma_url is not None,
        )


def examples_index(settings: Settings, embedder: Embedder) -> ChromaRetriever:
    """The example index of a data directory, over the corpus and the library's own passages.

    Several processes may work on one PostgreSQL, each with an index of its own that no other
    could erase in: there the library's passages wait until CHROMA_URL is set.
    """
    from bot.retrieval.index import ChromaRetriever
    from bot.retrieval.library import LibrarySource

    sources = [] if settings.is_shared else [LibrarySource(Sharing(settings))]
    home = settings.coach_home
    return ChromaRetriever(home / "examples", CORPUS / "narratives", embedder, sources)


def draw(sheet: Sheet[str]) -> bytes:
    """A picture as a PNG. What draws it is loaded when the first is wanted."""
    from bot.drawing.bars import png

    return png(sheet)


def care_lines(settings: Settings, words: Catalogue, language: str) -> str:
    """Local people to reach, a line each; what is not set is left out."""
    from bot.core.turn import Line

    lines = []
    for name in ("call", "text", "person"):
        value = str(getattr(settings, f"coach_care_{name}"))
        if value:
            lines.append(words.text(Line(f"care.{name}", {"value": value}), language))
    return "\n".join(lines)


class DaemonThreads(ThreadPoolExecutor):
    """A thread for each piece of blocking work, and leaving waits for none of them.

    A model still loading, or an index still being built, is nobody's loss when the program ends.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin at once."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="background", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing to wait for."""


class Lazily:
    """Reader, screener and retriever, each loaded in a thread at first use: hello is instant.

    A reader or an index that cannot be loaded is unavailable, and the coach goes on without it.
    Screening never is: if the embeddings fail, its rules decide alone; if even they cannot be
    loaded the turn fails, because no message may pass unscreened.
    """

    def __init__(self, parts: Parts, meter: Meter | None = None) -> None:
        """Nothing is loaded yet. What each part takes is told to `meter`, loading not counted."""
        self._parts = parts
        self._meter = meter or Unmeasured()
        self._loading: dict[str, asyncio.Task[Any]] = {}
        # More at a time would take turns on the processors, and all would be late together.
        self._computing = asyncio.Semaphore(os.cpu_count() or 1)

    async def _part(self, name: str) -> Any:
        """One of `Parts`, loaded once; raises whatever its loading raised."""
        if name in ("screener", "retriever"):
            # They share the embedder, which must not be loaded twice at the same time.
            await self._part("embedder")
        if name not in self._loading:
            loading = asyncio.create_task(self._load(name), name=f"loading {name}")
            self._loading[name] = loading
        return await asyncio.shield(self._loading[name])

    async def _load(self, name: str) -> Any:
        try:
            return await asyncio.to_thread(getattr, self._parts, name)
        except Exception as error:
            log.error("%s cannot be loaded: %s", name, type(error).__name__)
            raise

    @contextlib.contextmanager
    def _timed(self, what: Timed) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self._meter.took(what, perf_counter() - begun)

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """See ports.Reader."""
        try:
            reader: Reader = await self._part("reader")
            async with self._computing:
                with self._timed("reading"):
                    return await reader.read(stage, text, language)
        except ReaderUnavailable:
            raise
        except Exception as error:
            log.error("reading failed: %s", type(error).__name__)
            raise ReaderUnavailable(type(error).__name__) from None

    async def safety(self, text: str, language: str) -> Safety:
        """See ports.Screener."""
        try:
            screener: Screener = await self._part("screener")
            async with self._computing:
                with self._timed("safety"):
                    return await screener.safety(text, language)
        except Exception as error:
            log.error("screening by rules alone: %s", type(error).__name__)
            rules: Screener = await self._part("rules_alone")
            return await rules.safety(text, language)

    async def privacy(self, text: str, language: str) -> tuple[Span, ...]:
        """See ports.Screener."""
        try:
            screener: Screener = await self._part("screener")
            async with self._computing:
                with self._timed("privacy"):
                    return await screener.privacy(text, language)
        except Exception as error:
            log.error("screening by rules alone: %s", type(error).__name__)
            rules: Screener = await self._part("rules_alone")
            return await rules.privacy(text, language)

    async def search(
        self,
        move: Element,
        language: str,
        near: str = "",
        exclude: Collection[str] = (),
        limit: int = 3,
    ) -> list[Passage]:
        """See ports.Retriever."""
        try:
            retriever: Retriever = await self._part("retriever")
            with self._timed("example"):
                return await retriever.search(move, language, near, exclude, limit)
        except RetrievalUnavailable:
            log.warning("no example: the index cannot answer")
            raise
        except Exception as error:
            log.error("no example: %s", type(error).__name__)
            raise RetrievalUnavailable(type(error).__name__) from None

    async def coach(self, telling: ToModel) -> FromModel:
        """See ports.Coach."""
        try:
            coach: Coach = await self._part("coach")
        except Exception:
            raise CoachUnavailable("not_loaded") from None  # Logged where it was loaded.
        return await coach.coach(telling)

    def estimate(self, telling: ToModel) -> Spent:
        """See ports.Coach; rough until the model's libraries are loaded."""
        loading = self._loading.get("coach")
        if loading and loading.done() and not loading.cancelled() and not loading.exception():
            coach: Coach = loading.result()
            return coach.estimate(telling)
        return Spent(ROUGHLY + len(telling.text) // 3)

    async def transcribe(self, recording: bytes, language: str) -> str:
        """See ports.Transcriber."""
        try:
            transcriber: Transcriber = await self._part("transcriber")
        except Exception:
            raise TranscriptionUnavailable("not_loaded") from None
        return await transcriber.transcribe(recording, language)

    async def warm(self, answered: Callable[[], Awaitable[None]]) -> None:
        """Load everything, one after another, once the first message is out.

        Somebody who comes back may be told nothing at first; then a second is waited for.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(answered(), WARM_AFTER)
        beyond = ("coach",) if self._parts.able.model_at else ()
        for name in ("screener", "reader", "retriever", *beyond):
            with contextlib.suppress(Exception):  # Logged where it was loaded.
                await self._part(name)


@contextlib.asynccontextmanager
async def opened(parts: Parts) -> AsyncIterator[Store]:
    """The store for one command, closed afterwards, and with it a retriever that asks it."""
    store = await parts.store()
    before, parts.lent = parts.lent, store
    try:
        yield store
    finally:
        if before is None and parts.settings.chroma_url is not None and "retriever" in vars(parts):
            await parts.retriever.aclose()
        parts.lent = before
        await store.close()


def modelled(parts: Parts, lazily: Lazily, store: Store, meter: Meter | None) -> Modelled:
    """A model beside the embedded reader, within the budget that is set."""
    from bot.usecases.modelled import Budget, Modelled

    chosen = parts.settings
    budget = Budget(
        chosen.coach_model_tokens_resident,
        chosen.coach_model_tokens_day,
        chosen.coach_model_dollars_day,
    )
    return Modelled(lazily, lazily, store, parts.clock, meter, budget, chosen.coach_model_deadline)


def organized(
    parts: Parts, store: Store, staff: Staffed, telegram: Telegram, wake: Callable[[], None]
) -> Organized:
    """The desk of organizers and staff, and the clock of what they push."""
    from bot.usecases.organized import organize
    from bot.words.practice import load_library

    library = load_library(parts.words.languages)
    return organize(
        store, library, parts.words, parts.clock, new_id, new_token, telegram, wake, staff
    )


def staffed(parts: Parts, store: Store, reader: Reader) -> Staffed:
    """What staff's room needs from outside."""
    from bot.exporting.report_page import report_html
    from bot.usecases.desk.reviewing_screens import Staffed

    def page(report: Report, language: str) -> str:
        words = parts.words
        return report_html(
            report, parts.clock.now(), language, lambda line: words.text(line, language)
        )

    exports = parts.settings.coach_home.absolute() / "exports"
    return Staffed(reader, exporting(parts, store), exports, page, parts.clock)


def _crew(settings: Settings, store: Store, may_fetch: bool) -> Crew:
    """Processes that share a PostgreSQL work together; on a file there is only one."""
    if not settings.is_shared:
        return Alone()
    from bot.store.crew import PostgresCrew
    from bot.store.database import SqlStore

    crew = PostgresCrew(settings.database, may_fetch)
    if isinstance(store, SqlStore):
        store.knows_of_ours(crew.serves)
    return crew


@contextlib.asynccontextmanager
async def telegram_coach(
    parts: Parts,
    token: str,
    request: BaseRequest | None = None,
    updates_request: BaseRequest | None = None,
    around: Callable[[Store], Store] | None = None,
    *,
    hook: Hook | None = None,
    meter: Meter | None = None,
    say: Callable[[str], None] = log.warning,
    takes_in: bool = True,
) -> AsyncIterator[TelegramCoach]:
    """The whole bot, not yet started; stopped at the end if it still runs.

    On PostgreSQL it joins the crew of all processes there; without `takes_in` it only works for it.

    `around` may put something between the bot and its store. Rooms that are needed later load
    in the background. For `hook`, `meter` and `say` see TelegramCoach.
    """
    from bot.telegram.app import TelegramCoach
    from bot.telegram.voice import TelegramRecordings
    from bot.usecases.library import Erasing
    from bot.usecases.listening import Listening
    from bot.usecases.residents import Residents

    asyncio.get_running_loop().set_default_executor(DaemonThreads())
    lazily = Lazily(parts, meter)
    async with opened(parts) as opened_store:
        inner = around(opened_store) if around else opened_store
        keeper = librarian(parts, inner)
        store: Store = Erasing(inner, keeper.finish)
        address = parts.settings.telegram_api_base_url
        residents = Residents(
            store,
            lazily,
            lazily,
            lazily,
            parts.words,
            parts.clock,
            new_id,
            meter=meter,
            model=modelled(parts, lazily, store, meter) if parts.able.model_at else None,
            listening=(
                Listening(TelegramRecordings(token, address, request), lazily, meter)
                if parts.able.voice_at
                else None
            ),
            able=parts.able,
        )
        coach = TelegramCoach(
            store,
            residents,
            parts.words,
            parts.clock,
            token,
            None if request else parts.settings.telegram_api_base_url,
            request,
            updates_request,
            hook=hook,
            meter=meter,
            say=say,
            organized=lambda telegram, wake: organized(
                parts, store, staffed(parts, store, lazily), telegram, wake
            ),
            files=exporting(parts, store).content,
            draw=draw,
            crew=_crew(parts.settings, opened_store, may_fetch=takes_in and hook is None),
            takes_in=takes_in,
        )
        beside = [
            asyncio.create_task(lazily.warm(coach.answered), name="warming"),
            asyncio.create_task(
                keep_library(keeper, exporting(parts, store).recover, coach.wake), name="library"
            ),
            *(
                [asyncio.create_task(keep_index(parts), name="index")]
                if parts.settings.chroma_url is not None or parts.settings.is_shared
                else []
            ),
        ]
        try:
            yield coach
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await coach.stop()

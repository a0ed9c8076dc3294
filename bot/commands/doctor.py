"""`coach doctor`: is everything in order, and what to do if not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot.core.care import Safety
from bot.settings import BadSetting, Settings, load_settings
from bot.usecases.ports import RetrievalUnavailable, StoreUnavailable
from bot.wiring import Parts, opened

if TYPE_CHECKING:
    from telegram import Bot

ENOUGH_BYTES = 200 * 1024 * 1024
"""Free disk below which the doctor worries."""


LISTED = 10
"""Updates set aside that are named to people; programs get every one."""
_MANY = 1_000_000
RECENT = timedelta(hours=1)
"""How long a delivery that failed at Telegram is worth telling."""


@dataclass(frozen=True)
class Finding:
    """One check: what, whether it is well, a sentence, and for programs what it is about."""

    name: str
    well: bool
    sentence: str
    details: Sequence[Mapping[str, object]] = ()


def run(
    as_json: bool,
    stdout: TextIO,
    stderr: TextIO,
    *,
    retry: bool = False,
    discard: bool = False,
    chroma_files: Path | None = None,
    folder_gone: str = "",
) -> int:
    """Print every check; 0 when all is well, 1 otherwise.

    With `retry` or `discard` deal with the updates set aside instead; 2 for both. With
    `chroma_files` or `folder_gone` deal with erasures that wait for such a folder.
    """
    if chroma_files is not None or folder_gone:
        from bot.commands import erasures

        parts = Parts(load_settings())
        try:
            if chroma_files is not None:
                well, said = asyncio.run(erasures.verify(parts, chroma_files))
            else:
                well, said = asyncio.run(erasures.folder_gone(parts, folder_gone))
        except RetrievalUnavailable as error:
            well, said = False, str(error)
        print(said, file=stdout if well else stderr)
        return 0 if well else 1
    if retry or discard:
        if retry and discard:
            print("Choose one: --retry or --discard.", file=stderr)
            return 2
        print(asyncio.run(_deal(Parts(load_settings()), retry)), file=stdout)
        return 0

    def say(finding: Finding) -> None:
        if as_json:
            line = {"check": finding.name, "well": finding.well, "says": finding.sentence}
            if finding.details:
                line["details"] = list(finding.details)
            print(json.dumps(line, ensure_ascii=False), file=stdout, flush=True)
        else:
            sign = "ok  " if finding.well else "look"
            print(f"{sign}  {finding.name}: {finding.sentence}", file=stdout, flush=True)

    try:
        settings = load_settings()
    except BadSetting as error:
        findings = [Finding("settings", False, str(error))]
        say(findings[0])
    else:
        findings = asyncio.run(examine(settings, say))
    return 0 if all(f.well for f in findings) else 1


async def examine(settings: Settings, say: Callable[[Finding], None]) -> list[Finding]:
    """Every check in turn, said as it ends; one that fails says so and the others go on."""
    parts = Parts(settings)
    checks: list[tuple[str, Callable[[Parts], Awaitable[str]]]] = [
        ("settings", _settings),
        ("disk", _disk),
        ("database", _database),
        ("quarantine", _quarantine),
        ("backups", _backups),
        ("erasures", _erasures),
        ("words", _words),
        ("reader", _reader),
        ("screening", _screening),
        ("examples", _examples),
        ("model", _model),
        ("token", _token),
        ("webhook", _webhook),
    ]
    findings = []
    for name, check in checks:
        finding = await _checked(name, check, parts)
        say(finding)
        findings.append(finding)
    return findings


async def _checked(name: str, check: Callable[[Parts], Awaitable[str]], parts: Parts) -> Finding:
    try:
        return Finding(name, True, await check(parts))
    except Trouble as trouble:
        return Finding(name, False, str(trouble), trouble.details)
    except (StoreUnavailable, RetrievalUnavailable) as error:
        return Finding(name, False, str(error))
    except Exception as error:
        sentence = f"fails ({type(error).__name__}); run `make setup` again, or report this"
        return Finding(name, False, sentence)


class Trouble(Exception):
    """A check found something; the sentence says what to do. `details` are for programs."""

    def __init__(self, sentence: str, details: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(sentence)
        self.details = details


async def _settings(parts: Parts) -> str:
    settings = parts.settings
    if not (settings.coach_care_text or settings.coach_care_person):
        raise Trouble(
            "no local person or text line for somebody in danger is set. "
            "Set COACH_CARE_CALL, COACH_CARE_TEXT and COACH_CARE_PERSON in .env."
        )
    return f"all can be used; data is in {settings.coach_home}"


async def _disk(parts: Parts) -> str:
    home = parts.settings.coach_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x")
    except OSError as error:
        raise Trouble(
            f"{home} cannot be written ({error.strerror}); choose another with COACH_HOME"
        ) from error
    free = shutil.disk_usage(home).free
    if free < ENOUGH_BYTES:
        raise Trouble(f"only {free // 1024**2} MB are free; make room before people lose words")
    return f"{free // 1024**3} GB free"


async def _database(parts: Parts) -> str:
    async with opened(parts) as store, store.work() as work:
        counts = await work.inbox.counts()
    return f"opens; {_of(counts.get('waiting', 0), 'update')} wait to be handled"


async def _quarantine(parts: Parts) -> str:
    """What could not be handled: when, and the kind of error; never a word of it."""
    async with opened(parts) as store, store.work() as work:
        aside = await work.inbox.quarantined()
    if not aside:
        return "empty"
    names = [
        f"{one.update_id if one.update_id >= 0 else 'one without an id'} "
        f"({one.reason}, {one.received_at:%Y-%m-%d %H:%M} UTC)"
        for one in aside[:LISTED]
    ]
    more = f" and {len(aside) - LISTED} more" if len(aside) > LISTED else ""
    raise Trouble(
        f"{_of(len(aside), 'update')} set aside because they could not be handled: "
        f"{', '.join(names)}{more}. `coach doctor --retry` lets them be tried again, "
        "`coach doctor --discard` erases them",
        [
            {
                "update_id": one.update_id,
                "kind": one.reason,
                "received_at": one.received_at.isoformat(),
            }
            for one in aside
        ],
    )


async def _backups(parts: Parts) -> str:
    """When the last one was made, and whether one holds what was taken back since."""
    async with opened(parts) as store, store.work() as work:
        made = [one for one in await work.backups.all() if one.gone_at is None]
        held = await work.backups.holding_erased()
    if held:
        raise Trouble(
            f"{_of(len(held), 'backup')} with words that were taken back since; "
            "`coach backup --list` says which, and what to do"
        )
    if not made:
        return "none was made; `coach backup` makes one"
    return f"the last one is of {made[0].made_at:%Y-%m-%d %H:%M} UTC; {len(made)} in all"


async def _erasures(parts: Parts) -> str:
    """What was taken back and is still somewhere that only others can reach."""
    from bot.commands.erasures import waiting

    said, details = await waiting(parts)
    if said:
        raise Trouble(said, details)
    if not parts.settings.is_shared:
        return "none waits"
    from bot.store.database import log_of_words

    kept = await log_of_words(parts.settings.database)
    if kept:
        return f"none waits; PostgreSQL's own log keeps erased words for a time: {kept}"
    return "none waits; PostgreSQL's own log lets go of erased words at each checkpoint"


async def _deal(parts: Parts, retry: bool) -> str:
    """Put back, or erase, what was set aside; one plain sentence. Raises StoreUnavailable."""
    async with opened(parts) as store:
        async with store.work() as work:
            ids = [one.update_id for one in await work.inbox.quarantined(_MANY)]
            readable = [number for number in ids if number >= 0]
            if retry:
                await work.inbox.put_back(readable)
            else:
                await work.inbox.done(ids, datetime.now(UTC))
            await work.commit()
        if ids and not retry:
            await store.empty_log()
    if not ids:
        return "Nothing was set aside."
    if not retry:
        return f"{_of(len(ids), 'update')} erased; their ids are remembered."
    said = (
        f"{_of(len(readable), 'update')} put back. A running coach takes them up within ten "
        "seconds, otherwise the next start does."
    )
    if len(readable) < len(ids):
        said += (
            f" {len(ids) - len(readable)} without an id cannot be tried; "
            "`coach doctor --discard` erases them."
        )
    return said


def _of(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


async def _words(parts: Parts) -> str:
    return f"complete in {', '.join(parts.words.languages)}"


async def _reader(parts: Parts) -> str:
    from bot.core.narrative import StoryOf

    reading = await parts.reader.read(StoryOf.SELF, "My hand was on my own door.", "en")
    return f"reads ({reading.reader})"


async def _screening(parts: Parts) -> str:
    """Danger must be seen by meaning too: rules alone are only for an emergency."""
    seen = await parts.screener.safety("I am going to kill myself tonight.", "en")
    if seen is not Safety.CRISIS:
        raise Trouble("somebody in danger would not be noticed; put back bot/screening/")
    return "notices danger"


async def _examples(parts: Parts) -> str:
    from bot.core.narrative import Element

    async def search() -> bool:
        return bool(await parts.retriever.search(Element.SELF_CHOICE, "en", "a door", limit=1))

    url = parts.settings.chroma_url
    if url is None:
        found = await search()
    else:
        async with opened(parts):
            found = await search()
    if not found:
        raise Trouble("no passage was found; run `coach index`")
    if parts.settings.is_shared and url is None:
        raise Trouble(
            "found by meaning, but only the corpus's: without CHROMA_URL stories of the library "
            "are not offered, because another process could not take them back from here"
        )
    return f"found by meaning{'' if url is None else f', on the server at {url}'}"


async def _model(parts: Parts) -> str:
    """One invented sentence is sent, never anybody's words."""
    at = parts.settings.model_at
    if at is None:
        return "none set; the embedded coach asks by itself"
    from bot.core.narrative import StoryOf
    from bot.usecases.ports import CoachUnavailable, ToModel

    try:
        await parts.coach.coach(ToModel(StoryOf.SELF, "My hand was on my own door.", "en"))
    except CoachUnavailable as error:
        raise Trouble(
            f"{parts.settings.openai_model} at {at} gives nothing usable ({error.reason}); "
            "check OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL. Residents do not notice"
        ) from error
    return f"{parts.settings.openai_model} at {at} answers"


async def _token(parts: Parts) -> str:
    token = parts.settings.telegram_bot_token
    if token is None:
        return "none set; `coach chat` needs none, `coach run` and `coach web` do"
    async with _asking(parts) as bot:
        return f"of @{bot.username}"


async def _webhook(parts: Parts) -> str:
    """Whether Telegram brings updates where these settings say, and whether it can."""
    from bot.telegram.polling import host

    settings, ours = parts.settings, parts.settings.telegram_webhook_url
    if settings.telegram_bot_token is None:
        return "not asked, because no token is set"
    async with _asking(parts) as bot:
        info = await bot.get_webhook_info()
    waiting = f"{_of(info.pending_update_count, 'update')} wait at Telegram"
    failed_at = info.last_error_date
    if info.url and not ours:
        raise Trouble(
            f"one on {host(info.url)} is set at Telegram, and none in TELEGRAM_WEBHOOK_URL; "
            f"`coach run` removes it, `coach web` needs the setting; {waiting}"
        )
    if ours and not info.url:
        raise Trouble(
            f"none is set at Telegram; `coach web` sets the one on {host(ours)}; {waiting}"
        )
    if ours and info.url != ours:
        raise Trouble(
            f"Telegram brings updates to {host(info.url)}, at another address than "
            f"TELEGRAM_WEBHOOK_URL; start `coach web` again; {waiting}"
        )
    if ours and failed_at is not None and parts.clock.now() - failed_at < RECENT:
        raise Trouble(
            f"Telegram could not deliver at {failed_at:%Y-%m-%d %H:%M} UTC: "
            f"{info.last_error_message}; {waiting}"
        )
    return f"{'on ' + host(ours) if ours else 'none, as `coach run` needs it'}; {waiting}"


@contextlib.asynccontextmanager
async def _asking(parts: Parts) -> AsyncIterator[Bot]:
    """The bot, known to Telegram. Raises Trouble."""
    from telegram import Bot
    from telegram.error import InvalidToken, TelegramError

    token = parts.settings.telegram_bot_token
    assert token is not None
    base = parts.settings.telegram_api_base_url
    try:
        async with Bot(token.get_secret_value(), base_url=f"{base}/bot") as bot:
            yield bot
    except InvalidToken as error:
        raise Trouble("Telegram does not know this token; check TELEGRAM_BOT_TOKEN") from error
    except TelegramError as error:
        raise Trouble(f"Telegram could not be asked ({type(error).__name__})") from error

"""`coach doctor`: is everything in order, and what to do if not."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TextIO

from bot.core.care import Safety
from bot.settings import BadSetting, Settings, load_settings
from bot.usecases.ports import RetrievalUnavailable, StoreUnavailable
from bot.wiring import Parts, opened

ENOUGH_BYTES = 200 * 1024 * 1024
"""Free disk below which the doctor worries."""


@dataclass(frozen=True)
class Finding:
    """One check: what, whether it is well, and a sentence."""

    name: str
    well: bool
    sentence: str


def run(as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Print every check; 0 when all is well, 1 otherwise."""
    try:
        settings = load_settings()
    except BadSetting as error:
        findings = [Finding("settings", False, str(error))]
    else:
        findings = asyncio.run(examine(settings))
    if as_json:
        for f in findings:
            line = {"check": f.name, "well": f.well, "says": f.sentence}
            print(json.dumps(line, ensure_ascii=False), file=stdout)
    else:
        for f in findings:
            print(f"{'ok  ' if f.well else 'look'}  {f.name}: {f.sentence}", file=stdout)
    return 0 if all(f.well for f in findings) else 1


async def examine(settings: Settings) -> list[Finding]:
    """Every check in turn; one that fails says so and the others go on."""
    parts = Parts(settings)
    checks: list[tuple[str, Callable[[Parts], Awaitable[str]]]] = [
        ("settings", _settings),
        ("disk", _disk),
        ("database", _database),
        ("words", _words),
        ("reader", _reader),
        ("screening", _screening),
        ("examples", _examples),
        ("token", _token),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(Finding(name, True, await check(parts)))
        except (Trouble, StoreUnavailable, RetrievalUnavailable) as error:
            findings.append(Finding(name, False, str(error)))
        except Exception as error:
            sentence = f"fails ({type(error).__name__}); run `make setup` again, or report this"
            findings.append(Finding(name, False, sentence))
    return findings


class Trouble(Exception):
    """A check found something; the sentence says what to do."""


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
    if counts.get("quarantined"):
        raise Trouble(
            f"{counts['quarantined']} updates were set aside because they could not be handled"
        )
    return f"opens; {counts.get('waiting', 0)} updates wait"


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

    found = await parts.retriever.search(Element.SELF_CHOICE, "en", "a door", limit=1)
    if not found:
        raise Trouble("no passage was found; run `coach index`")
    return "found by meaning"


async def _token(parts: Parts) -> str:
    token = parts.settings.telegram_bot_token
    if token is None:
        return "none set; `coach chat` needs none, `coach run` does"
    from telegram import Bot
    from telegram.error import InvalidToken, TelegramError

    base = parts.settings.telegram_api_base_url
    try:
        async with Bot(token.get_secret_value(), base_url=f"{base}/bot") as bot:
            info = await bot.get_webhook_info()
            name = bot.username
    except InvalidToken as error:
        raise Trouble("Telegram does not know this token; check TELEGRAM_BOT_TOKEN") from error
    except TelegramError as error:
        raise Trouble(f"Telegram could not be asked ({type(error).__name__})") from error
    if info.url:
        raise Trouble(f"@{name} has a webhook set, so polling will be refused")
    return f"@{name}; {info.pending_update_count} updates wait at Telegram"

"""What an error of a call means for the message: sent, not sent, nobody knows, or never again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from bot.usecases.ports import PauseReason


@dataclass(frozen=True)
class Slow:
    """Nothing was sent; this chat is to be left alone for `seconds`."""

    seconds: float


@dataclass(frozen=True)
class NotSent:
    """Surely nothing was sent, and trying again may help."""


@dataclass(frozen=True)
class Unsure:
    """It may have been sent: the answer did not come, or could not be read."""


@dataclass(frozen=True)
class Moved:
    """Nothing was sent; the group is now the supergroup `to`."""

    to: int


@dataclass(frozen=True)
class Closed:
    """Nothing was sent, and nothing can be until somebody over there changes something."""

    reason: PauseReason


@dataclass(frozen=True)
class Refused:
    """Nothing was sent, and this message never will be; the next one may."""


Meaning = Slow | NotSent | Unsure | Moved | Closed | Refused

_FORBIDDEN: tuple[tuple[str, PauseReason], ...] = (
    ("blocked by the user", "blocked"),
    # Nobody may be written to first. Until they write, it is the same as being blocked.
    ("can't initiate conversation", "blocked"),
    ("user is deactivated", "deactivated"),
    ("chat was deleted", "gone"),
    ("was kicked", "kicked"),
    ("is not a member", "kicked"),
)
"""Telegram's words in a 403 (tdlib/telegram-bot-api, Client.cpp), most telling first."""

_BAD_REQUEST: tuple[tuple[str, PauseReason], ...] = (
    ("thread not found", "topic_closed"),
    ("topic_closed", "topic_closed"),
    ("topic_deleted", "topic_closed"),
    ("rights to send", "no_rights"),
    ("no rights", "no_rights"),
    ("need administrator rights", "no_rights"),
    ("chat_write_forbidden", "no_rights"),
    ("chat_admin_required", "no_rights"),
    ("chat_restricted", "no_rights"),
    ("user_banned_in_channel", "no_rights"),
    ("chat_send_plain_forbidden", "no_rights"),
    ("chat_send_docs_forbidden", "no_rights"),
    ("group chat was deactivated", "gone"),
    ("user_deactivated", "deactivated"),
)
"""The same in a 400: permissions that the server names in capitals come back as such."""


class NeverLeft(NetworkError):
    """No connection came about, so nothing was sent."""


_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def meaning(error: Exception, chat: int) -> Meaning:
    """What an error says about the call that raised it, made to `chat`.

    Anything that is no error of Telegram's is ours: the message cannot be made, so Refused.
    """
    match error:
        case RetryAfter(retry_after=seconds):
            exact = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
            return Slow(exact)
        case ChatMigrated(new_chat_id=new):
            return Moved(new)
        case InvalidToken():
            return NotSent()
        case Forbidden():
            reason = _reason(error, _FORBIDDEN)
            return Closed(reason) if reason else Refused()
        case BadRequest():
            reason = _reason(error, _BAD_REQUEST)
            if reason is None and chat < 0 and "chat not found" in str(error).lower():
                reason = "gone"
            return Closed(reason) if reason else Refused()
        case NetworkError():
            return NotSent() if _never_left(error) else Unsure()
        case TelegramError():
            return Unsure()
        case _:
            return Refused()


def _reason(error: Exception, known: tuple[tuple[str, PauseReason], ...]) -> PauseReason | None:
    said = str(error).lower()
    return next((reason for words, reason in known if words in said), None)


def _never_left(error: NetworkError) -> bool:
    """Connections that never came about, and a 429 that does not say how long to wait."""
    if isinstance(error, NeverLeft) or isinstance(error.__cause__, _NEVER_LEFT):
        return True
    said = str(error)
    return said.startswith(("httpx.Connect", "Pool timeout", "Too Many Requests"))

"""Telegram's updates as what a person did."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.core.turn import Heard
from bot.usecases.residents import Sender

OTHER = ("voice", "audio", "photo", "video", "video_note", "sticker", "document", "contact",
         "location", "venue", "poll", "animation", "dice", "story")  # fmt: skip
_TURN = re.compile(r"[0-9]{1,9}")
SAME_AS = {"video_note": "video", "animation": "video", "venue": "location"}


@dataclass(frozen=True)
class Incoming:
    """One update from a private chat: who, what, and what Telegram wants answered.

    `query_id` is a callback to answer; `message_id` the message whose button was pressed.
    """

    update_id: int
    sender: Sender
    heard: Heard
    query_id: str | None = None
    message_id: int | None = None
    album: str | None = None


def chat_of(update: Mapping[str, Any]) -> int | None:
    """The chat an update belongs to; None when it belongs to none, or has a strange form."""
    query = update.get("callback_query")
    try:
        if query:
            message = query.get("message")
            return int(message["chat"]["id"] if message else query["from"]["id"])
        for kind in ("message", "edited_message", "my_chat_member"):
            if kind in update:
                return int(update[kind]["chat"]["id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return None


def language_of(update: Mapping[str, Any]) -> str | None:
    """The language Telegram says its writer speaks, if it says any."""
    for kind in ("message", "edited_message", "callback_query"):
        body = update.get(kind)
        person = body.get("from") if isinstance(body, Mapping) else None
        if isinstance(person, Mapping) and person.get("language_code"):
            return str(person["language_code"])
    return None


def incoming(update: Mapping[str, Any]) -> Incoming | None:
    """What a person did in a private chat; None for anything else (groups, channels, unknown).

    Raises KeyError, TypeError or AttributeError for an update of strange form.
    """
    query = update.get("callback_query")
    if query:
        return _pressed(update, query)
    message = update.get("message") or update.get("edited_message")
    if not message or message.get("chat", {}).get("type") != "private":
        return None
    person = message.get("from")
    if not person or person.get("is_bot") or person["id"] != message["chat"]["id"]:
        return None
    heard = _heard(message)
    heard = replace(
        heard,
        edited="edited_message" in update,
        profile_name=_name(person),
        language_code=person.get("language_code"),
    )
    return Incoming(
        update["update_id"],
        Sender(person["id"], message["chat"]["id"]),
        heard,
        album=message.get("media_group_id"),
    )


def _pressed(update: Mapping[str, Any], query: Mapping[str, Any]) -> Incoming | None:
    """A button, believed only in form; whether it is open is for the conversation to say."""
    message = query.get("message") or {}
    person = query["from"]
    chat = message.get("chat") or {"id": person["id"], "type": "private"}
    if chat.get("type", "private") != "private" or chat["id"] != person["id"]:
        # Groups come later; a press in somebody else's private chat is forged.
        return None
    turn, _, choice = _whole(str(query.get("data", ""))).partition("|")
    return Incoming(
        update["update_id"],
        Sender(person["id"], chat["id"]),
        Heard(
            choice=choice or "?",
            turn=int(turn) if _TURN.fullmatch(turn) else -1,
            profile_name=_name(person),
            language_code=person.get("language_code"),
        ),
        query_id=query["id"],
        message_id=message.get("message_id"),
    )


def _heard(message: Mapping[str, Any]) -> Heard:
    if message.get("forward_origin"):
        return Heard(other="forward")
    text = message.get("text")
    if text is None:
        kind = next((k for k in OTHER if k in message), "anything")
        return Heard(other=SAME_AS.get(kind, kind))
    if text.startswith("/") and _is_command(message):
        head, *argument = text[1:].split(maxsplit=1)
        return Heard(command=head.partition("@")[0].lower(), argument=_whole("".join(argument)))
    return Heard(text=_whole(text))


def _whole(text: str) -> str:
    """The text with a mark where half a character stands, which no disk could keep."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_command(message: Mapping[str, Any]) -> bool:
    return any(
        e.get("type") == "bot_command" and e.get("offset") == 0 for e in message.get("entities", ())
    )


def _name(person: Mapping[str, Any]) -> str:
    return _whole(" ".join(p for p in (person.get("first_name"), person.get("last_name")) if p))


def joined(pieces: Sequence[Incoming]) -> Incoming:
    """Several messages sent in one breath as one; the last one's ids, all their words."""
    text = "\n".join(p.heard.text or "" for p in pieces)
    return replace(pieces[-1], heard=replace(pieces[-1].heard, text=text))

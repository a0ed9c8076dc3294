"""Telegram's updates as what happened: said in private, addressed to us in a group, or let be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

from bot.core.turn import Heard
from bot.telegram.voice import recording_of
from bot.usecases.groups import Addressed, Migrated, Pressed, Speaker, Standing, StandingName
from bot.usecases.residents import Sender

OTHER = ("voice", "audio", "photo", "video", "video_note", "sticker", "animation", "document",
         "contact", "venue", "location", "poll", "dice", "story")  # fmt: skip
"""Content that is not text, the more telling name first: an animation is a document as well."""
SAME_AS = {"video_note": "video", "animation": "video", "venue": "location"}
SERVICE = frozenset(
    {
        "pinned_message", "message_auto_delete_timer_changed", "write_access_allowed",
        "boost_added", "chat_background_set", "proximity_alert_triggered", "web_app_data",
        "users_shared", "chat_shared", "connected_website", "forum_topic_created",
        "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened", "gift", "unique_gift",
        "successful_payment", "refunded_payment", "new_chat_members", "left_chat_member",
        "new_chat_title", "new_chat_photo", "delete_chat_photo", "group_chat_created",
        "supergroup_chat_created", "channel_chat_created", "video_chat_scheduled",
        "video_chat_started", "video_chat_ended", "video_chat_participants_invited",
        "giveaway_created", "giveaway", "giveaway_winners", "giveaway_completed",
    }
)  # fmt: skip
"""Messages that Telegram writes about a chat. Nobody said them, so nobody is answered."""
LARGEST = 2**63 - 1
"""No number of Telegram's is larger, and no database column holds more."""
_TURN = re.compile(r"[0-9]{1,9}")
_ARGUED = ("start", "language")
_ARGUMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What may follow these commands in a group: a start payload or a language. Never a sentence."""
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?")
_INSIDE = ("member", "administrator", "creator", "restricted")


@dataclass(frozen=True)
class Said:
    """What a person did in a private chat, and what Telegram wants answered.

    `query_id` is a callback to answer; `message_id` the message whose button was pressed.
    """

    update_id: int
    sender: Sender
    heard: Heard
    query_id: str | None = None
    message_id: int | None = None
    album: str | None = None


@dataclass(frozen=True)
class Tapped:
    """A button under a message in a group; `message_id` is that message, if Telegram says."""

    pressed: Pressed
    query_id: str
    message_id: int | None


@dataclass(frozen=True)
class Forged:
    """A press that cannot come from a button of ours; answered, so that it stops spinning."""

    query_id: str


Incoming = Said | Addressed | Standing | Migrated | Tapped | Forged


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


def query_of(update: Mapping[str, Any]) -> str | None:
    """The id of the press to answer, also in an update of strange form."""
    query = update.get("callback_query")
    number = query.get("id") if isinstance(query, Mapping) else None
    return number if isinstance(number, str) else None


def incoming(update: Mapping[str, Any]) -> Incoming | None:
    """What happened; None for what is nothing to us (service messages, channels, unknown kinds).

    Raises KeyError, TypeError, ValueError or AttributeError for an update of strange form.
    """
    found = _incoming(update)
    if found is not None:
        _check(found)
    return found


def _check(found: Any) -> None:
    """Raise ValueError where a number or words should be and something else is.

    A chat whose id is a word would be written to, and stop whoever sends.
    """
    kind: Any = type(found)
    for name, kinds in _kinds_of(kind):
        value = getattr(found, name)
        if value is None and "None" in kinds:
            continue
        if "int" in kinds:
            if type(value) is not int or abs(value) > LARGEST:
                raise ValueError(f"{name} is no number Telegram gives")
        elif "str" in kinds:
            if not isinstance(value, str):
                raise ValueError(f"{name} is not words")
        elif is_dataclass(value):
            _check(value)


@cache
def _kinds_of(dataclass: Any) -> list[tuple[str, list[str]]]:
    """Each field, with the kinds of its values."""
    return [(field.name, str(field.type).split(" | ")) for field in fields(dataclass)]


def _incoming(update: Mapping[str, Any]) -> Incoming | None:
    if query := update.get("callback_query"):
        return _pressed(update, query)
    if membership := update.get("my_chat_member"):
        return _standing(membership)
    if edited := update.get("edited_message"):
        return _edited(update, edited) if _is_private(edited) else None
    message = update.get("message")
    if not message:
        return None
    if _is_private(message):
        return _said(update, message)
    return _in_group(message)


# -- private chats ------------------------------------------------------------------------------


def _is_private(message: Mapping[str, Any]) -> bool:
    return bool(message.get("chat", {}).get("type") == "private")


def _said(update: Mapping[str, Any], message: Mapping[str, Any]) -> Said | None:
    person = message.get("from")
    if not person or person.get("is_bot") or person["id"] != message["chat"]["id"]:
        return None
    if SERVICE & message.keys():
        return None
    return Said(
        update["update_id"],
        Sender(person["id"], message["chat"]["id"]),
        replace(
            _heard(message), profile_name=_name(person), language_code=person.get("language_code")
        ),
        album=message.get("media_group_id"),
    )


def _edited(update: Mapping[str, Any], message: Mapping[str, Any]) -> Said | None:
    """Only words changed into words matter: a command is not run twice, and a live location
    changes every few seconds."""
    said = _said(update, message)
    if said is None or said.heard.other is not None or said.heard.command is not None:
        return None
    return replace(said, heard=replace(said.heard, edited=True))


def _heard(message: Mapping[str, Any]) -> Heard:
    text = message.get("text")
    if message.get("forward_origin") or message.get("via_bot"):
        return Heard(other="forward", text=None if text is None else _whole(text))
    if text is None:
        kind = next((k for k in OTHER if k in message), "anything")
        caption = message.get("caption")
        file, size = recording_of(message)
        words = _whole(caption) if caption else None
        return Heard(other=SAME_AS.get(kind, kind), text=words, file=file, size=size)
    if text.startswith("/") and _is_command(message):
        head, *argument = text[1:].split(maxsplit=1)
        return Heard(command=head.partition("@")[0].lower(), argument=_whole("".join(argument)))
    words = _whole(text)
    return Heard(text=words, messages=((int(message["message_id"]), words),))


def _whole(text: str) -> str:
    """The text with a mark where half a character stands, which no disk could keep."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_command(message: Mapping[str, Any]) -> bool:
    return any(
        e.get("type") == "bot_command" and e.get("offset") == 0 for e in message.get("entities", ())
    )


def _name(person: Mapping[str, Any]) -> str:
    return _whole(" ".join(p for p in (person.get("first_name"), person.get("last_name")) if p))


def joined(pieces: Sequence[Said]) -> Said:
    """Several messages sent in one breath as one, in the order they were sent; the last one's ids.

    Their order is their ids': Telegram may deliver the second piece of a paste before the first.
    """
    told = sorted((m for p in pieces for m in p.heard.messages), key=lambda m: m[0])
    texts = [text for _, text in told] or [p.heard.text for p in pieces if p.heard.text is not None]
    text = "\n".join(texts) if texts else None
    return replace(pieces[-1], heard=replace(pieces[-1].heard, text=text, messages=tuple(told)))


# -- buttons ------------------------------------------------------------------------------------


def _pressed(update: Mapping[str, Any], query: Mapping[str, Any]) -> Said | Tapped | Forged:
    """A button, believed only in form; whether it is open is for the conversation to say."""
    message = query.get("message") or {}
    person = query["from"]
    chat = message.get("chat") or {"id": person["id"], "type": "private"}
    turn, _, choice = _whole(str(query.get("data", ""))).partition("|")
    if chat.get("type", "private") in ("group", "supergroup"):
        speaker = Speaker("person", person["id"], person.get("language_code"))
        return Tapped(Pressed(chat["id"], speaker, choice), query["id"], message.get("message_id"))
    if chat.get("type", "private") != "private" or chat["id"] != person["id"]:
        return Forged(query["id"])
    return Said(
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


# -- groups, and what the bot may do in a chat --------------------------------------------------


def _standing(membership: Mapping[str, Any]) -> Standing | None:
    chat, after = membership["chat"], membership["new_chat_member"]
    if chat.get("type") == "channel":
        return None
    before = (membership.get("old_chat_member") or {}).get("status")
    by = membership["from"]
    return Standing(
        int(chat["id"]),
        chat["type"] == "private",
        _whole(str(chat.get("title", ""))),
        _standing_name(after),
        after.get("status") != "restricted" or bool(after.get("can_send_messages", True)),
        before in _INSIDE,
        # An anonymous admin, or the bot itself leaving, is no person to remember.
        Speaker("group", None, None)
        if by.get("is_bot")
        else Speaker("person", int(by["id"]), by.get("language_code")),
    )


def _standing_name(member: Mapping[str, Any]) -> StandingName:
    match member["status"]:
        case "administrator" | "creator":
            return "administrator"
        case "member":
            return "member"
        case "restricted" if member.get("is_member", True):
            return "restricted"
        case _:
            return "left"


def _in_group(message: Mapping[str, Any]) -> Addressed | Migrated | None:
    """A command or a reply to some bot, whose is for the use case to say; or a new chat id."""
    chat = message["chat"]
    if chat.get("type") not in ("group", "supergroup"):
        return None
    if message.get("migrate_to_chat_id"):
        return Migrated(int(chat["id"]), int(message["migrate_to_chat_id"]))
    if message.get("migrate_from_chat_id"):
        return Migrated(int(message["migrate_from_chat_id"]), int(chat["id"]))
    speaker = _speaker(message)
    if speaker is None:
        return None
    command = _COMMAND.match(message.get("text") or "") if _is_command(message) else None
    author = (message.get("reply_to_message") or {}).get("from") or {}
    replied_to = int(author["id"]) if author.get("is_bot") else None
    if command is None and replied_to is None:
        return None
    word = ""
    if command and command[1].lower() in _ARGUED:
        word = " ".join(message["text"][command.end() :].split())
    return Addressed(
        int(chat["id"]),
        _whole(str(chat.get("title", ""))),
        speaker,
        command[1].lower() if command else None,
        word if _ARGUMENT.fullmatch(word) else "",
        command[2] if command else None,
        replied_to,
        int(message["message_thread_id"]) if message.get("is_topic_message") else None,
    )


def _speaker(message: Mapping[str, Any]) -> Speaker | None:
    """Who wrote in a group; None for other bots, and for posts forwarded by Telegram itself.

    An anonymous admin writes as the group, a channel as itself: `from` is then a bot of Telegram's.
    """
    if message.get("is_automatic_forward"):
        return None
    if as_chat := message.get("sender_chat"):
        is_group = as_chat["id"] == message["chat"]["id"]
        return Speaker("group" if is_group else "channel", None, None)
    person = message.get("from")
    if not person or person.get("is_bot"):
        return None
    return Speaker("person", int(person["id"]), person.get("language_code"))


# -- what goes on disk --------------------------------------------------------------------------

_CHAT = ("id", "type", "title")
_PERSON = ("id", "is_bot", "language_code")
_MEMBER = ("status", "is_member", "can_send_messages")
_OF_A_MESSAGE = ("message_id", "date", "message_thread_id", "is_topic_message",
                 "is_automatic_forward", "migrate_to_chat_id", "migrate_from_chat_id")  # fmt: skip


def kept(update: Mapping[str, Any]) -> Mapping[str, Any]:
    """The update as it goes on disk. Of a group only what concerns the bot, and never a word.

    A bot that is an admin is sent everything said in a group; of that not even the chat is kept.
    What has no known form stays as it is, to be set aside.
    """
    kind = next((k for k in update if k != "update_id"), None)
    body = update.get(kind) if kind else None
    if not isinstance(body, Mapping):
        return update
    message = body.get("message") if kind == "callback_query" else body
    chat = message.get("chat") if isinstance(message, Mapping) else None
    if not isinstance(chat, Mapping) or chat.get("type", "private") == "private":
        return update
    number = {"update_id": update.get("update_id")}
    try:
        if kind == "callback_query":
            shown = {"chat": _only(_CHAT, chat), **_only(("message_id",), message or {})}
            query = {**_only(("id", "data"), body), "from": _only(_PERSON, body["from"])}
            return number | {kind: query | {"message": shown}}
        if kind == "my_chat_member":
            shown = {"chat": _only(_CHAT, chat), "from": _only(_PERSON, body["from"])}
            for member in ("old_chat_member", "new_chat_member"):
                shown[member] = _only(_MEMBER, body.get(member) or {})
            return number | {kind: shown}
        if kind == "message" and _in_group(body) is not None:
            return number | {kind: _without_words(body)}
    except (KeyError, TypeError, ValueError, AttributeError):
        # Strange, and in a group: nobody waits for an answer, and there may be words in it.
        return number
    return number


def _without_words(message: Mapping[str, Any]) -> Mapping[str, Any]:
    shown: dict[str, Any] = _only(_OF_A_MESSAGE, message)
    shown["chat"] = _only(_CHAT, message["chat"])
    if message.get("from"):
        shown["from"] = _only(_PERSON, message["from"])
    if message.get("sender_chat"):
        shown["sender_chat"] = _only(("id",), message["sender_chat"])
    found = _in_group(message)
    if isinstance(found, Addressed):
        if found.command is not None:
            to = f"@{found.to}" if found.to else ""
            shown["text"] = f"/{found.command}{to} {found.argument}".rstrip()
            shown["entities"] = [{"type": "bot_command", "offset": 0}]
        if found.replied_to is not None:
            shown["reply_to_message"] = {"from": {"id": found.replied_to, "is_bot": True}}
    return shown


def _only(names: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in names if name in body}

"""What the server knows of chats and messages, in memory only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.console.call import Upload
from bot.console.markup import Entity

Json = dict[str, object]

ANONYMOUS: Json = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
"""Who Telegram says wrote what an anonymous administrator wrote."""
CHANNEL_BOT: Json = {
    "id": 136817688,
    "is_bot": True,
    "first_name": "Channel",
    "username": "Channel_Bot",
}
"""The same for somebody who writes as a channel."""


@dataclass
class Message:
    """One message as it stands; `extra` holds content other than text, in Bot API form.

    `restored` marks a message from an earlier run of which only the buttons are known; `topic` is
    the message thread it stands in.
    """

    id: int
    sender: Json
    sent_at: float
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    markup: Json | None = None
    upload: Upload | None = None
    extra: Json = field(default_factory=dict)
    edited_at: float | None = None
    restored: bool = False
    topic: int | None = None

    @property
    def from_bot(self) -> bool:
        """True when the bot wrote it, and not a name of Telegram's that somebody writes under."""
        return bool(self.sender.get("is_bot")) and self.sender not in (ANONYMOUS, CHANNEL_BOT)

    @property
    def is_text(self) -> bool:
        """False for a file, a voice message and anything else with at most a caption."""
        return not self.extra and self.upload is None

    def rows(self) -> list[list[Json]]:
        """The buttons of the inline keyboard, row by row."""
        return _rows(self.markup, "inline_keyboard")

    def reply_rows(self) -> list[list[Json]]:
        """The buttons of a reply keyboard sent with the message, row by row."""
        return _rows(self.markup, "keyboard")

    def payload(self, chat: Json) -> Json:
        """The message as the Bot API shows it."""
        shown: Json = {
            "message_id": self.id,
            "date": int(self.sent_at),
            "chat": chat,
            "from": self.sender,
            **self.extra,
        }
        if self.topic is not None:
            shown |= {"message_thread_id": self.topic, "is_topic_message": True}
        if self.text:
            words = "text" if self.is_text else "caption"
            shown[words] = self.text
            if self.entities:
                shown["entities" if words == "text" else "caption_entities"] = list(self.entities)
        if self.markup and "inline_keyboard" in self.markup:
            shown["reply_markup"] = self.markup
        if self.edited_at is not None:
            shown["edit_date"] = int(self.edited_at)
        return shown


def _rows(markup: Json | None, kind: str) -> list[list[Json]]:
    rows = (markup or {}).get(kind)
    return rows if isinstance(rows, list) else []


@dataclass
class Chat:
    """A private chat with one person, or a group. `gone` says why the bot may not write.

    In a silent group only administrators may write.
    """

    id: int
    kind: Literal["private", "group", "supergroup"]
    name: str
    messages: dict[int, Message] = field(default_factory=dict)
    started: bool = False
    gone: str | None = None
    moved_to: int | None = None
    members: dict[int, str] = field(default_factory=dict)
    is_silent: bool = False

    def payload(self) -> Json:
        """The chat as the Bot API shows it."""
        title = "first_name" if self.kind == "private" else "title"
        return {"id": self.id, "type": self.kind, title: self.name}

    def last_keyboard(self) -> Message | None:
        """The newest message of the bot whose buttons a person still sees."""
        for message in reversed(self.messages.values()):
            markup = message.markup or {}
            if markup.get("remove_keyboard"):
                return None
            if message.from_bot and (message.rows() or message.reply_rows()):
                return message
        return None


@dataclass(frozen=True)
class Event:
    """Something a person would notice in a chat: what the terminal draws."""

    kind: Literal["message", "edited", "buttons", "deleted", "typing", "toast", "left"]
    chat_id: int
    message: Message | None = None
    text: str = ""


@dataclass
class Query:
    """A press waiting for its answer."""

    chat_id: int
    person_id: int
    pressed_at: float


@dataclass(frozen=True)
class Entry:
    """One line of a transcript, as a person sees it.

    `who` is "bot" or a name; `buttons` are labels, row by row; `document` is a file's name and
    `content` its bytes; `entities` count UTF-16 units.
    """

    who: str
    text: str
    buttons: tuple[tuple[str, ...], ...] = ()
    edited: bool = False
    document: str | None = None
    content: bytes | None = None
    entities: tuple[Entity, ...] = ()
    message_id: int = 0

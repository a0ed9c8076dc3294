"""People and groups on the other side of the bot: what a Telegram client lets them do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.console.call import Upload
from bot.console.chats import ANONYMOUS, CHANNEL_BOT, Chat, Json, Message, Query
from bot.console.markup import commands, plain, split_as_clients_do

if TYPE_CHECKING:
    from bot.console.botapi import BotApi


class NoSuchButton(LookupError):
    """There is no such button on the last keyboard."""


@dataclass
class Person:
    """Someone with a Telegram client. `toasts` are the short notices presses were met with.

    Methods queue updates at once; waiting for the bot is the caller's part. They raise OSError
    when the ids cannot be kept on disk; then nothing was sent.
    """

    api: BotApi
    id: int
    name: str
    language_code: str | None
    chat: Chat
    toasts: list[str] = field(default_factory=list)

    def payload(self) -> Json:
        """The User as the Bot API shows it."""
        user: Json = {"id": self.id, "is_bot": False, "first_name": self.name}
        if self.language_code:
            user["language_code"] = self.language_code
        return user

    @property
    def has_started(self) -> bool:
        """True once they have written to the bot, in this run or an earlier one."""
        return self.chat.started

    def starts(self, payload: str = "") -> list[int]:
        """Press the Start button, after a deep link when `payload` is given."""
        return self.says(f"/start {payload}".rstrip())

    def says(
        self,
        text: str,
        *,
        group: Group | None = None,
        reply_to: int | None = None,
        topic: int | None = None,
    ) -> list[int]:
        """Send typed text, cut as clients cut it; the message ids, none for blank text."""
        sent = []
        for piece in split_as_clients_do(text):
            message = self._message(group)
            message.topic = topic
            message.text, message.entities = piece, commands(piece)
            sent.append(self._send(message, group, reply_to))
        return sent

    def presses(self, button: int | str, *, group: Group | None = None) -> str | None:
        """Press a button of the last keyboard, by number from 1 or by label.

        Returns the query id; None for a button that opens an address or types its label.
        Raises NoSuchButton.
        """
        chat = group.chat if group else self.chat
        message = chat.last_keyboard()
        buttons = buttons_of(message)
        if isinstance(button, int):
            found = buttons[button - 1] if 1 <= button <= len(buttons) else None
        else:
            found = next((b for b in buttons if b["text"] == button), None)
        if found is None or message is None:
            raise NoSuchButton(str(button))
        if not message.rows():
            self.says(str(found["text"]), group=group)
            return None
        if "callback_data" not in found:
            return None
        return self.presses_on(message.id, str(found["callback_data"]), group=group)

    def presses_on(self, message_id: int, data: str, *, group: Group | None = None) -> str:
        """Press with any data on any message, also a stale or forged one; the query id."""
        chat = group.chat if group else self.chat
        message = chat.messages.get(message_id)
        query_id = str(self.api.ledger.next_id("query"))
        shown: Json = {"chat": chat.payload(), "message_id": message_id, "date": 0}
        self.api.updates.put(
            "callback_query",
            {
                "id": query_id,
                "from": self.payload(),
                "chat_instance": str(chat.id),
                "data": data,
                "message": message.payload(chat.payload()) if message else shown,
            },
        )
        self.api.queries[query_id] = Query(chat.id, self.id, self.api.now())
        return query_id

    def edits(self, message_id: int, text: str, *, group: Group | None = None) -> None:
        """Change a message of theirs; KeyError when it is not in the chat."""
        chat = group.chat if group else self.chat
        message = chat.messages[message_id]
        words = plain(text)[0]
        edited = Message(**{**vars(message), "text": words, "entities": commands(words)})
        edited.edited_at = self.api.now()
        chat.messages[message_id] = edited
        if group is None or group.shows_bot(edited, None):
            self.api.updates.put("edited_message", edited.payload(chat.payload()))

    def sends_voice(self, seconds: int = 4, content: bytes = b"OggS voice") -> int:
        """Send a voice message."""
        file = self._file(Upload("voice.ogg", content, "audio/ogg"))
        return self._sends({"voice": file | {"duration": seconds, "mime_type": "audio/ogg"}})

    def sends_photo(self, caption: str = "", content: bytes = b"jpeg picture") -> int:
        """Send a picture, with or without words under it."""
        file = self._file(Upload("photo.jpg", content, "image/jpeg"))
        return self._sends({"photo": [file | {"width": 640, "height": 480}]}, caption)

    def sends_album(self, pictures: int = 3, caption: str = "") -> list[int]:
        """Send pictures together: separate messages with one media_group_id."""
        album = str(self.api.ledger.next_id("query"))
        sent = []
        for at in range(pictures):
            file = self._file(Upload(f"photo{at}.jpg", b"jpeg picture %d" % at, "image/jpeg"))
            photo = [file | {"width": 640, "height": 480}]
            words = caption if at == 0 else ""
            sent.append(self._sends({"media_group_id": album, "photo": photo}, words))
        return sent

    def sends_document(self, name: str, content: bytes, caption: str = "") -> int:
        """Send a file."""
        upload = Upload(name, content)
        file = self._file(upload) | {"file_name": name, "mime_type": upload.mime_type}
        return self._sends({"document": file}, caption)

    def sends_sticker(self, emoji: str = "🙂") -> int:
        """Send a sticker."""
        file = self._file(Upload("sticker.webp", b"webp sticker", "image/webp"))
        shape: Json = {"width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self._sends({"sticker": file | shape | {"type": "regular", "emoji": emoji}})

    def sends_contact(self, first_name: str = "Rosa", phone_number: str = "+15550100") -> int:
        """Share a contact."""
        return self._sends({"contact": {"first_name": first_name, "phone_number": phone_number}})

    def sends_location(self, latitude: float = 0.0, longitude: float = 0.0) -> int:
        """Share a place."""
        return self._sends({"location": {"latitude": latitude, "longitude": longitude}})

    def sends_poll(
        self, question: str = "When?", options: tuple[str, ...] = ("now", "later")
    ) -> int:
        """Send a poll."""
        poll: Json = {
            "id": str(self.api.ledger.next_id("query")),
            "question": question,
            "options": [
                {"text": o, "voter_count": 0, "persistent_id": str(at)}
                for at, o in enumerate(options)
            ],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": True,
            "members_only": False,
        }
        return self._sends({"poll": poll})

    def sends_forward(self, text: str, author: str = "Someone") -> int:
        """Forward a text that somebody else wrote."""
        message = self._message(None)
        message.text, message.entities = plain(text)[0], commands(text)
        origin = {"type": "hidden_user", "date": int(self.api.now()), "sender_user_name": author}
        return self._send(message, None, None, {"forward_origin": origin})

    def blocks(self) -> None:
        """Block the bot."""
        self.api.lose(self.chat, "bot was blocked by the user")
        self._my_member("member", "kicked")

    def unblocks(self) -> None:
        """Let the bot write again."""
        self.chat.gone = None
        self._my_member("kicked", "member")

    def deactivates(self) -> None:
        """Close the account."""
        self.api.lose(self.chat, "user is deactivated")

    def _my_member(self, before: str, after: str) -> None:
        self.api.updates.put(
            "my_chat_member", membership(self.api, self.chat, self.payload(), before, after)
        )

    def _file(self, upload: Upload) -> Json:
        file_id = self.api.keep_file(upload)
        return {
            "file_id": file_id,
            "file_unique_id": f"unique-{file_id}",
            "file_size": len(upload.content),
        }

    def _sends(self, extra: Json, caption: str = "") -> int:
        message = self._message(None)
        message.extra, message.text = extra, plain(caption)[0]
        return self._send(message, None, None)

    def _message(self, group: Group | None) -> Message:
        if self.chat.gone and group is None:
            raise ValueError("a person who blocked the bot unblocks it before writing")
        return Message(self.api.ledger.next_id("message"), self.payload(), self.api.now())

    def _send(
        self,
        message: Message,
        group: Group | None,
        reply_to: int | None,
        also: Json | None = None,
    ) -> int:
        chat = group.chat if group else self.chat
        payload = message.payload(chat.payload()) | (also or {})
        replied = chat.messages.get(reply_to) if reply_to is not None else None
        if replied is not None:
            payload["reply_to_message"] = replied.payload(chat.payload())
        if group is None:
            self.api.ledger.know(chat.id)
            chat.started = True
        if group is None or group.shows_bot(message, replied):
            self.api.updates.put("message", payload)
        chat.messages[message.id] = message
        return message.id


def buttons_of(message: Message | None) -> list[Json]:
    """The buttons under a message in reading order."""
    if message is None:
        return []
    return [button for row in message.rows() or message.reply_rows() for button in row]


@dataclass
class Group:
    """A group of people; with privacy mode on, the bot sees only what is meant for it."""

    api: BotApi
    chat: Chat

    @property
    def id(self) -> int:
        """The chat id, negative."""
        return self.chat.id

    def add_bot(self, by: Person, *, admin: bool = False) -> None:
        """Bring the bot in; `by` becomes the group's creator when nobody else was."""
        self.join(by, "administrator" if "creator" in self.chat.members.values() else "creator")
        creator = next((n for n, s in self.chat.members.items() if s == "creator"), None)
        self.chat.gone = None
        self.chat.started = True
        self.api.ledger.know(self.chat.id, creator)
        self._bot_becomes("administrator" if admin else "member", by, before="left")

    def promote_bot(self, by: Person) -> None:
        """Make the bot an administrator: from now on it is sent everything."""
        self._bot_becomes("administrator", by)

    def restrict_bot(self, by: Person) -> None:
        """Let the bot stay, without the right to write."""
        self._bot_becomes("restricted", by)

    def silences_members(self, is_silent: bool = True) -> None:
        """Let only administrators write; the bot is told nothing of it."""
        self.chat.is_silent = is_silent

    def _bot_becomes(self, after: str, by: Person, before: str | None = None) -> None:
        bot = int(str(self.api.bot["id"]))
        was = before or self.chat.members.get(bot, "member")
        self.chat.members[bot] = after
        self.api.updates.put(
            "my_chat_member", membership(self.api, self.chat, by.payload(), was, after)
        )

    def says_as_group(self, text: str) -> int:
        """An administrator writes anonymously, as the group."""
        return self._says_as(ANONYMOUS, self.chat.payload(), text)

    def says_as_channel(self, text: str, title: str = "Our channel") -> int:
        """Somebody writes as a channel of theirs."""
        return self._says_as(
            CHANNEL_BOT, {"id": -1_000_000_000_777, "type": "channel", "title": title}, text
        )

    def _says_as(self, sender: Json, as_chat: Json, text: str) -> int:
        message = Message(self.api.ledger.next_id("message"), sender, self.api.now(), text)
        message.entities = commands(text)
        if self.shows_bot(message, None):
            self.api.updates.put(
                "message", message.payload(self.chat.payload()) | {"sender_chat": as_chat}
            )
        self.chat.messages[message.id] = message
        return message.id

    def renames(self, title: str) -> None:
        """Give the group another name; Telegram says so in a message of its own."""
        self.chat.name = title
        message = Message(self.api.ledger.next_id("message"), self.api.bot, self.api.now())
        message.extra = {"new_chat_title": title}
        self.api.updates.put("message", message.payload(self.chat.payload()))

    def remove_bot(self, by: Person) -> None:
        """Put the bot out."""
        self.chat.members.pop(int(str(self.api.bot["id"])), None)
        self.api.lose(self.chat, "bot was kicked from the supergroup chat")
        self.api.updates.put(
            "my_chat_member", membership(self.api, self.chat, by.payload(), "member", "kicked")
        )

    def join(self, person: Person, status: str = "member") -> None:
        """Make someone a member, administrator or creator; a member already keeps more."""
        self.chat.members.setdefault(person.id, status)

    def moves(self) -> Group:
        """Upgrade the group to a supergroup with another id; the old one refuses sends."""
        fresh = Chat(self.chat.id - 2**33, "supergroup", self.chat.name, started=True)
        fresh.members = dict(self.chat.members)
        self.api.chats[fresh.id] = fresh
        self.api.ledger.know(fresh.id)
        self.chat.moved_to = fresh.id
        for chat, key, other in (
            (self.chat, "migrate_to_chat_id", fresh.id),
            (fresh, "migrate_from_chat_id", self.chat.id),
        ):
            message = Message(self.api.ledger.next_id("message"), ANONYMOUS, self.api.now())
            message.extra = {key: other}
            self.api.updates.put("message", message.payload(chat.payload()))
        return Group(self.api, fresh)

    def shows_bot(self, message: Message, replied: Message | None) -> bool:
        """Whether the bot receives this message."""
        if self.chat.gone:
            return False
        if self.api.bot_is_admin(self.chat) or (replied is not None and replied.from_bot):
            return True
        first = message.text.split(maxsplit=1)[0] if message.text.strip() else ""
        if not first.startswith("/"):
            return False
        _, found, addressed = first.partition("@")
        if found:
            return addressed.lower() == str(self.api.bot["username"]).lower()
        # Bare commands go to the bot that wrote last; here it is the only bot.
        return True


def membership(api: BotApi, chat: Chat, by: Json, before: str, after: str) -> Json:
    """A ChatMemberUpdated about the bot."""
    return {
        "chat": chat.payload(),
        "from": by,
        "date": int(api.now()),
        "old_chat_member": api.member(api.bot, before),
        "new_chat_member": api.member(api.bot, after),
    }

"""An in-process Bot API server: one bot, its people and groups, and the rules of Telegram.

Messages live in memory only; ids and open buttons survive in a Ledger. Everything runs in one
event loop. The bot reaches it through bot.console.request, people through Person and Group.
"""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path

from bot.console import profile, sending
from bot.console.call import Call, Upload
from bot.console.chats import Chat, Entry, Event, Json, Message, Query
from bot.console.ledger import Ledger, OpenKeyboard
from bot.console.markup import Entity
from bot.console.people import Group, Person
from bot.console.refusal import Refused, bad_request, forbidden, too_many_requests
from bot.console.updates import UpdateQueue

TOKEN = "1000:in-process-console"
"""The token the console's own bot uses; it opens nothing anywhere."""

METHODS = {**sending.METHODS, **profile.METHODS}


class ConnectionLost(Exception):
    """The call never reached the server: nothing was done."""


class AnswerLost(Exception):
    """The server did what was asked, but its answer never arrived."""


@dataclass
class Faults:
    """Troubles to come, each for the next call of a method, optionally in one chat."""

    _planned: list[tuple[str, int | None, Exception]] = field(default_factory=list)

    def plan(
        self, method: str, trouble: Exception, *, chat_id: int | None = None, times: int = 1
    ) -> None:
        """Make the next `times` calls of `method` meet `trouble`.

        Refused answers with its code, ConnectionLost does nothing, AnswerLost does it first.
        """
        self._planned += [(method.lower(), chat_id, trouble)] * times

    def too_many_requests(
        self, method: str, retry_after: int, *, chat_id: int | None = None, times: int = 1
    ) -> None:
        """Answer 429 asking to wait `retry_after` seconds."""
        self.plan(method, too_many_requests(retry_after), chat_id=chat_id, times=times)

    def server_error(self, method: str, *, chat_id: int | None = None, times: int = 1) -> None:
        """Answer 500."""
        self.plan(method, Refused(500, "Internal Server Error"), chat_id=chat_id, times=times)

    def clear(self) -> None:
        """No trouble comes any more."""
        self._planned.clear()

    @property
    def left(self) -> int:
        """How many troubles nobody has met yet."""
        return len(self._planned)

    def take(self, call: Call) -> Exception | None:
        """The trouble this call meets, if any; it is met once."""
        chat_id = call.number("chat_id")
        for at, (method, chat, trouble) in enumerate(self._planned):
            if method == call.method.lower() and chat in (None, chat_id):
                del self._planned[at]
                return trouble
        return None


class BotApi:
    """The server. `path` keeps ids and open buttons (COACH_HOME/console.json); None forgets.

    Raises OSError when the file cannot be read.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        token: str = TOKEN,
        name: str = "Story Coach",
        username: str = "story_coach_bot",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self.now = now
        self.ledger = Ledger.open(path)
        self.updates = UpdateQueue(lambda: self.ledger.next_id("update"), now)
        self.faults = Faults()
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": name,
            "username": username,
        }
        self.chats: dict[int, Chat] = {}
        self.people: dict[int, Person] = {}
        self.files: dict[str, Upload] = {}
        self.queries: dict[str, Query] = {}
        self.commands: dict[str, list[Json]] = {}
        self.profile: dict[str, str] = {}
        self.webhook_url = ""
        self.calls: list[str] = []
        self._listeners: list[Callable[[Event], None]] = []

    # the bot's side

    async def answer(self, token: str, call: Call) -> tuple[int, bytes]:
        """Answer one call as HTTP would: status and JSON body.

        Raises ConnectionLost or AnswerLost when such a fault was planned.
        """
        try:
            if token != self.token:
                raise Refused(401, "Unauthorized")
            result = await self._do(call)
        except Refused as refused:
            body: Json = {
                "ok": False,
                "error_code": refused.code,
                "description": refused.description,
            }
            if refused.parameters:
                body["parameters"] = refused.parameters
            return refused.code, _json(body)
        return 200, _json({"ok": True, "result": result})

    async def _do(self, call: Call) -> object:
        method = METHODS.get(call.method.lower())
        if method is None:
            raise Refused(404, "Not Found")
        self.calls.append(call.method)
        trouble = self.faults.take(call)
        if trouble is not None and not isinstance(trouble, AnswerLost):
            raise trouble
        try:
            result = method(self, call)
            if isawaitable(result):
                result = await result
        except OSError:
            raise Refused(500, "Internal Server Error") from None
        if trouble is not None:
            raise trouble
        return result

    def download(self, token: str, path: str) -> tuple[int, bytes]:
        """Answer a fetch of a file path that getFile gave: status and content."""
        if token != self.token:
            return 401, _json({"ok": False, "error_code": 401, "description": "Unauthorized"})
        parts = path.split("/")
        upload = self.files.get(parts[1]) if len(parts) > 1 else None
        if upload is None:
            return 404, _json({"ok": False, "error_code": 404, "description": "Not Found"})
        return 200, upload.content

    # people and groups

    def person(self, name: str, language_code: str | None = "en") -> Person:
        """The person of this name (any case), the same one on every start."""
        person_id = _id_of(name)
        person = self.people.get(person_id)
        if person is None:
            chat = Chat(person_id, "private", name)
            person = Person(self, person_id, name, language_code, chat)
            self.people[person_id] = person
            self._admit(chat)
        person.language_code = language_code
        return person

    def group(self, name: str) -> Group:
        """The group of this name (any case); the bot is not in it until add_bot."""
        chat_id = -1_000_000_000_000 - _id_of(name) % 2**32
        chat = self.chats.get(chat_id)
        if chat is None:
            chat = Chat(chat_id, "supergroup", name)
            self._admit(chat)
            if not chat.started:
                chat.gone = "bot is not a member of the supergroup chat"
        chat.name = chat.name or name
        return Group(self, chat)

    def _admit(self, chat: Chat) -> None:
        self.chats[chat.id] = chat
        known = self.ledger.chats.get(chat.id)
        if known is None:
            return
        chat.started = True
        if known.creator is not None:
            chat.members[known.creator] = "creator"
        if known.keyboard is not None:
            kind = "inline_keyboard" if _is_inline(known.keyboard.rows) else "keyboard"
            message = Message(
                known.keyboard.message_id,
                self.bot,
                self.now(),
                markup={kind: known.keyboard.rows},
                restored=True,
            )
            chat.messages[message.id] = message

    def transcript(self, who: Person | Group) -> list[Entry]:
        """The chat as a person sees it now, oldest first; removed messages are absent."""
        return [self._entry(m) for m in who.chat.messages.values() if not m.restored]

    def _entry(self, message: Message) -> Entry:
        upload = message.upload
        return Entry(
            who="bot" if message.from_bot else str(message.sender["first_name"]),
            text=message.text,
            buttons=tuple(tuple(str(b["text"]) for b in row) for row in message.rows()),
            edited=message.edited_at is not None,
            document=upload.name if upload else None,
            content=upload.content if upload else None,
            entities=tuple(message.entities),
            message_id=message.id,
        )

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for everything people would notice; returns how to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, event: Event) -> None:
        """Tell the listeners of an event."""
        for listener in list(self._listeners):
            listener(event)

    # what methods and people do to chats

    def open_chat(self, chat_id: int) -> Chat:
        """The chat the bot may write to, or Telegram's refusal."""
        chat = self.chats.get(chat_id)
        if chat is None and chat_id < 0 and chat_id in self.ledger.chats:
            # A group of an earlier run: the bot is still in it, though nobody looks at it now.
            # Private chats wait for their person instead, or what is said there would be lost.
            chat = Chat(chat_id, "supergroup", "")
            self._admit(chat)
        if chat is None:
            raise bad_request("chat not found")
        if chat.moved_to is not None:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": chat.moved_to},
            )
        if chat.gone:
            raise forbidden(chat.gone)
        if chat.kind == "private" and not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        return chat

    def post(
        self,
        chat: Chat,
        *,
        text: str = "",
        entities: Iterable[Entity] = (),
        markup: Json | None = None,
        upload: Upload | None = None,
        extra: Json | None = None,
        topic: int | None = None,
    ) -> Message:
        """Put a message of the bot into a chat."""
        message = Message(
            self.ledger.next_id("message"),
            self.bot,
            self.now(),
            text,
            list(entities),
            markup,
            upload,
            extra or {},
            topic=topic,
        )
        chat.messages[message.id] = message
        try:
            self._remember_keyboard(chat)
        except OSError:
            del chat.messages[message.id]
            raise
        self.tell(Event("message", chat.id, message))
        return message

    def set_markup(self, chat: Chat, message: Message, markup: Json | None) -> None:
        """Change the buttons under a message."""
        message.markup = markup
        self._remember_keyboard(chat)

    def remove(self, chat: Chat, message: Message) -> None:
        """Take a message out of a chat."""
        del chat.messages[message.id]
        self._remember_keyboard(chat)

    def _remember_keyboard(self, chat: Chat) -> None:
        shown = chat.last_keyboard()
        rows = (shown.rows() or shown.reply_rows()) if shown else []
        self.ledger.set_keyboard(chat.id, OpenKeyboard(shown.id, rows) if shown else None)

    def lose(self, chat: Chat, why: str) -> None:
        """The bot may no longer write to this chat; `why` is Telegram's phrase."""
        chat.gone = why
        if chat.kind != "private":
            self.ledger.leave(chat.id)

    def bot_is_admin(self, chat: Chat) -> bool:
        """True when the bot sees and may remove everything in the group."""
        return chat.members.get(int(str(self.bot["id"]))) == "administrator"

    def member(self, user: Json, status: str) -> Json:
        """A ChatMember as the Bot API shows it."""
        shown: Json = {"user": user, "status": status}
        if status == "creator":
            shown["is_anonymous"] = False
        elif status == "administrator":
            shown |= dict.fromkeys(_RIGHTS, True) | {"is_anonymous": False}
        elif status == "restricted":
            shown |= dict.fromkeys(_PERMISSIONS, False) | {"is_member": True, "until_date": 0}
        elif status == "kicked":
            shown["until_date"] = 0
        return shown

    def permissions(self, chat: Chat) -> Json:
        """What plain members of a group may do, as the Bot API shows it."""
        return dict.fromkeys((p for p in _PERMISSIONS if p.startswith("can_")), not chat.is_silent)

    def keep_file(self, upload: Upload) -> str:
        """Keep a file for download; its file id."""
        file_id = hashlib.sha256(upload.name.encode() + upload.content).hexdigest()[:40]
        self.files[file_id] = upload
        return file_id

    def describe_file(self, kind: str, upload: Upload) -> object:
        """A Document or photo sizes as the Bot API shows them."""
        file_id = self.keep_file(upload)
        shown: Json = {
            "file_id": file_id,
            "file_unique_id": f"unique-{file_id}",
            "file_size": len(upload.content),
        }
        if kind == "photo":
            return [shown | {"width": 640, "height": 480}]
        return shown | {"file_name": upload.name, "mime_type": upload.mime_type}


_RIGHTS = (
    "can_be_edited",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)


_PERMISSIONS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_edit_tag",
    "can_react_to_messages",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)


def _id_of(name: str) -> int:
    """An id from a name alone, so that a lost file never makes someone a stranger."""
    key = unicodedata.normalize("NFKC", name).strip().casefold()
    return 2**33 + int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:5], "big")


def _is_inline(rows: list[list[dict[str, object]]]) -> bool:
    return any(len(button) > 1 for row in rows for button in row)


def _json(value: object) -> bytes:
    return json.dumps(value).encode("utf-8")

"""Bot API methods that send, change and remove messages, as strict as Telegram."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.console.call import Call, Upload
from bot.console.chats import Chat, Event, Json, Message
from bot.console.keyboards import check_buttons, read_markup
from bot.console.markup import (
    CAPTION_LIMIT,
    ENTITIES_LIMIT,
    TEXT_LIMIT,
    Entity,
    MarkupError,
    parse_html,
    plain,
    utf16_length,
)
from bot.console.refusal import bad_request

if TYPE_CHECKING:
    from bot.console.botapi import BotApi

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly "
    "the same as a current content and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
ANSWER_LIMIT = 200
ANSWER_TIMEOUT = 15 * 60.0
DELETABLE = 48 * 3600.0
"""Seconds a press may wait for its answer here; Telegram does not publish its own figure."""
DOCUMENT_LIMIT = 50 * 1024 * 1024
PHOTO_LIMIT = 10 * 1024 * 1024
DOWNLOAD_LIMIT = 20 * 1024 * 1024
ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def _words(call: Call, name: str) -> tuple[str, list[Entity]]:
    """The text of a parameter after parsing; refuses what Telegram cannot parse."""
    source = call.text(name)
    mode = call.text("parse_mode").lower()
    try:
        source.encode("utf-8")
    except UnicodeEncodeError:
        raise bad_request("text must be encoded in UTF-8") from None
    if mode == "html":
        try:
            return parse_html(source)
        except MarkupError as error:
            raise bad_request(f"can't parse entities: {error}") from None
    if mode:
        raise bad_request("unsupported parse_mode")
    given = call.nested("entities" if name == "text" else "caption_entities")
    text, _ = plain(source)
    return text, _given_entities(given) if isinstance(given, list) else []


def _given_entities(given: list[object]) -> list[Entity]:
    entities = []
    for entity in given:
        if not isinstance(entity, dict):
            raise bad_request("can't parse MessageEntity: expected an Object")
        try:
            mark = Entity(
                type=str(entity["type"]),
                offset=int(entity["offset"]),
                length=int(entity["length"]),
            )
        except (KeyError, TypeError, ValueError):
            raise bad_request("can't parse MessageEntity: a field is wrong") from None
        if "url" in entity:
            mark["url"] = str(entity["url"])
        entities.append(mark)
    return entities[:ENTITIES_LIMIT]


def _text(call: Call) -> tuple[str, list[Entity]]:
    if not call.text("text"):
        raise bad_request("message text is empty")
    text, entities = _words(call, "text")
    if not text:
        raise bad_request("text must be non-empty")
    return text, entities


def _within(text: str, limit: int, what: str) -> None:
    if utf16_length(text) > limit:
        raise bad_request(f"{what} is too long")


def _writable(api: BotApi, call: Call) -> Chat:
    """The chat to write to; refused where only administrators may."""
    chat = api.open_chat(call.chat_id())
    if chat.is_silent and not api.bot_is_admin(chat):
        raise bad_request("not enough rights to send text messages to the chat")
    return chat


def _replied(chat: Chat, call: Call) -> Json:
    reply = call.nested("reply_parameters")
    wanted = reply.get("message_id") if isinstance(reply, dict) else None
    if wanted is None or not isinstance(reply, dict):
        return {}
    found = chat.messages.get(int(str(wanted)))
    if found is not None:
        return {"reply_to_message": found.payload(chat.payload())}
    if reply.get("allow_sending_without_reply"):
        return {}
    raise bad_request("message to be replied not found")


def send_message(api: BotApi, call: Call) -> Json:
    """sendMessage."""
    text, entities = _text(call)
    markup = read_markup(call)
    chat = _writable(api, call)
    _within(text, TEXT_LIMIT, "message")
    check_buttons(markup)
    reply = _replied(chat, call)
    topic = call.number("message_thread_id")
    message = api.post(chat, text=text, entities=entities, markup=markup, topic=topic)
    return message.payload(chat.payload()) | reply


def _send_file(api: BotApi, call: Call, kind: str, limit: int) -> tuple[Chat, Message]:
    upload = call.files.get(kind)
    caption, entities = _words(call, "caption")
    markup = read_markup(call)
    if upload is None:
        upload = api.files.get(call.text(kind))
    if upload is None and not call.text(kind):
        raise bad_request(f"there is no {kind} in the request")
    chat = api.open_chat(call.chat_id())
    if upload is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if not upload.content:
        raise bad_request("file must be non-empty")
    if len(upload.content) > limit:
        raise bad_request("file is too big")
    _within(caption, CAPTION_LIMIT, "message caption")
    check_buttons(markup)
    return chat, api.post(
        chat,
        text=caption,
        entities=entities,
        markup=markup,
        upload=upload,
        extra={kind: api.describe_file(kind, upload)},
    )


def send_document(api: BotApi, call: Call) -> Json:
    """sendDocument; the file is a multipart part or the id of a known file."""
    chat, message = _send_file(api, call, "document", DOCUMENT_LIMIT)
    return message.payload(chat.payload())


def send_photo(api: BotApi, call: Call) -> Json:
    """sendPhoto; the picture is not decoded."""
    chat, message = _send_file(api, call, "photo", PHOTO_LIMIT)
    return message.payload(chat.payload())


def _editable(api: BotApi, call: Call) -> tuple[Chat, Message]:
    chat = api.open_chat(call.chat_id())
    wanted = call.number("message_id")
    if wanted is None:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(wanted)
    if message is None:
        raise bad_request("message to edit not found")
    if not message.from_bot:
        raise bad_request("message can't be edited")
    return chat, message


def edit_message_text(api: BotApi, call: Call) -> Json:
    """editMessageText; without reply_markup the buttons go."""
    text, entities = _text(call)
    markup = read_markup(call)
    chat, message = _editable(api, call)
    _within(text, TEXT_LIMIT, "message")
    check_buttons(markup)
    if not message.is_text:
        raise bad_request("there is no text in the message to edit")
    same_words = message.text == text and message.entities == entities and not message.restored
    if same_words and _same_buttons(message, markup):
        raise bad_request(NOT_MODIFIED)
    message.text, message.entities = text, entities
    message.restored = False
    message.edited_at = api.now()
    api.set_markup(chat, message, markup)
    api.tell(Event("buttons" if same_words else "edited", chat.id, message))
    return message.payload(chat.payload())


def edit_message_reply_markup(api: BotApi, call: Call) -> Json:
    """editMessageReplyMarkup; without reply_markup the buttons go."""
    markup = read_markup(call)
    chat, message = _editable(api, call)
    check_buttons(markup)
    if _same_buttons(message, markup):
        raise bad_request(NOT_MODIFIED)
    api.set_markup(chat, message, markup)
    api.tell(Event("buttons", chat.id, message))
    return message.payload(chat.payload())


def _same_buttons(message: Message, markup: Json | None) -> bool:
    rows = markup.get("inline_keyboard") if markup else None
    return message.rows() == (rows or [])


def delete_message(api: BotApi, call: Call) -> bool:
    """deleteMessage."""
    chat = api.open_chat(call.chat_id())
    wanted = call.number("message_id")
    if wanted is None:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(wanted)
    if message is None:
        raise bad_request("message to delete not found")
    may = message.from_bot or chat.kind == "private"
    is_young = api.now() - message.sent_at <= DELETABLE
    if not api.bot_is_admin(chat) and not (may and is_young):
        raise bad_request("message can't be deleted")
    api.remove(chat, message)
    api.tell(Event("deleted", chat.id, message))
    return True


def answer_callback_query(api: BotApi, call: Call) -> bool:
    """answerCallbackQuery; each press is answered once."""
    _within(call.text("text"), ANSWER_LIMIT, "message")
    query = api.queries.pop(call.text("callback_query_id"), None)
    if query is None or api.now() - query.pressed_at > ANSWER_TIMEOUT:
        raise bad_request(TOO_OLD)
    if call.text("text"):
        notice = plain(call.text("text"))[0]
        api.people[query.person_id].toasts.append(notice)
        api.tell(Event("toast", query.chat_id, text=notice))
    return True


def send_chat_action(api: BotApi, call: Call) -> bool:
    """sendChatAction."""
    if call.text("action").lower() not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = api.open_chat(call.chat_id())
    api.tell(Event("typing", chat.id))
    return True


def get_file(api: BotApi, call: Call) -> Json:
    """getFile; the path is fetched from the file address, as PTB does."""
    file_id = call.text("file_id")
    upload: Upload | None = api.files.get(file_id)
    if upload is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if len(upload.content) > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    return {
        "file_id": file_id,
        "file_unique_id": f"unique-{file_id}",
        "file_size": len(upload.content),
        "file_path": f"files/{file_id}/{upload.name}",
    }


METHODS: dict[str, Callable[[BotApi, Call], object]] = {
    "sendmessage": send_message,
    "senddocument": send_document,
    "sendphoto": send_photo,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendchataction": send_chat_action,
    "getfile": get_file,
}

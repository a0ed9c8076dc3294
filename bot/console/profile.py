"""Bot API methods about the bot itself, its updates and the chats it is in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.console.call import Call
from bot.console.chats import Event, Json
from bot.console.people import membership
from bot.console.refusal import bad_request, conflict

if TYPE_CHECKING:
    from bot.console.botapi import BotApi

COMMANDS_LIMIT = 100
NAME_LIMIT, DESCRIPTION_LIMIT, SHORT_DESCRIPTION_LIMIT = 64, 512, 120


def get_me(api: BotApi, call: Call) -> Json:
    """getMe."""
    return api.bot | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def get_updates(api: BotApi, call: Call) -> list[Json]:
    """getUpdates: long polling; an offset confirms everything below it."""
    if api.webhook_url:
        raise conflict(
            "can't use getUpdates method while webhook is active; "
            "use deleteWebhook to delete the webhook first"
        )
    _allow(api, call)
    limit = call.number("limit")
    return await api.updates.get(
        call.number("offset") or 0, 100 if limit is None else limit, call.seconds("timeout")
    )


def _allow(api: BotApi, call: Call) -> None:
    kinds = call.nested("allowed_updates")
    if isinstance(kinds, list):
        api.updates.allow([str(kind) for kind in kinds])


def set_webhook(api: BotApi, call: Call) -> bool:
    """setWebhook: the address is kept and polling is refused; nothing is posted to it."""
    url = call.text("url")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = call.text("secret_token")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise bad_request("secret token contains unallowed characters")
    _allow(api, call)
    if call.flag("drop_pending_updates"):
        api.updates.clear()
    api.webhook_url = url
    return True


def delete_webhook(api: BotApi, call: Call) -> bool:
    """deleteWebhook."""
    if call.flag("drop_pending_updates"):
        api.updates.clear()
    api.webhook_url = ""
    return True


def get_webhook_info(api: BotApi, call: Call) -> Json:
    """getWebhookInfo."""
    info: Json = {
        "url": api.webhook_url,
        "has_custom_certificate": False,
        "pending_update_count": len(api.updates),
    }
    if api.updates.allowed():
        info["allowed_updates"] = api.updates.allowed()
    return info


def get_chat(api: BotApi, call: Call) -> Json:
    """getChat."""
    chat = api.open_chat(call.chat_id())
    may = {} if chat.kind == "private" else {"permissions": api.permissions(chat)}
    return (
        chat.payload()
        | may
        | {
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": {
                "unlimited_gifts": False,
                "limited_gifts": False,
                "unique_gifts": False,
                "premium_subscription": False,
                "gifts_from_channels": False,
            },
        }
    )


def get_chat_member(api: BotApi, call: Call) -> Json:
    """getChatMember; someone never seen here is refused, someone seen elsewhere has left."""
    chat = api.open_chat(call.chat_id())
    user_id = call.number("user_id") or 0
    person = api.people.get(user_id)
    if user_id == api.bot["id"]:
        return api.member(api.bot, chat.members.get(user_id, "member"))
    if person is None:
        raise bad_request("user not found")
    private = chat.kind == "private" and chat.id == person.id
    status = "member" if private else chat.members.get(person.id, "left")
    return api.member(person.payload(), status)


def leave_chat(api: BotApi, call: Call) -> bool:
    """leaveChat."""
    chat = api.open_chat(call.chat_id())
    if chat.kind == "private":
        raise bad_request("chat not found")
    before = chat.members.pop(int(str(api.bot["id"])), "member")
    api.lose(chat, "bot is not a member of the supergroup chat")
    api.updates.put("my_chat_member", membership(api, chat, api.bot, before, "left"))
    api.tell(Event("left", chat.id))
    return True


def get_chat_administrators(api: BotApi, call: Call) -> list[Json]:
    """getChatAdministrators: people who manage a group; other bots there are not listed."""
    chat = api.open_chat(call.chat_id())
    if chat.kind == "private":
        raise bad_request("there are no administrators in the private chat")
    people = [(api.people.get(number), status) for number, status in chat.members.items()]
    return [
        api.member(person.payload(), status)
        for person, status in people
        if person is not None and status in ("creator", "administrator")
    ]


def _scope(call: Call) -> str:
    scope = call.nested("scope")
    kind = "default"
    if isinstance(scope, dict):
        kind = ":".join(str(scope[k]) for k in ("type", "chat_id", "user_id") if k in scope)
    return f"{kind}/{call.text('language_code')}"


def set_my_commands(api: BotApi, call: Call) -> bool:
    """setMyCommands, kept per scope and language."""
    given = call.nested("commands")
    if not isinstance(given, list):
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(given) > COMMANDS_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in given:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command", "")).lstrip("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    api.commands[_scope(call)] = [dict(command) for command in given]
    return True


def get_my_commands(api: BotApi, call: Call) -> list[Json]:
    """getMyCommands."""
    return api.commands.get(_scope(call), [])


def delete_my_commands(api: BotApi, call: Call) -> bool:
    """deleteMyCommands."""
    api.commands.pop(_scope(call), None)
    return True


def _setter(field: str, limit: int, refusal: str) -> Callable[[BotApi, Call], bool]:
    def set_field(api: BotApi, call: Call) -> bool:
        if len(call.text(field)) > limit:
            raise bad_request(refusal)
        api.profile[f"{field}/{call.text('language_code')}"] = call.text(field)
        return True

    return set_field


def _getter(field: str) -> Callable[[BotApi, Call], Json]:
    def get_field(api: BotApi, call: Call) -> Json:
        fallback = api.profile.get(f"{field}/", api.bot["first_name"] if field == "name" else "")
        return {field: api.profile.get(f"{field}/{call.text('language_code')}") or fallback}

    return get_field


def set_chat_menu_button(api: BotApi, call: Call) -> bool:
    """setChatMenuButton, for one private chat or, without chat_id, for all."""
    button = call.nested("menu_button")
    kind = button.get("type") if isinstance(button, dict) else "default"
    if kind not in ("commands", "web_app", "default"):
        raise bad_request("MenuButton has unsupported type")
    key = ""
    if call.text("chat_id"):
        chat = api.open_chat(call.chat_id())
        if chat.kind != "private":
            raise bad_request("chat not found")
        key = str(chat.id)
    api.profile[f"menu_button/{key}"] = str(kind)
    return True


def get_chat_menu_button(api: BotApi, call: Call) -> Json:
    """getChatMenuButton, of one private chat or, without chat_id, of all."""
    key = str(api.open_chat(call.chat_id()).id) if call.text("chat_id") else ""
    return {"type": api.profile.get(f"menu_button/{key}", "default")}


METHODS: dict[str, Callable[[BotApi, Call], object | Awaitable[object]]] = {
    "getme": get_me,
    "getupdates": get_updates,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatadministrators": get_chat_administrators,
    "leavechat": leave_chat,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setmyname": _setter("name", NAME_LIMIT, "BOT_TITLE_INVALID"),
    "getmyname": _getter("name"),
    "setmydescription": _setter("description", DESCRIPTION_LIMIT, "BOT_DESCRIPTION_TOO_LONG"),
    "getmydescription": _getter("description"),
    "setmyshortdescription": _setter(
        "short_description", SHORT_DESCRIPTION_LIMIT, "BOT_SHORT_DESCRIPTION_TOO_LONG"
    ),
    "getmyshortdescription": _getter("short_description"),
    "setchatmenubutton": set_chat_menu_button,
    "getchatmenubutton": get_chat_menu_button,
}

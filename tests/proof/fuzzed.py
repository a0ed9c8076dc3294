"""Updates as no Telegram sends them: every kind, every content, and anything in any field."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]

MESSAGES = (
    "message", "edited_message", "channel_post", "edited_channel_post", "business_message",
    "edited_business_message",
)  # fmt: skip
OTHERS = (
    "business_connection", "deleted_business_messages", "message_reaction",
    "message_reaction_count", "inline_query", "chosen_inline_result", "callback_query",
    "shipping_query", "pre_checkout_query", "purchased_paid_media", "poll", "poll_answer",
    "my_chat_member", "chat_member", "chat_join_request", "chat_boost", "removed_chat_boost",
    "managed_bot", "hologram",
)  # fmt: skip
KINDS = (*MESSAGES, *OTHERS)

NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, -1e308)
WORDS = (
    "", " ", "\0", "\ud83d", "🙂" * 50, "<b>&{0}%s", "\u202e\u200b", "a" * 5000, "/", "/start",
    "/start x y", "/help@somebody", "/nothing", "/stop", "null", "Ana", "private", "supergroup",
)  # fmt: skip
FILE: Json = {"file_id": "f", "file_unique_id": "u", "duration": 3, "width": 1, "height": 1}
CONTENTS: tuple[Json, ...] = (
    {"text": "I stood at the stop in the snow."},
    {"text": "/help", "entities": [{"type": "bot_command", "offset": 0, "length": 5}]},
    {"text": "/settings", "entities": [{"type": "bot_command", "offset": 0, "length": 9}]},
    {"text": "bold", "entities": [{"type": "bold", "offset": 0, "length": 10**9}]},
    {"voice": FILE},
    {"audio": FILE},
    {"video": FILE, "caption": "what I saw"},
    {"video_note": FILE},
    {"photo": [FILE, FILE], "caption": "us"},
    {"photo": [FILE], "media_group_id": "album"},
    {"document": FILE},
    {"animation": FILE},
    {"sticker": {**FILE, "emoji": "🙂", "type": "regular"}},
    {"contact": {"phone_number": "+15550100", "first_name": "Rosa"}},
    {"location": {"latitude": 1.0, "longitude": 1.0}},
    {"venue": {"location": {}, "title": "t", "address": "a"}},
    {"poll": {"id": "1", "question": "?", "options": []}},
    {"dice": {"emoji": "🎲", "value": 6}},
    {"story": {"id": 1, "chat": {}}},
    {"paid_media": {"star_count": 1, "paid_media": []}},
    {"text": "hers", "forward_origin": {"type": "user", "date": 0, "sender_user": {}}},
    {"text": "yes", "reply_to_message": {"message_id": 1, "date": 0}},
    {"text": "via", "via_bot": {"id": 5, "is_bot": True, "first_name": "b"}},
    {"text": "as", "sender_chat": {"id": -1005, "type": "channel", "title": "c"}},
    {"new_chat_members": [{"id": 5, "is_bot": False, "first_name": "n"}]},
    {"left_chat_member": {"id": 5, "is_bot": False, "first_name": "n"}},
    {"migrate_to_chat_id": -1009},
    {"migrate_from_chat_id": -8},
    {"pinned_message": {"message_id": 1, "date": 0, "chat": {}}},
    {"new_chat_title": "Hall"},
    {"forum_topic_closed": {}},
    {"web_app_data": {"data": "x", "button_text": "y"}},
    {"successful_payment": {}},
    {"message_auto_delete_timer_changed": {"message_auto_delete_time": 1}},
    {"checklist": {"title": "t", "tasks": []}},
    {},
)
STATUSES = ("member", "administrator", "kicked", "left", "restricted", "creator", "ghost")
DATA = ("", "1:example", "0:yes", "x" * 64, "99999999999:more", ":", "a:b:c", "forget", "\0")


class Fuzz:
    """An endless supply, the same for the same seed."""

    def __init__(self, seed: int, chats: Sequence[int], groups: Sequence[int]) -> None:
        """`chats` and `groups` exist; what comes may be from them or from nobody."""
        self._chance = random.Random(seed)
        self._chats, self._groups = chats, groups

    def update(self, number: int) -> object:
        """One more, which has this number unless that is spoilt too."""
        chance = self._chance
        if chance.random() < 0.01:
            return self._junk()
        whole: Json = {"update_id": number}
        # Half are what we ask for: those reach deepest.
        kind = chance.choice(("message", "edited_message", "callback_query", "my_chat_member"))
        others = chance.choices(KINDS, k=chance.choice((1, 1, 2)))
        for name in [kind] if chance.random() < 0.5 else others:
            whole[name] = self._body(name)
        for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
            self._spoil(whole)
        return whole

    # -- whole ones -----------------------------------------------------------------------------

    def _body(self, kind: str) -> Json:
        if kind in MESSAGES:
            return self._message(kind.startswith("edited"))
        makes: dict[str, Callable[[], Json]] = {
            "callback_query": self._query,
            "my_chat_member": self._member,
            "chat_member": self._member,
        }
        if kind in makes:
            return makes[kind]()
        return {"id": "1", "from": self._user(), "chat": self._chat(), "date": 0, "query": "q"}

    def _message(self, edited: bool = False) -> Json:
        content = copy.deepcopy(self._chance.choice(CONTENTS))
        made = {
            "message_id": self._chance.choice((1, 2, 7, 2**31)),
            "date": self._chance.choice((0, 1_700_000_000, 2**40)),
            "chat": self._chat(),
            "from": self._user(),
            **content,
        }
        return made | {"edit_date": 5} if edited else made

    def _query(self) -> Json:
        data = self._chance.choice(DATA)
        found: Json = {"id": "7", "from": self._user(), "chat_instance": "c", "data": data}
        if self._chance.random() < 0.8:
            found["message"] = self._message()
        else:
            found["inline_message_id"] = "i"
        return found

    def _member(self) -> Json:
        def one() -> Json:
            return {"user": self._user(), "status": self._chance.choice(STATUSES), "until_date": 0}

        return {
            "chat": self._chat(),
            "from": self._user(),
            "date": 0,
            "old_chat_member": one(),
            "new_chat_member": one(),
        }

    def _chat(self) -> Json:
        chance = self._chance
        if chance.random() < 0.7:
            return {"id": chance.choice(self._chats), "type": "private", "first_name": "P"}
        kind = chance.choice(("group", "supergroup", "channel", "sender", "private"))
        known = chance.choice((*self._groups, *self._chats, -1001, 2**52, 424242))
        return {"id": known, "type": kind, "title": "T", "is_forum": True}

    def _user(self) -> Json:
        one = {"id": self._chance.choice((*self._chats, 777, 2**52)), "is_bot": False}
        languages = ("en", "es", "de", "zz-ZZ", "", None)
        return {**one, "first_name": "P", "language_code": self._chance.choice(languages)}

    # -- and spoilt -----------------------------------------------------------------------------

    def _spoil(self, whole: Json) -> None:
        """Take away, exchange or add something, anywhere."""
        chance = self._chance
        held: Any = whole
        while True:
            keys = list(held) if isinstance(held, dict) else list(range(len(held)))
            key = chance.choice(keys) if keys else None
            if key is None or not isinstance(held[key], dict | list) or chance.random() < 0.25:
                break
            held = held[key]
        match chance.choice(("take", "exchange", "exchange", "add")):
            case "take" if key is not None:
                del held[key]
            case "exchange" if key is not None:
                held[key] = self._junk()
            case _ if isinstance(held, dict):
                held[chance.choice(("from_the_future", "text", "chat", "from", "data"))] = (
                    self._junk()
                )
            case _:
                held.append(self._junk())

    def _junk(self, depth: int = 0) -> object:
        chance = self._chance
        match chance.randrange(6 if depth < 3 else 4):
            case 0:
                return chance.choice(NUMBERS)
            case 1:
                return chance.choice(WORDS)
            case 2:
                return chance.choice((None, True, False))
            case 3:
                return chance.choice(self._chats)
            case 4:
                return [self._junk(depth + 1) for _ in range(chance.randrange(4))]
            case _:
                names = ("id", "type", "text", "user", "new")
                return {chance.choice(names): self._junk(depth + 1) for _ in range(3)}

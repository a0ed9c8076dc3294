"""Updates are read in form only, and strange ones are refused without harm."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.telegram.updates import chat_of, incoming, language_of

ANA: dict[str, Any] = {"id": 7, "is_bot": False, "first_name": "Ana", "language_code": "es"}
CHAT = {"id": 7, "type": "private"}


def message(**parts: object) -> dict[str, Any]:
    return {"update_id": 1, "message": {"message_id": 2, "from": ANA, "chat": CHAT, **parts}}


def command(text: str) -> dict[str, Any]:
    length = len(text.split()[0])
    return message(text=text, entities=[{"type": "bot_command", "offset": 0, "length": length}])


def test_a_command_is_known_by_its_entity_whatever_follows_it() -> None:
    heard = incoming(command("/Start@story_coach_bot\n payload x"))
    assert heard is not None
    assert (heard.heard.command, heard.heard.argument) == ("start", "payload x")
    told = incoming(message(text="/not a command"))
    assert told is not None and told.heard.text == "/not a command"


def test_groups_channels_bots_and_strangers_in_a_private_chat_are_not_heard() -> None:
    assert incoming(message(text="x", chat={"id": -5, "type": "supergroup"})) is None
    assert incoming(message(text="x", **{"from": ANA | {"is_bot": True}})) is None
    assert incoming(message(text="x", **{"from": ANA | {"id": 8}})) is None
    assert incoming({"update_id": 1, "channel_post": {}}) is None
    assert incoming({"update_id": 1, "something_new": {"a": 1}}) is None


def test_a_press_without_its_message_counts_in_the_persons_own_chat() -> None:
    pressed = incoming(
        {"update_id": 1, "callback_query": {"id": "q", "from": ANA, "data": "3|yes"}}
    )
    assert pressed is not None
    assert (pressed.sender.chat_id, pressed.heard.choice, pressed.heard.turn) == (7, "yes", 3)


@given(st.text(max_size=100))
def test_any_button_data_is_taken_as_some_choice_of_some_turn(data: str) -> None:
    pressed = incoming({"update_id": 1, "callback_query": {"id": "q", "from": ANA, "data": data}})
    assert pressed is not None and pressed.heard.choice
    assert pressed.heard.turn is not None and -1 <= pressed.heard.turn < 10**9


def test_the_language_telegram_says_is_known_for_every_kind() -> None:
    assert language_of(message(text="x")) == "es"
    assert language_of({"callback_query": {"from": ANA}}) == "es"
    assert language_of({"message": None, "my_chat_member": {}}) is None


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(
        ["chat", "id", "from", "message", "text", "type"]), x, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(["message", "callback_query", "my_chat_member"]), anything)
def test_the_chat_of_a_strange_update_is_a_number_or_nothing(kind: str, body: object) -> None:
    assert isinstance(chat_of({"update_id": 1, kind: body}), int | None)

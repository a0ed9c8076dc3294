"""Updates are read in form only, and strange ones are refused without harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.telegram.updates import (
    Forged,
    Said,
    chat_of,
    incoming,
    joined,
    kept,
    language_of,
    query_of,
)
from bot.usecases.groups import Addressed, Migrated, Speaker, Standing

ANA: dict[str, Any] = {"id": 7, "is_bot": False, "first_name": "Ana", "language_code": "es"}
CHAT = {"id": 7, "type": "private"}


def message(**parts: object) -> dict[str, Any]:
    return {"update_id": 1, "message": {"message_id": 2, "from": ANA, "chat": CHAT, **parts}}


def command(text: str) -> dict[str, Any]:
    length = len(text.split()[0])
    return message(text=text, entities=[{"type": "bot_command", "offset": 0, "length": length}])


def test_a_command_is_known_by_its_entity_whatever_follows_it() -> None:
    heard = incoming(command("/Start@story_coach_bot\n payload x"))
    assert isinstance(heard, Said)
    assert (heard.heard.command, heard.heard.argument) == ("start", "payload x")
    told = incoming(message(text="/not a command"))
    assert isinstance(told, Said) and told.heard.text == "/not a command"


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
    assert isinstance(pressed, Said)
    assert (pressed.sender.chat_id, pressed.heard.choice, pressed.heard.turn) == (7, "yes", 3)


@given(st.text(max_size=100))
def test_any_button_data_is_taken_as_some_choice_of_some_turn(data: str) -> None:
    pressed = incoming({"update_id": 1, "callback_query": {"id": "q", "from": ANA, "data": data}})
    assert isinstance(pressed, Said) and pressed.heard.choice
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


HALL = {"id": -5, "type": "supergroup", "title": "Hall"}


def in_hall(**parts: object) -> dict[str, Any]:
    return message(chat=HALL, **parts)


def test_of_a_group_only_commands_replies_to_bots_and_new_ids_are_seen() -> None:
    entities = [{"type": "bot_command", "offset": 0, "length": 5}]
    asked = incoming(in_hall(text="/help@Bot x y", entities=entities))
    assert asked == Addressed(-5, "Hall", Speaker("person", 7, "es"), "help", "", "Bot", None, None)
    robot = {"from": {"id": 9, "is_bot": True}}
    replied = incoming(in_hall(text="my story", reply_to_message=robot))
    assert isinstance(replied, Addressed)
    assert (replied.command, replied.replied_to) == (None, 9)
    assert incoming(in_hall(text="my story", reply_to_message={"from": ANA})) is None
    assert incoming(in_hall(migrate_to_chat_id=-77)) == Migrated(-5, -77)
    assert incoming(in_hall(new_chat_title="Yard")) is None


def test_what_the_bot_may_do_is_read_from_its_membership() -> None:
    def became(status: str, kind: str = "supergroup", **more: object) -> Standing:
        after = {"status": status, **more}
        chat = {"id": -5, "type": kind, "title": "Hall"}
        body = {"chat": chat, "from": ANA, "new_chat_member": after}
        found = incoming({"update_id": 1, "my_chat_member": body})
        assert isinstance(found, Standing)
        return found

    assert became("creator").standing == "administrator"
    assert (became("kicked").standing, became("left").standing) == ("left", "left")
    muted = became("restricted", is_member=True, can_send_messages=False)
    assert (muted.standing, muted.may_write) == ("restricted", False)
    assert became("restricted", is_member=False).standing == "left"
    assert became("kicked", "private").is_private


def test_pieces_are_joined_in_the_order_they_were_written() -> None:
    one, two = incoming(message(text="one")), incoming(message(text="two", message_id=3))
    assert isinstance(one, Said) and isinstance(two, Said)
    both = joined([two, one])
    assert both.heard.text == "one\ntwo"
    assert both.heard.messages == ((2, "one"), (3, "two"))


def test_a_press_elsewhere_is_forged_and_its_query_known_whatever_its_form() -> None:
    chat = {"id": 8, "type": "private"}
    query = {"id": "q", "from": ANA, "data": "x", "message": {"chat": chat}}
    assert incoming({"update_id": 1, "callback_query": query}) == Forged("q")
    assert query_of({"callback_query": {"id": "q"}}) == "q"
    assert query_of({"callback_query": [1]}) is None
    assert query_of({"callback_query": {"id": {}}}) is None


def test_a_private_update_is_kept_as_it_came() -> None:
    update = message(text="my story", reply_to_message={"text": "x"})
    assert kept(update) is update


@given(st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member", "new"]),
       st.dictionaries(st.sampled_from(["from", "text", "entities", "reply_to_message", "caption",
                                        "migrate_to_chat_id", "message", "sender_chat"]),
                       anything, max_size=5))  # fmt: skip
def test_a_strange_update_of_a_group_is_kept_without_what_is_in_it(
    kind: str, body: dict[str, Any]
) -> None:
    marked = body | {"chat": HALL, "words": "quetzal", "caption": "quetzal"}
    if kind == "callback_query":
        marked = {"message": marked, "game": "quetzal", "from": ANA, "id": "q"}
    assert "quetzal" not in str(kept({"update_id": 1, kind: marked}))


@given(st.sampled_from(["message", "callback_query", "my_chat_member"]), anything)
def test_the_chat_of_a_strange_update_is_a_number_or_nothing(kind: str, body: object) -> None:
    assert isinstance(chat_of({"update_id": 1, kind: body}), int | None)


@pytest.mark.parametrize("strange", ["supergroup", 2**63, True, 1.5, None, [7001]])
def test_a_chat_whose_id_is_no_number_of_telegrams_is_of_strange_form(strange: object) -> None:
    person = {"id": strange, "is_bot": False, "first_name": "Ana"}
    chat = {"id": strange, "type": "private"}
    message = {"message_id": 1, "date": 0, "chat": chat, "from": person, "text": "yes"}
    with pytest.raises(ValueError):
        incoming({"update_id": 1, "message": message})

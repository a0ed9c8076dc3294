"""The in-process Bot API behaves like Telegram towards a real PTB bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MenuButtonCommands,
    Message,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.console.botapi import AnswerLost, BotApi, ConnectionLost
from bot.console.people import NoSuchButton, Person
from bot.console.request import InProcessRequest
from tests.console.conftest import EchoHost


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(b, callback_data=b.lower())] for b in labels]
    )


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Bot]:
    async with Bot(
        api.token, request=InProcessRequest(api), get_updates_request=InProcessRequest(api)
    ) as bot:
        yield bot


@pytest.fixture
def maria(api: BotApi) -> Person:
    maria = api.person("Maria")
    maria.starts()
    return maria


async def test_a_person_is_echoed_with_buttons(api: BotApi, host: EchoHost) -> None:
    maria = api.person("Maria")
    maria.says("hello <&> 🙂")
    await host.idle()
    said, answer = api.transcript(maria)
    assert (said.who, said.text) == ("Maria", "hello <&> 🙂")
    assert (answer.who, answer.text) == ("bot", "You said hello <&> 🙂")
    assert answer.buttons == (("Yes", "No"),)
    assert answer.entities == ({"type": "bold", "offset": 0, "length": 8},)


async def test_a_press_takes_the_keyboard_away(api: BotApi, host: EchoHost) -> None:
    maria = api.person("Maria")
    maria.says("hello")
    await host.idle()
    maria.presses(2)
    await host.idle()
    assert [e.text for e in api.transcript(maria)][-1] == "You pressed no"
    assert [e.buttons for e in api.transcript(maria)] == [(), (), ()]
    assert maria.toasts == ["Heard"]
    assert host.errors == []


Send = Callable[[Bot, int], Awaitable[object]]


@pytest.mark.parametrize(
    ("send", "refusal"),
    [
        (lambda b, c: b.send_message(c, ""), "Message text is empty"),
        (lambda b, c: b.send_message(c, " \n"), "Text must be non-empty"),
        (lambda b, c: b.send_message(c, "<b> </b>", "HTML"), "Text must be non-empty"),
        (lambda b, c: b.send_message(c, "a" * 4097), "Message is too long"),
        (lambda b, c: b.send_message(c, "🙂" * 2049), "Message is too long"),
        (lambda b, c: b.send_message(c, "<x>", "HTML"),
         "Can't parse entities: unsupported start tag \"x\" at byte offset 0"),
        (lambda b, c: b.send_message(c + 1, "hi"), "Chat not found"),
        (lambda b, c: b.send_message(c, "hi", reply_markup=keyboard("a" * 65)),
         "Button_data_invalid"),
        (lambda b, c: b.send_message(c, "hi", reply_markup=keyboard("é" * 33)),
         "Button_data_invalid"),
        (lambda b, c: b.send_message(c, "hi", reply_markup=keyboard(*["x"] * 101)),
         "Reply markup is too long"),
        (lambda b, c: b.send_message(c, "hi", reply_to_message_id=999),
         "Message to be replied not found"),
        (lambda b, c: b.send_document(c, b"x", caption="a" * 1025),
         "Message caption is too long"),
        (lambda b, c: b.send_document(c, b""), "File must be non-empty"),
        (lambda b, c: b.send_document(c, "no-such-id"),
         "Wrong file identifier/http url specified"),
        (lambda b, c: b.edit_message_text("hi", c, 999), "Message to edit not found"),
        (lambda b, c: b.edit_message_text("hi", c, 1), "Message can't be edited"),
        (lambda b, c: b.delete_message(c, 999), "Message to delete not found"),
        (lambda b, c: b.answer_callback_query("77"),
         "Query is too old and response timeout expired or query id is invalid"),
        (lambda b, c: b.send_chat_action(c, "dancing"), "Wrong parameter action in request"),
        (lambda b, c: b.get_file("no-such-id"),
         "Wrong file_id or the file is temporarily unavailable"),
    ],
)  # fmt: skip
async def test_bad_requests_are_refused_in_telegrams_words(
    bot: Bot, maria: Person, send: Send, refusal: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        await send(bot, maria.id)
    assert refused.value.message.lower() == refusal.lower()


async def test_limits_count_after_parsing(bot: Bot, maria: Person) -> None:
    sent = await bot.send_message(maria.id, f"<b>{'&lt;' * 4096}</b>", "HTML")
    assert sent.text == "<" * 4096


async def test_text_may_have_4096_utf16_units(bot: Bot, maria: Person) -> None:
    assert (await bot.send_message(maria.id, "🙂" * 2048)).text == "🙂" * 2048


async def test_an_edit_that_changes_nothing_is_refused(bot: Bot, maria: Person) -> None:
    sent = await bot.send_message(maria.id, "<b>hi</b>", "HTML", reply_markup=keyboard("Yes"))
    with pytest.raises(BadRequest, match=r"^Message is not modified: specified new message"):
        await bot.edit_message_text(
            "<b>hi</b>", maria.id, sent.message_id, parse_mode="HTML", reply_markup=keyboard("Yes")
        )
    with pytest.raises(BadRequest, match="exactly the same as a current content"):
        await bot.edit_message_reply_markup(maria.id, sent.message_id, reply_markup=keyboard("Yes"))
    await bot.edit_message_text("hi", maria.id, sent.message_id)
    entry = bot_entries(maria)[-1]
    assert (entry.text, entry.buttons, entry.edited) == ("hi", (), True)


def bot_entries(person: Person) -> list[Any]:
    return [e for e in person.api.transcript(person) if e.who == "bot"]


async def test_a_deleted_message_is_gone_from_the_transcript(bot: Bot, maria: Person) -> None:
    sent = await bot.send_message(maria.id, "hi", reply_markup=keyboard("Yes"))
    await bot.delete_message(maria.id, sent.message_id)
    assert bot_entries(maria) == []
    with pytest.raises(NoSuchButton):
        maria.presses(1)


async def test_the_bot_cannot_write_first(api: BotApi, bot: Bot) -> None:
    stranger = api.person("Stranger")
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        await bot.send_message(stranger.id, "hi")


async def test_a_blocked_bot_is_told_so_until_unblocked(bot: Bot, maria: Person) -> None:
    maria.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(maria.id, "hi")
    maria.unblocks()
    await bot.send_message(maria.id, "hi")
    updates = await bot.get_updates()
    statuses = [u.my_chat_member.new_chat_member.status for u in updates if u.my_chat_member]
    assert statuses == ["kicked", "member"]


async def test_a_press_is_answered_once_and_in_time(
    api: BotApi, bot: Bot, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bot.send_message(maria.id, "hi", reply_markup=keyboard("Yes"))
    first, second = maria.presses("Yes"), maria.presses(1)
    assert first is not None and second is not None
    await bot.answer_callback_query(first)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(first)
    now = api.now()
    monkeypatch.setattr(api, "now", lambda: now + 3600)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(second)


async def test_a_forged_press_on_a_lost_message_reaches_the_bot(bot: Bot, maria: Person) -> None:
    maria.presses_on(4711, "forged")
    updates = await bot.get_updates()
    query = updates[-1].callback_query
    assert query is not None and query.message is not None
    assert (query.data, query.message.is_accessible) == ("forged", False)


async def test_an_unknown_method_and_a_wrong_token_are_named(api: BotApi, bot: Bot) -> None:
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("danceAround")
    with pytest.raises(InvalidToken, match="Unauthorized"):
        await Bot("2000:wrong", request=InProcessRequest(api)).get_me()


async def test_a_planned_429_asks_to_wait_once_and_only_in_its_chat(
    api: BotApi, bot: Bot, maria: Person
) -> None:
    rosa = api.person("Rosa")
    rosa.starts()
    api.faults.too_many_requests("sendMessage", 7, chat_id=maria.id)
    await bot.send_message(rosa.id, "hi")
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(maria.id, "hi")
    assert refused.value.retry_after == timedelta(seconds=7)
    await bot.send_message(maria.id, "hi")


@pytest.mark.parametrize(
    ("trouble", "error", "delivered"),
    [(ConnectionLost(), NetworkError, 0), (AnswerLost(), TimedOut, 1)],
)
async def test_a_lost_call_does_nothing_and_a_lost_answer_is_delivered(
    api: BotApi,
    bot: Bot,
    maria: Person,
    trouble: Exception,
    error: type[TelegramError],
    delivered: int,
) -> None:
    api.faults.plan("sendMessage", trouble)
    with pytest.raises(error):
        await bot.send_message(maria.id, "hi")
    assert len(bot_entries(maria)) == delivered


async def test_a_server_error_is_a_network_error(api: BotApi, bot: Bot, maria: Person) -> None:
    api.faults.server_error("sendMessage")
    with pytest.raises(NetworkError, match="Internal Server Error"):
        await bot.send_message(maria.id, "hi")


async def test_a_document_arrives_and_can_be_downloaded(bot: Bot, maria: Person) -> None:
    sent = await bot.send_document(maria.id, b"{}", filename="mydata.json", caption="Yours")
    entry = bot_entries(maria)[-1]
    assert (entry.text, entry.document, entry.content) == ("Yours", "mydata.json", b"{}")
    assert sent.document is not None
    again = await bot.send_document(maria.id, sent.document.file_id)
    assert again.document is not None and again.document.file_name == "mydata.json"


async def test_a_voice_message_can_be_fetched(bot: Bot, maria: Person) -> None:
    maria.sends_voice(content=b"OggS and more")
    (update,) = (await bot.get_updates())[-1:]
    assert update.message is not None and update.message.voice is not None
    file = await update.message.voice.get_file()
    assert bytes(await file.download_as_bytearray()) == b"OggS and more"


async def test_every_kind_of_content_parses_in_ptb(bot: Bot, maria: Person) -> None:
    maria.sends_photo("look")
    maria.sends_album(2, "both")
    maria.sends_sticker()
    maria.sends_contact()
    maria.sends_location(1.5, 2.5)
    maria.sends_poll()
    maria.sends_forward("not mine")
    maria.sends_document("a.txt", b"text")
    first = maria.says("/start now")[0]
    maria.edits(first, "changed")
    updates = (await bot.get_updates())[1:]
    messages = [m for u in updates if isinstance(m := u.message, Message)]
    assert messages[0].photo and messages[0].caption == "look"
    assert messages[1].media_group_id == messages[2].media_group_id
    assert messages[3].sticker and messages[4].contact and messages[5].location
    assert messages[6].poll and messages[7].forward_origin and messages[8].document
    assert messages[9].entities[0].type == "bot_command"
    assert updates[-1].edited_message and updates[-1].edited_message.text == "changed"


async def test_long_typing_arrives_in_pieces(bot: Bot, maria: Person) -> None:
    maria.says("word " * 2000)
    updates = (await bot.get_updates())[1:]
    assert [len(u.message.text) for u in updates if u.message and u.message.text] == [
        4094,
        4094,
        1809,
    ]


async def test_an_offset_confirms_and_the_same_update_can_come_twice(
    api: BotApi, bot: Bot, maria: Person
) -> None:
    (start,) = await bot.get_updates()
    maria.says("hello")
    (hello,) = await bot.get_updates(offset=start.update_id + 1)
    assert await bot.get_updates(offset=hello.update_id + 1) == ()
    await api.updates.confirmed()
    api.updates.repeat_last()
    (again,) = await bot.get_updates(offset=hello.update_id + 1)
    assert again.update_id == hello.update_id == start.update_id + 1


async def test_a_long_poll_wakes_at_once(bot: Bot, api: BotApi, maria: Person) -> None:
    (start,) = await bot.get_updates()
    poll = asyncio.create_task(bot.get_updates(offset=start.update_id + 1, timeout=30))
    await asyncio.sleep(0.02)
    assert not poll.done()
    maria.says("hello")
    async with asyncio.timeout(0.5):
        assert [u.message.text for u in await poll if u.message] == ["hello"]


async def test_a_second_poller_ends_the_first(bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.02)
    assert await bot.get_updates(timeout=0) == ()
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await poll


async def test_polling_is_refused_while_a_webhook_is_set(bot: Bot, maria: Person) -> None:
    await bot.set_webhook("https://example.org/hook")
    with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    assert (await bot.get_webhook_info()).pending_update_count == 1
    await bot.delete_webhook()
    assert len(await bot.get_updates()) == 1


async def test_a_press_waits_150_seconds_in_the_queue(
    api: BotApi, bot: Bot, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    maria.presses_on(1, "late")
    now = api.now()
    monkeypatch.setattr(api.updates, "_now", lambda: now + 151)
    assert [u.callback_query for u in await bot.get_updates()] == [None]


async def test_unwanted_kinds_are_not_queued(bot: Bot, maria: Person) -> None:
    await bot.get_updates(allowed_updates=["message"])
    maria.presses_on(1, "press")
    maria.says("hello")
    updates = await bot.get_updates()
    assert [bool(u.message) for u in updates] == [True, True]


async def test_the_bots_profile_is_kept_per_language(bot: Bot) -> None:
    await bot.set_my_commands([("start", "Begin")])
    await bot.set_my_commands([("start", "Empezar")], language_code="es")
    assert (await bot.get_my_commands())[0].description == "Begin"
    assert (await bot.get_my_commands(language_code="es"))[0].description == "Empezar"
    await bot.set_my_name("Coach", language_code="es")
    await bot.set_my_description("Hello")
    await bot.set_my_short_description("Hi")
    assert (await bot.get_my_name("es")).name == "Coach"
    assert (await bot.get_my_description("es")).description == "Hello"
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([("No Good", "x")])


async def test_a_group_shows_the_bot_only_what_is_meant_for_it(api: BotApi, bot: Bot) -> None:
    hill, rosa = api.group("Hill"), api.person("Rosa")
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_message(hill.id, "hi")
    hill.add_bot(rosa)
    sent = await bot.send_message(hill.id, "hi")
    rosa.says("just talking", group=hill)
    rosa.says("/practice@story_coach_bot", group=hill)
    rosa.says("/practice@other_bot", group=hill)
    rosa.says("an answer", group=hill, reply_to=sent.message_id)
    texts = [u.message.text for u in await bot.get_updates() if u.message]
    assert texts == ["/practice@story_coach_bot", "an answer"]
    assert (await bot.get_chat_member(hill.id, rosa.id)).status == "creator"
    moved = hill.moves()
    with pytest.raises(ChatMigrated) as migrated:
        await bot.send_message(hill.id, "hi")
    assert migrated.value.new_chat_id == moved.id
    await bot.leave_chat(moved.id)
    with pytest.raises(Forbidden):
        await bot.send_message(moved.id, "hi")


async def test_updates_survive_ptbs_own_round_trip(bot: Bot, maria: Person) -> None:
    (update,) = await bot.get_updates()
    assert Update.de_json(update.to_dict(), bot) == update


async def test_a_group_has_administrators_anonymous_ones_and_channels(
    api: BotApi, bot: Bot, maria: Person
) -> None:
    hill, ben = api.group("Hill"), api.person("Ben")
    hill.add_bot(maria)
    hill.join(ben)
    assert [a.user.id for a in await bot.get_chat_administrators(hill.id)] == [maria.id]
    await bot.get_updates(offset=-1)
    hill.says_as_group("/help")
    hill.says_as_channel("/help")
    ben.says("/help", group=hill, topic=7)
    anonymous, channel, named = [u.message for u in await bot.get_updates() if u.message][-3:]
    assert anonymous is not None and anonymous.sender_chat is not None
    assert anonymous.sender_chat.id == hill.id
    assert channel is not None and channel.sender_chat is not None
    assert channel.sender_chat.type == "channel"
    assert named is not None and (named.message_thread_id, named.is_topic_message) == (7, True)


async def test_a_bot_that_leaves_is_told_so_and_may_not_write(
    api: BotApi, bot: Bot, maria: Person
) -> None:
    hill = api.group("Hill")
    hill.add_bot(maria)
    hill.restrict_bot(maria)
    await bot.leave_chat(hill.id)
    *_, restricted, left = await bot.get_updates()
    assert restricted.my_chat_member is not None and left.my_chat_member is not None
    assert restricted.my_chat_member.new_chat_member.status == "restricted"
    assert left.my_chat_member.new_chat_member.status == "left"
    with pytest.raises(Forbidden):
        await bot.send_message(hill.id, "still here")


async def test_the_menu_button_is_what_it_was_set_to(bot: Bot) -> None:
    assert (await bot.get_chat_menu_button()).type == "default"
    await bot.set_chat_menu_button(menu_button=MenuButtonCommands())
    assert (await bot.get_chat_menu_button()).type == "commands"

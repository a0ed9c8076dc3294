"""In groups the bot is quiet: it introduces itself once, answers when addressed, keeps no word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.console.botapi import AnswerLost
from bot.console.chats import Entry
from bot.console.people import Group as Hall
from bot.console.people import Person, buttons_of
from bot.core.turn import Line
from bot.telegram.updates import kept
from bot.usecases.ports import Group
from tests.fakes import catalogue
from tests.telegram.stage import Stage, eventually, on_disk, running

ME = "story_coach_bot"
STORY = "the night of the flood i carried the quetzal down the stairs"


def words(key: str, language: str = "en") -> str:
    """What a message says."""
    return catalogue().text(Line(key), language)


@dataclass
class Square:
    """A group with the bot in it, and two people: ana made it, ben is a member."""

    stage: Stage
    hall: Hall
    ana: Person
    ben: Person
    seen: int = 0

    async def hears(self) -> list[str]:
        """What the bot has written there since this was last asked."""
        await self.stage.settled()
        return [e.text for e in self.entries()]

    def entries(self) -> list[Entry]:
        shown = [e for e in self.stage.api.transcript(self.hall) if e.who == "bot"]
        fresh = [e for e in shown if e.message_id > self.seen]
        self.seen = max((e.message_id for e in shown), default=0)
        return fresh

    async def says(self, text: str, by: Person | None = None, **more: int) -> list[str]:
        """Write in the group; what the bot answers there."""
        (by or self.ben).says(text, group=self.hall, **more)
        return await self.hears()

    def last_of_the_bot(self) -> int:
        shown = [e for e in self.stage.api.transcript(self.hall) if e.who == "bot"]
        return shown[-1].message_id

    async def known(self) -> Group:
        """The group as the database has it."""
        async with self.stage.store.work() as work:
            group = await work.groups.by_chat(self.hall.id)
        assert group is not None
        return group

    async def paused(self) -> str | None:
        """Why nothing is sent there, if nothing is."""
        async with self.stage.store.work() as work:
            return (await work.recipients.paused()).get(self.hall.id)


@pytest.fixture
async def square(stage: Stage) -> AsyncIterator[Square]:
    ana, ben = stage.person("Ana"), stage.person("Ben")
    hall = stage.api.group("Hall")
    square = Square(stage, hall, ana, ben)
    hall.add_bot(ana)
    hall.join(ben)
    assert await square.hears() == [words("group.introduction")]
    stage.clock.passes(minutes=5)
    yield square


# -- coming and going ---------------------------------------------------------------------------


async def test_it_introduces_itself_once_and_keeps_quiet_when_made_an_admin(
    square: Square,
) -> None:
    square.hall.promote_bot(square.ana)
    square.hall.restrict_bot(square.ana)
    square.hall.promote_bot(square.ana)
    assert await square.hears() == []
    group = await square.known()
    assert (group.title, group.standing) == ("Hall", "administrator")
    assert (group.added_by, group.language) == (square.ana.id, "en")


async def test_added_and_started_by_one_link_it_speaks_once(stage: Stage) -> None:
    """?startgroup= adds the bot and sends /start@bot: one introduction, whichever comes first."""
    ana = stage.person("Ana")
    hall = stage.api.group("Hall")
    square = Square(stage, hall, ana, ana)
    hall.add_bot(ana)
    assert await square.says(f"/start@{ME} x_1") == [words("group.introduction")]
    other = Square(stage, stage.api.group("Yard"), ana, ana)
    other.hall.chat.gone, other.hall.chat.started = None, True
    assert await other.says(f"/start@{ME} x_1") == [words("group.introduction")]
    other.hall.add_bot(ana)
    assert await other.hears() == []


async def test_it_speaks_the_language_of_whoever_added_it(stage: Stage) -> None:
    eva = stage.person("Eva", "es")
    square = Square(stage, stage.api.group("Sala"), eva, eva)
    square.hall.add_bot(eva)
    assert await square.hears() == [words("group.introduction", "es")]
    odd = stage.person("Odd", "nb")
    other = Square(stage, stage.api.group("Stua"), odd, odd)
    other.hall.add_bot(odd)
    assert await other.hears() == [words("group.introduction", "en")]


async def test_put_out_it_is_left_and_brought_back_soon_it_says_nothing(square: Square) -> None:
    square.hall.remove_bot(square.ana)
    assert await square.hears() == []
    assert ((await square.known()).standing, await square.paused()) == ("left", "kicked")
    square.stage.clock.passes(days=2)
    square.hall.add_bot(square.ben)
    assert await square.hears() == []
    group = await square.known()
    assert (group.standing, group.added_by) == ("member", square.ben.id)
    assert await square.paused() is None


async def test_brought_back_after_a_long_absence_it_introduces_itself_again(
    square: Square,
) -> None:
    square.hall.remove_bot(square.ana)
    await square.hears()
    before = await square.known()
    square.stage.clock.passes(days=40)
    square.hall.add_bot(square.ana)
    assert await square.hears() == [words("group.introduction")]
    assert (await square.known()).id == before.id


async def test_without_the_right_to_write_it_waits_until_it_may(square: Square) -> None:
    square.hall.restrict_bot(square.ana)
    await square.hears()
    assert ((await square.known()).standing, await square.paused()) == ("restricted", "no_rights")
    square.hall.promote_bot(square.ana)
    assert await square.hears() == []
    assert await square.paused() is None


async def test_an_admin_sends_it_away_with_one_kind_sentence(square: Square) -> None:
    assert await square.says(f"/leave@{ME}", square.ana) == [words("group.leaving")]
    assert square.hall.chat.gone is not None
    await square.stage.settled()  # Telegram tells the bot that it has left.
    assert ((await square.known()).standing, await square.paused()) == ("left", "kicked")
    assert (await square.stage.counts())["waiting"] == 0


async def test_a_crash_while_leaving_ends_in_having_left_and_one_goodbye(square: Square) -> None:
    square.stage.api.faults.server_error("leaveChat")
    assert await square.says(f"/leave@{ME}", square.ana) == [words("group.leaving")]
    assert square.hall.chat.gone is not None


async def test_a_member_and_a_channel_cannot_send_it_away_an_anonymous_admin_can(
    square: Square,
) -> None:
    assert await square.says(f"/leave@{ME}") == [words("group.leave.not_yours")]
    square.hall.says_as_channel(f"/leave@{ME}")
    assert await square.hears() == [words("group.as_channel")]
    assert square.hall.chat.gone is None
    square.hall.says_as_group(f"/leave@{ME}")
    assert await square.hears() == [words("group.leaving")]
    assert square.hall.chat.gone is not None


async def test_when_admins_cannot_be_known_nobody_is_believed(square: Square) -> None:
    square.stage.api.faults.server_error("getChatAdministrators")
    assert await square.says(f"/leave@{ME}", square.ana) == [words("group.unsure")]
    assert square.hall.chat.gone is None


async def test_a_group_that_becomes_a_supergroup_is_the_same_group(square: Square) -> None:
    before = await square.known()
    moved = square.hall.moves()
    await square.stage.settled()
    square.hall = moved
    group = await square.known()
    assert (group.id, group.chat_id) == (before.id, moved.id)
    assert await square.says(f"/help@{ME}") == [words("group.help")]
    async with square.stage.store.work() as work:
        assert len(await work.groups.all()) == 1


# -- what it answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["start", "help", "practice"])
async def test_a_command_gets_one_line_and_the_way_into_private_chat(
    square: Square, command: str
) -> None:
    key = "introduction" if command == "start" else command
    square.ben.says(f"/{command}@{ME}", group=square.hall)
    await square.stage.settled()
    (answer,) = square.entries()
    assert answer.text == words(f"group.{key}")
    (button,) = buttons_of(square.hall.chat.messages[answer.message_id])
    group = await square.known()
    assert button["url"] == f"https://t.me/{ME}?start=g_{group.id}"
    payload = f"g_{group.id}"
    assert len(payload) <= 64 and payload.replace("_", "").replace("-", "").isalnum()


async def test_the_link_opens_the_private_conversation(square: Square) -> None:
    answers = square.ben.starts(f"g_{(await square.known()).id}")
    await square.stage.settled()
    assert answers
    assert [e.text for e in square.stage.entries(square.ben)] == [words("arriving.welcome")]


async def test_with_privacy_mode_on_everything_still_works(square: Square) -> None:
    """The bot is sent commands and replies only; nothing more is needed."""
    assert await square.says("good evening, everybody") == []
    assert await square.says("/practice") == [words("group.practice")]
    assert await square.says(STORY, reply_to=square.last_of_the_bot()) == [words("group.private")]


async def test_story_words_in_a_group_never_reach_the_disk_or_a_story(tmp_path: Path) -> None:
    async with running(tmp_path) as stage:
        ana = stage.person("Ana")
        await stage.tells(ana, "a line of my own")
        square = Square(stage, stage.api.group("Hall"), ana, ana)
        square.hall.add_bot(ana, admin=True)
        await square.hears()
        assert await square.says(STORY) == []
        (message,) = ana.says(f"{STORY} again", group=square.hall)
        ana.edits(message, f"{STORY} once more", group=square.hall)
        assert await square.hears() == []
        assert await square.says(STORY, reply_to=square.last_of_the_bot()) == [
            words("group.private")
        ]
        assert await square.says(f"/practice@{ME} {STORY}") == [words("group.practice")]
        assert await stage.typed(ana) == "a line of my own"
        shown = [e.text for e in stage.api.transcript(square.hall) if e.who == "bot"]
        assert not any("quetzal" in text or "line of my own" in text for text in shown)
    held = on_disk(tmp_path)
    assert b"line of my own" in held and b"quetzal" not in held


async def test_an_admin_bot_reads_nothing_along(square: Square) -> None:
    square.hall.promote_bot(square.ana)
    await square.hears()
    for text in ("hello", "what do you think, coach?", "/dance", f"/help@other_{ME}", f"@{ME} hi"):
        assert await square.says(text) == [], text
    assert square.stage.api.calls.count("sendMessage") == 1


async def test_a_reply_to_the_bot_is_answered_once_while_somebody_goes_on(square: Square) -> None:
    mine = square.last_of_the_bot()
    for text in (STORY, "and then", "and then"):
        square.ben.says(text, group=square.hall, reply_to=mine)
    assert await square.hears() == [words("group.private")]
    assert await square.says(STORY, square.ana, reply_to=mine) == [words("group.private")]
    square.stage.clock.passes(minutes=1)
    assert await square.says("later", reply_to=mine) == [words("group.private")]


async def test_a_reply_with_a_picture_is_a_reply(square: Square) -> None:
    message = {
        "message_id": 9000,
        "date": 0,
        "chat": square.hall.chat.payload(),
        "from": square.ben.payload(),
        "photo": [{"file_id": "x", "file_unique_id": "y", "width": 1, "height": 1}],
        "caption": STORY,
        "reply_to_message": {"message_id": 1, "date": 0, "from": square.stage.api.bot},
    }
    square.stage.api.updates.put("message", message)
    assert await square.hears() == [words("group.private")]


async def test_replies_to_others_and_to_other_bots_are_none_of_its_business(
    square: Square,
) -> None:
    (other,) = square.ana.says("who brings the tables?", group=square.hall)
    assert await square.says("i do", reply_to=other) == []
    stranger = {"message_id": 1, "date": 0, "from": {"id": 5, "is_bot": True, "first_name": "B"}}
    message = {"message_id": 9000, "date": 0, "chat": square.hall.chat.payload()}
    message |= {"from": square.ben.payload(), "text": "thanks", "reply_to_message": stranger}
    square.stage.api.updates.put("message", message)
    assert await square.hears() == []


@pytest.mark.parametrize("command", ["mydata", "forget", "withdraw", f"dance@{ME}"])
async def test_what_belongs_in_private_chat_is_sent_there(square: Square, command: str) -> None:
    assert await square.says(f"/{command}") == [words("group.private")]


async def test_in_a_topic_it_answers_in_that_topic(square: Square) -> None:
    square.ben.says(f"/help@{ME}", group=square.hall, topic=77)
    await square.stage.settled()
    (answer,) = square.entries()
    assert square.hall.chat.messages[answer.message_id].topic == 77


async def test_edits_and_service_messages_cause_nothing(square: Square) -> None:
    (message,) = square.ben.says(f"/help@{ME}", group=square.hall)
    await square.hears()
    square.ben.edits(message, f"/practice@{ME}", group=square.hall)
    square.hall.renames("The old hall")
    assert await square.hears() == []
    await square.says(f"/help@{ME}")
    assert (await square.known()).title == "The old hall"


async def test_a_channel_post_and_another_bots_command_are_let_be(square: Square) -> None:
    message = {"message_id": 9000, "date": 0, "chat": square.hall.chat.payload()}
    message |= {"text": f"/help@{ME}", "entities": [{"type": "bot_command", "offset": 0}]}
    robot = {"id": 5, "is_bot": True, "first_name": "B"}
    square.stage.api.updates.put("message", message | {"from": robot})
    forwarded = {"sender_chat": {"id": -5, "type": "channel"}, "is_automatic_forward": True}
    square.stage.api.updates.put("message", message | forwarded)
    assert await square.hears() == []


# -- its language there -------------------------------------------------------------------------


async def test_an_admin_or_who_added_it_changes_its_language(square: Square) -> None:
    assert await square.says(f"/language@{ME}") == [words("group.language.ask")]
    square.ben.presses("Español", group=square.hall)
    await square.stage.settled()
    await eventually(lambda: square.ben.toasts == [words("group.language.not_yours")])
    assert (await square.known()).language == "en"
    square.ana.presses("Español", group=square.hall)
    assert await square.hears() == []
    changed = words("group.language.set", "es"), ()
    await eventually(lambda: shown_last(square) == changed)
    assert await square.says(f"/practice@{ME}") == [words("group.practice", "es")]
    assert square.stage.api.queries == {}


def shown_last(square: Square) -> tuple[str, tuple[tuple[str, ...], ...]]:
    entry = square.stage.api.transcript(square.hall)[-1]
    return entry.text, entry.buttons


async def test_a_language_may_follow_the_command(square: Square) -> None:
    assert await square.says(f"/language@{ME} es") == [words("group.language.not_yours")]
    assert await square.says(f"/language@{ME} es", square.ana) == [
        words("group.language.set", "es")
    ]
    square.hall.says_as_group(f"/language@{ME} en")
    assert await square.hears() == [words("group.language.set", "en")]
    assert await square.says(f"/language@{ME} klingon", square.ana) == [words("group.language.ask")]


@pytest.mark.parametrize("data", ["", "0|speak:xx", "0|erase_everything", "speak:es", "é" * 30])
async def test_a_forged_press_in_a_group_changes_nothing_and_stops_spinning(
    square: Square, data: str
) -> None:
    square.ana.presses_on(square.last_of_the_bot(), data, group=square.hall)
    assert await square.hears() == []
    await eventually(lambda: square.stage.api.queries == {})
    assert (await square.known()).language == "en"


# -- one does not disturb another ---------------------------------------------------------------


async def test_private_chat_goes_on_beside_the_group(square: Square) -> None:
    await square.stage.tells(square.ben, "a line of my own")
    for _ in range(5):
        square.ana.says(f"/practice@{ME}", group=square.hall)
    assert await square.stage.says(square.ben, "and another")
    assert await square.hears() == [words("group.practice")] * 5


async def test_what_a_group_is_told_is_never_sent_twice(square: Square) -> None:
    """Not even when nobody knows whether it arrived."""
    square.stage.api.faults.plan("sendMessage", AnswerLost(), chat_id=square.hall.id)
    assert await square.says(f"/help@{ME}") == [words("group.help")]


async def test_only_what_concerns_the_bot_is_written_down(square: Square) -> None:
    """Nothing of a group message is kept but who, where, and the command."""
    payload = {"id": square.ben.id, "is_bot": False, "first_name": "Ben", "last_name": "Quetzal"}
    message = {
        "message_id": 5, "date": 1, "from": payload, "chat": square.hall.chat.payload(),
        "text": f"/practice@{ME} {STORY}", "quote": {"text": STORY},
        "entities": [{"type": "bot_command", "offset": 0, "length": 25}],
        "reply_to_message": {"text": STORY, "from": payload},
    }  # fmt: skip
    shown = json.dumps(kept({"update_id": 1, "message": message}))
    assert "quetzal" not in shown.casefold() and "/practice" in shown
    assert kept({"update_id": 2, "edited_message": message}) == {"update_id": 2}
    assert kept({"update_id": 3, "message": message | {"text": STORY}}) == {"update_id": 3}

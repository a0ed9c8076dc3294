"""A story goes back to the group its prompt came from: once, as shown, by its teller's tap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.console.people import Person
from bot.core.care import SpanKind
from bot.core.consent import Purpose
from bot.core.turn import Line
from tests.fakes import catalogue
from tests.telegram.test_practising import (
    JOIN,
    PRIVATE,
    Practice,
    finished,
    practising,
    to_the_end,
    with_story,
)

STORY = "My hand went up, shaking, before I knew it."
SHOW = {"en": "Show it to my group", "es": "Mostrarla a mi grupo"}
NAMELESS = {"en": "No name", "es": "Sin nombre"}
POST = {"en": "Post exactly this", "es": "Publicar exactamente esto"}


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with practising(tmp_path) as made:
        yield made


def in_hall(practice: Practice) -> list[str]:
    return [e.text for e in practice.stage.api.transcript(practice.hall) if e.who == "bot"]


async def shown(practice: Practice, language: str = "en") -> tuple[Person, str]:
    """Somebody before the last tap, and exactly what they were shown."""
    ana = practice.stage.person("Ana", language)
    await finished(practice, ana, language)
    said = await practice.presses(ana, PRIVATE[language], SHOW[language], NAMELESS[language])
    return ana, said[-2]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_the_group_gets_exactly_what_was_shown_and_only_after_the_tap(
    practice: Practice, language: str
) -> None:
    before = in_hall(practice)
    ana, look = await shown(practice, language)
    assert STORY in look and in_hall(practice) == before
    await practice.presses(ana, POST[language])
    assert in_hall(practice) == [*before, look]
    folder = await practice.stage.folder(ana)
    assert folder is not None and folder.story is not None
    (release,) = folder.story.releases
    assert release.purposes == {Purpose.GROUP_POST} and release.text == STORY
    assert not release.is_live(practice.stage.clock.now())
    assert SHOW[language] not in practice.offered


async def test_a_name_stands_under_it_as_it_was_typed(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await finished(practice, ana, "en")
    await practice.presses(ana, PRIVATE["en"], SHOW["en"], "First name")
    said = await practice.says(ana, "Anita")
    assert said[-2].endswith(f"{STORY}\n\nAnita")
    await practice.presses(ana, POST["en"])
    assert in_hall(practice)[-1] == said[-2]


async def test_no_typed_word_posts(practice: Practice) -> None:
    ana, _ = await shown(practice)
    before = in_hall(practice)
    for words in ("yes", "Post exactly this"):
        await practice.says(ana, words)
    assert in_hall(practice) == before


async def test_an_edit_before_the_tap_posts_nothing_old_or_new(practice: Practice) -> None:
    ana, _ = await shown(practice)
    before = in_hall(practice)
    chat = practice.stage.api.transcript(ana)
    looked = ana.chat.messages[chat[-1].message_id]
    data = str(looked.rows()[0][0]["callback_data"])
    (told,) = (e for e in chat if e.text == STORY)
    ana.edits(told.message_id, "My hand stayed down.")
    await practice.stage.settled()
    ana.presses_on(looked.id, data)
    await practice.stage.settled()
    assert await practice.stage.typed(ana) == "My hand stayed down."
    assert in_hall(practice) == before
    folder = await practice.stage.folder(ana)
    assert folder is not None and folder.story is not None and not folder.story.releases


async def test_it_is_posted_once(practice: Practice) -> None:
    ana, _ = await shown(practice)
    await practice.presses(ana, POST["en"])
    posts = in_hall(practice)
    await practice.says(ana, "read it back")
    for text in ("it's right", "Rosa", "skip"):
        await practice.says(ana, text)
    await practice.presses(ana, PRIVATE["en"])
    assert SHOW["en"] not in practice.offered and in_hall(practice) == posts


async def test_other_people_in_it_are_decided_about_first(practice: Practice) -> None:
    practice.stage.screener.passages.append((SpanKind.PHONE, "555 0199"))
    ana = practice.stage.person("Ana")
    await practice.taps(ana, await practice.posts())
    await practice.presses(ana, *JOIN["en"])
    await practice.says(ana, "I rang 555 0199 and she came.")
    for text in ("that's it", "read it back", "it's right", "skip", "skip"):
        await practice.says(ana, text)
    await practice.presses(ana, "Take it out", PRIVATE["en"])
    said = await practice.presses(ana, SHOW["en"], NAMELESS["en"])
    assert "555" not in said[-2] and "I rang and she came." in said[-2]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_group_that_is_gone_is_said_in_words(practice: Practice, language: str) -> None:
    ana, _ = await shown(practice, language)
    async with practice.stage.store.work() as work:
        await work.recipients.pause(practice.hall.id, "kicked", practice.stage.clock.now())
        await work.commit()
    before = in_hall(practice)
    said = await practice.presses(ana, POST[language])
    gone = {"en": "I'm no longer in your group", "es": "Ya no estoy en tu grupo"}
    assert said[0].startswith(gone[language])
    folder = await practice.stage.folder(ana)
    assert folder is not None and folder.story is not None
    assert in_hall(practice) == before and not folder.story.releases


async def test_without_the_right_to_write_nothing_is_asked_further(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await finished(practice, ana, "en")
    async with practice.stage.store.work() as work:
        await work.recipients.pause(practice.hall.id, "no_rights", practice.stage.clock.now())
        await work.commit()
    said = await practice.presses(ana, PRIVATE["en"], SHOW["en"])
    assert said[0].startswith("I'm not allowed to write in Hall now")


async def test_more_than_two_minutes_stays_here_until_it_is_shorter(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await practice.taps(ana, await practice.posts())
    await practice.presses(ana, *JOIN["en"])
    await practice.says(ana, "and then we walked on " * 80)
    await to_the_end(practice, ana, "en")
    said = await practice.presses(ana, PRIVATE["en"], SHOW["en"])
    assert said[0].startswith("Aloud it takes more than two minutes")


async def test_a_story_from_no_group_is_offered_no_group(practice: Practice) -> None:
    ana = await with_story(practice, "en")
    await to_the_end(practice, ana, "en")
    await practice.presses(ana, PRIVATE["en"])
    assert SHOW["en"] not in practice.offered


TAKE_BACK = {"en": ("/withdraw", "Withdraw it now"), "es": ("/withdraw", "Retirarla ya")}
ERASE = {"en": ("/forget", "Erase everything"), "es": ("/forget", "Borrar todo")}


def told_there(practice: Practice, person: Person) -> list[str]:
    return [e.text for e in practice.stage.api.transcript(person) if e.who == "bot"]


@pytest.mark.parametrize("how", [TAKE_BACK, ERASE])
@pytest.mark.parametrize("language", ["en", "es"])
async def test_taking_the_story_back_deletes_it_in_the_group(
    practice: Practice, language: str, how: dict[str, tuple[str, str]]
) -> None:
    ana, look = await shown(practice, language)
    before = in_hall(practice)
    await practice.presses(ana, POST[language])
    assert look in in_hall(practice)
    command, button = how[language]
    await practice.says(ana, command)
    await practice.presses(ana, button)
    assert in_hall(practice) == before
    assert told_there(practice, ana)[-1] == catalogue().text(Line("sharing.taken_down"), language)


@pytest.mark.parametrize("why", ["old", "removed", "deleted"])
async def test_what_telegram_keeps_is_said_and_what_is_gone_is_gone(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    ana, look = await shown(practice)
    await practice.presses(ana, POST["en"])
    api, hall = practice.stage.api, practice.hall
    (post,) = (e for e in api.transcript(hall) if e.text == look)
    if why == "old":
        now = api.now() + 49 * 3600
        monkeypatch.setattr(api, "now", lambda: now)
    elif why == "removed":
        hall.remove_bot(practice.stage.person("Marta"))
        await practice.stage.settled()
    else:
        api.remove(hall.chat, hall.chat.messages[post.message_id])
    await practice.says(ana, "/withdraw")
    await practice.presses(ana, "Withdraw it now")
    key = "sharing.taken_down" if why == "deleted" else "sharing.stays"
    assert catalogue().text(Line(key), "en") in told_there(practice, ana)[-2:]
    assert (look in in_hall(practice)) == (why != "deleted")


async def test_an_edited_story_keeps_its_post_and_another_story_is_left_alone(
    practice: Practice,
) -> None:
    ana, look = await shown(practice)
    await practice.presses(ana, POST["en"])
    await practice.says(ana, "/new")
    await practice.says(ana, "/withdraw")
    assert look in in_hall(practice)

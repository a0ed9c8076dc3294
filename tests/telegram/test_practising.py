"""Residents come by a prompt's button: new, with a story, in danger, or with a worn-out link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path

import pytest

from bot.console.people import Group as Hall
from bot.console.people import Person
from bot.core.care import Safety
from bot.core.movement import Movement
from bot.core.narrative import StoryOf
from bot.core.practice import Aim, Delivery, PracticePrompt, Schedule
from bot.core.schedule import NOW_SLOT, Repeat, Rule
from bot.words.practice import load_library
from tests.fakes import catalogue
from tests.telegram.stage import Stage, buttons, running

HAND_UP = "self-hand-up"
JOIN = {
    "en": ("Yes, in English", "18 or older", "Yes, begin"),
    "es": ("Sí, en español", "18 años o más", "Sí, empecemos"),
}


@dataclass
class Practice:
    """A group on stage; `posts` puts a prompt in it."""

    stage: Stage
    hall: Hall
    group_id: str
    library: dict[str, PracticePrompt]
    offered: list[str] = field(default_factory=list)

    async def posts(self, prompt_id: str = HAND_UP, number: int = 1) -> str:
        """What the button under a prompt in the group carries."""
        now = self.stage.clock.now()
        rule = Rule(Repeat.ONCE, date(2026, 11, 24), time(18))
        aim = Aim(frozenset({self.group_id}))
        plan = Schedule(
            f"plan-{number}", (prompt_id,), aim, rule, None, now, now, ended_at=now,
            ended_because="ended",
        )  # fmt: skip
        token = f"p_{number:022}"
        made = Delivery(
            f"delivery-{number}", plan.id, NOW_SLOT, self.group_id, prompt_id, "en", token, now, now
        )
        async with self.stage.store.work() as work:
            await work.practice.save_schedule(plan)
            await work.practice.claim([made], {made.id})
            await work.commit()
        return token

    def words(self, language: str, prompt_id: str = HAND_UP) -> str:
        """A prompt's own words."""
        return self.library[prompt_id].text(language)

    async def taps(self, person: Person, token: str) -> list[str]:
        """The button opens the private chat; what the coach says."""
        person.starts(token)
        return await self._answers(person)

    async def presses(self, person: Person, *labels: str) -> list[str]:
        """Press buttons one after another; what is said after the last."""
        said: list[str] = []
        for label in labels:
            person.presses(label)
            said = await self._answers(person)
        return said

    async def says(self, person: Person, text: str) -> list[str]:
        """Type a message; what the coach says."""
        person.says(text)
        return await self._answers(person)

    async def _answers(self, person: Person) -> list[str]:
        await self.stage.settled()
        entries = self.stage.entries(person)
        self.offered = buttons(entries)
        return [e.text for e in entries]


@asynccontextmanager
async def practising(home: Path) -> AsyncIterator[Practice]:
    async with running(home, with_desk=True) as stage:
        marta = stage.person("Marta")
        hall = stage.api.group("Hall")
        hall.add_bot(marta)
        await stage.settled()
        async with stage.store.work() as work:
            (group,) = await work.groups.all()
        yield Practice(stage, hall, group.id, dict(load_library(catalogue().languages)))


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    async with practising(tmp_path) as made:
        yield made


@pytest.mark.parametrize("language", ["en", "es"])
async def test_somebody_new_says_yes_first_and_then_hears_the_prompt(
    practice: Practice, language: str
) -> None:
    ana = practice.stage.person("Ana", language)
    hello = await practice.taps(ana, await practice.posts())
    prompt = practice.words(language)
    assert prompt not in "\n".join(hello)
    folder = await practice.stage.folder(ana)
    assert folder is not None and folder.resident.participation is None
    begun = await practice.presses(ana, *JOIN[language])
    assert len(begun) == 1 and begun[0].startswith(f"“{prompt}”")
    await practice.says(ana, "My hand went up, shaking, before I knew it.")
    assert await practice.stage.typed(ana) == "My hand went up, shaking, before I knew it."


async def with_story(practice: Practice, language: str, ana: Person | None = None) -> Person:
    ana = ana or practice.stage.person("Ana", language)
    await practice.says(ana, "/start")
    await practice.presses(ana, *JOIN[language])
    skip = {"en": "Skip", "es": "Saltar"}[language]
    await practice.presses(ana, *[skip] * 3)
    await practice.says(ana, "The night the boiler died I knocked.")
    return ana


@pytest.mark.parametrize(
    ("language", "own"), [("en", "A story of its own"), ("es", "Una historia aparte")]
)
async def test_a_moment_of_its_own_leaves_the_earlier_story_as_it_was(
    practice: Practice, language: str, own: str
) -> None:
    ana = await with_story(practice, language)
    (asked,) = await practice.taps(ana, await practice.posts())
    assert asked.startswith(f"“{practice.words(language)}”")
    (begun,) = await practice.presses(ana, own)
    assert practice.words(language) in begun and "/mystories" in begun
    await practice.says(ana, "My hand went up.")
    folder = await practice.stage.folder(ana)
    assert folder is not None
    pieces = [story.parts[StoryOf.SELF].pieces for story in folder.stories]
    assert pieces == [["The night the boiler died I knocked."], ["My hand went up."]]


@pytest.mark.parametrize(("language", "later"), [("en", "Not now"), ("es", "Ahora no")])
async def test_who_would_rather_not_is_back_in_their_own_story(
    practice: Practice, language: str, later: str
) -> None:
    ana = await with_story(practice, language)
    await practice.taps(ana, await practice.posts())
    said = await practice.presses(ana, later)
    assert "The night the boiler died I knocked." in said[-1]
    await practice.says(ana, "She opened.")
    assert await practice.stage.typed(ana) == "The night the boiler died I knocked.\nShe opened."


async def test_an_example_shows_the_move_that_the_prompt_practises(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await practice.taps(ana, await practice.posts("self-opened-a-door"))
    await practice.presses(ana, *JOIN["en"])
    await practice.presses(ana, "Show me an example")
    folder = await practice.stage.folder(ana)
    assert folder is not None
    (shown,) = folder.shown_examples
    assert shown.endswith("self.hope")


@pytest.mark.parametrize("language", ["en", "es"])
async def test_in_danger_a_tap_brings_back_care_and_no_prompt(
    practice: Practice, language: str
) -> None:
    ana = await with_story(practice, language)
    danger = {"en": "I'm not safe at home tonight", "es": "No estoy a salvo en casa esta noche"}
    practice.stage.screener.danger[danger[language]] = Safety.CRISIS
    care = await practice.says(ana, danger[language])
    again = await practice.taps(ana, await practice.posts())
    assert practice.words(language) not in "\n".join(again)
    assert again and again[-1] == care[-1]


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("is_new", [True, False])
async def test_a_worn_out_button_is_said_kindly_and_they_may_begin_anyway(
    practice: Practice, language: str, is_new: bool
) -> None:
    ana = practice.stage.person("Ana", language)
    if not is_new:
        ana = await with_story(practice, language)
    said = await practice.taps(ana, "p_neverGivenOut0000000000")
    worn_out = {"en": "That question is no longer open", "es": "Esa pregunta ya no está abierta"}
    assert said[0].startswith(worn_out[language])
    assert len(said) == 2 and practice.offered


async def test_a_prompt_about_us_begins_in_our_story(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    prompt = next(p for p in practice.library.values() if p.stage is StoryOf.US)
    await practice.taps(ana, await practice.posts(prompt.id))
    await practice.presses(ana, *JOIN["en"])
    await practice.says(ana, "We stayed on the stairs.")
    assert await practice.stage.typed(ana, StoryOf.US) == "We stayed on the stairs."


@pytest.mark.parametrize("language", ["en", "es"])
async def test_told_retold_listened_and_led_reach_their_groups_results(
    practice: Practice, language: str
) -> None:
    ana = practice.stage.person("Ana", language)
    await finished(practice, ana, language)
    await practice.presses(ana, PRIVATE[language], AMONG[language][0])
    for button in AMONG[language][1:]:
        said = await practice.presses(ana, button)
        assert len(said) == 1
    async with practice.stage.store.work() as work:
        moved = await work.practice.movement()
    assert moved == {(practice.group_id, kind): 1 for kind in Movement}


async def test_saying_it_twice_counts_once(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await finished(practice, ana, "en")
    await practice.presses(ana, PRIVATE["en"], AMONG["en"][0])
    listened = "I listened to someone"
    await practice.presses(ana, listened, listened)
    async with practice.stage.store.work() as work:
        assert await work.practice.movement() == {(practice.group_id, Movement.LISTENED): 1}


async def test_who_came_from_no_group_is_thanked_and_counted_nowhere(practice: Practice) -> None:
    ana = practice.stage.person("Ana")
    await with_story(practice, "en", ana)
    await to_the_end(practice, ana, "en")
    await practice.presses(ana, PRIVATE["en"], AMONG["en"][0])
    (said,) = await practice.presses(ana, AMONG["en"][1])
    assert said.startswith("Told.")
    async with practice.stage.store.work() as work:
        assert not await work.practice.movement()


PRIVATE = {"en": "Keep it private", "es": "Guardarla para mí"}
AMONG = {
    "en": ("I told it, or listened", "I told it to someone", "I told it again",
           "I listened to someone", "I led a circle"),
    "es": ("La conté o escuché", "Se la conté a alguien", "La conté otra vez",
           "Escuché a alguien", "Guié un círculo"),
}  # fmt: skip
TO_THE_END = {
    "en": ("that's it", "read it back", "it's right", "Rosa", "skip"),
    "es": ("eso es todo", "léemela", "está bien así", "Rosa", "saltar"),
}


async def finished(practice: Practice, person: Person, language: str) -> None:
    """From a prompt's button to the question of release."""
    await practice.taps(person, await practice.posts())
    await practice.presses(person, *JOIN[language])
    await practice.says(person, "My hand went up, shaking, before I knew it.")
    await to_the_end(practice, person, language)


async def to_the_end(practice: Practice, person: Person, language: str) -> None:
    """From words typed to the question of release."""
    for text in TO_THE_END[language]:
        await practice.says(person, text)
    folder = await practice.stage.folder(person)
    assert folder is not None and folder.session.step == "release"

"""An organizer from invitation to results, over the in-process Bot API, with the real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.console.people import Group as Hall
from bot.console.people import Person
from bot.core.practice import Fate
from bot.usecases.people import CONSOLE, ORGANIZER, People
from tests.telegram.stage import Stage, running

SHORTLY = timedelta(days=1)


@dataclass
class Campaign:
    """Marta organizes; Hall is a group with three residents in it."""

    stage: Stage
    marta: Person
    hall: Hall
    residents: list[Person]

    async def invitation(self) -> str:
        people = People(self.stage.store, self.stage.clock, lambda: "A" * 24)
        return (await people.invite(CONSOLE, ORGANIZER, SHORTLY)).token

    async def press(self, *labels: str) -> list[str]:
        """Press several buttons, one after another; what is said after the last."""
        said: list[str] = []
        for label in labels:
            said = await self.stage.presses(self.marta, label)
        return said

    def in_hall(self) -> list[str]:
        shown = self.stage.api.transcript(self.hall)
        return [e.text for e in shown if e.who == "bot"]

    async def posted(self, count: int) -> None:
        """Wait until the group has that many posts of the bot."""
        async with asyncio.timeout(10):
            while len(self.in_hall()) < count:  # noqa: ASYNC110  # the API tells nobody of a post
                await asyncio.sleep(0.02)
        await self.stage.settled()

    async def fates(self) -> list[Fate]:
        async with self.stage.store.work() as work:
            return [o.fate for o in await work.practice.outcomes()]

    def token(self) -> str:
        """What the button under the last post opens."""
        last = [m for m in self.hall.chat.messages.values() if m.from_bot][-1]
        (button,) = last.rows()[-1]
        return str(button["url"]).partition("?start=")[2]


@pytest.fixture
async def campaign(tmp_path: Path) -> AsyncIterator[Campaign]:
    async with running(tmp_path, with_desk=True) as stage:
        marta = stage.person("Marta")
        residents = [stage.person(name) for name in ("Ana", "Ben", "Caro")]
        hall = stage.api.group("Hall")
        yield Campaign(stage, marta, hall, residents)


async def welcomed(campaign: Campaign) -> None:
    token = await campaign.invitation()
    said = await campaign.stage.says(campaign.marta, f"/start {token}")
    assert len(said) == 1 and said[0].startswith("Welcome.")
    await campaign.press("Let's begin")


async def with_group(campaign: Campaign) -> None:
    await welcomed(campaign)
    campaign.hall.add_bot(campaign.marta)
    for resident in campaign.residents:
        campaign.hall.join(resident)
    await campaign.stage.settled()


async def test_from_the_invitation_to_results(campaign: Campaign) -> None:
    stage = campaign.stage
    await with_group(campaign)
    await stage.says(campaign.marta, "/organize")
    said = await campaign.press("Push a prompt", "Building", "My story")
    shown = said[0]
    await campaign.press("Use this", "All my groups (1)")
    said = await campaign.press("Now")
    assert said[0] == "This is what the group will see:"
    assert "Hall" in said[-1]
    before = len(campaign.in_hall())
    said = await campaign.press("Post it now")
    assert said[0].startswith("It is on its way to 1.")
    await campaign.posted(before + 1)
    assert campaign.in_hall()[-1].split("\n")[0] in shown
    for resident in campaign.residents:
        resident.starts(campaign.token())
        await stage.settled()
        for button in ("Yes, in English", "18 or older", "Yes, begin"):
            said = await stage.presses(resident, button)
        assert "Tell it here" in said[-1]
        await stage.says(resident, "They asked for volunteers and my hand went up, shaking.")
        await stage.presses(resident, "That's it")
    said = await stage.says(campaign.marta, "/organize")
    said = await campaign.press("Results")
    assert "Posted: 1" in said[0]
    assert "Opened in private: fewer than five" in said[0]
    async with stage.store.work() as work:
        (outcome,) = await work.practice.outcomes()
    assert {step.value: n for step, n in outcome.people.items()} == {
        "opened": 3, "began": 3, "finished": 3, "released": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "This is for organizers."), ("es", "Esto es para quienes organizan")],
)
async def test_without_the_right_the_desk_is_closed_in_words(
    campaign: Campaign, language: str, words: str
) -> None:
    ana = campaign.stage.person("Dora", language)
    (said,) = await campaign.stage.says(ana, "/organize")
    assert said.startswith(words)


async def test_a_second_tap_on_post_it_now_posts_nothing_more(campaign: Campaign) -> None:
    await with_group(campaign)
    await campaign.stage.says(campaign.marta, "/organize")
    await campaign.press("Push a prompt", "Building", "My story", "Use this")
    await campaign.press("All my groups (1)", "Now")
    before = len(campaign.in_hall())
    marta = campaign.marta
    last = campaign.stage.api.transcript(marta)[-1].message_id
    go = str(marta.chat.messages[last].rows()[0][0]["callback_data"])
    for _ in range(2):
        marta.presses_on(last, go)
    await campaign.posted(before + 1)
    assert len(campaign.in_hall()) == before + 1
    assert len(await campaign.fates()) == 1

"""An organizer from invitation to results, over the in-process Bot API, with the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.telegram.campaign import Campaign, campaigning


@pytest.fixture
async def campaign(tmp_path: Path) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path) as campaign:
        yield campaign


async def test_from_the_invitation_to_results(campaign: Campaign) -> None:
    stage = campaign.stage
    await campaign.with_group()
    await stage.says(campaign.marta, "/organize")
    said = await campaign.press("Push a prompt", "Building", "My story")
    shown = said[0]
    await campaign.press("Use this")
    said = await campaign.press("Now")
    assert said[0] == "This is what the group will see:"
    assert "Hall" in said[-1]
    before = len(campaign.in_hall())
    said = await campaign.press("Post it now")
    assert said[0].startswith("It is on its way. Groups: 1.")
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
    await campaign.with_group()
    await campaign.stage.says(campaign.marta, "/organize")
    await campaign.press("Push a prompt", "Building", "My story", "Use this")
    await campaign.press("Now")
    before = len(campaign.in_hall())
    marta = campaign.marta
    last = campaign.stage.api.transcript(marta)[-1].message_id
    go = str(marta.chat.messages[last].rows()[0][0]["callback_data"])
    for _ in range(2):
        marta.presses_on(last, go)
    await campaign.posted(before + 1)
    assert len(campaign.in_hall()) == before + 1
    assert len(await campaign.fates()) == 1

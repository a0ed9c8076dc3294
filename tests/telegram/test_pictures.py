"""Results as a picture in the organizer's private chat: a photo, the same words under it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from bot.core.movement import Hidden
from bot.core.picture import Bar, Part, Sheet, Unit
from bot.core.turn import Choice, Line, Picture
from bot.telegram.render import CAPTION_LIMIT, units
from bot.usecases.desk.planning import SHOWN
from bot.usecases.outgoing import body_of, move_of
from tests.fakes import catalogue
from tests.telegram.campaign import Campaign, campaigning
from tests.telegram.sending import sending
from tests.telegram.stage import eventually


@pytest.fixture(params=["en", "es"])
async def campaign(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    async with campaigning(tmp_path, request.param) as campaign:
        yield campaign


async def looked_at(campaign: Campaign) -> str:
    """Hall had a prompt, three people opened it, and Marta looks at results; what she reads."""
    await campaign.with_group()
    await campaign.pushes_now()
    for resident in campaign.residents:
        resident.starts(campaign.token())
    await campaign.stage.settled()
    await campaign.home()
    return await campaign.does("results")


async def test_a_picture_of_results_says_in_words_what_it_shows(campaign: Campaign) -> None:
    said = await looked_at(campaign)
    caption = await campaign.does("picture")
    shown = campaign.stage.api.transcript(campaign.marta)[-1]
    assert shown.document == "results.png" and shown.content is not None
    assert Image.open(io.BytesIO(shown.content)).width == 1080
    assert "sendPhoto" in campaign.stage.api.calls
    few = {"en": "fewer than five", "es": "menos de cinco"}[campaign.language]
    assert caption.count(few) == 4
    assert set(caption.splitlines()) <= set(said.splitlines()), "nothing the screen did not say"
    assert units(caption) <= CAPTION_LIMIT


async def test_under_the_picture_stand_the_only_buttons_and_they_lead_back(
    campaign: Campaign,
) -> None:
    await looked_at(campaign)
    await campaign.does("picture")
    with_buttons = [m for m in campaign.marta.chat.messages.values() if m.from_bot and m.rows()]
    assert len(with_buttons) == 1 and with_buttons[0].upload is not None
    assert campaign.text("results.private") in await campaign.does("back")


@pytest.mark.parametrize("table", ["by_group", "by_prompt", "by_week"])
async def test_each_table_has_its_picture(campaign: Campaign, table: str) -> None:
    await looked_at(campaign)
    said = await campaign.does(table)
    assert await campaign.does("picture") == said
    assert campaign.stage.api.transcript(campaign.marta)[-1].document == "results.png"
    assert campaign.b("home") in campaign.labels()


async def test_of_many_groups_each_screen_and_picture_shows_six(campaign: Campaign) -> None:
    await campaign.with_group()
    for number in range(7):
        campaign.stage.api.group(f"Hall {number}").add_bot(campaign.marta)
    await campaign.stage.settled()
    await campaign.home()
    await campaign.does("push", "any", "any", "use")
    await campaign.press(campaign.b("all", count="8"))
    await campaign.does("now", "send_now")
    await campaign.posted(2)
    await campaign.home()
    first = await campaign.does("results", "by_group")
    assert (len(first.splitlines()), campaign.b("more") in campaign.labels()) == (7, True)
    assert len((await campaign.does("more")).splitlines()) == 3
    assert campaign.b("more") not in campaign.labels()
    drawn = await campaign.does("picture")
    assert len(drawn.splitlines()) == 3


SHEET: Sheet[Line] = Sheet(
    Line("organizing.picture.posts"),
    (
        Part(
            Unit.PEOPLE,
            (
                Bar(Line("organizing.picture.opened"), 12),
                Bar(Line("organizing.picture.began"), Hidden.FEW),
            ),
            Line("organizing.picture.name", {"name": "Hall"}),
            Line("organizing.picture.nothing"),
        ),
    ),
    {Hidden.FEW: Line("practice.few")},
)


def test_a_picture_rests_in_the_outbox_and_comes_back_the_same() -> None:
    move = Picture(
        "results.png",
        SHEET,
        (Line("organizing.results.private"),),
        ((Choice("desk.organizing.home", "organizing.b.home"),),),
    )
    assert move_of(body_of(move, "es", 3)) == move


async def test_what_cannot_be_drawn_is_said_in_words(tmp_path: Path) -> None:
    async with sending(tmp_path) as desk:  # A sender that cannot draw.
        ana = desk.person()
        await desk.queue_moves(
            ana.id, Picture("results.png", SHEET, (Line("organizing.results.private"),))
        )
        await desk.settled()
        (said,) = desk.entries(ana)
        assert said.document is None and said.text.startswith("Numbers only.")
        assert await desk.counts() == {"sent": 1}


async def test_while_a_picture_is_drawn_others_are_answered(tmp_path: Path) -> None:
    may_end = Event()

    def slowly(sheet: Sheet[str]) -> bytes:
        assert may_end.wait(10)
        return b"a picture"

    async with sending(tmp_path, draw=slowly) as desk:
        ana, eva = desk.person("Ana"), desk.person("Eva")
        await desk.queue_moves(
            ana.id, Picture("results.png", SHEET, (Line("organizing.results.private"),))
        )
        await desk.queue(eva.id, "an answer")
        await eventually(lambda: desk.texts(eva) == ["an answer"])
        assert desk.entries(ana) == []
        may_end.set()
        await desk.settled()
        assert [said.content for said in desk.entries(ana)] == [b"a picture"]


async def test_a_picture_refused_for_too_many_requests_comes_once_and_later(tmp_path: Path) -> None:
    async with sending(tmp_path, draw=lambda sheet: b"a picture") as desk:
        ana = desk.person("Ana")
        desk.api.faults.too_many_requests("sendPhoto", 1, chat_id=ana.id)
        await desk.queue_moves(
            ana.id, Picture("results.png", SHEET, (Line("organizing.results.private"),))
        )
        await desk.settled()
        assert [said.document for said in desk.entries(ana)] == ["results.png"]


async def test_words_too_long_to_stand_under_a_picture_are_sent_without_it(tmp_path: Path) -> None:
    async with sending(tmp_path, draw=lambda sheet: b"a picture") as desk:
        ana = desk.person("Ana")
        long = Line("organizing.picture.name", {"name": "W" * (CAPTION_LIMIT + 1)})
        await desk.queue_moves(ana.id, Picture("results.png", SHEET, (long,)))
        await desk.settled()
        (said,) = desk.entries(ana)
        assert said.document is None and len(said.text) == CAPTION_LIMIT + 1


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_longest_names_leave_room_for_every_word_under_a_picture(language: str) -> None:
    row = Line(
        "organizing.results.row",
        {"name": "W" * 48, "posted": "9999"},
        {"opened": "organizing.withheld", "finished": "practice.few"},
    )
    rows = [catalogue().text(row, language)] * SHOWN
    heading = catalogue().text(Line("organizing.results.by_prompt"), language)
    assert units("\n".join([heading, *rows])) <= CAPTION_LIMIT

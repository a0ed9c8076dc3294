"""Staff's first hour: a story released, returned, revised, approved, exported, taken back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.console.people import Person
from bot.core.library import Format, Profile
from bot.core.narrative import StoryOf
from bot.exporting.archive import Archives
from bot.exporting.home import Home
from bot.usecases.exporting import Exporting
from bot.usecases.library import Librarian
from bot.usecases.people import CONSOLE, STAFF, People
from tests.fakes import catalogue, reading
from tests.telegram.stage import Stage, buttons, database, on_disk, running
from tests.usecases.test_library import Index

TOLD = "In January the boiler died. I turned and knocked on the door of number nine. Call 555."
REVISED = "In January the boiler died. I turned and knocked on her quetzal door that night."


@dataclass
class Office:
    """Ana tells; Sam is on the staff."""

    stage: Stage
    ana: Person
    sam: Person

    async def press(self, who: Person, *labels: str) -> list[str]:
        """Press several buttons, one after another; what is said after the last."""
        said: list[str] = []
        for label in labels:
            said = await self.stage.presses(who, label)
        return said

    def open(self, who: Person) -> list[str]:
        """Labels of the buttons that are open."""
        return buttons([e for e in self.stage.api.transcript(who) if e.who == "bot"])

    async def step(self) -> str:
        folder = await self.stage.folder(self.ana)
        assert folder is not None
        return folder.session.step

    async def releases(self, *uses: str) -> None:
        """From after a telling to the receipt of a release."""
        forward = ("It's right", "That's my story", "Keep", "Skip", "Go on")
        while await self.step() != "uses_0":
            await self.press(self.ana, next(x for x in forward if x in self.open(self.ana)))
        while (await self.step()).startswith("uses_"):
            for use in uses:
                if f"☐ {use}" in self.open(self.ana):
                    await self.press(self.ana, f"☐ {use}")
            await self.press(self.ana, "Next")
        await self.press(self.ana, "No name", "1 year", "Release exactly this")

    def librarian(self) -> Librarian:
        return Librarian(self.stage.store, self.stage.clock, Index(), Home(self.stage.home))

    def sent(self, who: Person) -> dict[str, bytes]:
        """Files the bot handed to somebody, by name."""
        files = [
            (e.document, e.content)
            for e in self.stage.api.transcript(who)
            if e.who == "bot" and e.document
        ]
        return {str(name): content for name, content in files if content is not None}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with running(tmp_path, with_desk=True) as stage:
        yield Office(stage, stage.person("Ana"), stage.person("Sam"))


async def invited(office: Office, language: str = "en") -> None:
    people = People(office.stage.store, office.stage.clock, lambda: "A" * 24)
    token = (await people.invite(CONSOLE, STAFF, timedelta(days=1))).token
    (said,) = await office.stage.says(office.sam, f"/start {token}")
    assert "/review" in said


async def test_staffs_first_hour(office: Office) -> None:
    stage, ana, sam = office.stage, office.ana, office.sam
    await stage.tells(ana, TOLD)
    await office.press(ana, "That's it")
    await office.releases(
        "Put it in the public library", "Show passages to other residents as an example"
    )
    await invited(office)

    # Read and returned, with a reason and a note.
    assert "Stories waiting to be read: 1." in await stage.says(sam, "/review")
    (sheet,) = await office.press(sam, "Read the next story")
    assert TOLD in sheet and "public library" in sheet and "Ana" not in sheet
    await office.press(sam, "Return", "Contact details")
    (done,) = await stage.says(sam, "Could you leave the number out?")
    assert done.startswith("Returned.")
    told = stage.entries(ana)[-1].text
    assert "Could you leave the number out?" in told and "by which people can be found" in told

    # Where it has been, for its teller; another reader could be asked for.
    (where,) = await stage.says(ana, "/where")
    assert "given back to you" in where and office.open(ana) == ["Ask for a second reader"]

    # Revised and released anew.
    folder = await stage.folder(ana)
    assert folder is not None and folder.story is not None
    edited = next(m for m in ana.chat.messages.values() if m.text == TOLD)
    ana.edits(edited.id, REVISED)
    await stage.settled()
    stage.entries(ana)
    folder = await stage.folder(ana)
    assert folder is not None and folder.story is not None
    assert folder.story.whole() == REVISED and folder.story.live_release(stage.clock.now()) is None
    await stage.says(ana, "/consent")
    await stage.says(ana, "/mystories")
    await office.press(ana, "Open 1")
    await office.releases(
        "Put it in the public library", "Show passages to other residents as an example"
    )

    # Approved, with a theme and a passage that may be shown.
    stage.reader.now_hears(reading(StoryOf.SELF, {"choice": "I turned and knocked"}))
    await stage.says(sam, "/review")
    await office.press(sam, "Read the next story", "Approve")
    (asked,) = await stage.says(sam, "housing")
    assert "· “I turned and knocked on her quetzal door that night.”" in asked
    (done,) = await office.press(sam, "Approve, show these passages")
    assert done.startswith("Approved.")
    assert "Staff approved your story" in stage.entries(ana)[-1].text

    # Exported, and handed over.
    await stage.says(sam, "/export")
    await office.press(sam, "Everybody", "JSON lines")
    ((name, content),) = office.sent(sam).items()
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        (line,) = held.read("stories.jsonl").decode().splitlines()
    assert json.loads(line)["text"] == REVISED
    (path,) = (stage.home / "exports").iterdir()
    assert path.name == name
    await office.librarian().sweep()
    news, where = sorted(await stage.says(ana, "/where"), key=len)
    assert "is now in a collection for everybody" in news
    assert "approved by staff" in where and "put into a collection for everybody" in where

    # Taken back: denied at once, then erased; staff answer for the file they were sent.
    await stage.says(ana, "/withdraw")
    await office.press(ana, "Withdraw it now")
    again = Exporting(stage.store, Archives(catalogue().text), stage.clock, lambda: "f" * 32)
    await office.librarian().finish()
    done_again = await again.export(CONSOLE, Profile.PUBLIC, list(Format), stage.home / "exports")
    assert done_again.rows == 0
    await stage.store.scrub(stage.clock.now())
    assert b"quetzal" not in on_disk(stage.home)
    await stage.says(sam, "/review")
    (owed,) = await office.press(sam, "To destroy")
    assert name in owed and "for everybody" in owed
    said = await office.press(sam, "Every copy is destroyed")
    assert said[0].startswith("Noted") and "To destroy" not in office.open(sam)


async def test_a_backup_from_before_a_withdrawal_is_shown_to_staff_until_they_answer_for_it(
    office: Office, tmp_path: Path
) -> None:
    from bot.store.backup import back_up

    stage, ana, sam = office.stage, office.ana, office.sam
    await invited(office)
    await stage.tells(ana, REVISED)
    path, now = tmp_path / "coach-x.backup", stage.clock.now()
    await back_up(database(stage.home), path, "b-1", now, lambda done, total: None)
    stage.clock.passes(minutes=5)
    await stage.says(sam, "/review")
    assert "To destroy" not in office.open(sam)
    await stage.says(ana, "/forget")
    await stage.says(ana, "erase everything")
    await stage.says(sam, "/review")
    (owed,) = await office.press(sam, "To destroy")
    assert "coach-x.backup" in owed and "makes a new one (coach backup)" in owed
    said = await office.press(sam, "Every copy is destroyed")
    assert said[0].startswith("Noted") and "To destroy" not in office.open(sam)


async def test_an_export_taken_back_before_it_was_sent_is_not_sent(office: Office) -> None:
    from bot.core.turn import Bring, Line
    from bot.usecases.outgoing import body_of
    from bot.usecases.ports import OutboxItem

    async with office.stage.store.work() as work:
        line, gone = Line("review.export.mind"), Line("review.export.gone")
        body = body_of(Bring("x.zip", "nothing", line, gone), "en", 0)
        await work.outbox.add([OutboxItem(office.sam.id, body)])
        await work.commit()
    await office.stage.says(office.sam, "/where")
    said = [e.text for e in office.stage.api.transcript(office.sam) if e.who == "bot"]
    assert any("taken back meanwhile" in text for text in said)
    assert office.sent(office.sam) == {}


@pytest.mark.parametrize("command", ["/review", "/export", "/report"])
async def test_who_is_not_on_the_staff_is_told_so(office: Office, command: str) -> None:
    (said,) = await office.stage.says(office.ana, command)
    assert said.startswith("This is for staff.")


async def test_a_right_taken_away_is_gone_at_the_next_button(office: Office) -> None:
    stage = office.stage
    await stage.tells(office.ana, TOLD)
    await office.press(office.ana, "That's it")
    await office.releases("Put it in the public library")
    await invited(office)
    await stage.says(office.sam, "/review")
    await office.press(office.sam, "Read the next story")
    people = People(stage.store, stage.clock, lambda: "A" * 24)
    await people.revoke(CONSOLE, office.sam.id)
    (said,) = await office.press(office.sam, "Hold")
    assert said.startswith("This is for staff.")


async def test_the_report_comes_as_a_page_in_the_readers_language(office: Office) -> None:
    office.sam = office.stage.person("Sofia", "es")
    people = People(office.stage.store, office.stage.clock, lambda: "A" * 24)
    token = (await people.invite(CONSOLE, STAFF, timedelta(days=1))).token
    await office.stage.says(office.sam, f"/start {token}")
    await office.stage.says(office.sam, "/report")
    await office.press(office.sam, "El de todo el mundo")
    pages = {n: c.decode() for n, c in office.sent(office.sam).items()}
    assert len(pages) == 2
    assert all("Las historias como datos" in page for page in pages.values())


async def test_hold_escalate_pass_and_the_library_by_buttons(office: Office) -> None:
    stage, sam = office.stage, office.sam
    for name in ("Ana", "Ben", "Caro"):
        office.ana = stage.person(name)
        await stage.tells(office.ana, f"{name} stayed on the stairs that night.")
        await office.press(office.ana, "That's it")
        await office.releases("Put it in the public library")
        stage.clock.passes(minutes=1)
    await invited(office)
    await stage.says(sam, "/review")
    first = await office.press(sam, "Read the next story")
    second = await office.press(sam, "Leave it to somebody else")
    assert "Ana stayed" in first[0] and "Ben stayed" in second[0]
    await office.press(sam, "Hold", "Read the next story")
    (said,) = await office.press(sam, "Escalate", "A group's")
    assert said.startswith("Escalated")
    said = await office.press(sam, "Read the next story")
    assert "Ben stayed" in said[0], "what is held can be read again"
    await office.press(sam, "Approve", "No theme", "Home", "Library")
    assert "Ben stayed" in stage.api.transcript(sam)[-1].text
    (said,) = await stage.says(sam, "water")
    assert said.startswith("No approved story")

"""An organizer, a group and its residents, over the in-process Bot API with the real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.console.people import Group as Hall
from bot.console.people import Person
from bot.core.practice import Fate, Schedule
from bot.core.turn import Choice, Line
from bot.usecases.people import CONSOLE, ORGANIZER, People
from bot.usecases.practice_ports import Target
from tests.fakes import catalogue
from tests.telegram.stage import Stage, buttons, running

SHORTLY = timedelta(days=1)
RESIDENTS = ("Ana", "Ben", "Caro")


@dataclass
class Campaign:
    """Marta organizes, in her language; Hall is a group with three residents in it."""

    stage: Stage
    marta: Person
    hall: Hall
    residents: list[Person]
    language: str = "en"

    # -- what Marta does ------------------------------------------------------------------------

    async def invitation(self, token: str = "A" * 24) -> str:
        people = People(self.stage.store, self.stage.clock, lambda: token)
        return (await people.invite(CONSOLE, ORGANIZER, SHORTLY)).token

    async def welcomed(self) -> list[str]:
        """Marta comes by invitation; what she reads."""
        token = await self.invitation()
        said = await self.stage.says(self.marta, f"/start {token}")
        await self.press(self.b("begin"))
        return said

    async def with_group(self) -> None:
        """She organizes, and brought the bot to Hall."""
        await self.welcomed()
        self.hall.add_bot(self.marta)
        for resident in self.residents:
            self.hall.join(resident)
        await self.stage.settled()

    async def press(self, *labels: str) -> list[str]:
        """Press several buttons, one after another; what is said after the last."""
        said: list[str] = []
        for label in labels:
            said = await self.stage.presses(self.marta, label)
        return said

    async def does(self, *verbs: str) -> str:
        """Press buttons by their names in the catalogue; what is said after the last, as one."""
        return "\n".join(await self.press(*(self.b(verb) for verb in verbs)))

    async def types(self, text: str) -> str:
        """Type something; what is said, as one."""
        return "\n".join(await self.stage.says(self.marta, text))

    async def home(self) -> str:
        """/organize."""
        return await self.types("/organize")

    async def chooses(self) -> str:
        """From home to "when": the first prompt of a season, for every group of hers."""
        await self.home()
        await self.does("push", "season.building", "stage.self")
        await self.press(self.b("use"))
        return self.shown()[-1]

    # -- what there is to see -------------------------------------------------------------------

    def b(self, verb: str, **words: str) -> str:
        """A button's label in her language."""
        return catalogue().label(Choice("x", f"organizing.b.{verb}", words), self.language)

    def text(self, key: str, **words: str) -> str:
        """A sentence of the catalogue in her language, as she reads it."""
        return catalogue().text(Line(f"organizing.{key}", words), self.language)

    def shown(self) -> list[str]:
        """Everything the bot wrote to Marta."""
        return [e.text for e in self.stage.api.transcript(self.marta) if e.who == "bot"]

    def labels(self) -> list[str]:
        """Labels of the buttons under the last message to Marta that has any."""
        return buttons(self.stage.api.transcript(self.marta))

    def in_hall(self) -> list[str]:
        shown = self.stage.api.transcript(self.hall)
        return [e.text for e in shown if e.who == "bot"]

    async def posted(self, count: int) -> None:
        """Wait until the group has that many posts of the bot."""
        async with asyncio.timeout(10):
            while len(self.in_hall()) < count:  # noqa: ASYNC110  # the API tells nobody of a post
                await asyncio.sleep(0.02)
        await self.stage.settled()

    async def pushes_now(self) -> None:
        """One prompt to every group of hers, at once; waits until it is in Hall."""
        before = len(self.in_hall())
        await self.chooses()
        await self.does("now", "send_now")
        await self.posted(before + 1)

    async def fates(self) -> list[Fate]:
        async with self.stage.store.work() as work:
            return [o.fate for o in await work.practice.outcomes()]

    async def target(self) -> Target:
        """Hall, as the store knows it."""
        async with self.stage.store.work() as work:
            targets = await work.practice.targets()
        return next(t for t in targets if t.group.title == self.hall.chat.name)

    async def schedules(self, *, ended: bool = False) -> list[Schedule]:
        async with self.stage.store.work() as work:
            return await work.practice.schedules(ended=ended)

    def token(self) -> str:
        """What the button under the last post opens."""
        last = [m for m in self.hall.chat.messages.values() if m.from_bot][-1]
        (button,) = last.rows()[-1]
        return str(button["url"]).partition("?start=")[2]


@asynccontextmanager
async def campaigning(home: Path, language: str = "en") -> AsyncIterator[Campaign]:
    """A running bot with a desk, and the people around it."""
    async with running(home, with_desk=True) as stage:
        marta = stage.person("Marta", language)
        residents = [stage.person(name) for name in RESIDENTS]
        yield Campaign(stage, marta, stage.api.group("Hall"), residents, language)

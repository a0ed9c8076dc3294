"""The run itself: Marta organizes, Hall and Yard are groups, Ana, Ben and Caro live there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.console.people import Group, Person
from bot.core.turn import Choice
from tests.commands.shell import coach
from tests.counterpart.programs import polling
from tests.counterpart.server import Counterpart, serving
from tests.fakes import catalogue
from tests.recorded.recording import Recording
from tests.telegram.stage import database

HERE = Path(__file__).parent

CITY = {"en": "Chicago", "es": "Madrid"}
TOLD = {
    "en": {
        "Ana": [
            "They closed the laundry room in March and nobody said a word. At the meeting I had my "
            "coat on already. Then I saw Rosa fold her notice very small, and I put my hand up and "
            "said: we will be here on Thursday.",
            "My mother used to say that you do not leave your own people at the stop.",
        ],
        "Ben": ["I am for dignity. We are hard working people here."],
        "Caro": [
            "Someone held the door for me when my hands were full, and I stayed for the meeting."
        ],
    },
    "es": {
        "Ana": [
            "En marzo cerraron la lavandería y nadie dijo nada. En la reunión yo ya tenía el "
            "abrigo puesto. Entonces vi a Rosa doblar su carta muy chiquita, levanté la mano y "
            "dije: el jueves estamos aquí.",
            "Mi madre decía que a los tuyos no se les deja en la parada.",
        ],
        "Ben": ["Yo creo en la dignidad. Aquí somos gente trabajadora."],
        "Caro": ["Alguien me sostuvo la puerta cuando yo iba cargada, y me quedé a la reunión."],
    },
}


@dataclass
class Told:
    """A finished run: its text, and how many steps Marta took to her first planned prompt."""

    text: str
    steps_to_first_plan: int


class Campaign:
    """Everybody in it, and what they do."""

    def __init__(self, there: Counterpart, recording: Recording, language: str, home: Path) -> None:
        api = there.api
        self.address = there.http.address
        self.api, self.recording, self.language, self.home = api, recording, language, home
        self.marta = api.person("Marta", language)
        self.residents = [api.person(name, language) for name in ("Ana", "Ben", "Caro")]
        self.hall, self.yard = api.group("Hall"), api.group("Yard")
        self.taken = 0

    def label(self, key: str, **words: str) -> str:
        return catalogue().label(Choice("x", key, words), self.language)

    async def press(self, person: Person, *labels: str) -> None:
        """Press buttons by their words, one after another."""
        for label in labels:
            self.taken += person is self.marta
            await self.recording.step(
                f"{person.name} presses [{label}]", partial(person.presses, label)
            )

    async def does(self, *verbs: str, **words: str) -> None:
        """Marta presses the desk's buttons, by their names in the catalogue."""
        for verb in verbs:
            await self.press(self.marta, self.label(f"organizing.b.{verb}", **words))

    async def says(self, person: Person, text: str, group: Group | None = None) -> None:
        """Somebody types."""
        self.taken += person is self.marta
        where = f" in “{group.chat.name}”" if group else ""
        await self.recording.step(
            f"{person.name} writes{where}: {text}", lambda: person.says(text, group=group)
        )

    # -- chapters -------------------------------------------------------------------------------

    async def invited(self) -> None:
        """Staff make a link at the machine; Marta opens it, brings the coach to Hall, plans."""
        settings = {
            "TELEGRAM_BOT_TOKEN": self.api.token,
            "TELEGRAM_API_BASE_URL": self.address,
        }
        made = await asyncio.to_thread(coach, self.home, "invite", "organizer", settings=settings)
        assert made.code == 0, made.err
        self.recording.chapter("Staff make an invitation, at the machine")
        self.recording.steps.append(
            "$ coach invite organizer\n  https://t.me/story_coach_bot?start=i_…"
        )
        token = made.out.strip().partition("?start=")[2]
        self.recording.chapter("From the link to the first prompt planned")
        self.taken = 1
        await self.recording.step("Marta opens the link.", lambda: self.marta.starts(token))

    async def first_plan(self) -> int:
        """From the open link to a prompt planned every week; steps taken."""
        self.taken += 1
        add = self.label("organizing.b.add_group")
        await self.recording.step(
            f"Marta presses [{add}] and chooses “Hall”, where Ana, Ben and Caro are.",
            self._adds_hall,
        )
        await self.says(self.marta, CITY[self.language])
        await self.does("push", "season.building", "stage.self", "use", "weekly")
        await self.press(self.marta, "19:00")
        await self.does("send_later")
        return self.taken

    def _adds_hall(self) -> None:
        self.hall.add_bot(self.marta)
        for resident in self.residents:
            self.hall.join(resident)
        self.marta.says(f"/start@{self.api.bot['username']} organizer", group=self.hall)

    async def claims(self) -> None:
        """Caro brought the coach to Yard; Marta is an admin there and answers for it."""
        self.recording.chapter("A group that somebody else brought the coach to")
        self.yard.join(self.marta, "administrator")
        caro = self.residents[2]
        await self.recording.step(
            "Caro adds the coach to “Yard”, where Marta is an admin.",
            lambda: self.yard.add_bot(caro),
        )
        await self.says(self.marta, "/organize")
        await self.does("groups")
        await self.press(self.marta, "Yard")
        await self.does("claim", "diagnose", "back", "timezone")
        await self.says(self.marta, CITY[self.language])

    async def pushes_now(self) -> None:
        """Another prompt, to both groups at once."""
        self.recording.chapter("A prompt to both groups, now")
        await self.does("push", "season.starting", "stage.self", "next", "use")
        await self.does("all", count="2")
        await self.does("now", "send_now")

    async def practise(self) -> None:
        """Three people tap the button under the post, and answer."""
        last = [m for m in self.hall.chat.messages.values() if m.from_bot][-1]
        (button,) = last.rows()[-1]
        token = str(button["url"]).partition("?start=")[2]
        yes = self.label(f"languages.start.{self.language}")
        for person in self.residents:
            self.recording.chapter(f"{person.name} taps the button under the post in “Hall”")
            await self.recording.step(
                f"{person.name} presses [{button['text']}] in “Hall”",
                partial(person.starts, token),
            )
            await self.press(person, yes)
            first_time = self.api.transcript(person)[-1].buttons
            await self.press(person, first_time[0][0])
            await self.press(person, self.api.transcript(person)[-1].buttons[0][0])
            first, *more = TOLD[self.language][person.name]
            await self.says(person, first)
            await self.press(person, self.api.transcript(person)[-1].buttons[0][0])
            for answer in more:
                await self.says(person, answer)

    async def looks(self) -> None:
        """Results, their picture, and thanks to the groups."""
        self.recording.chapter("Marta looks at the results, and tells the groups")
        await self.says(self.marta, "/organize")
        await self.does("results", "picture", "back", "by_group", "back", "follow")
        await self.press(self.marta, self.api.transcript(self.marta)[-1].buttons[0][0])
        await self.does("send_now")

    async def goes(self) -> None:
        """A plain member cannot send it away; an admin can, and Marta hears of it."""
        self.recording.chapter("The coach is asked to leave")
        ben, caro = self.residents[1], self.residents[2]
        leave = f"/leave@{self.api.bot['username']}"
        await self.says(ben, leave, self.hall)
        self.hall.chat.members[caro.id] = "administrator"
        await self.says(caro, leave, self.hall)


async def played(language: str, home: Path, known: list[str] | None) -> Told:
    """The whole run with a real `coach run`; `home` holds the example index already."""
    database(home)
    async with serving() as there:
        program = polling(home, there.http.address, there.api.token, "tests.recorded.program")
        recording = Recording(there.api, known)
        campaign = Campaign(there, recording, language, home)
        await program.start()
        try:
            early = there.api.person("Early", language)
            early.says("/start")
            async with asyncio.timeout(30):
                while len(there.api.transcript(early)) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await program.rests()
            await campaign.invited()
            steps = await campaign.first_plan()
            await campaign.claims()
            await campaign.pushes_now()
            await campaign.practise()
            await campaign.looks()
            await campaign.goes()
            assert await program.stop() == 0
        finally:
            await program.kill()
        assert "Traceback" not in program.told(), program.told()
    return Told(recording.text(), steps)

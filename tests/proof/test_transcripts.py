"""The whole resident conversation over HTTP: what a person sees is what they see in the terminal.

Two people talk at the same time, one in English and one in Spanish, with the real `coach run` and
the real `coach web`, while Telegram answers 429 and 500 now and then, and is away for a while.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.usecases.residents import Residents
from tests.conversations.script import dialogues
from tests.counterpart.programs import WAYS, Program
from tests.counterpart.server import Counterpart, HttpBotApi, serving
from tests.proof import IS_WHOLE
from tests.proof.apart import CARE, Rooms, Turn, measured, played_apart
from tests.proof.unhurried import defaults
from tests.telegram.stage import database

DIALOGUES = {d.name: d for d in dialogues()}
TOLD = {
    "Ana": (
        "en-self-to-release",
        [
            {"they send a": "voice"},
            {"they": "/mystories"},
            {"they": "/consent"},
            {"they": "/withdraw"},
            {"they press": "A copy first"},
            {"they press": "Withdraw it now"},
            {"they": "/help"},
        ],
    ),
    "Graciela": (
        "es-hasta-el-permiso",
        [
            {"they release for": "Que la lean quienes organizan aquí"},
            {"they send a": "sticker"},
            {"they": "/forget"},
            {"they press": "Primero una copia"},
            {"they press": "Borrar todo"},
            {"they": "hola"},
        ],
    ),
}
"""Who plays which dialogue, and what they do when it is over."""

OUTAGE = 1.5


def troubles(there: Counterpart, name: str, way: str) -> dict[int, Callable[[], object]]:
    """What goes wrong after which turn, and only for this person where that is possible."""
    faults, chat = there.api.faults, there.api.person(name).id
    background: set[asyncio.Task[None]] = set()

    def outage() -> None:
        background.add(asyncio.create_task(there.http.is_away(OUTAGE)))

    planned: dict[int, Callable[[], object]] = {
        1: lambda: faults.too_many_requests("sendMessage", 1, chat_id=chat),
        3: lambda: faults.too_many_requests("answerCallbackQuery", 1),
        4: lambda: faults.server_error("sendMessage", chat_id=chat),
        8: lambda: faults.too_many_requests("sendMessage", 1, chat_id=chat, times=2),
        14: lambda: faults.too_many_requests("editMessageText", 1, chat_id=chat),
    }
    if name == "Ana":
        planned[9] = outage
    if way == "polling":
        planned[11] = lambda: faults.server_error("getUpdates")
    return planned


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory, real_rooms: Rooms) -> dict[str, list[Turn]]:
    async def both() -> dict[str, list[Turn]]:
        return {
            name: await measured(
                tmp_path_factory.mktemp(name), name, DIALOGUES[dialogue], real_rooms, more
            )
            for name, (dialogue, more) in TOLD.items()
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Residents.__init__, "__defaults__", defaults())
        return asyncio.run(both())


@pytest.fixture
def home(tmp_path: Path, index: Path) -> Path:
    """A data directory with a database and the example index in it."""
    where = tmp_path / "home"
    database(where)
    shutil.copytree(index, where / "examples")
    return where


def program(way: str, home: Path, api: HttpBotApi, address: str) -> Program:
    """Whole proofs use the very program, however long its messages take."""
    module = "bot" if IS_WHOLE else "tests.proof.unhurried"
    made = WAYS[way](home, address, api.token, module)
    made.set(**CARE)
    return made


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_the_conversation_is_the_same_over_http(
    way: str, home: Path, real_rooms: Rooms, measures: dict[str, list[Turn]]
) -> None:
    async with serving() as there:
        coach = program(way, home, there.api, there.http.address)
        await coach.start()
        try:
            await warmed(there, coach)
            await asyncio.gather(
                *(
                    played_apart(
                        there.api,
                        home.parent / name,
                        name,
                        DIALOGUES[dialogue],
                        real_rooms,
                        more,
                        measures[name],
                        troubles(there, name, way),
                    )
                    for name, (dialogue, more) in TOLD.items()
                )
            )
            assert there.api.faults.left == 0, "every planned trouble was met"
            assert await coach.stop() == 0
        finally:
            await coach.kill()
        assert "Traceback" not in coach.told(), coach.told()


async def warmed(there: Counterpart, coach: Program) -> None:
    """Somebody else has been answered, and every room is loaded: reading has its own deadline."""
    early = there.api.person("Early")
    early.says("/start")
    async with asyncio.timeout(30):
        while len(there.api.transcript(early)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await coach.rests()

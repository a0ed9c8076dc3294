"""Rights and invitations from the command line: one plain sentence for every mistake."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.store.database import open_store
from bot.usecases.people import is_invitation
from tests.commands.shell import coach_here as coach
from tests.databases import database
from tests.store.samples import a_newcomer


def keep(home: Path, *people: tuple[str, int, str]) -> None:
    """Residents who wrote to the bot once."""

    home.mkdir(exist_ok=True)

    async def save() -> None:
        store = await open_store(database(home))
        async with store.work() as work:
            for resident_id, chat_id, name in people:
                await work.folders.save(a_newcomer(resident_id, chat_id, name))
            await work.commit()
        await store.close()

    asyncio.run(save())


def test_a_person_is_granted_by_name_and_loses_it_again(tmp_path: Path) -> None:
    home = tmp_path / "data"
    keep(home, ("r-1", 7001, "Amina Diallo"))
    granted = coach(home, "grant", "amina diallo", "organizer")
    assert (granted.code, granted.out) == (0, "Granted. May now: organize.\n")
    some = coach(home, "grant", "7001", "staff", "--rights", "review,approve")
    assert some.out == "Granted. May now: organize, review, approve.\n"
    assert coach(home, "revoke", "r-1", "staff").code == 0
    assert "no such right" in coach(home, "revoke", "r-1", "staff").out


def test_two_people_of_one_name_are_told_apart_by_number(tmp_path: Path) -> None:
    home = tmp_path / "data"
    keep(home, ("r-1", 7001, "Rosa"), ("r-2", 7002, "Rosa"))
    refused = coach(home, "grant", "Rosa", "organizer")
    assert refused.code == 1
    assert "7001" in refused.err
    assert "7002" in refused.err
    assert coach(home, "grant", "7002", "organizer").code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("grant", "Nobody", "organizer"), 1),
        (("grant", "7001", "wizard"), 2),
        (("grant", "7001", "staff", "--rights", "organize"), 2),
        (("revoke", "7001", "wizard"), 2),
        (("invite", "wizard"), 2),
        (("invite", "organizer", "--days", "0"), 2),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    ended = coach(tmp_path / "data", *arguments)
    assert ended.code == code
    assert ended.out == ""
    assert ended.err.count("\n") == 1


def test_without_the_bots_name_an_invitation_is_its_token(tmp_path: Path) -> None:
    made = coach(tmp_path / "data", "invite", "organizer")
    assert made.code == 0
    assert is_invitation(made.out.strip())
    found = json.loads(coach(tmp_path / "data", "invite", "staff", "--json").out)
    assert found["link"] is None
    assert found["rights"] == ["approve", "export", "invite", "review"]


def test_a_telegram_out_of_reach_still_gives_the_token(tmp_path: Path) -> None:
    settings = {
        "TELEGRAM_BOT_TOKEN": "1:x",
        "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9",
    }
    made = coach(tmp_path / "data", "invite", "organizer", settings=settings)
    assert made.code == 0
    assert is_invitation(made.out.strip())

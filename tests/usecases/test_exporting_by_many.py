"""Export where several processes have data folders of their own: within everybody's reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bot.usecases.exporting
from bot.core.library import Format, Profile, Wanted
from bot.exporting.archive import Archives
from bot.exporting.home import home_id
from bot.usecases.exporting import Exported, Exporting, Place
from bot.usecases.staff import Staff
from tests.fakes import catalogue
from tests.telegram.stage import on_disk
from tests.usecases.library_world import EXPORTER, World, world
from tests.usecases.test_exporting import Breaking, Killed, approved


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path / "database") as made:
        yield made


class Process(Exporting):
    """One of them, with the data folder `name`."""

    def __init__(self, house: World, name: str, room: Archives | None = None) -> None:
        self.folder = house.home.parent / name
        place = Place(home_id(self.folder), self.folder, name)
        room = room or Archives(catalogue().text)
        super().__init__(house.store, room, house.clock, house.new_id, place)

    async def made(self) -> Exported:
        """What staff asked for in Telegram."""
        return await self.export(
            EXPORTER, Profile.PUBLIC, [Format.CSV], self.folder / "exports", is_handed_over=True
        )

    def left(self) -> list[Path]:
        """What lies where exports are written."""
        return sorted((self.folder / "exports").iterdir())


async def test_it_is_kept_in_the_database_and_in_no_folder(house: World) -> None:
    await approved(house, words="The periwinkle stairs.")
    one, other = Process(house, "one"), Process(house, "other")
    done = await one.made()
    assert one.left() == [] and b"PK" not in on_disk(one.folder)
    assert await one.content(done.id) == await other.content(done.id) is not None
    (record,) = await other.exports(EXPORTER)
    assert (record.path, record.home, record.machine) == (done.path.name, None, None)


async def test_it_goes_in_the_transaction_that_takes_a_story_back(house: World) -> None:
    folder = await approved(house)
    one = Process(house, "one")
    done = await one.made()
    staff = Staff(house.store, catalogue(), house.clock, house.new_id)
    await staff.withdraw(folder.stories[0].id)
    assert await one.content(done.id) is None
    async with house.store.work() as work:
        assert await work.library.pieces(done.id) is None
    (left,) = await one.to_destroy(EXPORTER)
    assert left.is_erased_here, "copies that were sent are still to be destroyed"


async def test_what_is_too_large_to_be_sent_stays_with_who_made_it(
    house: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.usecases.exporting, "MAY_SEND", 10)
    await approved(house)
    one, other = Process(house, "one"), Process(house, "other")
    done = await one.made()
    assert done.path.exists()
    (record,) = await other.exports(EXPORTER)
    assert (record.home, record.machine) == (home_id(one.folder), "one")
    async with house.store.work() as work:
        assert [home.machine for home in await work.library.homes()] == ["one"]


async def test_another_process_lets_alone_what_one_is_writing(house: World) -> None:
    await approved(house)
    one, other = Process(house, "one"), Process(house, "other")
    record = await one._begin(
        EXPORTER, Profile.PUBLIC, (Format.CSV,), one.folder / "exports", Wanted(), True
    )
    archive = Archives(catalogue().text).begin(record.path, [Format.CSV])
    assert await other.recover() == 0
    assert one.left()
    archive.discard()
    assert await other.recover() == 0
    assert await one.recover() == 1


@pytest.mark.parametrize("step", ["add", "seal", "content"])
async def test_killed_before_it_is_kept_its_own_process_leaves_nothing(
    house: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(house)

    def dies() -> None:
        raise Killed

    async def nothing(*_: object) -> None:
        return None

    one = Process(house, "one", Breaking(step, dies))
    monkeypatch.setattr(one, "_give_up", nothing)
    with pytest.raises(Killed):
        await one.made()
    for folder in one.left():
        (folder / "lock").unlink()  # as the system lets go of a dead process's locks
    assert await Process(house, "other").recover() == 0
    assert await Process(house, "one").recover() == 1
    assert one.left() == [] and await one.exports(EXPORTER) == []


async def test_killed_after_it_is_kept_its_own_process_lets_go_of_the_file(
    house: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(house)
    one, other = Process(house, "one"), Process(house, "other")

    async def dies(*_: object) -> None:
        raise Killed

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(one, "_let_go", dies)
    monkeypatch.setattr(one, "_give_up", nothing)
    with pytest.raises(Killed):
        await one.made()
    for folder in one.left():
        (folder / "lock").unlink()  # as the system lets go of a dead process's locks
    assert await other.recover() == 0 and await other.exports(EXPORTER) == []
    assert await Process(house, "one").recover() == 1
    (record,) = await other.exports(EXPORTER)
    assert one.left() == [] and await other.content(record.id) is not None

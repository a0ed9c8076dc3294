"""Export: only what is permitted and approved, whole or not at all, answered for afterwards."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import docx
import pytest

from bot.core.consent import Purpose
from bot.core.harmless import as_it_was, from_cell, from_markdown
from bot.core.library import Format, LibraryEntry, Profile, Wanted
from bot.core.narrative import StoryOf
from bot.core.story import Folder, Origin
from bot.exporting.archive import Archive, Archives
from bot.exporting.documents import card_points
from bot.exporting.home import Home
from bot.usecases.exporting import Exported, Exporting, ExportRefused
from bot.usecases.library import Librarian, Library
from bot.usecases.people import CONSOLE, NotAllowed
from bot.usecases.staff import Staff
from tests.fakes import catalogue
from tests.usecases.library_world import (
    APPROVER,
    EXPORTER,
    INVITER,
    NOBODY,
    ORGANIZER,
    REVIEWER,
    World,
    world,
)
from tests.usecases.test_library import Index

WICKED = '=HYPERLINK("x")\n\n-- \\u001b [b](c) <i>\x1b \t| ../../etc\n#\u2028 😀 \ud83d'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
def exporting(house: World) -> Exporting:
    return Exporting(house.store, Archives(catalogue().text), house.clock, house.new_id)


def out(house: World) -> Path:
    return house.home / "exports"


async def made(
    house: World, exporting: Exporting, *formats: Format, profile: Profile = Profile.PUBLIC
) -> Exported:
    return await exporting.export(EXPORTER, profile, formats or (Format.JSONL,), out(house))


async def approved(
    house: World, *purposes: Purpose, words: str = "We stayed.", name: str = ""
) -> Folder:
    folder = await house.teller(*purposes, words=words, name=name)
    await house.approve(folder)
    return folder


def stories_in(done: Exported) -> list[dict[str, str]]:
    with zipfile.ZipFile(done.path) as held:
        return [json.loads(x) for x in held.read("stories.jsonl").decode().split("\n")[:-1]]


def everything_in(path: Path) -> str:
    with zipfile.ZipFile(path) as held:
        return "\n".join(held.read(name).decode(errors="ignore") for name in held.namelist())


async def withdraw(house: World, folder: Folder) -> None:
    await Staff(house.store, catalogue(), house.clock, house.new_id).withdraw(folder.stories[0].id)


# -- what may be in it --------------------------------------------------------------------------


@pytest.mark.parametrize("profile", Profile)
async def test_a_profile_holds_only_what_was_released_for_it(
    house: World, exporting: Exporting, profile: Profile
) -> None:
    for purpose in (Purpose.PUBLIC_LIBRARY, Purpose.PARTNER_LIBRARY, Purpose.ORGANIZERS):
        await approved(house, purpose, words=f"For {purpose.value} only.")
    await approved(house, Purpose.PRESS, Purpose.COACHING_EXAMPLES, words="For other uses.")
    await house.teller(profile.purpose, words="Not approved.")
    done = await made(house, exporting, profile=profile)
    assert [s["text"] for s in stories_in(done)] == [f"For {profile.purpose.value} only."]
    assert done.rows == 1


async def test_an_edited_revoked_expired_or_withdrawn_story_is_absent_from_the_next_export(
    house: World, exporting: Exporting
) -> None:
    stays, edited, revoked, gone = [
        await approved(house, words=f"Story {word}.") for word in ("stays", "edited", "rev", "gone")
    ]
    short = await house.teller(words="Story short.", days=1)
    await house.approve(short)
    assert (await made(house, exporting)).rows == 5
    edited.stories[0].parts[StoryOf.SELF].tell("Other.", Origin.EDITED, house.clock.now())
    edited.stories[0].void_releases(house.clock.now(), "edited")
    revoked.stories[0].void_releases(house.clock.now(), "revoked")
    for folder in (edited, revoked):
        await house.save(folder)
    await withdraw(house, gone)
    house.clock.passes(days=2)
    done = await made(house, exporting)
    assert [s["story"] for s in stories_in(done)] == [stays.stories[0].id]


async def test_identities_are_never_in_any_file_and_names_only_as_chosen(
    house: World, exporting: Exporting
) -> None:
    named = await approved(house, name="A neighbour")
    nameless = await approved(house, words="Another.")
    done = await made(house, exporting, *Format)
    held = everything_in(done.path)
    assert {s["name"] for s in stories_in(done)} == {"A neighbour", ""}
    for folder in (named, nameless):
        for secret in (
            folder.resident.id, str(folder.identity.telegram_id), folder.identity.name
        ):  # fmt: skip
            assert secret not in held


async def test_filters_narrow_an_export_and_stand_in_its_manifest(
    house: World, exporting: Exporting
) -> None:
    one, two = await house.teller(words="About housing."), await house.teller(words="Of water.")
    await house.approve(one, labels=[("theme", "housing")])
    await house.approve(two, labels=[("theme", "water")])
    done = await exporting.export(
        CONSOLE, Profile.PUBLIC, [Format.JSONL], out(house), Wanted(theme="water")
    )
    assert [s["story"] for s in stories_in(done)] == [two.stories[0].id]
    with zipfile.ZipFile(done.path) as held:
        assert json.loads(held.read("manifest.json"))["filters"] == {"theme": "water"}


# -- how it is written --------------------------------------------------------------------------


async def test_the_manifest_counts_and_hashes_every_file(
    house: World, exporting: Exporting
) -> None:
    await approved(house)
    done = await made(house, exporting, *Format)
    with zipfile.ZipFile(done.path) as held:
        manifest = json.loads(held.read("manifest.json"))
        assert set(held.namelist()) == {*manifest["files"], "manifest.json"}
        for name, told in manifest["files"].items():
            content = held.read(name)
            assert told == {
                "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()
            }, name  # fmt: skip
        ledger = list(csv.DictReader(io.StringIO(held.read("consent.csv").decode("utf-8-sig"))))
    assert (manifest["rows"], manifest["purpose"]) == (1, "public_library")
    assert set(manifest["files"]) >= {
        "stories.csv", "stories.jsonl", "stories.md", "stories-0001.docx", "cards-0001.docx",
        "consent.csv", "coverage.csv", "codebook.md",
    }  # fmt: skip
    assert ledger[0]["purposes"] == "public_library" and "We stayed" not in str(ledger)
    assert done.size == done.path.stat().st_size


async def test_wicked_text_is_harmless_in_every_format_and_comes_back(
    house: World, exporting: Exporting
) -> None:
    await approved(house, words=WICKED, name="@SUM(A1)")
    done = await made(house, exporting, *Format)
    (story,) = stories_in(done)
    assert story["text"] == WICKED
    with zipfile.ZipFile(done.path) as held:
        assert not [n for n in held.namelist() if "/" in n or ".." in n or n.startswith(".")]
        (row,) = csv.DictReader(
            io.StringIO(held.read("stories.csv").decode("utf-8-sig"), newline="")
        )
        assert from_cell(row["text"]) == WICKED and from_cell(row["name"]) == "@SUM(A1)"
        assert not [v for v in row.values() if v.startswith(("=", "+", "-", "@", "\t", "\r"))]
        quoted = [x for x in held.read("stories.md").decode().split("\n") if x.startswith(">")]
        assert from_markdown("\n".join(quoted)) == WICKED
        told = docx.Document(io.BytesIO(held.read("stories-0001.docx"))).paragraphs
        paragraphs = [p.text for p in told if p.style is not None and p.style.name == "Normal"]
        assert as_it_was("\n\n".join(paragraphs)) == WICKED
        docx.Document(io.BytesIO(held.read("cards-0001.docx")))


async def test_a_card_is_a_page_and_long_stories_get_smaller_letters(
    house: World, exporting: Exporting
) -> None:
    for number in range(3):
        await approved(house, words=f"Story {number}. " + "We stayed. " * 100 * number)
    done = await made(house, exporting, Format.CARDS)
    with zipfile.ZipFile(done.path) as held:
        cards = docx.Document(io.BytesIO(held.read("cards-0001.docx")))
    assert cards.element.xml.count('w:type="page"') == 2
    assert card_points(30) > card_points(300) > card_points(900) >= 6


async def test_what_stands_below_a_story_is_in_its_own_language(
    house: World, exporting: Exporting
) -> None:
    for language in ("en", "es"):
        folder = await house.teller(language=language, name="Rosa")
        await house.approve(folder)
    done = await made(house, exporting, Format.MARKDOWN)
    with zipfile.ZipFile(done.path) as held:
        text = held.read("stories.md").decode()
    assert "- Told by Rosa" in text and "- La cuenta Rosa" in text


async def test_documents_are_split_and_hold_every_story(
    house: World, exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.exporting.formats.STORIES_A_DOCUMENT", 2)
    for number in range(5):
        await approved(house, words=f"Story number {number} of five.")
    done = await made(house, exporting, Format.DOCX)
    with zipfile.ZipFile(done.path) as held:
        names = [n for n in held.namelist() if n.endswith(".docx")]
        texts = [p.text for n in names for p in docx.Document(io.BytesIO(held.read(n))).paragraphs]
    assert len(names) == 3
    assert all(f"Story number {number} of five." in texts for number in range(5))


async def test_small_numbers_are_not_in_the_coverage_table(
    house: World, exporting: Exporting
) -> None:
    for number in range(12):
        await approved(house, words=f"Story {number}.")
    for _ in range(3):
        folder = await house.teller(words="A story to be taken back.")
        await withdraw(house, folder)
    done = await made(house, exporting, Format.CSV)
    with zipfile.ZipFile(done.path) as held:
        rows = list(csv.reader(io.StringIO(held.read("coverage.csv").decode("utf-8-sig"))))
    shown = {row[1]: row[2] for row in rows}
    assert shown["withdrawn by its teller"] == ""
    assert not [n for n in shown.values() if n.isdecimal() and 0 < int(n) < 10]


# -- whole or not at all ------------------------------------------------------------------------


class Breaking(Archives):
    """Archives that fail, or let something happen, at one step."""

    def __init__(self, step: str, happens: object) -> None:
        super().__init__(catalogue().text)
        self.step, self.happens = step, happens

    def begin(self, path: str, formats: Sequence[Format]) -> Archive:
        archive, happens = super().begin(path, formats), self.happens
        step = getattr(archive, self.step)

        def wrapped(*given: object) -> object:
            result = step(*given)
            happens()  # type: ignore[operator]
            return result

        setattr(archive, self.step, wrapped)
        return archive


@pytest.mark.parametrize("step", ["add", "seal", "publish"])
async def test_an_export_that_fails_leaves_nothing_that_looks_whole(
    house: World, step: str
) -> None:
    await approved(house)

    def fails() -> None:
        raise OSError(28, "No space left on device")

    exporting = Exporting(house.store, Breaking(step, fails), house.clock, house.new_id)
    with pytest.raises(OSError, match="No space"):
        await made(house, exporting)
    assert list(out(house).iterdir()) == []
    async with house.store.work() as work:
        assert await work.library.exports() == []


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize(("step", "is_finished"), [("add", 0), ("seal", 0), ("publish", 1)])
async def test_after_a_crash_an_export_is_finished_or_gone(
    house: World, step: str, is_finished: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(house)

    def dies() -> None:
        raise Killed

    async def nothing(*_: object) -> None:
        return None

    exporting = Exporting(house.store, Breaking(step, dies), house.clock, house.new_id)
    monkeypatch.setattr(exporting, "_give_up", nothing)
    with pytest.raises(Killed):
        await made(house, exporting)
    for folder in out(house).glob(".*"):
        (folder / "lock").unlink()  # as the system lets go of a dead process's locks
    again = Exporting(house.store, Archives(catalogue().text), house.clock, house.new_id)
    assert await again.recover() == 1
    assert len(list(out(house).iterdir())) == is_finished
    assert len(await again.exports(EXPORTER)) == is_finished


async def test_an_export_being_written_elsewhere_is_left_alone(
    house: World, exporting: Exporting
) -> None:
    await approved(house)
    seen: list[int] = []

    async def look() -> None:
        seen.append(await exporting.recover())

    record = await exporting._begin(EXPORTER, Profile.PUBLIC, (Format.CSV,), out(house), Wanted())
    archive = Archives(catalogue().text).begin(record.path, [Format.CSV])
    await look()
    archive.discard()
    await look()
    assert seen == [0, 1]


async def test_a_story_taken_back_while_it_is_written_is_not_in_the_file(
    house: World,
) -> None:
    stays, leaves = await approved(house), await approved(house, words="Taken back.")
    left: list[Folder] = [leaves]

    class Meddling(Exporting):
        async def _sealed(self, record: object) -> bool:
            if left:
                await withdraw(house, left.pop())
            return await super()._sealed(record)  # type: ignore[arg-type]

    exporting = Meddling(house.store, Archives(catalogue().text), house.clock, house.new_id)
    done = await made(house, exporting)
    assert [s["story"] for s in stories_in(done)] == [stays.stories[0].id]
    assert [p.name for p in out(house).iterdir()] == [done.path.name]


async def test_a_story_taken_back_between_sealing_and_naming_is_not_in_the_file(
    house: World,
) -> None:
    stays, leaves = await approved(house), await approved(house, words="Taken back.")
    left: list[Folder] = [leaves]

    class Meddling(Exporting):
        async def _noted(self, record: object) -> bool:
            if left:
                await withdraw(house, left.pop())
            return await super()._noted(record)  # type: ignore[arg-type]

    done = await made(
        house, Meddling(house.store, Archives(catalogue().text), house.clock, house.new_id)
    )
    assert [s["story"] for s in stories_in(done)] == [stays.stories[0].id]
    assert [p.name for p in out(house).iterdir()] == [done.path.name]


async def test_who_loses_the_right_half_way_exports_nothing(house: World) -> None:
    for number in range(3):
        await approved(house, words=f"Story {number}.")

    class Revoked(Archives):
        pass

    exporting = Exporting(house.store, Revoked(catalogue().text), house.clock, house.new_id)
    pages = exporting._page

    async def page(*given: object) -> tuple[list[LibraryEntry], list[LibraryEntry]]:
        found = await pages(*given)  # type: ignore[arg-type]
        async with house.store.work() as work:
            await work.roles.revoke(EXPORTER, house.clock.now())
            await work.commit()
        return found

    exporting._page = page  # type: ignore[method-assign]
    with pytest.raises(NotAllowed):
        await made(house, exporting)
    assert list(out(house).iterdir()) == []


# -- afterwards ---------------------------------------------------------------------------------


async def test_a_teller_is_told_once_of_each_kind_of_export_and_sees_it(
    house: World, exporting: Exporting
) -> None:
    folder = await approved(house, Purpose.PUBLIC_LIBRARY, Purpose.PARTNER_LIBRARY)
    librarian = Librarian(house.store, house.clock, Index(), Home(house.home))
    for profile in (Profile.PUBLIC, Profile.PUBLIC, Profile.PARTNER):
        await made(house, exporting, profile=profile)
        await librarian.sweep()
    assert (await house.told_to(folder)).count("review.told.exported") == 2
    (been,) = await Library(house.store, house.clock).where(folder.identity.chat_id)
    assert [(p.what, p.profile) for p in been.places][-1] == ("exported", "partner")


async def test_a_withdrawal_erases_our_own_files_and_lists_the_others(
    house: World, exporting: Exporting, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, other = await approved(house, words="Taken back."), await approved(house)
    ours = await made(house, exporting)
    away = tmp_path_factory.mktemp("elsewhere")
    theirs = await exporting.export(EXPORTER, Profile.PUBLIC, [Format.CSV], away)
    assert await exporting.to_destroy(EXPORTER) == []
    received = house.home / "received" / "503"
    received.mkdir(parents=True)
    for done in (ours, theirs):  # as the terminal hands files over
        (received / done.path.name).write_bytes(done.path.read_bytes())
    await withdraw(house, folder)
    librarian = Librarian(house.store, house.clock, Index(), Home(house.home))
    assert {r.place: r.count for r in await librarian.finish()}["files"] == 1
    assert not ours.path.exists() and theirs.path.exists()
    assert list(received.iterdir()) == []
    left = await exporting.to_destroy(EXPORTER)
    assert [(x.export_id, x.is_erased_here, x.because) for x in left] == [
        (ours.id, True, "withdrawn"),
        (theirs.id, False, "withdrawn"),
    ]
    assert await exporting.acknowledge(EXPORTER, theirs.id) == 1
    with pytest.raises(ExportRefused, match="No export"):
        await exporting.acknowledge(EXPORTER, theirs.id)
    assert [x.export_id for x in await exporting.to_destroy(EXPORTER)] == [ours.id]
    assert stories_in(await made(house, exporting))[0]["story"] == other.stories[0].id


@pytest.mark.parametrize("who", [REVIEWER, APPROVER, INVITER, ORGANIZER, NOBODY])
async def test_without_the_right_nothing_is_exported_listed_or_acknowledged(
    house: World, exporting: Exporting, who: int
) -> None:
    await approved(house)
    for trying in (
        exporting.export(who, Profile.PUBLIC, [Format.CSV], out(house)),
        exporting.exports(who),
        exporting.to_destroy(who),
        exporting.acknowledge(who, "x"),
        exporting.count(who, Profile.PUBLIC),
    ):
        with pytest.raises(NotAllowed):
            await trying
    assert not out(house).exists()

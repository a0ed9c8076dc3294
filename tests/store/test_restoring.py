"""Restoring brings nobody's withdrawn words back, posts nothing twice, and breaks nothing."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

import bot.store.restore as store_restore
from bot.core.consent import ModelConsent, Offer, Purpose
from bot.core.narrative import StoryOf
from bot.core.story import Folder
from bot.store import neutral
from bot.store.backup import back_up
from bot.store.database import SqlStore, open_store
from bot.store.restore import Told, restore
from bot.usecases.backing_up import BackingUp, Settling
from bot.usecases.backup_ports import BadBackup, HoldsErased, Restored, Since
from bot.usecases.people import CONSOLE, People
from bot.usecases.ports import OutboxItem, StoreUnavailable, UnitOfWork
from bot.usecases.staff import Staff
from tests.fakes import FixedClock, catalogue
from tests.store.filling import held
from tests.store.places import ON_DISK, everything_held
from tests.store.samples import NOW, a_release, an_update
from tests.store.test_backup import fresh, within
from tests.usecases.library_world import HOLDERS, World
from tests.usecases.pushing_world import ORGANIZER, plan, weekly
from tests.usecases.pushing_world import World as Pushers

CLOCK = FixedClock()
BOOK = catalogue()


@pytest.fixture(params=ON_DISK)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    CLOCK.at = FixedClock().at
    (tmp_path / "data").mkdir()
    return fresh(request.param, tmp_path / "data")


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    store = await open_store(url)
    assert isinstance(store, SqlStore)
    yield World(Path(), store, CLOCK)
    await store.close()


def a_number() -> str:
    return os.urandom(16).hex()


async def backed_up(url: str, path: Path, backup_id: str = "b-1") -> Path:
    CLOCK.passes(minutes=1)
    await back_up(url, path, backup_id, CLOCK.now(), lambda done, total: None)
    CLOCK.passes(hours=1)
    return path


async def restored(url: str, path: Path, *, replace: bool = True) -> Restored:
    settle = Settling(BOOK, a_number).settle
    done = await restore(url, path, Told(replace, CLOCK.now(), settle, lambda done, total: None))
    store = await open_store(url)
    await store.scrub(CLOCK.now())
    await store.close()
    return done


class People5:
    """Five tellers whose stories are approved, as a backup finds them."""

    def __init__(self, folders: Sequence[Folder]) -> None:
        self.stays, self.withdraws, self.forgets, self.revokes, self.edits = folders

    @classmethod
    async def begin(cls, w: World) -> People5:
        for telegram_id, rights in HOLDERS.items():
            await w.grant(telegram_id, rights)
        w.new_id = a_number  # type: ignore[method-assign]
        words = ("marigold", "periwinkle", "quetzalcoatlus", "crocus", "bluebell")
        tellers = [await w.teller(words=f"At noon the {word} stood at my door.") for word in words]
        for teller in tellers:
            await w.approve(teller)
        return cls(tellers)

    async def change_their_minds(self, w: World) -> None:
        staff = Staff(w.store, BOOK, CLOCK, a_number)
        await staff.withdraw(self.withdraws.stories[0].id)
        await staff.forget(self.forgets.resident.id)
        async with w.store.work() as work:
            for teller, because in ((self.revokes, "revoked"), (self.edits, "edited")):
                (folder,) = await work.folders.by_reference(teller.resident.id)
                folder.stories[0].void_releases(CLOCK.now(), because)
                await work.folders.save(folder)
            await work.commit()
        CLOCK.passes(minutes=5)

    async def standing(self, w: World) -> list[str]:
        """Where each story stands: gone, withdrawn, draft or submitted; and in the library."""
        said = []
        async with w.store.work() as work:
            for teller in (self.stays, self.withdraws, self.forgets, self.revokes, self.edits):
                found = await work.folders.story(teller.stories[0].id)
                if found is None:
                    said.append("gone")
                    continue
                story = next(s for s in found[0].stories if s.id == found[1])
                entry = await work.library.entry_of(story.id, CLOCK.now())
                said.append(story.status + (" approved" if entry else ""))
        return said


APPROVED = ["submitted approved"] * 5
SETTLED = ["submitted approved", "withdrawn", "gone", "draft", "draft"]


async def test_what_was_taken_back_since_does_not_come_back(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        assert await people.standing(w) == APPROVED
        await people.change_their_minds(w)
        newcomer = await w.teller(words="Told after the backup.")
        trail = len(await w.trail())
    done = await restored(url, path)
    assert (done.knew, done.stories, done.residents, done.releases) == ("everything", 1, 1, 2)
    async with world(url) as w:
        assert await people.standing(w) == SETTLED
        everything = await everything_held(w.store)
        for word in ("periwinkle", "quetzalcoatlus"):
            assert word not in everything
        for word in ("marigold", "crocus", "bluebell"):
            assert word in everything, "who revoked a use still has their story"
        assert newcomer.resident.id not in everything
        assert len(await w.trail()) > trail, "what happened stays known"
    for file in (tmp_path / "data").iterdir():
        assert b"periwinkle" not in file.read_bytes() and b"Told after" not in file.read_bytes()


async def test_ended_permissions_ended_when_they_did(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        at = CLOCK.now()
        await people.change_their_minds(w)
    await restored(url, path)
    async with world(url) as w, w.store.work() as work:
        (folder,) = await work.folders.by_reference(people.revokes.resident.id)
        (release,) = folder.stories[0].releases
        assert (release.ended_at, release.ended_because) == (at, "revoked")
        (folder,) = await work.folders.by_reference(people.withdraws.resident.id)
        assert folder.stories[0].withdrawn_at == at


async def test_words_lent_to_organizers_and_taken_back_since_are_not_lent_again(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        lends, takes_back = [await w.teller(words=f"Story {n}.") for n in (1, 2)]
        async with w.store.work() as work:
            for teller in (lends, takes_back):
                (folder,) = await work.folders.by_reference(teller.resident.id)
                story, until = folder.stories[0], CLOCK.now() + timedelta(days=90)
                release = replace(
                    a_release(a_number(), story.parts[StoryOf.SELF].text),
                    purposes=frozenset({Purpose.FOLLOW_UP}),
                    expires_at=until,
                )
                story.offers = [Offer(release, "us-who-came", "Who came?", (("g1", "Hill"),))]
                await work.folders.save(folder)
            await work.commit()
        path = await backed_up(url, tmp_path / "a.backup")
        at = CLOCK.now()
        async with w.store.work() as work:
            (folder,) = await work.folders.by_reference(takes_back.resident.id)
            folder.stories[0].offers = [o.ended(at, "revoked") for o in folder.stories[0].offers]
            await work.folders.save(folder)
            await work.commit()
        CLOCK.passes(minutes=5)
    await restored(url, path)
    async with world(url) as w, w.store.work() as work:
        (folder,) = await work.folders.by_reference(takes_back.resident.id)
        (offer,) = folder.stories[0].offers
        assert (offer.release.ended_at, offer.release.ended_because) == (at, "revoked")
        (folder,) = await work.folders.by_reference(lends.resident.id)
        assert folder.stories[0].live_offer(CLOCK.now()) is not None


async def test_restoring_again_and_again_ends_the_same(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        await people.change_their_minds(w)
    for _ in range(2):
        assert (await restored(url, path)).knew == "everything"
        async with world(url) as w:
            assert await people.standing(w) == SETTLED


async def test_a_database_that_did_not_know_the_backup_tells_what_it_knows(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        first = await backed_up(url, tmp_path / "a.backup", "b-1")
        second = await backed_up(url, tmp_path / "b.backup", "b-2")
        later = await w.teller(words="A story of Tuesday.")
        third = await backed_up(url, tmp_path / "c.backup", "b-3")
    (tmp_path / "other").mkdir()
    elsewhere = fresh(ON_DISK[0], tmp_path / "other")
    await restored(elsewhere, first)
    async with world(elsewhere) as w:
        await people.change_their_minds(w)
    trails = []
    for path in (second, third):
        done = await restored(elsewhere, path)
        assert (done.knew, done.stories, done.residents, done.releases) == ("some", 1, 1, 2)
        async with world(elsewhere) as w:
            assert await people.standing(w) == SETTLED
            trails.append([(e.who_sha256, e.what, e.about) for e in await w.trail()])
    assert len([e for e in trails[0] if e[1] == "joined"]) == 5, "nothing stands there twice"
    async with world(elsewhere) as w:
        found = later.resident.id in await everything_held(w.store)
    assert found, "what it never heard of is not taken for withdrawn"


async def test_without_the_newer_database_nothing_is_known_and_that_is_said(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        await people.change_their_minds(w)
    (tmp_path / "other").mkdir()
    elsewhere = fresh(ON_DISK[0], tmp_path / "other")
    done = await restored(elsewhere, path, replace=False)
    assert (done.knew, done.stories, done.residents, done.releases) == ("nothing", 0, 0, 0)
    async with world(elsewhere) as w:
        assert await people.standing(w) == APPROVED


# -- which backups hold what was erased since -----------------------------------------------------


async def test_backups_that_hold_what_was_taken_back_since_are_listed_until_answered_for(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        verbs = BackingUp(w.store, CLOCK)
        assert await verbs.holding_erased(CONSOLE) == []
        await people.change_their_minds(w)
        after = await backed_up(url, tmp_path / "b.backup", "b-2")
        (owed,) = await verbs.holding_erased(CONSOLE)
        assert (owed.backup.path, owed.stories, owed.people) == (str(path), 2, 1)
        newcomer = await w.teller(words="Told after both.")
        await Staff(w.store, BOOK, CLOCK, a_number).forget(newcomer.resident.id)
        assert await verbs.holding_erased(CONSOLE) == [owed], "they never were in either"
        await verbs.acknowledge(CONSOLE, "b-1")
        assert await verbs.holding_erased(CONSOLE) == []
        assert [b.path for b in await verbs.all(CONSOLE)] == [str(after), str(path)]


async def test_they_are_still_listed_after_restoring(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        await people.change_their_minds(w)
        await backed_up(url, tmp_path / "b.backup", "b-2")
    await restored(url, path)
    async with world(url) as w:
        held: list[HoldsErased] = await BackingUp(w.store, CLOCK).holding_erased(CONSOLE)
        assert [one.backup.id for one in held] == ["b-1"]
        assert {b.id for b in await BackingUp(w.store, CLOCK).all(CONSOLE)} == {"b-1", "b-2"}


# -- what waited when the backup was made ---------------------------------------------------------


async def test_no_group_gets_a_post_twice(url: str, tmp_path: Path) -> None:
    """One prompt waited when the backup was made, one fell due after it; both were posted."""
    store = await open_store(url)
    pushers = Pushers(store)
    await pushers.allow(ORGANIZER)
    hill, quay = await pushers.add_groups("Hill", "Quay")
    await pushers.organizers.push(ORGANIZER, plan(weekly(pushers, 1), hill))
    await pushers.organizers.push(ORGANIZER, plan(weekly(pushers, 2), quay))
    pushers.time += timedelta(hours=8)
    assert (await pushers.pushing.tick()).posted == 1
    CLOCK.at = pushers.time
    path = await backed_up(url, tmp_path / "a.backup")
    await pushers.send_all()
    pushers.time += timedelta(days=1)
    assert (await pushers.pushing.tick()).posted == 1
    await pushers.send_all()
    await store.close()
    CLOCK.at = pushers.time
    done = await restored(url, path)
    assert (done.kept_back, done.schedules) == (1, 2)
    store = await open_store(url)
    pushers = Pushers(store, pushers.time)
    pushers.ids = itertools.count(1000)
    assert (await pushers.pushing.tick()).posted == 0
    assert await pushers.pushes() == []
    notices = await pushers.notices()
    assert notices, "the organizer hears of the post whose fate nobody knows"
    pushers.time += timedelta(days=6)
    assert (await pushers.pushing.tick()).posted == 1, "next week goes on as planned"
    await store.close()


async def test_messages_and_replies_that_waited_are_not_lost(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        async with w.store.work() as work:
            await work.inbox.put(an_update(1, 7001, "waits"))
            await work.inbox.put(an_update(2, 7001, "is done"))
            await work.inbox.done([2], NOW)
            await work.outbox.add([OutboxItem(7001, {"n": 1}), OutboxItem(7001, {"n": 2})])
            await work.outbox.sent(1, 11)
            await work.commit()
        path = await backed_up(url, tmp_path / "a.backup")
        async with w.store.work() as work:
            await work.inbox.done([1], NOW)
            await work.outbox.sent(2, 12)
            await work.outbox.add([OutboxItem(7001, {"n": 3})])
            await work.commit()
    await restored(url, path)
    async with world(url) as w, w.store.work() as work:
        assert [item.payload for item in await work.inbox.waiting()] == ["waits"]
        assert [item.body for item in await work.outbox.waiting()] == [{"n": 2}]
        assert not await work.inbox.put(an_update(2, 7001, "again")), "handled once is handled"
        assert await work.outbox.add([OutboxItem(7001, {"n": 4})]) == [4], "3 was given out"


async def test_rights_and_invitations_are_as_they_were_last(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = People(w.store, CLOCK, a_number)
        await w.grant(1, frozenset({"review"}))
        used = await people.invite(CONSOLE, frozenset({"organize"}))
        path = await backed_up(url, tmp_path / "a.backup")
        async with w.store.work() as work:
            await work.roles.revoke(1, CLOCK.now())
            await work.commit()
        await w.grant(2, frozenset({"organize"}))
        await people.accept(3, used.token)
    await restored(url, path)
    async with world(url) as w:
        async with w.store.work() as work:
            holders = {g.telegram_id for g in await work.roles.holders()}
        assert holders == {2, 3}
        assert await People(w.store, CLOCK, a_number).accept(4, used.token) is None
    (tmp_path / "other").mkdir()
    elsewhere = fresh(ON_DISK[0], tmp_path / "other")
    assert (await restored(elsewhere, path)).invitations == 1
    async with world(elsewhere) as w:
        assert await People(w.store, CLOCK, a_number).accept(4, used.token) is None


async def test_a_no_to_a_model_stays_a_no(url: str, tmp_path: Path) -> None:
    yes = ModelConsent(True, "api.openai.com", "2026-11", "en", CLOCK.now())
    async with world(url) as w:
        folder = w.folder()
        folder.resident.model = yes
        await w.save(folder)
        path = await backed_up(url, tmp_path / "a.backup")
        folder.resident.model = no = replace(yes, agreed=False)
        await w.save(folder)
    await restored(url, path)
    async with world(url) as w, w.store.work() as work:
        (found,) = await work.folders.by_reference(folder.resident.id)
        assert found.resident.model == no


async def test_a_post_that_shows_a_story_can_still_be_taken_down(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        people = await People5.begin(w)
        story = people.stays.stories[0].id
        path = await backed_up(url, tmp_path / "a.backup")
        async with w.store.work() as work:
            post = OutboxItem(-1001, {"lines": []}, repeatable=False, story=story)
            (item,) = await work.outbox.add([post])
            await work.outbox.sent(item, 77)
            await work.commit()
    await restored(url, path)
    async with world(url) as w:
        await Staff(w.store, BOOK, CLOCK, a_number).withdraw(story)
        async with w.store.work() as work:
            waiting = [i for i in await work.outbox.waiting() if i.chat_id == -1001]
            assert [i.body["kind"] for i in waiting] == ["take_down"]
            assert await work.outbox.message_of(item) == 77


async def test_what_belongs_to_machines_is_in_no_backup_and_stays_as_it_is(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neutral, "KEPT", neutral.KEPT - {"keyboards"})
    monkeypatch.setattr(store_restore, "STAYS", frozenset({"keyboards"}))
    async with world(url) as w:
        await People5.begin(w)
        async with w.store.work() as work:
            await work.outbox.set_keyboard(7001, 1)
            await work.commit()
        path = await backed_up(url, tmp_path / "a.backup")
        async with w.store.work() as work:
            await work.outbox.set_keyboard(7001, 2)
            await work.commit()
    assert b'"keyboards"' not in gzip.decompress(path.read_bytes())
    await restored(url, path)
    async with world(url) as w, w.store.work() as work:
        assert await work.outbox.keyboard(7001) == 2


# -- refusals and failures ------------------------------------------------------------------------


async def test_a_database_that_holds_something_is_replaced_only_when_told(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        await People5.begin(w)
    path = await backed_up(url, tmp_path / "a.backup")
    before = await within(url, held)
    with pytest.raises(StoreUnavailable, match=r"is not empty; nothing was changed\. `--replace`"):
        await restored(url, path, replace=False)
    assert await within(url, held) == before


async def test_a_damaged_file_is_found_before_anything_is_touched(url: str, tmp_path: Path) -> None:
    async with world(url) as w:
        await People5.begin(w)
    path = await backed_up(url, tmp_path / "a.backup")
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    before = await within(url, held)
    with pytest.raises(BadBackup):
        await restored(url, path)
    assert await within(url, held) == before


async def test_a_restore_that_fails_at_its_end_leaves_the_old_database_whole(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        await w.teller(words="Told after the backup.")
    before = await within(url, held)

    async def breaks(work: UnitOfWork, since: Since) -> None:
        assert await work.folders.by_reference("nobody") == []
        raise StoreUnavailable("broken on purpose")

    with pytest.raises(StoreUnavailable, match="broken on purpose"):
        await restore(url, path, Told(True, CLOCK.now(), breaks, lambda done, total: None))
    assert await within(url, held) == before


KILLED = """
import asyncio, os, sys
from datetime import UTC, datetime
from pathlib import Path
from bot.store.restore import Told, restore

async def dies(work, since):
    os.kill(os.getpid(), 9)

told = Told(True, datetime.now(UTC), dies, lambda done, total: None)
asyncio.run(restore(sys.argv[1], Path(sys.argv[2]), told))
"""


async def test_a_restore_killed_at_its_end_leaves_the_old_database_whole(
    url: str, tmp_path: Path
) -> None:
    async with world(url) as w:
        await People5.begin(w)
        path = await backed_up(url, tmp_path / "a.backup")
        await w.teller(words="Told after the backup.")
    before = await within(url, held)
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, url, str(path)], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert await within(url, held) == before
    await restored(url, path)


async def test_a_database_that_a_crew_works_on_is_not_replaced(tmp_path: Path) -> None:
    if "postgresql" not in ON_DISK:
        pytest.skip("no PostgreSQL here")
    url = fresh("postgresql", tmp_path)
    async with world(url) as w:
        await People5.begin(w)
    path = await backed_up(url, tmp_path / "a.backup")

    def one_works(connection: Connection) -> Any:
        connection.exec_driver_sql(
            "INSERT INTO crew VALUES ('somebody', clock_timestamp() + interval '1 minute')"
        )

    await within(url, one_works)
    with pytest.raises(StoreUnavailable, match="1 process works on the database"):
        await restored(url, path)

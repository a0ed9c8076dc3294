"""`coach prompts`: what an organizer does, from the command line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.consent import AgeBand, Offer, Purpose
from bot.core.narrative import StoryOf
from bot.core.practice import Aim, Delivery, Schedule
from bot.core.schedule import Rule
from bot.store.database import open_store
from bot.usecases.ports import Group, OutboxItem
from tests.commands.shell import coach_here as coach
from tests.databases import database
from tests.store.samples import a_newcomer, a_release, a_story


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with two groups, one in Madrid and one nobody has set up."""
    home = tmp_path / "data"
    home.mkdir()

    async def save() -> None:
        store = await open_store(database(home))
        at = datetime(2026, 1, 1, tzinfo=UTC)
        async with store.work() as work:
            await work.groups.save(
                Group("g1", -1, "Hill [b]", "member", at, language="es", timezone="Europe/Madrid")
            )
            await work.groups.save(Group("g2", -2, "Quay", "left", at))
            await work.commit()
        await store.close()

    asyncio.run(save())
    return home


def test_the_library_is_listed_for_people_and_for_programs(home: Path) -> None:
    listed = coach(home, "prompts", "list", "--stage", "us", "--lang", "es")
    assert listed.code == 0
    assert "us-who-came" in listed.out
    rows = [json.loads(x) for x in coach(home, "prompts", "list", "--json").out.splitlines()]
    assert len(rows) >= 44
    assert {"id", "stage", "move", "season", "own", "texts"} == set(rows[0])


def test_a_dry_run_shows_the_post_the_times_and_who_is_left_out_and_does_nothing(
    home: Path,
) -> None:
    shown = coach(
        home, "prompts", "schedule", "self-nearly-quiet", "--at", "18:30", "--every", "month",
        "--on", "tue", "--nth", "2", "--from", "2031-01-01", "--group", "hill [B]", "--group",
        "g2", "--dry-run",
    )  # fmt: skip
    assert shown.code == 1, "a group that was left is not found"
    shown = coach(
        home, "prompts", "schedule", "self-nearly-quiet", "--at", "18:30", "--every", "month",
        "--on", "tue", "--nth", "2", "--from", "2031-01-01", "--all", "--dry-run",
    )  # fmt: skip
    assert shown.code == 0
    assert "Una vez de este mes" in shown.out
    assert "[Practicar en privado]" in shown.out
    assert "Hill [b] (Europe/Madrid): Tue 2031-01-14 18:30, Tue 2031-02-11 18:30" in shown.out
    assert "Nothing was done. It would go to 1 group." in shown.out
    assert coach(home, "prompts", "planned").out == "Nothing is planned.\n"


def test_a_push_is_planned_paused_resumed_skipped_and_ended(home: Path) -> None:
    made = coach(
        home, "prompts", "schedule", "us-who-came", "now-one-yes", "--at", "18:00", "--every",
        "2weeks", "--on", "mon,thu", "--tag", "north", "--json",
    )  # fmt: skip
    assert made.code == 1
    assert coach(home, "prompts", "groups", "Hill", "--tag", "North").code == 0
    made = coach(
        home, "prompts", "schedule", "us-who-came", "now-one-yes", "--at", "18:00", "--every",
        "2weeks", "--on", "mon,thu", "--tag", "north", "--json",
    )  # fmt: skip
    schedule = json.loads(made.out)["schedule"]
    for verb, said in (
        ("pause", "Now paused."),
        ("resume", "Now active."),
        ("skip", "Skipped: 20"),
        ("end", "Now ended."),
    ):
        assert coach(home, "prompts", verb, schedule).out.startswith(said)
    (row,) = coach(home, "prompts", "planned", "--ended", "--json").out.splitlines()
    assert json.loads(row)["state"] == "ended"
    assert coach(home, "prompts", "pause", schedule).code == 1


def test_an_own_prompt_is_written_pushed_and_retired(home: Path) -> None:
    made = coach(home, "prompts", "write", "Tell us about the stairs.", "--move", "us.who")
    assert made.code == 0
    assert "asks nothing yet" in made.err
    own = made.out.strip()
    pushed = coach(home, "prompts", "push", own, "--all", "--quiet", "21:00-08:00")
    assert "Pushed to 1 group as" in pushed.out
    assert coach(home, "prompts", "retire", own).code == 0
    assert coach(home, "prompts", "push", own, "--all").code == 1


def test_results_begin_empty_for_people_and_whole_for_programs(home: Path) -> None:
    assert coach(home, "prompts", "results").out.strip() == "Nothing was pushed yet."
    found = json.loads(coach(home, "prompts", "results", "--json").out)
    assert found["total"]["posted"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("push", "self-nearly-quiet"), 2),
        (("push", "nothing", "--all"), 1),
        (("push", "self-nearly-quiet", "--group", "Nowhere"), 1),
        (("push", "self-nearly-quiet", "--all", "--quiet", "late"), 2),
        (("schedule", "self-nearly-quiet", "--at", "18:00", "--all"), 2),
        (("schedule", "self-nearly-quiet", "--at", "18:00", "--every", "week", "--all"), 1),
        (("schedule", "self-nearly-quiet", "--at", "6pm", "--every", "week", "--all"), 2),
        (("list", "--stage", "them"), 2),
        (("groups", "Hill", "--timezone", "Mars/Base"), 1),
        (("write", "", "--move", "us.who"), 1),
        (("write", "When?", "--move", "link.thread"), 2),
    ],
)
def test_a_mistake_is_one_sentence(home: Path, arguments: tuple[str, ...], code: int) -> None:
    ended = coach(home, "prompts", *arguments)
    assert ended.code == code
    assert ended.out == ""
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("by", [(), ("--by", "week")])
def test_results_are_drawn_into_a_file(home: Path, by: tuple[str, ...]) -> None:
    picture = home.parent / "results.png"
    drawn = coach(home, "prompts", "results", "--picture", str(picture), "--lang", "es", *by)
    assert (drawn.code, drawn.out) == (0, f"Drawn: {picture}\n")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--picture", "no/such/folder/x.png"), 1, "cannot be written"),
        (("--picture", "x.png", "--by", "person"), 2, "There is no table by person"),
        (("--picture", "x.png", "--lang", "xx"), 2, "There are no words in xx"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_in_one_sentence(
    home: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    ended = coach(home, "prompts", "results", *options)
    assert ended.code == code and said in ended.err and ended.err.count("\n") == 1
    assert not (home.parent / "x.png").exists()


def followed_home(home: Path) -> None:
    """The group had a prompt, and somebody lends words for it."""

    async def save() -> None:
        store = await open_store(database(home))
        now = datetime.now(UTC)
        folder = a_newcomer()
        folder.resident.age_band = AgeBand.ADULT
        story = a_story("s-1", "She opened.")
        story.withdrawn_at, story.offers = None, []
        words = story.parts[StoryOf.SELF].text
        release = replace(
            a_release("off-1", words),
            purposes=frozenset({Purpose.FOLLOW_UP}),
            expires_at=now + timedelta(days=9),
        )
        story.offers = [Offer(release, "us-who-came", "Who came?", (("g1", "Hill [b]"),))]
        folder.stories = [story]
        plan = Schedule(
            "s", ("us-who-came",), Aim(), Rule.right_now(now), None, now, now, ended_at=now
        )
        async with store.work() as work:
            await work.folders.save(folder)
            await work.practice.save_schedule(plan)
            (item,) = await work.outbox.add([OutboxItem(-1, {}, urgency="push")])
            await work.outbox.sent(item, 5)
            made = Delivery(
                "d", "s", "now", "g1", "us-who-came", "es", "p_" + "x" * 22, now, now, item
            )
            await work.practice.claim([made], {"d"})
            await work.commit()
        await store.close()

    asyncio.run(save())


def test_groups_are_told_numbers_or_lent_words_once_and_the_fate_is_listed(home: Path) -> None:
    followed_home(home)
    offers = coach(home, "prompts", "offers", "us-who-came", "--json")
    (offer,) = [json.loads(line) for line in offers.out.splitlines()]
    assert offer["offer"] == "off-1" and offer["groups"] == ["Hill [b]"]
    assert "Amina" not in offers.out and "r-1" not in offers.out
    told = ("prompts", "tell", "us-who-came", "--offer", "off-1")
    dry = coach(home, *told, "--dry-run")
    assert offer["text"] in dry.out and "Nothing was done. It would go to 1 group." in dry.out
    assert coach(home, "prompts", "results", "--json").out.count('"with"') == 0
    done = coach(home, *told)
    assert done.code == 0 and "On its way to 1 group" in done.out
    again = coach(home, *told)
    assert again.code == 1 and "has had it already; nothing was posted" in again.err
    numbers = coach(home, "prompts", "tell", "us-who-came", "--json")
    assert json.loads(numbers.out)["posted"] == 1
    found = json.loads(coach(home, "prompts", "results", "--json").out)["follow_ups"]
    assert [(f["with"], f["waiting"]) for f in found] == [("words", 1), ("numbers", 1)]
    shown = coach(home, "prompts", "results").out
    assert "words" in shown and offer["text"] not in shown
    for what, says in (
        (["nope"], "There is no such prompt"),
        (["us-who-came", "--offer", "x"], "That is not offered"),
        (["now-one-yes"], "No group had that prompt"),
    ):
        refused = coach(home, "prompts", "tell", *what)
        assert refused.code == 1 and refused.err.startswith(says)

"""The report: told by tellers or named people, small numbers hidden, no words of any story."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.consent import Purpose
from bot.core.library import Label, LabelKind, safe_total, suppressed
from bot.core.report import CHARTS, Chart, Report, ReportStory, Tally
from bot.core.turn import Line
from bot.exporting.report_page import write_report
from bot.usecases.people import CONSOLE, NotAllowed
from bot.usecases.reporting import Reporting
from tests.commands.shell import coach_here
from tests.fakes import A_TUESDAY, catalogue
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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def chart(report: Report, name: str) -> dict[str, int | None]:
    (found,) = [c for c in report.charts if c.name == name]
    return {row.label: row.number for row in found.rows}


async def counted(house: World, number: int, *themes: str, **answers: str) -> None:
    for _ in range(number):
        folder = await house.teller(
            Purpose.AGGREGATE_COUNTS, Purpose.PUBLIC_LIBRARY, interpretation=answers
        )
        await house.approve(folder, labels=[("theme", t) for t in themes])


async def test_only_who_lets_their_story_be_counted_is_counted(house: World) -> None:
    await counted(house, 6, "housing", feeling="hope", conflict="over the rent")
    for _ in range(7):
        await house.approve(await house.teller(Purpose.PUBLIC_LIBRARY), labels=[("theme", "water")])
    report = await Reporting(house.store, house.clock).report(CONSOLE)
    assert report.stories == 6
    assert chart(report, "themes") == {"housing": 6}
    assert chart(report, "conflict") == {"named": 6}
    assert "rent" not in repr(report)


async def test_value_words_are_counted_as_told_and_never_translated(house: World) -> None:
    await counted(house, 5, value_words="water, home")
    await counted(house, 6, value_words="agua")
    report = await Reporting(house.store, house.clock).report(CONSOLE)
    assert chart(report, "values") == {"agua": 6, "home": 5, "water": 5}


async def test_small_numbers_are_hidden_five_for_staff_and_ten_for_everybody(
    house: World,
) -> None:
    await counted(house, 5, "housing")
    await counted(house, 4, "the one lighthouse")
    verbs = Reporting(house.store, house.clock)
    staff = await verbs.report(CONSOLE)
    assert chart(staff, "themes") == {"housing": 5}
    public = await verbs.report(CONSOLE, is_public=True)
    assert public.stories is None
    assert all(row.number in (None, 0) for c in public.charts for row in c.rows)
    assert "lighthouse" not in repr(staff) + repr(public)


async def test_returns_are_shared_out_by_reason_and_theme_for_staff_only(house: World) -> None:
    for _ in range(5):
        story = (await house.teller()).stories[0].id
        await house.reviewing.claim(REVIEWER, story)
        seen = (await house.reviewing.sheet(REVIEWER, story)).text_sha256
        await house.reviewing.return_(
            REVIEWER, story, seen, "accuses_private_person", "Who is meant?", ["landlords"]
        )
    verbs = Reporting(house.store, house.clock)
    report = await verbs.report(REVIEWER)
    assert chart(report, "returns_by_reason") == {"accuses_private_person": 5}
    assert chart(report, "returns_by_theme") == {"landlords": 5}
    assert chart(report, "decisions") == {"returned": 5}
    assert not (await verbs.report(REVIEWER, is_public=True)).charts


async def test_kinds_nobody_told_are_named_as_absent(house: World) -> None:
    await counted(house, 1)
    report = await Reporting(house.store, house.clock).report(CONSOLE)
    assert ("parts", "us") in report.absent and ("places", "rural") in report.absent
    assert ("parts", "self") not in report.absent


@pytest.mark.parametrize(
    ("who", "allowed"),
    [(REVIEWER, True), (APPROVER, True), (EXPORTER, True), (CONSOLE, True),
     (INVITER, False), (ORGANIZER, False), (NOBODY, False)],
)  # fmt: skip
async def test_the_report_is_for_staff(house: World, who: int, allowed: bool) -> None:
    verbs = Reporting(house.store, house.clock)
    if allowed:
        await verbs.report(who)
    else:
        with pytest.raises(NotAllowed):
            await verbs.report(who)


# -- numbers ------------------------------------------------------------------------------------

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), max_size=8)


@given(COUNTS, st.sampled_from([5, 10]))
def test_no_hidden_number_follows_from_the_total(counts: dict[str, int], smallest: int) -> None:
    shown, total = suppressed(counts, smallest), safe_total(counts, smallest)
    hidden = [name for name, number in shown.items() if number is None]
    assert not [n for n in shown.values() if n and n < smallest]
    if total is not None and hidden:
        assert len(hidden) >= 2
        assert total - sum(n for n in shown.values() if n) >= smallest


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from("xyz"))))
def test_a_free_word_said_by_few_is_in_no_report(told: list[tuple[str, str]]) -> None:
    tally = Tally()
    for number, (theme, value) in enumerate(told):
        labels = (Label(LabelKind.THEME, f"theme {theme}", "x"),)
        tally.add(
            ReportStory(
                str(number), "en", (), True, False, {"value_words": f"word {value}"}, labels
            )
        )
    report = tally.report(is_public=False)
    for word, times in [
        *((f"theme {t}", sum(a == t for a, _ in told)) for t in "abc"),
        *((f"word {v}", sum(b == v for _, b in told)) for v in "xyz"),
    ]:
        assert (word in repr(report)) == (times >= 5)


# -- the page -----------------------------------------------------------------------------------


def a_report() -> Report:
    """Every chart there may be, with wicked words where words are free."""
    tally = Tally()
    wicked = "<script>alert(1)</script>"
    for number in range(12):
        labels = tuple(Label(kind, wicked, "x") for kind in LabelKind if kind != LabelKind.PLACE)
        place = Label(LabelKind.PLACE, "city", "x")
        answers = {
            "feeling": "hope", "source": "lived", "commonness": "something else",
            "conflict": "none", "commitment_kept": "yes",
        }  # fmt: skip
        tally.add(ReportStory(str(number), "es", (), True, number > 5, answers, (*labels, place)))
        tally.returned("teller_at_risk", ["=1+1"])
        tally.decided("returned")
    tally.moved({"told": 6, "led": 2})
    return tally.report(is_public=False)


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_draws_every_chart_and_has_its_csv(tmp_path: Path, language: str) -> None:
    report = a_report()
    assert {c.name for c in report.charts} == set(CHARTS) - {"parts"}
    words = catalogue()

    def say(line: Line) -> str:
        return words.text(line, language)

    place = write_report(report, tmp_path, A_TUESDAY, language, say)
    page = (place / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page and f'lang="{language}"' in page
    for one in report.charts:
        ElementTree.parse(place / f"{one.name}.svg")
        rows = list(csv.reader(io.StringIO((place / f"{one.name}.csv").read_text("utf-8-sig"))))
        assert rows[0] == ["label", "stories"]
        assert say(Line(f"report.charts.{one.name}")) in page
    rows = list(csv.reader(io.StringIO((place / "returns_by_theme.csv").read_text("utf-8-sig"))))
    assert rows[1] == ["'=1+1", "12"]
    assert len(re.findall("<svg", page)) == len(report.charts)
    assert escape(say(Line("report.patterns"))) in page
    assert [p.name for p in tmp_path.iterdir()] == [place.name]


def test_a_page_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bot.exporting.report_page.Page.write_csv", fails)
    with pytest.raises(OSError, match="No space"):
        write_report(a_report(), tmp_path, A_TUESDAY, "en", lambda line: line.key)
    assert list(tmp_path.iterdir()) == []


def test_a_chart_of_many_bars_draws_the_first_and_lists_all(tmp_path: Path) -> None:
    tally = Tally()
    for number in range(40):
        label = Label(LabelKind.THEME, f"theme {number:02}", "x")
        for copy in range(5):
            tally.add(ReportStory(f"{number}-{copy}", "en", (), True, False, {}, (label,)))
    words = catalogue()
    place = write_report(
        tally.report(is_public=False), tmp_path, A_TUESDAY, "en", lambda x: words.text(x, "en")
    )
    assert (place / "themes.svg").read_text().count('class="b"') == 25
    assert len((place / "themes.csv").read_text().splitlines()) == 41


def test_the_command_writes_the_page_and_says_where(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    done = coach_here(home, "report", "--public", "--out", str(out), "--language", "es")
    assert done.code == 0 and Path(done.out.strip()).exists()
    assert "Las historias como datos" in Path(done.out.strip()).read_text()
    numbers = json.loads(coach_here(home, "report", "--json").out)
    assert numbers["stories"] == 0 and numbers["smallest"] == 5
    assert coach_here(home, "report", "--language", "fr").code == 2


def test_charts_have_no_total_where_it_would_tell() -> None:
    tally = Tally()
    for number in range(7):
        tally.add(ReportStory(str(number), "en" if number else "es", (), True, False))
    (found,) = [c for c in tally.report(is_public=False).charts if c.name == "languages"]
    assert isinstance(found, Chart)
    assert {r.label: r.number for r in found.rows} == {"en": None, "es": None}

"""Numbers about stories, asked of the database as a whole. No text leaves here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from bot.core.consent import Purpose
from bot.core.library import Coverage, Label, LabelKind, Profile, suppressed
from bot.core.narrative import StoryOf
from bot.core.report import ReportStory
from bot.core.story import StoryStatus
from bot.store.library_tables import library_entries, library_labels, reviews
from bot.store.tables import (
    erasures,
    releases,
    self_interpretations,
    stories,
    tellings,
)
from bot.store.transaction import Transaction


async def report_stories(
    transaction: Transaction, live: ColumnElement[bool], after: str, limit: int
) -> list[ReportStory]:
    """Live releases that permit counting, by release id above `after`; labels and answers only."""
    wanted: list[Any] = []
    while len(wanted) < limit:
        page = await transaction.read(
            select(
                releases.c.id,
                releases.c.story_id,
                releases.c.purposes,
                stories.c.language,
                stories.c.committed,
                stories.c.commitment_what,
                library_entries.c.release_id.label("approved"),
            )
            .select_from(
                releases.join(stories, stories.c.id == releases.c.story_id).outerjoin(
                    library_entries, library_entries.c.release_id == releases.c.id
                )
            )
            .where(live, releases.c.id > after)
            .order_by(releases.c.id)
            .limit(limit)
        )
        wanted += [row for row in page if Purpose.AGGREGATE_COUNTS.value in row.purposes]
        if len(page) < limit:
            break
        after = page[-1].id
    ids = [row.story_id for row in wanted]
    answers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in await transaction.read(
        select(self_interpretations).where(
            self_interpretations.c.story_id.in_(ids),
            self_interpretations.c.asserted_by == "teller",
        )
    ):
        answers[row.story_id][row.field] = row.answer
    labels: defaultdict[str, list[Label]] = defaultdict(list)
    for row in await transaction.read(
        select(library_labels).where(library_labels.c.release_id.in_([r.id for r in wanted]))
    ):
        labels[row.release_id].append(Label(LabelKind(row.kind), row.value, row.asserted_by))
    stages: defaultdict[str, set[str]] = defaultdict(set)
    for row in await transaction.read(
        select(tellings.c.story_id, tellings.c.stage)
        .where(tellings.c.story_id.in_(ids), tellings.c.text != "")
        .distinct()
    ):
        stages[row.story_id].add(row.stage)
    return [
        ReportStory(
            release_id=row.id,
            language=row.language,
            stages=tuple(s for s in StoryOf if s.value in stages[row.story_id]),
            is_approved=row.approved is not None,
            has_commitment=bool(row.committed and row.commitment_what),
            answers=answers[row.story_id],
            labels=tuple(labels[row.id]),
        )
        for row in wanted
    ]


async def coverage_rows(transaction: Transaction, profile: Profile, now: datetime) -> Coverage:
    """Stories by language, by part and by what became of them, small numbers hidden."""
    by_fate = await _fates(transaction, profile, now)
    languages = await _counted(
        transaction, stories.c.language, stories.c.status == StoryStatus.SUBMITTED.value
    )
    approved = await transaction.read(
        select(tellings.c.stage, func.count(tellings.c.story_id.distinct()).label("number"))
        .select_from(
            tellings.join(library_entries, library_entries.c.story_id == tellings.c.story_id)
        )
        .where(tellings.c.text != "")
        .group_by(tellings.c.stage)
    )
    stages = {s.value: 0 for s in StoryOf} | {row.stage: int(row.number) for row in approved}
    labelled = await transaction.read(
        select(library_labels.c.value, func.count().label("number"))
        .where(library_labels.c.kind == LabelKind.PLACE.value)
        .group_by(library_labels.c.value)
    )
    places = {row.value: int(row.number) for row in labelled}
    rows: list[tuple[str, str, int | None]] = []
    for what, counts in (
        ("what became of it", by_fate),
        ("language of released stories", languages),
        ("part told in approved stories", stages),
        ("place type of approved stories", places),
    ):
        rows += [
            (what, name, number) for name, number in suppressed(counts, profile.smallest).items()
        ]
    return Coverage(
        tuple(rows),
        (
            f"Numbers from 1 to {profile.smallest - 1} are left empty, and so is another where "
            "subtraction would give them away.",
            "Stories are self-selected: read these as patterns, not prevalence.",
        ),
    )


async def _fates(transaction: Transaction, profile: Profile, now: datetime) -> Mapping[str, int]:
    """How stories stand with respect to this profile."""
    statuses = await _counted(transaction, stories.c.status)
    fates: Counter[str] = Counter()
    last = ""
    while True:
        page = await transaction.read(
            select(
                releases.c.id,
                releases.c.purposes,
                library_entries.c.release_id.label("approved"),
            )
            .select_from(
                releases.join(stories, stories.c.id == releases.c.story_id).outerjoin(
                    library_entries, library_entries.c.release_id == releases.c.id
                )
            )
            .where(releases.c.id > last, releases.c.ended_at.is_(None), releases.c.expires_at > now)
            .order_by(releases.c.id)
            .limit(2000)
        )
        for row in page:
            if profile.purpose.value not in row.purposes:
                fates["released, but not for this use"] += 1
            elif row.approved is None:
                fates["released for this use, not approved"] += 1
            else:
                fates["approved for this use"] += 1
        if len(page) < 2000:
            break
        last = page[-1].id
    returned = await transaction.read(
        select(func.count(reviews.c.story_id.distinct()).label("number")).where(
            reviews.c.act == "returned"
        )
    )
    forgotten = await transaction.read(
        select(func.count(erasures.c.resident_sha256.distinct()).label("number")).where(
            erasures.c.place == "database"
        )
    )
    return {
        **fates,
        "kept private by its teller": statuses.get(StoryStatus.DRAFT.value, 0),
        "returned by staff at some time": int(returned[0].number),
        "withdrawn by its teller": statuses.get(StoryStatus.WITHDRAWN.value, 0),
        "tellers erased entirely": int(forgotten[0].number),
    }


async def _counted(
    transaction: Transaction, column: Any, where: ColumnElement[bool] | None = None
) -> dict[str, int]:
    query = select(column.label("name"), func.count().label("number")).group_by(column)
    rows = await transaction.read(query if where is None else query.where(where))
    return {row.name: int(row.number) for row in rows}

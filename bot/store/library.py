"""Review and library on SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, literal, or_, select, update

from bot.core.consent import Purpose
from bot.core.library import (
    ASK_BEFORE,
    Coverage,
    Label,
    LabelKind,
    LibraryEntry,
    Profile,
    Wanted,
)
from bot.core.narrative import StoryOf, count_words
from bot.core.report import ReportStory
from bot.core.review import ReviewState, Submission
from bot.core.story import StoryStatus
from bot.store.exports import SqlExports
from bot.store.library_counts import coverage_rows, report_stories
from bot.store.library_tables import (
    erasures_pending,
    export_items,
    exports,
    library_entries,
    library_labels,
    library_marks,
    library_news,
    reviews,
    submissions,
)
from bot.store.rows import release_of
from bot.store.sharing import SqlSharing
from bot.store.tables import releases, stories, tellings
from bot.store.transaction import Transaction
from bot.usecases.library_ports import (
    Approval,
    News,
    QueueLine,
    ReviewRecord,
)
from bot.usecases.ports import Conflict

OPEN = tuple(s.value for s in ReviewState if s not in (ReviewState.APPROVED, ReviewState.RETURNED))


def is_live(now: datetime) -> ColumnElement[bool]:
    """Releases in force at `now`, of stories nobody has taken back."""
    return and_(
        releases.c.ended_at.is_(None),
        releases.c.expires_at > now,
        stories.c.status == StoryStatus.SUBMITTED.value,
    )


class SqlLibrary(SqlExports, SqlSharing):
    """The port Library, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    # -- review ---------------------------------------------------------------------------------

    async def queue(self, now: datetime, limit: int = 200) -> list[QueueLine]:
        """Released stories that wait, are held or escalated; oldest release first."""
        found = await self._transaction.read(
            select(
                releases.c.story_id,
                releases.c.text,
                releases.c.purposes,
                releases.c.released_at,
                stories.c.language,
                submissions.c.state,
                submissions.c.not_by,
                submissions.c.claimed_until,
            )
            .select_from(
                releases.join(stories, stories.c.id == releases.c.story_id).outerjoin(
                    submissions, submissions.c.release_id == releases.c.id
                )
            )
            .where(
                is_live(now),
                or_(submissions.c.state.is_(None), submissions.c.state.in_(OPEN)),
            )
            .order_by(releases.c.released_at, releases.c.id)
            .limit(limit)
        )
        return [
            QueueLine(
                story_id=row.story_id,
                state=ReviewState(row.state or "waiting"),
                language=row.language,
                words=count_words(row.text),
                purposes=tuple(p.value for p in Purpose if p.value in row.purposes),
                submitted_at=row.released_at,
                is_second=row.not_by is not None,
                claimed_until=row.claimed_until
                if row.claimed_until and row.claimed_until > now
                else None,
            )
            for row in found
        ]

    async def submission(self, release_id: str) -> Submission | None:
        """What review has noted about a release."""
        found = await self._transaction.read(
            select(submissions).where(submissions.c.release_id == release_id)
        )
        if not found:
            return None
        row = found[0]._asdict()
        return Submission(**{**row, "state": ReviewState(row["state"])})

    async def keep(self, before: Submission | None, after: Submission) -> None:
        """Write it; raises Conflict when the stored one is no longer `before`."""
        row = _submission_row(after)
        if before is None:
            await self._transaction.write(insert(submissions).values(row))
            return
        same = [
            column.is_(None) if value is None else column == value
            for column, value in ((submissions.c[n], v) for n, v in _submission_row(before).items())
        ]
        if not await self._transaction.write(update(submissions).where(*same).values(row)):
            raise Conflict("Somebody else acted on the same story; look again.")

    async def record(self, record: ReviewRecord) -> None:
        """Add one act."""
        await self._transaction.write(
            insert(reviews).values(
                story_id=record.story_id,
                release_id=record.release_id,
                act=record.act,
                reason=record.reason,
                note=record.note,
                themes=list(record.themes),
                who_sha256=record.who_sha256,
                reviewed_at=record.at,
            )
        )

    async def last_note(self, story_id: str) -> ReviewRecord | None:
        """The latest return of a story, with its note."""
        found = await self._transaction.read(
            select(reviews)
            .where(reviews.c.story_id == story_id, reviews.c.act == "returned")
            .order_by(reviews.c.id.desc())
            .limit(1)
        )
        return _record(found[0], found[0].note) if found else None

    async def reviews(self, after: int = 0, limit: int = 500) -> list[tuple[int, ReviewRecord]]:
        """Acts of review without notes, oldest first, by number above `after`."""
        found = await self._transaction.read(
            select(reviews).where(reviews.c.id > after).order_by(reviews.c.id).limit(limit)
        )
        return [(int(row.id), _record(row, "")) for row in found]

    async def approve(self, approval: Approval) -> None:
        """Put the story into the library and, where passages are marked, ask for the index."""
        submission = approval.submission
        # Holding the release's row keeps its teller from ending it until this is decided.
        held = await self._transaction.write(
            update(releases)
            .where(releases.c.id == submission.release_id, releases.c.ended_at.is_(None))
            .values(ended_at=None)
        )
        if not held:
            raise Conflict("The teller ended this release meanwhile; look again.")
        await self._transaction.write(
            insert(library_entries).values(
                release_id=submission.release_id,
                story_id=submission.story_id,
                text_sha256=submission.text_sha256,
                approved_at=approval.at,
                approved_by=approval.who_sha256,
            )
        )
        labels = {(x.kind, x.value): x for x in approval.labels}
        if labels:
            await self._transaction.write(
                insert(library_labels),
                [
                    {
                        "release_id": submission.release_id,
                        "kind": x.kind.value,
                        "value": x.value,
                        "asserted_by": x.asserted_by,
                    }
                    for x in labels.values()
                ],
            )
        if approval.marks:
            await self._transaction.write(
                insert(library_marks),
                [
                    {"release_id": submission.release_id, "move": m.value, "sentence": sentence}
                    for m, sentence in approval.marks.items()
                ],
            )
            await self._transaction.write(
                insert(erasures_pending).values(
                    what="index",
                    story_ids=[],
                    resident_sha256="",
                    chat_sha256=None,
                    in_index=True,
                    asked_at=approval.at,
                    steps={},
                )
            )

    # -- library --------------------------------------------------------------------------------

    async def entries(
        self, now: datetime, wanted: Wanted, after: str = "", limit: int = 200
    ) -> list[LibraryEntry]:
        """Approved stories whose release is live, by release id above `after`."""
        where = [is_live(now), releases.c.id > after]
        if wanted.language:
            where.append(stories.c.language == wanted.language)
        if wanted.since:
            where.append(releases.c.released_at >= wanted.since)
        if wanted.until:
            where.append(releases.c.released_at < wanted.until)
        for kind, value in ((LabelKind.THEME, wanted.theme), (LabelKind.PLACE, wanted.place)):
            if value.strip():
                labelled = select(library_labels.c.release_id).where(
                    library_labels.c.kind == kind.value,
                    library_labels.c.value == value.strip().casefold(),
                )
                where.append(library_entries.c.release_id.in_(labelled))
        return await self._entries(where, limit)

    async def entry_of(self, story_id: str, now: datetime) -> LibraryEntry | None:
        """The live library entry of a story."""
        found = await self._entries([is_live(now), library_entries.c.story_id == story_id], 1)
        return found[0] if found else None

    async def _live_entries(
        self, now: datetime, where: Sequence[ColumnElement[bool]], limit: int
    ) -> list[LibraryEntry]:
        return await self._entries([is_live(now), *where], limit)

    async def _entries(
        self, where: Sequence[ColumnElement[bool]], limit: int
    ) -> list[LibraryEntry]:
        found = await self._transaction.read(
            select(
                releases,
                library_entries.c.text_sha256.label("approved_sha256"),
                library_entries.c.approved_at,
                stories.c.language.label("story_language"),
                stories.c.link,
                stories.c.kept_passages,
            )
            .select_from(
                library_entries.join(releases, releases.c.id == library_entries.c.release_id).join(
                    stories, stories.c.id == releases.c.story_id
                )
            )
            .where(*where)
            # By the same column as the page begins at: otherwise each page sorts all that is left.
            .order_by(releases.c.id)
            .limit(limit)
        )
        told = await self._told([row.story_id for row in found])
        labels = await self._labels([row.id for row in found])
        return [
            LibraryEntry(
                story_id=row.story_id,
                release=release_of(row._asdict()),
                approved_sha256=row.approved_sha256,
                approved_at=row.approved_at,
                whole=_whole(told.get(row.story_id, {}), row.link),
                story_language=row.story_language,
                stages=tuple(s for s in StoryOf if told.get(row.story_id, {}).get(s, "").strip()),
                labels=tuple(labels.get(row.id, ())),
                kept_passages=len(row.kept_passages),
            )
            for row in found
        ]

    async def _told(self, story_ids: Sequence[str]) -> dict[str, dict[StoryOf, str]]:
        """The versions each story stands on now: the last of each part."""
        later = tellings.alias("later")
        no_later = and_(
            later.c.story_id == tellings.c.story_id,
            later.c.stage == tellings.c.stage,
            later.c.position == tellings.c.position + 1,
        )
        found = await self._transaction.read(
            select(tellings.c.story_id, tellings.c.stage, tellings.c.text)
            .select_from(tellings.outerjoin(later, no_later))
            .where(tellings.c.story_id.in_(story_ids), later.c.position.is_(None))
        )
        told: defaultdict[str, dict[StoryOf, str]] = defaultdict(dict)
        for row in found:
            told[row.story_id][StoryOf(row.stage)] = row.text
        return told

    async def _labels(self, release_ids: Sequence[str]) -> dict[str, list[Label]]:
        found = await self._transaction.read(
            select(library_labels)
            .where(library_labels.c.release_id.in_(release_ids))
            .order_by(library_labels.c.kind, library_labels.c.value)
        )
        labels: defaultdict[str, list[Label]] = defaultdict(list)
        for row in found:
            labels[row.release_id].append(Label(LabelKind(row.kind), row.value, row.asserted_by))
        return labels

    async def places(self, story_id: str) -> list[tuple[str, datetime, str]]:
        """Where a story has been: (what, when, profile), oldest first."""
        been: list[tuple[str, datetime, str]] = []
        for row in await self._transaction.read(
            select(reviews.c.act, reviews.c.reviewed_at).where(
                reviews.c.story_id == story_id, reviews.c.act.in_(("approved", "returned"))
            )
        ):
            been.append((row.act, row.reviewed_at, ""))
        for row in await self._transaction.read(
            select(library_entries.c.first_shown_at).where(library_entries.c.story_id == story_id)
        ):
            if row.first_shown_at:
                been.append(("shown", row.first_shown_at, ""))
        for row in await self._transaction.read(
            select(exports.c.profile, exports.c.made_at)
            .select_from(export_items.join(exports, exports.c.id == export_items.c.export_id))
            .where(export_items.c.story_id == story_id, exports.c.state == "done")
        ):
            been.append(("exported", row.made_at, row.profile))
        return sorted(been, key=lambda x: x[1])

    async def coverage(self, profile: Profile, now: datetime) -> Coverage:
        """Whose stories there are and are not, suppressed for the profile."""
        return await coverage_rows(self._transaction, profile, now)

    async def count(self, now: datetime, profile: Profile) -> int:
        """About how many stories an export for the profile will look at."""
        found = await self._transaction.read(
            select(func.count().label("number"))
            .select_from(
                library_entries.join(releases, releases.c.id == library_entries.c.release_id).join(
                    stories, stories.c.id == releases.c.story_id
                )
            )
            .where(is_live(now))
        )
        return int(found[0].number)

    # -- what tellers should hear ---------------------------------------------------------------

    async def news(self, now: datetime, limit: int = 200) -> list[News]:
        """What tellers have not been told yet: shown, exported, expiring within a month, lapsed."""
        shown = await self._transaction.read(
            select(library_entries.c.release_id, library_entries.c.story_id, stories.c.resident_id)
            .select_from(library_entries.join(stories, stories.c.id == library_entries.c.story_id))
            .where(library_entries.c.first_shown_at.is_not(None), _untold("first_shown"))
            .limit(limit)
        )
        news = [News("first_shown", r.story_id, r.release_id, r.resident_id) for r in shown]
        news += await self._untold_exports(limit)
        ending = await self._transaction.read(
            select(releases.c.id, releases.c.story_id, releases.c.expires_at, stories.c.resident_id)
            .select_from(releases.join(stories, stories.c.id == releases.c.story_id))
            .where(
                releases.c.ended_at.is_(None),
                releases.c.expires_at <= now + ASK_BEFORE,
                or_(releases.c.expires_at <= now, _untold("expiring", releases.c.id)),
            )
            .order_by(releases.c.expires_at)
            .limit(limit)
        )
        for row in ending:
            what = "lapsed" if row.expires_at <= now else "expiring"
            news.append(News(what, row.story_id, row.id, row.resident_id, row.expires_at))  # type: ignore[arg-type]
        return news[:limit]

    async def _untold_exports(self, limit: int) -> list[News]:
        """Stories put into an export for readers their tellers have not heard of yet."""
        key = literal("exported.").op("||")(exports.c.profile)
        known = select(library_news.c.release_id).where(
            library_news.c.release_id == export_items.c.release_id, library_news.c.what == key
        )
        found = await self._transaction.read(
            select(
                export_items.c.release_id,
                export_items.c.story_id,
                stories.c.resident_id,
                exports.c.profile,
            )
            .distinct()
            .select_from(
                export_items.join(exports, exports.c.id == export_items.c.export_id).join(
                    stories, stories.c.id == export_items.c.story_id
                )
            )
            .where(exports.c.state == "done", export_items.c.gone_at.is_(None), ~known.exists())
            .limit(limit)
        )
        return [
            News("exported", r.story_id, r.release_id, r.resident_id, profile=r.profile)
            for r in found
        ]

    async def told(self, news: News, at: datetime) -> None:
        """Remember that the teller was told."""
        await self._transaction.write(
            insert(library_news).values(release_id=news.release_id, what=news.key, told_at=at)
        )

    async def for_report(
        self, now: datetime, after: str = "", limit: int = 500
    ) -> list[ReportStory]:
        """Stories whose tellers let them be counted, by release id above `after`."""
        return await report_stories(self._transaction, is_live(now), after, limit)


def _untold(what: str, release_id: Any = library_entries.c.release_id) -> ColumnElement[bool]:
    known = select(library_news.c.release_id).where(
        library_news.c.release_id == release_id, library_news.c.what == what
    )
    return ~known.exists()


def _whole(told: dict[StoryOf, str], link: str | None) -> str:
    """The story as it stands now, put together as core.story.Story.whole does."""
    pieces: Iterable[str] = [*(told.get(stage, "") for stage in StoryOf), link or ""]
    return "\n\n".join(p for p in pieces if p.strip())


def _submission_row(submission: Submission) -> dict[str, Any]:
    return {
        "release_id": submission.release_id,
        "story_id": submission.story_id,
        "text_sha256": submission.text_sha256,
        "state": submission.state.value,
        "claimed_by": submission.claimed_by,
        "claimed_until": submission.claimed_until,
        "decided_by": submission.decided_by,
        "decided_at": submission.decided_at,
        "not_by": submission.not_by,
    }


def _record(row: Row[Any], note: str) -> ReviewRecord:
    return ReviewRecord(
        story_id=row.story_id,
        release_id=row.release_id,
        act=row.act,
        who_sha256=row.who_sha256,
        at=row.reviewed_at,
        reason=row.reason,
        note=note,
        themes=tuple(row.themes),
    )

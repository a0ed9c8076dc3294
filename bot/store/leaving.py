"""When a release ends or a story leaves: denied everywhere in the same transaction.

Called by the folders while they are saved or erased, so that no way of taking a story back, now
or later, can forget the library. What cannot be done inside a transaction (the example index,
files, free pages) is written down as a pending erasure, finished by the librarian.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.core.turn import Line, Say, TakeDown
from bot.store.library_tables import (
    OF_RELEASE,
    erasures_pending,
    export_items,
    export_pieces,
    exports,
    library_entries,
    library_marks,
    reviews,
)
from bot.store.practice_tables import follow_ups
from bot.store.rows import Rows
from bot.store.sending import SqlOutbox
from bot.store.tables import groups, outbox, recipients
from bot.store.transaction import Transaction
from bot.usecases.library_ports import PASSAGES, chat_hash, story_of_passage
from bot.usecases.outgoing import body_of
from bot.usecases.ports import OutboxItem, Receipt


@dataclass(frozen=True)
class Ended:
    """A release that ended in this transaction."""

    release_id: str
    story_id: str
    because: str
    at: datetime


async def after_saving(
    transaction: Transaction, resident_sha256: str, stored: Rows, rows: Rows
) -> None:
    """Draw the consequences of what changed between two states of a folder."""
    left = _withdrawn(stored, rows)
    ended = [e for e in _ended(stored, rows) if e.story_id not in left]
    shown = [
        row["passage_id"]
        for key, row in rows["shown_examples"].items()
        if key not in stored["shown_examples"] and row["passage_id"].startswith(PASSAGES)
    ]
    if shown:
        (resident,) = rows["residents"].values()
        await _first_shown(transaction, shown, resident["last_seen_at"])
    for one in ended:
        await _end(transaction, one, resident_sha256)
    for offer in _ended_offers(stored, rows, left):
        await _end_offer(transaction, offer, rows)
    if left:
        at = max(left.values())
        await leave(transaction, list(left), "withdrawn", resident_sha256, None, at)
        (resident,) = rows["residents"].values()
        for identity in rows["identities"].values():
            await take_down(transaction, list(left), identity["chat_id"], resident["language"])


async def leave(
    transaction: Transaction,
    story_ids: Sequence[str],
    because: str,
    resident_sha256: str,
    chat_id: int | None,
    at: datetime,
) -> list[Receipt]:
    """Take stories out of review and library; what still has to be erased elsewhere.

    `because` is withdrawn or forgotten. The receipts promise what the pending erasure does before
    anybody is told: passages in the index, export files that we keep.
    """
    passages = await _passages(transaction, story_ids)
    await _unsay(transaction, story_ids)
    await transaction.write(
        update(follow_ups)
        .where(follow_ups.c.story_id.in_(story_ids), follow_ups.c.gone_at.is_(None))
        .values(gone_at=at)
    )
    releases = select(library_entries.c.release_id).where(library_entries.c.story_id.in_(story_ids))
    for table in OF_RELEASE:
        mine = (
            table.c.story_id.in_(story_ids)
            if "story_id" in table.c
            else table.c.release_id.in_(releases)
        )
        await transaction.write(delete(table).where(mine))
    await transaction.write(
        update(reviews).where(reviews.c.story_id.in_(story_ids)).values(note="", themes=[])
    )
    files = await _mark_items(transaction, export_items.c.story_id.in_(story_ids), because, at)
    await transaction.write(
        insert(erasures_pending).values(
            what=because,
            story_ids=list(story_ids),
            resident_sha256=resident_sha256,
            chat_sha256=chat_hash(resident_sha256, chat_id) if chat_id is not None else None,
            in_index=passages > 0,
            asked_at=at,
            steps={},
        )
    )
    index = Receipt("index_later" if transaction.index_is_apart else "index", passages, at)
    promised = [index, Receipt("files", files, at)]
    return [receipt for receipt in promised if receipt.count]


def _withdrawn(stored: Rows, rows: Rows) -> dict[str, datetime]:
    """Stories that were withdrawn, or dropped after something was released, and when."""
    (resident,) = rows["residents"].values()
    left = {}
    for key, story in rows["stories"].items():
        before = stored["stories"].get(key, {})
        if story["withdrawn_at"] and not before.get("withdrawn_at"):
            left[str(story["id"])] = story["withdrawn_at"]
    given = (*stored["releases"].values(), *stored["offers"].values())
    released = {row["story_id"] for row in given}
    for key, story in stored["stories"].items():
        if key not in rows["stories"] and story["id"] in released:
            left[str(story["id"])] = resident["last_seen_at"]
    return left


def _ended(stored: Rows, rows: Rows) -> list[Ended]:
    open_before = {r["id"]: r for r in stored["releases"].values() if not r["ended_at"]}
    return [
        Ended(row["id"], row["story_id"], row["ended_because"] or "ended", row["ended_at"])
        for row in rows["releases"].values()
        if row["ended_at"] and row["id"] in open_before
    ]


def _ended_offers(stored: Rows, rows: Rows, left: Collection[str]) -> list[Ended]:
    """Offers that ended while their story stays."""
    open_before = {r["id"] for r in stored["offers"].values() if not r["ended_at"]}
    return [
        Ended(row["id"], row["story_id"], row["ended_because"] or "ended", row["ended_at"])
        for row in rows["offers"].values()
        if row["ended_at"] and row["id"] in open_before and row["story_id"] not in left
    ]


async def _end_offer(transaction: Transaction, ended: Ended, rows: Rows) -> None:
    """Nothing of it is posted any more; taken back, what was posted of it is deleted too.

    An edit leaves standing what its teller had agreed to then.
    """
    await _unsay(transaction, [ended.release_id])
    posts = await transaction.read(
        select(follow_ups.c.outbox_id, outbox.c.id)
        .outerjoin(outbox, outbox.c.id == follow_ups.c.outbox_id)
        .where(follow_ups.c.act == ended.release_id, follow_ups.c.gone_at.is_(None))
    )
    is_revoked = ended.because == "revoked"
    gone = [post.outbox_id for post in posts if is_revoked or post.id is None]
    await transaction.write(
        update(follow_ups).where(follow_ups.c.outbox_id.in_(gone)).values(gone_at=ended.at)
    )
    if is_revoked:
        (resident,) = rows["residents"].values()
        for identity in rows["identities"].values():
            chat, language = identity["chat_id"], resident["language"]
            await _delete_posts(transaction, outbox.c.id.in_(gone), chat, language)


async def _end(transaction: Transaction, ended: Ended, resident_sha256: str) -> None:
    """Approval and passages end with their release; exports that hold it are marked."""
    marks = await transaction.read(
        select(library_marks.c.move).where(library_marks.c.release_id == ended.release_id)
    )
    for table in OF_RELEASE:
        await transaction.write(delete(table).where(table.c.release_id == ended.release_id))
    files = await _mark_items(
        transaction, export_items.c.release_id == ended.release_id, ended.because, ended.at
    )
    is_revoked = ended.because == "revoked"
    if marks or (files and is_revoked):
        await transaction.write(
            insert(erasures_pending).values(
                what="revoked" if is_revoked else "index",
                story_ids=[ended.story_id],
                resident_sha256=resident_sha256,
                chat_sha256=None,
                in_index=bool(marks),
                asked_at=ended.at,
                steps={},
            )
        )


async def _mark_items(
    transaction: Transaction, which: ColumnElement[bool], because: str, at: datetime
) -> int:
    """Mark what earlier exports hold; how many of their files may still lie with us."""
    with_it = exports.c.id.in_(select(export_items.c.export_id).where(which))
    # What is kept in the database goes now. What lies in the one data folder there is goes before
    # anybody is told; where several are told apart, nothing is promised for another's.
    kept = exports.c.id.in_(select(export_pieces.c.export_id))
    lies_here = and_(exports.c.home.is_(None), exports.c.machine.is_(None))
    held = await transaction.read(
        select(func.count(exports.c.id.distinct()).label("files")).where(
            with_it, exports.c.file_erased.is_(False), or_(kept, lies_here)
        )
    )
    taken_back = select(export_items.c.export_id).where(which)
    await transaction.write(update(exports).where(with_it, kept).values(file_erased=True))
    await transaction.write(delete(export_pieces).where(export_pieces.c.export_id.in_(taken_back)))
    await transaction.write(
        update(export_items)
        .where(which, export_items.c.gone_at.is_(None))
        .values(gone_at=at, gone_because=because)
    )
    if because in ("withdrawn", "forgotten"):
        # What was only edited or revoked before is now to be destroyed for a stronger reason.
        await transaction.write(update(export_items).where(which).values(gone_because=because))
    return int(held[0].files)


async def _passages(transaction: Transaction, story_ids: Sequence[str]) -> int:
    found = await transaction.read(
        select(func.count().label("passages"))
        .select_from(
            library_marks.join(
                library_entries, library_entries.c.release_id == library_marks.c.release_id
            )
        )
        .where(library_entries.c.story_id.in_(story_ids))
    )
    return int(found[0].passages)


async def _unsay(transaction: Transaction, ids: Sequence[str]) -> None:
    """Delete messages about a story that wait to be sent: to its teller, or to whoever reads it.

    They are known by the id of the story, or of what was offered of it, among their words.
    """
    for one in ids:
        await transaction.write(
            delete(outbox).where(
                outbox.c.state == "waiting", cast(outbox.c.body, Text).contains(one)
            )
        )


async def take_down(
    transaction: Transaction, story_ids: Sequence[str], chat_id: int, language: str | None
) -> None:
    """Posts of these stories in groups are deleted there, and their teller told in `chat_id`.

    What still waits was deleted by `leave`; a post on its way is taken down after it. Where
    nothing can be done in the group, they are told so at once.
    """
    await _delete_posts(transaction, outbox.c.story_id.in_(story_ids), chat_id, language)


async def _delete_posts(
    transaction: Transaction, which: ColumnElement[bool], chat_id: int, language: str | None
) -> None:
    posts = await transaction.read(
        select(
            outbox.c.id,
            outbox.c.chat_id,
            outbox.c.topic,
            recipients.c.reason,
            follow_ups.c.id.label("follow_up"),
            groups.c.title,
        )
        .join(recipients, recipients.c.chat_id == outbox.c.chat_id, isouter=True)
        .join(follow_ups, follow_ups.c.outbox_id == outbox.c.id, isouter=True)
        .join(groups, groups.c.chat_id == outbox.c.chat_id, isouter=True)
        .where(which, outbox.c.state.in_(("sending", "sent", "unknown")))
        .order_by(outbox.c.id)
    )
    for post in posts:
        words = {"group": post.title or "?"}
        whose = "sharing" if post.follow_up is None else "offering"
        done, stays = Line(f"{whose}.taken_down", words), Line(f"{whose}.stays", words)
        if post.reason is None:
            move: TakeDown | Say = TakeDown(post.id, chat_id, done, stays)
            chat, topic = post.chat_id, post.topic
        else:
            move, chat, topic = Say((stays,)), chat_id, None
        body = body_of(move, language or "en", 0)
        await SqlOutbox(transaction).add([OutboxItem(chat, body, topic=topic)])
    await transaction.write(update(outbox).where(which).values(story_id=None))


async def _first_shown(transaction: Transaction, passages: Sequence[str], at: datetime) -> None:
    stories = {s for p in passages if (s := story_of_passage(p)) is not None}
    await transaction.write(
        update(library_entries)
        .where(
            library_entries.c.story_id.in_(sorted(stories)),
            library_entries.c.first_shown_at.is_(None),
        )
        .values(first_shown_at=at)
    )

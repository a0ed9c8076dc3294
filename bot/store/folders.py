"""Folders on SQL: loaded with a handful of queries, saved by what changed, erased whole."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from bot.core.consent import Purpose
from bot.core.narrative import StoryOf
from bot.core.story import Folder, StoryStatus
from bot.store import leaving, tables
from bot.store.prepared import Hand, Prepared, given
from bot.store.roles import forget_people
from bot.store.rows import (
    NOTHING,
    Key,
    Rows,
    Written,
    differing,
    from_rows,
    gathered,
    keyed,
    written,
)
from bot.store.transaction import Transaction
from bot.usecases.ports import Conflict, Receipt, StoryRow

_PAGE = 500
_PERSON = (tables.residents, tables.identities, tables.sessions)
_SAME_RESIDENT = tables.residents.c.id == tables.sessions.c.resident_id
_PERSONS = select(*_PERSON).select_from(
    _PERSON[0].join(_PERSON[1]).join(_PERSON[2], _SAME_RESIDENT)
)
_PERSON_BY_CHAT = Prepared(_PERSONS.where(tables.identities.c.chat_id == bindparam("chat")))
_VERSION_BY_CHAT = Prepared(
    select(tables.sessions.c.resident_id, tables.sessions.c.version).where(
        tables.sessions.c.resident_id == tables.identities.c.resident_id,
        tables.identities.c.chat_id == bindparam("chat"),
    )
)
_CLAIM = Prepared(
    update(tables.sessions)
    .where(
        tables.sessions.c.resident_id == bindparam("resident"),
        tables.sessions.c.version == bindparam("was"),
    )
    .values(version=given("version"))
)
_NOTE = Prepared(
    insert(tables.audit).values(
        {name: given(name) for name in ("who_sha256", "what", "about", "recorded_at")}
    )
)


MOST_REMEMBERED = 1_000
"""Folders that are kept in memory: a few megabytes, however many residents there are."""


@dataclass
class _Kept:
    """Rows of some version, and the folder they were written from while nobody has it."""

    rows: Written
    folder: Folder | None


class Remembered:
    """Folders as they stand on disk at some version, those used last.

    They are used only for the version they were read at, which every saving moves on: whoever
    changed a folder meanwhile, in whatever process, has made them worthless, never wrong.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        """Nothing is remembered yet."""
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._most = most

    def of(self, resident_id: str) -> Written | None:
        """Rows of some version, not to be changed. May be asked from any thread."""
        kept = self._kept.get(resident_id)
        return kept.rows if kept else None

    def take(self, rows: Written) -> Folder:
        """The folder of these rows. Each is given away once: whoever takes it may change it."""
        kept = self._kept.get(rows.resident_id)
        if kept is None or kept.rows is not rows or kept.folder is None:
            return from_rows(rows)
        folder, kept.folder = kept.folder, None
        return folder

    def keep(self, rows: Written, folder: Folder | None = None) -> None:
        """What is on disk now, or was a moment ago; `folder` is nobody else's from now on."""
        resident_id = rows.resident_id
        self._kept[resident_id] = _Kept(rows, folder)
        self._kept.move_to_end(resident_id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, resident_id: str) -> None:
        """Nothing of this folder may stay here."""
        self._kept.pop(resident_id, None)


class SqlFolders:
    """The port Folders, within one transaction."""

    def __init__(self, transaction: Transaction, remembered: Remembered) -> None:
        self._transaction = transaction
        self._remembered = remembered
        # Rows as last loaded or saved here; true as long as the stored version is theirs.
        self._known: dict[str, Written] = {}

    async def by_chat(self, chat_id: int) -> Folder | None:
        """The folder of the resident who writes in this private chat."""
        return self.opened(await self._transaction.ask(lambda hand: self.look(hand, chat_id)))

    def look(self, hand: Hand, chat_id: int) -> Rows | Written | None:
        """What `by_chat` reads, for `opened`; may be called in any thread."""
        return _rows_by_chat(hand, chat_id, self._remembered)

    def opened(self, found: Rows | Written | None) -> Folder | None:
        """The folder of what a look has found."""
        if found is None:
            return None
        if isinstance(found, Written):
            rows, folder = found, self._remembered.take(found)
        else:
            rows, folder = gathered(found)
            if not self._transaction.is_writing:
                self._remembered.keep(rows)
        self._known[rows.resident_id] = rows
        return folder

    async def by_reference(self, reference: str) -> list[Folder]:
        """Folders whose resident id, telegram id or name (any case) is exactly `reference`."""
        identities = tables.identities.c
        matches = [
            identities.resident_id == reference,
            identities.name_folded == reference.casefold(),
        ]
        if _is_number(reference):
            matches.append(identities.telegram_id == int(reference))
        return await self._load(or_(*matches))

    async def story(self, story_id: str) -> tuple[Folder, str] | None:
        """The folder that holds a story, with the story's id."""
        stories = tables.stories.c
        owner = select(stories.resident_id).where(stories.id == story_id)
        found = await self._load(tables.residents.c.id.in_(owner))
        return (found[0], story_id) if found else None

    async def _load(self, wanted: ColumnElement[bool]) -> list[Folder]:
        folders = []
        for rows, folder in await self._rows(wanted):
            self._known[rows.resident_id] = rows
            folders.append(folder)
        return folders

    async def _rows(self, wanted: ColumnElement[bool]) -> list[tuple[Written, Folder]]:
        """All rows of the residents wanted, and their folders, by resident id.

        Who and which version come first, in one query: should another process save while the
        rest is read, the version is the old one and saving what was read is refused.
        """
        persons = await self._transaction.read(
            _PERSONS.where(wanted).order_by(tables.residents.c.id)
        )
        return [gathered(await self._rows_of(person)) for person in persons]

    async def _rows_of(self, person: Any) -> Rows:
        rows: Rows = {
            table.name: keyed(table, [{c.name: person._mapping[c] for c in table.c}])
            for table in _PERSON
        }
        resident_id = person._mapping[tables.residents.c.id]
        for table in _OF_RESIDENT:
            if table in tables.OF_STORY and not rows["stories"]:
                rows[table.name] = {}
                continue
            query = select(table).where(_belongs_to(table, resident_id))
            found = await self._transaction.read(query)
            rows[table.name] = keyed(table, (row._asdict() for row in found))
        return rows

    async def save(self, folder: Folder) -> None:
        """Write what changed; raises Conflict when session.version is not the stored one.

        At the latest it does so when it is committed.
        On success the stored version and `folder.session.version` are one higher; if the
        transaction is then rolled back, the folder's version is put back too.
        """
        before, resident_id = folder.session.version, folder.resident.id
        known = self._known.get(resident_id) or self._remembered.of(resident_id)
        rows = written(folder, known or NOTHING)
        if known is not None and known.session["version"] == before:
            old, new = differing(known, rows)
            changes = _changes(old, new) + _noted(resident_id, old, new)
            rows.session["version"] = before + 1
            self._transaction.later(lambda hand: _save(hand, resident_id, before, changes))
        else:
            rows.session["version"] = before + 1
            old, new = differing(await self._claim(folder), rows)
            changes = _changes(old, new) + _noted(resident_id, old, new)
            self._transaction.later(lambda hand: _make(hand, changes))
        await leaving.after_saving(self._transaction, _sha256(resident_id), old, new)
        self._known[resident_id] = rows
        self._transaction.if_kept(lambda: self._remembered.keep(rows, folder))
        folder.session.version = before + 1

        def put_back() -> None:
            folder.session.version = before

        self._transaction.if_undone(put_back)

    async def _claim(self, folder: Folder) -> Written:
        """Move the stored version on by one; the rows as stored, empty for a new folder."""
        resident_id, version = folder.resident.id, folder.session.version
        mine = tables.sessions.c.resident_id == resident_id
        moved = await self._transaction.write(
            update(tables.sessions)
            .where(mine, tables.sessions.c.version == version)
            .values(version=version + 1)
        )
        if moved:
            ((stored, _),) = await self._rows(tables.residents.c.id == resident_id)
            return stored
        taken = select(tables.identities.c.resident_id).where(
            or_(
                tables.identities.c.resident_id == resident_id,
                tables.identities.c.chat_id == folder.identity.chat_id,
            )
        )
        if version or await self._transaction.read(taken):
            raise Conflict("The folder was changed by another process; load it again.")
        return NOTHING

    async def erase(self, resident_id: str, at: datetime) -> list[Receipt]:
        """Delete the folder's rows, its inbox and outbox rows; keep a wordless record.

        A group they once added the bot to no longer says who did. Receipts for the index and for
        files promise what the pending erasure does next.
        An inbox row leaves its update_id behind, without chat, words or time, so that Telegram
        sending the same update again does not undo the erasure. Unknown residents: no receipt.
        """
        identities = tables.identities.c
        held = await self._transaction.read(
            select(identities.chat_id, identities.telegram_id).where(
                identities.resident_id == resident_id
            )
        )
        chats, people = [row.chat_id for row in held], [row.telegram_id for row in held]
        told = await self._transaction.read(
            select(tables.stories.c.id).where(tables.stories.c.resident_id == resident_id)
        )
        spoken = await self._transaction.read(
            select(tables.residents.c.language).where(tables.residents.c.id == resident_id)
        )
        rows = 0
        for table in reversed(tables.OF_FOLDER):
            rows += await self._transaction.write(
                delete(table).where(_belongs_to(table, resident_id))
            )
        self._known.pop(resident_id, None)
        self._remembered.forget(resident_id)
        # Somebody may read it again until this is kept.
        self._transaction.if_kept(lambda: self._remembered.forget(resident_id))
        if not rows:
            return []
        received = await self._transaction.write(
            update(tables.inbox)
            .where(tables.inbox.c.chat_id.in_(chats))
            .values(chat_id=0, payload="", state="done", reason=None, received_at=at)
        )
        unsent = 0
        for table in (tables.outbox, tables.keyboards, tables.recipients):
            unsent += await self._transaction.write(delete(table).where(table.c.chat_id.in_(chats)))
        await self._transaction.write(
            update(tables.groups).where(tables.groups.c.added_by.in_(people)).values(added_by=None)
        )
        rows += await forget_people(self._transaction, people, at)
        rows += await self._transaction.write(
            delete(tables.seats).where(tables.seats.c.telegram_id.in_(people))
        )
        rows += await self._transaction.write(
            delete(tables.spendings).where(tables.spendings.c.resident_id == resident_id)
        )
        receipts = [
            Receipt("database", rows, at),
            Receipt("inbox", received, at),
            Receipt("outbox", unsent, at),
        ]
        who = _sha256(resident_id)
        promised = await leaving.leave(
            self._transaction,
            [row.id for row in told],
            "forgotten",
            who,
            chats[0] if chats else None,
            at,
        )
        for chat in chats[:1]:
            language = spoken[0].language if spoken else None
            told_ids = [row.id for row in told]
            await leaving.take_down(self._transaction, told_ids, chat, language)
        await self._transaction.write(
            insert(tables.erasures),
            [
                {"resident_sha256": who, "place": r.place, "count": r.count, "erased_at": at}
                for r in receipts
            ],
        )
        await self._transaction.write(
            insert(tables.audit).values(who_sha256=who, what="erased", about=None, recorded_at=at)
        )
        return [*receipts, *promised]

    async def rows(self, status: StoryStatus | None = None) -> AsyncIterator[StoryRow]:
        """Stories as lines, oldest submission first, then drafts, oldest first; streamed.

        At most one page is in memory. `purposes` and `expires_at` are those of the release
        that was not ended; whether it has expired by now is for the caller's clock.
        """
        stories = tables.stories.c
        order = (stories.submitted_at, stories.begun_at, stories.id)
        for submitted in (True, False):
            half = (
                stories.submitted_at.is_not(None) if submitted else stories.submitted_at.is_(None)
            )
            columns = order if submitted else order[1:]
            wanted = select(tables.stories).where(half).order_by(*columns).limit(_PAGE)
            if status is not None:
                wanted = wanted.where(stories.status == status.value)
            page = await self._transaction.read(wanted)
            while page:
                for line in await self._lines(page):
                    yield line
                last = [getattr(page[-1], column.name) for column in columns]
                page = await self._transaction.read(
                    wanted.where(tuple_(*columns) > tuple_(*_bound(columns, last)))
                )

    async def _lines(self, page: Sequence[Any]) -> list[StoryRow]:
        ids = [row.id for row in page]
        told = {row.story_id: row for row in await self._transaction.read(_told(ids))}
        released = {row.story_id: row for row in await self._transaction.read(_unended(ids))}
        return [_line(row, told.get(row.id), released.get(row.id)) for row in page]


def _rows_by_chat(hand: Hand, chat_id: int, remembered: Remembered) -> Rows | Written | None:
    """All rows of whoever writes in this chat; those remembered where their version is the same."""
    versions = hand.rows(_VERSION_BY_CHAT, chat=chat_id)
    if not versions:
        return None
    known = remembered.of(versions[0].resident_id)
    if known is not None and known.session["version"] == versions[0].version:
        return known
    persons = hand.rows(_PERSON_BY_CHAT, chat=chat_id)
    if not persons:
        return None
    (person,) = persons
    rows, at = Rows(), 0
    for table in _PERSON:
        names = [column.name for column in table.c]
        held = dict(zip(names, person[at : at + len(names)], strict=True))
        rows[table.name] = keyed(table, [held])
        at += len(names)
    resident_id = person[0]
    for some in (_OF_FOLDER_ALONE, tables.OF_STORY):
        if some is tables.OF_STORY and not rows["stories"]:
            rows |= {table.name: {} for table in some}
            continue
        asked = [hand.send(_OF_RESIDENT[table], resident=resident_id) for table in some]
        for table, answer in zip(some, asked, strict=True):
            rows[table.name] = keyed(table, (row._asdict() for row in answer.rows()))
    return rows


Change = tuple[Prepared, Mapping[str, Any]]


def _save(hand: Hand, resident_id: str, version: int, changes: Sequence[Change]) -> None:
    """Move the version on by one and make the changes. Raises Conflict when it is another."""
    claimed = hand.send(_CLAIM, resident=resident_id, was=version, version=version + 1)

    def check() -> None:
        if not claimed.count():
            raise Conflict("The folder was changed by another process; load it again.")

    hand.before_keeping(check)
    _make(hand, changes)


def _make(hand: Hand, changes: Sequence[Change]) -> None:
    for statement, values in changes:
        hand.send(statement, **values)


def _changes(stored: Rows, rows: Rows) -> list[Change]:
    """What leads from some rows to others, in an order that keeps every reference whole."""
    changes: list[Change] = []
    different = [t for t in tables.OF_FOLDER if stored[t.name] is not rows[t.name]]
    for table in reversed(different):
        for key in stored[table.name].keys() - rows[table.name].keys():
            changes.append((_deleting(table), _key_of(table, key)))
    for table in different:
        old, new = stored[table.name], rows[table.name]
        for key, row in new.items():
            before = old.get(key)
            if before is None:
                changes.append((_inserting(table), row))
            elif row is not before and row != before:
                changed = {n: v for n, v in row.items() if v != before[n]}
                changes.append((_updating(table, tuple(changed)), changed | _key_of(table, key)))
    return changes


def _noted(resident_id: str, stored: Rows, rows: Rows) -> list[Change]:
    """Who decided what and when; no text, and a hash in place of the resident."""
    return [
        (
            _NOTE,
            {"who_sha256": _sha256(resident_id), "what": what, "about": about, "recorded_at": at},
        )
        for what, about, at in _decisions(stored, rows)
    ]


def _key_of(table: Table, key: Key) -> dict[str, object]:
    return {
        f"key_{column.name}": value for column, value in zip(table.primary_key, key, strict=True)
    }


def _by_key(table: Table) -> ColumnElement[bool]:
    return and_(*(c == bindparam(f"key_{c.name}") for c in table.primary_key))


@cache
def _inserting(table: Table) -> Prepared:
    return Prepared(insert(table).values({c.name: given(c.name) for c in table.c}))


@cache
def _updating(table: Table, names: tuple[str, ...]) -> Prepared:
    return Prepared(update(table).where(_by_key(table)).values({n: given(n) for n in names}))


@cache
def _deleting(table: Table) -> Prepared:
    return Prepared(delete(table).where(_by_key(table)))


def _is_number(reference: str) -> bool:
    """Whether it is written as a telegram id is: an integer of at most 64 bits, no zero first."""
    if not reference.isascii() or not reference.isdigit() or len(reference) > 19:
        return False
    return str(int(reference)) == reference and int(reference) < 2**63


def _belongs_to(table: Table, resident_id: object) -> ColumnElement[bool]:
    if table in tables.OF_STORY:
        stories = tables.stories.c
        return table.c.story_id.in_(select(stories.id).where(stories.resident_id == resident_id))
    return table.c["id" if table is tables.residents else "resident_id"] == resident_id


_OF_FOLDER_ALONE = (tables.stories, tables.shown_examples)
_OF_RESIDENT = {
    table: Prepared(select(table).where(_belongs_to(table, bindparam("resident"))))
    for table in (*_OF_FOLDER_ALONE, *tables.OF_STORY)
}


def _bound(columns: Sequence[Any], values: Sequence[Any]) -> Iterable[Any]:
    return (literal(value, column.type) for column, value in zip(columns, values, strict=True))


def _told(ids: Sequence[str]) -> Select[Any]:
    """Words and stages of the versions each story stands on: those with no later one."""
    current, later = tables.tellings, tables.tellings.alias("later")
    no_later = and_(
        later.c.story_id == current.c.story_id,
        later.c.stage == current.c.stage,
        later.c.position == current.c.position + 1,
    )
    return (
        select(
            current.c.story_id,
            func.sum(current.c.words).label("words"),
            func.aggregate_strings(current.c.stage, ",").label("stages"),
        )
        .select_from(current.outerjoin(later, no_later))
        .where(current.c.story_id.in_(ids), later.c.position.is_(None), current.c.text != "")
        .group_by(current.c.story_id)
    )


def _unended(ids: Sequence[str]) -> Select[Any]:
    """The release in force of each story, the last one last; without its text."""
    releases = tables.releases.c
    return (
        select(releases.story_id, releases.purposes, releases.name_shown, releases.expires_at)
        .where(releases.story_id.in_(ids), releases.ended_at.is_(None))
        .order_by(releases.story_id, releases.position)
    )


def _line(row: Any, told: Any | None, released: Any | None) -> StoryRow:
    stages = set(told.stages.split(",")) if told else set()
    purposes = set(released.purposes) if released else set()
    return StoryRow(
        story_id=row.id,
        resident_id=row.resident_id,
        status=StoryStatus(row.status),
        language=row.language,
        stages=tuple(stage.value for stage in StoryOf if stage.value in stages),
        words=int(told.words if told else 0) + row.link_words,
        purposes=tuple(purpose for purpose in Purpose if purpose.value in purposes),
        name_shown=released.name_shown if released else "",
        submitted_at=row.submitted_at,
        expires_at=released.expires_at if released else None,
    )


def _sha256(opaque_id: str) -> str:
    return hashlib.sha256(opaque_id.encode("utf-8")).hexdigest()


def _decisions(stored: Rows, rows: Rows) -> Iterable[tuple[str, str | None, datetime]]:
    """What was decided between two states: (what, about which story or release, when)."""
    for key, resident in rows["residents"].items():
        before = stored["residents"].get(key)
        if before is None:
            yield "joined", None, resident["joined_at"]
        agreed = resident["participation_agreed_at"]
        if agreed and agreed != (before or {}).get("participation_agreed_at"):
            yield "agreed", None, agreed
        model = resident["model"]
        if model and model != (before or {}).get("model"):
            at = datetime.fromisoformat(model["decided_at"])
            yield "model_agreed" if model["agreed"] else "model_refused", None, at
    known = {row["id"]: row for row in stored["releases"].values()}
    for release in rows["releases"].values():
        if release["id"] not in known:
            yield "released", release["id"], release["released_at"]
        if release["ended_at"] and not known.get(release["id"], {}).get("ended_at"):
            yield f"release_{release['ended_because']}", release["id"], release["ended_at"]
    offered = {row["id"]: row for row in stored["offers"].values()}
    for offer in rows["offers"].values():
        if offer["id"] not in offered:
            yield "offered", offer["id"], offer["released_at"]
        if offer["ended_at"] and not offered.get(offer["id"], {}).get("ended_at"):
            yield f"offer_{offer['ended_because']}", offer["id"], offer["ended_at"]
    for key, story in rows["stories"].items():
        before = stored["stories"].get(key, {})
        if story["withdrawn_at"] and not before.get("withdrawn_at"):
            yield "withdrawn", story["id"], story["withdrawn_at"]

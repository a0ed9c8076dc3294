"""An in-memory store that keeps the promises of the real one, for tests of the use cases.

tests/contracts/test_store_contract.py runs the same claims on this and on SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Self

from bot.core.consent import Purpose
from bot.core.narrative import StoryOf, count_words
from bot.core.story import Folder, Story, StoryStatus
from bot.usecases.crew import lane_of
from bot.usecases.ports import (
    AlreadyDone,
    Audit,
    Conflict,
    Folders,
    Group,
    Groups,
    Inbox,
    InboxItem,
    Met,
    Outbox,
    OutboxItem,
    PauseReason,
    Queued,
    Receipt,
    Recipients,
    Roles,
    Seat,
    Seats,
    SetAside,
    Spendings,
    Spent,
    StoreUnavailable,
    StoryRow,
    UnitOfWork,
)
from bot.usecases.practice_ports import Practice
from tests.fakes_practice import (
    MemoryAudit,
    MemoryPractice,
    MemoryRoles,
    PracticeState,
    forget,
)

WAIT = 5.0
"""Seconds a writer waits for another before giving up, as on SQL."""


@dataclass
class Kept:
    """One inbox or outbox row with its state."""

    item: InboxItem | OutboxItem
    state: str = "waiting"
    reason: str | None = None
    message_id: int | None = None


@dataclass
class State:
    """Everything the store holds."""

    folders: dict[str, Folder] = field(default_factory=dict)
    inbox: dict[int, Kept] = field(default_factory=dict)
    outbox: dict[int, Kept] = field(default_factory=dict)
    keyboards: dict[int, int] = field(default_factory=dict)
    paused: dict[int, tuple[PauseReason, datetime]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    seats: dict[int, Seat] = field(default_factory=dict)
    practice: PracticeState = field(default_factory=PracticeState)
    spendings: dict[tuple[str, str], Spent] = field(default_factory=dict)
    next_outbox_id: int = 1


class MemoryStore:
    """The port Store in memory. Set `fails_with` to make every commit raise it.

    `state` is what was committed; tests may look into it.
    """

    def __init__(self) -> None:
        self.state = State()
        self.fails_with: StoreUnavailable | None = None
        self.scrubbed_at: list[datetime] = []
        self._writers = asyncio.Lock()

    def work(self) -> UnitOfWork:
        """A fresh unit of work."""
        return MemoryUnitOfWork(self, self._writers)

    async def scrub(self, at: datetime) -> list[Receipt]:
        """Nothing lies about in memory; the call is remembered."""
        self.scrubbed_at.append(at)
        return [Receipt("free_pages", 0, at)]

    async def empty_log(self) -> None:
        """There is no log."""

    async def close(self) -> None:
        """Nothing to release."""


class MemoryUnitOfWork:
    """Reads what is committed until its first write, then owns the one write lock."""

    folders: Folders
    inbox: Inbox
    outbox: Outbox
    recipients: Recipients
    groups: Groups
    seats: Seats
    roles: Roles
    audit: Audit
    practice: Practice
    spendings: Spendings

    def __init__(self, store: MemoryStore, writers: asyncio.Lock) -> None:
        self._store = store
        self._writers = writers
        self._own: State | None = None
        self.outgoing = 0
        self.undo: list[Callable[[], None]] = []
        self.then: list[Callable[[], None]] = []
        self.folders = _Folders(self)
        self.inbox = _Inbox(self)
        self.outbox = _Outbox(self)
        self.recipients = _Recipients(self)
        self.groups = _Groups(self)
        self.seats = _Seats(self)
        self.roles = MemoryRoles(self)
        self.audit = MemoryAudit(self)
        self.practice = MemoryPractice(self)
        self.spendings = _Spendings(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for undo in reversed(self.undo):
            undo()
        self._release()

    async def meet(self, telegram_id: int, chat_id: int) -> Met:
        """Whoever writes."""
        return Met(
            await self.seats.of(telegram_id),
            await self.folders.by_chat(chat_id),
            await self.practice.last_opening(telegram_id),
        )

    async def commit(self, within: float = 0.0) -> None:
        """Make everything since entering visible."""
        if self._store.fails_with is not None:
            raise self._store.fails_with
        if self._own is not None:
            self._store.state = self._own
        for then in self.then:
            then()
        self.then.clear()
        self.outgoing = 0
        self._release()

    def _release(self) -> None:
        self.undo.clear()
        if self._own is not None:
            self._own = None
            self._writers.release()

    @property
    def seen(self) -> State:
        """What a read sees: own writes, or what others committed."""
        return self._own or self._store.state

    async def writing(self) -> State:
        """A copy to change, once every other writer is done."""
        if self._own is None:
            try:
                async with asyncio.timeout(WAIT):
                    await self._writers.acquire()
            except TimeoutError:
                raise StoreUnavailable("Another unit of work is still writing.") from None
            self._own = deepcopy(self._store.state)
        return self._own


class _Folders:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def by_chat(self, chat_id: int) -> Folder | None:
        return next((f for f in self._copies() if f.identity.chat_id == chat_id), None)

    async def by_reference(self, reference: str) -> list[Folder]:
        return [
            f
            for f in self._copies()
            if reference in (f.resident.id, str(f.identity.telegram_id))
            or f.identity.name.casefold() == reference.casefold()
        ]

    async def story(self, story_id: str) -> tuple[Folder, str] | None:
        for folder in self._copies():
            if any(story.id == story_id for story in folder.stories):
                return folder, story_id
        return None

    def _copies(self) -> list[Folder]:
        held = self._work.seen.folders
        return [deepcopy(held[key]) for key in sorted(held)]

    async def save(self, folder: Folder) -> None:
        state = await self._work.writing()
        stored = state.folders.get(folder.resident.id)
        if (stored.session.version if stored else 0) != folder.session.version:
            raise Conflict("The folder was changed by another process; load it again.")
        for other in state.folders.values():
            same_chat = other.identity.chat_id == folder.identity.chat_id
            if same_chat and other.resident.id != folder.resident.id:
                raise Conflict("Another folder holds this chat; load it again.")
        before = folder.session.version
        folder.session.version = before + 1
        state.folders[folder.resident.id] = deepcopy(folder)

        def put_back() -> None:
            folder.session.version = before

        self._work.undo.append(put_back)

    async def erase(self, resident_id: str, at: datetime) -> list[Receipt]:
        state = await self._work.writing()
        folder = state.folders.pop(resident_id, None)
        if folder is None:
            return []
        for key in [k for k in state.spendings if k[1] == resident_id]:
            del state.spendings[key]
        chat = folder.identity.chat_id
        received = [k for k in state.inbox.values() if k.item.chat_id == chat]
        for kept in received:
            assert isinstance(kept.item, InboxItem)
            kept.item = InboxItem(kept.item.update_id, 0, "", at)
            kept.state, kept.reason = "done", None
        unsent = [key for key, kept in state.outbox.items() if kept.item.chat_id == chat]
        for key in unsent:
            del state.outbox[key]
        keyboard = state.keyboards.pop(chat, None)
        pause = state.paused.pop(chat, None)
        for group in state.groups.values():
            if group.added_by == folder.identity.telegram_id:
                state.groups[group.id] = replace(group, added_by=None)
        seat = state.seats.pop(folder.identity.telegram_id, None)
        pushing = forget(state.practice, folder.identity.telegram_id, at)
        return [
            Receipt("database", _rows_of(folder) + (seat is not None) + pushing, at),
            Receipt("inbox", len(received), at),
            Receipt("outbox", len(unsent) + len([x for x in (keyboard, pause) if x]), at),
        ]

    async def rows(self, status: StoryStatus | None = None) -> AsyncIterator[StoryRow]:
        told = [(folder, story) for folder in self._copies() for story in folder.stories]
        told.sort(key=lambda pair: _listing_order(pair[1]))
        for folder, story in told:
            if status in (None, story.status):
                yield _line(folder, story)


def _rows_of(folder: Folder) -> int:
    """Rows the SQL store would hold: resident, identity, session, and each list entry."""
    return (
        3
        + len(folder.shown_examples)
        + sum(
            1
            + len(story.parts)
            + sum(len(part.tellings) for part in story.parts.values())
            + len(story.readings)
            + len(story.releases)
            + len(story.offers)
            + len(story.interpretation)
            for story in folder.stories
        )
    )


def _listing_order(story: Story) -> tuple[bool, datetime, datetime, str]:
    submitted = story.submitted_at
    return submitted is None, submitted or story.begun_at, story.begun_at, story.id


def _line(folder: Folder, story: Story) -> StoryRow:
    release = next((r for r in reversed(story.releases) if r.ended_at is None), None)
    return StoryRow(
        story_id=story.id,
        resident_id=folder.resident.id,
        status=story.status,
        language=story.language,
        stages=tuple(s.value for s in StoryOf if s in story.parts and story.parts[s].text),
        words=sum(count_words(p.text) for p in story.parts.values())
        + count_words(story.link or ""),
        purposes=tuple(p for p in Purpose if release and p in release.purposes),
        name_shown=release.name_shown.value if release else "",
        submitted_at=story.submitted_at,
        expires_at=release.expires_at if release else None,
    )


class _Inbox:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def put(self, item: InboxItem) -> bool:
        state = await self._work.writing()
        kept = state.inbox.get(item.update_id)
        if kept is not None:
            assert isinstance(kept.item, InboxItem)
            old = kept.item.received_at <= item.received_at - timedelta(days=7)
            if not (old and kept.state == "done"):
                return False
        state.inbox[item.update_id] = Kept(item)
        return True

    async def keep(self, items: Sequence[InboxItem]) -> Set[int]:
        new = set[int]()
        kept = {item.update_id for item in items if await self.put(item)}
        self._work.then.append(lambda: new.update(kept))
        return new

    async def waiting(
        self, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[InboxItem]:
        held = self._work.seen.inbox
        waiting = [held[key] for key in sorted(held) if held[key].state == "waiting"]
        items = [kept.item for kept in waiting if isinstance(kept.item, InboxItem)]
        return [i for i in items if lanes is None or lane_of(i.chat_id) in lanes][:limit]

    async def waiting_in(self, chats: Collection[int]) -> list[InboxItem]:
        return [item for item in await self.waiting(2**62) if item.chat_id in chats]

    async def done(self, update_ids: Sequence[int], at: datetime, chat_id: int = 0) -> None:
        if any(kept.state == "done" for kept in await self._rows(update_ids)):
            raise AlreadyDone
        held = (await self._work.writing()).inbox
        for number in update_ids:
            held.setdefault(number, Kept(InboxItem(number, chat_id, "", at)))
        for kept in await self._rows(update_ids):
            assert isinstance(kept.item, InboxItem)
            kept.item = replace(kept.item, payload="")
            kept.state, kept.reason = "done", None

    async def latest(self) -> int:
        return max(self._work.seen.inbox, default=-1)

    async def attempted(self, update_ids: Sequence[int]) -> None:
        for kept in await self._rows(update_ids):
            kept.item = replace(kept.item, attempts=kept.item.attempts + 1)

    async def quarantine(self, update_ids: Sequence[int], reason: str) -> None:
        for kept in await self._rows(update_ids):
            kept.state, kept.reason = "quarantined", reason

    async def counts(self) -> Mapping[str, int]:
        states = [kept.state for kept in self._work.seen.inbox.values()]
        return {state: states.count(state) for state in ("waiting", "done", "quarantined")}

    async def quarantined(self, limit: int = 1000) -> list[SetAside]:
        held = self._work.seen.inbox
        aside = [key for key in sorted(held) if held[key].state == "quarantined"]
        return [
            SetAside(key, held[key].reason or "", item.received_at)
            for key in aside[:limit]
            if isinstance(item := held[key].item, InboxItem)
        ]

    async def put_back(self, update_ids: Sequence[int]) -> int:
        aside = [k for k in await self._rows(update_ids) if k.state == "quarantined"]
        for kept in aside:
            kept.item, kept.state = replace(kept.item, attempts=0), "waiting"
        return len(aside)

    async def returned(self) -> list[InboxItem]:
        held = (await self._work.writing()).inbox
        back = [k for _, k in sorted(held.items()) if k.state == "waiting" and k.reason]
        for kept in back:
            kept.reason = None
        return [kept.item for kept in back if isinstance(kept.item, InboxItem)]

    async def _rows(self, update_ids: Sequence[int]) -> list[Kept]:
        held = (await self._work.writing()).inbox
        return [held[key] for key in update_ids if key in held]


class _Outbox:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def add(self, items: Sequence[OutboxItem]) -> list[int]:
        self._work.outgoing += 1
        state = await self._work.writing()
        ids = []
        for item in items:
            key, state.next_outbox_id = state.next_outbox_id, state.next_outbox_id + 1
            state.outbox[key] = Kept(replace(item, id=key, body=deepcopy(dict(item.body))))
            ids.append(key)
        return ids

    async def queue(self, items: Sequence[OutboxItem]) -> Sequence[OutboxItem]:
        queued = list[OutboxItem]()
        ids = await self.add(items) if items else []
        found = [one for i in ids if (one := await self.one(i)) is not None]
        self._work.then.append(lambda: queued.extend(found if self._work.outgoing == 1 else ()))
        return queued

    async def waiting(self, limit: int = 1000) -> list[OutboxItem]:
        held = self._work.seen.outbox
        waiting = [deepcopy(held[key].item) for key in sorted(held) if _waits(held[key])]
        return [item for item in waiting[:limit] if isinstance(item, OutboxItem)]

    async def queued(
        self, after: int = 0, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[Queued]:
        waiting = [
            i
            for i in await self.waiting(2**62)
            if i.id is not None and i.id > after and (lanes is None or lane_of(i.chat_id) in lanes)
        ]
        return [Queued(i.id or 0, i.chat_id, i.urgency) for i in waiting[:limit]]

    async def one(self, item_id: int) -> OutboxItem | None:
        kept = self._work.seen.outbox.get(item_id)
        if kept is None or kept.state not in ("waiting", "sending"):
            return None
        assert isinstance(kept.item, OutboxItem)
        open_here = self._work.seen.keyboards.get(kept.item.chat_id)
        return replace(deepcopy(kept.item), keyboard=open_here)

    async def sent(self, item_id: int, message_id: int | None) -> None:
        await self._settle(item_id, "sent", message_id=message_id)

    async def sending(self, item_id: int) -> bool:
        kept = (await self._work.writing()).outbox.get(item_id)
        if kept is None or kept.state != "waiting":
            return False
        kept.state = "sending"
        return True

    async def unknown(self, item_id: int, reason: str) -> None:
        await self._settle(item_id, "unknown", reason=reason)

    async def interrupted(self, reason: str, lanes: Collection[int] | None = None) -> int:
        held = (await self._work.writing()).outbox
        left = [
            key
            for key, kept in held.items()
            if kept.state == "sending" and (lanes is None or lane_of(kept.item.chat_id) in lanes)
        ]
        for key in left:
            await self.unknown(key, reason)
        return len(left)

    async def failed(self, item_id: int, reason: str) -> None:
        await self._settle(item_id, "failed", reason=reason)

    async def attempted(self, item_id: int) -> None:
        kept = (await self._work.writing()).outbox.get(item_id)
        if kept is not None and kept.state in ("waiting", "sending"):
            kept.state = "waiting"
            kept.item = replace(kept.item, attempts=kept.item.attempts + 1)

    async def counts(self) -> Mapping[str, int]:
        states = [kept.state for kept in self._work.seen.outbox.values()]
        names = ("waiting", "sending", "sent", "failed", "unknown")
        return {state: states.count(state) for state in names}

    async def message_of(self, item_id: int) -> int | None:
        kept = self._work.seen.outbox.get(item_id)
        return kept.message_id if kept is not None else None

    async def keyboard(self, chat_id: int) -> int | None:
        return self._work.seen.keyboards.get(chat_id)

    async def set_keyboard(self, chat_id: int, message_id: int | None) -> None:
        keyboards = (await self._work.writing()).keyboards
        keyboards.pop(chat_id, None)
        if message_id is not None:
            keyboards[chat_id] = message_id

    async def _settle(
        self,
        item_id: int,
        state: str,
        reason: str | None = None,
        message_id: int | None = None,
    ) -> None:
        kept = (await self._work.writing()).outbox.get(item_id)
        if kept is not None:
            assert isinstance(kept.item, OutboxItem)
            kept.item = replace(kept.item, body={})
            kept.state, kept.reason, kept.message_id = state, reason, message_id


def _waits(kept: Kept) -> bool:
    return kept.state == "waiting"


class _Recipients:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def pause(self, chat_id: int, reason: PauseReason, at: datetime) -> bool:
        paused = (await self._work.writing()).paused
        before = paused.get(chat_id)
        paused[chat_id] = (reason, before[1] if before else at)
        return before is None

    async def resume(self, chat_id: int) -> bool:
        if chat_id not in self._work.seen.paused:
            return False
        return (await self._work.writing()).paused.pop(chat_id, None) is not None

    async def heard_from(self, chat_id: int) -> None:
        await self.resume(chat_id)

    async def paused(self) -> Mapping[int, PauseReason]:
        return {chat: reason for chat, (reason, _) in self._work.seen.paused.items()}

    async def drop(self, before: datetime) -> int:
        state = await self._work.writing()
        dropped = 0
        for kept in state.outbox.values():
            item = kept.item
            if not isinstance(item, OutboxItem) or kept.state != "waiting":
                continue
            pause = state.paused.get(item.chat_id)
            is_kept = item.chat_id > 0 and item.urgency == "reply"
            if pause is not None and (not is_kept or pause[1] < before):
                kept.item = replace(item, body={})
                kept.state, kept.reason = "failed", pause[0]
                dropped += 1
        return dropped

    async def moved(self, old: int, new: int) -> bool:
        state = await self._work.writing()
        for kept in state.outbox.values():
            if kept.item.chat_id == old:
                kept.item = replace(kept.item, chat_id=new)
        if old in state.keyboards:
            state.keyboards.setdefault(new, state.keyboards.pop(old))
        if old in state.paused:
            state.paused.setdefault(new, state.paused.pop(old))
        groups = {group.chat_id: group for group in state.groups.values()}
        if old not in groups:
            return False
        follows = replace(groups[old], chat_id=new)
        if new in groups:
            del state.groups[groups[new].id]
            follows = replace(follows, standing=groups[new].standing)
        state.groups[follows.id] = follows
        return True


class _Groups:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def by_chat(self, chat_id: int) -> Group | None:
        found = (g for g in self._work.seen.groups.values() if g.chat_id == chat_id)
        return next(found, None)

    async def save(self, group: Group) -> None:
        groups = (await self._work.writing()).groups
        if any(g.chat_id == group.chat_id and g.id != group.id for g in groups.values()):
            raise Conflict("Another group holds this chat; load it again.")
        groups[group.id] = group

    async def all(self) -> list[Group]:
        return sorted(self._work.seen.groups.values(), key=lambda g: (g.added_at, g.id))


class _Spendings:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def spent(self, day: date, who: str) -> Spent:
        return self._work.seen.spendings.get((day.isoformat(), who), Spent())

    async def add(self, day: date, who: str, spent: Spent) -> None:
        kept = (await self._work.writing()).spendings
        for key in [k for k in kept if k[1] and k[0] < day.isoformat()]:
            del kept[key]
        before = kept.get((day.isoformat(), who), Spent())
        kept[(day.isoformat(), who)] = before + spent


class _Seats:
    def __init__(self, work: MemoryUnitOfWork) -> None:
        self._work = work

    async def of(self, telegram_id: int) -> Seat | None:
        return deepcopy(self._work.seen.seats.get(telegram_id))

    async def save(self, seat: Seat) -> None:
        (await self._work.writing()).seats[seat.telegram_id] = deepcopy(seat)

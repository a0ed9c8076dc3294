"""Practice prompts, groups' tags, schedules and deliveries on SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update

from bot.core.movement import Movement, Step
from bot.core.narrative import Element
from bot.core.practice import (
    Aim,
    Delivery,
    Fate,
    LeftOut,
    PracticePrompt,
    Schedule,
    Season,
    reason_of,
)
from bot.core.schedule import Quiet, Repeat, Rule
from bot.store.follow_ups import FATES, SqlFollowUps
from bot.store.practice_tables import (
    deliveries,
    group_claims,
    group_tags,
    movement,
    practice_opens,
    practice_prompts,
    schedules,
)
from bot.store.prepared import Hand, Prepared
from bot.store.roles import person
from bot.store.sending import FAILED, SENDING, WAITING
from bot.store.tables import groups, outbox
from bot.store.transaction import Transaction
from bot.usecases.ports import Conflict, Group
from bot.usecases.practice_ports import Opening, Outcome, Target, Unsettled

_STEPS = {
    Step.BEGAN: practice_opens.c.began_at,
    Step.FINISHED: practice_opens.c.finished_at,
    Step.RELEASED: practice_opens.c.released_at,
}
_LAST_OPENING = Prepared(
    select(deliveries, practice_opens.c.last_opened_at, *_STEPS.values())
    .select_from(practice_opens.join(deliveries))
    .where(practice_opens.c.person_sha256 == bindparam("person"))
    .order_by(practice_opens.c.last_opened_at.desc())
    .limit(1)
)
_AT_ONCE = 500


def last_opening(hand: Hand, telegram_id: int) -> Callable[[], Opening | None]:
    """Asks for what this person opened last; the call waits for it."""
    asked = hand.send(_LAST_OPENING, person=person(telegram_id))

    def opening() -> Opening | None:
        rows = asked.rows()
        if not rows:
            return None
        (row,) = rows
        steps = {step for step, column in _STEPS.items() if getattr(row, column.name) is not None}
        return Opening(_delivery(row), row.last_opened_at, frozenset({Step.OPENED, *steps}))

    return opening


class SqlPractice(SqlFollowUps):
    """The port Practice, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    # -- prompts and groups ---------------------------------------------------------------------

    async def prompts(self) -> list[PracticePrompt]:
        """What organizers wrote, retired ones included, oldest first."""
        rows = await self._transaction.read(
            select(practice_prompts).order_by(practice_prompts.c.written_at, practice_prompts.c.id)
        )
        return [
            PracticePrompt(
                row.id,
                Element(row.move),
                Season(row.season),
                {row.language: row.text},
                own=True,
                written_by=row.written_by,
                written_at=row.written_at,
                retired_at=row.retired_at,
            )
            for row in rows
        ]

    async def save_prompt(self, prompt: PracticePrompt) -> None:
        """Write an organizer's prompt, new or known by its id."""
        ((language, text),) = prompt.texts.items()
        row = {
            "id": prompt.id,
            "move": prompt.move.value,
            "season": prompt.season.value,
            "language": language,
            "text": text,
            "written_by": prompt.written_by,
            "written_at": prompt.written_at,
            "retired_at": prompt.retired_at,
        }
        known = practice_prompts.c.id == prompt.id
        if not await self._transaction.write(update(practice_prompts).where(known).values(row)):
            await self._transaction.write(insert(practice_prompts).values(row))

    async def targets(self, group_ids: Collection[str] | None = None) -> list[Target]:
        """Groups by id, or every group, oldest first."""
        found = select(groups, group_claims.c.claimed_by, group_claims.c.claimed_at).select_from(
            groups.outerjoin(group_claims, group_claims.c.group_id == groups.c.id)
        )
        tagged = select(group_tags)
        if group_ids is not None:
            found = found.where(groups.c.id.in_(group_ids))
            tagged = tagged.where(group_tags.c.group_id.in_(group_ids))
        tags: dict[str, set[str]] = {}
        for row in await self._transaction.read(tagged):
            tags.setdefault(row.group_id, set()).add(row.tag)
        return [
            Target(
                Group(**{column.name: row._mapping[column] for column in groups.c}),
                frozenset(tags.get(row.id, ())),
                row.claimed_at,
                row.claimed_by,
            )
            for row in await self._transaction.read(found.order_by(groups.c.added_at, groups.c.id))
        ]

    async def claim_group(self, group_id: str, telegram_id: int | None, at: datetime) -> bool:
        """Note who answers for a group; False when somebody did already (nothing changes)."""
        row = {"group_id": group_id, "claimed_by": telegram_id, "claimed_at": at}
        kept = self._insert_or(group_claims).values(row).on_conflict_do_nothing()
        new = await self._transaction.write_returning(kept.returning(group_claims.c.group_id))
        return bool(new)

    async def tag_group(self, group_id: str, tags: Collection[str]) -> None:
        """Replace a group's tags."""
        write = self._transaction.write
        await write(delete(group_tags).where(group_tags.c.group_id == group_id))
        if tags:
            rows = [{"group_id": group_id, "tag": tag} for tag in sorted(set(tags))]
            await write(insert(group_tags), rows)

    # -- schedules ------------------------------------------------------------------------------

    async def schedule(self, schedule_id: str) -> Schedule | None:
        """One schedule."""
        rows = await self._transaction.read(select(schedules).where(schedules.c.id == schedule_id))
        return _schedule(rows[0]) if rows else None

    async def schedules(self, *, ended: bool = False) -> list[Schedule]:
        """Those not ended, or every one, oldest first."""
        wanted = select(schedules).order_by(schedules.c.made_at, schedules.c.id)
        if not ended:
            wanted = wanted.where(schedules.c.ended_at.is_(None))
        return [_schedule(row) for row in await self._transaction.read(wanted)]

    async def save_schedule(self, schedule: Schedule) -> None:
        """Write it; the stored version is one higher then. Conflict when its version is old."""
        row = _row_of(schedule) | {"version": schedule.version + 1}
        changed = await self._transaction.write(
            update(schedules)
            .where(schedules.c.id == schedule.id, schedules.c.version == schedule.version)
            .values(row)
        )
        if changed:
            return
        if schedule.version:
            raise Conflict("The schedule was changed by another process; load it again.")
        await self._transaction.write(insert(schedules).values(row))

    async def hold(self, schedule_id: str, version: int) -> bool:
        """Keep everybody else from changing a schedule until the commit.

        False when it is not of this version any more.
        """
        return bool(
            await self._transaction.write(
                update(schedules)
                .where(schedules.c.id == schedule_id, schedules.c.version == version)
                .values(version=version)
            )
        )

    async def looked(self, schedule_id: str, version: int, until: datetime) -> None:
        """Note that every slot up to `until` was dealt with; nothing if the version is another."""
        await self._transaction.write(
            update(schedules)
            .where(schedules.c.id == schedule_id, schedules.c.version == version)
            .values(looked_until=until)
        )

    # -- deliveries -----------------------------------------------------------------------------

    async def claimed(
        self, schedule_id: str, slot: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        """Groups that have had this slot, with the reason when they were left out."""
        rows = await self._transaction.read(
            select(deliveries.c.group_id, deliveries.c.left_out).where(
                deliveries.c.schedule_id == schedule_id,
                deliveries.c.slot == slot,
                deliveries.c.group_id.in_(group_ids),
            )
        )
        return {row.group_id: _left_out(row.left_out) for row in rows}

    async def turn(self, schedule_id: str, slot: str) -> int:
        """How many earlier slots of the schedule were dealt with."""
        earlier = select(func.count(func.distinct(deliveries.c.slot)).label("number")).where(
            deliveries.c.schedule_id == schedule_id, deliveries.c.slot < slot
        )
        return int((await self._transaction.read(earlier))[0].number)

    async def last_prompted(self, group_ids: Collection[str]) -> Mapping[str, datetime]:
        """When each group last had a prompt that was, or may have been, posted."""
        rows = await self._transaction.read(
            select(deliveries.c.group_id, func.max(deliveries.c.due_at).label("due_at"))
            .select_from(deliveries.join(outbox, outbox.c.id == deliveries.c.outbox_id))
            .where(deliveries.c.group_id.in_(group_ids), outbox.c.state != FAILED)
            .group_by(deliveries.c.group_id)
        )
        return {row.group_id: row.due_at for row in rows}

    async def last_left_out(
        self, schedule_id: str, group_ids: Collection[str]
    ) -> Mapping[str, LeftOut | None]:
        """Why each group did not get the last slot dealt with: left out, or the pause that kept its
        message back; None when neither."""
        rows = await self._transaction.read(
            select(deliveries.c.group_id, deliveries.c.left_out, outbox.c.reason)
            .select_from(deliveries.outerjoin(outbox, outbox.c.id == deliveries.c.outbox_id))
            .where(deliveries.c.schedule_id == schedule_id, deliveries.c.group_id.in_(group_ids))
            .order_by(deliveries.c.due_at)
        )
        return {row.group_id: reason_of(row.left_out or row.reason) for row in rows}

    async def claim(self, claims: Sequence[Delivery], settled: Collection[str]) -> None:
        """Keep deliveries; those whose id is in `settled` need not be told to anybody.

        Conflict when one group would get a slot twice.
        """
        rows = [
            asdict(d) | {"settled_at": d.claimed_at if d.id in settled else None} for d in claims
        ]
        if rows:
            await self._transaction.write(insert(deliveries), rows)

    async def unclaim(self, schedule_id: str, slot: str, group_ids: Collection[str]) -> None:
        """Forget that groups were left out of a slot; what was posted stays."""
        await self._transaction.write(
            delete(deliveries).where(
                deliveries.c.schedule_id == schedule_id,
                deliveries.c.slot == slot,
                deliveries.c.group_id.in_(group_ids),
                deliveries.c.left_out.is_not(None),
            )
        )

    async def unsettled(self, limit: int = 5000) -> list[Unsettled]:
        """Deliveries that have come to an end which was not dealt with, oldest first."""
        with_outbox = deliveries.outerjoin(outbox, outbox.c.id == deliveries.c.outbox_id)
        is_open = deliveries.c.settled_at.is_(None)
        waits = outbox.c.state.in_((WAITING, SENDING))
        ended = await self._transaction.read(
            select(deliveries, outbox.c.state, outbox.c.reason)
            .select_from(with_outbox)
            .where(is_open, or_(outbox.c.state.is_(None), ~waits))
            .order_by(deliveries.c.due_at, deliveries.c.id)
            .limit(limit)
        )
        if not ended:
            return []
        waiting = await self._transaction.read(
            select(deliveries.c.schedule_id, deliveries.c.slot)
            .select_from(with_outbox)
            .where(is_open, waits)
            .distinct()
        )
        others = {(row.schedule_id, row.slot) for row in waiting}
        return [
            Unsettled(_delivery(row), _fate(row), row.reason, (row.schedule_id, row.slot) in others)
            for row in ended
        ]

    async def settle(self, delivery_ids: Sequence[str], at: datetime) -> int:
        """Their ends were dealt with; how many were not before."""
        changed = 0
        for start in range(0, len(delivery_ids), _AT_ONCE):
            some = delivery_ids[start : start + _AT_ONCE]
            changed += await self._transaction.write(
                update(deliveries)
                .where(deliveries.c.id.in_(some), deliveries.c.settled_at.is_(None))
                .values(settled_at=at)
            )
        return changed

    # -- people ---------------------------------------------------------------------------------

    async def by_token(self, token: str) -> Delivery | None:
        """The delivery a button's token stands for."""
        rows = await self._transaction.read(select(deliveries).where(deliveries.c.token == token))
        return _delivery(rows[0]) if rows else None

    async def open(self, delivery_id: str, telegram_id: int, at: datetime) -> bool:
        """Count a person once for a delivery; False when counted before.

        Either way it is the prompt this person opened last.
        """
        row = {
            "delivery_id": delivery_id,
            "person_sha256": person(telegram_id),
            "opened_at": at,
            "last_opened_at": at,
        }
        kept = self._insert_or(practice_opens).values(row).on_conflict_do_nothing()
        if await self._transaction.write_returning(kept.returning(practice_opens.c.delivery_id)):
            return True
        await self._transaction.write(
            update(practice_opens)
            .where(_opened_by(delivery_id, telegram_id))
            .values(last_opened_at=at)
        )
        return False

    async def last_opening(self, telegram_id: int) -> Opening | None:
        """What this person opened last."""
        return await self._transaction.ask(lambda hand: last_opening(hand, telegram_id)())

    async def reached(
        self, delivery_id: str, telegram_id: int, steps: Collection[Step], at: datetime
    ) -> None:
        """Note how far a person came after opening; each step is kept once."""
        for step in steps:
            if (column := _STEPS.get(step)) is not None:
                await self._transaction.write(
                    update(practice_opens)
                    .where(_opened_by(delivery_id, telegram_id), column.is_(None))
                    .values({column.name: at})
                )

    async def moved(self, group_id: str, telegram_id: int, kind: Movement, at: datetime) -> bool:
        """Count a person once for a kind of movement in a group; False when counted before."""
        row = {
            "group_id": group_id,
            "person_sha256": person(telegram_id),
            "kind": kind.value,
            "recorded_at": at,
        }
        kept = self._insert_or(movement).values(row).on_conflict_do_nothing()
        new = await self._transaction.write_returning(kept.returning(movement.c.group_id))
        return bool(new)

    # -- results --------------------------------------------------------------------------------

    async def outcomes(self) -> list[Outcome]:
        """Every delivery in numbers, oldest first."""
        counted = (
            select(
                practice_opens.c.delivery_id,
                func.count().label(Step.OPENED.value),
                *(func.count(column).label(step.value) for step, column in _STEPS.items()),
            )
            .group_by(practice_opens.c.delivery_id)
            .subquery()
        )
        rows = await self._transaction.read(
            select(
                deliveries.c.group_id,
                deliveries.c.prompt_id,
                deliveries.c.schedule_id,
                deliveries.c.due_at,
                deliveries.c.left_out,
                outbox.c.state,
                outbox.c.reason,
                *(counted.c[step.value] for step in Step),
            )
            .select_from(
                deliveries.outerjoin(outbox, outbox.c.id == deliveries.c.outbox_id).outerjoin(
                    counted, counted.c.delivery_id == deliveries.c.id
                )
            )
            .order_by(deliveries.c.due_at, deliveries.c.id)
        )
        return [
            Outcome(
                row.group_id,
                row.prompt_id,
                row.schedule_id,
                row.due_at,
                _fate(row),
                row.reason or row.left_out,
                {step: int(row._mapping[counted.c[step.value]] or 0) for step in Step},
            )
            for row in rows
        ]

    async def movement(self) -> Mapping[tuple[str, Movement], int]:
        """People by group and kind of movement."""
        rows = await self._transaction.read(
            select(movement.c.group_id, movement.c.kind, func.count().label("people")).group_by(
                movement.c.group_id, movement.c.kind
            )
        )
        return {(row.group_id, Movement(row.kind)): int(row.people) for row in rows}

    def _insert_or(self, table: Any) -> Any:
        """An INSERT that can leave what is there as it is, in the database's own dialect."""
        if self._transaction.dialect == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as insert_or_not
        else:
            from sqlalchemy.dialects.sqlite import insert as insert_or_not  # type: ignore[assignment]
        return insert_or_not(table)


def _opened_by(delivery_id: str, telegram_id: int) -> ColumnElement[bool]:
    return and_(
        practice_opens.c.delivery_id == delivery_id,
        practice_opens.c.person_sha256 == person(telegram_id),
    )


def _left_out(word: str | None) -> LeftOut | None:
    return LeftOut(word) if word else None


def _fate(row: Any) -> Fate:
    if row.left_out is not None:
        return "left_out"
    # A message that is not there any more was erased before we knew: nobody can say.
    return FATES.get(row.state, "unknown")


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        schedule_id=row.schedule_id,
        slot=row.slot,
        group_id=row.group_id,
        prompt_id=row.prompt_id,
        language=row.language,
        token=row.token,
        due_at=row.due_at,
        claimed_at=row.claimed_at,
        outbox_id=row.outbox_id,
        left_out=_left_out(row.left_out),
    )


def _row_of(schedule: Schedule) -> dict[str, Any]:
    rule, aim = schedule.rule, schedule.aim
    quiet = rule.quiet
    return {
        "id": schedule.id,
        "prompts": list(schedule.prompts),
        "aim": {
            "groups": sorted(aim.groups),
            "tags": sorted(aim.tags),
            "languages": sorted(aim.languages),
        },
        "rule": {
            "repeat": rule.repeat.value,
            "first": rule.first.isoformat(),
            "at": rule.at.isoformat("minutes"),
            "weekdays": sorted(rule.weekdays),
            "nth": rule.nth,
            "until": rule.until.isoformat() if rule.until else None,
            "quiet": [quiet.begins.isoformat("minutes"), quiet.ends.isoformat("minutes")]
            if quiet
            else None,
            "asked_at": rule.asked_at.isoformat() if rule.asked_at else None,
        },
        "made_by": schedule.made_by,
        "made_at": schedule.made_at,
        "looked_until": schedule.looked_until,
        "rest_days": schedule.rest_days,
        "paused_at": schedule.paused_at,
        "ended_at": schedule.ended_at,
        "ended_because": schedule.ended_because,
        "skipped": sorted(schedule.skipped),
    }


def _schedule(row: Any) -> Schedule:
    rule = row.rule
    quiet = rule["quiet"]
    return Schedule(
        id=row.id,
        prompts=tuple(row.prompts),
        aim=Aim(
            frozenset(row.aim["groups"]),
            frozenset(row.aim["tags"]),
            frozenset(row.aim["languages"]),
        ),
        rule=Rule(
            Repeat(rule["repeat"]),
            date.fromisoformat(rule["first"]),
            time.fromisoformat(rule["at"]),
            frozenset(rule["weekdays"]),
            rule["nth"],
            date.fromisoformat(rule["until"]) if rule["until"] else None,
            Quiet(*(time.fromisoformat(each) for each in quiet)) if quiet else None,
            datetime.fromisoformat(rule["asked_at"]) if rule["asked_at"] else None,
        ),
        made_by=row.made_by,
        made_at=row.made_at,
        looked_until=row.looked_until,
        rest_days=row.rest_days,
        paused_at=row.paused_at,
        ended_at=row.ended_at,
        ended_because=row.ended_because,
        skipped=frozenset(row.skipped),
        version=row.version,
    )

"""Asking a model beside the embedded reader: in time, within a budget, and never believed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.core.coaching import MOST_AIMS, CoachingNotes
from bot.core.guards import Reply, weigh
from bot.core.masking import Masked, masked
from bot.core.narrative import ORDER_OF_CARE, Element, Reading, StoryOf
from bot.core.story import Folder
from bot.core.turn import ReadTelling
from bot.usecases.ports import (
    Clock,
    Coach,
    CoachUnavailable,
    Conflict,
    FromModel,
    Meter,
    Screener,
    Spent,
    Store,
    StoreUnavailable,
    ToModel,
    Unmeasured,
)

log = logging.getLogger(__name__)

DEADLINE = 6.0
"""Seconds from the resident's words to the last moment a model's answer is still waited for."""

EVERYBODY = ""
"""Whose spending is everybody's together."""

LAST_TURNS = 2
"""Turns of which a model is told what was asked."""


@dataclass(frozen=True)
class Budget:
    """What may be spent a UTC day: tokens by one resident, tokens and dollars by everybody."""

    resident_tokens: int = 60_000
    day_tokens: int = 2_000_000
    day_dollars: float = 5.0

    def allows(self, resident: Spent, everybody: Spent) -> bool:
        """Whether one more call may begin."""
        return (
            resident.tokens < self.resident_tokens
            and everybody.tokens < self.day_tokens
            and everybody.dollars < self.day_dollars
        )


class Modelled:
    """Readings and questions from a model, with the embedded reader's always at hand."""

    def __init__(
        self,
        coach: Coach,
        screener: Screener,
        store: Store,
        clock: Clock,
        meter: Meter | None = None,
        budget: Budget | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        """`deadline` is seconds, see DEADLINE."""
        self._coach, self._screener, self._store, self._clock = coach, screener, store, clock
        self._meter = meter or Unmeasured()
        self._budget = budget or Budget()
        self._deadline = deadline
        self._under_way: Counter[str] = Counter()

    async def read(
        self,
        need: ReadTelling,
        folder: Folder,
        language: str,
        embedded: asyncio.Task[Reading | None],
        hurried: asyncio.Event,
    ) -> Reading | None:
        """A reading by the model where it may be used, by the embedded reader where not.

        `embedded` is already running. The call is given up at the deadline, and as soon as
        `hurried` is set because the resident writes on.
        """
        began = time.monotonic()
        outcome = "answered"
        try:
            found = await self._ask(need, folder, language, hurried)
        except CoachUnavailable as error:
            outcome, found = error.reason, None
        except StoreUnavailable:
            outcome, found = "budget_unknown", None
        fallback = await embedded
        self._meter.count("model", outcome)
        if found is None:
            return fallback
        self._meter.took("model", time.monotonic() - began)
        notes = need.notes or CoachingNotes()
        weighed = weigh(found, fallback, need.text, language, notes)
        for refusal, number in weighed.refusals.items():
            for _ in range(number):
                self._meter.count("refusal", refusal)
        return weighed.reading

    async def _ask(
        self, need: ReadTelling, folder: Folder, language: str, hurried: asyncio.Event
    ) -> Reply | None:
        """The reply, in the teller's own words again. Raises CoachUnavailable."""
        try:
            async with asyncio.timeout(self._deadline):
                telling, out = await self._prepared(need, folder, language)
                async with self._allowed(folder.resident.id, telling) as bill:
                    found = await _unless(hurried, self._coach.coach(telling))
                    bill.append(found.spent)
        except TimeoutError:
            raise CoachUnavailable("late") from None
        return unmasked(found.reply, out)

    async def _prepared(
        self, need: ReadTelling, folder: Folder, language: str
    ) -> tuple[ToModel, Masked]:
        """All that leaves the machine, and what was taken out of it."""
        spans = await self._screener.privacy(need.text, language)
        out = masked(need.text, spans, (folder.identity.name,))
        return to_model(need.stage, out.text, language, need.notes or CoachingNotes()), out

    # -- the budget -----------------------------------------------------------------------------

    @asynccontextmanager
    async def _allowed(self, resident: str, telling: ToModel) -> AsyncIterator[list[Spent]]:
        """Room in today's budget for one call; what it cost is put in the list.

        A call whose end nobody saw is charged as an estimate. Raises CoachUnavailable.
        """
        estimate, today = self._coach.estimate(telling), self._clock.now().date()
        async with self._store.work() as work:
            mine = await work.spendings.spent(today, resident)
            all_of_it = await work.spendings.spent(today, EVERYBODY)
        waiting = Spent(self._under_way[resident]), Spent(self._under_way.total())
        if not self._budget.allows(mine + waiting[0], all_of_it + waiting[1]):
            raise CoachUnavailable("over_budget")
        self._under_way[resident] += estimate.tokens
        bill: list[Spent] = []
        unseen = True
        try:
            yield bill
            unseen = False
        except CoachUnavailable as error:
            unseen = error.reason in ("late", "hurried", "not_the_schema", "broken_off")
            raise
        finally:
            self._under_way[resident] -= estimate.tokens
            self._under_way = +self._under_way
            cost = sum(bill, Spent()) if bill else estimate if unseen else Spent()
            if cost.tokens:
                await self._charge(resident, cost)

    async def _charge(self, resident: str, cost: Spent) -> None:
        """Put a call on the day's bill. A bill that cannot be written stops nobody's turn."""
        self._meter.add("tokens", cost.tokens)
        self._meter.add("dollars", cost.dollars)
        today = self._clock.now().date()
        for last in (False, True):
            try:
                async with self._store.work() as work:
                    await work.spendings.add(today, resident, cost)
                    await work.spendings.add(today, EVERYBODY, cost)
                    await work.commit()
                return
            except (Conflict, StoreUnavailable) as error:
                if last:
                    log.warning("a model's cost was not noted: %s", type(error).__name__)


async def _unless(hurried: asyncio.Event, call: Coroutine[object, object, FromModel]) -> FromModel:
    """The call's result, unless `hurried` comes first; then it is cancelled (CoachUnavailable)."""
    calling = asyncio.create_task(call, name="asking a model")
    hurrying = asyncio.create_task(hurried.wait(), name="hurrying")
    try:
        await asyncio.wait({calling, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not calling.done():
            raise CoachUnavailable("hurried")
        return await calling
    finally:
        for task in (calling, hurrying):
            task.cancel()
        await asyncio.gather(calling, hurrying, return_exceptions=True)


def to_model(stage: StoryOf, text: str, language: str, notes: CoachingNotes) -> ToModel:
    """What is sent for a telling without identities."""
    closed = [e for e in ORDER_OF_CARE[stage] if _is_closed(e, notes)]
    asked = [e for e in notes.aimed if e.stage is stage][-LAST_TURNS:]
    return ToModel(stage, text, language, tuple(asked), tuple(closed))


def _is_closed(element: Element, notes: CoachingNotes) -> bool:
    return element in notes.skipped or notes.aimed.count(element) >= MOST_AIMS


def unmasked(reply: Reply, out: Masked) -> Reply:
    """The same reply with the teller's own words where placeholders stood."""
    return replace(
        reply,
        quotes={e: out.unmasked(q) for e, q in reply.quotes.items()},
        value=out.unmasked(reply.value),
        question=out.unmasked(reply.question),
    )

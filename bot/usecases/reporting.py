"""Stories as data, for staff and for everybody: counted one by one, small numbers hidden."""

from __future__ import annotations

from collections import Counter

from bot.core.report import Report, Tally
from bot.usecases.people import Actor
from bot.usecases.ports import Clock, Store
from bot.usecases.reviewing import require_any

PAGE = 500
"""Stories counted at a time; none of them is kept."""


class Reporting:
    """Staff's report over all stories whose tellers let them be counted."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Everything is passed in; wiring chooses."""
        self._store, self._clock = store, clock

    async def report(self, actor: Actor, *, is_public: bool = False) -> Report:
        """Every chart there is something for. Raises NotAllowed.

        Movement is what groups reported themselves, all of them together.
        """
        now = self._clock.now()
        tally = Tally()
        async with self._store.work() as work:
            await require_any(work, actor, "review", "approve", "export")
            after = ""
            while page := await work.library.for_report(now, after, PAGE):
                for story in page:
                    tally.add(story)
                after = page[-1].release_id
            number = 0
            while acts := await work.library.reviews(number, PAGE):
                for number, record in acts:  # noqa: B007  # the last number leads to the next page
                    if record.act != "second_asked":
                        tally.decided(record.act)
                    if record.act == "returned":
                        tally.returned(record.reason, record.themes)
            moved: Counter[str] = Counter()
            for (_, kind), people in (await work.practice.movement()).items():
                moved[kind.value] += people
            if moved:
                tally.moved(moved)
            what = "report_public" if is_public else "report_staff"
            await work.audit.record(str(actor), what, None, now)
            await require_any(work, actor, "review", "approve", "export")
            await work.commit()
        return tally.report(is_public=is_public)

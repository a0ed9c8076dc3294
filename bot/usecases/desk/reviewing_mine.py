"""A teller's view: where their stories stand and have been, and another reader for one returned."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.review import ReviewRefused
from bot.core.turn import Choice, Heard, Line, Move, Say
from bot.usecases.desk import Visit, button
from bot.usecases.library import Been, Library
from bot.usecases.ports import Clock, Store
from bot.usecases.reviewing import Reviewing

ROOM = "mine"
COMMAND = "where"
SHOWN = 5
"""Stories on one screen, the newest."""


class Mine:
    """The room that /where leads to; anybody's, for their own stories only."""

    name = ROOM

    def __init__(self, store: Store, clock: Clock) -> None:
        """Over the store of one visit."""
        self._library, self._reviewing = Library(store, clock), Reviewing(store, clock)

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """/where."""
        return ("home", ()) if heard.command == COMMAND else None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Show it; ask for another reader first if that is what was pressed."""
        said: list[Line] = []
        if visit.verb == "second" and visit.arguments:
            said.append(await self._second(visit))
        stories = (await self._library.where(visit.sender.chat_id))[-SHOWN:]
        visit.seat.notes["mine"] = [s.story_id for s in stories]
        if not stories:
            return [Say((*said, Line("review.where.nothing")))]
        rows: list[tuple[Choice, ...]] = []
        for number, story in enumerate(stories):
            said += _lines(story)
            if story.can_ask_second:
                label = "review.b.second" if len(stories) == 1 else "review.b.second_of"
                words = {"quote": " ".join(story.quote.split()[:3])}
                rows.append((button(ROOM, "second", str(number), label=label, **words),))
        return [Say((*said, Line("review.where.end")), tuple(rows))]

    async def _second(self, visit: Visit) -> Line:
        listed, number = visit.seat.notes.get("mine", []), visit.arguments[0]
        if not number.isdecimal() or int(number) >= len(listed):
            return Line("review.refused.nothing_to_second")
        try:
            await self._reviewing.ask_second(visit.sender.telegram_id, listed[int(number)])
        except ReviewRefused as refused:
            return Line(f"review.refused.{refused.why}")
        return Line("review.where.second_asked")


def _lines(story: Been) -> list[Line]:
    known = {"quote": story.quote, "story": story.story_id}
    lines = [Line("review.where.story", known, {"state": _state(story)})]
    lines += [Line("review.where.use", refs={"use": f"purposes.{p}"}) for p in story.uses]
    if story.note:
        lines.append(Line("review.told.note", {"note": story.note, "story": story.story_id}))
    been = dict.fromkeys((p.what, p.profile, f"{p.at:%Y-%m-%d}", p.group) for p in story.places)
    for what, profile, day, group in been:
        refs = {"profile": f"review.for.{profile}"} if profile else {}
        words = {"day": day, "group": group, "story": story.story_id}
        lines.append(Line(f"review.where.{what}", words, refs))
    if story.offer is not None:
        until = f"{story.offer.release.expires_at:%Y-%m-%d}"
        words = {"groups": ", ".join(story.offer.titles), "day": until}
        lines.append(Line("review.where.offered", {**words, "story": story.story_id}))
    return lines


def _state(story: Been) -> str:
    if story.state is not None:
        return f"review.state.{story.state.value}"
    return f"review.state.{'lent' if story.offer else 'ended' if story.places else 'private'}"

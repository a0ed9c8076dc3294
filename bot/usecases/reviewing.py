"""What staff do with a released story: read, claim, approve, return, hold, escalate.

Every act asks for its right in the transaction it is done in, is noted in the audit trail without
a word of the story, and tells the teller. What comes back is plain data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.core.consent import AgeBand, NameShown, Purpose, Release
from bot.core.library import label
from bot.core.narrative import Element, StoryOf
from bot.core.quoting import quotation
from bot.core.review import (
    EscalateReason,
    Refusal,
    ReviewRefused,
    ReviewState,
    Submission,
    checked_marks,
    checked_note,
    claimed,
    decided,
    escalate_reason,
    let_go,
    return_reason,
    seconded,
    submission_of,
    suggested_marks,
)
from bot.core.story import Folder, Story
from bot.core.turn import Line, Say
from bot.usecases.library_ports import Act, Approval, QueueLine, ReviewRecord
from bot.usecases.outgoing import body_of
from bot.usecases.people import Actor, NotAllowed, act, require, rights_of
from bot.usecases.ports import (
    Clock,
    OutboxItem,
    Reader,
    ReaderUnavailable,
    Right,
    Store,
    UnitOfWork,
)

_Change = Callable[[Submission, str, datetime], Submission]
_Told = Callable[[dict[str, str]], Sequence[Line]]
_ACTS: Mapping[ReviewState, Act] = {
    ReviewState.RETURNED: "returned",
    ReviewState.HELD: "held",
    ReviewState.ESCALATED: "escalated",
}


@dataclass(frozen=True)
class Sheet:
    """All that a reviewer sees of one released story; nobody's identity but the name released.

    `kept_passages` are those the screening flagged and the teller chose to keep. `returned_for`
    and `note` are of the latest return, if any; `is_mine` while the claim is the asker's.
    """

    story_id: str
    release_id: str
    text: str
    text_sha256: str
    parts: Mapping[StoryOf, str]
    purposes: tuple[Purpose, ...]
    name_shown: NameShown
    name: str
    age_band: AgeBand | None
    kept_passages: tuple[str, ...]
    language: str
    released_at: datetime
    expires_at: datetime
    teller_share: float
    state: ReviewState
    is_claimed: bool
    is_mine: bool
    claimed_until: datetime | None
    is_second: bool
    returned_for: str = ""
    note: str = ""

    @property
    def is_example(self) -> bool:
        """Whether passages of it may be shown to residents once approved."""
        return Purpose.COACHING_EXAMPLES in self.purposes


class Reviewing:
    """Staff's verbs over released stories, and the teller's one: a second reader."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Everything is passed in; wiring chooses."""
        self._store, self._clock = store, clock

    # -- reading --------------------------------------------------------------------------------

    async def queue(self, actor: Actor) -> list[QueueLine]:
        """What waits, is held or escalated, oldest first. Raises NotAllowed."""
        async with self._store.work() as work:
            await require_any(work, actor, "review", "approve")
            return await work.library.queue(self._clock.now())

    async def sheet(self, actor: Actor, story_id: str) -> Sheet:
        """One released story as it is to be decided. Raises NotAllowed, ReviewRefused."""
        now = self._clock.now()
        async with self._store.work() as work:
            await require_any(work, actor, "review", "approve")
            folder, story, release = await _released(work, story_id, now)
            submission = await work.library.submission(release.id) or submission_of(story, release)
            last = await work.library.last_note(story_id)
        holder = submission.holder(now)
        return Sheet(
            story_id=story.id,
            release_id=release.id,
            text=release.text,
            text_sha256=release.text_sha256,
            parts={s: story.parts[s].text for s in StoryOf if story.parts[s].text.strip()},
            purposes=tuple(p for p in Purpose if p in release.purposes),
            name_shown=release.name_shown,
            name=release.name,
            age_band=folder.resident.age_band,
            kept_passages=tuple(x for x in story.kept_passages if x in release.text),
            language=story.language,
            released_at=release.released_at,
            expires_at=release.expires_at,
            teller_share=release.teller_share,
            state=submission.state,
            is_claimed=holder is not None,
            is_mine=holder == who_sha256(actor),
            claimed_until=submission.claimed_until if holder else None,
            is_second=submission.not_by is not None,
            returned_for=last.reason if last else "",
            note=last.note if last else "",
        )

    # -- deciding -------------------------------------------------------------------------------

    async def claim(self, actor: Actor, story_id: str) -> Submission:
        """Keep others away for half an hour. Raises NotAllowed, ReviewRefused, Conflict."""
        return await self._change(actor, "review", "claimed", story_id, claimed)

    async def let_go(self, actor: Actor, story_id: str) -> Submission:
        """Give a claim up. Raises NotAllowed, ReviewRefused, Conflict."""
        return await self._change(actor, "review", "let_go", story_id, let_go)

    async def approve(
        self,
        actor: Actor,
        story_id: str,
        seen_sha256: str,
        labels: Sequence[tuple[str, str]] = (),
        marks: Mapping[Element, str] | None = None,
    ) -> None:
        """Take exactly the text with that hash into the library.

        `labels` are (kind, value) as this person asserts them; `marks` passages to show to
        residents, kept only where the release permits it.
        Raises NotAllowed, ReviewRefused, Conflict.
        """
        now, who = self._clock.now(), who_sha256(actor)
        made = tuple(label(kind, value, who) for kind, value in labels)
        async with self._store.work() as work:
            folder, story, release = await self._begin(work, actor, "approve", story_id)
            shown = checked_marks(release.text, marks or {})
            _in_their_parts(story, shown)
            before = await work.library.submission(release.id)
            after = decided(
                before or submission_of(story, release),
                ReviewState.APPROVED,
                who,
                seen_sha256,
                now,
            )
            await act(work, actor, "approve", "approved", story_id, now)
            await work.library.keep(before, after)
            is_example = Purpose.COACHING_EXAMPLES in release.purposes
            await work.library.approve(
                Approval(after, who, now, made, shown if is_example else None)
            )
            themes = tuple(x.value for x in made if x.kind == "theme")
            await work.library.record(
                ReviewRecord(story_id, release.id, "approved", who, now, themes=themes)
            )
            await tell(work, folder, Line("review.told.approved", begins(story, release)))
            await work.commit()

    async def return_(
        self,
        actor: Actor,
        story_id: str,
        seen_sha256: str,
        reason: str,
        note: str,
        themes: Sequence[str] = (),
    ) -> None:
        """Give a story back with a reason of the list and a note for its teller, who can revise.

        `themes` are for the report of returns. Raises NotAllowed, ReviewRefused, Conflict.
        """
        why, kindly = return_reason(reason), checked_note(note, needed=True)
        named = tuple(label("theme", theme, who_sha256(actor)).value for theme in themes)

        def told(words: dict[str, str]) -> list[Line]:
            return [
                Line("review.told.returned", words),
                Line("review.told.reason", refs={"reason": f"review.to_teller.{why}"}),
                Line("review.told.note", {"note": kindly, "story": words["story"]}),
                Line("review.told.revise"),
            ]

        await self._decide(
            actor, ReviewState.RETURNED, story_id, seen_sha256, told, why, kindly, named
        )

    async def hold(self, actor: Actor, story_id: str, seen_sha256: str) -> None:
        """Keep it back for now, to be decided later. Raises NotAllowed, ReviewRefused, Conflict."""
        await self._decide(
            actor,
            ReviewState.HELD,
            story_id,
            seen_sha256,
            lambda words: [Line("review.told.held", words)],
        )

    async def escalate(self, actor: Actor, story_id: str, seen_sha256: str, reason: str) -> None:
        """Wait for somebody else's consent, which a person asks for.

        Raises NotAllowed, ReviewRefused, Conflict.
        """
        why: EscalateReason = escalate_reason(reason)
        await self._decide(
            actor,
            ReviewState.ESCALATED,
            story_id,
            seen_sha256,
            lambda words: [Line(f"review.told.{why}", words)],
            why,
        )

    async def ask_second(self, telegram_id: int, story_id: str) -> None:
        """The teller asks for another pair of eyes. Raises ReviewRefused, Conflict."""
        now, who = self._clock.now(), who_sha256(telegram_id)
        async with self._store.work() as work:
            folder, _, release = await _released(work, story_id, now)
            if folder.identity.telegram_id != telegram_id:
                raise ReviewRefused(Refusal.NOT_FOUND)
            before = await work.library.submission(release.id)
            if before is None:
                raise ReviewRefused(Refusal.NOTHING_TO_SECOND)
            after = seconded(before)
            await work.audit.record(str(telegram_id), "second_asked", story_id, now)
            await work.library.keep(before, after)
            await work.library.record(ReviewRecord(story_id, release.id, "second_asked", who, now))
            await work.commit()

    # -- within ---------------------------------------------------------------------------------

    async def _begin(
        self, work: UnitOfWork, actor: Actor, right: Right, story_id: str
    ) -> tuple[Folder, Story, Release]:
        """Right and story of an act; nobody decides about a story of their own.

        All that may be refused is refused before the first write: what was read until then is
        guarded by `Library.keep` and `Library.approve`.
        """
        await require(work, actor, right)
        folder, story, release = await _released(work, story_id, self._clock.now())
        if folder.identity.telegram_id == actor:
            raise ReviewRefused(Refusal.OWN_STORY)
        return folder, story, release

    async def _change(
        self, actor: Actor, right: Right, what: str, story_id: str, change: _Change
    ) -> Submission:
        async with self._store.work() as work:
            _, story, release = await self._begin(work, actor, right, story_id)
            before = await work.library.submission(release.id)
            now = self._clock.now()
            after = change(before or submission_of(story, release), who_sha256(actor), now)
            await act(work, actor, right, what, story_id, now)
            await work.library.keep(before, after)
            await work.commit()
        return after

    async def _decide(
        self,
        actor: Actor,
        state: ReviewState,
        story_id: str,
        seen_sha256: str,
        told: _Told,
        reason: str = "",
        note: str = "",
        themes: tuple[str, ...] = (),
    ) -> None:
        now, who = self._clock.now(), who_sha256(actor)
        async with self._store.work() as work:
            folder, story, release = await self._begin(work, actor, "review", story_id)
            before = await work.library.submission(release.id)
            seen = before or submission_of(story, release)
            after = decided(seen, state, who, seen_sha256, now)
            await act(work, actor, "review", _ACTS[state], story_id, now)
            await work.library.keep(before, after)
            await work.library.record(
                ReviewRecord(story_id, release.id, _ACTS[state], who, now, reason, note, themes)
            )
            await tell(work, folder, *told(begins(story, release)))
            await work.commit()


async def suggestions(reader: Reader, sheet: Sheet) -> dict[Element, str]:
    """Passages a reading would mark, one a move; none while no reader can read.

    Reads with no transaction open. Staff choose.
    """
    found: dict[Element, str] = {}
    for stage, text in sheet.parts.items():
        try:
            reading = (await reader.read(stage, text, sheet.language)).only_verbatim(text)
        except ReaderUnavailable:
            continue
        found |= suggested_marks(text, reading.evidence.items())
    return {move: words for move, words in found.items() if words in sheet.text}


async def tell(work: UnitOfWork, folder: Folder, *lines: Line) -> None:
    """Say something to a teller, in their language, without touching what they are at."""
    language = folder.resident.language or folder.stories[0].language
    body = body_of(Say(lines), language, folder.session.turn)
    await work.outbox.add([OutboxItem(folder.identity.chat_id, body, urgency="push")])


async def require_any(work: UnitOfWork, actor: Actor, *rights: Right) -> None:
    """Raise NotAllowed unless one of the rights is held now."""
    if not set(rights) & await rights_of(work, actor):
        raise NotAllowed(rights[0])


def who_sha256(actor: Actor) -> str:
    """By what the trail knows somebody; a hash for the console too."""
    return hashlib.sha256(str(actor).encode()).hexdigest()


async def _released(
    work: UnitOfWork, story_id: str, now: datetime
) -> tuple[Folder, Story, Release]:
    found = await work.folders.story(story_id)
    if found is None:
        raise ReviewRefused(Refusal.NOT_FOUND)
    folder, _ = found
    story = next(s for s in folder.stories if s.id == story_id)
    release = story.live_release(now)
    if release is None:
        raise ReviewRefused(Refusal.NOT_RELEASED)
    return folder, story, release


def _in_their_parts(story: Story, marks: Mapping[Element, str]) -> None:
    """A move of one story stands in that story, not in another."""
    for move, words in marks.items():
        if move.stage is not None and words not in story.parts[move.stage].text:
            raise ReviewRefused(Refusal.NOT_VERBATIM)


def begins(story: Story, release: Release) -> dict[str, str]:
    """What a message about a story is filled with: how it begins, and by what it is known.

    The id is never shown; by it a message that waits is found when the story is withdrawn.
    """
    return {"quote": quotation(release.text, 8), "story": story.id}

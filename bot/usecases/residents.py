"""What a resident does: one turn of conversation, made durable in a single transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from bot.core.care import Safety
from bot.core.conversation import converse
from bot.core.conversation.caring import CARE_STEPS
from bot.core.conversation.talk import NOTHING_BEYOND, STEPS
from bot.core.narrative import Reading
from bot.core.practice import LeftOut
from bot.core.story import Folder, Identity, Resident, Session
from bot.core.turn import (
    Abilities,
    AskedGroup,
    EraseEverything,
    FindAsked,
    FindExample,
    FindGroup,
    Finding,
    FoundExample,
    FoundGroup,
    Heard,
    Line,
    Move,
    Moved,
    Need,
    Phrasebook,
    Post,
    ReadTelling,
    Say,
    ScreenPrivacy,
    ScreenSafety,
    Scrub,
    Transcribe,
    Transcript,
)
from bot.usecases.library_ports import passages_of
from bot.usecases.listening import Listening
from bot.usecases.modelled import Modelled
from bot.usecases.outgoing import body_of
from bot.usecases.ports import (
    Clock,
    Conflict,
    Met,
    Meter,
    OutboxItem,
    Passage,
    Reader,
    ReaderUnavailable,
    Receipt,
    RetrievalUnavailable,
    Retriever,
    Screener,
    Store,
    StoreUnavailable,
    UnitOfWork,
    Unmeasured,
)
from bot.usecases.pushing import note_movement, note_progress, out_of_reach

log = logging.getLogger(__name__)

PATIENCE = 1.8
"""Seconds to wait for a reading; then the framework's own question is asked."""

EXAMPLE_PATIENCE = 10.0
"""Seconds to wait for an example: who asked for one would rather wait than go without."""

CONFLICT_TRIES = 5
"""Times a turn is taken anew when another process changed the folder meanwhile."""


@dataclass(frozen=True)
class Sender:
    """Who wrote: Telegram's person and private chat."""

    telegram_id: int
    chat_id: int


class Residents:
    """The resident's verbs over the ports; holds no state of its own."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        screener: Screener,
        retriever: Retriever,
        book: Phrasebook,
        clock: Clock,
        new_id: Callable[[], str],
        patience: float = PATIENCE,
        meter: Meter | None = None,
        model: Modelled | None = None,
        listening: Listening | None = None,
        able: Abilities = NOTHING_BEYOND,
    ) -> None:
        """Everything is passed in; wiring chooses. `patience` is seconds, see PATIENCE.

        `model` and `listening` are used for residents who agreed to where `able` says words go.
        """
        self._model, self._listening, self._able = model, listening, able
        self._hurried: dict[int, asyncio.Event] = {}
        self._patience = patience
        self._meter = meter or Unmeasured()
        self._store = store
        self._reader = reader
        self._screener = screener
        self._retriever = retriever
        self._book = book
        self._clock = clock
        self._new_id = new_id

    async def hear(
        self, sender: Sender, heard: Heard, update_ids: Sequence[int], met: Met | None = None
    ) -> Sequence[OutboxItem]:
        """Take one turn. The folder, the answers and the updates' end are one commit.

        `met` is the sender as found a moment ago; a folder changed since is found by its version.
        Returns what may be sent now without being read from the outbox again. A turn that fails
        anywhere changes nothing and can be taken again. Raises StoreUnavailable.
        """
        for _ in range(CONFLICT_TRIES - 1):
            try:
                return await self._take_turn(sender, heard, update_ids, met)
            except Conflict:
                met = None
        return await self._take_turn(sender, heard, update_ids, met)

    async def _take_turn(
        self, sender: Sender, heard: Heard, update_ids: Sequence[int], met: Met | None
    ) -> Sequence[OutboxItem]:
        begun = perf_counter()
        if met is None:
            async with self._store.work() as work:
                met = await work.meet(sender.telegram_id, sender.chat_id)
        folder = met.folder or self._new_folder(sender)
        if folder.resident.participation is not None and heard.profile_name:
            named = Identity(sender.telegram_id, sender.chat_id, heard.profile_name)
            folder.identity = named
        if folder.session.step not in STEPS:
            # A step of an older version: the words are kept, the person chooses where to go on.
            folder.session.step = "choose_part" if folder.resident.participation else "welcome"
        step = folder.session.step
        moves = await self._converse(folder, heard)
        language = self._language(folder, heard)
        queued: Sequence[OutboxItem] = ()
        async with self._store.work() as work:
            if any(isinstance(m, EraseEverything) for m in moves):
                # First, for erasing ends what its sender sent, this update included.
                await work.inbox.done(update_ids, self._clock.now(), sender.chat_id)
                await self._erase(work, folder, moves, language)
            else:
                # Whatever else reads or writes comes first; the rest is left to the commit.
                await note_progress(work, folder, met.opening, self._clock.now())
                kinds = [m.kind for m in moves if isinstance(m, Moved)]
                await note_movement(work, folder, met.opening, kinds, self._clock.now())
                posts = await self._posts(work, moves, language)
                await work.inbox.done(update_ids, self._clock.now(), sender.chat_id)
                await work.folders.save(folder)
                said = self._items(folder, moves, language)
                queued = await work.outbox.queue([*said, *posts])
            # Whoever writes can be written to, even if the news of it comes later.
            await work.recipients.heard_from(sender.chat_id)
            await work.commit()
        self._meter.took("turn", perf_counter() - begun, step)
        if heard.text and not _may_be_kept(folder):
            try:
                await self._store.empty_log()
            except StoreUnavailable as error:
                # The turn is done and kept; the log empties itself at the next chance.
                log.warning("log not emptied: %s", type(error).__name__)
            # It took its time: somebody may have found meanwhile what was queued.
            return ()
        return queued

    def hurry(self, chat_id: int) -> None:
        """The person writes on: a model still thinking about this chat is not waited for."""
        if chat_id in self._hurried:
            self._hurried[chat_id].set()

    def _new_folder(self, sender: Sender) -> Folder:
        now = self._clock.now()
        return Folder(
            Resident(self._new_id(), now, now),
            Identity(sender.telegram_id, sender.chat_id),
            Session(),
        )

    def _language(self, folder: Folder, heard: Heard) -> str:
        """The resident's language, else Telegram's, else the first there is."""
        wished = folder.resident.language or (heard.language_code or "")[:2]
        return wished if wished in self._book.languages else self._book.languages[0]

    def _items(self, folder: Folder, moves: Sequence[Move], language: str) -> list[OutboxItem]:
        return [
            OutboxItem(folder.identity.chat_id, body_of(m, language, folder.session.turn))
            for m in moves
            if not isinstance(m, Moved | Post)
        ]

    async def _posts(
        self, work: UnitOfWork, moves: Sequence[Move], language: str
    ) -> list[OutboxItem]:
        """What goes to groups: each at most once, in the group's topic."""
        items = []
        for post in (m for m in moves if isinstance(m, Post)):
            for target in await work.practice.targets({post.group}):
                group, body = target.group, body_of(post.say, language, 0)
                items.append(
                    OutboxItem(
                        group.chat_id,
                        body,
                        urgency="push",
                        repeatable=False,
                        topic=group.topic,
                        story=post.story,
                    )
                )
        return items

    async def _group(self, group_id: str) -> FoundGroup:
        async with self._store.work() as work:
            targets = await work.practice.targets({group_id})
            paused = await work.recipients.paused()
        if not targets:
            return FoundGroup(trouble="gone")
        reason = out_of_reach(targets[0], paused, None)
        if reason in (LeftOut.NO_RIGHTS, LeftOut.TOPIC_CLOSED):
            trouble: Literal["no_rights", "topic_closed"] = (
                "no_rights" if reason is LeftOut.NO_RIGHTS else "topic_closed"
            )
            return FoundGroup(targets[0].group.title, trouble)
        return FoundGroup(targets[0].group.title, "gone" if reason is not None else None)

    async def _asked(self, prompt_id: str, first: str) -> list[AskedGroup]:
        """Groups that had a prompt and can be posted in, `first` leading, the others by title."""
        async with self._store.work() as work:
            asked = await work.practice.asked(prompt_id)
            targets = await work.practice.targets({first, *asked})
            paused = await work.recipients.paused()
        there = [t.group for t in targets if out_of_reach(t, paused, None) is None]
        there.sort(key=lambda g: (g.id != first, g.title.casefold(), g.id))
        return [AskedGroup(group.id, group.title) for group in there]

    # -- findings -------------------------------------------------------------------------------

    async def _converse(self, folder: Folder, heard: Heard) -> list[Move]:
        """Run the conversation, fetching what it asks for with no transaction open."""
        now = self._clock.now()
        turn = converse(folder, heard, self._book, now, self._new_id, self._able)
        chat_id = folder.identity.chat_id
        self._hurried[chat_id] = asyncio.Event()
        try:
            need = next(turn)
            while True:
                need = turn.send(await self._find(need, folder, self._language(folder, heard)))
        except StopIteration as end:
            moves: list[Move] = end.value
            return moves
        finally:
            self._hurried.pop(chat_id, None)

    async def _find(self, need: Need, folder: Folder, language: str) -> Finding:
        """The finding for a need; what is out of reach is answered with nothing found."""
        match need:
            case ReadTelling():
                return await self._read(need, folder, language)
            case Transcribe():
                if self._listening is None:
                    return Transcript(trouble="cannot")
                return await self._listening.hear(need, language)
            case ScreenSafety(text):
                safety: Safety = await self._screener.safety(text, language)
                return safety
            case ScreenPrivacy(text):
                return await self._screener.privacy(text, language)
            case FindGroup(group_id):
                return await self._group(group_id)
            case FindAsked(prompt_id, first):
                return await self._asked(prompt_id, first)
            case FindExample(move, near):
                try:
                    async with asyncio.timeout(EXAMPLE_PATIENCE):
                        own = (p for s in folder.stories for p in passages_of(s.id))
                        seen = {*folder.shown_examples, *own}
                        found = await self._retriever.search(move, language, near, seen, limit=1)
                except (RetrievalUnavailable, TimeoutError):
                    return None
                return _shown(found[0]) if found else None

    async def _read(self, need: ReadTelling, folder: Folder, language: str) -> Reading | None:
        """A model's reading where they agreed to one; the embedded reader runs meanwhile."""
        embedded = asyncio.create_task(self._read_here(need, language), name="reading")
        try:
            agreed = folder.resident.lets_model(self._able.at)
            if self._model is None or need.notes is None or not agreed:
                return await embedded
            hurried = self._hurried[folder.identity.chat_id]
            return await self._model.read(need, folder, language, embedded, hurried)
        finally:
            embedded.cancel()

    async def _read_here(self, need: ReadTelling, language: str) -> Reading | None:
        """The embedded reader's reading; None when it cannot read in time."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._reader.read(need.stage, need.text, language)
        except (ReaderUnavailable, TimeoutError):
            return None

    # -- erasing --------------------------------------------------------------------------------

    async def _erase(
        self, work: UnitOfWork, folder: Folder, moves: Sequence[Move], language: str
    ) -> None:
        """Erase the folder; whatever is said goes out afterwards, the receipt last.

        The scrub waits in the outbox, so a crash after the commit still ends in a clean disk.
        """
        receipts = await work.folders.erase(folder.resident.id, self._clock.now())
        said = [m for m in moves if not isinstance(m, EraseEverything | Moved | Post)]
        said += [
            Scrub(Line("rights.forgotten")),
            Say((*_receipt_lines(receipts), Line("rights.receipt_end"))),
        ]
        await work.outbox.add(
            [OutboxItem(folder.identity.chat_id, body_of(m, language, 0)) for m in said]
        )


def _may_be_kept(folder: Folder) -> bool:
    """False for words typed before consent or in danger: not even the log may hold them."""
    return folder.resident.participation is not None and folder.session.step not in CARE_STEPS


def _shown(passage: Passage) -> FoundExample:
    return FoundExample(passage.id, passage.title, passage.text, passage.why)


def _receipt_lines(receipts: Sequence[Receipt]) -> list[Line]:
    lines = [Line(f"rights.receipt.{r.place}", {"count": str(r.count)}) for r in receipts]
    return [*lines, Line("rights.receipt.free_pages", {"count": ""})]

"""From the outbox to Telegram: in order per chat, each chat for itself, within the limits.

The declared policy, message by message (ports.OutboxItem):
- Repeatable messages, which private replies are, may arrive twice: after a crash between sending
  and noting it, or when Telegram's answer got lost on the way. A repeated answer is better than
  none.
- Unrepeatable ones are noted as `sending` before they are tried. Whatever then leaves their fate
  open, a lost answer or a crash, makes them `unknown`: they are never tried again.
- What surely was not sent (refused connections, 429) is always tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from bot.telegram.ending import ended
from bot.telegram.errors import place_of
from bot.telegram.fates import Fates, Try
from bot.telegram.limits import Limits
from bot.telegram.lineup import Lineup
from bot.telegram.polling import PatientBot
from bot.telegram.posting import Draw, Files, Poster, no_files, no_pictures
from bot.telegram.refusals import Closed, Moved, NotSent, Slow, Unsure, meaning
from bot.telegram.render import Renderer
from bot.usecases.crew import Alone, Crew
from bot.usecases.ports import (
    OutboxItem,
    PauseReason,
    Queued,
    Store,
    StoreUnavailable,
    Urgency,
)

log = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)
"""How long a message is tried while Telegram cannot be reached; private replies may repeat."""
FIRST_PAUSE = 0.5
"""Seconds before a second try when Telegram cannot be reached; doubled each time."""
LONGEST_PAUSE = 30.0
"""Seconds between tries, at most."""
TRIES_UNNOTICED = 3
"""Tries after which a message that Telegram does not take counts as trouble."""
UNDELIVERED = (
    "Answers cannot be delivered right now; they are kept and will be sent later. "
    "Check the network and the disk."
)
BATCH = 2_000
"""Messages read from the outbox at one time, without their words."""
LOOK_BACK = 100
"""Ids read again each time: another process may commit a lower one a little later."""
LOOK_BACK_IN_A_CREW = 1_000
"""The same where many processes write at once."""
LOOK_EVERY = 5.0
"""Seconds after which the outbox is looked at although nobody called: others may write to it."""
DROP_EVERY = 60.0
"""Seconds between looks at what waits for paused chats."""
AT_ONCE: dict[Urgency, int] = {"reply": 100, "push": 60}
"""Messages under way at one time; pushes leave the rest to replies."""
A_MOMENT = 0.1
"""Seconds after which a call let through asks for room again, and what was queued is read again."""
A_MOMENT_AGO = 1.0
"""Seconds for which what we noted ourselves may be newer than what was read with a commit."""
PARTING_SECONDS = 2.0
"""How long stopping waits for sends under way."""


class TakenAlready(Exception):
    """An unrepeatable message is not ours to send: erased since we read it, or in another process
    that took a lane of ours which we came back to too late."""


class Sender:
    """Sends what waits in the outbox; see the module for what it promises."""

    def __init__(
        self,
        bot: PatientBot,
        store: Store,
        words: Renderer,
        scrub: Callable[[], Awaitable[None]],
        patience: timedelta = PATIENCE,
        *,
        limits: Limits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        files: Files = no_files,
        draw: Draw = no_pictures,
        crew: Crew | None = None,
    ) -> None:
        """`scrub` empties erased words from the disk; `limits` are Telegram's by default.

        `files` gives what lies with us, at the moment it is sent; `draw` makes pictures. Only
        chats that `crew` gives us are written to.
        """
        self._crew = crew or Alone()
        self._fates = Fates(store, now)
        self._poster = Poster(bot, words, scrub, files, draw)
        self._limits = limits or Limits()
        self._patience = patience.total_seconds()
        self._lineup = Lineup()
        self._seen = 0
        # The highest id that any look has found.
        self._found = 0
        self._look_at = 0.0
        self._is_looking = False
        self._drop_at = 0.0
        self._recovered: frozenset[int] | None = frozenset()
        self._resting_until: dict[int, float] = {}
        self._underway: dict[Queued, asyncio.Task[None]] = {}
        self._waiting_for_room: set[asyncio.Task[None]] = set()
        self._tries: dict[int, Try] = {}
        self._fresh: dict[int, tuple[OutboxItem, float]] = {}
        # The buttons last opened in a chat, and when.
        self._opened: dict[int, tuple[int | None, float]] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_ending = False
        self._disk_trouble: str | None = None
        self._undelivered: set[int] = set()
        self._pauses = 0
        self.answered = asyncio.Event()

    def start(self) -> None:
        """Begin with what was left on disk."""
        self.wake()
        self._loop = asyncio.create_task(self._run(), name="sender")

    def wake(self) -> None:
        """There is something new in the outbox, or somebody can be written to again."""
        self._idle.clear()
        self._look_at = 0.0
        self._wake.set()

    def send(self, queued: Iterable[OutboxItem]) -> None:
        """These came into the outbox a moment ago, by this process."""
        for item in queued:
            chat = item.chat_id
            if item.id is None or not self._crew.serves(chat):
                continue
            if (
                item.repeatable
                and chat > 0
                and item.id > self._found
                and self._lineup.is_quiet(chat)
            ):
                # As it would be read from the outbox: no look has found it, so that it cannot have
                # been sent, and nothing that is on its way changes it.
                self._fresh[item.id] = item, _clock()
            self._lineup.add(Queued(item.id, chat, item.urgency))
            if self._lineup.is_paused(chat):
                self._look_at = 0.0
        self._idle.clear()
        if self._look_at > _clock() and not self._is_looking and not self._is_ending:
            # Nothing older can be on disk only.
            self._begun()
        self._wake.set()

    def reassigned(self) -> None:
        """We serve other chats than before: what waits for them is looked at from the beginning."""
        lanes = self._crew.lanes
        if lanes is not None and self._recovered is not None:
            # A lane that was another's meanwhile may have been left by a crash again.
            self._recovered &= lanes
        if lanes is not None:
            self._limits.part(self._crew.share, _clock())
        self._seen = 0
        self.wake()

    def busy(self) -> frozenset[int]:
        """The chats to which a message is on its way."""
        return frozenset(message.chat_id for message in self._underway)

    @property
    def trouble(self) -> str | None:
        """One plain sentence while something cannot be sent, otherwise None."""
        return self._disk_trouble or (UNDELIVERED if self._undelivered else None)

    @property
    def is_idle(self) -> bool:
        """True when nothing waits that can be sent."""
        return self._idle.is_set()

    async def idle(self) -> None:
        """Return once nothing waits that can be sent."""
        await self._idle.wait()

    def may_act(self, chat: int) -> bool:
        """Count a call that somebody else makes now, such as "typing"; False: better not."""
        return self._limits.try_take(chat, "push", _clock())

    async def room(self, chat: int, urgency: Urgency = "reply") -> None:
        """Return once a call to this chat may be made, and count it."""
        wait = self._limits.wait(chat, urgency, _clock())
        while wait > 0:
            # Others may take the room meanwhile, so it is asked for again.
            await asyncio.sleep(wait)
            wait = self._limits.wait(chat, urgency, _clock())
        self._limits.take(chat, _clock())

    async def stop(self) -> None:
        """Let sends under way end; what is left stays on disk for the next start."""
        self._is_ending = True
        if self._loop:
            await ended([self._loop])
        for task in self._waiting_for_room:
            task.cancel()
        tasks = list(self._underway.values())
        if tasks:
            await asyncio.wait(tasks, timeout=PARTING_SECONDS)
        await ended(tasks)

    # -- who is next ----------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            if _clock() >= self._look_at:
                await self._look()
            pause = self._begun()
            can_go_on = bool(self._underway) or self._lineup.can_go_on()
            if not can_go_on and self._look_at > _clock():
                self._idle.set()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        """Read who waits, from where the last look ended."""
        self._look_at = _clock() + LOOK_EVERY
        self._is_looking = True
        try:
            lanes = self._crew.lanes
            back = LOOK_BACK if lanes is None else LOOK_BACK_IN_A_CREW
            if self._recovered != lanes:
                await self._recover(lanes)
            pauses = self._pauses
            paused, found = await self._fates.waiting(self._seen - back, BATCH, lanes)
            if paused and _clock() >= self._drop_at:
                await self._fates.drop()
                self._drop_at = _clock() + DROP_EVERY
        except Exception as error:
            self._in_trouble(error)
            return
        finally:
            self._is_looking = False
        if self._disk_trouble:
            self._idle.clear()
        self._disk_trouble = None
        if self._pauses == pauses:
            self._lineup.pause(paused)
        else:
            # Somebody was paused while we read who is.
            self._look_at = 0.0
        for message in found:
            self._lineup.add(message)
        if found:
            self._seen = max(self._seen, found[-1].id)
            self._found = max(self._found, self._seen)
        just_now = _clock() - A_MOMENT_AGO
        self._opened = {chat: o for chat, o in self._opened.items() if o[1] > just_now}
        if len(found) == BATCH:
            self._look_at = 0.0

    async def _recover(self, lanes: frozenset[int] | None) -> None:
        """What a crash left on its way may have arrived: its fate is unknown.

        Of lanes only that are new to us: in the others it is we who are sending.
        """
        new = None if lanes is None else lanes - (self._recovered or frozenset())
        if new is None or new:
            await self._fates.recover(new)
        self._recovered = lanes

    def _begun(self) -> float:
        """What may go has begun; whatever is wrong with one message, the others' turn comes."""
        try:
            return self._begin_what_may_go()
        except Exception as error:
            self._in_trouble(error)
            return 1.0

    def _begin_what_may_go(self) -> float:
        """Start what the limits allow now; seconds until it is worth looking again."""
        pauses = [self._look_at - _clock()]
        for urgency, most in AT_ONCE.items():
            while len(self._underway) < most:
                now = _clock()
                wait = self._limits.wait_of_all(urgency, now)
                if wait > 0:
                    pauses.append(wait)
                    break
                message = self._lineup.take(urgency, now, self._wait_of)
                if message is None:
                    next_at = self._lineup.next_at()
                    pauses += [next_at - now] if next_at is not None else []
                    break
                self._limits.let(message.chat_id, now, urgency)
                task = asyncio.create_task(self._serve(message, now), name="sending")
                self._underway[message] = task
        return max(0.0, min(pauses))

    def _wait_of(self, chat: int, urgency: Urgency) -> float:
        now = _clock()
        rest = self._resting_until.get(chat, 0.0) - now
        if rest <= 0:
            self._resting_until.pop(chat, None)
        return max(0.0, rest, self._limits.wait_of_chat(chat, urgency, now))

    def _in_trouble(self, error: Exception) -> None:
        """Say so; whoever waits for us to finish need not wait for the disk."""
        log.error("outbox cannot be used: %s", place_of(error))
        known = isinstance(error, StoreUnavailable)
        name = type(error).__name__
        self._disk_trouble = str(error) if known else f"Sending failed ({name})."
        self._look_at = _clock() + 1
        self._idle.set()

    # -- one message ----------------------------------------------------------------------------

    async def _serve(self, message: Queued, let_at: float) -> None:
        """One try at a chat's next message; whoever comes next is up to the line."""
        chat = message.chat_id
        one = self._tries.setdefault(message.id, Try(since=_clock()))
        one.let_at = let_at
        try:
            if not self._is_ending:
                await self._try(message, one)
        except Exception as error:
            self._in_trouble(error)
            self._resting_until[chat] = _clock() + 1
        finally:
            if one.let_at is not None:
                self._limits.give_back(chat, let_at)
            self._underway.pop(message, None)
            self._lineup.free(chat)
            self._wake.set()

    async def _try(self, message: Queued, one: Try) -> None:
        """Send one message and note what became of it. Raises StoreUnavailable."""
        if not self._crew.serves(message.chat_id):
            self._over(message)
            return
        item, earlier = await self._read(message)
        if item is None:
            self._over(message)
            return
        if item.chat_id != message.chat_id:
            self._lineup.remove(message)
            self._lineup.add(Queued(message.id, item.chat_id, item.urgency))
            return
        if one.end is None:
            try:
                await self._send(item, earlier, one)
            except StoreUnavailable:
                raise
            except TakenAlready:
                log.warning("a post of ours was erased, or taken by another process")
                self._over(message)
                return
            except Exception as error:
                await self._failed(message, item, one, error)
                return
            one.end = "sent", ""
        await self._note(message, item, one)

    async def _read(self, message: Queued) -> tuple[OutboxItem | None, int | None]:
        """The message if it still waits, and the one in its chat that it is about."""
        fresh, queued_at = self._fresh.pop(message.id, (None, 0.0))
        if fresh is not None and _clock() - queued_at < A_MOMENT:
            # They may have been noted while this one was being queued.
            opened, opened_at = self._opened.get(message.chat_id, (None, 0.0))
            is_later = opened_at > queued_at - A_MOMENT_AGO
            return fresh, opened if is_later else fresh.keyboard
        return await self._fates.read(message.id)

    async def _send(self, item: OutboxItem, earlier: int | None, one: Try) -> None:
        if not item.repeatable and one.posted == 0 and not await self._fates.claim(item, one):
            raise TakenAlready

        async def room() -> None:
            await self._room(item, one)

        await self._poster.deliver(item, earlier, one, room)

    async def _room(self, item: OutboxItem, one: Try) -> None:
        """Return once one more call may be made to this chat, and count it.

        The first was let through already. Where the disk has taken long since, as when PostgreSQL
        was away, what we may do can have become another's: then room is asked for anew.
        """
        urgency, let_at = item.urgency, one.let_at
        if let_at is not None:
            one.let_at = None
            if _clock() - let_at < A_MOMENT:
                self._limits.made(_clock())
                return
            self._limits.give_back(item.chat_id, let_at)
            urgency = "reply"
        task = asyncio.current_task()
        assert task is not None
        self._waiting_for_room.add(task)
        try:
            await self.room(item.chat_id, urgency)
        finally:
            self._waiting_for_room.discard(task)

    async def _note(self, message: Queued, item: OutboxItem, one: Try) -> None:
        """Write down how it ended; as often as the disk needs, without sending again."""
        await self._fates.note(item, one, somebody_waits=not self._lineup.is_last(message))
        self._over(message)
        if one.end is not None and one.end[0] == "sent":
            self.answered.set()
            if one.has_buttons:
                self._opened[item.chat_id] = one.message_id, _clock()
        if one.then is not None:
            self.wake()

    def _over(self, message: Queued) -> None:
        """The message waits no longer."""
        self._tries.pop(message.id, None)
        self._fresh.pop(message.id, None)
        self._undelivered.discard(message.chat_id)
        self._lineup.remove(message)

    # -- when it was not sent -------------------------------------------------------------------

    async def _failed(self, message: Queued, item: OutboxItem, one: Try, error: Exception) -> None:
        """Do what an error asks for: wait, try again, follow, pause, or give up."""
        chat, means = item.chat_id, meaning(error, item.chat_id)
        was_posting, one.is_posting = one.is_posting, False
        if isinstance(means, Unsure) and was_posting and not item.repeatable:
            log.warning("fate unknown: %s", type(error).__name__)
            one.end = "unknown", type(error).__name__
            await self._note(message, item, one)
            return
        if isinstance(means, NotSent | Unsure) and _clock() - one.since <= self._patience:
            log.warning("send failed: %s", type(error).__name__)
            await self._fates.still_waits(item)
            self._again_later(chat, one)
            return
        match means:
            case Slow(seconds):
                self._limits.refused(chat, seconds, _clock())
                log.warning("asked to wait %g seconds", seconds)
                await self._fates.still_waits(item)
            case Moved(new):
                await self._move(message, item, new)
            case Closed(reason):
                await self._pause(item, reason)
            case _:
                await self._give_up(message, item, one, error)

    def _again_later(self, chat: int, one: Try) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(one.tries, 10), LONGEST_PAUSE)
        one.tries += 1
        if one.tries >= TRIES_UNNOTICED:
            self._undelivered.add(chat)
        self._resting_until[chat] = _clock() + pause

    async def _give_up(self, message: Queued, item: OutboxItem, one: Try, error: Exception) -> None:
        log.error("message given up: %s", place_of(error))
        one.end = "failed", type(error).__name__
        await self._note(message, item, one)

    async def _move(self, message: Queued, item: OutboxItem, new: int) -> None:
        """The group has another id: everything follows, and this message is sent there."""
        log.info("a group became a supergroup")
        await self._fates.moved(item, new)
        self._lineup.remove(message)
        self._lineup.add(Queued(message.id, new, item.urgency))
        self.wake()

    async def _pause(self, item: OutboxItem, reason: PauseReason) -> None:
        """Nothing goes to this chat until it is heard of again; an organizer is told once."""
        log.info("recipient paused: %s", reason)
        paused = await self._fates.pause(item, reason)
        self._pauses += 1
        self._undelivered.discard(item.chat_id)
        self._lineup.pause(paused)
        self.wake()


def _clock() -> float:
    """Seconds that never go back, as the event loop counts them."""
    return asyncio.get_running_loop().time()

"""Telegram's flood limits as a plan: when the next call to a chat may be made.

Plain arithmetic on a clock that is handed in; nothing here waits. The figures are those of
Telegram's Bots FAQ: about one message a second in a chat with short bursts tolerated, 20 a minute
in a group, about 30 a second overall. Every call that names a chat counts: messages, edits and
actions. Answers to buttons are never asked about here, and so never wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from bot.usecases.ports import Urgency


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`; pushes leave the last `kept_for_replies` of them free.

    With `spread`, pushes are dealt over the time evenly, so that room falls free all the time and
    a reply never waits for the end of a burst. What comes late catches up, by a little at a time.
    """

    calls: int
    seconds: float
    kept_for_replies: int = 0
    spread: bool = False


@dataclass(frozen=True)
class Pace:
    """`burst` calls at once, then one every `seconds`; what is not used adds up to `burst` again.

    Pushes leave `kept_for_replies` of the burst free.
    """

    burst: int
    seconds: float
    kept_for_replies: int = 0


@dataclass(frozen=True)
class Figures:
    """The limits we keep; None for no limit.

    Between our clock and Telegram's a call may take a hundredth of a second more than another.
    Eight calls at once are two turns of three messages each with the old buttons taken away.
    Telegram slows a whole bot, not a chat, when `global_chats` refuse within `global_seconds`.
    """

    overall: Window | None = Window(30, 1.01, kept_for_replies=1, spread=True)
    private: Pace | None = Pace(8, 1.0, kept_for_replies=4)
    group: Pace | None = Pace(3, 1.0, kept_for_replies=1)
    group_minute: Window | None = Window(20, 60.0, kept_for_replies=5)
    global_chats: int = 3
    global_seconds: float = 1.0


UNLIMITED = Figures(overall=None, private=None, group=None, group_minute=None)
"""For a Bot API in this process. What it asks to wait for is honoured all the same."""


@dataclass
class _Chat:
    """`spent_until` is when the whole burst will be free again; `calls` those of the window."""

    spent_until: float = 0.0
    calls: deque[float] = field(default_factory=deque)
    rests_until: float = 0.0


class Limits:
    """What was called when, and what Telegram asked us to wait for.

    A call is let through, and made a moment later, when the disk has noted it: only then does
    Telegram count it. Meanwhile it is under way, and takes up room all the same.

    Times are seconds of any clock that never goes back; the caller says what time it is.
    """

    def __init__(self, figures: Figures | None = None) -> None:
        """Nothing was called yet."""
        self._figures = figures or Figures()
        self._calls: deque[float] = deque()
        self._under_way = 0
        self._chats: dict[int, _Chat] = {}
        self._refusals: deque[tuple[float, int]] = deque()
        self._all_rest_until = 0.0
        self._next_push_at = 0.0
        self._prune_at = PRUNE_AT
        self._overall = self._figures.overall
        self._ours = 0

    def part(self, share: float, now: float) -> None:
        """Keep to a part of what the whole bot may do, 0 to 1: others keep to the rest.

        What we gain was another's, who may have used it just now: it is ours a window later.
        At least one call in each window is ours: a bot of fifty processes is none of ours.
        """
        whole = self._figures.overall
        if whole is not None:
            calls = max(1, int(whole.calls * share))
            before, self._ours = self._ours, calls if share else 0
            self._calls.extend([now] * (self._ours - before))
            kept = min(whole.kept_for_replies, calls - 1)
            seconds = whole.seconds * (APART if share < 1 else 1.0)
            self._overall = replace(whole, calls=calls, seconds=seconds, kept_for_replies=kept)

    def wait(self, chat: int, urgency: Urgency, now: float) -> float:
        """Seconds until this chat may be called; 0 for at once."""
        return max(self.wait_of_all(urgency, now), self.wait_of_chat(chat, urgency, now))

    def wait_of_all(self, urgency: Urgency, now: float) -> float:
        """Seconds until any chat at all may be called."""
        free_at = _free_at(self._calls, self._overall, urgency, now, self._under_way)
        if urgency == "push":
            free_at = max(free_at, self._next_push_at)
        return max(0.0, free_at - now, self._all_rest_until - now)

    def wait_of_chat(self, chat: int, urgency: Urgency, now: float) -> float:
        """Seconds until this chat may be called, whatever others do."""
        known = self._chats.get(chat)
        if known is None:
            return 0.0
        free_at = known.rests_until
        pace = self._pace(chat)
        if pace is not None:
            spare = pace.burst - 1 - (pace.kept_for_replies if urgency == "push" else 0)
            free_at = max(free_at, known.spent_until - spare * pace.seconds)
        free_at = max(free_at, _free_at(known.calls, self._window(chat), urgency, now))
        return max(0.0, free_at - now)

    def take(self, chat: int, now: float, urgency: Urgency = "reply") -> None:
        """A call is made now, whether or not there was room for it."""
        self.let(chat, now, urgency)
        self.made(now)

    def made(self, now: float) -> None:
        """A call that was let through is made now."""
        if self._figures.overall is not None:
            self._under_way -= 1
            self._calls.append(now)

    def let(self, chat: int, now: float, urgency: Urgency = "reply") -> None:
        """A call is let through; it is under way until it is made or given back."""
        whole = self._overall
        if whole is not None and whole.spread and urgency == "push":
            share = APART_ENOUGH * whole.seconds / max(1, whole.calls - whole.kept_for_replies)
            late = now - self._next_push_at
            # After a pause there is nothing to make up for.
            due = now if late > PAUSED else max(self._next_push_at, now - CATCHES_UP)
            self._next_push_at = due + share
        known = self._chats.setdefault(chat, _Chat())
        if self._figures.overall is not None:
            self._under_way += 1
        pace = self._pace(chat)
        if pace is not None:
            known.spent_until = max(known.spent_until, now) + pace.seconds
        if self._window(chat) is not None:
            known.calls.append(now)
        if len(self._chats) > self._prune_at:
            self._forget_quiet_chats(now)

    def give_back(self, chat: int, let_at: float) -> None:
        """A call that was let through at that moment is not made."""
        if self._figures.overall is not None:
            self._under_way -= 1
        known = self._chats.get(chat)
        if known is None:
            return
        if let_at in known.calls:
            known.calls.remove(let_at)
        pace = self._pace(chat)
        if pace is not None:
            known.spent_until -= pace.seconds

    def try_take(self, chat: int, urgency: Urgency, now: float) -> bool:
        """Take a call if it may be made at once; for what is left out when it may not."""
        if self.wait(chat, urgency, now) > 0:
            return False
        self.take(chat, now, urgency)
        return True

    def refused(self, chat: int, retry_after: float, now: float) -> None:
        """Telegram answered 429: this chat rests, and all do when several were refused at once."""
        known = self._chats.setdefault(chat, _Chat())
        known.rests_until = max(known.rests_until, now + retry_after)
        self._refusals.append((now, chat))
        while self._refusals[0][0] < now - self._figures.global_seconds:
            self._refusals.popleft()
        if len({refused for _, refused in self._refusals}) >= self._figures.global_chats:
            self._all_rest_until = max(self._all_rest_until, now + retry_after)

    def _pace(self, chat: int) -> Pace | None:
        return self._figures.private if chat > 0 else self._figures.group

    def _window(self, chat: int) -> Window | None:
        return None if chat > 0 else self._figures.group_minute

    def _forget_quiet_chats(self, now: float) -> None:
        """Chats that may be called at once, with all their burst, need no memory."""
        quiet = []
        for chat, known in self._chats.items():
            _free_at(known.calls, self._window(chat), "reply", now)
            if max(known.spent_until, known.rests_until) <= now and not known.calls:
                quiet.append(chat)
        for chat in quiet:
            del self._chats[chat]
        self._prune_at = max(PRUNE_AT, 2 * len(self._chats))


CATCHES_UP = 0.2
"""Seconds that pushes may be late and make up for: a slow moment is not lost to all after it."""
APART_ENOUGH = 1.005
"""How much further apart pushes are dealt than the window asks for: it then holds none back, and
what came in a clump once does not come so for ever."""
PAUSED = 1.0
"""Seconds without a push after which the next one begins a new row of them."""

APART = 1.1
"""How much longer the overall window is for each of several processes: a call arrives a moment
after it was counted, and the moments of several add up where one line of calls keeps its pace."""

PRUNE_AT = 10_000
"""Chats remembered before the quiet ones are forgotten."""


SOON = 0.01
"""Seconds after which it is looked again whether calls that are under way were made."""


def _free_at(
    calls: deque[float], window: Window | None, urgency: Urgency, now: float, under_way: int = 0
) -> float:
    """When one more call is within the window; forgets calls that are out of it by now."""
    if window is None:
        return now
    while calls and calls[0] + window.seconds <= now:
        calls.popleft()
    room = window.calls - under_way - (window.kept_for_replies if urgency == "push" else 0)
    if room <= 0:
        return now + SOON
    return calls[-room] + window.seconds if len(calls) >= room else now

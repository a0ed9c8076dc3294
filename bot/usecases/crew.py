"""Which of several processes serves which chats; alone, one serves them all."""

from __future__ import annotations

from typing import Protocol

LANES = 64
"""Chats are dealt into this many lanes; a lane is served by one process at a time."""


def lane_of(chat: int) -> int:
    """The lane of a chat, 0 to 63: the same in every process, and in SQL."""
    return abs(chat) % LANES


class Aboard(Protocol):
    """What a crew tells, and asks, the process it is in. Nothing here may block."""

    def arrived(self, chat: int | None = None) -> None:
        """Another process kept an update for this chat of ours; or, None, for any of them."""
        ...

    def queued(self) -> None:
        """Another process queued a message for a chat of ours."""
        ...

    def reassigned(self) -> None:
        """We have other lanes than before, or another share of the whole."""
        ...

    def busy(self) -> frozenset[int]:
        """Lanes in which something is under way."""
        ...


class Crew(Protocol):
    """The processes that serve one bot together."""

    def serves(self, chat: int) -> bool:
        """Whether this chat is ours at this moment."""
        ...

    @property
    def lanes(self) -> frozenset[int] | None:
        """The lanes that are ours at this moment; None for all there are."""
        ...

    @property
    def share(self) -> float:
        """Our part of what Telegram lets the bot do, 0 to 1."""
        ...

    @property
    def leads(self) -> bool:
        """Whether we are the one that posts prompts when they are due."""
        ...

    @property
    def fetches(self) -> bool:
        """Whether we are the one that fetches updates."""
        ...

    async def join(self, aboard: Aboard) -> None:
        """Take our part; returns once we know which. Raises StoreUnavailable."""
        ...

    async def leave(self) -> None:
        """Give all of it back, at once and in good order. Raises nothing."""
        ...


class Alone:
    """The crew of one: everything is ours, always."""

    lanes: frozenset[int] | None = None
    share = 1.0
    leads = True
    fetches = True

    def serves(self, chat: int) -> bool:
        """Always."""
        return True

    async def join(self, aboard: Aboard) -> None:
        """There is nothing to share."""

    async def leave(self) -> None:
        """There is nothing to give back."""

"""What several processes that share one example index agree on; kept in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Shelf = Literal["corpus", "library"]
"""Passages of the narratives that come with the program, and of stories released to us."""


@dataclass(frozen=True)
class Generation:
    """One building of one shelf. `counts` are passages by collection; `name` is opaque.

    `fingerprint` says what it was built from and `embedder` with what.
    """

    name: str
    shelf: Shelf
    fingerprint: str
    embedder: str
    counts: Mapping[str, int]


class Indexes(Protocol):
    """Which generations there are and whose corpus counts; within one transaction."""

    async def installation(self) -> str:
        """A word of this database's own, by which its collections are known on a server.

        Made at the first question. Raises Conflict when another process has just made it.
        """
        ...

    async def use(self, edition: str, now: datetime) -> None:
        """Note that a process with this edition of the corpus is at work."""
        ...

    async def wanted(self, since: datetime) -> str | None:
        """The edition that came last, of those at work since then."""
        ...

    async def current(self) -> Sequence[Generation]:
        """The generations in use, one a shelf at most."""
        ...

    async def begin(self, generation: Generation, now: datetime) -> None:
        """Note a generation before anything of it is written anywhere."""
        ...

    async def publish(self, generation: Generation) -> None:
        """Put it into use instead of the one before."""
        ...

    async def left(self) -> Sequence[str]:
        """Names of generations that are not in use."""
        ...

    async def dropped(self, name: str) -> None:
        """Nothing of it is in the index any more."""
        ...


class Leases(Protocol):
    """What one process does at a time; within one transaction."""

    async def claim(self, what: str, holder: str, now: datetime, until: datetime) -> bool:
        """Become, or stay, the one process that may do it until then.

        Raises Conflict when another was first by a hair.
        """
        ...

    async def release(self, what: str, holder: str) -> None:
        """Let others do it."""
        ...

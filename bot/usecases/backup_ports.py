"""Backups as the use cases know them: files that hold every word there was, and who answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from bot.usecases.ports import StoreUnavailable


class BadBackup(StoreUnavailable):
    """A file that cannot be restored; nothing was changed. One plain sentence."""


@dataclass(frozen=True)
class Backup:
    """A backup that was made. `path` is where it was put, `size` in bytes.

    `state` is writing, done, or broken off when somebody interrupted it. `gone_because` is
    `kept_newer` or `acknowledged` once no copy should be left.
    """

    id: str
    made_at: datetime
    path: str
    state: Literal["writing", "done"] = "writing"
    size: int = 0
    gone_at: datetime | None = None
    gone_because: str | None = None


@dataclass(frozen=True)
class HoldsErased:
    """A backup that still holds words erased since; how many stories and people at most."""

    backup: Backup
    stories: int
    people: int


class Backups(Protocol):
    """What is known of backups, within one transaction."""

    async def all(self) -> list[Backup]:
        """Every backup that was recorded, newest first."""
        ...

    async def holding_erased(self) -> list[HoldsErased]:
        """Backups not gone that hold stories withdrawn or people forgotten since; oldest first.

        Whoever cannot be shown to have come after the backup is counted.
        """
        ...

    async def gone(
        self, backup_id: str, because: str, at: datetime, who_sha256: str | None = None
    ) -> bool:
        """Note that no copy is left; False when there is no such backup, or it was gone before."""
        ...


@dataclass(frozen=True)
class Since:
    """What ended after a backup was made, as the database that was replaced knew it.

    `residents` are (resident id, forgotten at), `stories` (story id, withdrawn at), `releases`
    (story id, id of a release or an offer, ended at, because); all are in the restored database,
    and alive there.
    """

    residents: Sequence[tuple[str, datetime]] = ()
    stories: Sequence[tuple[str, datetime]] = ()
    releases: Sequence[tuple[str, str, datetime, str]] = ()


@dataclass(frozen=True)
class Restored:
    """What restoring did. `knew` says how much was known of what ended since `made_at`:

    everything (the replaced database knew this backup), some (it did not), nothing (there was no
    database). `kept_back` are group posts that may have been posted since, `schedules` those that
    go on from now, `lost` stories that earlier exports hold and the database no longer.
    """

    made_at: datetime
    revision: str
    rows: int
    knew: Literal["everything", "some", "nothing"]
    residents: int
    stories: int
    releases: int
    kept_back: int
    schedules: int
    invitations: int

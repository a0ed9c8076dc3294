"""What review, library and export need from outside. Implemented by bot.store and bot.exporting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from bot.core.library import Coverage, Format, Label, LibraryEntry, Profile, Wanted
from bot.core.narrative import Element
from bot.core.report import ReportStory
from bot.core.review import ReviewState, Submission

Act = Literal["approved", "returned", "held", "escalated", "second_asked"]


@dataclass(frozen=True)
class QueueLine:
    """One released story as the queue lists it: no text, no identity."""

    story_id: str
    state: ReviewState
    language: str
    words: int
    purposes: tuple[str, ...]
    submitted_at: datetime
    is_second: bool
    claimed_until: datetime | None


@dataclass(frozen=True)
class ReviewRecord:
    """One act of review, for the trail and the report. The note is erased with its story."""

    story_id: str
    release_id: str
    act: Act
    who_sha256: str
    at: datetime
    reason: str = ""
    note: str = ""
    themes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Approval:
    """What an approval puts into the library: labels by named people, passages by move."""

    submission: Submission
    who_sha256: str
    at: datetime
    labels: tuple[Label, ...] = ()
    marks: Mapping[Element, str] | None = None


@dataclass(frozen=True)
class Shared:
    """A passage of a library story that may be shown to residents now. `text` is verbatim."""

    story_id: str
    title: str
    move: Element
    language: str
    themes: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class ExportRecord:
    """An export as remembered: no text, no names. `path` is where the file was put.

    `state` is writing, sealed (checked a last time, about to get its name), taken (its bytes are in
    the database and its file goes) or done. `home` is the data folder it lies in and `machine`
    where, as far as several are told apart; neither is known of what is kept in the database.
    """

    id: str
    profile: Profile
    formats: tuple[str, ...]
    filters: Mapping[str, str]
    made_by: str
    made_at: datetime
    path: str
    state: Literal["writing", "sealed", "taken", "done"] = "writing"
    rows: int = 0
    size: int = 0
    home: str | None = None
    machine: str | None = None


@dataclass(frozen=True)
class ToDestroy:
    """An earlier export that holds a story it no longer may, until staff acknowledge."""

    export_id: str
    path: str
    profile: Profile
    made_at: datetime
    story_id: str
    because: str
    gone_at: datetime
    is_erased_here: bool
    machine: str | None = None

    @property
    def where(self) -> str:
        """Its place, with the machine's name where there are several."""
        return f"{self.machine}:{self.path}" if self.machine else self.path


@dataclass(frozen=True)
class News:
    """Something a teller should hear about their story. `what` is a message key's last word.

    `profile` is whom an export was for; of each they hear once a release.
    """

    what: Literal["first_shown", "exported", "expiring", "lapsed"]
    story_id: str
    release_id: str
    resident_id: str
    day: datetime | None = None
    profile: str = ""

    @property
    def key(self) -> str:
        """By what it is remembered as told."""
        return f"{self.what}.{self.profile}" if self.profile else self.what


@dataclass(frozen=True)
class PendingErasure:
    """Words gone from the database that may still stand elsewhere; done step by step.

    `what` is withdrawn, forgotten, revoked or index (only the example index is out of step).
    `steps` maps finished places to how much was erased there; `chat_sha256` finds a person's own
    files, see `chat_hash`.
    """

    id: int
    what: str
    story_ids: tuple[str, ...]
    resident_sha256: str
    chat_sha256: str | None
    in_index: bool
    asked_at: datetime
    steps: Mapping[str, int]


FILES_AT = "files@"
"""How the step is named in which one data folder of several erases: this and the folder's id."""

PASSAGES = "library-"
"""How the example index names a library story: this and the story's id."""


def passages_of(story_id: str) -> frozenset[str]:
    """Every id a passage of this story may have in the example index."""
    return frozenset(f"{PASSAGES}{story_id}:{move.value}" for move in Element)


def story_of_passage(passage_id: str) -> str | None:
    """The story behind a passage of the index; None when it is one of the corpus."""
    if not passage_id.startswith(PASSAGES):
        return None
    return passage_id.removeprefix(PASSAGES).partition(":")[0]


def chat_hash(salt: str, chat_id: int) -> str:
    """SHA-256 that finds a chat's files again without keeping its number."""
    return hashlib.sha256(f"{salt}:{chat_id}".encode()).hexdigest()


@dataclass(frozen=True)
class DataFolder:
    """A data folder beside others. `seen_at` is when a process last worked in it."""

    id: str
    machine: str
    seen_at: datetime


class Library(Protocol):
    """Submissions, approved stories, exports and what is still to be erased; one transaction."""

    async def queue(self, now: datetime, limit: int = 200) -> list[QueueLine]:
        """Released stories that wait, are held or escalated; oldest release first."""
        ...

    async def submission(self, release_id: str) -> Submission | None:
        """What review has noted about a release."""
        ...

    async def keep(self, before: Submission | None, after: Submission) -> None:
        """Write it; raises Conflict when the stored one is no longer `before`."""
        ...

    async def record(self, record: ReviewRecord) -> None:
        """Add one act."""
        ...

    async def last_note(self, story_id: str) -> ReviewRecord | None:
        """The latest return of a story, with its note."""
        ...

    async def approve(self, approval: Approval) -> None:
        """Put the story into the library and, where passages are marked, ask for the index."""
        ...

    async def entries(
        self, now: datetime, wanted: Wanted, after: str = "", limit: int = 200
    ) -> list[LibraryEntry]:
        """Approved stories whose release is live, by release id above `after`.

        Only a first sieve: who uses an entry asks `permits` and `wanted.accepts` again. An empty
        list means that there are no more.
        """
        ...

    async def entry_of(self, story_id: str, now: datetime) -> LibraryEntry | None:
        """The live library entry of a story."""
        ...

    async def shared(
        self,
        now: datetime,
        move: Element | None = None,
        language: str | None = None,
        story_id: str | None = None,
    ) -> list[Shared]:
        """Marked passages of stories that may be shown to residents at `now`."""
        ...

    async def places(self, story_id: str) -> list[tuple[str, datetime, str]]:
        """Where a story has been: (what, when, profile), oldest first."""
        ...

    async def coverage(self, profile: Profile, now: datetime) -> Coverage:
        """Whose stories there are and are not, suppressed for the profile."""
        ...

    async def count(self, now: datetime, profile: Profile) -> int:
        """About how many stories an export for the profile will look at."""
        ...

    async def save_export(self, export: ExportRecord) -> None:
        """Write an export, new or known by its id."""
        ...

    async def add_items(self, export_id: str, entries: Sequence[LibraryEntry], file: str) -> None:
        """Remember which stories a file of an export holds, before they are written to it."""
        ...

    async def forget_items(self, export_id: str) -> None:
        """The export was given up and its files are gone."""
        ...

    async def no_longer_covered(self, export_id: str, now: datetime) -> int:
        """How many items' releases or approvals ended since they were written."""
        ...

    async def tellers_of_export(
        self, export_id: str, after: str, limit: int = 500
    ) -> list[tuple[str, str]]:
        """(story id, resident id) of an export's items, by story id above `after`."""
        ...

    async def export(self, export_id: str) -> ExportRecord | None:
        """One export."""
        ...

    async def exports(self, state: str | None = None) -> list[ExportRecord]:
        """Every export, newest first; only those of one state when given."""
        ...

    async def to_destroy(self) -> list[ToDestroy]:
        """Earlier exports holding what they no longer may, not yet acknowledged; oldest first."""
        ...

    async def acknowledge(self, export_id: str, who_sha256: str, at: datetime) -> int:
        """Note that every copy of an export was destroyed; how many stories that settles."""
        ...

    async def news(self, now: datetime, limit: int = 200) -> list[News]:
        """What tellers have not been told yet: shown, exported, expiring within a month, lapsed."""
        ...

    async def told(self, news: News, at: datetime) -> None:
        """Remember that the teller was told."""
        ...

    async def erasures(self) -> list[PendingErasure]:
        """Erasures not finished, oldest first."""
        ...

    async def erased(self, erasure_id: int, place: str, count: int, at: datetime) -> None:
        """One place is clean; with a receipt kept."""
        ...

    async def export_paths(
        self, story_ids: Sequence[str], home: str | None = None
    ) -> list[tuple[str, str]]:
        """(export id, path) of exports that hold any of these stories; with `home`, only there."""
        ...

    async def keep_pieces(self, export_id: str, content: bytes) -> None:
        """Keep an export's bytes with us; they go in the transaction in which a story leaves."""
        ...

    async def pieces(self, export_id: str) -> bytes | None:
        """The bytes of an export kept with us; None when there are none (any more)."""
        ...

    async def at_home(self, home: str, machine: str, now: datetime) -> None:
        """Note that people's words may lie in a data folder, which is therefore asked to erase."""
        ...

    async def homes(self) -> list[DataFolder]:
        """The data folders in which words may lie."""
        ...

    async def home_is_gone(self, home: str) -> int:
        """Somebody answers for it that a data folder exists no more; erasures that settles."""
        ...

    async def file_erased(self, export_id: str) -> None:
        """Our own copy of an export was deleted from the disk."""
        ...

    async def finished(self, erasure_id: int, at: datetime) -> None:
        """Every place is clean: keep the wordless record only."""
        ...

    async def for_report(
        self, now: datetime, after: str = "", limit: int = 500
    ) -> list[ReportStory]:
        """Stories whose tellers let them be counted, by release id above `after`."""
        ...

    async def reviews(self, after: int = 0, limit: int = 500) -> list[tuple[int, ReviewRecord]]:
        """Acts of review without notes, oldest first, by number above `after`."""
        ...


class Examples(Protocol):
    """The example index, as far as the library must keep it in step."""

    async def renew(self, story_ids: Sequence[str]) -> int:
        """Bring index and disk in line with what may be shown now; passages that went.

        `story_ids` must be in no byte of it afterwards. Raises RetrievalUnavailable.
        """
        ...


class HomeFiles(Protocol):
    """Files under the data directory that hold people's words."""

    async def erase_exports(self, paths: Sequence[str], copies: Sequence[str] = ()) -> list[str]:
        """Delete those of the paths that lie under the data directory, finished or half written.

        `copies` are exports that lie elsewhere, of which copies may have been handed out here.
        The paths that are gone now; the others lie elsewhere. Raises OSError.
        """
        ...

    async def erase_chat(self, salt: str, chat_sha256: str) -> int:
        """Delete what was handed in the terminal to the chat of that hash; how many files.

        Raises OSError.
        """
        ...


@dataclass(frozen=True)
class About:
    """What a manifest tells of an export. `filters` are words as asked; `made_by` a hash."""

    export_id: str
    profile: Profile
    formats: tuple[Format, ...]
    filters: Mapping[str, str]
    made_by: str
    made_at: datetime
    rows: int
    coverage: Coverage


class ExportFile(Protocol):
    """One export being written beside its final place. Calls block; each may raise OSError."""

    def add(self, entries: Sequence[LibraryEntry]) -> None:
        """Write stories, in order; nothing of them is kept in memory."""
        ...

    def seal(self, about: About) -> int:
        """Write all that goes with the stories and make it durable; its bytes."""
        ...

    def publish(self) -> None:
        """Give the sealed file its name: it is there whole, or not at all."""
        ...

    def content(self) -> bytes:
        """The bytes of the sealed file. Raises FileNotFoundError when it was erased meanwhile."""
        ...

    def discard(self) -> None:
        """Leave nothing behind, under either name."""
        ...


class ExportRoom(Protocol):
    """Where exports are written. Calls block."""

    def begin(self, path: str, formats: Sequence[Format]) -> ExportFile:
        """Begin a file; its folder is made. Raises OSError."""
        ...

    def leftover(self, path: str) -> Literal["busy", "whole", "none"]:
        """What there is of an export whose end nobody noted; "busy" while somebody writes it."""
        ...

    def discard(self, path: str) -> None:
        """Delete what there is of it. Raises OSError."""
        ...

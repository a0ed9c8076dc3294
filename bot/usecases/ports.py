"""What the use cases need from outside, each as small as can be. Fakes: tests/fakes.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from bot.core.care import Safety, Span
from bot.core.consent import Purpose
from bot.core.guards import Reply
from bot.core.narrative import Element, Reading, StoryOf
from bot.core.story import Folder, StoryStatus

if TYPE_CHECKING:
    from bot.usecases.backup_ports import Backups
    from bot.usecases.index_ports import Indexes, Leases
    from bot.usecases.library_ports import Library
    from bot.usecases.practice_ports import Opening, Practice


class ReaderUnavailable(Exception):
    """The reader could not read; the core asks the framework's own question instead."""


class RetrievalUnavailable(Exception):
    """The example index cannot answer; the message says what to do."""


class StoreUnavailable(Exception):
    """The database could not be read or written; nothing was changed. One plain sentence."""


class NewerDatabase(StoreUnavailable):
    """The database was written by a newer version of the program."""


class Conflict(Exception):
    """Another process changed the folder since it was loaded; load again and repeat."""


class AlreadyDone(Exception):
    """An update was handled before: by a try that seemed to fail, or by somebody quicker."""


class CoachUnavailable(Exception):
    """A model gave nothing that can be used. `reason` is a fixed word, counted."""

    def __init__(self, reason: str) -> None:
        """`reason` such as "refused_connection", "rate_limited", "not_the_schema"."""
        super().__init__(reason)
        self.reason = reason


class TranscriptionUnavailable(Exception):
    """A voice note could not be written down."""


class FileGone(Exception):
    """A file can no longer be fetched, or never could."""


class FileTooBig(Exception):
    """A file is larger than a bot may fetch."""


class Embedder(Protocol):
    """Turns texts into unit vectors; the same text always gives the same vector."""

    dimension: int

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Embed each text, in order; rows have `dimension` numbers. Thread-safe, blocking."""
        ...


class Reader(Protocol):
    """Hears which elements stand in a telling."""

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        """Read one telling of one stage. Raises ReaderUnavailable."""
        ...


@dataclass(frozen=True)
class ToModel:
    """All that a model is given: one part's words with identities out, and where coaching stands.

    `asked` are the elements asked about in the last two turns, oldest first; `closed` those that
    may not be asked about any more.
    """

    stage: StoryOf
    text: str
    language: str
    asked: tuple[Element, ...] = ()
    closed: tuple[Element, ...] = ()


@dataclass(frozen=True)
class FromModel:
    """A model's reply, not believed yet, and what it cost."""

    reply: Reply
    spent: Spent


class Coach(Protocol):
    """A language model that reads a telling and would ask one question. Never trusted."""

    async def coach(self, telling: ToModel) -> FromModel:
        """Ask once; takes as long as it takes and may be cancelled. Raises CoachUnavailable."""
        ...

    def estimate(self, telling: ToModel) -> Spent:
        """What asking costs at least, for calls whose end nobody saw."""
        ...


class Transcriber(Protocol):
    """Writes down what is said in a recording."""

    async def transcribe(self, recording: bytes, language: str) -> str:
        """The words as heard, maybe none. Raises TranscriptionUnavailable."""
        ...


class Recordings(Protocol):
    """Voice notes as Telegram keeps them."""

    async def fetch(self, file: str) -> bytes:
        """A recording's bytes. Raises FileGone or FileTooBig."""
        ...


class Screener(Protocol):
    """Sees danger, and passages that may identify other people."""

    async def safety(self, text: str, language: str) -> Safety:
        """Whether the message signals danger or distress."""
        ...

    async def privacy(self, text: str, language: str) -> tuple[Span, ...]:
        """Passages to show the teller before release, in order of appearance."""
        ...


@dataclass(frozen=True)
class Passage:
    """A passage that makes one move. `score` is cosine similarity, -1 to 1.

    `why` is a key of prompts/messages (`example.why.*`); `text` is the sentence(s) that carry
    the move, verbatim from corpus/ or an approved release. `illustration` is True for corpus/.
    """

    id: str
    narrative: str
    title: str
    move: Element
    language: str
    text: str
    why: str
    score: float
    illustration: bool = True


class Retriever(Protocol):
    """Finds example passages by the move they make."""

    async def search(
        self,
        move: Element,
        language: str,
        near: str = "",
        exclude: Collection[str] = (),
        limit: int = 3,
    ) -> list[Passage]:
        """Passages making `move` in `language`, nearest to `near` first, at most `limit`.

        `exclude` are passage ids already shown. Raises RetrievalUnavailable.
        """
        ...


class Clock(Protocol):
    """The only source of now."""

    def now(self) -> datetime:
        """Aware UTC datetime."""
        ...


@dataclass(frozen=True)
class InboxItem:
    """One update as received, waiting its turn. `payload` is the Bot API's JSON."""

    update_id: int
    chat_id: int
    payload: str
    received_at: datetime
    attempts: int = 0


@dataclass(frozen=True)
class SetAside:
    """A quarantined update. `reason` is an error's class name."""

    update_id: int
    reason: str
    received_at: datetime


Urgency = Literal["reply", "push"]
"""A reply answers somebody who waits; a push goes to people who do not."""


@dataclass(frozen=True)
class OutboxItem:
    """One message waiting to be sent. `body` is a plain JSON object (see usecases/outgoing).

    Replies go before pushes. What is not `repeatable` is never sent a second time when Telegram's
    answer got lost: its fate is then noted as unknown. `topic` is a group's message thread.
    `story` is the story a message shows in a group, so that it can be taken down with it.
    `keyboard` is the message whose buttons are open in the chat, as `Outbox.one` finds it.
    """

    chat_id: int
    body: Mapping[str, object]
    id: int | None = None
    attempts: int = 0
    urgency: Urgency = "reply"
    repeatable: bool = True
    topic: int | None = None
    story: str | None = None
    keyboard: int | None = None


@dataclass(frozen=True)
class Queued:
    """A message that waits, without its words: what the sender needs to plan."""

    id: int
    chat_id: int
    urgency: Urgency


class Inbox(Protocol):
    """Updates on disk, acknowledged to Telegram only once they are here."""

    async def put(self, item: InboxItem) -> bool:
        """Keep an update; False when its update_id was kept before (then nothing changes)."""
        ...

    async def keep(self, items: Sequence[InboxItem]) -> Set[int]:
        """Keep many; the set holds the ids that were new once this is committed, none before."""
        ...

    async def waiting(
        self, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[InboxItem]:
        """Updates neither done nor quarantined, oldest (lowest update_id) first.

        Of the chats in `lanes` (see crew.lane_of), or of all.
        """
        ...

    async def waiting_in(self, chats: Collection[int]) -> list[InboxItem]:
        """The same of some chats, all of them."""
        ...

    async def done(self, update_ids: Sequence[int], at: datetime, chat_id: int = 0) -> None:
        """Mark as handled and blank the payload; the id stays, so a repeat is recognised.

        One that was never kept gets a row now: received `at` this moment, in this chat, without
        words. Raises AlreadyDone, at the latest when it is committed, when one of them was done
        before: this unit of work must not be kept.
        """
        ...

    async def latest(self) -> int:
        """The highest update_id there is, whatever became of it; -1 for none."""
        ...

    async def attempted(self, update_ids: Sequence[int]) -> None:
        """Count one more try at handling."""
        ...

    async def quarantine(self, update_ids: Sequence[int], reason: str) -> None:
        """Set aside updates that cannot be handled; `reason` is an error's class name."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many are `waiting`, `done` and `quarantined`."""
        ...

    async def quarantined(self, limit: int = 1000) -> list[SetAside]:
        """Updates set aside, oldest (lowest update_id) first, without their words."""
        ...

    async def put_back(self, update_ids: Sequence[int]) -> int:
        """Let quarantined updates wait again, with every try ahead of them; how many."""
        ...

    async def returned(self) -> list[InboxItem]:
        """Updates put back since this was last asked; each is given out once."""
        ...


class Outbox(Protocol):
    """Messages on disk before they are sent, in order per chat."""

    async def add(self, items: Sequence[OutboxItem]) -> list[int]:
        """Keep messages in order; returns their ids."""
        ...

    async def queue(self, items: Sequence[OutboxItem]) -> Sequence[OutboxItem]:
        """The same; the list holds them as `one` gives them once this is committed.

        It is empty before, and stays empty where anything else was added in this unit of work.
        """
        ...

    async def waiting(self, limit: int = 1000) -> list[OutboxItem]:
        """Unsent messages, oldest first."""
        ...

    async def queued(
        self, after: int = 0, limit: int = 1000, lanes: Collection[int] | None = None
    ) -> list[Queued]:
        """Unsent messages with an id above `after`, lowest id first, without their bodies.

        To the chats in `lanes`, or to all.
        """
        ...

    async def one(self, item_id: int) -> OutboxItem | None:
        """A message if it still waits (or is `sending`); None once settled or erased.

        With the message whose buttons are open in its chat.
        """
        ...

    async def sent(self, item_id: int, message_id: int | None) -> None:
        """Mark as sent and blank the body."""
        ...

    async def sending(self, item_id: int) -> bool:
        """Note, before trying, that an unrepeatable message is on its way.

        False when it did not wait any more: somebody else took it, and may be sending it. It may
        be durable before the commit.
        """
        ...

    async def unknown(self, item_id: int, reason: str) -> None:
        """Nobody knows whether this message arrived; it is not tried again; body blanked."""
        ...

    async def interrupted(self, reason: str, lanes: Collection[int] | None = None) -> int:
        """What is `sending`, to `lanes` or all, becomes `unknown`, as after a crash; how many."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many are `waiting`, `sending`, `sent`, `failed` and `unknown`."""
        ...

    async def failed(self, item_id: int, reason: str) -> None:
        """Give up on a message; `reason` is an error's class name; the body is blanked."""
        ...

    async def attempted(self, item_id: int) -> None:
        """Count one more try that surely sent nothing; what was `sending` waits again."""
        ...

    async def message_of(self, item_id: int) -> int | None:
        """Telegram's id of a message that was sent; None when none is known."""
        ...

    async def keyboard(self, chat_id: int) -> int | None:
        """The message whose buttons are still open in this chat."""
        ...

    async def set_keyboard(self, chat_id: int, message_id: int | None) -> None:
        """Remember, or forget, which message holds the open buttons."""
        ...


@dataclass(frozen=True)
class Receipt:
    """Proof that something was erased from one place. `count` is rows, vectors or files."""

    place: Literal["database", "free_pages", "inbox", "outbox", "index", "index_later", "files"]
    count: int
    erased_at: datetime


@dataclass(frozen=True)
class StoryRow:
    """One line of `coach stories`: no text, no identity."""

    story_id: str
    resident_id: str
    status: StoryStatus
    language: str
    stages: tuple[str, ...]
    words: int
    purposes: tuple[Purpose, ...]
    name_shown: str
    submitted_at: datetime | None
    expires_at: datetime | None


class Folders(Protocol):
    """Residents with all that is held about them."""

    async def by_chat(self, chat_id: int) -> Folder | None:
        """The folder of the resident who writes in this private chat."""
        ...

    async def by_reference(self, reference: str) -> list[Folder]:
        """Folders whose resident id, telegram id or name (any case) is exactly `reference`."""
        ...

    async def save(self, folder: Folder) -> None:
        """Write the folder; raises Conflict when session.version is not the stored one.

        At the latest it does so when it is committed, as ValueError for a time without a zone.
        On success the stored version and `folder.session.version` are one higher.
        """
        ...

    async def erase(self, resident_id: str, at: datetime) -> list[Receipt]:
        """Delete the folder's rows, its inbox and outbox rows; keep a wordless record."""
        ...

    def rows(self, status: StoryStatus | None = None) -> AsyncIterator[StoryRow]:
        """Stories as lines, oldest submission first, streamed."""
        ...

    async def story(self, story_id: str) -> tuple[Folder, str] | None:
        """The folder that holds a story, with the story's id."""
        ...


PauseReason = Literal["blocked", "kicked", "deactivated", "gone", "no_rights", "topic_closed"]
"""Why nothing is sent to a chat for now: what Telegram said when we last tried."""


class Recipients(Protocol):
    """Chats that cannot be written to at present. Messages for them wait, or are dropped."""

    async def pause(self, chat_id: int, reason: PauseReason, at: datetime) -> bool:
        """Send nothing more to this chat until `resume`; a second pause keeps the first time.

        True when it was not paused before.
        """
        ...

    async def resume(self, chat_id: int) -> bool:
        """The chat can be written to again; True when it was paused."""
        ...

    async def heard_from(self, chat_id: int) -> None:
        """The same, for whoever need not know."""
        ...

    async def paused(self) -> Mapping[int, PauseReason]:
        """Every paused chat with its reason."""
        ...

    async def drop(self, before: datetime) -> int:
        """Give up what waits for paused chats; how many messages. Their bodies are blanked, and
        their reason is the pause's.

        Replies to a private chat stay, unless it has been paused since earlier than `before`.
        """
        ...

    async def moved(self, old: int, new: int) -> bool:
        """A group became a supergroup: messages, buttons, pause and group follow to the new id.

        True when a group moved; False when none was known by the old id any more.
        """
        ...


@dataclass(frozen=True)
class Group:
    """A Telegram group the bot is, or was, in. `id` is ours and opaque; times are UTC.

    `title` and `language_code` are what Telegram says; `language` and `timezone` (IANA name) what
    an organizer chose; `topic` the message thread to post in, None for the main one. `standing` is
    the bot's own: "left" once it was removed. `added_by` is the Telegram id of who added it.
    """

    id: str
    chat_id: int
    title: str
    standing: Literal["member", "administrator", "restricted", "left"]
    added_at: datetime
    added_by: int | None = None
    language: str | None = None
    timezone: str | None = None
    topic: int | None = None
    introduced_at: datetime | None = None


class Groups(Protocol):
    """Groups the bot knows."""

    async def by_chat(self, chat_id: int) -> Group | None:
        """The group with this Telegram id."""
        ...

    async def save(self, group: Group) -> None:
        """Write the group, new or known by its id."""
        ...

    async def all(self) -> list[Group]:
        """Every group, the ones left included, oldest first."""
        ...


Right = Literal["organize", "review", "approve", "export", "invite"]
"""What somebody may do beyond telling their own story. Staff hold the last four, or some."""


@dataclass(frozen=True)
class Grant:
    """The rights one person holds, by Telegram id. `granted_by` is "console" or an audit hash."""

    telegram_id: int
    rights: frozenset[Right]
    granted_at: datetime
    granted_by: str


@dataclass(frozen=True)
class Invitation:
    """A link that gives rights to the one person who opens it first, until it expires.

    Only the SHA-256 of its token is kept, in hexadecimal.
    """

    token_sha256: str
    rights: frozenset[Right]
    made_at: datetime
    expires_at: datetime
    made_by: str


class Roles(Protocol):
    """Who may do what. Asked at the moment of acting, in the same transaction."""

    async def rights(self, telegram_id: int) -> frozenset[Right]:
        """What this person may do now; empty for a resident."""
        ...

    async def grant(self, grant: Grant) -> None:
        """Give rights, replacing the ones held."""
        ...

    async def revoke(self, telegram_id: int, at: datetime) -> bool:
        """Take every right away; False when there was none."""
        ...

    async def holders(self) -> list[Grant]:
        """Everybody who holds a right, oldest grant first."""
        ...

    async def invite(self, invitation: Invitation) -> None:
        """Keep an invitation."""
        ...

    async def accept(self, token_sha256: str, telegram_id: int, at: datetime) -> Invitation | None:
        """Use an invitation up and add its rights; None when unknown, used or expired."""
        ...

    async def withdraw_invitations(self, made_by: str) -> int:
        """Make the unused invitations of one inviter worthless; how many."""
        ...


class Audit(Protocol):
    """What was done by whom, without a word of any story and without a name."""

    async def record(self, who: str, what: str, about: str | None, at: datetime) -> None:
        """`who` is hashed before it is kept; `what` a fixed word; `about` an opaque id."""
        ...

    def entries(self, about: str | None = None) -> AsyncIterator[AuditEntry]:
        """The trail, oldest first; only what concerns `about` when given."""
        ...


@dataclass(frozen=True)
class AuditEntry:
    """One act. `who_sha256` is the hash of who acted."""

    who_sha256: str
    what: str
    about: str | None
    recorded_at: datetime


@dataclass
class Seat:
    """Where an organizer or staff member is at the desk, by Telegram id.

    `awaiting` names what their next typed message answers, "" for nothing. `notes` hold the
    choices of an act not finished yet; `turn` tells fresh buttons from old ones.
    """

    telegram_id: int
    chat_id: int
    awaiting: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    turn: int = 0


class Seats(Protocol):
    """Who is where at the desk."""

    async def of(self, telegram_id: int) -> Seat | None:
        """This person's seat, if they ever came to the desk."""
        ...

    async def save(self, seat: Seat) -> None:
        """Write the seat."""
        ...


@dataclass(frozen=True)
class Spent:
    """What a model cost: tokens read and written together, and US dollars at the prices set."""

    tokens: int = 0
    dollars: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(self.tokens + other.tokens, self.dollars + other.dollars)


class Spendings(Protocol):
    """What models cost a day, so that a budget outlives a restart. No words, no names."""

    async def spent(self, day: date, who: str) -> Spent:
        """What was spent on a UTC day for a resident's id, or for everybody ("")."""
        ...

    async def add(self, day: date, who: str, spent: Spent) -> None:
        """Add to it; what residents spent on earlier days is forgotten. May raise Conflict."""
        ...


@dataclass(frozen=True)
class Met:
    """Who is writing: their seat at the desk, their folder, and the prompt they opened last."""

    seat: Seat | None
    folder: Folder | None
    opening: Opening | None


class UnitOfWork(Protocol):
    """One transaction. Leaving without commit rolls back."""

    folders: Folders
    inbox: Inbox
    outbox: Outbox
    recipients: Recipients
    groups: Groups
    seats: Seats
    library: Library
    backups: Backups
    indexes: Indexes
    leases: Leases
    spendings: Spendings
    roles: Roles
    audit: Audit
    practice: Practice

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def meet(self, telegram_id: int, chat_id: int) -> Met:
        """Find what every turn begins with, in one read."""
        ...

    async def commit(self, within: float = 0.0) -> None:
        """Make everything since entering durable (fsync), or raise StoreUnavailable.

        It may wait up to `within` seconds for others, to share one fsync with them.
        """
        ...


class Store(Protocol):
    """The database as a whole."""

    def work(self) -> UnitOfWork:
        """A fresh unit of work."""
        ...

    async def scrub(self, at: datetime) -> list[Receipt]:
        """Empty free pages and the write-ahead log, so erased words leave the disk."""
        ...

    async def empty_log(self) -> None:
        """Let words that were blanked leave the write-ahead log too, if nobody is reading it."""
        ...

    async def close(self) -> None:
        """Release connections and files."""
        ...


Counted = Literal["update", "turn", "call", "model", "refusal"]
Summed = Literal["tokens", "dollars"]
Timed = Literal["turn", "reading", "safety", "privacy", "example", "model"]


class Meter(Protocol):
    """Counts and times what happens, for whoever watches the machine.

    `kind` and `outcome` are fixed words, never anybody's: a name, an id or a story has no place
    here. Returns at once and raises nothing.
    """

    def count(self, what: Counted, kind: str, outcome: str = "") -> None:
        """One more. Updates by fate, turns by fate, calls of the Bot API by method and outcome.

        Readings asked of a model by outcome, and what was refused of its replies by reason.
        """
        ...

    def add(self, what: Summed, amount: float) -> None:
        """So much more was spent on a model."""
        ...

    def took(self, what: Timed, seconds: float, kind: str = "") -> None:
        """How long something took; turns by the step of the conversation they began in."""
        ...


class Unmeasured:
    """The Meter that counts nothing: in the terminal and in tests."""

    def count(self, what: Counted, kind: str, outcome: str = "") -> None:
        """Forget it."""

    def add(self, what: Summed, amount: float) -> None:
        """Forget it."""

    def took(self, what: Timed, seconds: float, kind: str = "") -> None:
        """Forget it."""

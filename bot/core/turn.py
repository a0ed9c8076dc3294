"""One turn of a conversation: what was heard, what is needed to answer, what is said.

The conversation is a generator. It yields a need (a reading, an example…), is sent the finding, and
ends with the words it wants said. It touches nothing outside, so any turn can be replayed.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from bot.core.care import Safety, Span
from bot.core.coaching import CoachingNotes
from bot.core.movement import Movement
from bot.core.narrative import Element, Reading, StoryOf
from bot.core.picture import Sheet


@dataclass(frozen=True)
class Prompted:
    """The practice prompt whose button brought somebody here: its words by language, the group's
    first, the move it practises, and the opaque ids of the group it was posted in and its own."""

    texts: Mapping[str, str]
    move: Element
    group: str
    prompt: str


@dataclass(frozen=True)
class Heard:
    """What a person did, already stripped of Telegram: one of text, press, command or other.

    `text` joins messages sent in one breath; `messages` are the same, each with its Telegram id.
    `choice` and `turn` come from a button; `turn` tells which turn's buttons were pressed. `other`
    names content that is not text (voice, photo…); `text` then holds words that came with it.
    `edited` is a message changed afterwards: `messages` holds its id and its words as they are now.
    `profile_name` and `language_code` are what Telegram says, if anything. `file` is Telegram's
    name for a voice note, `size` its bytes when known. `prompted` comes with /start from a group.
    """

    text: str | None = None
    choice: str | None = None
    turn: int | None = None
    command: str | None = None
    argument: str = ""
    other: str | None = None
    edited: bool = False
    profile_name: str = ""
    language_code: str | None = None
    messages: tuple[tuple[int, str], ...] = ()
    file: str | None = None
    size: int | None = None
    prompted: Prompted | None = None


@dataclass(frozen=True)
class Choice:
    """A button. `id` travels back when pressed; `label` is a message key; `words` fill it.

    A button with a `link` opens that address instead, and nothing travels back.
    """

    id: str
    label: str
    words: Mapping[str, str] = field(default_factory=dict)
    checked: bool | None = None
    link: str | None = None


@dataclass(frozen=True)
class Line:
    """One sentence by key, with the words that fill it. Teller's words go in unchanged.

    `refs` fill in other messages by their keys, such as the name of a purpose.
    """

    key: str
    words: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Say:
    """One message: lines, and rows of buttons. `replaces` edits the message with open buttons."""

    lines: tuple[Line, ...]
    choices: tuple[tuple[Choice, ...], ...] = ()
    replaces: bool = False


@dataclass(frozen=True)
class Hand:
    """A file handed over, with one line of explanation. Lines are written one below another."""

    name: str
    content: str | tuple[Line, ...]
    line: Line


@dataclass(frozen=True)
class Bring:
    """A file that lies with us, handed over when it is sent: `kept` is by what it is known.

    If it may not be handed over any more by then, `gone` is said instead.
    """

    name: str
    kept: str
    line: Line
    gone: Line


@dataclass(frozen=True)
class Picture:
    """A picture with words under it that say the same, and buttons; drawn when it is sent.

    If it cannot be drawn, the words and buttons alone are sent.
    """

    name: str
    sheet: Sheet[Line]
    lines: tuple[Line, ...]
    choices: tuple[tuple[Choice, ...], ...] = ()


@dataclass(frozen=True)
class EraseEverything:
    """The folder must go, then a receipt be given."""


@dataclass(frozen=True)
class Scrub:
    """Words were removed from the folder; empty them from the disk, then say `line`."""

    line: Line


@dataclass(frozen=True)
class Moved:
    """They say they told, retold, listened or led; counted for the group whose prompt they
    opened last, and for nobody when they came from none. Nothing is said."""

    kind: Movement


@dataclass(frozen=True)
class Post:
    """To be said in a group, by its opaque id: what a teller released for exactly that.

    `story` is the story it shows, so that it can be taken down with it.
    """

    group: str
    story: str
    say: Say


@dataclass(frozen=True)
class TakeDown:
    """Delete in a group what the outbox's message `message` posted there; then tell `chat`: `done`,
    or `stays` where Telegram no longer lets it be deleted."""

    message: int
    chat: int
    done: Line
    stays: Line


Move = Say | Hand | Bring | Picture | EraseEverything | Scrub | Moved | Post | TakeDown


@dataclass(frozen=True)
class ReadTelling:
    """Needs a Reading of one stage's text, or None when no reader can read now.

    With `notes` a question may follow, and a model that the resident agreed to may be asked too.
    """

    stage: StoryOf
    text: str
    notes: CoachingNotes | None = None


@dataclass(frozen=True)
class Transcribe:
    """Needs the words of a voice note as a Transcript; `file` is Telegram's name for it."""

    file: str
    size: int | None = None


@dataclass(frozen=True)
class Transcript:
    """What was heard in a voice note, or why nothing was: the last part of a message key."""

    text: str = ""
    trouble: Literal["too_big", "gone", "cannot", "nothing"] | None = None


@dataclass(frozen=True)
class ScreenSafety:
    """Needs the Safety of a message."""

    text: str


@dataclass(frozen=True)
class ScreenPrivacy:
    """Needs the Spans of a text."""

    text: str


@dataclass(frozen=True)
class FindExample:
    """Needs an example passage making a move, as FoundExample, or None."""

    move: Element
    near: str


@dataclass(frozen=True)
class FindGroup:
    """Needs to know whether a group, by its opaque id, can be posted in now, as FoundGroup."""

    id: str


@dataclass(frozen=True)
class FoundGroup:
    """A group's title, and why nothing can be posted there: the last part of a message key."""

    title: str = ""
    trouble: Literal["gone", "no_rights", "topic_closed"] | None = None


@dataclass(frozen=True)
class FindAsked:
    """Needs the groups that had a practice prompt, by its id, and can be posted in now.

    As AskedGroup each; the one whose id is `first` leads, if it can be posted in.
    """

    prompt: str
    first: str


@dataclass(frozen=True)
class AskedGroup:
    """A group by its opaque id and its title."""

    id: str
    title: str


@dataclass(frozen=True)
class FoundExample:
    """A passage to show: `why` is a message key, `text` is verbatim from its source."""

    id: str
    title: str
    text: str
    why: str


Need = ReadTelling | ScreenSafety | ScreenPrivacy | FindExample | FindGroup | FindAsked | Transcribe
Finding = Any
"""What is sent back for a need: see each need's docstring. Narrowed by the functions below."""

T = TypeVar("T")
Asking = Generator[Need, Finding, T]


def reading_of(
    stage: StoryOf, text: str, notes: CoachingNotes | None = None
) -> Asking[Reading | None]:
    """Ask for a reading and accept only quotations that are really there."""
    reading: Reading | None = yield ReadTelling(stage, text, notes)
    return reading.only_verbatim(text) if reading else None


def transcript_of(file: str, size: int | None) -> Asking[Transcript]:
    """Ask for the words of a voice note."""
    transcript: Transcript = yield Transcribe(file, size)
    return transcript


def safety_of(text: str) -> Asking[Safety]:
    """Ask whether a message signals danger."""
    safety: Safety = yield ScreenSafety(text)
    return safety


def spans_of(text: str) -> Asking[tuple[Span, ...]]:
    """Ask for passages that may identify somebody, keeping those that are really there."""
    spans: Sequence[Span] = yield ScreenPrivacy(text)
    return tuple(s for s in spans if s.text and s.text in text)


def example_of(move: Element, near: str) -> Asking[FoundExample | None]:
    """Ask for an example the resident has not seen."""
    found: FoundExample | None = yield FindExample(move, near)
    return found


def group_of(id: str) -> Asking[FoundGroup]:
    """Ask whether a group can be posted in."""
    found: FoundGroup = yield FindGroup(id)
    return found


def asked_groups(prompt: str, first: str) -> Asking[tuple[AskedGroup, ...]]:
    """Ask which groups had a practice prompt."""
    found: Sequence[AskedGroup] = yield FindAsked(prompt, first)
    return tuple(found)


@dataclass(frozen=True)
class Abilities:
    """What this installation can do beyond its own machine, and where.

    `model_at` is the host a model answers at, `voice_at` the one that writes down voice notes;
    None when there is none.
    """

    model_at: str | None = None
    voice_at: str | None = None

    @property
    def at(self) -> str | None:
        """Where words may go, as people are told; None when nothing leaves the machine."""
        hosts = dict.fromkeys(h for h in (self.model_at, self.voice_at) if h)
        return ", ".join(hosts) or None


class Phrasebook(Protocol):
    """What the conversation must know about the words: never the words themselves."""

    @property
    def languages(self) -> Sequence[str]:
        """Codes of the languages there are words in, the first one to fall back to."""
        ...

    def variants(self, key: str, language: str) -> int:
        """How many ways there are to say `key`; 0 when there is none."""
        ...

    def understand(self, text: str, among: Sequence[Choice]) -> str | None:
        """The id of the choice that a typed message means, in any language, or None."""
        ...

"""What every step of the conversation holds in its hands during one turn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bot.core.coaching import CoachingNotes
from bot.core.narrative import Element, StoryOf
from bot.core.quoting import shingles, teller_share
from bot.core.story import Folder, Origin, Part, Session, Story, StoryStatus
from bot.core.turn import Abilities, Asking, Choice, Heard, Line, Move, Phrasebook, Say

NOTHING_BEYOND = Abilities()
"""Everything stays on this machine."""

KEEP_SHINGLES = 2_000
"""Checksums of bot text kept for provenance: about 2,000 words of examples."""


@dataclass
class Talk:
    """One turn: the folder being changed, what was heard, the words at hand, the hour.

    `said` gathers moves in order. `entering` names the step to ask next. `sent` are the messages
    heard, as they came, whatever `heard` is later taken to mean.
    """

    folder: Folder
    heard: Heard
    book: Phrasebook
    now: datetime
    new_id: Callable[[], str]
    able: Abilities = NOTHING_BEYOND

    def __post_init__(self) -> None:
        self.said: list[Move] = []
        self.entering: str | None = None
        self.sent = self.heard.messages

    # -- saying ---------------------------------------------------------------------------------

    def say(
        self, *lines: Line | str, choices: Sequence[Sequence[Choice]] = (), replaces: bool = False
    ) -> None:
        """Say one message; a bare string is a line without words."""
        made = tuple(Line(x) if isinstance(x, str) else x for x in lines)
        self.said.append(Say(made, tuple(tuple(row) for row in choices), replaces))

    def pick(self, key: str, **words: str) -> Line:
        """A line with several wordings, taken in rotation so that none wears out."""
        count = self.book.variants(key, self.language)
        return Line(f"{key}.{self.session.turn % max(count, 1) + 1}", words)

    def go(self, step: str, **notes: object) -> None:
        """Move to a step and ask its question once the present one is done."""
        self.session.step = step
        self.session.notes.update(notes)
        self.entering = step

    def stay(self) -> None:
        """Ask the present step's question again."""
        self.entering = self.session.step

    # -- reading the folder ---------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """Where the conversation stands."""
        return self.folder.session

    @property
    def language(self) -> str:
        """The language to speak: the resident's, else Telegram's, else the first we have."""
        wished = self.folder.resident.language or (self.heard.language_code or "")[:2]
        return wished if wished in self.book.languages else self.book.languages[0]

    @property
    def text(self) -> str:
        """What was typed, or nothing."""
        return self.heard.text or ""

    @property
    def choice(self) -> str | None:
        """The id of the button pressed or meant, without its parameter."""
        return self.heard.choice.partition(":")[0] if self.heard.choice else None

    @property
    def parameter(self) -> str:
        """What follows the colon in the choice's id."""
        return self.heard.choice.partition(":")[2] if self.heard.choice else ""

    @property
    def has_joined(self) -> bool:
        """True once consent to take part is given; before it nothing typed is kept."""
        return self.folder.resident.participation is not None

    @property
    def story(self) -> Story:
        """The story being worked on; a new one when there is none."""
        story = self.folder.story
        if story is None or story.status is StoryStatus.WITHDRAWN:
            story = self.begin_story()
        return story

    def begin_story(self) -> Story:
        """Start an empty story; coaching notes start anew with it."""
        story = Story(self.new_id(), self.language, self.now)
        self.folder.stories.append(story)
        self.session.story_id = story.id
        self.session.notes = {}
        return story

    def drop_empty_stories(self) -> None:
        """Forget stories in which nothing was ever typed, so that lists stay short."""
        self.folder.stories = [
            s
            for s in self.folder.stories
            if s is self.folder.story or s.status is not StoryStatus.DRAFT or s.is_begun()
        ]

    # -- notes ----------------------------------------------------------------------------------

    @property
    def stage(self) -> StoryOf:
        """The part in hand."""
        return StoryOf(str(self.session.notes.get("stage", StoryOf.SELF)))

    @property
    def part(self) -> Part:
        """The part in hand, of the present story."""
        return self.story.parts[self.stage]

    def note(self, key: str, default: str = "") -> str:
        """A note as text."""
        return str(self.session.notes.get(key, default))

    def flag(self, key: str) -> bool:
        """A note as yes or no."""
        return bool(self.session.notes.get(key))

    def listed(self, key: str) -> list[str]:
        """A note as a list."""
        return list(cast("list[str]", self.session.notes.get(key, [])))

    def add(self, key: str, *items: str) -> None:
        """Add to a listed note, each item once."""
        known = self.listed(key)
        self.session.notes[key] = known + [i for i in items if i not in known]

    def count(self, key: str) -> int:
        """A note as a number."""
        return int(cast("int", self.session.notes.get(key, 0)))

    def coaching_notes(self) -> CoachingNotes:
        """What the coach remembers of this story."""
        return CoachingNotes(
            tuple(self.listed("asked")),
            tuple(Element(e) for e in self.listed("aimed")),
            tuple(Element(e) for e in self.listed("skipped")),
            self.flag(f"gentle.{self.stage}"),
            tuple(cast("list[int]", self.session.notes.get("suggested", []))),
        )

    # -- the teller's words ---------------------------------------------------------------------

    def showed(self, text: str) -> None:
        """Remember, as checksums, words the bot showed, so that a paste of them is known."""
        marks = cast("list[int]", self.session.notes.get("shingles", []))
        self.session.notes["shingles"] = (marks + shingles(text))[-KEEP_SHINGLES:]

    def write(self, stage: StoryOf, text: str, origin: Origin) -> None:
        """Make `text` the part's current words; a release of the earlier text is void."""
        marks = cast("list[int]", self.session.notes.get("shingles", []))
        story = self.story
        part = story.parts[stage]
        if part.text == text:
            return
        part.tell(text, origin, self.now, teller_share(text, marks))
        self.void()

    def add_words(self, stage: StoryOf, text: str) -> None:
        """Put more of the teller's words under those the part already has."""
        before, words = self.story.parts[stage].text, text.strip()
        self.write(stage, f"{before}\n{words}" if before else words, Origin.TOLD)

    def void(self) -> None:
        """End any release of the story and say so plainly."""
        if self.story.void_releases(self.now, "edited"):
            self.say("releasing.voided")


Asked = Asking[None] | None
"""A step's function may simply act, or ask for findings on the way."""
StepFunction = Callable[[Talk], Asked]


@dataclass(frozen=True)
class Step:
    """A place in the conversation: how it asks, and how it takes an answer.

    `place` is a message key saying where somebody is, for "last time you were here".
    """

    name: str
    ask: StepFunction
    hear: StepFunction
    place: str


class Steps(Mapping[str, Step]):
    """All steps by name; each module adds its own."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def add(self, name: str, ask: StepFunction, hear: StepFunction, place: str = "story") -> None:
        """Register a step; a second of the same name is a mistake (ValueError)."""
        if name in self._steps:
            raise ValueError(f"step {name} is there twice")
        self._steps[name] = Step(name, ask, hear, f"places.{place}")

    def __getitem__(self, name: str) -> Step:
        return self._steps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


STEPS = Steps()


def run(function: StepFunction, talk: Talk) -> Asking[None]:
    """Run a step's function, whether it asks for findings or not."""
    asked = function(talk)
    if inspect.isgenerator(asked):
        yield from cast("Asking[None]", asked)


def button(id: str, label: str | None = None, **words: str) -> Choice:
    """A button whose label is `choices.<id>` unless told otherwise."""
    return Choice(id, label or f"choices.{id.partition(':')[0]}", words)


def buttons(*ids: str) -> tuple[Choice, ...]:
    """A row of plain buttons."""
    return tuple(button(i) for i in ids)


def not_understood(talk: Talk) -> None:
    """Say kindly what can be done here, and ask again."""
    talk.say("general.not_understood")
    talk.stay()

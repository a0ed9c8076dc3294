"""Fakes for tests of the core and the use cases: each says what a test told it to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from bot.core.care import Safety, Span, SpanKind
from bot.core.conversation import converse
from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.core.story import Folder, Identity, Resident, Session, Story
from bot.core.turn import (
    EraseEverything,
    FindExample,
    Finding,
    FoundExample,
    Heard,
    Line,
    Move,
    Need,
    ReadTelling,
    Say,
    ScreenPrivacy,
    ScreenSafety,
)
from bot.retrieval.corpus import CorpusSource
from bot.usecases.ports import Passage, ReaderUnavailable, RetrievalUnavailable
from bot.words.catalogue import Catalogue
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.fake_retriever import ListRetriever

A_TUESDAY = datetime(2026, 11, 3, 18, 0, tzinfo=UTC)
CARE = {code: {"care_lines": "Call 555 0100"} for code in ("en", "es")}


class FixedClock:
    """Stands still until a test moves it."""

    def __init__(self, at: datetime = A_TUESDAY) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def passes(self, **span: float) -> None:
        """Move on by a timedelta's arguments."""
        self.at += timedelta(**span)


def reading(
    stage: StoryOf,
    present: Mapping[str, str | None] | None = None,
    weak: Mapping[str, str | None] | None = None,
    modes: Sequence[str] = (),
    line: str | None = None,
) -> Reading:
    """A reading by short names: element to evidence; what is not named is missing."""
    statuses = dict.fromkeys(ORDER_OF_CARE[stage], Status.MISSING)
    evidence: dict[Element, str] = {}
    for status, named in ((Status.PRESENT, present or {}), (Status.WEAK, weak or {})):
        for short, words in named.items():
            element = Element.of(stage, short)
            statuses[element] = status
            if words:
                evidence[element] = words
    return Reading(stage, statuses, evidence, tuple(FailureMode(m) for m in modes), line, "told")


class SteadyReader:
    """Hears in each stage what it was last told to hear, until told otherwise.

    Quotations that are not in the text are dropped. `is_away` makes it unavailable.
    """

    def __init__(self) -> None:
        self.hears: dict[StoryOf, Reading] = {}
        self.is_away = False
        self.asked: list[tuple[StoryOf, str, str]] = []

    def now_hears(self, *readings: Reading) -> None:
        """From now on hear these, each in its own stage."""
        self.hears.update({r.stage: r for r in readings})

    def hear(self, stage: StoryOf, text: str) -> Reading:
        """The standing reading of a stage; nothing heard by default."""
        return self.hears.get(stage, reading(stage)).only_verbatim(text)

    async def read(self, stage: StoryOf, text: str, language: str) -> Reading:
        self.asked.append((stage, text, language))
        if self.is_away:
            raise ReaderUnavailable("told to be away")
        return self.hear(stage, text)


class ScriptedScreener:
    """Sees danger and passages only where a test put them, by the words that show them."""

    def __init__(self) -> None:
        self.danger: dict[str, Safety] = {}
        self.passages: list[tuple[SpanKind, str]] = []

    def sees(self, text: str) -> Safety:
        """The danger of the first marked words that `text` holds."""
        return next((s for words, s in self.danger.items() if words in text), Safety.NONE)

    def finds(self, text: str) -> tuple[Span, ...]:
        """Marked passages in reading order, each once."""
        found = [Span(p, k, text.index(p)) for k, p in self.passages if p in text]
        return tuple(sorted(found, key=lambda span: span.start))

    async def safety(self, text: str, language: str) -> Safety:
        return self.sees(text)

    async def privacy(self, text: str, language: str) -> tuple[Span, ...]:
        return self.finds(text)


class AwayRetriever:
    """An index that cannot answer."""

    async def search(self, *_: object, **__: object) -> list[Passage]:
        raise RetrievalUnavailable("told to be away")


@cache
def corpus_passages() -> tuple[Passage, ...]:
    """Every passage of the project's own example narratives."""
    source = CorpusSource(Path(__file__).parents[1] / "corpus" / "narratives")
    return tuple(
        Passage(e.id, e.narrative, e.title, e.move, e.language, e.text, f"example.why.{e.move}", 0)
        for e in source.examples()
    )


def corpus_retriever() -> ListRetriever:
    """The project's examples, found by shared words instead of meaning."""
    return ListRetriever(corpus_passages(), WordEmbedder())


@cache
def catalogue() -> Catalogue:
    """The real words."""
    return Catalogue(constants=CARE)


# -- the core by itself -------------------------------------------------------------------------


@dataclass
class Alone:
    """One resident and the core, nothing else: no bot, no database, no model.

    `examples` are (id, text) shown in order, none twice. `said` is the last turn, `everything`
    all turns.
    """

    clock: FixedClock = field(default_factory=FixedClock)
    book: Catalogue = field(default_factory=catalogue)
    reader: SteadyReader = field(default_factory=SteadyReader)
    screener: ScriptedScreener = field(default_factory=ScriptedScreener)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = 0
        self.message_id = 0
        self.said: list[Move] = []
        self.everything: list[Move] = []
        self.needs: list[Need] = []
        self.folder = self._new_folder()

    def _new_folder(self) -> Folder:
        now = self.clock.now()
        return Folder(Resident(self.new_id(), now, now), Identity(7, 7), Session())

    def new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    def hear(self, heard: Heard) -> list[Move]:
        """Take one turn, as the use case would."""
        turn = converse(self.folder, heard, self.book, self.clock.now(), self.new_id)
        try:
            need = next(turn)
            while True:
                self.needs.append(need)
                need = turn.send(self._find(need))
        except StopIteration as end:
            self.said = end.value
        self.everything += self.said
        if any(isinstance(m, EraseEverything) for m in self.said):
            self.folder = self._new_folder()
        return self.said

    def _find(self, need: Need) -> Finding:
        match need:
            case ReadTelling(stage, text):
                return None if self.reader.is_away else self.reader.hear(stage, text)
            case ScreenSafety(text):
                return self.screener.sees(text)
            case ScreenPrivacy(text):
                return self.screener.finds(text)
            case FindExample(move, _):
                shown = self.folder.shown_examples
                fresh = next((e for e in self.examples if e[0] not in shown), None)
                return fresh and FoundExample(fresh[0], "A title", fresh[1], f"example.why.{move}")

    def says(self, text: str) -> list[Move]:
        """Type a message; its id is `message_id`."""
        self.message_id += 1
        sent = ((self.message_id, text),)
        return self.hear(Heard(text=text, messages=sent, profile_name="Ana", language_code="en"))

    def edits(self, message_id: int, text: str) -> list[Move]:
        """Change a message typed before."""
        return self.hear(Heard(text=text, messages=((message_id, text),), edited=True))

    def forwards(self, text: str) -> list[Move]:
        """Forward somebody's message."""
        return self.hear(Heard(text=text, other="forward"))

    def presses(self, choice: str) -> list[Move]:
        """Press a button that is open now."""
        assert choice in self.offered(), f"{choice} is not among {self.offered()}"
        turn = self.folder.session.notes["offered_turn"]
        assert isinstance(turn, int)
        return self.hear(Heard(choice=choice, turn=turn, profile_name="Ana", language_code="en"))

    def commands(self, name: str) -> list[Move]:
        """Send a command."""
        return self.hear(Heard(command=name, profile_name="Ana", language_code="en"))

    def offered(self) -> list[str]:
        """Ids of the buttons that are open now."""
        offered = self.folder.session.notes.get("offered", [])
        assert isinstance(offered, list)
        return [str(o[0]) for o in offered]

    def keys(self) -> list[str]:
        """Message keys of the last turn, in order."""
        return [line.key for line in self.lines()]

    def lines(self) -> list[Line]:
        """Lines of the last turn, in order."""
        return [line for move in self.said if isinstance(move, Say) for line in move.lines]

    @property
    def story(self) -> Story:
        story = self.folder.story
        assert story is not None
        return story

    @property
    def step(self) -> str:
        return self.folder.session.step

    # -- ways to get somewhere ------------------------------------------------------------------

    def joins(self, band: str = "adult") -> Alone:
        """Hello, language, age band, consent."""
        self.commands("start")
        for choice in ("speak:en", band, "agree"):
            self.presses(choice)
        return self

    def sketches_nothing(self) -> Alone:
        """Skip all three lines; ready to tell a story of self."""
        for _ in StoryOf:
            self.presses("skip")
        return self

    def tells(self, *pieces: str) -> Alone:
        """Type the pieces, then "that's it"."""
        for piece in pieces:
            self.says(piece)
        self.presses("thats_it")
        return self

    def releases(self, *purposes: str) -> Alone:
        """From the offer after a telling to a release for the purposes."""
        while self.step != "offer":
            self.presses("skip")
        self.presses("finish" if "finish" in self.offered() else "go_on")
        while self.step != "review":
            self.presses("skip")
        for choice in ("its_right", "skip", "skip"):
            self.presses(choice)
        while self.step == "privacy":
            self.presses("keep")
        self.presses("go_on")
        for wanted in purposes or ("organizers",):
            while f"use:{wanted}" not in self.offered():
                self.presses("next")
            self.presses(f"use:{wanted}")
        while self.step.startswith("uses_"):
            self.presses("next")
        for choice in ("name:none", "year_1", "release_this"):
            self.presses(choice)
        return self


def joined_folder(now: datetime = A_TUESDAY) -> Folder:
    """A resident who agreed to take part and has told nothing yet."""
    alone = Alone(clock=FixedClock(now)).joins()
    return replace(alone.folder)

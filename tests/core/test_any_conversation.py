"""Whatever a person does, in any order: the machine answers, keeps only their words, and no more.

A hypothesis state machine plays a wild person against the pure conversation.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.core.care import Safety, SpanKind
from bot.core.consent import text_hash
from bot.core.conversation.rights import COMMANDS
from bot.core.conversation.talk import STEPS
from bot.core.holding import as_json, as_lines
from bot.core.narrative import ORDER_OF_CARE, StoryOf
from bot.core.quoting import cleaned
from bot.core.story import StoryStatus
from bot.core.turn import Heard, Say
from tests.fakes import Alone, catalogue, reading

BOOK = catalogue()
PHRASES = sorted(
    BOOK._messages[language][key]
    for language in ("en", "es")
    for key in BOOK.keys(language)
    if key.startswith("phrases.")
)
WILD = [
    "", " ", "🎉🎉👩‍👩‍👧", "?!…", "\x00\x00", "a\x00b the boiler died", "مرحبا يا جاري العزيز",
    "\u202eabc\u2066", "{quote} {text} %s {}", "<b>&amp;</b> </i> <script>", "x" * 10_000,
    "the boiler died in january and i knocked on her door " * 190, "\r\none\rtwo\r\n", "#1", "18",
    "i was there\nthat's it", "1 2 3", "/notacommand", "\ud83d\ude00",
]  # fmt: skip
STORIES = [
    "the 14 bus did not come and we stood in the snow, Rosa and I",
    "se cayó el bote en la subida y doña Chelo me dio la mitad de su agua",
    "i carried the dog out first, then my aunt who would not leave",
    "my grief is that nobody opened",
    "there is danger here tonight",
    "call Pedro Ramírez on 555 0199 he knows",
]
TEXTS = st.one_of(
    st.sampled_from(WILD), st.sampled_from(STORIES), st.sampled_from(PHRASES), st.text(max_size=80)
)
BEGINNING = ["the first of us knocked on the door of number nine"]
PLACES = [
    "outside",
    "joined",
    "telling",
    "told",
    "too young",
    "released",
    "asking others",
    "naming",
    "naming",
]
OTHERS = ["voice", "photo", "sticker", "contact", "poll", "forward", "dice", "nonsense"]
CHOICES = ["speak:xx", "part:us", "use:press", "version:self.99", "open:9", "answer:rare", "?",
           "into:link", "name:none", "release_this", "erase_everything", "yes", ""]  # fmt: skip
WELL_TOLD = {
    stage: reading(stage, dict.fromkeys(e.short for e in ORDER_OF_CARE[stage])) for stage in StoryOf
}


def words_in(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))


def as_json_stories(alone: Alone) -> str:
    """What stories hold, empty ones left out."""
    return str(json.loads(as_json(alone.folder))["stories"])


class AnyPerson(RuleBasedStateMachine):
    """One person doing anything at all."""

    @initialize(place=st.sampled_from(PLACES))
    def begins(self, place: str) -> None:
        self.alone = Alone()
        self.alone.examples += [(f"e{n}", f"Example number {n} of the kettle.") for n in range(3)]
        self.alone.screener.danger |= {"grief": Safety.DISTRESS, "danger": Safety.CRISIS}
        self.alone.screener.passages.append((SpanKind.PHONE, "555 0199"))
        self.typed: set[str] = words_in(" ".join(BEGINNING))
        if place != "outside":
            self.alone.joins("under_18" if place == "too young" else "adult")
        if place not in ("outside", "joined"):
            self.alone.sketches_nothing()
        if place in ("told", "too young", "released"):
            self.alone.tells(BEGINNING[0])
        if place == "released":
            self.alone.releases("press")
        if place == "asking others":
            self.begins_to_ask_others()
        if place == "naming":
            self.alone.tells(BEGINNING[0])
            self.goes_to_names()

    def begins_to_ask_others(self) -> None:
        """A story of now is told; what was promised comes next."""
        self.alone.says("another part")
        self.alone.presses("part:now")
        self.alone.tells(BEGINNING[0])
        while self.alone.step != "offer":
            self.alone.presses("skip")
        self.alone.presses("go_on")

    def goes_to_names(self) -> None:
        """Uses are chosen; only name, time and the last look are left."""
        self.alone.says("release")
        for choice in ("go_on", "use:organizers", "next", "next", "next"):
            self.alone.presses(choice)

    def take(self, heard: Heard) -> None:
        alone = self.alone
        if heard.text and not (heard.other and heard.other != "forward"):
            self.typed |= words_in(cleaned(heard.text))
        turn = alone.folder.session.turn
        said = alone.hear(heard)
        second_tap = heard.choice is not None
        assert said or second_tap or heard.edited, f"no answer to {heard}"
        if not any(type(m).__name__ == "EraseEverything" for m in said):
            assert alone.folder.session.turn == turn + 1

    # -- what a person may do -------------------------------------------------------------------

    @rule(text=TEXTS)
    def types(self, text: str) -> None:
        self.alone.message_id += 1
        sent = ((self.alone.message_id, text),)
        self.take(Heard(text=text, messages=sent, profile_name="Ana", language_code="en"))

    @precondition(lambda self: self.alone.offered())
    @rule(data=st.data())
    def presses_an_open_button(self, data: st.DataObject) -> None:
        choice = data.draw(st.sampled_from(self.alone.offered()))
        turn = self.alone.folder.session.notes["offered_turn"]
        assert isinstance(turn, int)
        self.take(Heard(choice=choice, turn=turn))

    @rule(data=st.data(), turn=st.integers(-2, 40))
    def presses_a_stale_or_forged_button(self, data: st.DataObject, turn: int) -> None:
        offered = self.alone.offered()
        choice = data.draw(st.sampled_from([*CHOICES, *offered]) | st.text(max_size=20))
        self.take(Heard(choice=choice, turn=turn))

    @rule(name=st.sampled_from([*COMMANDS, "dance", "", "start start"]))
    def commands(self, name: str) -> None:
        self.take(Heard(command=name, argument="x", language_code="es"))

    @rule(kind=st.sampled_from(OTHERS))
    def sends_something_else(self, kind: str) -> None:
        self.take(Heard(other=kind))

    @precondition(lambda self: self.alone.offered())
    @rule(data=st.data())
    def goes_along(self, data: st.DataObject) -> None:
        self.presses_an_open_button(data)

    @precondition(lambda self: self.alone.offered())
    @rule(data=st.data())
    def goes_along_further(self, data: st.DataObject) -> None:
        self.presses_an_open_button(data)

    @rule(text=st.sampled_from(STORIES))
    def tells_more(self, text: str) -> None:
        self.types(text)

    @rule(text=TEXTS)
    def edits_a_message_that_brought_nothing(self, text: str) -> None:
        before = as_json_stories(self.alone)
        self.take(Heard(text=text, messages=((10**9, text),), edited=True))
        assert as_json_stories(self.alone) == before

    @rule(text=TEXTS, back=st.integers(0, 3))
    def edits_an_earlier_message(self, text: str, back: int) -> None:
        message_id = max(self.alone.message_id - back, 0)
        self.take(Heard(text=text, messages=((message_id, text),), edited=True))
        keys = self.alone.keys()
        assert not any(k.startswith(("questions.", "coaching.reflect")) for k in keys)

    @rule(text=TEXTS)
    def forwards_something(self, text: str) -> None:
        self.take(Heard(text=text, other="forward"))

    @rule(text=st.sampled_from(STORIES))
    def sends_a_picture_with_words(self, text: str) -> None:
        before = as_json_stories(self.alone)
        self.take(Heard(text=text, other="photo"))
        assert as_json_stories(self.alone) == before

    @rule(hours=st.sampled_from([1, 30, 24 * 40, 24 * 400]))
    def stays_away(self, hours: int) -> None:
        self.alone.clock.passes(hours=hours)

    @rule(away=st.booleans(), well=st.booleans())
    def the_reader_hears_otherwise(self, away: bool, well: bool) -> None:
        self.alone.reader.is_away = away
        self.alone.reader.hears = dict(WELL_TOLD) if well else {}

    @precondition(lambda self: self.alone.step == "telling")
    @rule(text=st.sampled_from(STORIES))
    def tells_a_part(self, text: str) -> None:
        self.types(text)
        if "thats_it" in self.alone.offered():
            self.types("that's it")

    @precondition(lambda self: self.alone.folder.story and self.alone.story.has_words())
    @rule()
    def goes_for_a_release(self) -> None:
        self.types("release")

    # -- what is always so ----------------------------------------------------------------------

    @invariant()
    def the_step_is_known(self) -> None:
        assert self.alone.step in STEPS

    @invariant()
    def everything_said_can_be_said(self) -> None:
        language = self.alone.folder.resident.language or "en"
        for move in self.alone.said:
            if isinstance(move, Say):
                for line in move.lines:
                    assert BOOK.text(line, language).strip() or not any(line.words.values())
                for row in move.choices:
                    for choice in row:
                        assert BOOK.label(choice, language)
                        assert len(f"{10**6}|{choice.id}".encode()) <= 64
            elif hasattr(move, "line"):
                assert BOOK.text(move.line, language)

    @invariant()
    def every_word_of_the_story_was_typed(self) -> None:
        for story in self.alone.folder.stories:
            assert words_in(story.whole()) <= self.typed

    @invariant()
    def a_release_in_force_covers_the_story_as_it_stands(self) -> None:
        now = self.alone.clock.now()
        for story in self.alone.folder.stories:
            live = [r for r in story.releases if r.is_live(now)]
            assert len(live) <= 1
            for release in live:
                assert release.text == story.whole()
                assert release.text_sha256 == text_hash(story.whole())
                assert story.status is StoryStatus.SUBMITTED

    @invariant()
    def nothing_is_kept_before_consent(self) -> None:
        folder = self.alone.folder
        if folder.resident.participation is None:
            assert folder.stories == []
            kept = json.dumps(asdict(folder.session), default=str)
            for text in STORIES:
                assert text not in kept

    @invariant()
    def no_example_is_shown_twice(self) -> None:
        shown = self.alone.folder.shown_examples
        assert len(shown) == len(set(shown))

    @invariant()
    def the_folder_can_be_written_down(self) -> None:
        json.dumps(self.alone.folder.session.notes)
        as_json(self.alone.folder)
        as_lines(self.alone.folder, self.alone.clock.now())

    @invariant()
    def only_adults_release(self) -> None:
        folder = self.alone.folder
        if folder.resident.age_band != "adult":
            assert not any(s.releases for s in folder.stories)


TestAnyPerson = AnyPerson.TestCase
TestAnyPerson.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

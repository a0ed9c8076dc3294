"""What a coach does in every turn of every dialogue: the rules no conversation may break."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.core.conversation.talk import STEPS
from bot.core.narrative import count_words
from bot.core.turn import Line
from tests.conversations.playing import CoachTurn, Stage

MOST_WORDS = 60

LONG = (
    "arriving.welcome", "arriving.my_words", "arriving.consent", "arriving.under_18",
    "rights.privacy", "rights.help", "rights.my_stories", "rights.story_line", "rights.consent_for",
    "closing.review", "closing.versions", "closing.record", "telling.current_words",
    "releasing.confirm", "releasing.receipt", "releasing.terms", "rights.receipt",
    "example", "care.acknowledge", "mydata",
)  # fmt: skip
"""Messages that may be long: what must be read whole before a yes, and the teller's own text."""

PRINTED = ("text", "title", "words", "care_lines")
"""Fields that print something whole; what stands in them is not the coach's own speech."""

QUOTED = ("quote", *PRINTED)

PRAISE = re.compile(
    r"\b(great|amazing|awesome|wonderful|powerful|beautiful\w*|excellent|perfect\w*|good job"
    r"|well done|fantastic|incredible|inspiring|brave\w*|impressive|lovely|brilliant|proud of you"
    r"|genial|increíble\w*|hermos[oa]s?|excelente\w*|perfect[oa]s?|maravillos[oa]s?|poderos[oa]s?"
    r"|felicidades|felicitaciones|enhorabuena|valientes?|inspirador\w*|impresionante\w*|bravo"
    r"|precios[oa]s?|muy bien|buen trabajo|qué bien|qué lindo|qué bonito|fantástic[oa]s?)\b",
    re.IGNORECASE,
)
SCORE = re.compile(r"\d\s*(/|out of|de)\s*\d|\d\s*%|\b(score|\d+ points|\d+ puntos)\b", re.I)
SCORE_FREE = ("care.", "releasing.uses", "rights.receipt", "mydata", "closing.length")
"""Where numbers are telephone lines, pages of a form, or counts of erased rows."""

WAYS_OUT = ("rest", "skip", "skip_all", "back", "choose_part", "keep_as_is", "keep_private",
            "keep_it", "not_now", "go_on", "leave_out")  # fmt: skip
OPEN_WHILE = ("telling", "answering", "offer", "value", "slow", "sketch_", "commitment_", "link",
              "interpret_", "privacy", "practice")  # fmt: skip


def broken(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    """Every rule the turn breaks, each as one sentence."""
    yield from _answered(turn)
    yield from _one_question(stage, turn)
    yield from _never_asked_before(stage, turn)
    yield from _quotes_exactly(stage, turn)
    yield from _short(stage, turn)
    yield from _sober(stage, turn)
    yield from _few_buttons(stage, turn)
    yield from _nothing_kept_before_consent(stage, turn)
    yield from _knows_where_it_is(turn)
    yield from _quiet_in_groups(stage, turn)


def _answered(turn: CoachTurn) -> Iterator[str]:
    if not turn.entries and turn.did not in MAY_BE_SILENT:
        yield "the coach said nothing"


MAY_BE_SILENT = ("presses twice", "waits", "edits a message", "adds it to a group",
                 "says in the group", "presses in the group")  # fmt: skip
"""What needs no answer in private chat; dialogues say where one is wanted."""


def _quiet_in_groups(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    """A group is told one short line at a time, and never a word that anybody typed."""
    for entry in turn.in_group:
        if count_words(entry.text) > MOST_WORDS:
            yield f"too long for a group: {entry.text}"
        for typed in stage.typed:
            if len(typed) > LEAST and typed.casefold() in entry.text.casefold():
                yield f"repeats in a group what was typed: {entry.text}"
    if turn.in_group and turn.did == "says in the group" and turn.entries:
        yield "answers in private what was said in a group"


def own_words(stage: Stage, line: Line, language: str) -> str:
    """The coach's own speech in a line, with what it quotes and prints taken out."""
    bare = Line(line.key, {n: ("" if n in QUOTED else w) for n, w in line.words.items()}, line.refs)
    return stage.words.text(bare, language)


def questions_in(stage: Stage, turn: CoachTurn) -> list[str]:
    """The framework's questions said in a turn, as text."""
    return [
        stage.words.text(line, turn.language)
        for line in turn.lines
        if line.key.startswith("questions.")
    ]


def _one_question(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    spoken = " ".join(own_words(stage, x, turn.language) for x in turn.lines)
    marks = spoken.count("?")
    if marks > 1:
        yield f"{marks} question marks in one turn: {spoken}"


def _never_asked_before(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    """A question may be said again only while it is still open and unanswered."""
    story = turn.folder.story if turn.folder else None
    asked: list[str] = []
    for earlier in stage.turns[: turn.number - 1]:
        same = earlier.folder and earlier.folder.story
        if story and same and same.id == story.id:
            asked += questions_in(stage, earlier)
    for question in questions_in(stage, turn):
        still_open = bool(asked) and asked[-1] == question and not turn.is_answer
        if question in asked and not still_open:
            yield f"asked twice in a story: {question}"


def _quotes_exactly(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    typed = [_one_line(t) for t in stage.typed]
    for line in turn.lines:
        quote = line.words.get("quote")
        if quote is None:
            continue
        words = _one_line(quote).removesuffix("…").strip()
        if words and not any(words in t for t in typed):
            yield f"quotes what was never typed: “{quote}”"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _short(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    if any(line.key.startswith(LONG) for line in turn.lines):
        return
    for entry in turn.entries:
        words = count_words(entry.text)
        if words > MOST_WORDS:
            yield f"{words} words in one message: {entry.text}"


def _sober(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    for line in turn.lines:
        said = own_words(stage, line, turn.language)
        if praise := PRAISE.search(said):
            yield f"praises without need ({praise[0]}): {said}"
        if not line.key.startswith(SCORE_FREE) and SCORE.search(said):
            yield f"sounds like a score: {said}"


def _few_buttons(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    for row in turn.open_labels:
        if len(row) > 3:
            yield f"{len(row)} buttons in a row: {row}"
    uses = {stage.words.text(Line(k), turn.language) for k in _use_keys(stage, turn.language)}
    for row in turn.open_labels:
        if any(label[2:] in uses for label in row) and len(row) > 1:
            yield f"uses stand side by side: {row}"
    step = turn.folder.session.step if turn.folder else ""
    if turn.folder and turn.folder.resident.participation and step.startswith(OPEN_WHILE):
        labels = {label for row in turn.open_labels for label in row}
        ways = {stage.choice_label(c, turn.language) for c in WAYS_OUT}
        if not labels & ways:
            yield f"no way out among the buttons at {step}: {sorted(labels)}"


def _use_keys(stage: Stage, language: str) -> list[str]:
    return [k for k in stage.words.keys(language) if k.startswith("purposes.")]


def _nothing_kept_before_consent(stage: Stage, turn: CoachTurn) -> Iterator[str]:
    """Not in the database; its log file forgets when the program stops, see `left_behind`."""
    if turn.folder and turn.folder.resident.participation:
        return
    stage.typed_before_consent = list(stage.typed)
    for typed in stage.typed_before_consent:
        if len(typed) > LEAST and stage.is_kept(typed):
            yield f"kept before consent: {typed}"


LEAST = 12
"""Characters from which typed words cannot be in a file by chance."""


def left_behind(stage: Stage) -> Iterator[str]:
    """What is still on the disk, once the program has stopped, though it was never agreed to."""
    for typed in stage.typed_before_consent:
        if len(typed) > LEAST and (files := stage.left_in(typed)):
            yield f"still on the disk, in {files}: {typed}"


def _knows_where_it_is(turn: CoachTurn) -> Iterator[str]:
    if turn.folder and turn.folder.session.step not in STEPS:
        yield f"an unknown step: {turn.folder.session.step}"

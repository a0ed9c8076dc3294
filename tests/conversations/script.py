"""Dialogues as data: reading tests/conversations/*.yaml, doing each step, checking each claim.

README.md beside this file explains the format to people who write dialogues.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from bot.console.botapi import ConnectionLost
from bot.core.care import Safety, SpanKind
from bot.core.coaching import MODE_AIMS
from bot.core.consent import text_hash
from bot.core.narrative import ORDER_OF_CARE, Element, FailureMode, Reading, Status, StoryOf
from bot.core.story import Story
from bot.core.turn import Line
from tests.conversations.playing import CoachTurn, Stage
from tests.fakes import ScriptedScreener, SteadyReader

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Dialogue:
    """One file: what it shows, who reads, and the steps as written."""

    name: str
    title: str
    language: str
    why: str
    embedded: bool
    steps: tuple[Mapping[str, Any], ...]


def dialogues() -> list[Dialogue]:
    """Every dialogue of this folder, by file name. ValueError names a file and its fault."""
    return [_dialogue(path) for path in sorted(HERE.glob("*.yaml"))]


def _dialogue(path: Path) -> Dialogue:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(raw) - {"title", "language", "why", "reader", "steps"}
    if unknown:
        raise ValueError(f"{path.name}: unknown at the top: {sorted(unknown)}")
    for number, step in enumerate(raw["steps"], 1):
        strange = set(step) - set(ACTIONS) - set(CLAIMS) - set(HEARING)
        if strange:
            raise ValueError(f"{path.name}, step {number}: unknown: {sorted(strange)}")
        if sum(k in ACTIONS for k in step) != 1:
            raise ValueError(f"{path.name}, step {number}: one thing is done at a time")
    return Dialogue(
        path.stem,
        raw["title"],
        raw["language"],
        raw["why"],
        raw.get("reader") == "embedded",
        tuple(raw["steps"]),
    )


# -- what the reader and the screener are told to hear ------------------------------------------


def hear(stage: Stage, step: Mapping[str, Any]) -> None:
    """Set what the scripted reader and screener will hear from now on."""
    reader, screener = stage.parts.reader, stage.parts.screener
    if isinstance(reader, SteadyReader) and "reader hears" in step:
        reader.now_hears(*_readings(step["reader hears"]))
    if isinstance(screener, ScriptedScreener):
        if "screener hears" in step:
            screener.danger[str(step["they"])] = Safety(step["screener hears"])
        for kind, words in step.get("screener flags", {}).items():
            screener.passages.append((SpanKind(kind), words))


def _readings(told: Mapping[str, Any]) -> Iterator[Reading]:
    modes = [FailureMode(m) for m in told.get("modes", [])]
    named = {Element(name): str(value) for name, value in told.items() if name != "modes"}
    stages = {e.stage for e in named if e.stage} or {StoryOf.SELF}
    for stage in StoryOf:
        if stage not in stages:
            continue
        statuses = dict.fromkeys(ORDER_OF_CARE[stage], Status.MISSING)
        evidence = {}
        for element, value in named.items():
            if element.stage is not stage:
                continue
            status, _, words = value.partition(":")
            statuses[element] = Status(status.strip())
            if words.strip():
                evidence[element] = words.strip()
        yield Reading(stage, statuses, evidence, tuple(modes), None, "told")


HEARING = ("reader hears", "screener hears", "screener flags")


# -- what a person does -------------------------------------------------------------------------


async def _says(stage: Stage, text: str) -> CoachTurn:
    stage.typed.append(text)
    stage.person.says(text)
    return await stage.after("says", typed=text, is_answer=not text.startswith("/"))


async def _says_at_once(stage: Stage, texts: list[str]) -> CoachTurn:
    stage.typed += [*texts, "\n".join(texts)]
    for text in texts:
        stage.person.says(text)
    return await stage.after("says at once", typed="\n".join(texts), is_answer=True)


async def _presses(stage: Stage, label: str) -> CoachTurn:
    stage.remember_buttons()
    stage.press(label)
    skips = label == stage.choice_label("skip", stage.turns[-1].language) if stage.turns else False
    return await stage.after("presses", is_answer=skips)


async def _presses_twice(stage: Stage, label: str) -> CoachTurn:
    stage.remember_buttons()
    stage.press(label)
    once = await stage.after("presses", is_answer=True)
    pressed = stage.old_button(label)
    assert pressed is not None
    stage.person.presses_on(*pressed)
    again = await stage.after("presses twice")
    assert not again.entries, f"a second tap was answered: {again.text}"
    return once


async def _presses_old(stage: Stage, label: str) -> CoachTurn:
    pressed = stage.old_button(label)
    assert pressed is not None, f"“{label}” was never shown"
    stage.person.presses_on(*pressed)
    return await stage.after("presses an old button")


async def _sends(stage: Stage, kind: str) -> CoachTurn:
    match kind:
        case "forward":
            return await _forwards(stage, "Something that someone else wrote")
        case "document":
            stage.person.sends_document("story.docx", b"words")
        case _:
            getattr(stage.person, f"sends_{kind}")()
    return await stage.after("sends")


async def _forwards(stage: Stage, text: str) -> CoachTurn:
    stage.typed.append(text)
    stage.person.sends_forward(text)
    return await stage.after("forwards", typed=text, is_answer=True)


async def _edits(stage: Stage, change: Mapping[str, str]) -> CoachTurn:
    sent = next(
        e.message_id
        for e in stage.api.transcript(stage.person)
        if e.who != "bot" and e.text == change["from"]
    )
    stage.typed.append(change["to"])
    stage.person.edits(sent, change["to"])
    return await stage.after("edits a message")


async def _adds(stage: Stage, group: str) -> CoachTurn:
    """Bring the coach into a group; from now on "in the group" is that one."""
    stage.group = stage.api.group(group)
    stage.group.add_bot(stage.person)
    return await stage.after("adds it to a group")


async def _says_in_group(stage: Stage, text: str) -> CoachTurn:
    return await _in_group(stage, text, None)


async def _replies_in_group(stage: Stage, text: str) -> CoachTurn:
    assert stage.group is not None, "first they add the coach to a group"
    said = [e.message_id for e in stage.api.transcript(stage.group) if e.who == "bot"]
    return await _in_group(stage, text, said[-1])


async def _in_group(stage: Stage, text: str, reply_to: int | None) -> CoachTurn:
    assert stage.group is not None, "first they add the coach to a group"
    stage.typed.append(text)
    stage.person.says(text, group=stage.group, reply_to=reply_to)
    return await stage.after("says in the group")


async def _presses_in_group(stage: Stage, label: str) -> CoachTurn:
    assert stage.group is not None, "first they add the coach to a group"
    stage.person.presses(label, group=stage.group)
    return await stage.after("presses in the group")


async def _skips_until(stage: Stage, label: str) -> CoachTurn:
    """Skip, at most a dozen times, until a button is there."""
    turn = stage.turns[-1]
    skip = stage.choice_label("skip", turn.language)
    for _ in range(12):
        if any(label in row for row in turn.open_labels):
            return turn
        turn = await _presses(stage, skip)
    raise AssertionError(f"“{label}” was never offered; now {turn.open_labels}")


async def _pastes(stage: Stage, _: object) -> CoachTurn:
    """Send the last example's own words, as if they were theirs."""
    return await _says(stage, _examples(stage)[-1])


async def _arrives(stage: Stage, band: str) -> CoachTurn:
    """Hello, language, age band, consent, by buttons."""
    language = stage.person.language_code or "en"
    await _says(stage, "/start")
    await _presses(stage, stage.words.text(Line(f"languages.start.{language}"), language))
    await _presses(stage, stage.choice_label(band.replace(" ", "_"), language))
    return await _presses(stage, stage.choice_label("agree", language))


async def _waits(stage: Stage, span: str) -> CoachTurn:
    number, unit = span.split()
    days = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}[unit.rstrip("s")]
    stage.parts.clock.at += timedelta(days=int(number) * days)  # type: ignore[attr-defined]
    return await stage.after("waits")


async def _restarts(stage: Stage, _: object) -> CoachTurn:
    await stage.stop()
    await stage.start()
    return await stage.after("waits")


async def _is_killed(stage: Stage, text: str) -> CoachTurn:
    """Telegram has been told, and the program is gone before it could answer."""
    stage.typed.append(text)
    # However quick it is: nothing it says gets through.
    stage.api.faults.plan("sendMessage", ConnectionLost(), times=100)
    stage.person.says(text)
    await stage.api.updates.confirmed()
    await stage.kill()
    stage.api.faults.clear()
    stage.words.noted.clear()  # Put into words perhaps, and never said.
    await stage.start()
    return await stage.after("says", typed=text, is_answer=True)


async def _releases(stage: Stage, label: str) -> CoachTurn:
    """From the whole story read back to a receipt, for one use, by buttons."""
    language = stage.turns[-1].language
    for choice in ("its_right", "skip", "skip"):
        await _presses(stage, stage.choice_label(choice, language))
    await _presses(stage, stage.choice_label("go_on", language))
    for _ in range(3):
        if any(label in button for row in stage.open_labels() for button in row):
            await _presses(stage, label)
        await _presses(stage, stage.choice_label("next", language))
    await _presses(stage, stage.words.text(Line("names.none"), language))
    await _presses(stage, stage.choice_label("year_1", language))
    return await _presses(stage, stage.choice_label("release_this", language))


Action = Callable[[Stage, Any], Awaitable[CoachTurn]]

ACTIONS: Mapping[str, Action] = {
    "they": _says,
    "they send at once": _says_at_once,
    "they press": _presses,
    "they press twice": _presses_twice,
    "they press an old button": _presses_old,
    "they send a": _sends,
    "they edit": _edits,
    "they forward": _forwards,
    "they add the coach to": _adds,
    "they say in the group": _says_in_group,
    "they reply in the group": _replies_in_group,
    "they press in the group": _presses_in_group,
    "they skip until offered": _skips_until,
    "they paste the last example": _pastes,
    "they arrive": _arrives,
    "they release for": _releases,
    "time passes": _waits,
    "the program restarts": _restarts,
    "the program is killed as they write": _is_killed,
}


# -- what must be so ----------------------------------------------------------------------------

Claim = Callable[[Stage, CoachTurn, Any], bool]


def _listed(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _says_key(stage: Stage, turn: CoachTurn, keys: object) -> bool:
    said = [line.key for line in turn.lines]
    return all(any(k == key or _is_wording(k, key) for k in said) for key in _listed(keys))


def _is_wording(key: str, base: str) -> bool:
    return bool(re.fullmatch(re.escape(base) + r"\.\d+", key))


def _asks_about(stage: Stage, turn: CoachTurn, elements: object) -> bool:
    """With the embedded reader any question about the same story will do, or a guess at a value.

    What it hears is measured in tests/reading; here only what the coach makes of it.
    """
    wanted = {Element(e.strip()) for e in str(elements).split(" or ")}
    if isinstance(stage.parts.reader, SteadyReader):
        return any(asked_about(line.key) & wanted for line in turn.lines)
    stages = {e.stage for e in wanted}
    asked = {e.stage for line in turn.lines for e in asked_about(line.key)}
    return bool(asked & stages) or bool({x.key for x in turn.lines} & ENDS_ASKING)


ENDS_ASKING = {"coaching.value", *(f"coaching.offer.{s}" for s in StoryOf)}
"""What a coach may say instead of a question: a guess at the value, or tell it whole now."""


def _quotes(stage: Stage, turn: CoachTurn, quotes: object) -> bool:
    """With the embedded reader it may choose other words of theirs to say back, or none."""
    said = [line.words["quote"] for line in turn.lines if "quote" in line.words]
    exact = isinstance(stage.parts.reader, SteadyReader) or not any(
        line.key.startswith(("coaching.", "questions.")) for line in turn.lines
    )
    return not exact or all(any(w in quote for quote in said) for w in _listed(quotes))


def asked_about(key: str) -> set[Element]:
    """The elements a question's key is about; empty for anything that is no question."""
    head, _, rest = key.partition(".")
    kind, _, name = rest.partition(".")
    if head != "questions":
        return set()
    name = name.rpartition(".")[0] if name.rpartition(".")[2].isdigit() else name
    return set(MODE_AIMS[FailureMode(name)]) if kind == "mode" else {Element(name)}


def _group_hears(stage: Stage, turn: CoachTurn, keys: object) -> bool:
    """The group was told these, in this order, and nothing else."""
    said = [entry.text for entry in turn.in_group]
    return said == [
        stage.words.text(Line(key), code)
        for key in _listed(keys)
        for code in stage.words.languages
        if stage.words.text(Line(key), code) in said
    ]


def _labels(turn: CoachTurn) -> set[str]:
    return {re.sub(r"^[☑☐] ", "", label) for row in turn.open_labels for label in row}


def _story(turn: CoachTurn) -> Story | None:
    return turn.folder.story if turn.folder else None


def _held(turn: CoachTurn) -> str:
    """All text the story holds, sketches and unfinished pieces included."""
    story = _story(turn)
    if story is None:
        return ""
    parts = story.parts.values()
    pieces = [p for part in parts for p in [part.sketch or "", *part.pieces, part.text]]
    return "\n".join([*pieces, story.link or "", *story.interpretation.values()])


def _is_released(turn: CoachTurn, at: Any) -> bool:
    story = _story(turn)
    return bool(story and story.live_release(at.now()))


def _released_is_story(stage: Stage, turn: CoachTurn, wanted: bool) -> bool:
    story = _story(turn)
    release = story and story.live_release(stage.parts.clock.now())
    exact = bool(
        story and release and release.text == story.whole()
        and release.text_sha256 == text_hash(story.whole())
    )  # fmt: skip
    return exact is wanted


def _commitment(stage: Stage, turn: CoachTurn, wanted: Mapping[str, str]) -> bool:
    story = _story(turn)
    record = story.commitment if story else None
    return record is not None and all(getattr(record, k) == v for k, v in wanted.items())


def _files(stage: Stage, turn: CoachTurn, texts: object) -> bool:
    files = [(e.content or b"").decode() for e in turn.entries if e.document]
    return len(files) == 2 and all(t in f for t in _listed(texts) for f in files)


def _examples(stage: Stage) -> list[str]:
    return [
        line.words["text"]
        for turn in stage.turns
        for line in turn.lines
        if line.key == "example.passage"
    ]


CLAIMS: Mapping[str, Claim] = {
    "coach says": _says_key,
    "coach says nothing": lambda s, t, v: (not t.entries) is bool(v),
    "the group hears": _group_hears,
    "the group hears nothing": lambda s, t, v: (not t.in_group) is bool(v),
    "coach does not say": lambda s, t, v: not any(w in t.text for w in _listed(v)),
    "coach says the words": lambda s, t, v: all(w in t.text for w in _listed(v)),
    "coach asks about": _asks_about,
    "coach asks nothing": lambda s, t, v: ("?" not in t.text) is bool(v),
    "coach quotes": _quotes,
    "coach offers": lambda s, t, v: set(_listed(v)) <= _labels(t),
    "coach does not offer": lambda s, t, v: not set(_listed(v)) & _labels(t),
    "coach shows a fresh example": lambda s, t, v: (
        "example.passage" in [x.key for x in t.lines]
        and len(set(_examples(s))) == len(_examples(s))
    ) is bool(v),
    "story is": lambda s, t, v: (st := _story(t)) is not None and st.whole() == str(v).strip(),
    "story of self is": lambda s, t, v: _part(t, StoryOf.SELF) == str(v).strip(),
    "story of us is": lambda s, t, v: _part(t, StoryOf.US) == str(v).strip(),
    "story of now is": lambda s, t, v: _part(t, StoryOf.NOW) == str(v).strip(),
    "story has": lambda s, t, v: all(w in _held(t) for w in _listed(v)),
    "story does not have": lambda s, t, v: not any(w in _held(t) for w in _listed(v)),
    "story is released": lambda s, t, v: _is_released(t, s.parts.clock) is bool(v),
    "released is exactly the story": _released_is_story,
    "teller wrote all of it": lambda s, t, v: (
        (st := _story(t)) is not None and (st.teller_share() == 1.0) is bool(v)
    ),
    "commitment is": _commitment,
    "files hold": _files,
    "nothing is held": lambda s, t, v: (t.folder is None) is bool(v),
    "disk does not have": lambda s, t, v: _none_on_disk(s, v),
    "database does not have": lambda s, t, v: not any(s.is_kept(w) for w in _listed(v)),
    "language is": lambda s, t, v: t.language == v,
}  # fmt: skip


def _none_on_disk(stage: Stage, value: object) -> bool:
    """Whether none of the words is in the database's files; says which are."""
    held = stage.database_bytes()
    found = [w for w in _listed(value) if w.encode() in held]
    if found:
        print("on disk:", *((w, held[(at := held.find(w.encode())) - 40 : at + 40]) for w in found))
    return not found


def _part(turn: CoachTurn, stage: StoryOf) -> str | None:
    story = _story(turn)
    return story.parts[stage].text if story else None

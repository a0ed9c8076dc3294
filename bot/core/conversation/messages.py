"""Messages that are not simply typed: changed afterwards, forwarded, or brought by something else.

A story holds only what its teller typed. A message changed later changes the words it brought to
the story; a forwarded one counts only when its teller says the words are theirs.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import cast

from bot.core.care import Safety
from bot.core.conversation import caring
from bot.core.conversation.talk import STEPS, Talk, buttons, run
from bot.core.narrative import StoryOf
from bot.core.quoting import cleaned, has_words, quotation
from bot.core.story import Origin, StoryStatus
from bot.core.turn import Asking, Line, safety_of

REMEMBERED = 100
"""Messages of a story that may still be changed: the last so many."""

BEFORE_RELEASE = ("privacy", "release", "uses_", "name", "expiry", "confirm", "under_18")
"""Steps after the look for passages that identify others: new words must pass it as well."""

TAKES_WORDS = ("telling", "answering", "offer", "value", "slow", "rest", "stray", "done", "review",
               "restart", "sketch_")  # fmt: skip
"""Steps that know what to do with a story's words; elsewhere they are asked about."""

RETURNS = ("rest_return", "aside_return", "language_return", "care_return")
"""Notes that say where somebody comes back to."""

Place = tuple[str, Callable[[str], None]]
"""Words the story holds, and how to put others in their place."""


# -- which message brought which words ----------------------------------------------------------


def held(talk: Talk) -> list[str]:
    """Everything of the present story that a message may have brought."""
    return [text for text, _ in _places(talk)]


def remember(talk: Talk, before: list[str]) -> None:
    """Note which messages of this turn brought words to the story: id, length and checksum.

    `before` is what was held before the turn. The words themselves stay in one place, the story,
    so that withdrawing it leaves none behind.
    """
    if not talk.has_joined or talk.heard.edited or talk.folder.story is None:
        return
    if "forwarded" not in {talk.session.step, *map(talk.note, RETURNS)}:
        talk.session.notes.pop("forwarded", None)  # They went elsewhere: it may be another's.
    after = held(talk)
    for message_id, text in talk.sent:
        words = cleaned(text).strip()
        # The last line may have said "that's it"; it is no part of the story.
        for candidate in (words, words.rpartition("\n")[0].strip()):
            if candidate and _count(after, candidate) > _count(before, candidate):
                _note(talk, message_id, candidate)
                break


def _note(talk: Talk, message_id: int, words: str) -> None:
    known = [m for m in _noted(talk) if m[0] != message_id]
    talk.session.notes["sent"] = [*known, [message_id, len(words), _mark(words)]][-REMEMBERED:]


def _noted(talk: Talk) -> list[list[int]]:
    return list(cast("list[list[int]]", talk.session.notes.get("sent", [])))


def _mark(words: str) -> int:
    return zlib.crc32(words.encode("utf-8", "surrogatepass"))


def _count(texts: list[str], words: str) -> int:
    return sum(_stands_alone(text, *place) for text in texts for place in _found_in(text, words))


def _found_in(text: str, words: str) -> Iterator[tuple[int, int]]:
    """From where to where the words stand in a text, each place after the one before."""
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        yield start, end
        start = text.find(words, end)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """True for whole lines: a message never shares a line of the story with another."""
    ahead, behind = text[:start].rstrip(" \t"), text[end:].lstrip(" \t")
    return (not ahead or ahead.endswith("\n")) and (not behind or behind.startswith("\n"))


def _places(talk: Talk) -> Iterator[Place]:
    """Where words of the present story stand, what was typed last first."""
    story = talk.folder.story
    if story is None or story.status is StoryStatus.WITHDRAWN:
        return
    for stage in StoryOf:
        part = story.parts[stage]
        for at in reversed(range(len(part.pieces))):
            yield part.pieces[at], partial(part.pieces.__setitem__, at)
        if part.text:
            yield part.text, partial(talk.write, stage, origin=Origin.EDITED)
        if part.sketch:
            yield part.sketch, partial(setattr, part, "sketch")
    if story.link:
        yield story.link, partial(_set_link, talk)
    for note in ("stray", "forwarded"):
        if talk.note(note):
            yield talk.note(note), partial(talk.session.notes.__setitem__, note)


def _set_link(talk: Talk, words: str) -> None:
    talk.story.link = words
    talk.void()


# -- a message changed afterwards ---------------------------------------------------------------


def change(talk: Talk) -> Asking[None]:
    """Put a message's new words in place of its old ones; said in a sentence, coached never."""
    text = cleaned(talk.text)
    if not talk.has_joined:
        talk.say("arriving.not_kept")
        return
    found = _found(talk)
    words = _told(talk, text)
    if found is None or not has_words(words):
        _explain(talk)
        return
    (whole, put), start, end = found
    if whole[start:end] == words:
        return  # A link's preview came, or a mark was set bold: no word has changed.
    safety = yield from safety_of(text)
    if safety is Safety.CRISIS or (safety is Safety.DOUBT and caring.must_ask(talk)):
        caring.begin_care(talk)
        return
    before, said = talk.story.whole(), len(talk.said)
    put(whole[:start] + words + whole[end:])
    _note(talk, talk.heard.messages[-1][0], words)
    was_told = talk.story.whole() != before
    if len(talk.said) == said:
        talk.say("general.changed_told" if was_told else "general.changed")
    if safety is not Safety.NONE and caring.can_slow(talk):
        caring.pause(talk)
    elif was_told and talk.session.step.startswith(BEFORE_RELEASE):
        talk.go("privacy")


def _told(talk: Talk, text: str) -> str:
    """The words without a last line that only says "that's it"."""
    head, _, tail = text.strip().rpartition("\n")
    closing = talk.book.understand(tail, buttons("thats_it")) == "thats_it"
    return head.strip() if head.strip() and closing else text.strip()


def _found(talk: Talk) -> tuple[Place, int, int] | None:
    """Where the message's old words stand now, letter for letter; None when they do not."""
    if talk.session.step in caring.CARE_STEPS or not talk.heard.messages:
        return None
    message_id = talk.heard.messages[-1][0]
    for known, length, mark in _noted(talk):
        if known != message_id:
            continue
        for place in _places(talk):
            text = place[0]
            for line in re.finditer(r"(?:\A|\n)[^\S\n]*", text):
                start, end = line.end(), line.end() + length
                if _mark(text[start:end]) == mark and _stands_alone(text, start, end):
                    return place, start, end
    return None


def _explain(talk: Talk) -> None:
    """Once: what stands in no story of theirs cannot be changed by changing the message."""
    if not talk.flag("changes_explained"):
        talk.session.notes["changes_explained"] = True
        talk.say("general.edited")


def in_danger(talk: Talk, text: str) -> Asking[bool]:
    """True when the words show danger, however they came; care has then begun."""
    if not has_words(text):
        return False
    safety = yield from safety_of(text)
    if safety is Safety.CRISIS or (safety is Safety.DOUBT and caring.must_ask(talk)):
        caring.begin_care(talk)
        return True
    return False


def under_something_else(talk: Talk) -> Asking[None]:
    """A picture with words under it: what it shows stays unseen, so the words wait for their
    teller to send them by themselves."""
    if not (yield from in_danger(talk, cleaned(talk.text))):
        talk.say("general.other.caption")


# -- forwarded words ----------------------------------------------------------------------------


def forwarded(talk: Talk) -> Asking[None]:
    """Forwarded words may be anybody's: hold them, and ask. Danger is cared for first."""
    text = cleaned(talk.text)
    if (yield from in_danger(talk, text)):
        return
    if not talk.has_joined or not has_words(text) or talk.session.step in caring.CARE_STEPS:
        talk.say("general.other.forward")
        return
    held_back = talk.note("forwarded") if talk.session.step == "forwarded" else ""
    if talk.session.step != "forwarded":
        talk.session.notes["forwarded_return"] = talk.session.step
    talk.go("forwarded", forwarded=f"{held_back}\n{text}" if held_back else text)


def ask_forwarded(talk: Talk) -> None:
    """Theirs or not: only they know."""
    quote = {"quote": quotation(talk.note("forwarded"), 12)}
    talk.say(Line("general.forwarded", quote), choices=[buttons("mine", "not_mine")])


def hear_forwarded(talk: Talk) -> Asking[None]:
    """Theirs: taken as if typed here. Not theirs, or they write on: left out."""
    back = talk.note("forwarded_return", "choose_part")
    back = back if back in STEPS else "choose_part"
    text = str(talk.session.notes.pop("forwarded", ""))
    if talk.choice in ("mine", "yes") and text:
        talk.session.step = back
        talk.heard = replace(talk.heard, text=text, choice=None)
        safety = yield from safety_of(text)
        if safety is not Safety.NONE and caring.can_slow(talk):
            caring.slow_down(talk)
        elif back.startswith(TAKES_WORDS):
            yield from run(STEPS[back].hear, talk)
        else:
            talk.go("stray", stray=text, stray_return=back)
    elif talk.choice is None and talk.text:
        talk.session.step = back
        yield from run(STEPS[back].hear, talk)
    else:
        talk.say("general.not_theirs")
        talk.go(back)


STEPS.add("forwarded", ask_forwarded, hear_forwarded, "story")

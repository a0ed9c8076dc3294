"""The whole conversation with a resident, from hello to a released story, as one pure machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from bot.core.care import Safety
from bot.core.conversation import (
    arriving,
    caring,
    closing,
    finishing,
    leading,
    messages,
    offering,
    practising,
    releasing,
    rights,
    sharing,
    sketching,
    telling,
    voice,
)
from bot.core.conversation.talk import NOTHING_BEYOND, STEPS, Talk, buttons, run
from bot.core.quoting import cleaned, visible
from bot.core.story import Folder
from bot.core.turn import Abilities, Asking, Choice, Heard, Line, Move, Phrasebook, Say, safety_of

AWAY = timedelta(hours=12)
"""Absence after which the coach says where they were before going on."""

ALWAYS = buttons("rest", "help", "forget", "withdraw", "read_back", "undo", "example", "thats_it",
                 "skip", "back", "yes", "no", "dont_know", "confused", "go_on", "my_stories",
                 "my_data", "finish", "tell_again", "release", "choose_part", "enough",
                 "one_more")  # fmt: skip
"""What may be meant by words at any time, whether or not there is a button for it."""

WORD_COMMANDS = {
    "rest": "stop",
    "help": "help",
    "forget": "forget",
    "withdraw": "withdraw",
    "undo": "undo",
    "my_stories": "mystories",
    "my_data": "mydata",
}
"""Words that open a command when the present step does not offer that choice itself."""

WANDERING = ("read_back", "choose_part", "tell_again", "release", "finish")
"""Words that lead to another part of the story when the present step does not offer them."""


def converse(
    folder: Folder,
    heard: Heard,
    book: Phrasebook,
    now: datetime,
    new_id: Callable[[], str],
    able: Abilities = NOTHING_BEYOND,
) -> Asking[list[Move]]:
    """Take one turn: change the folder, ask for what is needed, return what to say.

    A generator: it yields needs (see core.turn) and is sent findings. The caller saves the folder
    afterwards, or throws it away; nothing else was touched.
    """
    talk = Talk(folder, heard, book, now, new_id, able)
    away = now - folder.resident.last_seen_at > AWAY
    folder.resident.last_seen_at = now
    is_back = away and not heard.command and not heard.edited
    if is_back and talk.has_joined and folder.story is not None:
        place = STEPS[folder.session.step].place
        talk.say(Line("general.welcome_back", refs={"place": place}))
    before = messages.held(talk)
    yield from _hear(talk)
    while talk.entering is not None:
        step, talk.entering = talk.entering, None
        yield from run(STEPS[step].ask, talk)
    messages.remember(talk, before)
    _remember_buttons(talk)
    return talk.said


def _hear(talk: Talk) -> Asking[None]:
    """Commands, stale presses, other content, danger; then the step itself."""
    heard = talk.heard
    if heard.edited:
        yield from messages.change(talk)
        return
    if heard.command is not None:
        command = rights.COMMANDS.get(heard.command)
        if command is None:
            talk.say("general.unknown_command")
            talk.stay()
        else:
            yield from run(command, talk)
        return
    if heard.choice is not None and not _is_offered(talk):
        if _is_second_tap(talk):
            return
        talk.say("general.stale_button")
        talk.stay()
        return
    if heard.other == "forward":
        yield from messages.forwarded(talk)
        return
    if voice.can_listen(talk):
        yield from voice.listen(talk)
        return
    if heard.other is not None:
        if heard.text:
            yield from messages.under_something_else(talk)
            return
        known = talk.book.variants(f"general.other.{heard.other}", talk.language)
        talk.say(f"general.other.{heard.other if known else 'anything'}")
        return
    if heard.choice is None:
        text = cleaned(heard.text or "")
        if not visible(text):
            talk.say("general.empty")
            return
        talk.heard = heard = _meaning(talk, text)
    if (confirmed := voice.settled(talk)) is not None:
        talk.heard = heard = _meaning(talk, confirmed)
    if heard.choice is None:
        safety = yield from safety_of(talk.text)
        if safety is Safety.CRISIS or (safety is Safety.DOUBT and caring.must_ask(talk)):
            caring.begin_care(talk)
            return
        if safety is not Safety.NONE and caring.can_slow(talk):
            caring.slow_down(talk)
            return
    taken = yield from _general_meaning(talk)
    if taken:
        return
    if heard.choice is not None:
        talk.session.notes["last_press"] = [heard.turn, heard.choice]
    yield from run(STEPS[talk.session.step].hear, talk)


def _meaning(talk: Talk, text: str) -> Heard:
    """Typed words as the choice they mean: an offered one first, then what is always open."""
    offered = _offered(talk)
    meant = talk.book.understand(text, offered) or talk.book.understand(text, ALWAYS)
    return Heard(
        text=text,
        choice=meant,
        turn=talk.session.turn,
        profile_name=talk.heard.profile_name,
        language_code=talk.heard.language_code,
    )


def _general_meaning(talk: Talk) -> Asking[bool]:
    """Words and buttons that mean the same in every step. True when they were taken."""
    choice = talk.choice
    step = talk.session.step
    offered = {c.id.partition(":")[0] for c in _offered(talk)}
    if choice == "rest" and step not in ("rest", *caring.CARE_STEPS):
        rights.rest(talk)
        return True
    if step in caring.CARE_STEPS:
        if choice == "rest":
            talk.say("care.resting")
            return True
        return False
    if choice in WORD_COMMANDS and choice not in offered:
        yield from run(rights.COMMANDS[WORD_COMMANDS[choice]], talk)
        return True
    if choice == "undo":
        closing.undo(talk)
        return True
    if choice == "finish" and step == "offer":
        return False
    if choice in WANDERING and choice not in offered and talk.has_joined:
        if choice == "choose_part":
            talk.go("choose_part")
        elif choice == "tell_again" and talk.part.tellings:
            talk.go("telling", mode="retell")
        elif choice == "release" and talk.story.has_words():
            talk.go("privacy", sharing=False)
        else:
            talk.go("review")
        return True
    return False


# -- buttons ------------------------------------------------------------------------------------


def _remember_buttons(talk: Talk) -> None:
    """Number the turn, and keep which buttons it offered."""
    talk.session.turn += 1
    rows = [s.choices for s in talk.said if isinstance(s, Say) and s.choices]
    if rows:
        talk.session.notes["offered"] = [
            [c.id, c.label, dict(c.words)] for row in rows[-1] for c in row
        ]
        talk.session.notes["offered_turn"] = talk.session.turn


def _offered(talk: Talk) -> list[Choice]:
    kept = cast("list[tuple[str, str, Mapping[str, str]]]", talk.session.notes.get("offered", []))
    return [Choice(i, label, words) for i, label, words in kept]


def _is_offered(talk: Talk) -> bool:
    """True when the press is on the buttons that are open, and on one of them."""
    return talk.heard.turn == talk.count("offered_turn") and talk.heard.choice in {
        c.id for c in _offered(talk)
    }


def _is_second_tap(talk: Talk) -> bool:
    """True when a finger pressed twice: the same button, one turn ago."""
    last = cast("list[object]", talk.session.notes.get("last_press", [None, None]))
    return talk.heard.choice == last[1] and talk.heard.turn == last[0]


__all__ = [
    "arriving",
    "converse",
    "finishing",
    "leading",
    "offering",
    "practising",
    "releasing",
    "sharing",
    "sketching",
    "telling",
]

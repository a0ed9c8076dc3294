"""What became of a story among people: told, told again, listened, led. Said by themselves."""

from __future__ import annotations

from bot.core.conversation.talk import STEPS, Talk, buttons, not_understood
from bot.core.movement import Movement
from bot.core.quoting import has_words
from bot.core.turn import Choice, Moved

KINDS = {
    "i_told": Movement.TOLD,
    "i_retold": Movement.RETOLD,
    "i_listened": Movement.LISTENED,
    "i_led": Movement.LED,
}


def _rows(talk: Talk) -> list[tuple[Choice, ...]]:
    telling = "i_retold" if talk.flag("told") else "i_told"
    return [buttons(telling, "i_listened"), buttons("i_led", "back")]


def ask_people(talk: Talk) -> None:
    """Which of it happened; only they can know."""
    talk.say("leading.ask", choices=_rows(talk))


def hear_people(talk: Talk) -> None:
    """Take their word for it, and name the next step among people."""
    kind = KINDS.get(talk.choice or "")
    if kind is not None:
        talk.said.append(Moved(kind))
        if kind is Movement.TOLD:
            talk.session.notes["told"] = True
        talk.say(f"leading.{kind}", choices=_rows(talk))
    elif talk.choice in ("back", "no", "skip", "go_on", "not_now", "enough", "thats_it"):
        talk.go("done")
    elif talk.choice is None and has_words(talk.text):
        talk.go("stray", stray=talk.text, stray_return="people")
    else:
        not_understood(talk)


STEPS.add("people", ask_people, hear_people, "done")

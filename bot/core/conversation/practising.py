"""Somebody tapped the button under a group's practice prompt: begin there, keep what they have."""

from __future__ import annotations

from typing import Any, cast

from bot.core.conversation import offering, sharing, telling
from bot.core.conversation.arriving import next_arrival
from bot.core.conversation.caring import CARE_STEPS
from bot.core.conversation.talk import STEPS, Talk, buttons, not_understood
from bot.core.narrative import Element
from bot.core.practice import is_opening
from bot.core.turn import Asking, Line

HELD = "prompt"
"""The note that holds the prompt until its telling begins."""


def is_worn_out(talk: Talk) -> bool:
    """Whether a button was tapped whose prompt cannot be found any more."""
    return talk.heard.prompted is None and is_opening(talk.heard.argument)


def arrive(talk: Talk) -> None:
    """Take the prompt along: after hello for those who are new, at once for the others."""
    prompted = talk.heard.prompted
    if prompted is None or talk.session.step in (*CARE_STEPS, "slow"):
        talk.stay()
        return
    talk.session.notes[HELD] = {
        "move": prompted.move.value,
        "group": prompted.group,
        "prompt": prompted.prompt,
        "texts": dict(prompted.texts),
    }
    if talk.has_joined:
        if talk.session.step != "prompted":
            talk.session.notes["prompt_return"] = talk.session.step
        talk.go("prompted")
    else:
        talk.say("practising.first")
        talk.go(next_arrival(talk))


def ask_prompted(talk: Talk) -> None:
    """The prompt; whoever has a story already says where the moment belongs."""
    story = talk.folder.story
    if HELD not in talk.session.notes:
        talk.go("choose_part")
    elif story is not None and story.is_begun():
        talk.say(
            Line("practising.where", {"prompt": _words(talk)}),
            choices=[buttons("of_its_own", "add_to_mine"), buttons("not_now")],
        )
    else:
        _begin(talk)


def hear_prompted(talk: Talk) -> Asking[None]:
    """A story of its own, more for the one there is, or neither; what is typed is a telling."""
    match talk.choice:
        case "of_its_own" | "yes" | "go_on":
            _own_story(talk)
            _begin(talk, "practising.kept")
        case "add_to_mine":
            _begin(talk)
        case "not_now" | "no" | "skip" | "back":
            talk.session.notes.pop(HELD, None)
            talk.go(talk.note("prompt_return", "choose_part"))
        case None if talk.text:
            _own_story(talk)
            _into_telling(talk)
            yield from telling.take_piece(talk)
        case _:
            not_understood(talk)


def carried(talk: Talk) -> Any:
    """The prompt that brought somebody here, to be put back when a new story clears the notes."""
    return talk.session.notes.get(HELD)


def _own_story(talk: Talk) -> None:
    held = carried(talk)
    talk.begin_story()
    talk.drop_empty_stories()
    talk.session.notes[HELD] = held


def _begin(talk: Talk, *more: str) -> None:
    words = _words(talk)
    _into_telling(talk)
    talk.showed(words)
    talk.say(
        Line("practising.begin", {"prompt": words}),
        *more,
        choices=[buttons("thats_it", "example"), buttons("choose_part", "rest")],
    )


def _into_telling(talk: Talk) -> None:
    held = cast("dict[str, Any]", talk.session.notes.pop(HELD))
    if talk.folder.story is not talk.story:
        # There was none, or it was withdrawn: `story` has begun one, and the notes are fresh.
        talk.drop_empty_stories()
    move = Element(held["move"])
    assert move.stage is not None, "a practice prompt belongs to a story"
    talk.session.notes.update(stage=move.stage.value, mode="tell", practised=move.value)
    talk.session.notes[sharing.GROUP] = held["group"]
    # Held since before prompts were noted, it has none: then it can be shown, not offered.
    talk.session.notes[offering.ASKED] = {"prompt": held.get("prompt", ""), "texts": held["texts"]}
    talk.session.step = "telling"


def _words(talk: Talk) -> str:
    texts = cast("dict[str, str]", carried(talk)["texts"])
    return texts.get(talk.language) or next(iter(texts.values()))


STEPS.add("prompted", ask_prompted, hear_prompted, "story")

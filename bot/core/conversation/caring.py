"""Care comes first: danger stops the coaching; painful stories slow down.

Nothing typed in danger is kept in a story. No question is asked about what happened or how.
"""

from __future__ import annotations

from bot.core.conversation.sketching import BACKWARDS
from bot.core.conversation.talk import STEPS, Talk, button, buttons
from bot.core.conversation.telling import close_telling, coach
from bot.core.narrative import StoryOf
from bot.core.quoting import quotation
from bot.core.turn import Asking, Line, reading_of

CARE_STEPS = ("care", "care_stay")
CAN_SLOW = ("telling", "answering", "offer", "value", *(f"sketch_{s}" for s in BACKWARDS))


def begin_care(talk: Talk) -> None:
    """Stop coaching; remember where they were, and nothing of what was said."""
    if talk.session.step not in CARE_STEPS:
        talk.session.notes["care_return"] = talk.session.step
    talk.go("care")


def ask_care(talk: Talk) -> None:
    """Acknowledge, give people to reach, ask only whether they are safe now."""
    talk.say("care.acknowledge", "care.lines")
    talk.say("care.safe_now", choices=[buttons("safe", "not_safe"), buttons("rest")])


def hear_care(talk: Talk) -> None:
    """Safe: go on or rest, as they like. Not safe, or unclear: stay with the people to reach."""
    if talk.choice in ("safe", "yes", "past"):
        talk.say("care.glad", choices=[buttons("go_on", "rest")])
        talk.session.step = "care_stay"
    elif talk.choice == "go_on":
        leave_care(talk)
    else:
        talk.say("care.stay", "care.lines", choices=[buttons("safe", "rest")])


def hear_care_stay(talk: Talk) -> None:
    """After they are safe: only their own tap goes back to the story."""
    if talk.choice in ("go_on", "yes", "safe"):
        leave_care(talk)
    elif talk.choice in ("not_safe", "no"):
        talk.go("care")
    else:
        talk.say("care.when_ready", choices=[buttons("go_on", "rest")])


def leave_care(talk: Talk) -> None:
    """Back to where they were; the pace stays gentle."""
    talk.session.notes[f"gentle.{talk.stage}"] = True
    talk.go(str(talk.session.notes.pop("care_return", "welcome")))


# -- slowing down -------------------------------------------------------------------------------


def can_slow(talk: Talk) -> bool:
    """Slowing down is offered once a part, while something is being told."""
    return (
        talk.has_joined
        and talk.session.step in CAN_SLOW
        and not talk.flag(f"gentle.{_stage(talk)}")
    )


def must_ask(talk: Talk) -> bool:
    """In doubt about danger, where slowing down cannot ask whether they are safe, care asks."""
    return talk.session.step not in (*CAN_SLOW, *CARE_STEPS, "slow")


def slow_down(talk: Talk) -> None:
    """Keep the words where they belong, then pause."""
    step, stage = talk.session.step, _stage(talk)
    part = talk.story.parts[stage]
    if step == "telling":
        part.pieces.append(talk.text)
    elif step.startswith("sketch_"):
        part.sketch = talk.text
    elif step == "value":
        talk.story.interpretation["value_words"] = talk.text
    else:
        talk.add_words(stage, talk.text)
    pause(talk)


def pause(talk: Talk) -> None:
    """Stop for a moment, and be gentle with this part from now on."""
    talk.session.notes[f"gentle.{_stage(talk)}"] = True
    talk.go("slow", slow_return=talk.session.step)


def _stage(talk: Talk) -> StoryOf:
    step = talk.session.step
    return StoryOf(step.removeprefix("sketch_")) if step.startswith("sketch_") else talk.stage


def ask_slow(talk: Talk) -> None:
    """Acknowledge first; nothing more about it needs saying."""
    talk.say("care.slow", choices=[buttons("past", "not_safe"), buttons("another_story", "rest")])


def hear_slow(talk: Talk) -> Asking[None]:
    """Go on gently, take another story, or get people to reach."""
    back = talk.note("slow_return", "telling")
    if talk.choice in ("not_safe", "no"):
        talk.session.notes["care_return"] = back
        talk.go("care")
    elif talk.choice == "thats_it" and back == "telling":
        talk.session.step = back
        yield from close_telling(talk)
    elif talk.choice == "another_story":
        part = talk.part
        part.pieces.clear()
        talk.say("care.left_out")
        talk.go("telling", stage=talk.stage.value, mode="retell" if part.tellings else "tell")
    elif talk.choice is not None and talk.choice not in ("past", "yes", "safe", "go_on", "skip"):
        talk.say("general.not_understood")
        talk.stay()
    elif talk.choice is None and back == "telling":
        talk.part.pieces.append(talk.text)
        talk.session.step = back
        talk.say("care.with_you", choices=[buttons("thats_it", "another_story"), buttons("rest")])
    elif back == "telling":
        talk.session.step = back
        talk.say("care.own_pace", choices=[buttons("thats_it", "another_story"), buttons("rest")])
    elif back.startswith("sketch_"):
        at = BACKWARDS.index(StoryOf(back.removeprefix("sketch_"))) + 1
        if at < len(BACKWARDS):
            talk.go(f"sketch_{BACKWARDS[at]}")
        else:
            talk.go("telling", stage=StoryOf.SELF.value, mode="tell")
    else:
        if talk.choice is None:
            talk.add_words(talk.stage, talk.text)
        reading = yield from reading_of(talk.stage, talk.part.text)
        coach(talk, reading, talk.text)


# -- resting ------------------------------------------------------------------------------------


def ask_rest(talk: Talk) -> None:
    """Everything is kept; one tap goes on."""
    talk.say("general.resting", choices=[buttons("go_on")])


def hear_rest(talk: Talk) -> None:
    """Go on where they were; words typed while resting are asked about, not lost."""
    back = str(talk.session.notes.get("rest_return", "choose_part"))
    if talk.choice is None and talk.text:
        talk.session.step = back
        talk.go("stray", stray=talk.text, stray_return=back)
        return
    if talk.choice in ("rest", "no", "not_now"):
        talk.stay()
        return
    talk.go(back)


def ask_stray(talk: Talk) -> None:
    """Words that came where buttons were: nothing is dropped without asking."""
    quote = {"quote": quotation(talk.note("stray"), 12)}
    talk.say(
        Line("general.stray", quote),
        choices=[tuple(button(f"into:{s}", f"parts.{s}") for s in StoryOf), buttons("leave_out")],
    )


def hear_stray(talk: Talk) -> None:
    """Put the words where the teller says, or leave them out, and go back."""
    back = talk.note("stray_return", "choose_part")
    if talk.choice == "into":
        stage = StoryOf(talk.parameter)
        talk.add_words(stage, talk.note("stray"))
        talk.say(f"coaching.added.{stage}")
    elif talk.choice is None and talk.text:
        talk.session.notes["stray"] = f"{talk.note('stray')}\n{talk.text}"
        talk.stay()
        return
    else:
        talk.say("general.left_out")
    talk.session.notes.pop("stray", None)
    talk.go(back)


STEPS.add("care", ask_care, hear_care, "care")
STEPS.add("care_stay", lambda talk: talk.say("care.when_ready", choices=[buttons("go_on", "rest")]),
          hear_care_stay, "care")  # fmt: skip
STEPS.add("slow", ask_slow, hear_slow, "telling")
STEPS.add("rest", ask_rest, hear_rest, "story")
STEPS.add("stray", ask_stray, hear_stray, "story")

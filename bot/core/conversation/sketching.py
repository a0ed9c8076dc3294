"""Sketch backwards, a line each: now, us, self. Every line may be skipped."""

from __future__ import annotations

from bot.core.conversation.talk import STEPS, Talk, button, buttons
from bot.core.narrative import Element, StoryOf, count_words
from bot.core.quoting import has_words, quotation
from bot.core.turn import Line

LONG_FOR_A_LINE = 40
"""Words after which an answer about oneself is already a telling, not a sketch."""

BACKWARDS = (StoryOf.NOW, StoryOf.US, StoryOf.SELF)

MEANT = {
    StoryOf.NOW: Element.NOW_CHALLENGE,
    StoryOf.US: Element.US_WHO,
    StoryOf.SELF: Element.SELF_CHALLENGE,
}
"""What each sketch asks for, to say it another way to someone who did not understand."""


def ask(talk: Talk) -> None:
    """One line about one stage; the last line of theirs is said back first."""
    stage = StoryOf(talk.session.step.removeprefix("sketch_"))
    earlier = talk.story.parts[BACKWARDS[max(BACKWARDS.index(stage) - 1, 0)]].sketch
    lines = []
    if stage is not StoryOf.NOW and earlier:
        lines.append(Line("sketching.heard", {"quote": quotation(earlier)}))
    talk.say(*lines, f"sketching.{stage}", choices=[buttons("skip", "choose_part")])


def hear(talk: Talk) -> None:
    """Keep the line; go one step further back, or into the telling."""
    stage = StoryOf(talk.session.step.removeprefix("sketch_"))
    if talk.choice == "choose_part":
        talk.go("choose_part")
        return
    if talk.choice == "confused":
        talk.say(f"hints.{MEANT[stage]}", choices=[buttons("skip", "choose_part")])
        return
    if talk.choice not in ("skip", "no", "dont_know", "thats_it", "go_on", "enough", "one_more"):
        if not has_words(talk.text):
            talk.say("general.no_words")
            return
        part = talk.story.parts[stage]
        if stage is StoryOf.SELF and count_words(talk.text) >= LONG_FOR_A_LINE:
            part.pieces.append(talk.text)
            talk.session.notes.update(stage=stage.value, mode="tell")
            talk.session.step = "telling"
            talk.say(
                "telling.already_telling", choices=[buttons("thats_it", "example"), buttons("rest")]
            )
            return
        part.sketch = talk.text
    after = BACKWARDS.index(stage) + 1
    if after < len(BACKWARDS):
        talk.go(f"sketch_{BACKWARDS[after]}")
    else:
        talk.go("telling", stage=StoryOf.SELF.value, mode="tell")


def ask_choose_part(talk: Talk) -> None:
    """Any part may come first."""
    told = [s for s in StoryOf if talk.story.parts[s].tellings]
    rows = [tuple(button(f"part:{s}", f"parts.{s}") for s in StoryOf)]
    if told:
        rows.append(buttons("read_back", "rest"))
    talk.say("sketching.choose_part", choices=rows)


def hear_choose_part(talk: Talk) -> None:
    """Go and tell that part."""
    if talk.choice == "part":
        stage = StoryOf(talk.parameter)
        told = bool(talk.story.parts[stage].tellings)
        talk.go("telling", stage=stage.value, mode="retell" if told else "tell")
    elif talk.choice in ("read_back", "go_on"):
        talk.go("review")
    else:
        talk.say("general.not_understood")
        talk.stay()


for _stage in BACKWARDS:
    STEPS.add(f"sketch_{_stage}", ask, hear, "sketching")
STEPS.add("choose_part", ask_choose_part, hear_choose_part, "story")

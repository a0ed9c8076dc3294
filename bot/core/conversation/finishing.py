"""A finished story: told to a person, interpreted by its teller, checked for others' privacy."""

from __future__ import annotations

from bot.core.care import Span
from bot.core.consent import AgeBand
from bot.core.conversation.closing import NO_ANSWER
from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.narrative import StoryOf
from bot.core.quoting import has_words, quotation
from bot.core.story import Origin
from bot.core.turn import Asking, Line, spans_of

# -- two minutes, to a person -------------------------------------------------------------------


def ask_practice(talk: Talk) -> None:
    """Who could hear it; how long it takes aloud was said when it was read back."""
    talk.say("finishing.practice.who", choices=[buttons("skip", "rest")])


def hear_practice(talk: Talk) -> None:
    """A name is enough; telling it is theirs to do."""
    if talk.choice is None:
        if not has_words(talk.text):
            talk.say("general.no_words")
            return
        talk.story.listener = talk.text.strip()
        name = {"name": quotation(talk.text, 6)}
        talk.say(Line("finishing.practice.tell", name))
    elif talk.choice not in NO_ANSWER:
        not_understood(talk)
        return
    talk.go("interpret_offer")


# -- what the story says, by its teller ---------------------------------------------------------

QUESTIONS = ("title", "source", "feeling", "commonness", "conflict", "hearers", "change")
"""Fields a teller answers about their own story, each skippable. Source: participatory narrative
inquiry (Kurtz) and Most Significant Change (Davies & Dart), see README."""

ANSWERS: dict[str, tuple[str, ...]] = {
    "source": ("lived", "witnessed", "heard"),
    "feeling": ("hope", "anger", "sadness", "pride", "worry"),
    "commonness": ("rare", "sometimes", "often"),
    "conflict": ("none", "some", "strong"),
}
"""Offered answers; a teller's own words are taken just as well."""


def ask_interpret_offer(talk: Talk) -> None:
    """A few questions about the story, or straight on."""
    if talk.flag("interpreted"):
        talk.go("privacy")
        return
    talk.say("finishing.interpret.offer", choices=[buttons("go_on", "skip", "rest")])


def hear_interpret_offer(talk: Talk) -> None:
    """Yes or not."""
    if talk.choice in ("go_on", "yes"):
        talk.go(f"interpret_{QUESTIONS[0]}")
    elif talk.choice in NO_ANSWER:
        talk.go("privacy")
    else:
        not_understood(talk)


def ask_interpret(talk: Talk) -> None:
    """One question about the story."""
    field = talk.session.step.removeprefix("interpret_")
    offered = [button(f"answer:{a}", f"answers.{field}.{a}") for a in ANSWERS.get(field, ())]
    rows = [offered[:3], offered[3:], buttons("skip", "skip_all")]
    talk.say(f"finishing.interpret.{field}", choices=[r for r in rows if r])


def hear_interpret(talk: Talk) -> None:
    """Their answer, in a choice or in their own words."""
    field = talk.session.step.removeprefix("interpret_")
    if talk.choice == "answer":
        talk.story.interpretation[field] = talk.parameter
    elif talk.choice is None:
        if not has_words(talk.text):
            talk.say("general.no_words")
            return
        talk.story.interpretation[field] = talk.text.strip()
    elif talk.choice in ("skip_all", "thats_it", "enough"):
        talk.go("privacy", interpreted=True)
        return
    elif talk.choice not in NO_ANSWER and talk.choice != "yes":
        not_understood(talk)
        return
    after = QUESTIONS.index(field) + 1
    if after < len(QUESTIONS):
        talk.go(f"interpret_{QUESTIONS[after]}")
    else:
        talk.say("finishing.interpret.thanks")
        talk.go("privacy", interpreted=True)


# -- other people in the story ------------------------------------------------------------------


def ask_privacy(talk: Talk) -> Asking[None]:
    """The next passage that may identify somebody; when none is left, on to release."""
    span = yield from next_span(talk)
    if span is None:
        if talk.flag("privacy_shown"):
            talk.say("finishing.privacy.done")
        talk.session.notes.pop("privacy_shown", None)
        if talk.flag("sharing"):
            talk.go("offering_what" if talk.note("sharing") == "offering" else "share_name")
            return
        talk.go("under_18" if talk.folder.resident.age_band is not AgeBand.ADULT else "release")
        return
    first = not talk.flag("privacy_shown")
    talk.session.notes["privacy_shown"] = True
    talk.session.notes["span"] = span.text
    lines = ["finishing.privacy.first"] if first else []
    talk.say(
        *lines,
        Line(f"finishing.privacy.{span.kind}", {"quote": span.text}),
        choices=[buttons("keep", "change", "remove"), buttons("rest")],
    )


def next_span(talk: Talk) -> Asking[Span | None]:
    """The first passage not decided yet, in reading order."""
    kept = set(talk.story.kept_passages)
    for text in _texts(talk):
        spans = yield from spans_of(text)
        for span in spans:
            if span.text not in kept:
                return span
    return None


def _texts(talk: Talk) -> list[str]:
    story = talk.story
    return [t for t in [*(story.parts[s].text for s in StoryOf), story.link or ""] if t]


def hear_privacy(talk: Talk) -> None:
    """Keep it, change it, or take it out; always the teller's own decision."""
    passage = talk.note("span")
    match talk.choice:
        case "keep" | "yes" | "skip":
            talk.story.kept_passages = (*talk.story.kept_passages, passage)
            talk.stay()
        case "remove" | "no":
            put(talk, passage, "")
            talk.say("finishing.privacy.removed")
            talk.stay()
        case "change":
            talk.session.step = "privacy_change"
            talk.say(
                Line("finishing.privacy.instead", {"quote": passage}), choices=[buttons("back")]
            )
        case None if has_words(talk.text):
            talk.session.step = "privacy_change"
            hear_privacy_change(talk)
        case _:
            not_understood(talk)


def hear_privacy_change(talk: Talk) -> None:
    """The teller's words in place of the passage."""
    if talk.choice is None and has_words(talk.text):
        put(talk, talk.note("span"), talk.text.strip())
        talk.story.kept_passages = (*talk.story.kept_passages, talk.text.strip())
        talk.say("finishing.privacy.changed")
    talk.go("privacy")


def put(talk: Talk, passage: str, words: str) -> None:
    """Replace every occurrence of a passage, in every part; without words, close the gap."""
    story = talk.story
    origin = Origin.EDITED if words else Origin.REMOVED
    for stage in StoryOf:
        text = story.parts[stage].text
        if passage in text:
            talk.write(stage, _closed(text.replace(passage, words)), origin)
    if story.link and passage in story.link:
        story.link = _closed(story.link.replace(passage, words)) or None
        talk.void()


def _closed(text: str) -> str:
    """Without doubled spaces or a space before a full stop where words were taken out."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    joined = "\n".join(lines).strip()
    for mark in ",.;:!?":
        joined = joined.replace(f" {mark}", mark)
    return joined


STEPS.add("practice", ask_practice, hear_practice, "finishing")
STEPS.add("interpret_offer", ask_interpret_offer, hear_interpret_offer, "finishing")
for _question in QUESTIONS:
    STEPS.add(f"interpret_{_question}", ask_interpret, hear_interpret, "finishing")
STEPS.add("privacy", ask_privacy, hear_privacy, "finishing")
STEPS.add("privacy_change", ask_privacy, hear_privacy_change, "finishing")

"""A resident's yes or no to a model beyond this machine, and saying plainly what leaves it."""

from __future__ import annotations

from bot.core.consent import MODEL_WORDING, AgeBand, ModelConsent
from bot.core.conversation.talk import Talk, buttons
from bot.core.turn import Line


def may_be_asked(talk: Talk) -> bool:
    """Whether there is anything beyond this machine to agree to. The young are never asked."""
    return talk.able.at is not None and talk.folder.resident.age_band is AgeBand.ADULT


def is_undecided(talk: Talk) -> bool:
    """Whether they have not decided yet about the place in use."""
    decided = talk.folder.resident.model
    return may_be_asked(talk) and (decided is None or decided.at != talk.able.at)


def ask_model(talk: Talk) -> None:
    """What would leave, where to, and that no is just as good."""
    at = talk.able.at
    if at is None:
        # The setting was taken away while the question was open.
        say_what_leaves(talk)
        return
    kind = (
        "ask_both"
        if talk.able.voice_at and talk.able.model_at
        else ("ask_voice" if talk.able.voice_at else "ask")
    )
    talk.say(
        Line(f"model.{kind}", {"where": at}),
        choices=[buttons("model_yes", "model_no"), buttons("my_words")],
    )


def decided(talk: Talk) -> bool:
    """Keep a yes or a no, with its wording and place; False when neither was said."""
    if talk.choice == "my_words":
        talk.say("arriving.my_words")
        talk.stay()
        return True
    yes = talk.choice in ("model_yes", "yes", "agree")
    if not yes and talk.choice not in ("model_no", "no", "skip", "not_now", "back", "go_on"):
        return talk.able.at is None
    if talk.able.at is not None:
        talk.folder.resident.model = ModelConsent(
            yes, talk.able.at, MODEL_WORDING, talk.language, talk.now
        )
    talk.say("model.thanks_yes" if yes else "model.thanks_no")
    return True


def say_what_leaves(talk: Talk) -> None:
    """One message: nothing leaves, or exactly what does, and how to change it."""
    if not may_be_asked(talk):
        talk.say("model.nothing_leaves")
    elif not talk.folder.resident.lets_model(talk.able.at):
        talk.say("model.off")
    else:
        where = {"where": talk.able.at or ""}
        lines = ["model.leaves.story"] * bool(talk.able.model_at)
        lines += ["model.leaves.voice"] * bool(talk.able.voice_at)
        talk.say(*(Line(key, where) for key in lines), "model.leaves.never")

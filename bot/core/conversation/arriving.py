"""Hello: who this is, language, age band, consent to take part; then the first question."""

from __future__ import annotations

import re

from bot.core.consent import AgeBand, Participation
from bot.core.conversation import model
from bot.core.conversation.talk import STEPS, Asked, Talk, button, buttons, not_understood
from bot.core.narrative import count_words
from bot.core.turn import Line

WORDING = "2026-11"
"""Version of the consent wording in prompts/messages/*/arriving.yaml and releasing.yaml."""

ADULT_AT = 18

AGE = re.compile(
    r"(?:i'?m|i am|im|tengo|age:?|edad:?)?\s*(\d{1,3})\s*"
    r"(?:years?(?: old)?|yrs?|yo|y/o|a[nñ]os)?\W*",
    re.IGNORECASE,
)
"""A whole message that only says an age; "almost 18" is not one and is asked again."""

GREETING = 4
"""Words up to which a message before consent is only a hello."""


def ask_welcome(talk: Talk) -> None:
    """Who this is and who can see what; choosing a language is the first yes."""
    languages = [button(f"speak:{code}", f"languages.start.{code}") for code in talk.book.languages]
    talk.say("arriving.welcome", choices=[languages, buttons("my_words")])


def hear_welcome(talk: Talk) -> None:
    """A language, or a question about words; anything else is answered but not kept."""
    if talk.choice == "speak":
        talk.folder.resident.language = talk.parameter
        talk.go("age")
    elif talk.choice == "my_words":
        talk.say("arriving.my_words")
        talk.stay()
    elif talk.choice in ("yes", "agree", "go_on"):
        talk.folder.resident.language = talk.language
        talk.go("age")
    else:
        not_kept(talk)


def ask_age(talk: Talk) -> None:
    """An age band only, because the young need a person beside them to release."""
    talk.say("arriving.age", choices=[buttons("adult", "under_18")])


def hear_age(talk: Talk) -> None:
    """A button, or an age in words."""
    age = AGE.fullmatch(talk.text.strip())
    if talk.choice in ("adult", "under_18"):
        band = AgeBand.ADULT if talk.choice == "adult" else AgeBand.UNDER_18
    elif age and 0 < int(age[1]) < 120:
        band = AgeBand.ADULT if int(age[1]) >= ADULT_AT else AgeBand.UNDER_18
    else:
        not_kept(talk)
        return
    talk.folder.resident.age_band = band
    if band is AgeBand.UNDER_18:
        talk.say("arriving.under_18")
    talk.go("consent")


def ask_consent(talk: Talk) -> None:
    """Consent to take part, in plain words."""
    talk.say("arriving.consent", choices=[buttons("agree", "not_now"), buttons("my_words")])


def hear_consent(talk: Talk) -> None:
    """Yes starts the coaching; no keeps nothing."""
    if talk.choice in ("agree", "yes", "go_on"):
        talk.folder.resident.participation = Participation(WORDING, talk.language, talk.now)
        held = talk.session.notes.get("prompt")
        talk.begin_story()
        first = "prompted" if held else "sketch_now"
        if held:
            # They came by a practice prompt: it comes before everything else.
            talk.session.notes["prompt"] = held
        if model.is_undecided(talk):
            talk.go("model", aside_return=first)
        else:
            talk.go(first)
    elif talk.choice in ("not_now", "no"):
        talk.say("arriving.not_now", choices=[buttons("agree")])
    elif talk.choice == "my_words":
        talk.say("arriving.my_words")
        talk.stay()
    else:
        not_kept(talk)


def not_kept(talk: Talk) -> None:
    """Before consent nothing typed is kept: say so, and ask again.

    A greeting is answered by the question alone; there is nothing in it to hold on to.
    """
    if count_words(talk.text) > GREETING:
        talk.say("arriving.not_kept")
        talk.stay()
    elif talk.text and talk.choice is None:
        talk.stay()
    else:
        not_understood(talk)


def next_arrival(talk: Talk) -> str:
    """The first step of arriving that is still open."""
    resident = talk.folder.resident
    if resident.language is None:
        return "welcome"
    if resident.age_band is None:
        return "age"
    return "consent"


def ask_language(talk: Talk) -> None:
    """Which language to speak."""
    codes = [button(f"speak:{code}", f"languages.names.{code}") for code in talk.book.languages]
    talk.say("arriving.language", choices=[codes])


def hear_language(talk: Talk) -> Asked:
    """Speak the chosen language and go back to where they were."""
    if talk.choice != "speak":
        not_understood(talk)
        return None
    talk.folder.resident.language = talk.parameter
    talk.say(Line("arriving.language_set"))
    talk.go(talk.note("language_return", next_arrival(talk)))
    return None


STEPS.add("welcome", ask_welcome, hear_welcome, "arriving")
STEPS.add("age", ask_age, hear_age, "arriving")
STEPS.add("consent", ask_consent, hear_consent, "arriving")
STEPS.add("language", ask_language, hear_language, "arriving")

"""Release: this exact text, for these uses, under this name, until this day. All off at first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.consent import AgeBand, NameShown, Purpose, Release, text_hash
from bot.core.conversation import offering
from bot.core.conversation.arriving import WORDING
from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.narrative import StoryOf
from bot.core.quoting import has_words
from bot.core.story import Part, Story, StoryStatus
from bot.core.turn import Choice, Line, Scrub

GROUPS: tuple[tuple[Purpose, ...], ...] = (
    (Purpose.COACHING_EXAMPLES, Purpose.PEER_COACH, Purpose.ORGANIZERS),
    (Purpose.PARTNER_LIBRARY, Purpose.PUBLIC_LIBRARY, Purpose.PRESS),
    (Purpose.EXCERPTS, Purpose.TRANSLATION, Purpose.AGGREGATE_COUNTS, Purpose.MODEL_TRAINING),
)
"""Three small screens instead of one wall: people here, libraries, what may be done with it."""

MONTHS = {"months_6": 182, "year_1": 365, "years_2": 730}
"""Days a release lasts, by button. Everything is asked again when it ends."""


# -- under eighteen -----------------------------------------------------------------------------


def ask_under_18(talk: Talk) -> None:
    """Practice stays open; releasing needs a person beside them."""
    talk.say("releasing.under_18", choices=[buttons("read_back", "rest"), buttons("among_people")])


def hear_under_18(talk: Talk) -> None:
    """Back to the story, or what became of it among people."""
    talk.go("people" if talk.choice == "among_people" else "review")


# -- uses ---------------------------------------------------------------------------------------


def ask_release(talk: Talk) -> None:
    """Release or keep private; keeping is a good end."""
    talk.say("releasing.offer", choices=[buttons("go_on", "keep_private"), buttons("rest")])


def hear_release(talk: Talk) -> None:
    """Start with every use off."""
    if talk.choice in ("go_on", "yes", "release"):
        if talk.folder.resident.age_band is not AgeBand.ADULT:
            talk.go("under_18")
            return
        talk.go("uses_0", purposes=[], name_shown="", name="", expiry="")
    elif talk.choice in ("keep_private", "no", "skip", "not_now"):
        keep_private(talk)
    else:
        not_understood(talk)


def keep_private(talk: Talk) -> None:
    """Nothing leaves; who told it to a person can say so."""
    rows = [buttons("read_back", "new_story"), buttons("among_people"), offering.row(talk)]
    talk.say("releasing.kept_private", choices=rows)
    talk.session.step = "done"


def _group(talk: Talk) -> int:
    return int(talk.session.step.removeprefix("uses_"))


def _uses(talk: Talk) -> list[tuple[Choice, ...]]:
    chosen = talk.listed("purposes")
    number = _group(talk)
    rows: list[tuple[Choice, ...]] = [
        (Choice(f"use:{p}", f"purposes.{p}", checked=p in chosen),) for p in GROUPS[number]
    ]
    return [*rows, buttons("next", "back")]


def ask_uses(talk: Talk) -> None:
    """A few uses, each its own yes."""
    number = _group(talk)
    again = talk.note("uses_open") == talk.session.step
    talk.session.notes["uses_open"] = talk.session.step
    numbered = Line(f"releasing.uses.{number}")
    talk.say(numbered, choices=_uses(talk), replaces=again)


def hear_uses(talk: Talk) -> None:
    """Turn uses on and off until Next; numbers typed do the same."""
    number = _group(talk)
    group = GROUPS[number]
    numbers = [int(n) for n in talk.text.replace(",", " ").split() if n.isdigit()]
    if talk.choice == "use":
        _toggle(talk, [talk.parameter])
    elif talk.choice is None and numbers and all(1 <= n <= len(group) for n in numbers):
        _toggle(talk, [group[n - 1].value for n in numbers])
    elif talk.choice in ("next", "skip", "go_on", "thats_it", "no"):
        talk.session.notes["uses_open"] = ""
        if number + 1 < len(GROUPS):
            talk.go(f"uses_{number + 1}")
        elif talk.listed("purposes"):
            talk.go("name")
        else:
            talk.say("releasing.none_chosen", choices=[buttons("read_back", "release")])
            talk.session.step = "done"
        return
    elif talk.choice == "back":
        talk.session.notes["uses_open"] = ""
        talk.go(f"uses_{number - 1}" if number else "release")
        return
    else:
        talk.session.notes["uses_open"] = ""
        talk.say("releasing.uses.how")
    talk.stay()


def _toggle(talk: Talk, purposes: list[str]) -> None:
    chosen = set(talk.listed("purposes"))
    for purpose in purposes:
        chosen ^= {Purpose(purpose).value}
    talk.session.notes["purposes"] = [p.value for p in Purpose if p.value in chosen]


# -- name ---------------------------------------------------------------------------------------


def ask_name(talk: Talk) -> None:
    """Named as they like, or not at all."""
    talk.say(
        "releasing.name.ask",
        choices=[
            [button(f"name:{n}", f"names.{n}") for n in (NameShown.NONE, NameShown.FIRST)],
            [button(f"name:{n}", f"names.{n}") for n in (NameShown.FULL, NameShown.CHOSEN)],
        ],
    )


def hear_name(talk: Talk) -> None:
    """None needs no more; anything else is typed, so that it is spelt as they want."""
    if talk.choice in ("no", "skip"):
        _named(talk, NameShown.NONE, "")
    elif talk.choice == "name":
        shown = NameShown(talk.parameter)
        if shown is NameShown.NONE:
            _named(talk, shown, "")
        else:
            talk.go("name_typed", name_shown=shown.value)
    elif talk.choice is None and has_words(talk.text):
        _named(talk, NameShown.CHOSEN, talk.text.strip())
    else:
        not_understood(talk)


def ask_name_typed(talk: Talk) -> None:
    """The spelling is theirs."""
    talk.say(f"releasing.name.type_{talk.note('name_shown', 'chosen')}", choices=[buttons("back")])


def hear_name_typed(talk: Talk) -> None:
    """Keep the name as typed."""
    if talk.choice in ("back", "no", "skip"):
        talk.go("name")
    elif has_words(talk.text):
        _named(
            talk, NameShown(talk.note("name_shown", "chosen")), " ".join(talk.text.split())[:120]
        )
    else:
        talk.say("general.no_words")


def _named(talk: Talk, shown: NameShown, name: str) -> None:
    talk.say("releasing.name.warning")
    talk.go("expiry", name_shown=shown.value, name=name)


# -- how long -----------------------------------------------------------------------------------


def ask_expiry(talk: Talk) -> None:
    """Nothing is for ever."""
    talk.say("releasing.expiry", choices=[buttons(*MONTHS), buttons("back")])


def hear_expiry(talk: Talk) -> None:
    """Six months, one year, two years."""
    if talk.choice in MONTHS:
        talk.go("confirm", expiry=talk.choice)
    elif talk.choice == "back":
        talk.go("name")
    elif talk.choice in ("yes", "skip", "go_on", "next"):
        talk.go("confirm", expiry="year_1")
    else:
        not_understood(talk)


# -- the last look ------------------------------------------------------------------------------


def terms(purposes: list[str], shown: str, name: str, day: str) -> list[Line]:
    """Uses, name and last day, a line each, by key."""
    uses = [Line("releasing.terms.use", refs={"use": f"purposes.{p}"}) for p in purposes]
    named = Line(f"releasing.terms.name_{shown or 'none'}", {"name": name})
    return [*uses, named, Line("releasing.terms.until", {"day": day})]


def ask_confirm(talk: Talk) -> None:
    """Exactly this text, exactly these terms."""
    story = talk.story
    expires = talk.now + timedelta(days=MONTHS[talk.note("expiry", "year_1")])
    talk.say("releasing.confirm.title", Line("releasing.confirm.text", {"text": story.whole()}))
    talk.say(
        "releasing.confirm.terms",
        *terms(
            talk.listed("purposes"),
            talk.note("name_shown"),
            talk.note("name"),
            f"{expires:%Y-%m-%d}",
        ),
        "releasing.confirm.ask",
        choices=[buttons("release_this", "change"), buttons("keep_private")],
    )
    talk.session.notes["confirm_sha256"] = text_hash(story.whole())


def hear_confirm(talk: Talk) -> None:
    """Release exactly what was shown; if it changed meanwhile, show it again."""
    if talk.choice in ("release_this", "yes", "agree"):
        story = talk.story
        if talk.note("confirm_sha256") != text_hash(story.whole()):
            talk.stay()
            return
        release(talk, story)
        talk.go("done")
    elif talk.choice == "change":
        talk.go("review")
    elif talk.choice in ("keep_private", "no", "not_now", "skip"):
        keep_private(talk)
    else:
        not_understood(talk)


def release(talk: Talk, story: Story) -> None:
    """Bind permission to this text; the story is submitted and its teller has a receipt."""
    if talk.folder.resident.age_band is not AgeBand.ADULT:
        raise ValueError("a release needs an adult teller or a person beside them")
    story.void_releases(talk.now, "replaced")
    text = story.whole()
    made = Release(
        id=talk.new_id(),
        text=text,
        text_sha256=text_hash(text),
        purposes=frozenset(Purpose(p) for p in talk.listed("purposes")),
        name_shown=NameShown(talk.note("name_shown") or "none"),
        name=talk.note("name"),
        wording=WORDING,
        language=talk.language,
        released_at=talk.now,
        expires_at=talk.now + timedelta(days=MONTHS[talk.note("expiry", "year_1")]),
        teller_share=story.teller_share(),
    )
    story.releases.append(made)
    story.status = StoryStatus.SUBMITTED
    story.submitted_at = talk.now
    talk.say("releasing.receipt.title", *release_lines(made), "releasing.receipt.rights")


def release_lines(made: Release) -> list[Line]:
    """A release as lines: when, uses, name, last day."""
    return [
        Line("releasing.receipt.when", {"when": f"{made.released_at:%Y-%m-%d %H:%M} UTC"}),
        *terms(
            [p.value for p in Purpose if p in made.purposes],
            made.name_shown.value,
            made.name,
            f"{made.expires_at:%Y-%m-%d}",
        ),
    ]


def ask_done(talk: Talk) -> None:
    """A good place to stop, and to go to people."""
    name = talk.story.listener
    line = Line("releasing.done_named", {"name": name}) if name else Line("releasing.done")
    rows = [buttons("read_back", "new_story", "rest"), buttons("among_people"), offering.row(talk)]
    talk.say(line, choices=rows)


def hear_done(talk: Talk) -> None:
    """Read it, change it, or begin another."""
    match talk.choice:
        case "read_back" | "go_on" | "change":
            talk.go("review")
        case "release":
            talk.go("release")
        case "among_people":
            talk.go("people")
        case "share_back":
            talk.go("share")
        case "offer_back":
            talk.go("offering")
        case "new_story" | "another_story":
            new_story(talk)
        case None if has_words(talk.text):
            talk.go("stray", stray=talk.text, stray_return="done")
        case _:
            not_understood(talk)


def new_story(talk: Talk) -> None:
    """Begin another story; the others stay as they are."""
    talk.begin_story()
    talk.drop_empty_stories()
    talk.go("sketch_now")


def emptied(talk: Talk, story: Story) -> None:
    """Take every word out of a story and end what was permitted; a wordless record stays."""
    story.parts = {stage: Part(stage) for stage in StoryOf}
    story.link = story.commitment = story.listener = None
    story.interpretation = {}
    story.kept_passages = ()
    story.readings = []
    story.releases = [
        replace(r.ended(talk.now, "withdrawn"), text="", name="") for r in story.releases
    ]
    story.offers = []
    story.status = StoryStatus.WITHDRAWN
    story.withdrawn_at = talk.now
    talk.session.notes = {}
    talk.said.append(Scrub(Line("rights.withdrawn")))


STEPS.add("under_18", ask_under_18, hear_under_18, "finishing")
STEPS.add("release", ask_release, hear_release, "releasing")
for _number in range(len(GROUPS)):
    STEPS.add(f"uses_{_number}", ask_uses, hear_uses, "releasing")
STEPS.add("name", ask_name, hear_name, "releasing")
STEPS.add("name_typed", ask_name_typed, hear_name_typed, "releasing")
STEPS.add("expiry", ask_expiry, hear_expiry, "releasing")
STEPS.add("confirm", ask_confirm, hear_confirm, "releasing")
STEPS.add("done", ask_done, hear_done, "done")

"""What residents may always do: see, change, take back and erase. Each works in every state."""

from __future__ import annotations

from bot.core.conversation import model, practising
from bot.core.conversation.arriving import next_arrival
from bot.core.conversation.closing import undo
from bot.core.conversation.releasing import emptied, new_story, release_lines
from bot.core.conversation.talk import (
    STEPS,
    Asked,
    StepFunction,
    Talk,
    button,
    buttons,
    not_understood,
)
from bot.core.holding import as_json, as_lines
from bot.core.quoting import quotation
from bot.core.story import Story, StoryStatus
from bot.core.turn import EraseEverything, Hand, Line

SIDE_STEPS = ("consent_view", "withdraw", "forget", "my_stories", "language", "restart", "rest",
              "care", "care_stay", "model")  # fmt: skip
"""Steps that stand beside the story; /cancel leaves them for where the teller was."""


def aside(talk: Talk, step: str) -> None:
    """Open a side step and remember where the teller was."""
    if talk.session.step not in SIDE_STEPS:
        talk.session.notes["aside_return"] = talk.session.step
    talk.go(step)


def go_back(talk: Talk) -> None:
    """Return to where the teller was before a side step."""
    if not talk.has_joined:
        talk.go(next_arrival(talk))
        return
    back = str(talk.session.notes.get("aside_return", ""))
    talk.go(back if back in STEPS and back not in SIDE_STEPS else "choose_part")


# -- commands -----------------------------------------------------------------------------------


def start(talk: Talk) -> None:
    """Hello, or: here is where we were, or the practice prompt that brought them."""
    if practising.is_worn_out(talk):
        talk.say("practising.worn_out")
    if talk.heard.prompted is not None:
        practising.arrive(talk)
    elif not talk.has_joined:
        talk.go(next_arrival(talk))
    elif talk.session.step in ("care", "slow"):
        talk.stay()
    elif talk.folder.story is None or not talk.folder.story.is_begun():
        talk.go("sketch_now" if talk.folder.story else "my_stories")
        if not talk.folder.stories:
            new_story(talk)
    else:
        aside(talk, "restart")


def ask_restart(talk: Talk) -> None:
    """Where they were, their last words, one tap to go on."""
    place = STEPS[_return_step(talk)].place
    last = last_words(talk)
    line = Line("general.last_time_words", {"quote": last}, {"place": place})
    talk.say(
        line if last else Line("general.last_time", refs={"place": place}),
        choices=[
            buttons("go_on", "read_back", "new_story"),
            buttons("among_people") if talk.story.listener else (),
        ],
    )


def _return_step(talk: Talk) -> str:
    step = str(talk.session.notes.get("aside_return", talk.session.step))
    return step if step in STEPS else "choose_part"


def last_words(talk: Talk) -> str:
    """The end of what they typed last, as a quotation; empty when nothing was typed."""
    story = talk.folder.story
    if story is None:
        return ""
    pieces = [p for part in story.parts.values() for p in part.pieces]
    told = [p.current for p in story.parts.values() if p.current]
    newest = max(told, key=lambda t: t.told_at).text if told else ""
    sketch = next((p.sketch for p in story.parts.values() if p.sketch), "")
    text = (pieces[-1] if pieces else newest) or sketch
    lines = text.strip().splitlines()
    return quotation(lines[-1]) if lines else ""


def hear_restart(talk: Talk) -> None:
    """Go on, read it, or begin another; typed words are taken where they were."""
    match talk.choice:
        case "go_on" | "yes":
            go_back(talk)
        case "read_back":
            talk.go("review")
        case "new_story":
            new_story(talk)
        case "among_people":
            talk.go("people")
        case None if talk.text:
            talk.go("stray", stray=talk.text, stray_return=_return_step(talk))
        case _:
            not_understood(talk)


def help_(talk: Talk) -> None:
    """What can be done here, shortly."""
    talk.say("rights.help" if talk.has_joined else "rights.help_before")
    talk.stay()


def privacy(talk: Talk) -> None:
    """Who can see what, and what leaves the machine."""
    talk.say("rights.privacy")
    model.say_what_leaves(talk)
    talk.stay()


def ask_model_again(talk: Talk) -> None:
    """Change the yes or no to a model; without one there is nothing to change."""
    if not talk.has_joined or not model.may_be_asked(talk):
        model.say_what_leaves(talk)
        talk.stay()
    else:
        aside(talk, "model")


def hear_model(talk: Talk) -> None:
    """Take the yes or no, then back to where they were."""
    if model.decided(talk):
        go_back(talk)
    else:
        not_understood(talk)


def language(talk: Talk) -> None:
    """Choose a language; a code may follow the command."""
    if talk.session.step != "language":
        talk.session.notes["language_return"] = talk.session.step
    talk.go("language")


def cancel(talk: Talk) -> None:
    """Leave what is open; everything typed stays."""
    if not talk.has_joined:
        talk.go(next_arrival(talk))
    elif talk.session.step in SIDE_STEPS:
        talk.say("rights.cancelled")
        go_back(talk)
    elif talk.session.step.startswith(("uses_", "name", "expiry", "confirm", "release", "privacy",
                                       "interpret", "practice", "change", "versions", "share",
                                       "offering")):  # fmt: skip
        talk.say("rights.cancelled")
        talk.go("review")
    else:
        rest(talk)


def rest(talk: Talk) -> None:
    """Stop here; everything is kept, one tap goes on."""
    if not talk.has_joined:
        talk.say("arriving.not_now", choices=[buttons("go_on")])
        return
    if talk.session.step != "rest":
        talk.session.notes["rest_return"] = (
            talk.note("aside_return", "choose_part")
            if talk.session.step in SIDE_STEPS
            else talk.session.step
        )
    talk.go("rest")


def examples(talk: Talk) -> None:
    """A command for the button, where there is a story to be stuck on."""
    if not talk.has_joined:
        talk.go(next_arrival(talk))
        return
    talk.say("rights.example_where")
    talk.stay()


# -- my stories ---------------------------------------------------------------------------------


def ask_my_stories(talk: Talk) -> None:
    """Each story by its beginning and where it stands."""
    live = [s for s in talk.folder.stories if s.status is not StoryStatus.WITHDRAWN]
    live = [s for s in live if s.is_begun()]
    if not live:
        talk.say("rights.no_stories", choices=[buttons("new_story")])
        return
    lines = []
    row = []
    for number, story in enumerate(live[-6:], 1):
        title = story.interpretation.get("title") or quotation(_first_words(story), 8)
        words = {"number": str(number), "title": title, "day": f"{story.begun_at:%Y-%m-%d}"}
        lines.append(Line("rights.story_line", words, {"status": f"statuses.{story.status}"}))
        row.append(button(f"open:{number}", "choices.open", number=str(number)))
    talk.session.notes["listed"] = [s.id for s in live[-6:]]
    talk.say("rights.my_stories", *lines, choices=[row[:3], row[3:], buttons("new_story", "back")])


def _first_words(story: Story) -> str:
    return story.whole() or next(
        (p.pieces[0] if p.pieces else p.sketch or "" for p in story.parts.values()
         if p.pieces or p.sketch), "")  # fmt: skip


def hear_my_stories(talk: Talk) -> None:
    """Open one, begin one, or go back."""
    if talk.choice == "new_story":
        new_story(talk)
    elif talk.choice == "open":
        chosen = talk.listed("listed")[int(talk.parameter) - 1]
        if chosen != talk.session.story_id:
            talk.session.story_id = chosen
            talk.session.notes = {}
        talk.go("review" if talk.story.has_words() else "choose_part")
    elif talk.choice in ("back", "go_on", "no", "skip"):
        go_back(talk)
    else:
        not_understood(talk)


# -- consent ------------------------------------------------------------------------------------


def ask_consent_view(talk: Talk) -> None:
    """What is permitted now, and how to change it."""
    released = [
        (s, r) for s in talk.folder.stories for r in s.releases if r.is_live(talk.now)
    ]  # fmt: skip
    offers = [o for s in talk.folder.stories if (o := s.live_offer(talk.now)) is not None]
    if not released and not offers:
        talk.say("rights.nothing_released", choices=[buttons("back", "withdraw")])
        return
    for _, made in released:
        quote = {"quote": quotation(made.text, 10)}
        talk.say(Line("rights.consent_for", quote), *release_lines(made))
    for offer in offers:
        made = offer.release
        quote = {"quote": quotation(made.text, 10)}
        where = Line("offering.permitted", {"groups": ", ".join(offer.titles)})
        talk.say(Line("rights.consent_for", quote), *release_lines(made), where)
    if released:
        rows = [buttons("change", "take_back"), buttons("back")]
        talk.say("rights.consent_change", choices=rows)
    else:
        talk.say("offering.change", choices=[buttons("take_back", "back")])


def hear_consent_view(talk: Talk) -> None:
    """Change uses by a fresh release; take all back at once."""
    if talk.choice in ("change", "release"):
        released = [s for s in talk.folder.stories if any(r.is_live(talk.now) for r in s.releases)]
        if released and talk.folder.story not in released:
            talk.session.story_id = released[-1].id
            talk.session.notes = {}
        talk.go("release")
    elif talk.choice == "take_back":
        for story in talk.folder.stories:
            story.void_releases(talk.now, "revoked")
        talk.say("rights.taken_back")
        go_back(talk)
    elif talk.choice == "withdraw":
        talk.go("withdraw")
    elif talk.choice in ("back", "no", "go_on", "skip"):
        go_back(talk)
    else:
        not_understood(talk)


# -- withdrawing and erasing --------------------------------------------------------------------


def ask_withdraw(talk: Talk) -> None:
    """One story, gone at once, no reason asked; a copy first if they like."""
    story = talk.folder.story
    if story is None or not story.is_begun() or story.status is StoryStatus.WITHDRAWN:
        talk.say("rights.nothing_to_withdraw")
        go_back(talk)
        return
    quote = {"quote": quotation(_first_words(story), 10)}
    talk.say(
        Line("rights.withdraw", quote),
        choices=[buttons("withdraw_now", "copy_first"), buttons("keep_it", "my_stories")],
    )


def hear_withdraw(talk: Talk) -> None:
    """Do it now, or keep it."""
    match talk.choice:
        case "withdraw_now" | "yes":
            emptied(talk, talk.story)
            talk.session.story_id = None
            talk.session.step = "my_stories"
        case "copy_first":
            hand_copy(talk)
            talk.stay()
        case "my_stories":
            talk.go("my_stories")
        case "keep_it" | "no" | "back" | "go_on":
            talk.say("rights.kept")
            go_back(talk)
        case _:
            not_understood(talk)


def ask_forget(talk: Talk) -> None:
    """Everything, at once; a copy first if they like."""
    talk.say(
        "rights.forget", choices=[buttons("erase_everything", "copy_first"), buttons("keep_it")]
    )


def hear_forget(talk: Talk) -> None:
    """Erase everything held, or nothing."""
    match talk.choice:
        case "erase_everything" | "yes":
            talk.said.append(EraseEverything())
        case "copy_first":
            hand_copy(talk)
            talk.stay()
        case "keep_it" | "no" | "back" | "go_on":
            talk.say("rights.kept")
            go_back(talk)
        case _:
            not_understood(talk)


def hand_copy(talk: Talk) -> None:
    """Everything held, as a file to read and as JSON."""
    day = f"{talk.now:%Y-%m-%d}"
    talk.said.append(
        Hand(f"my-data-{day}.txt", as_lines(talk.folder, talk.now), Line("mydata.readable"))
    )
    talk.said.append(Hand(f"my-data-{day}.json", as_json(talk.folder), Line("mydata.machine")))


def opening(step: str) -> StepFunction:
    """A command that opens a side step; before consent there is nothing to open."""

    def command(talk: Talk) -> Asked:
        if not talk.has_joined and step not in ("forget",):
            talk.say("rights.nothing_held")
            talk.go(next_arrival(talk))
        else:
            aside(talk, step)
        return None

    return command


COMMANDS: dict[str, StepFunction] = {
    "start": start,
    "help": help_,
    "privacy": privacy,
    "model": ask_model_again,
    "language": language,
    "cancel": cancel,
    "stop": rest,
    "pause": rest,
    "example": examples,
    "mystories": opening("my_stories"),
    "consent": opening("consent_view"),
    "withdraw": opening("withdraw"),
    "forget": opening("forget"),
    "mydata": hand_copy,
    "undo": undo,
}
"""Commands by name; the same functions serve the words people type for them."""

STEPS.add("model", model.ask_model, hear_model, "arriving")
STEPS.add("restart", ask_restart, hear_restart, "story")
STEPS.add("my_stories", ask_my_stories, hear_my_stories, "story")
STEPS.add("consent_view", ask_consent_view, hear_consent_view, "releasing")
STEPS.add("withdraw", ask_withdraw, hear_withdraw, "releasing")
STEPS.add("forget", ask_forget, hear_forget, "releasing")

__all__ = ["COMMANDS", "last_words"]

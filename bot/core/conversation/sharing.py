"""A story told from a group's prompt, posted back there: once, as shown, by its teller's tap."""

from __future__ import annotations

from bot.core.consent import AgeBand, NameShown, Purpose, Release, text_hash
from bot.core.conversation.arriving import WORDING
from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.narrative import speaking_seconds
from bot.core.quoting import has_words
from bot.core.story import Story
from bot.core.turn import Asking, Choice, Line, Post, Say, group_of

GROUP = "group"
"""The note that holds the group a story was prompted in; it ends with the story's other notes."""
LONGEST = 130
"""Seconds: two minutes, and ten so that nobody counts words."""
MOST_CHARACTERS = 3_000
"""What stands in one message of Telegram, whatever the script."""


def was_posted(story: Story) -> bool:
    """Whether a story was posted in a group."""
    return any(Purpose.GROUP_POST in r.purposes for r in story.releases)


def row(talk: Talk) -> tuple[Choice, ...]:
    """The button, for a grown-up whose story came from a group and was not posted yet."""
    is_adult = talk.folder.resident.age_band is AgeBand.ADULT
    may = is_adult and talk.note(GROUP) and talk.story.has_words() and not was_posted(talk.story)
    return buttons("share_back") if may else ()


def ask_share(talk: Talk) -> Asking[None]:
    """First whether it can be posted at all; then who else is in it; then the name."""
    if not row(talk):
        talk.go("done")
        return
    found = yield from group_of(talk.note(GROUP))
    if found.trouble:
        talk.say(Line(f"sharing.trouble.{found.trouble}", {"group": found.title}))
        talk.go("done")
    elif is_too_long(talk.story.whole()):
        talk.say("sharing.too_long", choices=[buttons("change", "keep_private")])
    else:
        talk.go("privacy", sharing=True)


def is_too_long(text: str) -> bool:
    """Whether it is longer than two minutes aloud, or than a message."""
    return speaking_seconds(text) > LONGEST or len(text) > MOST_CHARACTERS


def hear_share(talk: Talk) -> None:
    """Too long as it is: mend it, or leave it."""
    if talk.choice == "change":
        talk.go("review")
    elif talk.choice in ("keep_private", "no", "not_now", "skip", "back"):
        talk.go("done")
    else:
        not_understood(talk)


def ask_share_name(talk: Talk) -> None:
    """Named as they like, or not at all."""
    talk.session.notes["sharing"] = False
    shown = (NameShown.NONE, NameShown.FIRST, NameShown.CHOSEN)
    talk.say(
        "sharing.name",
        choices=[[button(f"name:{n}", f"names.{n}") for n in shown], buttons("keep_private")],
    )


def hear_share_name(talk: Talk) -> None:
    """See take_name; then the last look."""
    take_name(talk, "share_confirm")


def take_name(talk: Talk, then: str) -> None:
    """None needs no more; anything else is typed, so that it is spelt as they want.

    `then` is the step that follows; notes `share_name` and `share_shown` hold the answer.
    """
    if talk.choice in ("keep_private", "not_now", "back"):
        talk.go("done")
    elif talk.choice in ("no", "skip") or talk.heard.choice == f"name:{NameShown.NONE}":
        talk.go(then, share_name="", share_shown=NameShown.NONE.value)
    elif talk.choice == "name":
        talk.session.notes["share_shown"] = talk.parameter
        talk.say(f"releasing.name.type_{talk.parameter}", choices=[buttons("keep_private")])
    elif talk.choice is None and has_words(talk.text):
        name = " ".join(talk.text.split())[:60]
        shown = talk.note("share_shown") or NameShown.CHOSEN.value
        if shown == NameShown.NONE.value:
            shown = NameShown.CHOSEN.value
        talk.go(then, share_name=name, share_shown=shown)
    else:
        not_understood(talk)


def ask_share_confirm(talk: Talk) -> Asking[None]:
    """Exactly what will stand in the group, and nothing posted yet."""
    found = yield from group_of(talk.note(GROUP))
    talk.say(Line("sharing.look", {"group": found.title}))
    talk.say(_post(talk))
    talk.say(
        Line("sharing.ask", {"group": found.title}),
        choices=[buttons("share_now", "change"), buttons("keep_private")],
    )
    talk.session.notes["share_sha256"] = _seen(talk)


def _post(talk: Talk) -> Line:
    """The one line of the post; `story` lets it be found while it waits to be sent."""
    name = talk.note("share_name")
    words = {"text": talk.story.whole(), "name": name, "story": talk.story.id}
    return Line("sharing.post_named" if name else "sharing.post", words)


def _seen(talk: Talk) -> str:
    return text_hash("\n".join([talk.story.whole(), talk.note("share_name"), talk.note(GROUP)]))


def hear_share_confirm(talk: Talk) -> Asking[None]:
    """Only the button posts; whatever changed meanwhile is shown again first."""
    if talk.choice in ("share_now", "yes", "agree") and talk.text:
        talk.say("sharing.tap")
        talk.stay()
    elif talk.choice == "share_now":
        if not row(talk) or is_too_long(talk.story.whole()):
            talk.go("share")
        elif talk.note("share_sha256") != _seen(talk):
            talk.say("sharing.changed")
            talk.go("privacy", sharing=True)
        else:
            yield from _share(talk)
    elif talk.choice == "change":
        talk.go("review")
    elif talk.choice in ("keep_private", "no", "not_now", "skip", "back"):
        talk.go("done")
    else:
        not_understood(talk)


def _share(talk: Talk) -> Asking[None]:
    found = yield from group_of(talk.note(GROUP))
    if found.trouble:
        talk.say(Line(f"sharing.trouble.{found.trouble}", {"group": found.title}))
        talk.go("done")
        return
    text = talk.story.whole()
    made = Release(
        id=talk.new_id(),
        text=text,
        text_sha256=text_hash(text),
        purposes=frozenset({Purpose.GROUP_POST}),
        name_shown=NameShown(talk.note("share_shown") or NameShown.NONE),
        name=talk.note("share_name"),
        wording=WORDING,
        language=talk.language,
        released_at=talk.now,
        expires_at=talk.now,
        teller_share=talk.story.teller_share(),
    )
    # It permits this one post and is used up by it: nothing is left that could be used again.
    talk.story.releases.append(made.ended(talk.now, "posted"))
    talk.said.append(Post(talk.note(GROUP), talk.story.id, Say((_post(talk),))))
    talk.say(Line("sharing.posted", {"group": found.title}))
    talk.go("done")


STEPS.add("share", ask_share, hear_share, "releasing")
STEPS.add("share_name", ask_share_name, hear_share_name, "releasing")
STEPS.add("share_confirm", ask_share_confirm, hear_share_confirm, "releasing")

"""A finished story, or a passage of it, offered to organizers: for one post in groups named now.

Nothing is posted here. The teller sees exactly what may stand in which groups and until when; an
organizer may post that, once in each, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

from bot.core.consent import AgeBand, NameShown, Offer, Purpose, Release, text_hash
from bot.core.conversation import sharing
from bot.core.conversation.arriving import WORDING
from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.narrative import StoryOf
from bot.core.quoting import verbatim
from bot.core.story import Story
from bot.core.turn import Asking, Choice, Line, asked_groups

ASKED = "asked_in_group"
"""The note that holds the prompt a story began with: its id, and its words by language."""
LASTS = timedelta(days=182)
"""How long an offer stands unless it is taken back."""
MOST_GROUPS = 30
"""Groups one offer may be for: each is named to its teller."""
LEAVES = ("keep_private", "no", "not_now", "skip", "back")


def row(talk: Talk) -> tuple[Choice, ...]:
    """Into the group now by their own tap, or through organizers later; each where it can be."""
    return (*sharing.row(talk), *(buttons("offer_back") if can_offer(talk) else ()))


def can_offer(talk: Talk) -> bool:
    """Whether a grown-up's story came from a group's prompt and nothing of it is offered now."""
    asked = _asked(talk)
    is_adult = talk.folder.resident.age_band is AgeBand.ADULT
    came = bool(talk.note(sharing.GROUP) and asked.get("prompt"))
    return is_adult and came and talk.story.has_words() and talk.story.live_offer(talk.now) is None


def _asked(talk: Talk) -> Mapping[str, object]:
    return cast("Mapping[str, object]", talk.session.notes.get(ASKED) or {})


# -- what it means ------------------------------------------------------------------------------


def ask_offering(talk: Talk) -> Asking[None]:
    """Who could read it and what they may do with it, before anything is chosen."""
    if not can_offer(talk):
        talk.go("done")
        return
    groups = yield from _groups(talk)
    if not groups:
        talk.say("sharing.trouble.gone")
        talk.go("done")
        return
    talk.say("offering.about", choices=[buttons("go_on", "keep_private")])


def _groups(talk: Talk) -> Asking[list[list[str]]]:
    """The groups that had the prompt and can be posted in, the teller's own first."""
    prompt = str(_asked(talk)["prompt"])
    found = yield from asked_groups(prompt, talk.note(sharing.GROUP))
    return [[group.id, group.title] for group in found[:MOST_GROUPS]]


def hear_offering(talk: Talk) -> None:
    """Other people named in it are decided about first."""
    if talk.choice in ("go_on", "yes"):
        talk.go("privacy", sharing="offering")
    elif talk.choice in LEAVES:
        talk.go("done")
    else:
        not_understood(talk)


# -- which words --------------------------------------------------------------------------------


def ask_what(talk: Talk) -> None:
    """All of it, one part, or the very sentences."""
    talk.session.notes["sharing"] = False
    is_long = sharing.is_too_long(talk.story.whole())
    talk.say("offering.what_long" if is_long else "offering.what", choices=_pieces(talk))


def _pieces(talk: Talk) -> list[tuple[Choice, ...]]:
    """What can be taken by a tap: whatever is short enough for a group."""
    story = talk.story
    told = [s for s in StoryOf if story.parts[s].text]
    parts = [
        button(f"part:{s}", f"parts.{s}")
        for s in told
        if len(told) > 1 and not sharing.is_too_long(story.parts[s].text)
    ]
    whole = [] if sharing.is_too_long(story.whole()) else [button("all_of_it")]
    return [tuple(parts), (*whole, *buttons("keep_private"))]


def hear_what(talk: Talk) -> None:
    """Their own words and no others: what is typed must stand in the story."""
    if talk.choice == "all_of_it":
        _take(talk, talk.story.whole())
    elif talk.choice == "part":
        _take(talk, talk.story.parts[StoryOf(talk.parameter)].text)
    elif talk.choice in LEAVES:
        talk.go("done")
    elif talk.choice is None and talk.text:
        found = verbatim(talk.text, talk.story.whole())
        if found is None:
            talk.say("offering.not_there", choices=_pieces(talk))
        else:
            _take(talk, found)
    else:
        not_understood(talk)


def _take(talk: Talk, passage: str) -> None:
    if sharing.is_too_long(passage):
        talk.say("offering.too_long", choices=_pieces(talk))
    else:
        talk.go("offering_where", offered_words=passage)


# -- where, and under which name ----------------------------------------------------------------


def ask_where(talk: Talk) -> Asking[None]:
    """Their own group only, or every group that was asked; one group needs no question."""
    groups = yield from _groups(talk)
    talk.session.notes["offered_groups"] = groups
    if not groups:
        talk.say("sharing.trouble.gone")
        talk.go("done")
    elif len(groups) == 1:
        talk.go("offering_name")
    else:
        words = {"groups": _titles(groups)}
        own = groups[0][0] == talk.note(sharing.GROUP)
        only = [button("only_mine", group=groups[0][1])] if own else []
        every = button("all_of_them", count=str(len(groups)))
        talk.say(Line("offering.where", words), choices=[only, [every], buttons("keep_private")])


def hear_where(talk: Talk) -> None:
    """Narrow it to their own, or leave all of them."""
    if talk.choice == "only_mine":
        talk.go("offering_name", offered_groups=_chosen(talk)[:1])
    elif talk.choice in ("all_of_them", "yes"):
        talk.go("offering_name")
    elif talk.choice in LEAVES:
        talk.go("done")
    else:
        not_understood(talk)


def _chosen(talk: Talk) -> list[list[str]]:
    return cast("list[list[str]]", talk.session.notes.get("offered_groups", []))


def _titles(groups: list[list[str]]) -> str:
    return ", ".join(title for _, title in groups)


def hear_name(talk: Talk) -> None:
    """As for a story one posts oneself; then the last look."""
    sharing.take_name(talk, "offering_confirm")


# -- the last look ------------------------------------------------------------------------------


def post_of(story_id: str, offer: Offer) -> Line:
    """The post, in its teller's language: what they saw, letter for letter.

    `story` and `offer` let it be found while it waits to be sent.
    """
    words = {
        "question": offer.question,
        "text": offer.release.text,
        "name": offer.release.name,
        "story": story_id,
        "offer": offer.release.id,
    }
    return Line("offering.post_named" if offer.release.name else "offering.post", words)


def ask_confirm(talk: Talk) -> None:
    """Exactly what may stand there, where, until when, and nothing permitted yet."""
    offer = _made(talk, talk.story)
    if offer is None:
        talk.go("offering_what")
        return
    terms = {"groups": ", ".join(offer.titles), "day": f"{offer.release.expires_at:%Y-%m-%d}"}
    talk.say("offering.look")
    talk.say(post_of(talk.story.id, offer))
    talk.say(
        Line("offering.terms", terms),
        "releasing.name.warning",
        "offering.ask",
        choices=[buttons("offer_this", "other_words"), buttons("keep_private")],
    )
    talk.session.notes["offered_sha256"] = _seen(talk, offer)


def _made(talk: Talk, story: Story) -> Offer | None:
    """What would be permitted by a yes now; None when the words do not stand there any more."""
    text = talk.note("offered_words")
    if not text or text not in story.whole() or not _chosen(talk):
        return None
    asked = _asked(talk)
    texts = cast("Mapping[str, str]", asked["texts"])
    release = Release(
        id=talk.new_id(),
        text=text,
        text_sha256=text_hash(text),
        purposes=frozenset({Purpose.FOLLOW_UP}),
        name_shown=NameShown(talk.note("share_shown") or NameShown.NONE),
        name=talk.note("share_name"),
        wording=WORDING,
        language=talk.language,
        released_at=talk.now,
        expires_at=talk.now + LASTS,
        teller_share=story.teller_share(),
    )
    question = texts.get(talk.language) or next(iter(texts.values()))
    groups = tuple((group_id, title) for group_id, title in _chosen(talk))
    return Offer(release, str(asked["prompt"]), question, groups)


def _seen(talk: Talk, offer: Offer) -> str:
    """The hash of all that was shown."""
    post = post_of(talk.story.id, offer)
    shown = [post.words["question"], post.words["text"], post.words["name"], *offer.titles]
    return text_hash("\n".join([post.key, offer.release.language, *shown]))


def hear_confirm(talk: Talk) -> None:
    """A yes is a yes to exactly what was shown; whatever changed meanwhile is shown again."""
    if talk.choice in ("offer_this", "yes", "agree"):
        offer = _made(talk, talk.story) if can_offer(talk) else None
        if offer is None or talk.note("offered_sha256") != _seen(talk, offer):
            talk.say("offering.changed")
            talk.go("privacy", sharing="offering")
            return
        talk.story.offers.append(offer)
        talk.say(Line("offering.done", {"groups": ", ".join(offer.titles)}))
        talk.session.notes["offered_words"] = ""
        talk.go("done")
    elif talk.choice in ("other_words", "change", "not_quite"):
        talk.go("offering_what")
    elif talk.choice in LEAVES:
        talk.go("done")
    else:
        not_understood(talk)


STEPS.add("offering", ask_offering, hear_offering, "releasing")
STEPS.add("offering_what", ask_what, hear_what, "releasing")
STEPS.add("offering_where", ask_where, hear_where, "releasing")
STEPS.add("offering_name", sharing.ask_share_name, hear_name, "releasing")
STEPS.add("offering_confirm", ask_confirm, hear_confirm, "releasing")

"""After the story of now: what was promised, the thread, the whole story read back and mended."""

from __future__ import annotations

from dataclasses import replace

from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.conversation.telling import show_example
from bot.core.narrative import Element, Status, StoryOf
from bot.core.quoting import has_words, quotation
from bot.core.story import Commitment, Origin, Part
from bot.core.turn import Asking, Line, reading_of

FIELDS = ("what", "who", "when", "where")
NO_ANSWER = ("skip", "no", "dont_know", "not_now", "go_on", "thats_it")


# -- the commitment -----------------------------------------------------------------------------


def ask_commitment(talk: Talk) -> Asking[None]:
    """One field at a time; the ask they already told is offered back first."""
    field = talk.session.step.removeprefix("commitment_")
    if field == "what":
        talk.session.notes.pop("ask_words", None)
        text = talk.story.parts[StoryOf.NOW].text
        reading = (yield from reading_of(StoryOf.NOW, text)) if text else None
        if reading and reading.statuses[Element.NOW_ASK] is not Status.MISSING:
            words = reading.evidence.get(Element.NOW_ASK, "")
            if words:
                talk.session.notes["ask_words"] = words
                talk.say(
                    Line("closing.commitment.heard", {"quote": quotation(words, 30)}),
                    choices=[buttons("yes", "not_quite", "skip")],
                )
                return
    talk.say(f"closing.commitment.{field}", choices=[buttons("skip", "rest")])


def hear_commitment(talk: Talk) -> None:
    """Keep each answer in their words; skip what they skip."""
    field = talk.session.step.removeprefix("commitment_")
    if talk.choice in ("not_quite", "no") and talk.note("ask_words"):
        talk.session.notes.pop("ask_words")
        talk.say("closing.commitment.what", choices=[buttons("skip", "rest")])
        return
    answer = ""
    if talk.choice == "yes":
        answer = talk.note("ask_words")
    elif talk.choice is None:
        if not has_words(talk.text):
            talk.say("general.no_words")
            return
        answer = talk.text.strip()
    elif talk.choice not in NO_ANSWER:
        not_understood(talk)
        return
    talk.session.notes.pop("ask_words", None)
    record = talk.story.commitment or Commitment()
    talk.story.commitment = replace(record, **{field: answer})
    after = FIELDS.index(field) + 1
    if after < len(FIELDS):
        talk.go(f"commitment_{FIELDS[after]}")
    elif any(getattr(talk.story.commitment, f) for f in FIELDS):
        talk.go("commitment_shown")
    else:
        after_commitment(talk)


def ask_commitment_shown(talk: Talk) -> None:
    """The record, as they gave it."""
    record = talk.story.commitment or Commitment()
    lines = [
        Line(f"closing.record.{f}", {"words": getattr(record, f)})
        for f in ("who", "what", "when", "where")
        if getattr(record, f)
    ]
    talk.say("closing.record.title", *lines, choices=[buttons("thats_right", "change", "rest")])


def hear_commitment_shown(talk: Talk) -> None:
    """Right, or once more from the start."""
    if talk.choice in ("change", "not_quite", "no"):
        talk.story.commitment = None
        talk.go("commitment_what")
    elif talk.choice in ("thats_right", "yes", "go_on", "skip", "thats_it"):
        after_commitment(talk)
    else:
        not_understood(talk)


def after_commitment(talk: Talk) -> None:
    """The thread next, when there is something to tie."""
    told = sum(bool(p.text) for p in talk.story.parts.values())
    talk.go("link" if told >= 2 and talk.story.link is None else "review")


# -- the thread ---------------------------------------------------------------------------------


def ask_link(talk: Talk) -> None:
    """Which one thing is at risk in all of it?"""
    talk.session.notes["link_asked"] = True
    told = sum(bool(p.text) for p in talk.story.parts.values())
    talk.say(
        "closing.link.three" if told == 3 else "closing.link.two",
        choices=[buttons("example", "skip", "rest")],
    )


def hear_link(talk: Talk) -> Asking[None]:
    """Their sentence closes the story, in their words."""
    if talk.choice == "example":
        yield from show_example(talk, Element.LINK_THREAD, talk.story.whole())
        talk.say("coaching.your_turn", choices=[buttons("skip", "rest")])
        return
    if talk.choice is None:
        if not has_words(talk.text):
            talk.say("general.no_words")
            return
        talk.story.link = talk.text.strip()
        talk.void()
        talk.say(Line("closing.link.kept", {"quote": quotation(talk.text)}))
    elif talk.choice not in NO_ANSWER:
        not_understood(talk)
        return
    talk.go("review")


# -- reading back -------------------------------------------------------------------------------


def ask_review(talk: Talk) -> None:
    """The whole story, their words only."""
    talk.session.notes.pop("sharing", None)
    story = talk.story
    if not story.has_words():
        talk.say("closing.review.nothing")
        talk.go("choose_part")
        return
    for stage in StoryOf:
        if story.parts[stage].text:
            talk.say(Line(f"closing.review.{stage}", {"text": story.parts[stage].text}))
    if story.link:
        talk.say(Line("closing.review.link", {"text": story.link}))
    talk.say(
        "closing.review.whole",
        spoken(talk, story.speaking_seconds()),
        choices=[buttons("its_right", "change"), buttons("versions", "choose_part", "rest")],
    )


def spoken(talk: Talk, seconds: int) -> Line:
    """Length as speaking time."""
    minutes, rest = divmod(seconds, 60)
    if minutes == 0:
        return Line("closing.length.seconds", {"seconds": str(max(rest, 5))})
    if rest == 0 and minutes < 3:
        return Line("closing.length.whole", {"minutes": str(minutes)})
    key = "closing.length.long" if minutes >= 3 else "closing.length.minutes"
    return Line(key, {"minutes": str(minutes), "seconds": f"{rest:02}"})


def hear_review(talk: Talk) -> None:
    """Right: on to telling it to a person. Otherwise mend it."""
    match talk.choice:
        case "its_right" | "yes" | "go_on" | "thats_it" | "thats_right":
            talk.go("practice")
        case "change" | "no" | "not_quite":
            talk.go("change")
        case "versions":
            talk.go("versions")
        case "choose_part":
            talk.go("choose_part")
        case None if has_words(talk.text):
            talk.go("stray", stray=talk.text, stray_return="review")
        case _:
            not_understood(talk)


def ask_change(talk: Talk) -> None:
    """Which part to mend."""
    story = talk.story
    row = [button(f"part:{s}", f"parts.{s}") for s in StoryOf if story.parts[s].text]
    extra = [button("part:link", "parts.link")] if story.link else []
    talk.say("closing.change.which", choices=[row, [*extra, *buttons("undo", "back")]])


def hear_change(talk: Talk) -> None:
    """Open that part for new words."""
    if talk.choice == "part" and talk.parameter == "link":
        talk.story.link = None
        talk.void()
        talk.go("link")
    elif talk.choice == "part":
        talk.go("telling", stage=talk.parameter, mode="edit")
    elif talk.choice in ("back", "no", "skip", "go_on"):
        talk.go("review")
    else:
        not_understood(talk)


# -- earlier versions ---------------------------------------------------------------------------


def ask_versions(talk: Talk) -> None:
    """Every version of every part that has more than one, newest first, by first words."""
    rows = []
    lines = []
    for stage in StoryOf:
        tellings = talk.story.parts[stage].tellings
        if len(tellings) < 2:
            continue
        row = []
        for telling in tellings[-2:-5:-1]:
            words = {"number": str(telling.number), "quote": quotation(telling.text, 8)}
            lines.append(Line(f"closing.versions.{stage}", words))
            row.append(button(f"version:{stage}.{telling.number}", f"versions.{stage}", **words))
        rows.append(row)
    if not rows:
        talk.say("closing.versions.none")
        talk.go("review")
        return
    talk.say("closing.versions.title", *lines, choices=[*rows, buttons("undo", "back")])


def hear_versions(talk: Talk) -> None:
    """Show one whole, and offer to stand on it again."""
    if talk.choice == "version":
        stage, _, number = talk.parameter.partition(".")
        part = talk.story.parts[StoryOf(stage)]
        telling = part.tellings[int(number) - 1]
        talk.session.notes["version"] = talk.parameter
        talk.say(
            Line("closing.versions.shown", {"number": number, "text": telling.text}),
            choices=[buttons("use_this", "back")],
        )
    elif talk.choice in ("use_this", "yes") and talk.note("version"):
        stage, _, number = talk.note("version").partition(".")
        part = talk.story.parts[StoryOf(stage)]
        # Origin.EDITED, not UNDONE: standing on an earlier version is itself a change to undo.
        talk.write(StoryOf(stage), part.tellings[int(number) - 1].text, Origin.EDITED)
        talk.say("closing.versions.used")
        talk.go("review", version="")
    elif talk.choice in ("back", "no", "skip", "go_on"):
        talk.go("review")
    else:
        not_understood(talk)


def undo(talk: Talk) -> None:
    """Take back the last change to any part; typed words not yet closed go first."""
    story = talk.folder.story
    if story is None or not talk.has_joined:
        talk.say("closing.undo.nothing")
        return
    if talk.session.step == "telling" and talk.part.pieces:
        piece = talk.part.pieces.pop()
        talk.say(Line("closing.undo.piece", {"quote": quotation(piece, 12)}))
        talk.stay()
        return
    part = _changed_last(story.parts)
    if part is None or part.current is None:
        talk.say("closing.undo.nothing")
        talk.stay()
        return
    back = _before(part)
    if back is None:
        talk.say("closing.undo.nothing")
        talk.stay()
        return
    talk.write(part.stage, back, Origin.UNDONE)
    talk.say(f"closing.undo.{part.stage}")
    talk.go("review")


def _changed_last(parts: dict[StoryOf, Part]) -> Part | None:
    candidates = [p for p in parts.values() if p.current and _before(p) is not None]
    return max(candidates, key=lambda p: p.tellings[-1].told_at, default=None)


def _before(part: Part) -> str | None:
    """The text that stood before the last change that has not been undone yet."""
    stack: list[str] = []
    for telling in part.tellings:
        if telling.origin is Origin.UNDONE and telling.text in stack:
            del stack[stack.index(telling.text) + 1 :]
        else:
            stack.append(telling.text)
    return stack[-2] if len(stack) >= 2 else None


for _field in FIELDS:
    STEPS.add(f"commitment_{_field}", ask_commitment, hear_commitment, "commitment")
STEPS.add("commitment_shown", ask_commitment_shown, hear_commitment_shown, "commitment")
STEPS.add("link", ask_link, hear_link, "link")
STEPS.add("review", ask_review, hear_review, "review")
STEPS.add("change", ask_change, hear_change, "review")
STEPS.add("versions", ask_versions, hear_versions, "review")

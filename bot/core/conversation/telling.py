"""Telling a part freely, then being coached: reflect one thing, ask one thing, retell whole."""

from __future__ import annotations

from bot.core.coaching import MOST_ROUNDS, CoachingNotes, grew, next_question, reflection
from bot.core.conversation.talk import STEPS, Talk, button, buttons, not_understood
from bot.core.guards import mark, unquoted
from bot.core.narrative import (
    ORDER_OF_CARE,
    Element,
    Reading,
    Status,
    StoryOf,
    Suggestion,
    count_words,
)
from bot.core.quoting import has_words, quotation
from bot.core.story import Origin, ReadingRecord
from bot.core.turn import Asking, Line, example_of, reading_of

PLENTY = 450
"""Words well past two minutes; the coach says so once, kindly."""

ANSWERING = buttons("example", "skip", "rest")
"""Under a question: help, a way past, a way out."""

FORWARDS = (StoryOf.SELF, StoryOf.US, StoryOf.NOW)


# -- telling ------------------------------------------------------------------------------------


def ask_telling(talk: Talk) -> None:
    """Invite the telling, in the light of their own sketch."""
    part, mode = talk.part, talk.note("mode", "tell")
    rows = [buttons("thats_it", "example"), buttons("choose_part", "rest")]
    if mode == "retell" and part.tellings:
        rows = [buttons("thats_it", "keep_as_is"), buttons("rest")]
    if mode == "edit":
        talk.say("telling.edit_current")
        talk.say(Line("telling.current_words", {"text": part.text}))
        talk.say("telling.edit", choices=[buttons("thats_it", "keep_as_is")])
    elif part.pieces:
        last = quotation(part.pieces[-1].strip().splitlines()[-1])
        talk.say(Line("telling.go_on_from", {"quote": last}), choices=rows)
    elif mode == "retell":
        talk.say(f"telling.retell.{talk.stage}", choices=rows)
    elif part.sketch:
        words = {"quote": quotation(part.sketch)}
        talk.say(Line(f"telling.from_sketch.{talk.stage}", words), choices=rows)
    else:
        talk.say(f"telling.begin.{talk.stage}", choices=rows)


def hear_telling(talk: Talk) -> Asking[None]:
    """Take every message until "that's it"."""
    part = talk.part
    match talk.choice:
        case "thats_it" | "enough":
            yield from close_telling(talk)
        case "example":
            near = "\n".join(part.pieces) or part.sketch or ""
            yield from show_example(talk, first_move(talk), near)
            talk.say("telling.your_turn", choices=[buttons("thats_it", "example"), buttons("rest")])
        case "keep_as_is":
            part.pieces.clear()
            talk.go("review" if talk.note("mode") == "edit" else "offer")
        case "choose_part":
            talk.go("choose_part")
        case "skip":
            advance(talk)
        case None | "yes" | "no" | "go_on" | "dont_know" | "confused" if talk.text:
            if talk.choice == "confused":
                talk.say(f"hints.{first_move(talk)}")
                return
            yield from take_piece(talk)
        case _:
            not_understood(talk)


def first_move(talk: Talk) -> Element:
    """The move this part begins with: the one a practice prompt asked for, else the usual one."""
    practised = talk.note("practised")
    if practised and Element(practised).stage is talk.stage:
        return Element(practised)
    return ORDER_OF_CARE[talk.stage][0]


def take_piece(talk: Talk) -> Asking[None]:
    """Keep a message of the telling; a last line that says "that's it" closes it."""
    part = talk.part
    head, _, tail = talk.text.rstrip().rpartition("\n")
    closing = bool(head.strip()) and (talk.book.understand(tail, buttons("thats_it")) == "thats_it")
    part.pieces.append(head.rstrip() if closing else talk.text)
    if closing:
        yield from close_telling(talk)
        return
    rows = [buttons("thats_it", "example"), buttons("rest")]
    words = sum(count_words(p) for p in part.pieces)
    if words > PLENTY and not talk.flag(f"plenty.{talk.stage}"):
        talk.session.notes[f"plenty.{talk.stage}"] = True
        talk.say("telling.plenty", choices=[buttons("thats_it", "rest")])
    elif not has_words(talk.text):
        talk.say("telling.kept_no_words", choices=rows)
    else:
        talk.say(talk.pick("telling.listening"), choices=rows)


def close_telling(talk: Talk) -> Asking[None]:
    """Make the pieces one telling, read it, and coach."""
    part, mode = talk.part, talk.note("mode", "tell")
    text = "\n".join(p.strip("\n") for p in part.pieces).strip()
    if not text:
        if part.tellings:
            talk.go("review" if mode == "edit" else "offer")
        else:
            talk.say("telling.nothing_yet", choices=[buttons("example", "skip"), buttons("rest")])
        return
    if not has_words(text):
        talk.say("general.no_words", choices=[buttons("example", "skip"), buttons("rest")])
        return
    origin = {"retell": Origin.RETOLD, "edit": Origin.EDITED}.get(mode, Origin.TOLD)
    if mode == "tell" and part.tellings:
        text = f"{part.text}\n{text}"
    part.pieces.clear()
    before = latest_statuses(talk, talk.stage)
    talk.write(talk.stage, text, origin)
    reading = yield from read(talk, text, None if mode == "edit" else asking(talk))
    if mode == "edit":
        talk.say("telling.edited")
        talk.go("review")
    elif mode == "retell":
        talk.session.notes[f"retold.{talk.stage}"] = True
        grown = grew(before, reading) if reading else None
        if reading and grown:
            words = {"quote": quotation(reading.evidence[grown])}
            talk.say(Line(f"coaching.grew.{grown}", words))
        else:
            talk.say("coaching.retold")
        talk.go("offer")
    else:
        coach(talk, reading, text)


def asking(talk: Talk, *, more: bool = False) -> CoachingNotes | None:
    """What a model needs to ask well; None when no question follows, or only a gentle one may."""
    rounds = talk.count(f"rounds.{talk.stage}")
    if talk.flag(f"gentle.{talk.stage}") or not (more or rounds < MOST_ROUNDS):
        return None
    return talk.coaching_notes()


def read(talk: Talk, text: str, notes: CoachingNotes | None) -> Asking[Reading | None]:
    """Read the telling and keep the reading, wordless, beside it."""
    reading = yield from reading_of(talk.stage, text, notes)
    current = talk.part.current
    if reading and current:
        talk.story.readings.append(
            ReadingRecord(
                talk.stage,
                current.number,
                {e.value: s.value for e, s in reading.statuses.items()},
                reading.modes,
                reading.reader,
                talk.now,
            )
        )
    return reading


def latest_statuses(talk: Talk, stage: StoryOf) -> dict[str, str]:
    """Statuses by element name as last read; empty before the first reading."""
    for record in reversed(talk.story.readings):
        if record.stage is stage:
            return dict(record.statuses)
    return {}


# -- coaching -----------------------------------------------------------------------------------


def coach(talk: Talk, reading: Reading | None, latest: str, *, more: bool = False) -> bool:
    """Say one thing back and ask one thing; stop after MOST_ROUNDS unless asked for more.

    True when a question was asked; otherwise what comes next has been offered.
    """
    rounds = talk.count(f"rounds.{talk.stage}")
    notes = talk.coaching_notes()
    if should_check_value(talk, reading, rounds):
        talk.go("value")
        return True
    question = None
    if more or rounds < MOST_ROUNDS:
        question = next_question(
            reading, talk.stage, notes, lambda key: talk.book.variants(key, talk.language)
        )
    if question is None:
        lines = reflect(talk, reading, latest)
        if lines:
            talk.say(*lines)
        talk.go("offer")
        return False
    talk.session.notes[f"rounds.{talk.stage}"] = rounds + 1
    talk.add("asked", question.key)
    talk.session.notes["aimed"] = [*talk.listed("aimed"), question.element.value]
    talk.session.notes["element"] = question.element.value
    talk.session.step = "answering"
    suggestion = reading.suggestion if reading else None
    if suggestion is None or suggestion.element is not question.element or notes.gentle:
        talk.session.notes.pop("open_question", None)
        talk.say(*reflect(talk, reading, latest), question.key, choices=[ANSWERING])
        return True
    asked = suggested(talk, suggestion)
    if unquoted(suggestion.question)[1]:
        talk.say(asked, choices=[ANSWERING])  # It quotes already; once is enough.
    else:
        talk.say(*reflect(talk, reading, latest), asked, choices=[ANSWERING])
    return True


def suggested(talk: Talk, suggestion: Suggestion) -> Line:
    """A model's question in place of the framework's, remembered by its checksum."""
    known = list(talk.coaching_notes().suggested)
    talk.session.notes["suggested"] = [*known, mark(suggestion.question)]
    talk.session.notes["open_question"] = suggestion.question
    talk.showed(suggestion.question)
    return Line("model.question", {"question": suggestion.question})


def reflect(talk: Talk, reading: Reading | None, latest: str) -> list[Line]:
    """The teller's own words said back, as a line; nothing when there is nothing to quote."""
    if not latest:
        return []  # They skipped: an old line said back would sound like not listening.
    heard = reflection(reading, latest, talk.listed("quoted"))
    if heard is None:
        return []
    talk.add("quoted", heard.words)
    words = {"quote": quotation(heard.words)}
    if heard.shows and not talk.flag(f"gentle.{talk.stage}"):
        return [talk.pick(f"coaching.reflect.{heard.shows}", **words)]
    return [Line("coaching.reflect.plain", words)]


def hear_answer(talk: Talk) -> Asking[None]:
    """An answer joins the telling, in their words, and is heard with it."""
    element = Element(talk.note("element", ORDER_OF_CARE[talk.stage][0].value))
    match talk.choice:
        case "example":
            yield from show_example(talk, element, talk.part.text)
            talk.say("coaching.your_turn", choices=[ANSWERING])
        case "skip" | "no" | "dont_know" | "one_more" | "go_on":
            talk.add("skipped", element.value)
            if talk.choice == "dont_know":
                talk.say("coaching.dont_know")
            reading = yield from reading_of(talk.stage, talk.part.text, asking(talk))
            coach(talk, reading, "")
        case "confused" | "yes":
            # A bare yes to an open question is not part of a story; say it another way.
            talk.say(f"hints.{element}", choices=[ANSWERING])
        case "thats_it" | "enough":
            talk.go("offer")
        case "tell_again":
            talk.go("telling", mode="retell")
        case None if has_words(talk.text):
            yield from take_answer(talk)
        case _:
            talk.say("general.no_words")


def take_answer(talk: Talk) -> Asking[None]:
    """Add an answer to the telling and coach on from the whole."""
    talk.add_words(talk.stage, talk.text)
    reading = yield from read(talk, talk.part.text, asking(talk))
    coach(talk, reading, talk.text)


def show_example(talk: Talk, element: Element, near: str) -> Asking[None]:
    """A passage that makes the move they are stuck on, why this one, never the same twice."""
    found = yield from example_of(element, near)
    if found is None:
        talk.say("example.none")
        return
    talk.folder.shown_examples.append(found.id)
    talk.showed(found.text)
    talk.say(found.why, Line("example.passage", {"title": found.title, "text": found.text}))


# -- the value underneath -----------------------------------------------------------------------


def should_check_value(talk: Talk, reading: Reading | None, rounds: int) -> bool:
    """Once, after something was asked, when their words show what they hold dear."""
    if (
        reading is None
        or talk.stage is not StoryOf.SELF
        or talk.flag("value_checked")
        or talk.flag("gentle.self")
        or rounds < 1
        or reading.statuses[Element.SELF_VALUES] is not Status.PRESENT
    ):
        return False
    words = reading.value or reading.evidence.get(Element.SELF_VALUES)
    others = [q for e, q in reading.evidence.items() if e is not Element.SELF_VALUES]
    if not words or any(words in q or q in words for q in others):
        return False  # Words that are the event itself would be a poor guess at the value.
    talk.session.notes["value_words"] = words
    return True


def ask_value(talk: Talk) -> None:
    """Offer the value heard as a guess, in their words, to accept, mend or refuse."""
    words = talk.note("value_words")
    talk.add("quoted", words)
    talk.say(
        Line("coaching.value", {"quote": quotation(words)}),
        choices=[buttons("yes", "not_quite", "skip")],
    )


def hear_value(talk: Talk) -> Asking[None]:
    """Their own name for it is kept as their words; then on."""
    if talk.choice in ("enough", "thats_it"):
        talk.session.notes["value_checked"] = True
        talk.go("offer")
        return
    if talk.choice == "not_quite" or talk.choice == "no":
        talk.say("coaching.value_yours", choices=[buttons("skip")])
        return
    if talk.choice is None and has_words(talk.text):
        talk.story.interpretation["value_words"] = talk.text.strip()
        talk.say(Line("coaching.value_kept", {"quote": quotation(talk.text)}))
    elif talk.choice == "yes":
        talk.story.interpretation["value_words"] = talk.note("value_words")
    elif talk.choice not in ("skip", "dont_know", "go_on", "one_more"):
        not_understood(talk)
        return
    talk.session.notes["value_checked"] = True
    reading = yield from reading_of(talk.stage, talk.part.text, asking(talk))
    coach(talk, reading, "")


# -- what next ----------------------------------------------------------------------------------


def ask_offer(talk: Talk) -> None:
    """Tell it again whole, go on, or rest."""
    following = next_stage(talk)
    onward = button("go_on", f"choices.go_on_to.{following}" if following else "choices.finish")
    again = button("tell_again")
    retold = talk.flag(f"retold.{talk.stage}")
    rows = [(onward, again) if retold else (again, onward), buttons("one_more", "rest")]
    if following:
        rows[1] = (*rows[1], button("finish"))
    talk.say(f"coaching.offer.{'after_retelling' if retold else talk.stage}", choices=rows)


def hear_offer(talk: Talk) -> Asking[None]:
    """Take the choice; words typed here are more of the story."""
    match talk.choice:
        case "tell_again":
            talk.go("telling", mode="retell")
        case "go_on" | "skip" | "yes":
            advance(talk)
        case "finish" | "thats_it" | "enough":
            if next_stage(talk):
                talk.go("review")
            else:
                advance(talk)
        case "one_more":
            reading = yield from reading_of(talk.stage, talk.part.text, asking(talk, more=True))
            if not coach(talk, reading, "", more=True):
                talk.say("coaching.no_more_questions")
        case "example":
            yield from show_example(talk, ORDER_OF_CARE[talk.stage][0], talk.part.text)
            talk.stay()
        case None if count_words(talk.text) >= 3:
            talk.add_words(talk.stage, talk.text)
            yield from read(talk, talk.part.text, None)
            talk.say(f"coaching.added.{talk.stage}")
            talk.stay()
        case _:
            not_understood(talk)


def next_stage(talk: Talk) -> StoryOf | None:
    """The first part after this one that is not told yet; None when the story is round."""
    after = FORWARDS[FORWARDS.index(talk.stage) + 1 :]
    return next((s for s in after if not talk.story.parts[s].tellings), None)


def advance(talk: Talk) -> None:
    """On to the next part; after the story of now, to what was promised."""
    following = next_stage(talk)
    if following:
        talk.go("telling", stage=following.value, mode="tell")
    elif talk.story.parts[StoryOf.NOW].text and talk.story.commitment is None:
        talk.go("commitment_what")
    elif talk.story.has_words():
        talk.go("link" if needs_link(talk) else "review")
    else:
        talk.go("choose_part")


def needs_link(talk: Talk) -> bool:
    """The link is asked once, when at least two parts can be tied."""
    told = sum(bool(p.text) for p in talk.story.parts.values())
    return told >= 2 and talk.story.link is None and not talk.flag("link_asked")


STEPS.add("telling", ask_telling, hear_telling, "telling")
STEPS.add("answering", lambda talk: ask_again(talk), hear_answer, "telling")
STEPS.add("value", ask_value, hear_value, "telling")
STEPS.add("offer", ask_offer, hear_offer, "telling")


def ask_again(talk: Talk) -> None:
    """The question that is open, said again only because they come back to it."""
    asked, question = talk.listed("asked"), talk.note("open_question")
    if question:
        talk.say(Line("model.question", {"question": question}), choices=[ANSWERING])
        return
    key = asked[-1] if asked else "coaching.your_turn"
    talk.say(key, choices=[ANSWERING])

"""No word of a model reaches a resident unless every guard lets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.coaching import CoachingNotes
from bot.core.guards import (
    MOST_CHARACTERS,
    MOST_WORDS,
    Refusal,
    Reply,
    added,
    judge,
    mark,
    unquoted,
    weigh,
)
from bot.core.narrative import ORDER_OF_CARE, Element, Status, StoryOf
from bot.core.quoting import shingles
from bot.core.speech import language_of, related
from bot.core.turn import Line
from tests.fakes import catalogue, reading

BUS = (
    "last feb. 14 didnt come. snow. me and Rosa at the stop 2am. she had walked before but her "
    "knee. i had money for one taxi for me bc my girl was alone. i looked at rosa. we split it "
    "and i got home 4 oclock"
)
CALDERA = (
    "En febrero se murió la caldera. Oí toser a mi vecina Rosa por la pared. Tenía la mano en mi "
    "puerta; me di vuelta y golpeé la suya. A las nueve éramos seis cocinando."
)

GOOD = {
    "en": (
        "What made you split it, when your girl was alone?",
        "You had money for one taxi. What tipped it when you looked at Rosa?",
        "Where were you standing when the 14 didn't come?",
        "“i looked at rosa” What did you see there?",
        "What did you know at 4 oclock that you didn't know before?",
    ),
    "es": (
        "¿Qué te hizo golpear la puerta de Rosa?",
        "Tenías la mano en tu puerta. ¿Qué te hizo volver?",
        "¿Dónde estabas cuando se murió la caldera?",
        "¿Quién te enseñó a golpear una puerta así?",
        "¿Qué cambió después de esa noche para ustedes seis?",
    ),
}

BAD: list[tuple[str, str, Refusal]] = [
    ("en", "", Refusal.EMPTY),
    ("en", "What next?", Refusal.EMPTY),
    ("en", "What did you see? What did you hear?", Refusal.NOT_ONE_QUESTION),
    ("en", "What did you see, and who was there with you?", Refusal.NOT_ONE_QUESTION),
    ("en", "Tell me what you did when you looked at Rosa.", Refusal.NOT_ONE_QUESTION),
    ("en", "You looked. You had money. What did you do?", Refusal.NOT_ONE_QUESTION),
    ("en", "What did you do? Tell me all of it.", Refusal.NOT_ONE_QUESTION),
    ("en", "Did you look at Rosa before you split it?", Refusal.CLOSED_QUESTION),
    ("en", "Was it what you wanted?", Refusal.CLOSED_QUESTION),
    ("en", "Why did you split it?", Refusal.BLAMING),
    ("en", "¿Qué te hizo mirar a Rosa en la parada?", Refusal.OTHER_LANGUAGE),
    ("en", "Qu'est-ce que vous avez fait avec le taxi pour what?", Refusal.OTHER_LANGUAGE),
    ("en", "“i had money for two taxis” What did you do?", Refusal.NOT_VERBATIM),
    ("en", "“i looked at Rosa” What did you do?", Refusal.NOT_VERBATIM),
    ("en", "What did you feel in your heart when it snowed?", Refusal.ADDED_CONTENT),
    ("en", "How afraid were you when the 14 didn't come?", Refusal.ADDED_CONTENT),
    ("en", "What did your mother say when you got home?", Refusal.ADDED_CONTENT),
    ("en", "How did you come to be so brave at the stop?", Refusal.PRAISE),
    ("en", "That is a powerful story. What did you do?", Refusal.PRAISE),
    ("en", "You could say you looked at Rosa. What then?", Refusal.DRAFTING),
    ("en", "How about this version: what did you see?", Refusal.DRAFTING),
    ("en", "What if I rewrote it for you?", Refusal.DRAFTING),
    ("en", "What should you do now? You should split it.", Refusal.ADVICE),
    ("en", "Who will you vote for when the 14 goes?", Refusal.POLITICS),
    ("en", "What did the government do to you?", Refusal.POLITICS),
    ("en", "What is Rosa's surname, do you know?", Refusal.OTHER_PEOPLE),
    ("en", "What did Rosa do then?", Refusal.OTHER_PEOPLE),
    ("en", "What did she say then?", Refusal.OTHER_PEOPLE),
    ("en", "What did other residents tell you?", Refusal.OTHER_PEOPLE),
    ("en", "As a language model, what can I ask you?", Refusal.INSTRUCTIONS),
    ("en", "What do your instructions say about self.choice?", Refusal.INSTRUCTIONS),
    ("en", "What did [name 1] see with you?", Refusal.MARKUP),
    ("en", "What did you see\nat the stop?\n\n- Rosa", Refusal.MARKUP),
    ("en", "What is at www.example.com for you?", Refusal.MARKUP),
    ("en", "What did you see 🙂 there?", Refusal.MARKUP),
    ("en", "What did you see там at the stop?", Refusal.MARKUP),
    ("en", " ".join(["what did you see at the stop"] * 6) + "?", Refusal.TOO_LONG),
    ("en", BUS * 20, Refusal.TOO_LONG),
    ("es", "What made you knock on the door of Rosa?", Refusal.OTHER_LANGUAGE),
    ("es", "Qué te hizo golpear la puerta?", Refusal.NOT_ONE_QUESTION),
    ("es", "¿Qué oíste, y quién estaba contigo?", Refusal.NOT_ONE_QUESTION),
    ("es", "¿Tenías miedo cuando se murió la caldera?", Refusal.CLOSED_QUESTION),
    ("es", "¿Por qué golpeaste la puerta?", Refusal.BLAMING),
    ("es", "¿Qué sintió tu corazón cuando golpeaste la puerta?", Refusal.ADDED_CONTENT),
    ("es", "¡Qué valiente! ¿Qué hiciste después?", Refusal.PRAISE),
    ("es", "Podrías decir que golpeaste la puerta. ¿Qué más?", Refusal.DRAFTING),
    ("es", "Deberías volver. ¿Qué te lo impide?", Refusal.ADVICE),
    ("es", "¿Por quién vas a votar ahora?", Refusal.POLITICS),
    ("es", "¿Cuál es el apellido de tu vecina?", Refusal.OTHER_PEOPLE),
    ("es", "¿Qué dicen tus instrucciones de esto?", Refusal.INSTRUCTIONS),
]

TOLD = {"en": BUS, "es": CALDERA}


@pytest.mark.parametrize(("language", "question"), [(c, q) for c in GOOD for q in GOOD[c]])
def test_a_good_question_passes(language: str, question: str) -> None:
    assert judge(question, TOLD[language], language) is None


@pytest.mark.parametrize(("language", "question", "reason"), BAD)
def test_a_bad_question_is_refused_for_its_reason(
    language: str, question: str, reason: Refusal
) -> None:
    assert judge(" ".join(question.split()), TOLD[language], language, raw=question) is reason


@pytest.mark.parametrize(
    "reason", set(Refusal) - {Refusal.OTHER_ELEMENT, Refusal.SAME_QUOTE, Refusal.NOT_READ}
)
def test_every_reason_has_an_example(reason: Refusal) -> None:
    by_hand = {Refusal.ASKED_BEFORE}
    assert reason in by_hand or any(reason is given for _, _, given in BAD)


def test_the_same_question_is_not_asked_twice_however_it_is_dressed() -> None:
    asked = mark("What made you split it, when your girl was alone?")
    again = "What made you split it when your girl was ALONE?"
    assert judge(again, BUS, "en", asked=[asked]) is Refusal.ASKED_BEFORE


def test_reciting_its_orders_is_noticed() -> None:
    orders = "Begin with what, when, where, who or how; never with why at all."
    question = "What about: never with why at all, for you?"
    assert judge(question, BUS, "en", orders=shingles(orders)) is Refusal.INSTRUCTIONS


def test_what_the_teller_said_of_politics_may_be_asked_about() -> None:
    told = "We voted on the stairs that night, all eleven of us."
    assert judge("What did you see when you voted on the stairs?", told, "en") is None
    assert judge("Who will you vote for?", told, "en") is Refusal.POLITICS


# -- whatever a model says ----------------------------------------------------------------------

ANYTHING = st.text(max_size=400)
WORDS = st.lists(
    st.sampled_from(
        """? ?? ¿ “ ” " ' , . ! what did you do where were how who qué hiciste rosa taxi Rosa the we
        I brave vote afraid heart could say [name_1] <b> then why split it looked""".split()  # noqa: SIM905
    ),
    max_size=30,
).map(" ".join)


@given(question=ANYTHING | WORDS, language=st.sampled_from(["en", "es", "pt", "xx"]))
def test_whatever_passes_is_one_short_open_question_of_given_words(
    question: str, language: str
) -> None:
    text = TOLD.get(language, BUS)
    said = " ".join(question.split())
    if judge(said, text, language, raw=question) is not None:
        return
    assert language in ("en", "es")
    assert said.count("?") == 1 and len(said) <= MOST_CHARACTERS
    assert len(said.split()) <= MOST_WORDS
    bare, quotes = unquoted(said)
    assert all(q in text for q in quotes)
    assert language_of(bare) == language
    assert added(bare, text, language) == []
    assert "[" not in said and "<" not in said


@given(
    question=st.sampled_from([q for qs in GOOD.values() for q in qs]),
    foreign=st.sampled_from(
        ["heart", "justice", "mother", "corazón", "justicia", "hospital", "Juárez", "1987"]
    ),
)
def test_one_word_the_teller_did_not_give_is_enough_to_refuse(question: str, foreign: str) -> None:
    language = "es" if "¿" in question else "en"
    worse = question.replace("?", f" {foreign}?")
    assert judge(worse, TOLD[language], language) is not None


@given(one=st.text("abcdeíñ", min_size=1, max_size=9), other=st.text("abcdeíñ", max_size=3))
def test_short_words_are_related_to_nothing_but_themselves(one: str, other: str) -> None:
    assert related(one, one, "en")
    if len(other) < 4 and one != other:
        assert not related(one, other, "en")


def test_our_own_questions_are_told_from_the_other_language() -> None:
    """The guard for language may doubt a short question, but takes none for the other's."""
    book = catalogue()
    for language, other in (("en", "es"), ("es", "en")):
        for key in book.keys(language):
            if key.startswith("questions."):
                assert language_of(book.text(Line(key), language)) in (language, None), (key, other)


# -- a whole reply ------------------------------------------------------------------------------


def reply(
    question: str = "What made you split it, when your girl was alone?", **given: object
) -> Reply:
    statuses = dict.fromkeys(ORDER_OF_CARE[StoryOf.SELF], Status.MISSING)
    statuses[Element.SELF_CHALLENGE] = Status.PRESENT
    quotes = {Element.SELF_CHALLENGE: "14 didnt come. snow."}
    made = {"statuses": statuses, "quotes": quotes, "aim": Element.SELF_CHOICE, **given}
    return Reply(StoryOf.SELF, question=question, reader="told/coach-1", **made)  # type: ignore[arg-type]


EMBEDDED = reading(
    StoryOf.SELF, {"challenge": "me and Rosa at the stop 2am"}, {"choice": "we split it"}
)


def test_a_good_reply_gives_its_reading_and_its_question() -> None:
    weighed = weigh(reply(), EMBEDDED, BUS, "en", CoachingNotes())
    assert not weighed.refusals
    assert weighed.reading.reader == "told/coach-1"
    assert weighed.reading.statuses[Element.SELF_CHOICE] is Status.MISSING
    suggestion = weighed.reading.suggestion
    assert suggestion is not None and suggestion.element is Element.SELF_CHOICE


def test_a_question_about_something_else_is_refused() -> None:
    weighed = weigh(reply(aim=Element.SELF_HOPE), EMBEDDED, BUS, "en", CoachingNotes())
    assert weighed.reading.suggestion is None
    assert weighed.refusals == {Refusal.OTHER_ELEMENT: 1}


def test_what_was_skipped_is_not_asked_for_again() -> None:
    notes = CoachingNotes(skipped=(Element.SELF_CHOICE,))
    assert weigh(reply(), EMBEDDED, BUS, "en", notes).reading.suggestion is None
    values = reply("Who taught you to split what you had?", aim=Element.SELF_VALUES)
    assert weigh(values, EMBEDDED, BUS, "en", notes).reading.suggestion is not None


def test_an_almost_verbatim_quotation_is_read_by_the_embedded_reader_instead() -> None:
    almost = reply(quotes={Element.SELF_CHALLENGE: "The 14 didn't come. Snow."})
    almost = reply(
        statuses={**almost.statuses, Element.SELF_DETAIL: Status.PRESENT},
        quotes={**almost.quotes, Element.SELF_DETAIL: "snow. me and Rosa"},
    )
    weighed = weigh(almost, EMBEDDED, BUS, "en", CoachingNotes())
    assert weighed.refusals == {Refusal.NOT_VERBATIM: 1}
    assert weighed.reading.evidence == {
        Element.SELF_CHALLENGE: "me and Rosa at the stop 2am",
        Element.SELF_DETAIL: "snow. me and Rosa",
    }
    alone = weigh(almost, None, BUS, "en", CoachingNotes())
    assert alone.reading.statuses[Element.SELF_CHALLENGE] is Status.MISSING


def test_one_quotation_cannot_show_everything() -> None:
    everything = reply(
        statuses=dict.fromkeys(ORDER_OF_CARE[StoryOf.SELF], Status.PRESENT),
        quotes=dict.fromkeys(ORDER_OF_CARE[StoryOf.SELF], "i looked at rosa"),
    )
    weighed = weigh(everything, EMBEDDED, BUS, "en", CoachingNotes())
    assert weighed.refusals[Refusal.SAME_QUOTE] == 6
    assert weighed.reading.statuses == EMBEDDED.statuses


def test_a_model_that_has_not_read_is_not_believed_at_all() -> None:
    deaf = reply(statuses=dict.fromkeys(ORDER_OF_CARE[StoryOf.SELF], Status.MISSING), quotes={})
    weighed = weigh(deaf, EMBEDDED, BUS, "en", CoachingNotes())
    assert weighed.refusals == {Refusal.NOT_READ: 1}
    assert weighed.reading == EMBEDDED
    nothing_there = weigh(deaf, reading(StoryOf.SELF), BUS, "en", CoachingNotes())
    assert not nothing_there.refusals[Refusal.NOT_READ]


def test_a_value_is_only_ever_the_tellers_own_words() -> None:
    assert weigh(reply(value="we split it"), None, BUS, "en", CoachingNotes()).reading.value
    for value in ("solidarity", "nobody gets left at the stop", "it", BUS):
        weighed = weigh(reply(value=value), None, BUS, "en", CoachingNotes())
        assert weighed.reading.value is None and weighed.refusals[Refusal.NOT_VERBATIM] == 1


STATUSES = st.dictionaries(st.sampled_from(ORDER_OF_CARE[StoryOf.SELF]), st.sampled_from(Status))
QUOTES = st.dictionaries(
    st.sampled_from(ORDER_OF_CARE[StoryOf.SELF]),
    st.text(max_size=30)
    | st.tuples(st.integers(0, len(BUS)), st.integers(0, len(BUS))).map(
        lambda ends: BUS[min(ends) : max(ends)]
    ),
)


@given(
    statuses=STATUSES,
    quotes=QUOTES,
    value=st.text(max_size=60),
    question=ANYTHING | WORDS | st.sampled_from(GOOD["en"]),
    aim=st.sampled_from([*Element, None]),
    has_embedded=st.booleans(),
)
def test_whatever_a_model_replies_the_reading_is_whole_and_quotes_the_teller(
    statuses: dict[Element, Status],
    quotes: dict[Element, str],
    value: str,
    question: str,
    aim: Element | None,
    has_embedded: bool,
) -> None:
    given_back = Reply(StoryOf.SELF, statuses, quotes, value, aim, question)
    embedded = EMBEDDED if has_embedded else None
    heard = weigh(given_back, embedded, BUS, "en", CoachingNotes()).reading
    assert set(heard.statuses) == set(ORDER_OF_CARE[StoryOf.SELF])
    assert all(q in BUS for q in heard.evidence.values())
    there = {e for e, s in heard.statuses.items() if s is not Status.MISSING}
    assert there == set(heard.evidence)
    assert heard.value is None or heard.value in BUS
    if heard.suggestion is not None:
        assert heard.suggestion.element is heard.next_element()
        assert judge(heard.suggestion.question, BUS, "en") is None

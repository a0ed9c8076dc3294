"""What a model says is believed only so far: every quotation checked, every question judged.

Pure: the same reply and telling always give the same verdict. A refused question is replaced by
the framework's own, and the reason is counted; the resident cannot tell.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.core.coaching import CoachingNotes, gaps
from bot.core.masking import has_placeholder
from bot.core.narrative import ORDER_OF_CARE, Element, Reading, Status, StoryOf, Suggestion
from bot.core.quoting import shingles
from bot.core.speech import (
    ADVICE,
    ASKING,
    BLAMING,
    COACHING,
    DRAFTING,
    FUNCTION,
    MACHINE,
    OTHERS,
    PARTISAN,
    POLITICS,
    PRAISE,
    SECOND,
    TELLER,
    THIRD,
    language_of,
    related,
    words_of,
)

MOST_WORDS = 25
"""Words in a question: longer ones are speeches."""
FEWEST_WORDS = 3
MOST_CHARACTERS = 180
MOST_SENTENCES = 2
"""One to lead in, one to ask."""

LONGEST_QUOTE = 40
"""Words of a quotation that shows an element, as the embedded reader's."""
SHORTEST_QUOTE = 2
LONGEST_VALUE = 18
SHORTEST_VALUE = 3
MOST_SHARED = 2
"""Elements that one quotation may show; a model that gives it for more has not read."""


class Refusal(StrEnum):
    """Why something a model said was not used."""

    EMPTY = "empty"
    MARKUP = "markup"
    TOO_LONG = "too_long"
    NOT_ONE_QUESTION = "not_one_question"
    CLOSED_QUESTION = "closed_question"
    BLAMING = "blaming"
    OTHER_LANGUAGE = "other_language"
    OTHER_ELEMENT = "other_element"
    NOT_VERBATIM = "not_verbatim"
    SAME_QUOTE = "same_quote"
    NOT_READ = "not_read"
    ADDED_CONTENT = "added_content"
    PRAISE = "praise"
    DRAFTING = "drafting"
    ADVICE = "advice"
    POLITICS = "politics"
    OTHER_PEOPLE = "other_people"
    INSTRUCTIONS = "instructions"
    ASKED_BEFORE = "asked_before"


@dataclass(frozen=True)
class Reply:
    """What a model answered to one telling, with placeholders already taken out.

    `quotes` should be verbatim and `aim` the element the `question` is about; nothing here is
    believed. `orders` are shingles of its instructions, to notice when it recites them.
    """

    stage: StoryOf
    statuses: Mapping[Element, Status]
    quotes: Mapping[Element, str]
    value: str = ""
    aim: Element | None = None
    question: str = ""
    reader: str = "model"
    orders: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Weighed:
    """A reading that may be used, and what was refused on the way, each time it was."""

    reading: Reading
    refusals: Counter[Refusal] = field(default_factory=Counter)


def weigh(
    reply: Reply, embedded: Reading | None, text: str, language: str, notes: CoachingNotes
) -> Weighed:
    """What of a model's reply to `text` may be used.

    An element whose quotation is not really there is read by the embedded reader instead (missing
    without one). Failure modes and the line worth quoting are always the embedded reader's. A
    model that misquotes more than it quotes, or hears nothing where the embedded reader surely
    does, has not read the telling: then nothing of its reply is used.
    """
    refused: Counter[Refusal] = Counter()
    statuses: dict[Element, Status] = {}
    evidence: dict[Element, str] = {}
    given = Counter(q.strip() for e, q in reply.quotes.items() if q.strip())
    for element in ORDER_OF_CARE[reply.stage]:
        status = reply.statuses.get(element, Status.MISSING)
        quote = reply.quotes.get(element, "").strip()
        if status is Status.MISSING:
            statuses[element] = status
            continue
        refusal = _quote_refused(quote, text, given[quote])
        if refusal is None:
            statuses[element], evidence[element] = status, quote
            continue
        refused[refusal] += 1
        statuses[element] = embedded.statuses[element] if embedded else Status.MISSING
        if embedded and element in embedded.evidence:
            evidence[element] = embedded.evidence[element]
    if embedded and _has_not_read(reply, refused, embedded):
        refused[Refusal.NOT_READ] += 1
        return Weighed(embedded.only_verbatim(text), refused)
    value = _one_line(reply.value)
    if value and (value not in text or not SHORTEST_VALUE <= len(value.split()) <= LONGEST_VALUE):
        refused[Refusal.NOT_VERBATIM] += 1
        value = ""
    reading = Reading(
        reply.stage,
        statuses,
        evidence,
        embedded.modes if embedded else (),
        embedded.line if embedded else None,
        reply.reader,
        value or None,
    ).only_verbatim(text)
    wanted = next(iter(gaps(reading, reply.stage, notes)), None)
    if wanted is None:
        return Weighed(reading, refused)
    question = _one_line(reply.question)
    refusal = judge(
        question, text, language, orders=reply.orders, asked=notes.suggested, raw=reply.question
    )
    if refusal is None and reply.aim is not wanted:
        refusal = Refusal.OTHER_ELEMENT
    if refusal is not None:
        refused[refusal] += 1
        return Weighed(reading, refused)
    return Weighed(replace(reading, suggestion=Suggestion(question, wanted)), refused)


def _has_not_read(reply: Reply, refused: Counter[Refusal], embedded: Reading) -> bool:
    there = sum(s is not Status.MISSING for s in reply.statuses.values())
    if there:
        return refused.total() * 2 > there
    return Status.PRESENT in embedded.statuses.values()


def _quote_refused(quote: str, text: str, shared: int) -> Refusal | None:
    if not quote or quote not in text:
        return Refusal.NOT_VERBATIM
    if not SHORTEST_QUOTE <= len(quote.split()) <= LONGEST_QUOTE:
        return Refusal.NOT_VERBATIM
    return Refusal.SAME_QUOTE if shared > MOST_SHARED else None


# -- one question -------------------------------------------------------------------------------


def judge(
    question: str,
    text: str,
    language: str,
    *,
    orders: Collection[int] = (),
    asked: Collection[int] = (),
    raw: str | None = None,
) -> Refusal | None:
    """Why a question may not be asked about `text`, None when it may.

    `asked` are marks of questions asked before (see `mark`); `raw` the question before it was put
    on one line. Content counts as given when the telling has the word or a form of it.
    """
    if not question:
        return Refusal.EMPTY
    if len(question) > MOST_CHARACTERS or len(question.split()) > MOST_WORDS:
        return Refusal.TOO_LONG
    if _MARKUP.search(raw if raw is not None else question) or has_placeholder(question):
        return Refusal.MARKUP
    bare, quotes = unquoted(question)
    if MACHINE.search(bare) or set(shingles(question)) & set(orders):
        return Refusal.INSTRUCTIONS
    if any(q not in text for q in quotes):
        return Refusal.NOT_VERBATIM
    if language_of(bare) not in (language, None):
        return Refusal.OTHER_LANGUAGE
    if PRAISE.search(bare):
        return Refusal.PRAISE
    if DRAFTING.search(bare):
        return Refusal.DRAFTING
    if ADVICE.search(bare):
        return Refusal.ADVICE
    told = set(words_of(text))
    if PARTISAN.search(bare) or any(
        not set(words_of(found[0])) <= told for found in POLITICS.finditer(bare)
    ):
        return Refusal.POLITICS
    if _is_about_others(bare, language):
        return Refusal.OTHER_PEOPLE
    return (
        _shape_refused(bare, question, language)
        or _language_refused(bare, language)
        or (Refusal.ADDED_CONTENT if added(bare, text, language) else None)
        or (Refusal.ASKED_BEFORE if mark(question) in asked else None)
    )


def mark(question: str) -> int:
    """A checksum of a question by its words, so that it is known again without being kept."""
    return zlib.crc32(" ".join(words_of(question)).encode())


def added(bare: str, text: str, language: str) -> list[str]:
    """Words of a question that neither the teller gave nor every coach uses, in order."""
    own = FUNCTION.get(language, frozenset()) | COACHING.get(language, frozenset())
    told = set(words_of(text))
    return [
        word
        for word in words_of(bare)
        if word not in own and not any(related(word, other, language) for other in told)
    ]


def unquoted(question: str) -> tuple[str, list[str]]:
    """The question without what it quotes, and each quotation without its marks and ellipses."""
    quotes = [
        next(part for part in found.groups() if part is not None).strip(" …,.;:")
        for found in _QUOTED.finditer(question)
    ]
    return _QUOTED.sub(" ", question), [q for q in quotes if q]


_QUOTED = re.compile(
    r"“([^“”]*)”|\"([^\"]*)\"|«([^«»]*)»|‘([^‘’]*)’(?!\w)|(?<!\w)'([^']{2,}?)'(?!\w)"
)
_MARKUP = re.compile(
    r"[<>{}\[\]|\\`*_#~^=@\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
    r"|https?:|www\.|\w\.(?:com|org|net)\b|[\U0001f000-\U0001faff\u2600-\u27bf]"
    r"|[^\W\d_a-zA-Z\u00c0-\u024f]"
)
"""Marks, links, pictures and letters of other alphabets; nothing a plain question needs."""


def _shape_refused(bare: str, question: str, language: str) -> Refusal | None:
    if len(bare.split()) < FEWEST_WORDS:
        return Refusal.EMPTY
    if question.count("?") != 1 or not bare.rstrip().endswith("?") or question.count("¿") > 1:
        return Refusal.NOT_ONE_QUESTION
    if language == "es" and bare.count("¿") != 1:
        return Refusal.NOT_ONE_QUESTION
    if language != "es" and "¿" in question:
        return Refusal.OTHER_LANGUAGE
    sentences = [s for s in re.split(r"(?<=[.!?…:])\s+", bare.strip()) if s.strip(" .!?…")]
    asking, pattern = sentences[-1], ASKING.get(language)
    if len(sentences) > MOST_SENTENCES or "!" in bare or ";" in bare:
        return Refusal.NOT_ONE_QUESTION
    if BLAMING.search(bare):
        return Refusal.BLAMING
    opening = asking.rpartition("¿")[2] if language == "es" else asking
    if pattern is None or not pattern.search(opening):
        return Refusal.CLOSED_QUESTION
    if _CLOSED[language].match(opening.strip()):
        return Refusal.CLOSED_QUESTION
    if SECOND[language].search(bare):
        return Refusal.NOT_ONE_QUESTION
    return None


_CLOSED = {
    "en": re.compile(
        r"(?:and |so |but |then )?(?:do|does|did|is|are|was|were|have|has|had|can|could|would|will"
        r"|should|may|might|isn't|wasn't|didn't|don't|aren't|won't)\b", re.IGNORECASE),
    "es": re.compile(
        r"(?:y |pero |entonces )?(?:es|era|fue|fuiste|est[aá]s?|estaba|hay|hab[ií]a|has|ha|tienes"
        r"|ten[ií]as|puedes|pod[ií]as|quieres|quer[ií]as|crees|te sientes|te sentiste|sientes"
        r"|sentiste|tuviste|te gustar[ií]a)\b", re.IGNORECASE),
}  # fmt: skip
"""A yes or no would do for an answer, so the asker has already said what it is."""


def _language_refused(bare: str, language: str) -> Refusal | None:
    """Another language, or none that can be told."""
    return None if language_of(bare) == language else Refusal.OTHER_LANGUAGE


def _is_about_others(bare: str, language: str) -> bool:
    """Asks after somebody else instead of the teller, or after what is nobody's business."""
    if OTHERS.search(bare):
        return True
    to_teller = TELLER.get(language)
    third = THIRD.get(language)
    speaks_to_teller = bool(to_teller and to_teller.search(bare))
    named = re.search(r"(?<=[\w,;:] )(?!I\b)[A-ZÁÉÍÓÚÑÜ][\w'’]+", bare)
    return not speaks_to_teller and bool(named or (third and third.search(bare)))


def _one_line(words: str) -> str:
    return " ".join(words.split())


__all__ = ["Refusal", "Reply", "Weighed", "added", "judge", "mark", "unquoted", "weigh"]

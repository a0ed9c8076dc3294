"""Every sentence the bot says, in every language: there, single-questioned, short and plain."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations

import pytest

from bot.core.turn import Line
from bot.words.catalogue import FIELD, MESSAGES, Catalogue, plain

CATALOGUE = Catalogue()
LANGUAGES = CATALOGUE.languages
HELPED = Catalogue(constants={code: {"care_lines": "Call 988"} for code in LANGUAGES})

COUNTED_APART = ("questions.", "coaching.reflect.", "telling.listening.", "phrases.")
"""Lists whose length is each language's own; the list itself must be in every language."""

LONG = {"arriving.my_words", "arriving.welcome", "rights.help", "rights.privacy"}
"""What must be told whole, once, in one message."""

PRAISE = re.compile(
    r"\b(amazing|awesome|powerful|great (?:job|story|work)|good job|well done|wonderful|brilliant"
    r"|incre[ií]ble|genial|poderos[oa]|maravillos[oa]|excelente|bravo|felicidades|felicitaciones"
    r"|qué bonit[oa]|buen trabajo)\b",
    re.IGNORECASE,
)

BLAME = re.compile(r"why (?:did|didn't|do|don't) you|¿[^?]*\bpor qué\b", re.IGNORECASE)

APART = (
    "skip", "rest", "help", "forget", "withdraw", "undo", "read_back", "example", "thats_it",
    "dont_know", "confused",
)  # fmt: skip
"""What may be meant at any time: a phrase that meant two of these would do the wrong thing."""


def texts(language: str) -> dict[str, str]:
    """Every message but the phrases people type, with its braces still open."""
    filled: dict[str, str] = {}
    for key in CATALOGUE.keys(language):
        if not key.startswith("phrases."):
            words = _Open()
            filled[key] = CATALOGUE.text(Line(key, words), language)
    return filled


class _Open(dict[str, str]):
    """Puts each `{name}` back as it was."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


TEXTS = {language: texts(language) for language in LANGUAGES}
EVERY = [(language, key) for language in LANGUAGES for key in sorted(TEXTS[language])]


def filled(language: str, key: str) -> Line:
    """A message with a word in every blank but the help lines, which are everyone's."""
    blanks = set(FIELD.findall(TEXTS[language][key])) - {"care_lines"}
    return Line(key, {name: "word" for name in blanks})


def phrases(language: str, choice: str) -> set[str]:
    """What people type to mean a choice, as the catalogue compares it."""
    stem = f"phrases.{choice}"
    count = CATALOGUE.variants(stem, language)
    return {plain(CATALOGUE.text(Line(f"{stem}.{n}"), language)) for n in range(1, count + 1)}


def questions(language: str) -> list[str]:
    """Keys of the coach's questions."""
    return sorted(key for key in TEXTS[language] if key.startswith("questions."))


def lists(language: str) -> set[str]:
    """Keys, with the numbers taken off lists that differ in length."""
    return {
        key.rpartition(".")[0] if key.startswith(COUNTED_APART) else key
        for key in CATALOGUE.keys(language)
    }


# -- the same in every language -----------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_exists_in_every_language(language: str) -> None:
    assert lists(language) ^ lists(LANGUAGES[0]) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_has_fewer_questions_reflections_or_phrases(language: str) -> None:
    stems = {k.rpartition(".")[0] for k in CATALOGUE.keys("en") if k.startswith(COUNTED_APART)}
    fewer = {
        stem
        for stem in stems
        if not stem.startswith("phrases.speak:")
        and CATALOGUE.variants(stem, language) < CATALOGUE.variants(stem, "en")
    }
    assert fewer == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_message_has_the_same_blanks_in_every_language(language: str) -> None:
    for key in sorted(TEXTS[language].keys() & TEXTS["en"].keys()):
        blanks = sorted(FIELD.findall(TEXTS[language][key]))
        assert blanks == sorted(FIELD.findall(TEXTS["en"][key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_calls_itself_by_its_own_name(language: str) -> None:
    for key in ("start", "names"):
        for code in LANGUAGES:
            assert CATALOGUE.has(f"languages.{key}.{code}", language)
            line = Line(f"languages.{key}.{code}")
            assert CATALOGUE.text(line, language) == CATALOGUE.text(line, code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_files(language: str) -> None:
    files = {p.name for p in (MESSAGES / language).glob("*.yaml")}
    assert files == {p.name for p in (MESSAGES / "en").glob("*.yaml")}


# -- each message -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_message_renders_with_no_brace_left(language: str) -> None:
    for key in TEXTS[language]:
        line = filled(language, key)
        for shown in (HELPED.text(line, language), HELPED.markup(line, language)):
            assert shown.strip(), key
            assert not set(shown) & set("{}"), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_italics_and_bold_are_marked_and_always_closed(language: str) -> None:
    for key in TEXTS[language]:
        shown = HELPED.markup(filled(language, key), language)
        assert set(re.findall(r"<[^>]*>", shown)) <= {"<b>", "</b>", "<i>", "</i>"}, key
        for tag in "bi":
            assert shown.count(f"<{tag}>") == shown.count(f"</{tag}>"), key


def test_a_message_asks_at_most_one_thing() -> None:
    """The list of exceptions is exact, so that a mended message leaves it."""
    assert {(lang, key) for lang, key in EVERY if TEXTS[lang][key].count("?") > 1} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_is_at_most_sixty_words(language: str) -> None:
    lengths = {key: len(text.split()) for key, text in TEXTS[language].items()}
    assert {key for key, words in lengths.items() if words > (90 if key in LONG else 60)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_is_praised_vaguely(language: str) -> None:
    assert {key for key, text in TEXTS[language].items() if PRAISE.search(text)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_asks_anyone_to_account_for_themselves(language: str) -> None:
    assert {key for key, text in TEXTS[language].items() if BLAME.search(text)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_quotation_marks_are_curly_and_in_pairs(language: str) -> None:
    for key, text in TEXTS[language].items():
        assert '"' not in text, key
        assert text.count("“") == text.count("”"), key


# -- questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_is_one_short_question(language: str) -> None:
    for key in questions(language):
        text = TEXTS[language][key]
        assert text.count("?") == 1, key
        assert len(text.split()) < 25, key
        assert not re.search(r"\bpor qué\b", text, re.IGNORECASE), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_gap_has_the_same_question_twice(language: str) -> None:
    asked = defaultdict(list)
    for key in questions(language):
        asked[key.rpartition(".")[0]].append(TEXTS[language][key])
    for family, wordings in asked.items():
        assert len(set(wordings)) == len(wordings), family


# -- buttons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_is_under_thirty_four_characters(language: str) -> None:
    labels = {
        key: len(text.replace("{number}", "12"))
        for key, text in TEXTS[language].items()
        if key.startswith(("choices.", "parts.", "names.", "answers.", "versions.", "languages."))
    }
    assert {key for key, length in labels.items() if length >= 34} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_bot_says_to_type_is_understood(language: str) -> None:
    named = {
        "en": ("that's it", "skip", "rest", "undo", "example", "read it back"),
        "es": ("eso es todo", "saltar", "descansar", "deshacer", "ejemplo", "léemela"),
    }[language]
    choices = ("thats_it", "skip", "rest", "undo", "example", "read_back")
    for words, choice in zip(named, choices, strict=True):
        assert plain(words) in phrases(language, choice)
    assert all(f"“{words}”" in TEXTS[language]["rights.help"] for words in named[1:])


# -- what people type ---------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), list(combinations(APART, 2)))
def test_no_phrase_means_two_things_that_are_always_open(one: str, other: str) -> None:
    mine = set().union(*(phrases(code, one) for code in LANGUAGES))
    theirs = set().union(*(phrases(code, other) for code in LANGUAGES))
    assert mine & theirs == set()


@pytest.mark.parametrize("choice", APART)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_always_open_is_never_taken_for_yes_or_no(language: str, choice: str) -> None:
    answers = set().union(*(phrases(code, c) for code in LANGUAGES for c in ("yes", "no")))
    assert phrases(language, choice) & answers <= {"listo"}  # "done" and "all right" alike


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_is_empty_or_longer_than_is_understood(language: str) -> None:
    for key in CATALOGUE.keys(language):
        if key.startswith("phrases."):
            said = plain(CATALOGUE.text(Line(key), language))
            assert 0 < len(said) <= 60, key


# -- Spanish ------------------------------------------------------------------------------------

SPANISH = {key: text for key, text in TEXTS["es"].items() if key != "languages.start.en"}

NOT_TU = re.compile(
    r"\b(usted(es)?|vosotr[oa]s|vuestr[oa]s?|vos|os|bienvenid[oa]s?"
    r"|(?:estás|eres|quedas) (?:segur|list|cansad|sol|tranquil|preparad)[oa])\b",
    re.IGNORECASE,
)
"""Other ways to say you, and words that would make the teller a man or a woman."""

NOT_OURS = re.compile(r"elecci[oó]n|\b(?:de|del) (?:uno mismo|una misma|yo)\b", re.IGNORECASE)
"""Words our glossary set aside: decisión, mi historia."""


def test_spanish_speaks_as_tu_to_anyone() -> None:
    assert {key for key, text in SPANISH.items() if NOT_TU.search(text)} == set()


def test_spanish_questions_open_as_they_close() -> None:
    assert {key for key, text in SPANISH.items() if text.count("¿") != text.count("?")} == set()


def test_spanish_keeps_to_the_glossary() -> None:
    assert {key for key, text in SPANISH.items() if NOT_OURS.search(text)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_keys_ask_the_same_question(language: str) -> None:
    asked = [t.casefold() for key, t in TEXTS[language].items() if key.startswith("questions.")]
    assert sorted(asked) == sorted(set(asked))

"""The catalogue: finding, filling and escaping words, and hearing what people type."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.turn import Choice, Line
from bot.words.catalogue import BadMessages, Catalogue, plain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small languages, one folder each."""
    write(
        tmp_path,
        "en",
        hello='hello: "Hello {name}, <b>{part}</b>"\n'
        'lines: "{care_lines}"\n'
        "many:\n  - one\n  - two\n  - three\n"
        "parts:\n  self: My story\n",
        phrases="phrases:\n"
        '  thats_it: ["that\'s it", "done"]\n'
        '  skip: ["skip"]\n'
        '  part:self: ["mine"]\n'
        "choices:\n"
        '  skip: "Skip it"\n'
        '  open: "Open {number}"\n',
    )
    write(
        tmp_path,
        "es",
        hello='hello: "Hola {name}, <b>{part}</b>"\n'
        'lines: "{care_lines}"\n'
        "many:\n  - uno\n  - dos\n"
        "parts:\n  self: Mi historia\n",
        phrases="phrases:\n"
        '  thats_it: ["Ya está", "eso es todo"]\n'
        '  skip: ["saltar"]\n'
        '  part:self: ["la mía"]\n'
        "choices:\n"
        '  skip: "Saltar"\n'
        '  open: "Abrir {number}"\n',
    )
    return tmp_path


@pytest.fixture
def book(folder: Path) -> Catalogue:
    """The small catalogue, with one constant in English only."""
    return Catalogue(folder, constants={"en": {"care_lines": "Call 988 & ask"}})


def write(folder: Path, language: str, **files: str) -> None:
    """Put message files of one language under `folder`."""
    (folder / language).mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / language / f"{name}.yaml").write_text(text, encoding="utf-8")


SKIP = Choice("skip", "choices.skip")
THATS_IT = Choice("thats_it", "choices.skip")
OPEN_2 = Choice("open:2", "choices.open", {"number": "2"})
PART_SELF = Choice("part:self", "parts.self")


# -- loading ------------------------------------------------------------------------------------


def test_the_first_language_stands_first(folder: Path) -> None:
    assert Catalogue(folder).languages == ("en", "es")
    assert Catalogue(folder, first="es").languages == ("es", "en")


def test_a_folder_without_the_first_language_is_refused(folder: Path) -> None:
    with pytest.raises(BadMessages, match="no messages for pt"):
        Catalogue(folder, first="pt")


def test_a_folder_without_message_files_is_no_language(folder: Path) -> None:
    (folder / "drafts").mkdir()
    assert Catalogue(folder).languages == ("en", "es")


def test_the_same_key_in_two_files_is_refused(folder: Path) -> None:
    write(folder, "es", more='hello: "Buenas"\n')
    with pytest.raises(BadMessages, match=r"es/more.yaml: hello is there twice"):
        Catalogue(folder)


@pytest.mark.parametrize("value", ["yes", "3", "null"])
def test_a_value_that_is_not_words_is_refused_by_its_key(folder: Path, value: str) -> None:
    write(folder, "en", more=f"more:\n  count: {value}\n")
    with pytest.raises(BadMessages, match=r"more\.count"):
        Catalogue(folder)


def test_a_file_that_is_not_yaml_is_refused_by_name(folder: Path) -> None:
    write(folder, "en", broken='more: "never closed\n')
    with pytest.raises(BadMessages, match=r"en/broken.yaml is not valid YAML"):
        Catalogue(folder)


def test_an_empty_file_adds_nothing(folder: Path) -> None:
    before = Catalogue(folder).keys("en")
    write(folder, "en", empty="")
    assert Catalogue(folder).keys("en") == before


# -- filling ------------------------------------------------------------------------------------


def test_a_missing_message_is_named(book: Catalogue) -> None:
    with pytest.raises(KeyError, match="no message goodbye in es"):
        book.text(Line("goodbye"), "es")


def test_a_missing_word_is_named(book: Catalogue) -> None:
    with pytest.raises(KeyError, match="part"):
        book.text(Line("hello", {"name": "Ana"}), "en")


def test_a_language_that_is_not_there_is_an_error(book: Catalogue) -> None:
    with pytest.raises(KeyError):
        book.text(Line("hello"), "fr")


def test_a_teller_s_marks_are_escaped_in_markup_and_untouched_in_text(book: Catalogue) -> None:
    line = Line("hello", {"name": '<b>Ana</b> & "Bo"', "part": "</b>1 < 2"})
    assert book.markup(line, "en") == (
        'Hello &lt;b&gt;Ana&lt;/b&gt; &amp; "Bo", <b>&lt;/b&gt;1 &lt; 2</b>'
    )


def test_text_drops_the_catalogue_s_own_tags(book: Catalogue) -> None:
    assert book.text(Line("hello", {"name": "Ana", "part": "us"}), "es") == "Hola Ana, us"


def test_braces_in_a_teller_s_words_are_never_filled(book: Catalogue) -> None:
    line = Line("hello", {"name": "{part} {care_lines} {", "part": "{name}"})
    assert book.text(line, "en") == "Hello {part} {care_lines} {, {name}"
    assert book.markup(line, "en") == "Hello {part} {care_lines} {, <b>{name}</b>"


def test_a_reference_is_filled_in_the_language_spoken(book: Catalogue) -> None:
    line = Line("hello", {"name": "Ana"}, {"part": "parts.self"})
    assert book.text(line, "en") == "Hello Ana, My story"
    assert book.markup(line, "es") == "Hola Ana, <b>Mi historia</b>"


def test_a_reference_to_no_message_is_an_error(book: Catalogue) -> None:
    with pytest.raises(KeyError, match=r"parts\.them"):
        book.text(Line("hello", {"name": "Ana"}, {"part": "parts.them"}), "en")


def test_a_constant_fills_in_where_its_language_has_one(book: Catalogue) -> None:
    assert book.text(Line("lines"), "en") == "Call 988 & ask"
    assert book.markup(Line("lines"), "en") == "Call 988 &amp; ask"
    with pytest.raises(KeyError, match="care_lines"):
        book.text(Line("lines"), "es")


def test_a_line_s_own_word_goes_before_a_constant(book: Catalogue) -> None:
    assert book.text(Line("lines", {"care_lines": "Call Ana"}), "en") == "Call Ana"


def test_wordings_are_counted_and_reached_by_number(book: Catalogue) -> None:
    assert [book.variants(k, "en") for k in ("many", "hello", "goodbye")] == [3, 1, 0]
    assert book.variants("many", "es") == 2
    assert book.text(Line("many.3"), "en") == "three"
    assert book.text(Line("many"), "en") == "one"
    assert book.has("many.2", "es") and not book.has("many.3", "es")


def test_a_checkbox_shows_whether_it_is_on(book: Catalogue) -> None:
    labels = [book.label(Choice("use", "parts.self", checked=c), "es") for c in (None, True, False)]
    assert labels == ["Mi historia", "☑ Mi historia", "☐ Mi historia"]


# -- hearing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    ["that's it", "That’s it!", "thats it", "THATS  IT...", "done", "¡Ya está!", "ya esta",
     "YA ESTÁ", "Eso es todo.", " eso  es todo\n", "ya esta\u0301"],
)  # fmt: skip
def test_a_phrase_is_heard_in_any_language_case_accent_and_mark(
    book: Catalogue, typed: str
) -> None:
    assert book.understand(typed, [SKIP, THATS_IT]) == "thats_it"


@pytest.mark.parametrize("typed", ["skip it", "Saltar", "saltar…"])
def test_a_button_s_label_typed_out_means_the_button(book: Catalogue, typed: str) -> None:
    assert book.understand(typed, [SKIP]) == "skip"


@pytest.mark.parametrize("typed", ["open 2", "Abrir 2"])
def test_a_label_is_compared_with_its_words_filled_in(book: Catalogue, typed: str) -> None:
    assert book.understand(typed, [OPEN_2]) == "open:2"


def test_a_label_with_another_number_is_not_this_button(book: Catalogue) -> None:
    assert book.understand("open 3", [OPEN_2]) is None


def test_a_choice_with_a_parameter_has_its_own_phrases(book: Catalogue) -> None:
    assert book.understand("La mía", [PART_SELF]) == "part:self"
    assert book.understand("la mia", [Choice("part:us", "parts.us")]) is None


def test_a_phrase_that_is_not_among_the_choices_means_nothing(book: Catalogue) -> None:
    assert book.understand("skip", [THATS_IT, PART_SELF]) != "skip"
    assert book.understand("done", [SKIP]) is None


def test_the_first_choice_that_fits_is_meant(folder: Path) -> None:
    write(folder, "en", more='phrases:\n  rest: ["done"]\n')
    book = Catalogue(folder)
    rest = Choice("rest", "choices.rest")
    assert book.understand("done", [rest, THATS_IT]) == "rest"
    assert book.understand("done", [THATS_IT, rest]) == "thats_it"


@pytest.mark.parametrize(
    "typed",
    ["and that's it for the bus", "then we were done", "ya está la sopa", "", "   ", "?!", "👍"],
)
def test_a_sentence_that_holds_a_phrase_stays_a_sentence(book: Catalogue, typed: str) -> None:
    assert book.understand(typed, [THATS_IT, SKIP]) is None
    assert not book.is_phrase(typed)


def test_a_long_message_is_never_a_button(folder: Path) -> None:
    long = "that is it " * 6
    write(folder, "en", more=f'phrases:\n  rest: ["{long.strip()}"]\n')
    assert Catalogue(folder).understand(long, [Choice("rest", "choices.rest")]) is None


def test_a_phrase_or_label_of_any_language_only_stands_for_a_button(book: Catalogue) -> None:
    assert all(book.is_phrase(t) for t in ("Done!", "eso es todo", "saltar", "Mi historia"))


def test_what_the_bot_says_is_not_what_people_press(book: Catalogue) -> None:
    assert not any(book.is_phrase(t) for t in ("one", "dos", "Hola Ana"))


@pytest.mark.parametrize(
    ("typed", "same"),
    [("¿Qué?", "que"), ("Can’t", "cant"), ("18+", "18+"), ("A—B", "a b"), ("SÍ,  dale!", "si dale"),
     ("ＯＫ", "ok"), ("straße", "strasse")],
)  # fmt: skip
def test_two_typings_of_a_phrase_share_their_plain_form(typed: str, same: str) -> None:
    assert plain(typed) == same

"""Sentences are exact slices, whatever was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.reading.sentences import LONGEST_BREATH, MOST_SENTENCES, split


def texts(telling: str) -> list[str]:
    return [s.text for s in split(telling)]


@given(st.text(max_size=600))
def test_every_sentence_is_an_exact_slice_in_order(telling: str) -> None:
    end = 0
    for sentence in split(telling):
        assert telling[sentence.start : sentence.end] == sentence.text
        assert sentence.start >= end
        assert any(c.isalnum() for c in sentence.text)
        end = sentence.end


@given(st.lists(st.sampled_from(["and", "pero", "aí", "agua", "then", "1.", "Sr.", ",", "…"])))
def test_no_letter_is_lost(words: list[str]) -> None:
    telling = " ".join(words)
    kept = "".join(c for s in split(telling) for c in s.text if c.isalnum())
    if len(words) < 100:
        assert kept == "".join(c for c in telling if c.isalnum())


def test_full_stops_end_sentences_and_abbreviations_do_not() -> None:
    assert texts("I met Dr. Silva at 7 a.m. on the stairs. She asked me in.") == [
        "I met Dr. Silva at 7 a.m. on the stairs.",
        "She asked me in.",
    ]
    assert texts("Fui con la Sra. Pérez a la Av. Central. Nos cerraron la puerta.") == [
        "Fui con la Sra. Pérez a la Av. Central.",
        "Nos cerraron la puerta.",
    ]


def test_line_breaks_end_sentences() -> None:
    assert texts("we met at nine\nthere were six of us\r\nnobody spoke") == [
        "we met at nine",
        "there were six of us",
        "nobody spoke",
    ]


def test_quoted_questions_stay_with_who_said_them() -> None:
    assert texts('"Are you coming?" she said from the stairs. I put my coat on.') == [
        '"Are you coming?" she said from the stairs.',
        "I put my coat on.",
    ]


def test_one_and_two_word_sentences_lean_on_a_neighbour() -> None:
    assert texts("I said no. Never. The door was shut and the light went out.") == [
        "I said no. Never.",
        "The door was shut and the light went out.",
    ]


@pytest.mark.parametrize(
    "telling",
    [
        "so i was standing at the stop it was snowing and rosa was there with her knee and i had "
        "money for one taxi and my girl was alone at home but i looked at rosa and then we "
        "split it and i got home at four o clock and walked the last bit and she still talks of it",
        "bueno pues yo venía del trabajo ya cansado y había una señora parada ahí con su niño que "
        "no se animaba a cruzar porque el puente estaba sin luz entonces me regresé y le dije "
        "véngase yo le alumbro y subimos los tres y el niño me agarró de la manga",
        "aí eu tava na fila da creche desde as cinco e a moça falou que não tinha vaga e eu ia "
        "embora mas olhei pra Dona Cida com o neto no colo então eu voltei e falei que a gente "
        "não saía dali e as outras sentaram no chão também",
    ],
)
def test_dictated_words_are_cut_into_breaths(telling: str) -> None:
    lengths = [len(t.split()) for t in texts(telling)]
    assert len(lengths) > 2
    assert all(5 <= n <= LONGEST_BREATH for n in lengths)


def test_direction_marks_and_emoji_neither_break_nor_become_sentences() -> None:
    assert texts("\u200f\u200b🙂🙂\n\u202e…\n") == []
    assert texts("at last we won 🎉🎉 nobody slept that night 😂") == [
        "at last we won 🎉🎉",
        "nobody slept that night 😂",
    ]


def test_ten_thousand_characters_are_all_kept_in_bounded_sentences() -> None:
    telling = "Nobody came. " * 770
    sentences = split(telling)
    assert len(sentences) <= MOST_SENTENCES
    assert sum(len(s.text.split()) for s in sentences) == len(telling.split())

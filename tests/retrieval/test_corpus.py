"""The corpus as shipped keeps its format, and a file that breaks it is named with its fault."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from bot.core.narrative import Element, StoryOf, count_words
from bot.retrieval.corpus import BadNarrative, CorpusSource, Narrative, load, parse
from tests.retrieval.small import write_narrative

NARRATIVES = Path(__file__).parents[2] / "corpus" / "narratives"
ENGLISH = frozenset(["the", "and", "of", "to", "was", "it", "that", "my", "for", "with", "we"])
SPANISH = frozenset(["de", "que", "la", "el", "y", "en", "los", "se", "no", "con", "una", "me"])
TAKEN = re.compile(r"\b(boiler|kettle|caldera|tetera|bus 14|14 bus|taxi)\b", re.IGNORECASE)
"""What the project's own teaching examples are about; residents should meet others."""


@pytest.fixture(scope="module")
def narratives() -> list[Narrative]:
    return list(load(NARRATIVES))


def test_there_are_at_least_32_narratives_in_each_language(narratives: list[Narrative]) -> None:
    counts = Counter(n.language for n in narratives)
    assert set(counts) == {"en", "es"}
    assert min(counts.values()) >= 32


def test_every_stage_is_told_at_least_ten_times_in_each_language(
    narratives: list[Narrative],
) -> None:
    counts = Counter((n.language, n.stage) for n in narratives)
    for language in ("en", "es"):
        for stage in StoryOf:
            assert counts[language, stage] >= 10


def test_every_element_has_at_least_eight_passages_in_each_language(
    narratives: list[Narrative],
) -> None:
    counts = Counter((n.language, move) for n in narratives for move in n.moves)
    thin = [
        (language, move.value, counts[language, move])
        for language in ("en", "es")
        for move in Element
        if counts[language, move] < 8
    ]
    assert not thin


def test_every_marked_sentence_is_verbatim_and_neither_too_long_nor_too_short(
    narratives: list[Narrative],
) -> None:
    for n in narratives:
        for sentence in n.moves.values():
            assert sentence in n.text
            assert 8 <= count_words(sentence) <= 45
            assert sentence[-1] in '.!?"»'


def test_no_two_marked_sentences_are_the_same(narratives: list[Narrative]) -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for n in narratives:
        for sentence in n.moves.values():
            where[sentence].append(n.id)
    assert {s: ids for s, ids in where.items() if len(ids) > 1} == {}


def test_no_marked_sentence_holds_another(narratives: list[Narrative]) -> None:
    for n in narratives:
        for one in n.moves.values():
            assert not any(one != other and one in other for other in n.moves.values()), n.id


def test_every_narrative_can_be_told_in_under_two_minutes(narratives: list[Narrative]) -> None:
    assert {
        n.id: count_words(n.text) for n in narratives if not 90 <= count_words(n.text) <= 220
    } == {}


def test_every_narrative_is_marked_as_an_illustration_of_this_project(
    narratives: list[Narrative],
) -> None:
    for n in narratives:
        assert n.illustration
        assert (n.author, n.source, n.licence) == (
            "Written for this project", "original", "CC BY 4.0",
        )  # fmt: skip


def test_every_narrative_is_in_the_language_it_says(narratives: list[Narrative]) -> None:
    for n in narratives:
        words = re.findall(r"\w+", n.text.lower())
        english = sum(w in ENGLISH for w in words)
        spanish = sum(w in SPANISH for w in words)
        assert (english > 3 * spanish) if n.language == "en" else (spanish > 3 * english), n.id


def test_no_narrative_reuses_the_teaching_examples(narratives: list[Narrative]) -> None:
    assert [n.id for n in narratives if TAKEN.search(n.text)] == []


def test_the_corpus_has_every_kind_of_place_and_many_themes(narratives: list[Narrative]) -> None:
    assert {n.place_type for n in narratives} == {"city", "town", "village", "suburb", "rural"}
    for language in ("en", "es"):
        assert len({t for n in narratives if n.language == language for t in n.themes}) >= 30


GOOD = """---
title: T
language: en
stage: self
themes: [gate]
place_type: town
illustration: true
author: A
source: original
licence: CC BY 4.0
moves:
  self.choice: "I climbed the gate although my own bus was waiting."
---
It rained. I climbed the gate although my own bus was waiting.
"""


def test_a_good_file_gives_its_passages_named_by_file_and_move() -> None:
    (example,) = parse(GOOD, "en-self-gate.md").examples()
    assert example.id == "en-self-gate:self.choice"
    assert example.text == "I climbed the gate although my own bus was waiting."


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("---\n", "", "front matter"),
        ("title: T", "title: [", "not YAML"),
        ("title: T\n", "", "lacks ['title']"),
        ("title: T", "title: T\ncolour: red", "does not know ['colour']"),
        ("title: T", "title: 7", "title must be text"),
        ("stage: self", "stage: them", "stage must be"),
        ("stage: self", "stage: us", "must start with en-us-"),
        ("language: en", "language: es", "must start with es-self-"),
        ("[gate]", "[]", "themes"),
        ("place_type: town", "place_type: moon", "place_type"),
        ("illustration: true", "illustration: maybe", "illustration"),
        ("self.choice:", "self.dance:", "self.dance is not an element"),
        ("self.choice:", "now.ask:", "does not belong"),
        ("It rained. I climbed", "It rained. We climbed", "verbatim"),
        ("I climbed the gate although my own bus was waiting.", "I climbed.", "has 2 words"),
        ("moves:\n", "moves: no\nx:\n", "does not know ['x']"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    with pytest.raises(BadNarrative) as refusal:
        parse(GOOD.replace(old, new), "en-self-gate.md")
    assert str(refusal.value).startswith("en-self-gate.md: ")
    assert fault in str(refusal.value)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "en-self-x.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadNarrative, match=r"en-self-x\.md: cannot be read as UTF-8"):
        list(load(tmp_path))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadNarrative, match="nowhere"):
        list(load(tmp_path / "nowhere"))


def test_windows_line_ends_make_no_difference(tmp_path: Path) -> None:
    (tmp_path / "en-self-gate.md").write_bytes(GOOD.replace("\n", "\r\n").encode())
    (narrative,) = load(tmp_path)
    assert narrative.moves == parse(GOOD, "en-self-gate.md").moves


def test_the_fingerprint_changes_with_any_file_and_only_then(tmp_path: Path) -> None:
    moves = {"self.choice": "I climbed the gate although my own bus was waiting."}
    path = write_narrative(tmp_path, "en-self-gate", moves)
    source = CorpusSource(tmp_path)
    before = source.fingerprint()
    assert CorpusSource(tmp_path).fingerprint() == before
    path.write_text(path.read_text().replace("town", "city"))
    changed = source.fingerprint()
    assert changed != before
    path.rename(tmp_path / "en-self-fence.md")
    assert source.fingerprint() not in (before, changed)

"""Nothing measured on was ever learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.reading.heldback import load_split
from bot.reading.labelled import BadTelling, LabelledTelling, load

CORPUS = Path("corpus/labelled")


@pytest.fixture(scope="module")
def parts() -> tuple[list[LabelledTelling], list[LabelledTelling]]:
    return load_split(CORPUS / "split.yaml").parts(list(load(CORPUS / "tellings")))


Parts = tuple[list[LabelledTelling], list[LabelledTelling]]


def test_no_topic_is_on_both_sides(parts: Parts) -> None:
    kept, held = parts
    assert not {t.topic for t in kept} & {t.topic for t in held}


def test_no_author_is_on_both_sides(parts: Parts) -> None:
    kept, held = parts
    assert not {t.author for t in kept} & {t.author for t in held}


def test_no_draft_is_on_both_sides_under_another_name(parts: Parts) -> None:
    kept, held = parts

    def bare(telling: LabelledTelling) -> str:
        return "".join(c for c in telling.text.lower() if c.isalnum())

    assert not {bare(t) for t in kept} & {bare(t) for t in held}


def test_about_a_fifth_is_held_back_in_every_language(parts: Parts) -> None:
    kept, held = parts
    for language in ("en", "es", "pt"):
        n = sum(t.lang == language for t in held)
        share = n / (n + sum(t.lang == language for t in kept))
        assert 0.1 <= share <= 0.35, language


def test_a_topic_stays_on_its_side_whatever_joins_it(parts: Parts) -> None:
    split = load_split(CORPUS / "split.yaml")
    kept, held = parts
    assert split.parts(held)[1] == held
    assert split.parts(kept)[0] == kept


def test_an_author_on_both_sides_is_refused(parts: Parts) -> None:
    kept, held = parts
    split = load_split(CORPUS / "split.yaml")
    stray = replace(held[0], author=kept[0].author, lang=kept[0].lang)
    with pytest.raises(BadTelling, match=kept[0].author):
        split.parts([kept[0], stray])


def test_an_unreadable_split_is_named(tmp_path: Path) -> None:
    path = tmp_path / "split.yaml"
    with pytest.raises(BadTelling, match=r"split\.yaml"):
        load_split(path)
    path.write_text("salt: x\nof: 5\nremainder: 5\n")
    with pytest.raises(BadTelling, match="remainder"):
        load_split(path)


def test_no_unseen_draft_is_among_those_learned_from(parts: Parts) -> None:
    unseen = {t.text for t in load(CORPUS / "unseen")}
    assert not unseen & {t.text for side in parts for t in side}

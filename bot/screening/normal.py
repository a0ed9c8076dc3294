"""Texts as the screening rules see them: accents, disguises and spelling slips folded away."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 20_000
"""Characters looked at in one text; Telegram messages end at 4096."""

_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"})
_SIGNS = str.maketrans({"@": "a", "$": "s", "!": "i", "|": "i", "€": "e"})
_MIXED = re.compile(r"(?<![\w@.])(?=\w*[a-z])(?=\w*\d)[a-z]+\d+[a-z]+\w*|(?<![\w@.])\d[a-z]{4,}")
_SIGNED = re.compile(r"(?<!\w)[a-z]+[@$!|€][a-z]+(?:[@$!|€][a-z]+)*")
_STARRED = re.compile(r"(?<![\w*])[a-z]*[a-z][*#_]+[a-z]+(?![\w*])")
_SPACED = re.compile(r"(?<!\w)(?:[a-z][ .\-_*]{1,2}){3,}[a-z](?!\w)")
_REPEATED = re.compile(r"([a-z])\1{2,}")
_SENTENCE_END = re.compile(r"[.!?;…\n\r。！？]+")
_NOT_WORD = re.compile(r"[^a-z0-9. ]+")

_SHORTHAND = {
    "gonna": "going to",
    "gunna": "going to",
    "gon": "going to",
    "goin": "going",
    "wanna": "want to",
    "wana": "want to",
    "wnat": "want",
    "wan": "want",
    "tryna": "trying to",
    "finna": "going to",
    "imma": "im going to",
    "ima": "im going to",
    "liv": "live",
    "lieing": "lying",
    "wen": "when",
    "sed": "said",
    "ses": "says",
    "tol": "told",
    "tonite": "tonight",
    "2nite": "tonight",
    "tnite": "tonight",
    "tmrw": "tomorrow",
    "tmr": "tomorrow",
    "2morrow": "tomorrow",
    "tommorow": "tomorrow",
    "kil": "kill",
    "kll": "kill",
    "kel": "kill",
    "hurtin": "hurting",
    "killin": "killing",
    "kiling": "killing",
    "hittin": "hitting",
    "beatin": "beating",
    "cuttin": "cutting",
    "threten": "threaten",
    "thretens": "threatens",
    "thretend": "threatened",
    "deth": "death",
    "u": "you",
    "ur": "your",
    "wudnt": "wouldnt",
    "wud": "would",
    "wuld": "would",
    "shud": "should",
    "bcuz": "because",
    "cuz": "because",
    "q": "que",
    "k": "que",
    "ke": "que",
    "qe": "que",
    "xq": "porque",
    "pq": "porque",
    "xk": "porque",
    "toy": "estoy",
    "dsd": "desde",
    "voi": "voy",
    "boi": "voy",
    "ba": "va",
    "ban": "van",
    "vibir": "vivir",
    "bivir": "vivir",
    "bibir": "vivir",
    "kiero": "quiero",
    "qiero": "quiero",
    "kero": "quiero",
    "qero": "quiero",
    "aser": "hacer",
    "golpia": "golpea",
    "golpiando": "golpeando",
    "pastiyas": "pastillas",
    "orita": "ahorita",
    "vc": "voce",
    "vcs": "voces",
    "tbm": "tambem",
    "naum": "nao",
    "num": "nao",
    "hj": "hoje",
    "qdo": "quando",
}
_SLIPS = (
    "suicide",
    "suicidal",
    "suicidio",
    "suicidar",
    "suicidarme",
    "suicidarse",
    "myself",
    "himself",
    "herself",
    "anymore",
    "goodbye",
    "overdose",
    "overdosed",
    "disappear",
    "disappeared",
    "threatened",
    "threatens",
    "threatening",
    "tomorrow",
    "strangled",
    "matarme",
    "matarse",
    "despertar",
    "desaparecer",
    "pastillas",
    "lastimarme",
    "amenazando",
    "golpeando",
)
_BY_LENGTH: dict[int, tuple[str, ...]] = {
    n: tuple(w for w in _SLIPS if len(w) == n) for n in range(6, 13)
}
_DISGUISED = (
    *_SLIPS,
    "kill",
    "killing",
    "die",
    "dead",
    "matar",
    "morir",
    "muerte",
    "rape",
    "raped",
)


def plain(text: str) -> str:
    """`text` without accents, zero-width and control characters, in lower case."""
    folded = unicodedata.normalize("NFKD", text[:LONGEST].casefold())
    kept = [
        " " if c.isspace() and c not in "\n\r" else c
        for c in folded
        if not unicodedata.combining(c) and unicodedata.category(c) not in ("Cf", "Cs", "Co")
    ]
    return "".join(kept).replace("\0", "")


def fold(text: str) -> str:
    """`text` as words with single spaces and " . " between sentences; one space at each end.

    Casefolded, accents and apostrophes gone, letters hidden as digits or spaced out restored,
    texting shorthand spelled out, slips in the words that matter most mended.
    """
    text = re.sub(r"['’‘`´ʼ]", "", plain(text))
    text = _SPACED.sub(_joined, text)
    text = _MIXED.sub(lambda m: _unleet(m[0]), text)
    text = _SIGNED.sub(lambda m: m[0].translate(_SIGNS), text)
    text = _STARRED.sub(_starred, text)
    text = _SENTENCE_END.sub(" . ", text)
    text = _NOT_WORD.sub(" ", text)
    text = _REPEATED.sub(r"\1", text)
    words = [_mended(w) for w in text.split()]
    return f" {' '.join(words)} "


def _unleet(word: str) -> str:
    return word.translate(_LEET)


def _joined(match: re.Match[str]) -> str:
    """Letters set apart ("k i l l", "s.u.i.c.i.d.e") as the word they hide, else unchanged."""
    word = re.sub(r"[^a-z]", "", match[0])
    hidden = next((d for d in _DISGUISED if d in word), None)
    return word if hidden else match[0]


def _starred(match: re.Match[str]) -> str:
    """A word with stars ("k*ll") as the word it hides, else unchanged."""
    shape = re.compile(re.sub(r"[*#_]+", "[a-z]{1,3}", match[0]) + "$")
    return next((d for d in _DISGUISED if shape.match(d)), match[0])


def _mended(word: str) -> str:
    short = _SHORTHAND.get(word)
    if short is not None:
        return short
    if len(word) < 5:
        return word
    for length in (len(word) - 1, len(word), len(word) + 1):
        for right in _BY_LENGTH.get(length, ()):
            if word != right and one_slip(word, right):
                return right
    return word


def one_slip(word: str, right: str) -> bool:
    """True when `word` is `right` with one letter added, dropped, changed, or two swapped."""
    if word[0] != right[0] or abs(len(word) - len(right)) > 1:
        return False
    i = 0
    while i < min(len(word), len(right)) and word[i] == right[i]:
        i += 1
    if len(word) == len(right):
        swapped = word[i + 1 : i + 2] + word[i : i + 1] + word[i + 2 :]
        return word[i + 1 :] == right[i + 1 :] or swapped == right[i:]
    if len(word) > len(right):
        return word[i + 1 :] == right[i:]
    return word[i:] == right[i + 1 :]

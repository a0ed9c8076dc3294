"""Addresses, phones, emails, handles and numbers of papers: passages with a shape of their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import phonenumbers

from bot.core.care import Span, SpanKind

REGIONS = ("US", "GB", "ES", "MX", "AR", "CO", "CL", "PE", "BR", "PT", "VE", "EC", "GT", "DO", "PH")
"""Where a number without a country code may be from."""

LONGEST = 20_000
"""Characters screened of one text; Telegram messages end at 4096."""


def level(text: str) -> str:
    """`text` in lower case without accents, character for character, so offsets stay true."""
    return "".join(_leveled(c) for c in text)


def _leveled(character: str) -> str:
    if character in "’‘´`":
        return "'"
    first = unicodedata.normalize("NFKD", character.lower())[:1]
    return first if len(first) == 1 and first.isprintable() else character


def span(text: str, start: int, end: int, kind: SpanKind) -> Span:
    """The passage from `start` to `end` without spaces and stray punctuation at its ends."""
    while start < end and text[start] in " \t\n,;:.-–—'\"“”¿¡":
        start += 1
    while end > start and text[end - 1] in " \t\n,;:.-–—'\"“”?!":
        end -= 1
    return Span(text[start:end], kind, start)


# --- email ---------------------------------------------------------------------------------
# Repeats are bounded and starts are the starts of words, so that no text takes long.
_PLAIN_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_AT = r"(?:\s*[\[({<]\s*(?:at|arroba|@)\s*[\])}>]\s*|\s+(?:at|arroba|@)\s+|\s*@\s*|\s*-at-\s*|_at_)"
_DOT = (
    r"(?:\s*[\[({<]\s*(?:dot|punto|ponto|\.)\s*[\])}>]\s*|\s+(?:dot|punto|ponto)\s+|\s*\.\s?|"
    r"\s*-dot-\s*|_dot_)"
)
_JOIN = r"(?:\s+(?:dot|punto|ponto|guion bajo|guion|underscore|dash|underline)\s+|[._+-])"
_TLD = r"(?:com|org|net|edu|gov|gob|mx|ar|es|cl|pe|co|br|pt|uk|us|info|io|me|ve|ec|gt|eu)"
_PROVIDER = (
    r"(?:gmail|g mail|hotmail|yahoo|outlook|icloud|live|proton|protonmail|aol|msn|gmx|ymail|uol|bol|"
    r"terra|sapo|mail|fastmail|zoho)"
)
_HIDDEN_EMAIL = re.compile(
    rf"(?<![\w@])[a-z0-9]\w{{0,40}}(?:{_JOIN}\w{{1,40}}){{0,5}}{_AT}"
    rf"(?:{_PROVIDER}{_DOT}{_TLD}(?:{_DOT}{_TLD})?|"
    rf"\w[\w-]{{0,63}}(?:\s*[\[({{<]\s*(?:dot|punto|ponto)\s*[\])}}>]\s*|\s+(?:dot|punto|ponto)\s+)"
    rf"\w+(?:{_DOT}{_TLD})?)(?!\w)"
)
_BRACKETED_EMAIL = re.compile(
    rf"(?<![\w@.+-])[a-z0-9][\w.+-]{{0,63}}\s*[\[({{]\s*(?:at|arroba|@)\s*[\])}}]\s*\w[\w-]{{0,63}}"
    rf"(?:{_DOT}\w{{2,63}}){{1,6}}"
)
_BROKEN_EMAIL = re.compile(rf"(?<![\w@.+-])[\w.+-]{{1,64}}\s?@\s?{_PROVIDER}\s?\.\s?{_TLD}(?!\w)")
_NOT_MAILBOX = {"look", "meet", "see", "was", "is", "me", "us", "him", "her", "them", "be", "i"}


def emails(text: str, even: str) -> Iterator[Span]:
    """Addresses of mailboxes, also written "ana at gmail dot com"."""
    for pattern in (_PLAIN_EMAIL, _BROKEN_EMAIL, _BRACKETED_EMAIL, _HIDDEN_EMAIL):
        for m in pattern.finditer(even):
            if m[0].split()[0] not in _NOT_MAILBOX:
                yield span(text, m.start(), m.end(), SpanKind.EMAIL)


# --- handles --------------------------------------------------------------------------------
_HANDLE = re.compile(r"(?<![\w@.])@[a-z0-9_](?:[a-z0-9_.]*[a-z0-9_])?(?!\S{0,64}@)")
_NETWORK = re.compile(
    r"\b(?:insta(?:gram)?|ig|telegram|tiktok|tik tok|twitter|facebook|face|fb|snap(?:chat)?|"
    r"discord|threads|username|user|usuario|usuaria|handle|arroba|signal|skype|perfil)"
    r"(?:\s*[:=]\s*|\s+(?:is|es|e|as|como|under|account|handle|user|cuenta|conta)\s+(?:is\s+|es\s+)?)"
    r"(@?[a-z0-9_][a-z0-9_.#]{2,}[a-z0-9_])"
)
_OFFICIAL_HANDLE = re.compile(
    r"council|city|gov|gob|alcald|ayunt|municip|news|oficial|official|noticias|camara|prefeit|police|"
    r"library|escuela|school|biblioteca|iniciativa|coalition|union\b|sindicat"
)
_WORDS_AFTER_NETWORK = {
    "the",
    "this",
    "that",
    "full",
    "very",
    "down",
    "private",
    "privado",
    "where",
}


def handles(text: str, even: str) -> Iterator[Span]:
    """Account names on networks; those of institutions are public and left out."""
    for m in _HANDLE.finditer(even):
        if len(m[0]) > 2 and not _OFFICIAL_HANDLE.search(m[0]) and not m[0][1:].isdigit():
            yield Span(text[m.start() : m.end()], SpanKind.HANDLE, m.start())
    for m in _NETWORK.finditer(even):
        name = m[1]
        told = ":" in m[0] or "=" in m[0] or re.search(r"[\d_.]", name)
        if told and name not in _WORDS_AFTER_NETWORK and not _OFFICIAL_HANDLE.search(name):
            yield span(text, m.start(1), m.end(1), SpanKind.HANDLE)


# --- phones ---------------------------------------------------------------------------------
_CALL = re.compile(
    r"(?:call|phone|text|cell|mobile|whats ?app|wsp|wa|tel|telf|telefono|telefone|celular|cel|movil|"
    r"numero|number|llam\w*|marc\w*|escrib\w*|ring|reach|ligar|liga|zap|contact\w*|fono|sms|dial|"
    r"landline|fijo|num)\b"
)
_LOCAL = re.compile(
    r"(?<![\d/.$€£-])(?:\d{3}[-. ]\d{4}|\d{4}[-. ]\d{4}|\d{2}[-. ]\d{2}[-. ]\d{2}[-. ]\d{2})(?![\d/-])"
)
_MOBILE = re.compile(r"07\d{3} ?\d{6}(?!\d)")
_NOT_CALL = re.compile(
    r"(?:case|docket|file|expediente|folio|caso|processo|account|cuenta|conta|invoice|factura|route|"
    r"bus|line|linea|ssn|dni|cedula|passport|pasaporte|cpf|rg|claim|permit|order|ref(?:erence)?|rut|"
    r"hotline|helpline|crisis line|id|curp|a-number|\$|€|£|plate|placa|budget|population)\W*"
    r"(?:(?:no|num|number|numero|n|#|is|es|e|at|al)\W*)*$"
)
_YEARS = re.compile(r"(?:19|20)\d\d\D{1,3}(?:19|20)\d\d$|(?:19|20)\d\d$")


_STRETCH = re.compile(
    r"(?:[+(]\s?){0,3}\d[\d \t\u00a0().\-/\u2010-\u2015]{5,}(?:(?:x|ext|int|ramal)\W{0,3}\d+)?"
)
MOST_STRETCHES, LONGEST_STRETCH = 200, 120
"""Where numbers are looked for: a story holds fewer, and no list of digits may take long."""


def phones(text: str, even: str) -> Iterator[Span]:
    """Telephone numbers by the phonenumbers library; short local ones need a word like "call"."""
    found: list[tuple[int, int]] = []
    known: dict[tuple[str, bool], tuple[tuple[int, int], ...]] = {}
    for number, m in enumerate(_STRETCH.finditer(text)):
        if number == MOST_STRETCHES:
            break
        end = min(m.end(), m.start() + LONGEST_STRETCH)
        if sum(c.isdigit() for c in text[m.start() : end]) >= 7:
            # The library looks at what stands beside a number: a letter or a currency sign.
            start = max(0, m.start() - 3)
            key = text[start : end + 3], _called_for(even, m.start())
            if key not in known:
                known[key] = _numbers(*key)
            found += [(start + a, start + b) for a, b in known[key]]
    found += [
        (m.start(), m.end())
        for m in _LOCAL.finditer(even)
        if m[0].startswith("555") or _called_for(even, m.start())
    ]
    for start, end in found:
        if not _NOT_CALL.search(even[max(0, start - 40) : start]) and not _YEARS.match(
            even[start:end]
        ):
            yield span(text, start, end, SpanKind.PHONE)


def _called_for(even: str, start: int) -> bool:
    """True when a word like "call" stands among the six before `start`."""
    return bool(_CALL.search(" ".join(even[max(0, start - 80) : start].split()[-6:])))


def _numbers(stretch: str, called: bool) -> tuple[tuple[int, int], ...]:
    """Where the library sees numbers in `stretch`; it is less strict after a word like "call"."""
    found = [
        (m.start, m.end)
        for region in REGIONS
        for m in phonenumbers.PhoneNumberMatcher(
            stretch, region, leniency=phonenumbers.Leniency.VALID
        )
    ]
    for region in ("US", "MX", "AR", "GB"):
        matcher = phonenumbers.PhoneNumberMatcher(
            stretch, region, leniency=phonenumbers.Leniency.POSSIBLE
        )
        found += [
            (m.start, m.end)
            for m in matcher
            if called or stretch[m.start] == "+" or _MOBILE.match(stretch, m.start)
        ]
    return tuple(dict.fromkeys(found))

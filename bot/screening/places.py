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
_PLAIN_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
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
    rf"(?<![\w@])[a-z0-9]\w*(?:{_JOIN}\w+)*{_AT}"
    rf"(?:{_PROVIDER}{_DOT}{_TLD}(?:{_DOT}{_TLD})?|"
    rf"\w[\w-]*(?:\s*[\[({{<]\s*(?:dot|punto|ponto)\s*[\])}}>]\s*|\s+(?:dot|punto|ponto)\s+)"
    rf"\w+(?:{_DOT}{_TLD})?)(?!\w)"
)
_BRACKETED_EMAIL = re.compile(
    rf"(?<![\w@])[a-z0-9][\w.+-]*\s*[\[({{]\s*(?:at|arroba|@)\s*[\])}}]\s*\w[\w-]*"
    rf"(?:{_DOT}\w{{2,}})+"
)
_BROKEN_EMAIL = re.compile(rf"(?<![\w@])[\w.+-]+\s?@\s?{_PROVIDER}\s?\.\s?{_TLD}(?!\w)")
_NOT_MAILBOX = {"look", "meet", "see", "was", "is", "me", "us", "him", "her", "them", "be", "i"}


def emails(text: str, even: str) -> Iterator[Span]:
    """Addresses of mailboxes, also written "ana at gmail dot com"."""
    for pattern in (_PLAIN_EMAIL, _BROKEN_EMAIL, _BRACKETED_EMAIL, _HIDDEN_EMAIL):
        for m in pattern.finditer(even):
            if m[0].split()[0] not in _NOT_MAILBOX:
                yield span(text, m.start(), m.end(), SpanKind.EMAIL)


# --- handles --------------------------------------------------------------------------------
_HANDLE = re.compile(r"(?<![\w@.])@[a-z0-9_](?:[a-z0-9_.]*[a-z0-9_])?(?!\S*@)")
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
    r"landline|fijo|num)\b\W*(?:\S+\W+){0,5}$"
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


def phones(text: str, even: str) -> Iterator[Span]:
    """Telephone numbers by the phonenumbers library; short local ones need a word like "call"."""
    if sum(c.isdigit() for c in text) < 7:
        return
    found: list[tuple[int, int]] = []
    for region in REGIONS:
        for m in phonenumbers.PhoneNumberMatcher(
            text, region, leniency=phonenumbers.Leniency.VALID
        ):
            found.append((m.start, m.end))
    for region in ("US", "MX", "AR", "GB"):
        matcher = phonenumbers.PhoneNumberMatcher(
            text, region, leniency=phonenumbers.Leniency.POSSIBLE
        )
        found += [
            (m.start, m.end)
            for m in matcher
            if text[m.start] == "+" or _MOBILE.match(text, m.start) or _CALL.search(even[: m.start])
        ]
    found += [
        (m.start(), m.end())
        for m in _LOCAL.finditer(even)
        if _CALL.search(even[: m.start()]) or m[0].startswith("555")
    ]
    for start, end in found:
        if not _NOT_CALL.search(even[max(0, start - 40) : start]) and not _YEARS.match(
            even[start:end]
        ):
            yield span(text, start, end, SpanKind.PHONE)

"""Numbers of papers and homes: identity numbers with their check letters, postal addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.core.care import Span, SpanKind
from bot.screening.places import span

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_SHAPES = re.compile(
    r"(?<![\w-])(?:"
    r"\d{3}-\d{2}-\d{4}"  # SSN
    r"|[a-z]{4}\d{6}[hmx][a-z]{5}[a-z0-9]\d"  # CURP
    r"|[a-z]{4}\d{6}[a-z0-9]{3}"  # RFC
    r"|\d{3}\.\d{3}\.\d{3}-\d{2}"  # CPF
    r"|\d{1,2}\.\d{3}\.\d{3}-[\dk]"  # RUT
    r"|a[- ]?\d{3}[- ]\d{3}[- ]\d{3}|a\d{8,9}"  # alien number
    r"|[a-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[a-d](?= |$|[.,;)])"  # National Insurance
    r"|[a-z]{2}\d{2}(?: ?[\da-z]{4}){3,7}(?: ?[\da-z]{1,3})?"  # IBAN
    r"|(?:\d{4}[ -]){3}\d{4}"  # card
    r"|[a-z]{2,4}-\d{5,}"  # case references
    r")(?![\w-])"
)
_DNI = re.compile(r"(?<![\w-])([xyz]?)[- ]?(\d{1,2}\.?\d{3}\.?\d{3}|\d{7,8})[- ]?([a-z])(?![\w-])")
_BARE_CPF = re.compile(r"(?<!\d)\d{11}(?!\d)")
_CUED = re.compile(
    r"\b(?:ssn|social security|social|dni|nie|nif|cedula|cc|c\.c\.|curp|rfc|cpf|rg|rut|run|cuil|cuit|"
    r"ref(?:erence)?|referencia|passport|pasaporte|passaporte|case|docket|file|expediente|folio|caso|processo|claim|"
    r"a-number|alien (?:registration )?(?:number)?|matter|record|carnet|ine|ife|"
    r"(?:license |licence |number )?plates?|placas?|patente|matricula|registration|nhs|"
    r"medicare|medicaid|driver'?s? licen[sc]e|licen[sc]e|licencia|brp|visa|nss|nit|nis|sus|"
    r"cartao (?:de )?cidadao|seguro social|member(?:ship)?|inmate|booking|student|employee|"
    r"tarjeta|account|cuenta|conta|permit|residence card|green card|identity card|id(?: card)?|"
    r"identidad|identidade|identificacion|averiguacion(?: previa)?|causa|boletim de ocorrencia|bo|denuncia|carpeta)"
    r"(?:\s+(?:de (?:identidad|ciudadania|residencia|investigacion)|card|file|plate|(?:de|del|of|on) (?:(?:la|el|su|the|his|her) )?\w+))?"
    r"[\s:#,(]*(?:(?:no|num|nro|number|numero|n|id)?\s?[.:º°#]*\s*)?"
    r"(?:(?:is|es|e|was|era|ends in|numero|number|con|with)\s+)?(?:the\s|el\s|la\s|o\s)?"
    r"[#:\s]*((?!(?:in|on|at|en|em|no|de|from|and|y|e|to|by|for|since) )(?:[a-z]{0,4}[-/ ]?\d[\w./-]*(?:[ -][\da-z]{2,4}(?=[\s.,;)]|$)(?<=\d))*|[a-z]{3}[- ]?\d{3,4}|"
    r"[a-z]{1,3}[- ]?\d{2,4}[- ]?[a-z]{0,3}|[a-z]{2,4}-\d[\w-]*))"
)
_NOT_A_NUMBER = re.compile(r"^(?:(?:19|20)\d\d|\d{1,3}|\d+(?:st|nd|rd|th|am|pm|k|m|%)|\d+[.,]\d+)$")


def id_numbers(text: str, even: str) -> Iterator[Span]:
    """Numbers of identity papers, cases, plates and accounts; the number alone, without its cue."""
    for m in _SHAPES.finditer(even):
        yield Span(text[m.start() : m.end()], SpanKind.ID_NUMBER, m.start())
    for m in _DNI.finditer(even):
        number = int("xyz".index(m[1])) if m[1] else None
        digits = re.sub(r"\D", "", m[2])
        whole = int((str(number) if number is not None else "") + digits)
        if len(digits) >= 7 and _LETTERS[whole % 23].lower() == m[3]:
            yield Span(text[m.start() : m.end()], SpanKind.ID_NUMBER, m.start())
    for m in _BARE_CPF.finditer(even):
        if _cpf_holds(m[0]):
            yield Span(m[0], SpanKind.ID_NUMBER, m.start())
    for m in _CUED.finditer(even):
        value = m[1].strip(" .-/")
        if sum(c.isdigit() for c in value) >= 2 and not _NOT_A_NUMBER.match(value):
            yield span(text, m.start(1), m.end(1), SpanKind.ID_NUMBER)


def _cpf_holds(digits: str) -> bool:
    """True when an eleven-digit number carries the check digits of a Brazilian CPF."""
    if len(set(digits)) == 1:
        return False
    for size in (9, 10):
        total = sum(int(d) * w for d, w in zip(digits, range(size + 1, 1, -1), strict=False))
        if int(digits[size]) != total * 10 % 11 % 10:
            return False
    return True


_EN_KIND = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|way|terrace|"
    r"close|crescent|row|square|sq|highway|hwy|parkway|pkwy|circle|cir|trail|loop|gardens|grove|"
    r"mews|broadway|walk|rise|hill|view|alley|plaza|park road)"
)
_UNIT = (
    r"(?:,?\s*(?i:apt|apartment|flat|unit|suite|ste|floor|room|rm|trailer|lot|space|#)\.?\s?#?\s?"
    r"(?=\w*\d|[A-Za-z]\b)[\w-]+)"
)
_ZIP = (
    r"(?:,?\s*(?:[A-Z][\w.]+\s?){0,3},?\s*"
    r"(?:[A-Z]{2}\s+\d{5}(?:-\d{4})?|\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}))"
)
_PROPER = r"(?:[A-ZÁÉÍÓÚÑ][\w'’.-]*|\d+(?i:st|nd|rd|th)|de|la|los|el|del)"
_COMMON = (
    r"(?!(?:bus|people|families|years|minutes|miles|of|on|in|at|the|and|to|blocks?|houses|folks|"
    r"kids|men|women|trees|cars|stops?|days|weeks|months|lamps|shops|more|other|foot|way|a)\b)"
)
_ENGLISH = re.compile(
    rf"(?<![\w$.,/:])(?:(?i:flat|apt|apartment|unit)\.?\s\w+,?\s+)?\d{{1,5}}(?i:[a-d]|\s1/2)?\s+"
    rf"(?:(?i:[nsew]|north|south|east|west|ne|nw|se|sw)\.?\s+)?"
    rf"(?:(?:{_PROPER}\s+){{1,4}}(?i:{_EN_KIND})|{_COMMON}[a-z']{{3,}}\s+(?i:{_EN_KIND})|Broadway)"
    rf"(?!\w)\.?{_UNIT}?{_ZIP}?"
)
_ES_KIND = (
    r"(?:calle|c/|cl\.|cll\.?|av(?:enida|da|d)?\.?|carrera|cra\.?|kra\.?|cr\.|paseo|pasaje|psje\.?|"
    r"plaza|plazuela|jr\.?|jiron|camino|ronda|travesia|callejon|calzada|blvd\.?|bulevar|prolongacion|"
    r"privada|diagonal|transversal|cerrada|andador|circuito|rua|r\.|travessa|tv\.|alameda|largo|praca|"
    r"estrada|beco|urbanizacion|rambla|cuesta|malecon|vereda)"
)
_ES_NUMBER = r"(?:,?\s*(?:n[uú]m(?:ero|\.)?|nro\.?|no\.|n[º°o]\.?|#|al)\s*|,?\s+)"
_ES_TAIL = (
    r"(?:[,\s]+(?:\d{1,2}\s?[º°ª](?:\s?[a-z](?![a-z]))?(?:\s(?:izq\w*|der\w*|dcha))?|"
    r"(?:piso|depto?\.?|dpto\.?|departamento|apto?\.?|apartamento|ap\.?|int(?:erior)?\.?|puerta|bloque|"
    r"torre|casa|lote|lt\.?|manzana|mz\.?|escalera|esc\.?|bajo|andar|bl\.?)\s?(?=\w*\d|[a-z]\b)[\w-]+|"
    r"c\.?p\.?\s?\d{4,5}|cep\s?\d{5}-?\d{3}|"
    r"(?:col(?:onia)?\.?|barrio|urb\.?)\s(?:(?:de|la|el|los|las|del)\s)*[a-z]+))*"
)
_SPANISH = re.compile(
    rf"(?<!\w){_ES_KIND}\s*(?:(?:de|del|da|do|dos|das|la|las|los|el)\s+)*"
    rf"(?:(?!\d+\s*(?:#|no))[\w.'-]+(?:\s+(?:(?:de|del|da|do|dos|das|la|las|los|el|y|e)\s+)*"
    rf"(?!(?:n[uo]m?|nro|numero|esquina|entre|con|hay|no|y|que|donde|en|a|se|me|somos|cerca)\b)[a-z][\w.'-]*){{0,4}}"
    rf"{_ES_NUMBER}\d{{1,5}}(?:-\d{{1,4}})?\s?(?:bis|[a-f](?![\w]))?|"
    rf"\d{{1,3}}\s?[a-z]?(?:\s(?:sur|norte|bis|este|oeste))?\s*(?:#|no\.?|n[º°])\s?\d{{1,3}}\s?[a-z]?\s?-\s?\d{{1,3}})"
    rf"(?!\d|\s*(?:vecin|famili|person|anos|veces|casas|de (?:enero|febrero|marzo|abril|mayo|junio|julio|"
    rf"agosto|sept|oct|nov|dic)|mil|por ciento|%|horas|minutos|dias|:\d|euros|pesos|am\b|pm\b)){_ES_TAIL}"
)
_LOT = re.compile(
    r"(?<!\w)(?:mz|manzana)\.?\s?\w{1,3}\W{1,3}(?:lt|lote)\.?\s?\w{1,4}"
    r"|(?<!\w)(?:cp|c\.p\.|zip(?: code)?|cep|codigo postal|postal code|postcode)\s*:?\s*(?:is |es )?"
    r"(\d{5}(?:-\d{3,4})?|\d{4}-\d{3})"
    r"|(?<!\w)(?:flat|apt|apartment|unit|block|bloque|edificio|torre|trailer|lot|space)\.?\s(?:\w*\d\w*|[a-z]),?\s"
    r"(?:of |in |at |on |de |del )?(?:the )?[a-z]+\s(?:house|court|tower|towers|building|heights|mansions|"
    r"point|lodge|estates?|village|apartments|mobile home park|trailer park)"
)
_POSTCODE = re.compile(r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}(?!\w)")
_PUBLIC_PLACE = re.compile(
    r"(?:city hall|town hall|librar(?:y|ies)|school|church|clinic|courthouse|court|hospital|office|offices|cent(?:er|re)|"
    r"biblioteca|escuela|iglesia|parroquia|ayuntamiento|municipalidad|municipio|centro(?: \w+)?|clinica|oficina|"
    r"alcaldia|mosque|temple|station|shelter|food bank|prefeitura|escola|igreja|posto|sede|museum|museo|"
    r"union hall|headquarters|parque|park|theater|theatre)[\w ]{0,18}"
    r"(?:,| at| on| is| is at| en| esta en| de| na| no|:)?\s*(?:the |la |el |a )?$"
)


def addresses(text: str, even: str) -> Iterator[Span]:
    """Homes by street and number, with flat and postcode; public places' addresses left out."""
    for pattern, subject in (
        (_ENGLISH, text),
        (_SPANISH, even),
        (_LOT, even),
        (_POSTCODE, text),
    ):
        for m in pattern.finditer(subject):
            if not _PUBLIC_PLACE.search(even[max(0, m.start() - 45) : m.start()]):
                yield span(text, m.start(), m.end(), SpanKind.ADDRESS)

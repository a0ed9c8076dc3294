"""Children who could be found: named with their school or class, or with age and place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.core.care import Span, SpanKind
from bot.screening.names import is_first_name, is_office, reads_as_given_name
from bot.screening.places import span

_SCHOOL = re.compile(
    r"(?:(?:[A-ZÁÉÍÓÚÑ][\w.'’-]*|of|the|de|St\.)\s){1,4}(?:Elementary|Middle|High|Primary|Junior High|Grammar|Charter|Academy|Preschool|Kindergarten|"
    r"Montessori|Nursery|Day ?[Cc]are|School|Infants|Juniors)(?:\s(?:School|Academy|Elementary))?"
    r"|(?:P\.?S\.?|I\.?S\.?|M\.?S\.?)\s?\d{1,3}"
    r"|(?i:escuela|primaria|secundaria|colegio|cole|liceo|kinder|kínder|jardín|jardin|instituto|preescolar|prepa(?:ratoria)?|telesecundaria|"
    r"guardería|guarderia|ceip|ies|i\.e\.|institución educativa|escola|creche|emef|emei|colégio|unidad educativa|centro escolar)"
    r"(?i:\s(?:primaria|secundaria|infantil|pública|publica|municipal|estadual|básica|basica|de niños|de infantes|rural|técnica|nacional|nº|n°|no\.|número))*"
    r"(?:\s(?:de|del|da|do|la|las|los|el|Nº|N°|nº|no\.|#)\b)*\s?(?:[A-ZÁÉÍÓÚÑ\d][\w.'’-]*)(?:\s(?:de|del|da|do|la|y|e)?\s?[A-ZÁÉÍÓÚÑ\d][\w.'’-]*){0,4}"
)
_CHILD = re.compile(
    r"(?<!\w)(?:son|daughter|niece|nephew|grandson|granddaughter|child|kid|little (?:boy|girl|brother|sister)|boy|girl|student|pupil|toddler|baby|stepson|stepdaughter|"
    r"godson|goddaughter|twins?|hij[oa]|hijit[oa]|sobrin[oa]|sobrinit[oa]|niet[oa]|nietit[oa]|nin[oa]|alumn[oa]|hermanit[oa]|chamac[oa]|ahijad[oa]|bebe|chiquill[oa]|wawa|guagua|filh[oa]|filhinh[oa]|"
    r"sobrinh[oa]|net[oa]|menin[oa]|alun[oa]|crianca|afilhad[oa]|enteado|hijastr[oa]|primit[oa]|entenad[oa])(?!\w)"
    r"|(?<!\w)(?:grade|grader|class|kindergarten|preschool|year (?:one|two|three|four|five|six|\d)|grado|curso|de (?:primaria|secundaria|primero|segundo|tercero|cuarto|quinto|sexto)|"
    r"(?:primero|segundo|tercero|cuarto|quinto|sexto) (?:de|[ab])|salon|turma|ano do|serie|kinder|reception)(?!\w)"
)
_AGE = re.compile(
    r"(?:,\s?|\s\(|\s|, who is |, who's |who just turned |, que tiene |, de |, tiene |\(de )(?:aged? )?(?<!\d)(?:[1-9]|1[0-7]|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    r"fifteen|sixteen|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once(?= anos)|doce|trece|catorce|quince|dieciseis|oito|nove|dez|sete|onze|doze|treze|quatorze|quinze)"
    r"(?!\d|\w|:)(?:[ -](?:years?[ -]olds?|yrs?|yo|anos?|anitos)|(?=[,).]))(?:\b)?"
)
_PLACE = re.compile(
    r"\s?(?:,|\))?\s?(?:who )?(?:lives? (?:at|on|in)|from|en|de|vive en|que vive en|mora n[ao]|of)\s(?:the )?(?:[A-ZÁÉÍÓÚÑ][\w-]+)(?:\s(?:de |la |del )?[A-ZÁÉÍÓÚÑ\d][\w-]+){0,3}"
)
_GIVEN = re.compile(
    r"[A-ZÁÉÍÓÚÑÇ][\w’-]+(?:\s(?:(?:de|del|da|dos|la|los)\s){0,2}[A-ZÁÉÍÓÚÑÇ][\w-]+){0,3}|(?<!\w)[a-záéíóúñç]{3,}(?!\w)"
)


def minors(text: str, even: str) -> Iterator[Span]:
    """A child named with a school or class, or with age and place.

    From the name to the end of the school when they stand in one sentence within 90 characters,
    whichever comes first; the relation ("my son") stays outside.
    """
    for start, end in _sentences(text):
        piece, flat = text[start:end], even[start:end]
        school = next((m for m in _SCHOOL.finditer(piece)), None)
        child = _CHILD.search(flat)
        for m in _GIVEN.finditer(piece):
            first = m[0].split()[0]
            if is_office(first):
                continue
            led = _follows_child(flat, m.start())
            if first.islower() and not (led and is_first_name(first)):
                continue
            if not is_first_name(first) and not (
                reads_as_given_name(first) and (led or _AGE.match(flat, m.end()))
            ):
                continue
            if school and school.start() <= m.start() < school.end():
                continue
            name_end = m.start() + (len(first) if first.islower() else len(m[0]))
            age = _AGE.match(flat, name_end)
            if school and (child or age):
                low, high = min(m.start(), school.start()), max(name_end, school.end())
                if age and high < age.end():
                    high = age.end()
                if high - low <= 110:
                    yield span(text, start + low, start + high, SpanKind.MINOR_IDENTITY)
                else:
                    yield span(text, start + m.start(), start + name_end, SpanKind.MINOR_IDENTITY)
                break
            if age:
                place = _PLACE.match(piece, age.end())
                graded = re.match(
                    r"[^.]{0,40}?(?:grade|grader|class|grado|curso|de primaria|de secundaria|turma|ano)(?!\w)",
                    flat[age.end() :],
                )
                if place or (graded and child) or " " in m[0].strip():
                    stop = place.end() if place else age.end() + (graded.end() if graded else 0)
                    yield span(text, start + m.start(), start + stop, SpanKind.MINOR_IDENTITY)
                    break


def _follows_child(flat: str, start: int) -> bool:
    return bool(
        re.search(
            r"(?:little|son|daughter|niece|nephew|grandson|granddaughter|kid|boy|girl|student|pupil|brother|sister|hij[oa]|hermanit[oa]|hijit[oa]|sobrin[oa]|niet[oa]|nin[oa]|filh[oa]|net[oa]|menin[oa]|alumn[oa])[\s,]+$",
            flat[max(0, start - 30) : start],
        )
    )


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where sentences stand; a full stop ends one unless it follows an initial or abbreviation."""
    start = 0
    for m in re.finditer(
        r"(?<!\b[A-Z])(?<!\b(?:St|No|Ms|Mr|Dr|Sr))(?<!\b(?:Mrs|Sra|Dra))[.!?…]+\s+|\n+", text
    ):
        yield start, m.end()
        start = m.end()
    if start < len(text):
        yield start, len(text)

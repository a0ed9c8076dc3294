"""Full names of private people: capitalised runs, name lists, cues and titles; offices left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bot.core.care import Span, SpanKind
from bot.screening.places import level, span

_LEXICON = Path(__file__).parent / "lexicon"
_PARTICLES = {
    "de",
    "del",
    "da",
    "do",
    "dos",
    "das",
    "van",
    "von",
    "der",
    "den",
    "la",
    "los",
    "las",
    "al",
    "el",
    "bin",
    "binti",
    "di",
    "le",
    "san",
    "santa",
    "ter",
    "abu",
    "ibn",
}
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_HONORIFIC = {
    "mr", "mrs", "ms", "miss", "mx", "sr", "sra", "srta", "senor", "senora", "senorita", "don",
    "dona", "doña", "dr", "dra", "doctor", "doctora", "father", "padre", "sister", "brother", "uncle",
    "aunt", "auntie", "tio", "tia", "abuela", "abuelo", "seu", "profe", "profesor", "profesora",
    "professor", "professora", "maestra", "maestro", "coach", "pastor", "pastora", "reverend", "rev",
    "nurse", "officer", "agent", "sir", "madam", "comadre", "compadre", "primo", "prima", "lic",
    "licenciado", "licenciada", "ingeniero", "teacher", "imam", "rabbi", "hermana", "hermano",
}  # fmt: skip
_OFFICE = (
    r"(?:mayor|vice mayor|deputy mayor|council ?(?:member|man|woman|person|or)|councillor|alderman|alderwoman|alderperson|"
    r"senator|governor|president|vice president|minister|prime minister|commissioner|representative|congress(?:man|woman|member)|"
    r"assembly(?:man|woman|member)|mp|msp|sheriff|police chief|fire chief|chief|superintendent|secretary(?: of \w+)?|"
    r"judge|justice|pope|archbishop|bishop|queen|king|prince|princess|chancellor|attorney general|district attorney|"
    r"city manager|ambassador|county supervisor|selectman|lord|dame|rep\.|sen\.|gov\.|pres\.|cllr\.?|"
    r"alcalde|alcaldesa|concejal|concejala|concejero|regidor|regidora|diputad[oa]|senador|senadora|gobernador|gobernadora|"
    r"president[ea]|expresident[ea]|ministr[oa]|primer ministro|intendent[ea]|prefeit[oa]|vereador|vereadora|"
    r"deputad[oa]|governador|governadora|juez|jueza|juiz|juiza|fiscal|sindic[oa]|comisionad[oa]|"
    r"secretari[oa](?: de \w+)?|rey|reina|papa|arzobispo|obispo|canciller|delegad[oa]|consejer[oa]|edil|edila|"
    r"presidente municipal|lider sindical|cantante|singer|poet|poeta|writer|escritor[a]?|author|autor[a]?|actor|actress|"
    r"footballer|futbolista|painter|pintor[a]?|novelist|journalist|periodista|reporter|presidenta municipal)"
)
_OFFICE_BEFORE = re.compile(
    rf"(?<!\w){_OFFICE}(?: de [\w ]{{2,20}}| of [\w ]{{2,20}}| general)?[,:]?\s+(?:don |dona |sr\.? |sra\.? |mr\.? |ms\.? |mrs\.? |dr\.? |the honorable )?$"
)
_OFFICE_AFTER = re.compile(
    rf"^\s*(?:,|\(|–|-|is|es|was|era|who is|que es|e)\s*(?:(?:the|our|el|la|o|a|our own|nuestr[oa]|noss[oa]|then|former|ex|current|actual|"
    rf"city|county|state|district|local|who is|quien es|who was|new|newly elected|federal|deputy)\s+)*{_OFFICE}(?!\w)"
)
_OWN = re.compile(
    r"(?:my (?:full )?name is|my name's|i am|i'm|im|this is|call me|me llamo|mi nombre es|mi nombre completo es|(?<!no )(?<!\w)soy|me chamo|"
    r"meu nome e|(?<!\w)eu sou(?: [ao])?|(?<!\w)sou [ao]|name here is|signed|firma|atte|atentamente|sincerely|saludos|regards|i,|yo,|eu,|aqui|"
    r"speaking is|habla|les habla|les saluda|they call me|me dicen)[\s,.:—-]*(?:dona |don |sra\.? |sr\.? |mr\.? |mrs\.? |ms\.? )?$"
)
_PLACE_BEFORE = re.compile(
    r"(?:calle|avenida|av\.|escuela|primaria|secundaria|preparatoria|colegio|hospital|parque|plaza|biblioteca|centro|instituto|"
    r"universidad|fundacion|premio|barrio|colonia|estacion|rua|praca|avenida|escola|igreja|clinica|teatro|estadio|puente|"
    r"san|santa|santo|sao|st\.?|saint|virgen de|nuestra senora de|sindicato|ies|ceip|liceo|jardin|kinder|club|"
    r"song by|songs of|novel by|poem by|poema de|poemas de|novela de|cancion de|canciones de|corrido de|by the late|libro de|statue of|estatua de|"
    r"film (?:about|by|with)|pelicula de|movie with|mural of|mural de|quoted|citing|like the great|words of|palabras de|musica de|"
    r"escola municipal|urbanizacion|edificio|residencial|villa|vila|bairro|jardim|pasaje|jiron|carrera|diagonal|street|the)\s+(?:de |del |da |do |the |la |el )?$"
)
_PLACE_AFTER = re.compile(
    r"^(?:'s)?\s+(?:street|st\b|avenue|ave\b|road|rd\b|school|elementary|high|middle|academy|park|library|hospital|center|centre|foundation|"
    r"clinic|church|university|college|hall|bridge|building|house|towers?|blvd|boulevard|drive|lane|way|plaza|primary|community|"
    r"memorial|day|apartments|prize|award|avenue|recreation|expressway|stadium|scholarship|act\b|law\b|housing|homes|projects)(?!\w)"
)
_CUE = re.compile(
    r"(?:neighbou?r|friend|cousin|uncle|aunt|brother|sister|husband|wife|boss|landlord|manager|teacher|coworker|colleague|"
    r"partner|boyfriend|girlfriend|ex|foreman|supervisor|nurse|named|called|lady|man|woman|guy|tenant|super|daughter|son|"
    r"niece|nephew|mother|father|grandmother|grandfather|mom|dad|classmate|caretaker|doctor|driver|"
    r"vecin[oa]|amig[oa]|prim[oa]|ti[oa]|herman[oa]|espos[oa]|marido|mujer|jef[ea]|dueno|duena|casero|casera|maestr[oa]|"
    r"companer[oa]|novi[oa]|llamad[oa]|se llama|senor|senora|don|dona|cunad[oa]|hij[oa]|sobrin[oa]|madre|padre|comadre|"
    r"compadre|suegr[oa]|patron|patrona|encargad[oa]|vizinh[oa]|colega|irma|irmao|filh[oa]|chamad[oa]|seu|tia|tio|with|con|com|"
    r"asked|told|knew|saw|met|and|y|e|a)[\s,:]+$"
)
_STRONG_CUE = re.compile(
    r"(?:neighbou?r|friend|cousin|landlord|boss|manager|named|called|teacher|coworker|tenant|foreman|vecin[oa]|amig[oa]|prim[oa]|"
    r"llamad[oa]|se llama|senor|senora|sr\.?|sra\.?|don|dona|mr\.?|mrs\.?|ms\.?|casero|casera|dueno|duena|patron|patrona|jefe|jefa|comadre|"
    r"compadre|vizinh[oa]|chamad[oa]|companer[oa]|maestr[oa]|brother|sister|uncle|aunt|herman[oa]|ti[oa]|cunad[oa]|colega|husband|wife|espos[oa]|"
    r"marido|novi[oa]|boyfriend|girlfriend|ex)[\s,:]+$"
)


def reads_as_given_name(word: str) -> bool:
    """True when a capitalised `word` may be anybody's given name: listed, or no word we know."""
    even = level(word.rstrip("."))
    if is_first_name(even):
        return True
    known = even in _listed("sentence_words") or even in _listed("not_names") or even in _HONORIFIC
    return len(even) > 2 and not known and even not in _PARTICLES


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(level((_LEXICON / f"{name}.txt").read_text(encoding="utf-8")).split())


@cache
def _public() -> frozenset[str]:
    return frozenset((_LEXICON / "public.txt").read_text(encoding="utf-8").splitlines())


def is_first_name(word: str) -> bool:
    """True when `word`, in any case, is on the list of given names."""
    return level(word) in _listed("first_names")


def is_office(word: str) -> bool:
    """True when `word` is the name of a public office ("Senator")."""
    return bool(re.fullmatch(_OFFICE, level(word)))


def full_names(text: str, even: str) -> Iterator[Span]:
    """Given name and surname of other, private people; neither the teller's own nor officials'."""
    for start, end in [*_capitalised(text, even), *_lower_case(text, even)]:
        before, after = even[max(0, start - 60) : start], even[end : end + 60]
        name = " ".join(even[start:end].split())
        if any(public in name for public in _public()) or _OWN.search(before):
            continue
        if (
            re.match(rf"{_OFFICE}\s", name)
            or _OFFICE_BEFORE.search(before)
            or _OFFICE_AFTER.match(after)
        ):
            continue
        if _PLACE_BEFORE.search(before) and not _STRONG_CUE.search(before):
            continue
        if _PLACE_AFTER.match(after):
            continue
        yield span(text, start, end, SpanKind.FULL_NAME_THIRD_PARTY)


def _capitalised(text: str, even: str) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words, particles between them, that read as given name and surname."""
    tokens = list(_TOKEN.finditer(text))
    i = 0
    while i < len(tokens):
        if not text[tokens[i].start()].isupper():
            i += 1
            continue
        run = [tokens[i]]
        j = i + 1
        while j < len(tokens) and _joins(text, tokens[j - 1], tokens[j]):
            word = level(tokens[j][0].rstrip("."))
            if not (text[tokens[j].start()].isupper() or word in _PARTICLES):
                break
            run.append(tokens[j])
            j += 1
        while run and not text[run[-1].start()].isupper():
            run.pop()
        found = _person(text, even, run)
        if found:
            yield found
        i = max(j, i + 1)


def _joins(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    between = text[left.end() : right.start()]
    if left[0].endswith("."):
        short = level(left[0].rstrip("."))
        if len(short) > 1 and short not in _HONORIFIC:
            return False
    return bool(between) and between.strip(" ") == ""


def _person(text: str, even: str, run: list[re.Match[str]]) -> tuple[int, int] | None:
    """The part of a capitalised run that is a person's full name, if any."""
    titled = False
    words = list(run)
    while words:
        word = level(words[0][0].rstrip("."))
        if word in _HONORIFIC:
            titled = True
        elif word in _PARTICLES or (word in _listed("not_names") and not is_first_name(word)):
            titled = False
        elif len(words) > 1 and not titled and not is_first_name(word):
            rest = level(words[1][0])
            known = _known_surname(word) or _known_surname(rest)
            if is_first_name(rest) and (len(words) > 2 or not known):
                words = words[1:]
                continue
            break
        else:
            break
        words = words[1:]
    kept: list[re.Match[str]] = []
    for token in words:
        word = level(token[0].rstrip("."))
        if word in _listed("not_names") and word not in ("san", "santa", "la", "el", "los", "las"):
            if word in ("school", "elementary", "street", "park", "hospital", "academy", "library"):
                return None
            break
        kept.append(token)
    while kept and level(kept[-1][0]) in _PARTICLES:
        kept.pop()
    capitals = [t for t in kept if text[t.start()].isupper() and len(t[0].rstrip(".")) > 1]
    if len(capitals) < 2 or len(kept) > 7:
        return None
    first, last = level(capitals[0][0]), level(capitals[-1][0].rstrip("."))
    end = kept[-1].end() - (1 if kept[-1][0].endswith(".") else 0)
    start = kept[0].start()
    cued = bool(_STRONG_CUE.search(even[max(0, start - 30) : start])) or titled
    if all(t[0].isupper() for t in capitals) and not is_first_name(first):
        return None
    if is_first_name(first):
        both_given = is_first_name(last) and not _known_surname(last) and len(kept) == 2
        if both_given and not cued:
            return None
        if first in _listed("first_words") and not (_known_surname(last) or cued):
            return None
        return start, end
    if cued or (
        _known_surname(last)
        and _known_surname(first)
        and _CUE.search(even[max(0, start - 40) : start])
    ):
        return start, end
    sure = _known_surname(last) and last not in _listed("surname_words")
    sure = sure or (len(capitals) > 2 and _known_surname(level(capitals[1][0])))
    return (start, end) if sure and reads_as_given_name(first) else None


def _known_surname(word: str) -> bool:
    return word in _listed("surnames")


def _opens(text: str, start: int) -> bool:
    """True when the word at `start` begins a sentence, so its capital says little."""
    before = text[:start].rstrip()
    return not before or before[-1] in '.!?:\n¡¿"“'


def _lower_case(text: str, even: str) -> Iterator[tuple[int, int]]:
    """Names typed without capitals: both words listed, and unambiguous or after a cue."""
    tokens = [t for t in _TOKEN.finditer(text)]
    for i, token in enumerate(tokens[:-1]):
        if text[token.start()].isupper() or not is_first_name(token[0]):
            continue
        last = i
        k = i + 1
        while k < len(tokens) and k < i + 5 and _joins(text, tokens[k - 1], tokens[k]):
            word = level(tokens[k][0].rstrip("."))
            if _known_surname(word) and word not in _PARTICLES:
                last = k
            elif word not in ("de", "la", "del", "da", "dos", "los") and not is_first_name(word):
                break
            k += 1
        if last == i:
            continue
        cued = _STRONG_CUE.search(even[max(0, token.start() - 30) : token.start()])
        doubtful = level(token[0]) in _listed("first_words") or level(tokens[last][0]) in _listed(
            "surname_words"
        )
        if cued or not doubtful:
            yield token.start(), tokens[last].end()

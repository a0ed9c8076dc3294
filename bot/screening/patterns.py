"""The small language of rules/*.txt: patterns over folded text with named word classes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_PARTNER = (
    "husband|wife|boyfriend|girlfriend|bf|gf|hubby|partner|ex|ex husband|ex boyfriend|ex wife|"
    "fiance|fiancee|spouse|baby daddy|esposo|esposa|marido|mujer|pareja|novio|novia|conviviente|"
    "ex esposo|ex marido|ex pareja|ex novio|companheiro|companheira|companero|namorado|namorada|"
    "mulher|ex marido|ex namorado"
)
_KIN = (
    "dad|daddy|father|stepdad|stepfather|step dad|step father|mom|mum|mam|mama|mother|stepmom|"
    "stepmother|brother|stepbrother|sister|son|daughter|son in law|daughter in law|in laws|uncle|"
    "aunt|auntie|cousin|grandpa|grandad|granddad|grandfather|grandma|nan|grandson|granddaughter|"
    "grandkid|nephew|niece|kid|kids|boy|girl|lad|child|children|baby|papa|apa|padre|padrastro|jefe|"
    "viejo|ama|madre|madrastra|vieja|hermano|hermanastro|hermana|hermanito|hermanita|hijo|hija|"
    "hijos|hijas|hijito|hijita|nino|nina|ninos|ninas|bebe|yerno|nuera|suegro|suegra|cunado|tio|tia|"
    "primo|prima|abuelo|abuela|nieto|nieta|sobrino|sobrina|hijastro|hijastra|chamaco|chamaca|wawa|"
    "pai|padrasto|mae|madrasta|irmao|irma|filho|filha|filhos|genro|nora|sogro|sogra|cunhado|avo|"
    "neto|neta|sobrinho|sobrinha|menino|menina|enteado|enteada|crianca|criancas"
)
_OTHERS = (
    "friend|best friend|bestie|buddy|mate|pal|roommate|flatmate|housemate|neighbor|neighbour|"
    "student|pupil|patient|client|coworker|co worker|colleague|classmate|boss|manager|foreman|"
    "supervisor|landlord|employer|madam|sir|teacher|coach|priest|pastor|carer|caregiver|aide|"
    "nurse|babysitter|stranger|man|guy|men|guys|woman|lady|dude|bloke|amigo|amiga|compa|parce|"
    "companero|companera|vecino|vecina|alumno|alumna|paciente|patron|patrona|encargado|capataz|"
    "senor|senora|maestro|maestra|profe|profesor|entrenador|cura|cuidador|cuidadora|tipo|hombre|"
    "hombres|muchacho|muchacha|chavo|chava|chico|chica|colega|vizinho|vizinha|aluno|aluna|patrao|"
    "patroa|chefe|professor|padre|cara|homem|homens|moco|moca|cuidador"
)
_MACROS = {
    "PARTNER": f"(?:{_PARTNER})",
    "KIN": f"(?:{_KIN}|{_PARTNER})",
    "SOMEONE": f"(?:{_KIN}|{_PARTNER}|{_OTHERS})",
    "MY": "(?:my|me|our|her|his|their|the|a|that|this|one of (?:my|our)|mi|mis|nuestro|nuestra|su|"
    "sus|tu|el|la|un|una|los|las|o|a|os|as|meu|minha|meus|minhas|nosso|nossa|seu|sua|um|uma)",
    "SELF": "(?:my ?self|himself|herself|themsel(?:f|ves)|ourselves|yourself)",
    "I": "(?:i|im|ive|ill|id|i am|i have|i just|i really|i honestly|i keep|i still|i only|yo)",
    "HE": "(?:he|hes|she|shes|they|theyre|theyve|who)",
    "ME": "(?:me|us|him|her|them|you|my self|himself|herself)",
    "W": "(?:[a-z0-9]+ )",
    "NOW": "(?:now|right now|today|tonight|tomorrow|this (?:week|weekend|morning|evening|month)|"
    "soon|hoy|ahora|ahorita|ahora mismo|esta (?:noche|semana|tarde)|manana|hoje|agora|amanha|"
    "essa noite|esta noite|(?:on |el |na |no )?(?:monday|tuesday|wednesday|thursday|friday|"
    "saturday|sunday|lunes|martes|miercoles|jueves|viernes|sabado|domingo|segunda|terca|quarta|"
    "quinta|sexta))",
}
_NAME = re.compile(r"<([A-Z]+)>")


_RULES = Path(__file__).parent / "rules"


def compile_all(patterns: Iterable[str]) -> re.Pattern[str]:
    """One pattern that matches where any of `patterns` does, on whole words of folded text.

    `<KIN>` and its like stand for word classes; `<W>` is any one word with its space, and never
    crosses a sentence end.
    """
    spelled = [_NAME.sub(lambda m: _MACROS[m[1]], p) for p in patterns]
    return re.compile("(?<![a-z0-9])(?:" + "|".join(spelled) + ")(?![a-z0-9])")


@cache
def rules(name: str) -> re.Pattern[str]:
    """The rules of rules/<name>.txt as one pattern: a pattern a line, `#` begins a comment."""
    lines = (_RULES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return compile_all(line for line in lines if line and not line.startswith("#"))

"""Danger, distress or neither: rules over folded text and a linear head on its embedding."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.core.care import Safety
from bot.core.narrative import count_words
from bot.screening.normal import fold
from bot.screening.patterns import compile_all, rules

_FRESH_MARKS = [
    "last (?:night|week|sunday|saturday|friday|monday|tuesday|wednesday|thursday)",
    "yesterday",
    "this (?:morning|week|weekend|afternoon|evening)",
    "tonight",
    "again",
    "(?:minutes|hours?|days) ago",
    "(?:came|come|coming|comes|is|are|its|all|creeping|thoughts) back",
    "lately",
    "(?:on )?(?:sunday|saturday|friday|monday|tuesday|wednesday|thursday)",
    "anoche",
    "ayer",
    "otra vez",
    "de nuevo|de novo",
    "ahorita",
    "esta (?:noche|semana|manana|tarde)",
    "hace (?:un rato|rato|una hora|unas horas|<W>dias)",
    "la semana pasada|semana passada",
    "(?:el )?(?:lunes|martes|miercoles|jueves|viernes|sabado|domingo)(?: pasado)?",
    "ontem",
    "essa semana|esta noite|essa noite",
    "ultimamente",
    "(?:ha|han) vuelto",
]
_FRESH = compile_all(_FRESH_MARKS)
_TODAY = compile_all([*_FRESH_MARKS, "today|now|just|hoy|ahora|hoje|agora"])
_FAR = compile_all(
    [
        "used to",
        "when (?:i|we) (?:was|were)",
        "wen i was",
        "as a (?:kid|child|teen|teenager|girl|boy|young)",
        "back then|long ago|years ago|decades? ago|year ago",
        "(?:in|since|by|of|until|from|hasta|desde|en|em|el) (?:the )?(?:19|20)\\d\\d",
        "(?:19|20)\\d\\d",
        "in the (?:seventies|eighties|nineties)",
        "growing up|childhood|junior year|freshman year|high school|in foster care",
        "(?:my|me) first (?:husband|wife|boyfriend|marriage|employer)|ex husband",
        "at (?:age )?(?:1[0-9]|2[0-9]|nineteen|sixteen|seventeen|eighteen|twenty)",
        "that (?:year|winter|summer|night|spring|time)",
        "for (?:years|<W>years)|it took (?:me )?",
        "(?:i|we) (?:left|got out|escaped|ran away|divorced)",
        "one day i left|until i left|before i left",
        "cuando (?:yo )?(?:era|tenia|eramos|vivia)",
        "de (?:nin[oa]|chic[oa]|chavit[oa]|joven)|mi (?:infancia|ninez)",
        "hace (?:mucho|muchos|tantos|tanto|anos|<W>anos|como <W>anos)(?: anos)?",
        "anos (?:atras|despues)|en aquel|en esos anos|en esa epoca|aquella noche|de eso hace",
        "por <W>anos|durante anos|anos con",
        "primer (?:marido|esposo)|primera esposa|ex marido|primeiro marido",
        "me (?:fui|separe|sali|escape)|pude salir|sali de ahi",
        "quando (?:eu )?(?:era|tinha)|na infancia|moleque",
        "(?:faz|ha) (?:muitos|<W>)anos|anos atras|me separei|sai em|com 1\\d",
    ]
)
_SPEAKS_OF_A_WORK = compile_all(
    [
        "film|movie|novel|play|poem|episode|series|character|romeo|opera|podcast|documentary",
        "pelicula|novela|telenovela|obra|poema|corrido|serie|personaje|cancion|cuento|documental",
        "filme|peca|personagem|musica|livro de",
    ]
)
_SERVES = compile_all(
    [
        "(?:hotline|helpline|help line|hot line|crisis line|prevention|samaritans|lifeline)",
        "(?:shelter|refuge|hospice|chaplain|charity|first aid|mental health|callers?|naloxone)",
        "(?:train(?:ed|ing|s)?|volunteers?|workshop|awareness|support group|teach(?:es)?)",
        "(?:linea de prevencion|prevencion|voluntari[oa]s?|refugio|taller|promotoras?|protocolo)",
        "(?:platicas|capacita\\w*|acompanamos|atendemos|atendiendo|atiendo|016|urgencias)",
        "(?:linha|voluntaria|voluntario|prevencao|abrigo|voz amiga|cvv|oficina)",
    ]
)
_MANY = compile_all(
    [
        "callers|people|patients|students|teens|veterans|women|those|anyone|residents|youth",
        "someone (?:who|thinking)|a man|barbers|neighbors|numbers?|rates?|percent|statistics",
        "tasa|cifras|victimas|mujeres|jovenes|personas|gente|alumnos|adolescentes|quienes",
        "pessoas|mulheres|jovens|quem|taxa|estudantes",
    ]
)
_NEVER = re.compile(
    r" (?:dont|do not|didnt|not|never|would never|nobody|no|nunca|jamas|nao|nem|without|aint|"
    r"im not|isnt|wasnt|are you|estas) (?:(?:going|want|trying|plan|me|se|quiero|voy a|to|even|actually|ever|"
    r"vou|quero|thinking|planning|about|of|pense en|he pensado en) )*$"
)
_THEN = re.compile(
    r" (?:used to|use to|was|were|would|had been|kept|solia|costumava|estaba|estava) (?:\w+ ){0,2}$"
)


@dataclass(frozen=True)
class Signs:
    """What the rules saw in one message."""

    own_danger: bool
    other_danger: bool
    cry: bool
    fresh_harm: bool
    old_harm: bool
    hints: int
    everyday: bool
    serving: bool
    work: bool
    far: bool
    pain: bool


def signs(text: str) -> Signs:
    """Read one message with the rules of every language; its language need not be known."""
    folded = fold(text)
    spoken = rules("idioms").sub(" ~ ", folded)
    spoken = f" {' '.join(spoken.split())} "
    serving = bool(_SERVES.search(folded))
    work = bool(_SPEAKS_OF_A_WORK.search(folded))
    many = bool(_MANY.search(folded))
    far = bool(_FAR.search(folded))
    own = _open(rules("own_life"), spoken, far)
    others = _open(rules("others"), spoken, far)
    fresh = old = False
    for match in rules("done").finditer(spoken):
        start = spoken.rfind(" . ", 0, match.start()) + 1
        end = spoken.find(" . ", match.end())
        sentence = spoken[start : end if end >= 0 else len(spoken)]
        after = spoken[match.end() :]
        recent = _FRESH.search(after) if far else _TODAY.search(sentence)
        fresh = fresh or bool(recent)
        old = old or not recent
    told_of_others = (serving and many) or work
    return Signs(
        own_danger=own and not told_of_others,
        other_danger=others and not told_of_others,
        cry=bool(rules("cries").fullmatch(folded.strip(" ."))),
        fresh_harm=fresh and not told_of_others,
        old_harm=old,
        hints=len({m[0] for m in rules("hints").finditer(spoken)}),
        everyday=spoken != folded,
        serving=serving,
        work=work,
        far=far,
        pain=bool(rules("pain").search(spoken)),
    )


def _open(pattern: re.Pattern[str], spoken: str, far: bool) -> bool:
    """True when the pattern matches without a denial, or a far past, just before it."""
    for m in pattern.finditer(spoken):
        before = spoken[: m.start()].rstrip() + " "
        if not _NEVER.search(before) and not (far and _THEN.search(before)):
            return True
    return False


Chances = Callable[[str], Sequence[float]]
"""Probabilities of crisis, distress and none for a text, summing to 1."""

CRISIS_FLOOR = 0.5
"""The head's chance of crisis that is enough without any rule; from cross-validation by author."""
FEWEST = 5
"""Words below which the head is not asked: an embedding of "hasta mañana" says too little, and
short cries for help stand in the rules."""
FEWEST_FOR_PAIN = 8
"""Words below which only the rules speak of pain: "when I dropped the can" is not grief."""
MESSAGE = 40
"""Words up to which a text is taken for a message rather than for a part of a story."""
SURE = 0.9
"""The head's chance of crisis that needs no rule beside it; below, it is doubt."""
AGREES = 0.25
"""The chance of crisis that, with a rule, is danger; below it the two disagree: doubt. A rule about
ending one's own life is enough by itself in a short message."""
CONTRADICTS = 0.1
"""The head's chance of crisis below which a rule about what others do counts as a sign only: "the
foreman threatened to dock us". A rule about ending one's life is never set aside so. Among rules
that spoke up wrongly three in four were below, of true ones one in twenty (cross-validated)."""


@dataclass(frozen=True)
class Readiness:
    """How readily learned chances are believed without any rule, for messages and for stories.

    `ask` is the chance of crisis from which it counts as doubt; `pained` the share of distress,
    against none, from which it counts as pain.
    """

    ask: float
    ask_in_story: float
    pained: float
    pained_in_story: float


BATCH = Readiness(CRISIS_FLOOR, CRISIS_FLOOR, 0.5, 0.7)
"""A missed cry is worst, and nobody is interrupted by an alarm."""
TALK = Readiness(0.5, 0.7, 0.7, 0.7)
"""A story comes in twenty turns, and those that move people hold some pain: at a batch's readiness
the coach would stop many that have no danger in them."""


def judge(text: str, chances: Chances | None) -> Safety:
    """The message's safety in three classes: doubt about danger counts as crisis."""
    safety = weigh(text, chances, BATCH)
    return Safety.CRISIS if safety is Safety.DOUBT else safety


def weigh(text: str, chances: Chances | None, ready: Readiness = TALK) -> Safety:
    """The message's safety: rules and the head, each checking the other; or rules alone.

    How far the head alone is believed, `ready` says.
    """
    seen = signs(text)
    told = seen.own_danger or seen.other_danger or seen.fresh_harm
    if chances is None:
        return _by_rules(seen, told)
    words = count_words(text)
    if words < FEWEST and (told or not seen.hints):
        return _by_rules(seen, told)
    is_story = words > MESSAGE
    crisis, distress, none = chances(text)
    if told and seen.far and crisis < AGREES:
        # What they name lies years back, and nothing learned hears danger now.
        return Safety.DISTRESS
    if seen.own_danger and not is_story:
        return Safety.CRISIS
    if seen.own_danger or (told and crisis >= CONTRADICTS):
        return Safety.CRISIS if crisis >= AGREES else Safety.DOUBT
    if seen.cry:
        return Safety.DOUBT
    signalled = seen.hints + told
    floor = CRISIS_FLOOR - 0.15 * min(signalled, 2)
    if seen.everyday or seen.serving or seen.work:
        floor += 0.4
    if seen.far or seen.pain:
        floor += 0.12
    ask = ready.ask_in_story if is_story else ready.ask
    if crisis >= min(floor, 0.985) and (crisis >= ask or signalled):
        return Safety.CRISIS if crisis >= SURE or signalled else Safety.DOUBT
    if seen.pain or seen.old_harm:
        return Safety.DISTRESS if distress + 0.2 > none else Safety.NONE
    enough = ready.pained_in_story if is_story else ready.pained
    pained = distress > enough * (distress + none) and words >= FEWEST_FOR_PAIN
    return Safety.DISTRESS if pained else Safety.NONE


def _by_rules(seen: Signs, told: bool) -> Safety:
    if told or seen.hints >= 2:
        return Safety.CRISIS
    if seen.cry:
        return Safety.DOUBT
    return Safety.DISTRESS if seen.old_harm or seen.pain else Safety.NONE

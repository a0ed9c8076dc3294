"""What a coach's own question may be made of, by language: the words that add nothing to a story.

Everything else in a question must come from the teller. Words are written without accents, in
lower case; see `folded`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

FUNCTION: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        """a an the this that these those and or but so if then than as at by for from in into of on
        onto off out over to up with without about after before during until till when whenever
        while where there here what whats who whom whose which how i me my you your yours yourself
        it its he him his she her hers they them their theirs we us our ours one ones is isnt am
        are arent was wasnt were werent be been being do did didnt does doesnt done doing have had
        hadnt has having will would wouldnt could couldnt can cant may might should shall not no
        nor yes all any both each every few more most much many other another some such only own
        same too very just even still yet ever never again once back away down through around
        because youd youre youve youll id im ive theres wheres hows whos thats""".split()
    ),
    "es": frozenset(
        """a al ante bajo con contra de del desde en entre hacia hasta para por sin sobre tras y e o
        u ni que pero si sino como cuando donde quien quienes cual cuales cuanto cuanta cuantos
        cuantas el la los las lo le les se me te nos un una unos unas uno yo tu ti mi mis tus su
        sus nuestro nuestra nuestros nuestras ella ello ellos ellas nosotros nosotras contigo
        conmigo este esta esto estos estas ese esa eso esos esas aquel aquella aquello alli ahi
        aqui alla es era eras eran fue fuiste fueron ser sido siendo soy eres somos son esta estas
        estaba estabas estaban estuvo estuviste estar habia habias habian ha has han he hemos haber
        hubo hay hubiera hubieras no si ya mas muy tan tanto mucho mucha muchos muchas poco poca
        todo toda todos todas algo alguien alguno alguna algun nada nadie ningun ninguna otro otra
        otros otras mismo misma cada solo aun aunque entonces despues antes luego mientras tambien
        tampoco nunca siempre""".split()
    ),
    "pt": frozenset(
        """o os as um uma uns umas de do da dos das em no na nos nas por pelo pela com sem para pra
        e ou mas que se quando onde quem qual quais como eu voce voces ele ela eles elas nos meu
        minha seu sua seus suas nao sim ja mais muito isso isto aquilo foi era estava tinha ser
        estar ao aos ate entao depois antes""".split()
    ),
    "fr": frozenset(
        """le la les un une des du de et ou mais que qui quoi ou quand comment est etait etes vous
        votre vos je tu il elle nous ils elles dans sur pour par avec sans ne pas plus ce cette
        ces au aux quel quelle qu avez avait""".split()
    ),
    "de": frozenset(
        """der die das den dem des ein eine einen einem und oder aber dass wenn wo wer was wann wie
        ist war sind waren sie ihr ihre ich du er wir nicht kein mit ohne auf fur von zu im in am
        hat haben hatte dich dir""".split()
    ),
    "it": frozenset(
        """il lo la gli le un uno una di del della dei e o ma che chi cosa dove quando come era sei
        tu io noi voi loro non con senza per su nel nella ti mi si quale tua tuo""".split()
    ),
}
"""Words that hold a sentence together; also how a language is told from another."""

COACHING: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        """ask asked bring brought begin began call called came change changed choice choose chose
        come day days decide decided describe difference different do else end ended exactly face
        faced felt feel find first follow followed found gave get give given go goes going got
        happen happened happening happens hear heard help helped hold holding hope instead keep
        keeps kept kind know knew last later lead learn learned learnt leave left let like listen
        little look looked looking make makes making made matter mattered matters mean means meant
        mind moment moments move moved moving name need needed needs next night notice noticed now
        part people person picture place point possible question reach remember right said saw say
        see seeing seen sense set share show showed shown small someone somebody something sound
        sounded stand standing start started stay step stood stop stopped story tell telling thing
        things think thought time times tip tipped today together told tomorrow took toward towards
        true try turn turned understand wanted want wants way week went whole willing word words
        wish wonder work worked year years yes yesterday self everyone everybody anyone anybody
        nobody nothing anything everything soon long ago new next sure able trust believe value
        values cost lose morning evening taught teach teaches gets wait waited waiting weigh deciding
        choosing telling facing asking changing holding keeping leaving hearing noticing before ready
        anywhere somewhere everywhere hour minute second instant hands eyes""".split()
    ),
    "es": frozenset(
        """acordar acuerdas acuerdo ahora ano anos aprender aprendiste ayer ayudo ayudar buscar
        buscabas cambiar cambia cambio cambiaron comenzar comenzo comienza conto contar cuenta
        cuentame cuentanos costo cosa cosas cree crees creer creiste cuidar da dar dado dia dias
        dice dices dicho dieron diferente diste dio decir decidir decidio decidiste dejar deja
        dejaste dijo dijeron dijiste distinto elegir elegiste empezar empieza empezo encontrar
        escuchar escuchaste escuchas espera esperas falta gente haces hacer hacen haria harias hecho
        hicieron hiciste hizo historia hora hoy hubieras idea importa importaba importo instante
        interior ir iba ibas juntos juntas llegar llegas llego lleva llevame llevaste lograr lugar
        manana mantener mejor mirar mirabas mirame momento momentos mostrar motivo mover moviste
        movio nacer necesita necesitas noche nombre notar notaste oir oias oiste palabra palabras
        parte paso pasa pasaba pasaria pasar pasaron pedir pedirias persona personas pequena pequeno
        pensar pensabas pensaste perder perderian piensas pone poner podia podias podria podrias
        pregunta primer primera primero propia propio puede pueden puedes quedo quedar quedarte
        quedaste querer queria querias quiere quieren quieres quiso quisiste recordar recuerdas
        saber sabes sabias sabria seguir seguiste semana sentir sentiste siente sientes siguiente
        sigue sirve sostener sostuvo suceder sucedio tarde tener tenia tenias tiene tienen tiempo
        tomar tomaste ultima ultimo va valor vas ver veces vez vi viene vienen vio visto viste ven
        verdad vives viviste volver volvio volviste ves veias veria nuevo nueva alrededor lado
        ustedes usted enseno ensenaron ensena asi darte dar darse hacerlo hacerte decirlo decirte
        llevo sigues quedarse moverte moverse segundo minuto hora unieron decidieron eligieron
        frente enfrente dentro fuera aprendieron hacian hacias harian pasarias unir uniste""".split()
    ),
}
"""Neutral words of asking: time, place, telling, doing, noticing. No feeling, thing or event."""

ASKING: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"\b(what|who|whom|whose|where|when|which|how)\b", re.I),
    "es": re.compile(r"\b(qu[eé]|qui[eé]n(?:es)?|cu[aá]l(?:es)?|cu[aá]ndo|d[oó]nde|c[oó]mo"
                     r"|cu[aá]nt[oa]s?)\b", re.I),
}  # fmt: skip
"""A question that leaves the answer open has one of these."""

SECOND: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:and|or|but|also)\s+(?:also\s+)?(?:(?:at|by|in|on|to|with|from|for)\s+)?"
        r"(?:what|who|whom|whose|where|when|which|how|why"
        r"|did|do|does|was|were|is|are|can|could|would|will|have|has|had)\b", re.I),
    "es": re.compile(
        r"\b(?:y|e|o|u|pero|adem[aá]s|tambi[eé]n)\s+(?:tambi[eé]n\s+)?"
        r"(?:(?:a|con|de|desde|en|hacia|hasta|para|por)\s+)?"
        r"(?:qu[eé]|qui[eé]n(?:es)?|cu[aá]l(?:es)?|cu[aá]ndo|d[oó]nde|c[oó]mo|cu[aá]nt[oa]s?)\b",
        re.I),
}  # fmt: skip
"""A second question hiding behind one question mark."""

BLAMING = re.compile(r"\bwhy\b|\bpor\s+qu[eé]\b", re.IGNORECASE)
"""Around harm "why" sounds like blame; "what made you" asks the same."""

PRAISE = re.compile(
    r"\b(great|amazing|awesome|wonderful|powerful|beautiful\w*|excellent|perfect\w*|good (?:job|work"
    r"|story)|well done|fantastic|incredible|inspir\w+|brave\w*|courageous\w*|impress\w+|lovely"
    r"|brilliant|proud of you|strong (?:story|start|person)|moving story|thank you for|congrat\w+"
    r"|genial\w*|incre[ií]ble\w*|hermos[oa]s?|excelente\w*|maravillos[oa]s?|poderos[oa]s?"
    r"|felicidades|felicitaciones|felicito|enhorabuena|valientes?|valent[ií]a|inspirador\w*"
    r"|impresionante\w*|bravo|precios[oa]s?|muy bien|buen trabajo|qu[eé] (?:bien|lindo|bonit[oa])"
    r"|fant[aá]stic[oa]s?|conmovedor\w*|gracias por)\b",
    re.IGNORECASE,
)

DRAFTING = re.compile(
    r"\b(here(?:'s| is| are)|you (?:could|can|might|may) (?:say|write|tell|start|begin|add|open)"
    r"|try (?:saying|writing|this)|say something like|(?:how|what) about (?:saying|writing|adding"
    r"|this)|(?:re-?write|re-?wrote|rewritten|reword|rephrase|polish|edit|improv|draft|version"
    r"|paragraph|sentence)\w*|would you like me to|let me (?:write|help|try)|i(?:'ll| will| have"
    r"|'ve| can| could) (?:write|written|rewrite|draft|add)|your story (?:could|should|might)|once"
    r" upon"
    r"|aqu[ií] (?:est[aá]|tienes|va)|(?:podr[ií]as|puedes) (?:decir|escribir|contar|empezar"
    r"|a[nñ]adir|agregar)|prueba (?:a )?(?:decir|escribir|con)|algo como|(?:reescri|redact|mejor[aoe]"
    r"|corrig|corregi|borrador|versi[oó]n|p[aá]rrafo|frase|oraci[oó]n)\w*|te (?:escribo|propongo"
    r"|sugiero)|tu historia (?:podr[ií]a|deber[ií]a)|hab[ií]a una vez|[eé]rase)\b",
    re.IGNORECASE,
)
"""Offering words for the story, or to work on its words."""

ADVICE = re.compile(
    r"\b(you (?:should|must|ought to|need to|have to|had better)|should(?:n't)? you|why not|have you"
    r" (?:considered|tried|thought)|consider \w+ing|it(?:'s| is| would be) (?:best|better"
    r"|important|good) to|i (?:suggest|recommend|advise|would|think)|what if|how about|make sure|don't forget"
    r"|debes|deber[ií]as|tienes que|hay que|conviene|te (?:recomiendo|aconsejo|conviene)|por qu[eé] no"
    r"|has (?:pensado|probado|considerado)|(?:es|ser[ií]a) (?:mejor|importante|bueno)|aseg[uú]rate"
    r"|no olvides|no te olvides|creo que|pienso que|qu[eé] tal si|y si)\b",
    re.IGNORECASE,
)

PARTISAN = re.compile(
    r"\b(vot(?:e|es|ing) (?:for|against)|vot(?:ar|as|en|a|emos|es|e) (?:por|contra|al?))\b",
    re.IGNORECASE,
)
"""Whom or what to vote for: never the coach's to ask, whoever spoke of it."""

POLITICS = re.compile(
    r"\b(vot(?:e|es|ed|er|ers|ing|ar|en|o|os|ante|antes|aci[oó]n)|elect\w*|candidat\w*|ballot\w*"
    r"|campaign for|(?:political )?part(?:y|ies)\b(?= (?:line|member|leader))|democrat\w*"
    r"|republican\w*|conservative\w*|labou?r party|liberal\w*|socialis\w*|communis\w*|leftist\w*"
    r"|right-wing|left-wing|president\w*|senator\w*|congress\w*|minister\w*|boycott\w*"
    r"|(?:the|your|which|what) government|politic\w*|pol[ií]tic\w*|elecci[oó]n\w*|comicios"
    r"|partidos?|presidente\w*|senador\w*|diputad\w*|ministr\w*|izquierda|derechista\w*|gobierno"
    r"|boicot\w*)\b",
    re.IGNORECASE,
)
"""Words of party and state; allowed only where the teller used them."""

OTHERS = re.compile(
    r"\b(other (?:residents?|people|tellers?|users?|stories|participants?|members?|neighbou?rs?)"
    r"|others (?:have|say|said|told|often|in)|another (?:resident|teller|person|story|neighbou?r)"
    r"|most people|many people|some people|people (?:often|usually|like you)|someone else(?:'s)?"
    r"|somebody else(?:'s)?|(?:his|her|their) (?:full |last |sur)?name|surname|last name|full name"
    r"|address|phone|e-?mail|diagnos\w*|illness\w*|medica(?:l|tion)\w*|(?:immigration|legal) status"
    r"|undocumented|papers\b|criminal"
    r"|otr[oa]s (?:residentes|personas|historias|participantes|vecin[oa]s)|otr[oa] (?:residente"
    r"|persona|vecin[oa])|la mayor[ií]a|much[oa]s personas|mucha gente|la gente (?:suele|como)"
    r"|apellidos?|nombre completo|direcci[oó]n|tel[eé]fono\w*|correo|diagn[oó]stic\w*|enfermedad\w*"
    r"|medicament\w*|papeles|situaci[oó]n migratoria|sin papeles|antecedentes)\b",
    re.IGNORECASE,
)
"""Other tellers, and what is nobody's business about people in the story."""

THIRD: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"\b(he|him|his|she|her|hers|they|them|their|theirs)\b", re.I),
    "es": re.compile(r"\b(él|ella|ellos|ellas)\b", re.I),
}

TELLER: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"\b(you|your|yours|yourself|youd|you\w*|we|us|our|ours)\b", re.I),
    "es": re.compile(
        r"\b(t[uú]|te|ti|tus|contigo|nos|nosotr[oa]s|nuestr[oa]s?|\w+(?:aste|iste|abas|[ií]as)"
        r"|\w+(?:amos|emos|imos)|\w{2,}(?:as|es))\b", re.I),
}  # fmt: skip
"""Signs that a question is put to the teller."""

MACHINE = re.compile(
    r"\b(system prompt|prompt|instruct\w*|guidelines?|as an? (?:ai|assistant|coach|language model)"
    r"|(?:language|ai) model|chatgpt|openai|assistant|json|schema|placeholder|telling>|</?telling"
    r"|self\.\w+|us\.who|now\.\w+|element(?:s|o|os)?|verbatim|output|token\w*"
    r"|instrucci\w+|asistente|modelo de lenguaje|inteligencia artificial|esquema)\b",
    re.IGNORECASE,
)
"""The machine talking about itself or about its orders."""

SUFFIXES: Mapping[str, frozenset[str]] = {
    "en": frozenset(("", "s", "es", "ed", "d", "ing", "e", "er", "ers", "ly", "y", "ies", "ied",
                     "n", "en", "t", "ting", "ted", "ning", "ned", "ping", "ped")),
    "es": frozenset(("", "s", "a", "o", "e", "i", "as", "os", "es", "ar", "er", "ir", "aste", "iste",
                     "aron", "ieron", "amos", "imos", "emos", "aba", "abas", "aban", "ia", "ias",
                     "ian", "io", "ando", "iendo", "ado", "ada", "ados", "adas", "ido", "ida",
                     "idos", "idas", "an", "en", "arte", "arse", "arlo", "arla", "ara", "aras",
                     "aria", "arias", "erte", "irte", "n", "r", "ste", "mos", "ron", "ndo", "do",
                     "da", "ba", "bas")),
}  # fmt: skip
"""Endings by which two forms of one word may differ."""


def folded(text: str) -> str:
    """Lower case without accents or apostrophes, so that spellings of one word meet."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'").replace("'", ""))
    return "".join(c for c in plain if not unicodedata.combining(c))


def words_of(text: str) -> list[str]:
    """Folded words, numbers among them, in order."""
    return re.findall(r"[^\W_]+", folded(text))


def related(one: str, other: str, language: str) -> bool:
    """Whether two folded words are forms of one word; never across short stems."""
    if one == other:
        return True
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    endings = SUFFIXES.get(language, frozenset(("",)))
    # A stem of four letters at least, else "car" would bring in "card".
    return any(one[cut:] in endings and other[cut:] in endings for cut in range(shared, 3, -1))


def language_of(text: str) -> str | None:
    """The language whose function words stand out in a sentence; None when none does."""
    found = words_of(text)
    scores = {code: sum(w in words for w in found) for code, words in FUNCTION.items()}
    best = max(scores, key=lambda code: scores[code])
    others = [score for code, score in scores.items() if code != best]
    return best if scores[best] >= 2 and scores[best] > max(others) else None

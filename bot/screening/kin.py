"""Other people's health and papers: a person or relation, and the condition.

A span is the shortest stretch from the person ("my neighbour Rosa", "Luis", "her son") to the end
of the condition ("has HIV", "has no papers"). The teller's own condition is theirs to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.core.care import Span, SpanKind
from bot.screening.names import reads_as_given_name
from bot.screening.places import span

_RELATION = (
    r"neighbou?rs?|best friend|friend|cousin|uncle|aunt|auntie|brother|sister|husband|wife|spouse|boss|landlord|landlady|"
    r"manager|teacher|co-?worker|colleague|partner|boyfriend|girlfriend|ex|foreman|supervisor|roommate|flatmate|housemate|"
    r"daughter|son|niece|nephew|mother|father|mom|mum|dad|grandmother|grandfather|grandma|grandpa|nan|stepdad|stepmom|stepson|"
    r"stepdaughter|classmate|tenant|kid|child|baby|boy|girl|lady|man|woman|guy|student|client|patient|babysitter|caretaker|"
    r"super|pastor|driver|janitor|cook|hired man|worker|guard|doorman|barber|cashier|seamstress|cleaner|porter|mechanic|waitress|waiter|butcher|baker|farmhand|mailman|priest|deacon|brothers|sisters|girls|boys|twins|sister-in-law|brother-in-law|mother-in-law|father-in-law|son-in-law|daughter-in-law|godmother|"
    r"godson|granddaughter|grandson|comadre|compadre|parents|in-laws|family|crew ?mate|gardener|nanny|cook|helper|"
    r"vecin[oa]s?|amig[oa]|prim[oa]|ti[oa]|herman[oa]|hermanit[oa]|espos[oa]|marido|mujer|pareja|jef[ea]|casero|casera|maestr[oa]|profesor[a]?|"
    r"companer[oa]|novi[oa]|dueno|duena|cunad[oa]|suegr[oa]|hij[oa]|hijit[oa]|sobrin[oa]|niet[oa]|madre|padre|mama|papa|abuel[oa]|abuelit[oa]|nin[oa]|"
    r"yerno|nuera|senor|senora|muchach[oa]|chic[oa]|joven|patron|patrona|encargad[oa]|ahijad[oa]|madrina|padrino|alumn[oa]|inquilin[oa]|conserje|portero|portera|cociner[oa]|pe[ou]n|obrer[oa]|panader[oa]|carnicero|cajera|costurera|mesero|mesera|repartidor|albanil|cura|cuidador[a]?|limpiador[a]?|chofer|"
    r"porteiro|faxineira|diarista|pedreiro|motorista|cozinheir[oa]|moca|rapaz|garot[oa]|vizinh[oa]s?|colega|irma|irmao|filh[oa]|sobrinh[oa]|net[oa]|mae|pai|avo|sogr[oa]|namorad[oa]|chefe|patrao|patroa|moc[oa]|menin[oa]|genro|nora|"
    r"empregad[oa]|inquilin[oa]|alun[oa]|professor[a]?|padrasto|madrasta|enteado"
)


def _people(pattern: str) -> re.Pattern[str]:
    """Compile with `@` for one marked name; see with_names_marked."""
    return re.compile(pattern.replace("@", "@~*"))


_OWNER = (
    r"(?:my|our|his|her|their|your|the|a|that|this|one of (?:my|our)|mi|mis|su|sus|tu|nuestr[oa]s?|el|la|los|un|una|aquel|esa?|ese|"
    r"meu|minha|o|seu|sua|nosso|nossa|um|uma|a|\w+'s|(?:(?:mr|mrs|ms|dr|don|dona|sra|sr)\.?\s)?@'s)"
)
_NAME = r"(?:(?:don|dona|sra?\.?|mrs?\.?|ms\.?|dr\.?)\s)?@"
_WHERE = (
    r"(?:\s(?:next door|upstairs|downstairs|across the (?:hall|street|landing)|from (?:work|church|\w+)|in (?:\d\w*|apartment \w+|flat \w+|unit \w+)|"
    r"de (?:al lado|arriba|abajo|enfrente|la esquina|la vuelta|cima|baixo|mi (?:cuadra|calle|edificio))|del? (?:tercer[oa]|segund[oa]|primer[oa]|cuart[oa]|\d\w*)(?:\s\w+)?|do lado|ao lado|(?:de|del|da|do|dos|of|from|at) (?:(?:la|el|the|my|mi|seu|sua|meu|minha|dona|don) )?(?:@|\w+)))"
)
_SUBJECT = (
    rf"(?:(?<!\w){_OWNER}\s(?:(?:older|younger|little|big|oldest|youngest|best|good|elderly|mejor|good|querid[oa]|melhor)\s)?"
    rf"(?:{_RELATION})(?:\s(?:mayor|menor|politica|pequen[oa]|mais (?:velh[oa]|nov[oa])))?{_WHERE}?(?:,?\s{_NAME})?{_WHERE}?"
    rf"|{_NAME}{_WHERE}?)(?:,\s[^,.;!?]{{3,40}},)?"
)
_LINK = (
    r"(?:,?\s(?:who|que|quem|y|and|he|she|ella|el|ele|ela|la pobre|el pobre|still|also|now|just|already|really|even|ya|todavia|tambien|"
    r"siempre|ahora|hoje|agora|ja|only|secretly|has been|is|was|esta|recently|actually|apparently|been|que nos cuida|on the \w+ floor|"
    r"de la \w+|with two kids|con \w+ hijos|tambem|finally|never told anyone that (?:he|she)|told me (?:that )?(?:he|she)|me conto que|dijo que|confided (?:that )?(?:he|she))){0,3},?\s"
)
_CONDITION = (
    r"(?:hiv|aids|the virus|cancer|leukemia|lymphoma|a tumou?r|anemia(?: falciforme)?|sickle[- ]cell(?: disease)?|diabetes|diabetic|epilepsy|seizures|asthma|lupus|hepatitis(?: [abc])?|tuberculosis|tb|"
    r"parkinson'?s?|alzheimer'?s?|dementia|multiple sclerosis|ms|als|sickle cell|kidney (?:failure|disease)|heart (?:failure|disease|condition)|"
    r"copd|emphysema|cirrhosis|syphilis|herpes|chlamydia|gonorrhea|an std|an sti|long covid|covid|autism|autistic|adhd|down syndrome|dyslexia|"
    r"schizophreni[ac]|bipolar(?: disorder)?|depression|clinical depression|postpartum depression|anxiety|ptsd|anorexi[ac]|bulimi[ac]|an eating disorder|ocd|psychosis|"
    r"borderline|a drinking problem|a drug problem|a gambling problem|an addiction|a stroke|a miscarriage|an abortion|fibromyalgia|"
    r"vih|sida|un tumor|cancer de \w+|leucemia|linfoma|diabetic[oa]|epilepsia|asma|hepatitis|alzheimer|demencia(?: senil)?|"
    r"esclerosis(?: multiple)?|insuficiencia renal|cirrosis|sifilis|autismo|tdah|sindrome de down|esquizofreni[ac][oa]?|bipolaridad|trastorno bipolar|depresion(?: posparto)?|"
    r"ansiedad|anorexia|bulimia|psicosis|un aborto|adiccion(?:es)?|problemas? (?:de|con) (?:alcohol(?:ismo)?|drogas|la bebida|el alcohol|adicciones|bebida)|"
    r"demencia|cancro|diabetico|tuberculose|hiv|depressao|esquizofrenia|transtorno bipolar|aids|hanseniase|"
    r"problema com (?:alcool|drogas)|a doenca de \w+|chagas|vitiligo|lepra|endometriosis|glaucoma|cataracts|psoriasis|"
    r"lung cancer|breast cancer|\w+ cancer|stage (?:four|three|two|4|3|2)(?: \w+)? cancer|hypertension|high blood pressure|hipertension|presion alta|pressao alta)"
)
_SUBSTANCE = (
    r"(?:heroin|meth|crack|cocaine|opioids|pills|oxy(?:s|contin)?|fentanyl|alcohol|drugs|painkillers|methadone|suboxone|"
    r"insulin|lithium|antidepressants|antipsychotics|prozac|zoloft|xanax|antiretrovirals|chemo(?:therapy)?|dialysis|prep|hormones|"
    r"seroquel|risperidone|adderall|ritalin|meds for \w+|medication for (?:\w+\s?){1,2}|"
    r"heroina|cocaina|cristal|piedra|drogas|alcohol|las drogas|el alcohol|la bebida|fentanilo|insulina|litio|antidepresivos|"
    r"antirretrovirales|metadona|quimio(?:terapia)?|dialisis|antipsicoticos|pastillas (?:para|de) (?:\w+\s?){1,3}|medicamentos? para (?:\w+\s?){1,3}|"
    r"remedio (?:para|controlado)(?: \w+)?|antidepressivos?|alcool|drogas|hemodialise|quimioterapia|cocaina|crack)"
)
_ILL = _people(
    rf"{_SUBJECT}{_LINK}?(?:"
    rf"(?:has|had|have|got|gets|lives with|living with|is living with|suffers from|suffered from|suffers|is fighting|fighting|battling|is battling|is sick with|is dying of|"
    rf"died of|has been diagnosed with|was diagnosed with|got diagnosed with|diagnosed with|was just diagnosed with|tested positive for|caught|is being treated for|struggles with|beat|"
    rf"tiene|tenia|tuvo|padece(?: de)?|padecia|sufre(?: de)?|sufria|vive con|convive con|le (?:diagnosticaron|detectaron|encontraron|dio|dieron)|fue diagnosticad[oa] (?:con|de)|"
    rf"esta (?:enferm[oa] de|con)|murio de|dio positivo (?:a|en|por)|lucha contra|contrajo|se esta tratando (?:de|por)|"
    rf"tem|teve|sofre de|sofre com|foi diagnosticad[oa] com|descobriu que tem|esta com|ta com|pegou|trata|luta contra)\s(?:\w+\s){{0,2}}?{_CONDITION}"
    rf"|(?:is|was|went|es|era|esta|e|ta|ficou|se quedo|quedo|salio|is also|became|got|'s)\s(?:\w+\s)?(?:hiv[ -]?(?:positive|\+)|positive for \w+|pregnant(?: again)?|bipolar|schizophrenic|autistic|diabetic|epileptic|"
    rf"an? (?:alcoholic|addict|drug addict|recovering addict|recovering alcoholic)|alcoholic|addicted to (?:{_SUBSTANCE[3:]}|in (?:rehab|recovery|detox|a psychiatric \w+|the psych ward)|"
    rf"(?:back )?on {_SUBSTANCE}|suicidal|anorexic|bulimic|terminally ill|infertile|depressed|clinically depressed|into rehab|to rehab|"
    rf"seropositiv[oa]|vih positiv[oa]|embarazada|esperando (?:un )?(?:hijo|bebe)|prenada|gravida|autista|diabetic[oa]|epileptic[oa]|esquizofrenic[oa]|alcoholic[oa]|adict[oa](?: a(?:l| la| las)? \w+)?|"
    rf"enganchad[oa] (?:a|al|con) (?:la |las )?\w+|viciad[oa] em \w+|drogadict[oa]|depresiv[oa]|deprimid[oa]|positiv[oa]|alcoolatra|dependente quimic[oa]|"
    rf"en (?:rehabilitacion|tratamiento (?:de|por) \w+|un centro de rehabilitacion|quimio|dialisis)|em reabilitacao|internad[oa] (?:por|en el psiquiatrico|en psiquiatria|na psiquiatria)(?: \w+)?|anexad[oa])"
    rf"|(?:takes|uses|took|is on|'s on|shoots|smokes|injects|drinks|is hooked on|got hooked on|hooked on|overdosed on|is addicted to|was addicted to|relapsed on|abuses|toma|consume|fuma|se inyecta|se pica|usa|"
    rf"recayo (?:en|con)|se engancho (?:a|con)|tomaba|esta tomando|toma remedio|faz)\s(?:\w+\s){{0,2}}?{_SUBSTANCE}"
    rf"|(?:relapsed|overdosed|had (?:an abortion|a miscarriage|a breakdown|a nervous breakdown|a stroke|a hysterectomy|a mastectomy)|tried to (?:kill|hang) (?:him|her)self|attempted suicide|went (?:in)?to rehab|can'?t have (?:kids|children)|"
    rf"recayo|aborto|tuvo un (?:aborto|derrame|infarto|brote psicotico)|intento suicidarse|se intento suicidar|no puede tener hijos|teve um (?:aborto|derrame|surto)|recaiu|tentou se matar|perdio un embarazo)"
    rf")(?!\w)"
)
_ILLNESS_OF = _people(
    rf"(?<!\w)(?:{_OWNER}\s(?:{_RELATION})(?:\s@)?'s|@'s)\s(?:\w+\s)?(?:{_CONDITION}|pregnancy|addiction|drinking|abortion|diagnosis|miscarriage|overdose|relapse|chemo|dialysis|hiv status|medication)(?!\w)"
    rf"|(?<!\w)(?:el|la|los|las|o|a)\s(?:{_CONDITION}|embarazo|adiccion|alcoholismo|aborto|diagnostico|sobredosis|recaida|quimio|dialisis|gravidez|vicio)\s(?:de|del|do|da)\s(?:(?:{_OWNER}\s)?(?:{_RELATION})(?:\s@)?|@)(?!\w)"
    rf"|(?<!\w)(?:they )?diagnosed (?:my|her|his|our) (?:{_RELATION})(?:\s@)? with (?:\w+\s)?{_CONDITION}"
    rf"|(?<!\w)(?:a|al) (?:mi|su|nuestr[oa]) (?:{_RELATION})(?:\s@)? (?:ya )?le (?:diagnosticaron|detectaron|encontraron|dio|dieron|salio|descubrieron) (?:\w+\s){{0,2}}?{_CONDITION}"
    rf"|(?<!\w)a @ (?:ya )?le (?:diagnosticaron|detectaron|encontraron|dio|salio) (?:\w+\s){{0,2}}?{_CONDITION}"
)
_STATUS = _people(
    rf"{_SUBJECT}{_LINK}?(?:"
    rf"(?:(?:has|have|had|got) no|(?:does ?n'?t|do ?n'?t|did ?n'?t|does not|don't) have(?: any| his| her| their| legal)?|is without|are without|lives here without|came without|without|with no|works without|lost (?:his|her|their)|never (?:got|had) (?:his|her|their)?)\s?"
    rf"(?:(?:immigration |legal |work |his |her |their )?(?:papers|documents|papeles|status|legal status|visa|green card|work permit|immigration status|residency|documentation)(?! (?:route|signed)))"
    rf"|(?:is|are|was|were|'s|is still|are still|has been|still)\s(?:\w+\s)?(?:undocumented|illegal(?: here)?|here illegally|an illegal immigrant|an overstay(?:er)?|an asylum seeker|seeking asylum|a refugee|on (?:daca|tps|a (?:student|tourist|work|spouse) visa|asylum)|"
    rf"a daca recipient|a dreamer|in (?:ice|immigration) (?:detention|custody|court)|(?:detained|picked up|taken|arrested) by (?:ice|immigration|la migra|border patrol)|deported(?: (?:last|in|to) \w+)?|being deported|facing deportation|about to be deported|"
    rf"waiting (?:for|on) (?:his|her|their) (?:asylum|papers|green card|visa|immigration)(?: \w+)?|applying for asylum|out of status|in removal proceedings|here on an expired visa|smuggled (?:in|across)\b.{{0,20}}?)"
    rf"|(?:overstayed|crossed (?:the border |the river |over )?(?:without papers|illegally|the desert)|entered (?:illegally|without papers|the country illegally)|snuck across|came (?:here )?(?:illegally|across the border)|jumped the border)(?: (?:his|her|their|a) (?:\w+ )?visa)?"
    rf"|(?:got|has|received|have|is under|faces|is fighting)\s(?:an?\s)?(?:final\s)?(?:deportation|removal) (?:order|letter|notice|hearing|case)"
    rf"|(?:claimed asylum|applied for asylum|lost (?:his|her|their) asylum (?:case|claim)|was denied asylum|uses (?:a fake|somebody else's|someone else's|false) (?:social|ssn|papers)|works (?:with|under|on) (?:a fake|fake|a borrowed|someone else's) (?:social|papers|ssn|name))"
    rf"|(?:no tiene|no tienen|no tenia|nunca tuvo|sigue sin|siguen sin|esta sin|estan sin|vive sin|anda sin|trabaja sin|vino sin|entro sin|cruzo sin|se quedo sin|se quedaron sin|quedo sin|anda(?:ba)? sin|llego sin|perdio (?:su|sus|el|la)|sin)\s(?:sus |los |ningun |permiso de |la )?(?:papeles|documentos|documentacion|visa|residencia|permiso de trabajo|trabajo legal|estatus|green card|nie|regularizar)"
    rf"|(?:es|son|esta|estan|era|esta aqui|sigue|siendo|fue|fueron|vive|vive como|aun es)\s(?:\w+\s)?(?:indocumentad[oa]s?|ilegal(?:es)?|irregular(?:es)?|en situacion irregular|solicitante de asilo|refugiad[oa]s?|deportad[oa]s?|en proceso de (?:deportacion|asilo)|detenid[oa] (?:por|en) (?:la migra|migracion|ice|inmigracion|extranjeria)|dreamer|en (?:un )?(?:cie|centro de detencion))"
    rf"|(?:tiene|tienen|recibio|le llego|le dieron|carga|con)\s(?:una |la |su )?(?:orden|carta|aviso) de (?:deportacion|expulsion|salida)"
    rf"|(?:le negaron|le rechazaron|pidio|pidieron|solicito|espera|esta esperando|tramita)\s(?:el |su |la |los )?(?:asilo|refugio|visa|papeles|residencia|green card)"
    rf"|(?:se le (?:vencio|acabo|termino|caduco)|tiene vencid[oa]|tiene caducad[oa])\s(?:la |el |su )?(?:visa|permiso|residencia|nie|visado|estancia)"
    rf"|(?:cruzo|paso|entro|se brinco|brinco)\s(?:la frontera |el rio |el desierto |por el (?:rio|desierto) |de )?(?:sin papeles|de (?:mojad[oa]|ilegal|forma irregular|manera irregular)|ilegal(?:mente)?|por el desierto|el rio)"
    rf"|(?:nao tem|nao tinha|esta sem|ta sem|vive sem|trabalha sem|ficou sem|sem)\s(?:os )?(?:papeis|documentos|visto|autorizacao de residencia|papel)"
    rf"|(?:e|esta|ta|foi|continua)\s(?:\w+\s)?(?:indocumentad[oa]|ilegal|em situacao irregular|irregular|refugiad[oa]|deportad[oa]|requerente de asilo|solicitante de refugio)"
    rf"|(?:pediu|recebeu|tem)\s(?:uma )?(?:asilo|refugio|ordem de (?:deportacao|expulsao))"
    rf")(?!\w)"
)
_PAPERS_OF = _people(
    rf"(?<!\w)(?:(?:{_OWNER}\s(?:{_RELATION})(?:\s@)?'s|@'s|(?:her|his|their))\s)(?:\w+\s)?(?:visa|papers|green card|work permit|permit|asylum (?:claim|case|application)|residency|immigration status|daca|tps|status)\s(?:has |was |is |just |had |already |got )*(?:ran out|run out|refused|was refused|turned down|expired|expires|was denied|denied|rejected|lapsed|revoked|not (?:in order|valid)|fake|false|pending|cancelled)(?!\w)"
    rf"|(?<!\w)(?:la|el|su|sus|los) (?:visa|visado|permiso(?: de (?:trabajo|residencia))?|papeles|residencia|asilo|nie|solicitud de asilo|tarjeta) (?:de|del) (?:(?:{_OWNER}\s)?(?:{_RELATION})(?:\s@)?|@)\s(?:ya )?(?:se )?(?:vencio|caduco|expiro|fue (?:negad[oa]|rechazad[oa])|esta vencid[oa]|esta caducad[oa]|estan vencidos)"
    rf"|(?<!\w)(?:ice|la migra|immigration|border patrol|migracion|inmigracion|extranjeria)\s(?:\w+\s)?(?:took|detained|picked up|arrested|deported|is looking for|came for|grabbed|se llevo a|detuvo a|agarro a|deporto a|busca a|quiere deportar a)\s(?:(?:{_OWNER}\s)?(?:{_RELATION})(?:\s@)?|@)(?!\w)"
    rf"|(?<!\w)(?:they |are |will |going to )?(?:deported|deporting|deport) (?:(?:{_OWNER}\s)(?:{_RELATION})(?:\s@)?|@)(?!\w)"
    rf"|(?<!\w)(?:a\s)(?:(?:{_OWNER}\s)(?:{_RELATION})(?:\s@)?|@)\s(?:ya )?(?:lo|la|los|le)\s(?:deportaron|van a deportar|quieren deportar|detuvo (?:la migra|migracion|ice)|agarro (?:la migra|migracion)|llevo la migra|negaron (?:el asilo|la visa|los papeles|la residencia)|vencio (?:la|el) (?:visa|permiso))(?!\w)"
    rf"|(?<!\w)(?:a\s(?:{_OWNER}\s)?(?:{_RELATION})(?:\s@)?|a\s@)\s(?:ya )?se le (?:vencio|acabo|caduco|termino)\s(?:la|el|su)\s(?:visa|permiso|residencia|visado|nie)"
    rf"|(?<!\w)(?:o|a) (?:visto|autorizacao de residencia) (?:do|da|de) (?:(?:{_OWNER}\s)?(?:{_RELATION})(?:\s@)?|@)\s(?:ja )?(?:venceu|expirou|caducou|foi negado)"
    rf"|(?<!\w)deportaram (?:(?:{_OWNER}\s)(?:{_RELATION})(?:\s@)?|(?:o|a) @)"
)
_PRONOUN = re.compile(r"(?<!\w)(he|she|they|ella|ele|ela)(?='?s?\s)")


def health(text: str, even: str, named: str) -> Iterator[Span]:
    """Another private person's illness, medicine, addiction or pregnancy."""
    for pattern in (_ILL, _ILLNESS_OF):
        for start, end in _matches(pattern, named):
            yield span(text, start, end, SpanKind.HEALTH_THIRD_PARTY)


def immigration(text: str, even: str, named: str) -> Iterator[Span]:
    """Another private person's papers, visa, asylum or deportation."""
    for pattern in (_STATUS, _PAPERS_OF):
        for start, end in _matches(pattern, named):
            yield span(text, start, end, SpanKind.IMMIGRATION_THIRD_PARTY)


def _matches(pattern: re.Pattern[str], named: str) -> Iterator[tuple[int, int]]:
    for m in pattern.finditer(named):
        start = m.start() + (len(m[0]) - len(m[0].lstrip(" ,")))
        yield start, m.end()


def with_names_marked(text: str, even: str) -> str:
    """`even` with every given name (and what follows it in capitals) as "@" padded to its length.

    Padding is "~", which counts as part of the name; offsets stay those of the text. Pronouns
    count as names once somebody has been named or called by relation before them.
    """
    marked = list(even)
    for m in _PERSON.finditer(text):
        start = m.start()
        for word in re.finditer(r"\S+", m[0]):
            start = m.start() + word.start()
            opens = start == 0 or text[max(0, start - 20) : start].rstrip()[-1:] in ".!?"
            if word[0].isupper() and len(word[0]) > 1:
                continue
            if reads_as_given_name(word[0]) and not (opens and word[0].lower() in _OPENERS):
                break
        else:
            continue
        if text[start].isupper():
            marked[start : m.end()] = "@" + "~" * (m.end() - start - 1)
    somebody = re.search(rf"@|(?<!\w)(?:{_RELATION})(?!\w)", "".join(marked))
    for m in _PRONOUN.finditer(even):
        if m[1] != "they" or (somebody and m.start() > somebody.start()):
            marked[m.start() : m.end(1)] = "@" + "~" * (m.end(1) - m.start() - 1)
    return "".join(marked)


_OPENERS = {"will", "may", "mark", "hope", "grace", "art", "bill", "sue", "an", "sol", "mar", "joy"}
_PERSON = re.compile(
    r"[A-ZÁÉÍÓÚÑÇÂÊÔÃÕ][\w’'-]*?(?='s\b|’s\b|\W|$)"
    r"(?:\s(?:(?:de|del|da|dos|la|los)\s){0,2}[A-ZÁÉÍÓÚÑÇÂÊÔÃÕ][\w-]+)*"
)

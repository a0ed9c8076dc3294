"""Staff's room: stories to read and decide, the library, exports, the report, what to destroy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.core.consent import Purpose
from bot.core.library import LabelKind, Wanted
from bot.core.narrative import Element
from bot.core.review import EscalateReason, Refusal, ReturnReason, ReviewRefused
from bot.core.turn import Hand, Heard, Line, Move, Say
from bot.usecases.desk import Visit, reviewing_exports
from bot.usecases.desk.reviewing_screens import ROOM, Screen, Staffed, Table, press
from bot.usecases.exporting import ExportRefused
from bot.usecases.people import NotAllowed
from bot.usecases.ports import Right, Store
from bot.usecases.reporting import Reporting
from bot.usecases.reviewing import Sheet, require_any, suggestions

STAFF: tuple[Right, ...] = ("review", "approve", "export")
LISTED = 8
"""Stories on one screen of the library."""

COMMANDS = {"review": "home", "export": "export", "report": "report"}
"""What staff type, and the screen it leads to."""


# -- reading and deciding -----------------------------------------------------------------------


async def home(at: Table) -> list[Move]:
    """What there is to do; a story on the table waits there."""
    async with at.store.work() as work:
        await require_any(work, at.me, *STAFF)
    rows = []
    lines = [Line("review.home.hello")]
    if at.may("review", "approve"):
        queue = await at.reviewing.queue(at.me)
        lines = [Line("review.home.waiting", {"count": str(len(queue))})]
        rows.append([press("go_on")] if at.notes.get("story") else [press("next")])
    rows.append([press("library"), press("report")])
    if at.may("export"):
        owes = await at.answering.to_destroy(at.me) or await at.backing_up.holding_erased(at.me)
        rows.append([press("export"), *([press("destroy")] if owes else [])])
    return at.say(*lines, rows=rows)


async def next_(at: Table) -> list[Move]:
    """Claim the oldest story nobody reads, and show it."""
    at.put_away()
    passed = list(at.notes.get("passed", []))
    for line in await at.reviewing.queue(at.me):
        if line.claimed_until is not None or line.story_id in passed:
            continue
        try:
            await at.reviewing.claim(at.me, line.story_id)
        except ReviewRefused:
            continue  # Their own, one of a second reader, or just taken.
        at.notes["story"] = line.story_id
        return await read(at)
    at.notes.pop("passed", None)
    return at.say("queue_done", rows=[[press("home")]])


async def read(at: Table) -> list[Move]:
    """The story on the table, with what its teller permits."""
    sheet = await at.reviewing.sheet(at.me, at.story)
    at.notes["seen"] = sheet.text_sha256
    approve = [press("approve")] if at.may("approve") else []
    rows = [[*approve, press("return")], [press("hold"), press("escalate")], [press("pass")]]
    return at.say(*_sheet(sheet), rows=rows)


def _sheet(sheet: Sheet) -> list[Line]:
    """The id among the words lets a withdrawal find this message while it waits."""
    lines = [Line("review.sheet.text", {"text": sheet.text, "story": sheet.story_id})]
    lines.append(Line("review.sheet.uses"))
    lines += [Line("releasing.terms.use", refs={"use": f"purposes.{p}"}) for p in sheet.purposes]
    lines.append(Line(f"releasing.terms.name_{sheet.name_shown}", {"name": sheet.name}))
    lines.append(Line("releasing.terms.until", {"day": f"{sheet.expires_at:%Y-%m-%d}"}))
    lines.append(Line("review.sheet.adult" if sheet.age_band == "adult" else "review.sheet.young"))
    lines.append(
        Line("review.sheet.language", refs={"language": f"languages.names.{sheet.language}"})
    )
    lines += [Line("review.sheet.kept", {"words": words}) for words in sheet.kept_passages]
    if sheet.is_second:
        lines.append(Line("review.sheet.second"))
    if sheet.returned_for:
        refs = {"reason": f"review.reasons.{sheet.returned_for}"}
        lines.append(Line("review.sheet.before", {"note": sheet.note}, refs))
    return lines


async def pass_(at: Table) -> list[Move]:
    """Leave it to somebody else, and go on to the next."""
    passed = [*at.notes.get("passed", []), at.story][-50:]
    await at.reviewing.let_go(at.me, at.story)
    at.notes["passed"] = passed
    return await next_(at)


async def approve(at: Table) -> list[Move]:
    """Ask what it is about; a theme is what they say, never what we guess."""
    await at.reviewing.sheet(at.me, at.story)
    at.awaits("themes")
    return at.say("ask_themes", rows=[[press("no_themes")], [press("read", label="back")]])


async def themes(at: Table) -> list[Move]:
    """Keep the themes; then passages, where residents may see some."""
    named = [t.strip() for t in (at.visit.text or "").replace("\n", ",").split(",")]
    at.notes["themes"] = [t for t in named if t][:6]
    return await passages(at)


async def no_themes(at: Table) -> list[Move]:
    """Approve without a theme."""
    at.notes["themes"] = []
    return await passages(at)


async def passages(at: Table) -> list[Move]:
    """Passages that could be shown as examples; everything else is approved at once."""
    sheet = await at.reviewing.sheet(at.me, at.story)
    marks = await _marks(at, sheet)
    if not marks:
        return await _approve(at, {})
    lines = [Line("review.ask_passages")]
    lines += [
        Line("review.passage", {"text": words, "story": sheet.story_id})
        for words in dict.fromkeys(marks.values())
    ]
    rows = [[press("show_all")], [press("show_none")], [press("read", label="back")]]
    return at.say(*lines, rows=rows)


async def show_all(at: Table) -> list[Move]:
    """Approve, with the passages."""
    sheet = await at.reviewing.sheet(at.me, at.story)
    return await _approve(at, await _marks(at, sheet))


async def show_none(at: Table) -> list[Move]:
    """Approve, without passages."""
    return await _approve(at, {})


async def _marks(at: Table, sheet: Sheet) -> dict[Element, str]:
    """What a reading would mark, read outside the transaction."""
    if not sheet.is_example:
        return {}

    async def ask() -> dict[Element, str]:
        return await suggestions(at.staffed.reader, sheet)

    found = at.staffed.outside("marks", at.me, sheet.release_id, ask)
    return {move: words for move, words in found.items() if words in sheet.text}


async def _approve(at: Table, marks: Mapping[Element, str]) -> list[Move]:
    labels = [(LabelKind.THEME.value, t) for t in at.notes.get("themes", [])]
    await at.reviewing.approve(at.me, at.story, at.seen, labels, marks)
    return await _decided(at, "approved")


async def _decided(at: Table, how: str) -> list[Move]:
    at.put_away()
    return at.say(f"done.{how}", rows=[[press("next")], [press("home")]])


async def return_(at: Table) -> list[Move]:
    """Why: one of the list. That a story criticises somebody is not on it."""
    await at.reviewing.sheet(at.me, at.story)
    rows = [[press("why", str(n), label=f"why.{r.value}")] for n, r in enumerate(ReturnReason)]
    return at.say("ask_reason", rows=[*rows, [press("read", label="back")]])


async def why(at: Table) -> list[Move]:
    """Keep the reason; ask for a note."""
    reasons = list(ReturnReason)
    number = int(at.argument) if at.argument.isdecimal() else len(reasons)
    if number >= len(reasons):
        return await return_(at)
    at.notes["reason"] = reasons[number].value
    return await ask_note(at)


async def ask_note(at: Table) -> list[Move]:
    """A note to the teller, typed."""
    await at.reviewing.sheet(at.me, at.story)
    at.awaits("note")
    return at.say("ask_note", rows=[[press("return", label="back")]])


async def note(at: Table) -> list[Move]:
    """Return it."""
    try:
        await at.reviewing.return_(
            at.me, at.story, at.seen, str(at.notes.get("reason", "")), at.visit.text or ""
        )
    except ReviewRefused as refused:
        if refused.why not in (Refusal.NOTE_MISSING, Refusal.NOTE_TOO_LONG):
            raise
        at.trouble.append(Line(f"review.refused.{refused.why}"))
        return await ask_note(at)
    return await _decided(at, "returned")


async def hold(at: Table) -> list[Move]:
    """Decide later."""
    await at.reviewing.hold(at.me, at.story, at.seen)
    return await _decided(at, "held")


async def escalate(at: Table) -> list[Move]:
    """Whose yes is needed besides the teller's."""
    await at.reviewing.sheet(at.me, at.story)
    rows = [[press("whose", r.value, label=f"whose.{r.value}")] for r in EscalateReason]
    return at.say("ask_whose", rows=[*rows, [press("read", label="back")]])


async def whose(at: Table) -> list[Move]:
    """Escalate it."""
    await at.reviewing.escalate(at.me, at.story, at.seen, at.argument)
    return await _decided(at, "escalated")


# -- the library --------------------------------------------------------------------------------


async def library(at: Table) -> list[Move]:
    """Approved stories, the first few; a typed theme narrows them."""
    return await _library(at, Wanted())


async def theme(at: Table) -> list[Move]:
    """Those about what they typed."""
    return await _library(at, Wanted(theme=(at.visit.text or "").strip()))


async def _library(at: Table, wanted: Wanted) -> list[Move]:
    found = await at.library.find(at.me, wanted, LISTED)
    at.awaits("theme")
    lines = [Line("review.library.some" if found else "review.library.none")]
    for entry in found:
        purposes = entry.release.purposes
        lines.append(
            Line(
                "review.library.one",
                {
                    "title": entry.title,
                    "story": entry.story_id,
                    "themes": ", ".join(entry.labelled(LabelKind.THEME)) or "–",
                    "count": str(len([p for p in Purpose if p in purposes])),
                    "day": f"{entry.release.expires_at:%Y-%m-%d}",
                },
            )
        )
    return at.say(*lines, "library.narrow", rows=[[press("home")]])


# -- the report ---------------------------------------------------------------------------------


async def report(at: Table) -> list[Move]:
    """The page for staff, and one for everybody a tap away."""
    return await _report(at, is_public=at.argument == "public")


async def _report(at: Table, *, is_public: bool) -> list[Move]:
    made = await Reporting(at.store, at.staffed.clock).report(at.me, is_public=is_public)
    page = at.staffed.page(made, at.visit.language)
    kind = "public" if is_public else "staff"
    name = f"report-{kind}-{at.visit.now:%Y-%m-%d}.html"
    rows = [
        [] if is_public else [press("report", "public", label="report_public")],
        [press("home")],
    ]
    return [Hand(name, page, Line(f"review.report.{kind}")), *at.say("report.read", rows=rows)]


SCREENS: dict[str, Screen] = {
    "home": home,
    "next": next_,
    "go_on": read,
    "read": read,
    "pass": pass_,
    "approve": approve,
    "themes": themes,
    "no_themes": no_themes,
    "show_all": show_all,
    "show_none": show_none,
    "return": return_,
    "why": why,
    "note": note,
    "hold": hold,
    "escalate": escalate,
    "whose": whose,
    "library": library,
    "theme": theme,
    "report": report,
    **reviewing_exports.SCREENS,
}


class Review:
    """The room; see Room. Every screen asks for its right anew."""

    name = ROOM

    def __init__(self, store: Store, staffed: Staffed) -> None:
        """Over the store of one visit."""
        self._store, self._staffed = store, staffed

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """/review, /export and /report lead here."""
        verb = COMMANDS.get(heard.command or "")
        return (verb, ()) if verb else None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Act and show the next screen; what cannot be done is said above it."""
        at = Table(self._staffed, self._store, visit)
        try:
            try:
                return await SCREENS.get(visit.verb, home)(at)
            except ReviewRefused as refused:
                at.trouble.append(Line(f"review.refused.{refused.why}"))
            except ExportRefused:
                at.trouble.append(Line("review.refused.export"))
            at.put_away()
            return await home(at)
        except NotAllowed:
            return [Say((Line("review.not_yours"),))]

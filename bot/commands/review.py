"""`coach review`: staff's decisions at the machine; in a row on a terminal, or by options."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from bot.core.harmless import visible
from bot.core.library import LabelKind
from bot.core.narrative import Element
from bot.core.review import EscalateReason, ReturnReason, ReviewRefused
from bot.settings import load_settings
from bot.usecases.library_ports import QueueLine
from bot.usecases.people import CONSOLE
from bot.usecases.reviewing import Reviewing, Sheet, suggestions
from bot.wiring import Parts, librarian, opened


@dataclass(frozen=True)
class Wish:
    """What the options ask for. `marks` are `self.choice=words of the story`."""

    story: str = ""
    act: str = ""
    reason: str = ""
    note: str = ""
    sha256: str = ""
    labels: Sequence[tuple[str, str]] = ()
    marks: Sequence[str] = ()
    suggested: bool = False


def run(wish: Wish, as_json: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """The queue, one story, or one act on it: 0 done, 1 refused in one sentence, 2 wrong usage."""
    if wish.act and not wish.story:
        print("Name the story; `coach review` lists them.", file=stderr)
        return 2
    try:
        return asyncio.run(_run(wish, as_json, stdin, stdout, stderr))
    except (ReviewRefused, _Wrong) as refused:
        print(refused, file=stderr)
        return 2 if isinstance(refused, _Wrong) else 1


async def _run(wish: Wish, as_json: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    parts = Parts(load_settings())
    async with opened(parts) as store:
        desk = _Desk(Reviewing(store, parts.clock), parts)
        if wish.act:
            said = await desk.act(wish)
            await librarian(parts, store).finish()
        elif wish.story:
            sheet = await desk.verbs.sheet(CONSOLE, await desk.find(wish.story))
            _show(sheet, await desk.suggested(sheet) if wish.suggested else {}, as_json, stdout)
            return 0
        elif as_json or not (stdin.isatty() and stdout.isatty()):
            _list(await desk.verbs.queue(CONSOLE), as_json, stdout)
            return 0
        else:
            code = await _in_a_row(desk, stdin, stdout)
            await librarian(parts, store).finish()
            return code
        print(json.dumps({"story": wish.story, "done": said}) if as_json else said, file=stdout)
    return 0


class _Wrong(ValueError):
    """Options that mean nothing; one sentence."""


class _Desk:
    """Reviewing as somebody at the machine does it: the claim comes with the act."""

    def __init__(self, verbs: Reviewing, parts: Parts) -> None:
        self.verbs, self._parts = verbs, parts

    async def find(self, word: str) -> str:
        """A story of the queue by the beginning of its id; any other word is an id itself."""
        found = [x.story_id for x in await self.verbs.queue(CONSOLE) if x.story_id.startswith(word)]
        return found[0] if len(found) == 1 else word

    async def suggested(self, sheet: Sheet) -> dict[Element, str]:
        """Passages to choose from, where they may be shown at all."""
        if not sheet.is_example:
            return {}
        return await suggestions(await asyncio.to_thread(lambda: self._parts.reader), sheet)

    async def act(self, wish: Wish) -> str:
        """Do it and say so."""
        story = await self.find(wish.story)
        if wish.act == "let_go":
            await self.verbs.let_go(CONSOLE, story)
            return "Given back to the queue."
        await self.verbs.claim(CONSOLE, story)
        if wish.act == "claim":
            return "Claimed for half an hour."
        sheet = await self.verbs.sheet(CONSOLE, story)
        seen = wish.sha256 or sheet.text_sha256
        try:
            return await self._decide(wish, story, sheet, seen)
        except (ReviewRefused, _Wrong):
            await self.verbs.let_go(CONSOLE, story)
            raise

    async def _decide(self, wish: Wish, story: str, sheet: Sheet, seen: str) -> str:
        match wish.act:
            case "approve":
                marks = await self.suggested(sheet) if wish.suggested else {}
                marks |= _marks(wish.marks)
                await self.verbs.approve(CONSOLE, story, seen, wish.labels, marks)
                return "Approved: it is in the library, and its teller is told."
            case "return":
                themes = [value for kind, value in wish.labels if kind == LabelKind.THEME]
                await self.verbs.return_(CONSOLE, story, seen, wish.reason, wish.note, themes)
                return "Returned; its teller is told why and can revise."
            case "hold":
                await self.verbs.hold(CONSOLE, story, seen)
                return "Held; it stays in the queue, and its teller is told."
            case _:
                await self.verbs.escalate(CONSOLE, story, seen, wish.reason)
                return "Escalated: somebody has to ask for the other consent; its teller is told."


def _marks(given: Sequence[str]) -> dict[Element, str]:
    marks: dict[Element, str] = {}
    for one in given:
        move, _, words = one.partition("=")
        try:
            marks[Element(move.strip())] = words.strip()
        except ValueError:
            known = ", ".join(e.value for e in Element)
            raise _Wrong(f"A mark is a move, = and words of the story. Moves: {known}.") from None
    return marks


# -- showing ------------------------------------------------------------------------------------


def _list(lines: Sequence[QueueLine], as_json: bool, stdout: TextIO) -> None:
    if as_json:
        for line in lines:
            print(json.dumps(_plain(line)), file=stdout)
        return
    from rich.console import Console
    from rich.table import Table

    if not lines:
        print("Nothing waits for review.", file=stdout)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("story", "state", "language", "words", "released for", "since"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        state = line.state.value + (", second reader" if line.is_second else "")
        state += ", being read" if line.claimed_until else ""
        table.add_row(
            line.story_id, state, line.language, str(line.words), ", ".join(line.purposes),
            f"{line.submitted_at:%Y-%m-%d}",
        )  # fmt: skip
    Console(file=stdout).print(table)


def _plain(line: QueueLine) -> dict[str, Any]:
    return {
        "story": line.story_id,
        "state": line.state.value,
        "language": line.language,
        "words": line.words,
        "purposes": list(line.purposes),
        "submitted_at": line.submitted_at.isoformat(),
        "is_second": line.is_second,
        "claimed_until": line.claimed_until.isoformat() if line.claimed_until else None,
    }


def _show(sheet: Sheet, suggested: dict[Element, str], as_json: bool, stdout: TextIO) -> None:
    if as_json:
        print(json.dumps(_sheet(sheet, suggested), ensure_ascii=False), file=stdout)
        return
    said = [
        f"Story {sheet.story_id} ({sheet.language}), {sheet.state.value}"
        + (", waits for a second reader" if sheet.is_second else "")
        + (", being read by somebody" if sheet.is_claimed and not sheet.is_mine else ""),
        "",
        visible(sheet.text),
        "",
        f"Released for: {', '.join(sheet.purposes)}",
        f"Until {sheet.expires_at:%Y-%m-%d}; name shown: "
        + (visible(sheet.name) if sheet.name else "none"),
        f"Age: {sheet.age_band or 'not said'}; typed by the teller: {sheet.teller_share:.0%}",
    ]
    if sheet.kept_passages:
        kept = "; ".join(f"“{visible(x)}”" for x in sheet.kept_passages)
        said.append(f"Flagged, and the teller chose to keep: {kept}")
    if sheet.returned_for:
        said.append(f"Returned before: {sheet.returned_for}. “{visible(sheet.note)}”")
    said += [f"{move.value}: “{visible(words)}”" for move, words in suggested.items()]
    said.append(f"Text sha256: {sheet.text_sha256}")
    print("\n".join(said), file=stdout)


def _sheet(sheet: Sheet, suggested: dict[Element, str]) -> dict[str, Any]:
    return {
        "story": sheet.story_id,
        "text": sheet.text,
        "text_sha256": sheet.text_sha256,
        "state": sheet.state.value,
        "language": sheet.language,
        "purposes": list(sheet.purposes),
        "name_shown": sheet.name_shown.value,
        "name": sheet.name,
        "age_band": sheet.age_band,
        "kept_passages": list(sheet.kept_passages),
        "released_at": sheet.released_at.isoformat(),
        "expires_at": sheet.expires_at.isoformat(),
        "teller_share": sheet.teller_share,
        "is_second": sheet.is_second,
        "returned_for": sheet.returned_for,
        "note": sheet.note,
        "suggested_marks": {move.value: words for move, words in suggested.items()},
    }


# -- in a row -----------------------------------------------------------------------------------


async def _in_a_row(desk: _Desk, stdin: TextIO, stdout: TextIO) -> int:
    """One story after another until the queue or the reader's patience ends."""

    def say(line: str) -> None:
        print(line, file=stdout, flush=True)

    def ask(question: str) -> str:
        print(question, end=" ", file=stdout, flush=True)
        return stdin.readline().strip()

    skipped: set[str] = set()
    decided = 0
    while True:
        waiting = [
            x for x in await desk.verbs.queue(CONSOLE)
            if x.story_id not in skipped and x.claimed_until is None
        ]  # fmt: skip
        if not waiting:
            say(f"The queue is done. Decided: {decided}.")
            return 0
        story = waiting[0].story_id
        skipped.add(story)
        say(f"\n-- {len(waiting)} to read --\n")
        try:
            await desk.verbs.claim(CONSOLE, story)
            sheet = await desk.verbs.sheet(CONSOLE, story)
            suggested = await desk.suggested(sheet)
            _show(sheet, suggested, False, stdout)
            wish = _asked(sheet, suggested, say, ask)
            if wish is None:
                await desk.verbs.let_go(CONSOLE, story)
                return 0
            if not wish.act:
                await desk.verbs.let_go(CONSOLE, story)
                continue
            say(await desk.act(wish))
            decided += 1
        except (ReviewRefused, _Wrong) as refused:
            say(str(refused))


def _asked(
    sheet: Sheet,
    suggested: dict[Element, str],
    say: Callable[[str], None],
    ask: Callable[[str], str],
) -> Wish | None:
    """What to do with it; None to stop, a wish without an act to skip it."""
    while True:
        match ask("[a]pprove, [r]eturn, [h]old, [e]scalate, [s]kip, [q]uit?").casefold()[:1]:
            case "a":
                labels = [(LabelKind.THEME.value, t) for t in _listed(ask("Themes, with commas:"))]
                is_shown = bool(suggested) and _yes(ask("Show these passages as examples? [y/N]"))
                return Wish(
                    sheet.story_id, "approve", sha256=sheet.text_sha256, labels=labels,
                    marks=[f"{m.value}={w}" for m, w in suggested.items()] if is_shown else [],
                )  # fmt: skip
            case "r":
                reason = _chosen(say, ask, [r.value for r in ReturnReason])
                note = ask("A note to the teller:")
                return Wish(sheet.story_id, "return", reason, note, sheet.text_sha256)
            case "h":
                return Wish(sheet.story_id, "hold", sha256=sheet.text_sha256)
            case "e":
                reason = _chosen(say, ask, [r.value for r in EscalateReason])
                return Wish(sheet.story_id, "escalate", reason, sha256=sheet.text_sha256)
            case "s":
                return Wish()
            case "q" | "":
                return None


def _chosen(say: Callable[[str], None], ask: Callable[[str], str], words: Sequence[str]) -> str:
    for number, word in enumerate(words, 1):
        say(f"{number} {word}")
    said = ask("Which?")
    return words[int(said) - 1] if said.isdecimal() and 0 < int(said) <= len(words) else said


def _listed(said: str) -> list[str]:
    return [piece.strip() for piece in said.split(",") if piece.strip()]


def _yes(said: str) -> bool:
    return said.casefold() in ("y", "yes")

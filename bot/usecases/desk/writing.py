"""A prompt of one's own: typed, told which story it practises, kept for all colleagues."""

from __future__ import annotations

from bot.core.narrative import Element, StoryOf
from bot.core.practice import PromptRefused, Season, hints, own_text
from bot.core.turn import Line, Move
from bot.usecases.desk.screens import Screen, Table, back, press
from bot.usecases.desk.sending import where
from bot.usecases.organizers import Refused

MOVES = {
    StoryOf.SELF: Element.SELF_CHOICE,
    StoryOf.US: Element.US_CHOICE,
    StoryOf.NOW: Element.NOW_ASK,
}
"""The move a prompt of one's own practises: the one each story turns on."""


async def write(at: Table) -> list[Move]:
    """Ask for the words."""
    await at.organizers.prompts(at.me)
    at.awaits("written")
    return at.say("organizing.own.ask", rows=[list(back("home"))])


async def written(at: Table) -> list[Move]:
    """Show how it reads, with a hint or two; which story it practises."""
    try:
        text = own_text(at.visit.text or "")
    except PromptRefused as refused:
        at.trouble.append(Line(f"organizing.own.{refused.reason}"))
        return await write(at)
    at.notes["own"] = {"text": text}
    return await own(at)


async def own(at: Table) -> list[Move]:
    """The words as kept so far."""
    text = _kept(at)
    lines = [Line("organizing.choose.prompt", {"prompt": text})]
    lines += [Line(f"organizing.own.{hint}") for hint in hints(text)]
    rows = [
        [press("own_stage", s.value, label=f"stage.{s.value}") for s in StoryOf],
        [press("write", label="write_again")],
        list(back("home")),
    ]
    return at.say(*lines, "organizing.own.stage", rows=rows)


async def own_stage(at: Table) -> list[Move]:
    """Which season it is for."""
    _kept(at)
    at.notes["own"]["stage"] = at.argument
    seasons = [press("own_season", s.value, label=f"season.{s.value}") for s in Season]
    rows = [seasons[:2], seasons[2:4], seasons[4:], list(back("own"))]
    return at.say("organizing.own.season", rows=rows)


async def own_season(at: Table) -> list[Move]:
    """Keep it, and go on to where it goes."""
    stage = str(at.notes.get("own", {}).get("stage", ""))
    if stage not in set(StoryOf) or at.argument not in set(Season):
        return await own(at)
    kept = await at.organizers.write_prompt(
        at.me, _kept(at), at.visit.language, MOVES[StoryOf(stage)], Season(at.argument)
    )
    del at.notes["own"]
    at.notes["draft"] = {"stage": stage, "season": at.argument, "prompt": kept.id, "shown": kept.id}
    at.trouble.append(Line("organizing.own.kept"))
    return await where(at)


def _kept(at: Table) -> str:
    text = at.notes.get("own", {}).get("text")
    if not text:
        raise Refused("no_prompt")
    return str(text)


SCREENS: dict[str, Screen] = {
    "write": write,
    "written": written,
    "own": own,
    "own_stage": own_stage,
    "own_season": own_season,
}

"""Which prompt: season, story, the move where they wish, then one prompt after another."""

from __future__ import annotations

from bot.core.narrative import Element, StoryOf
from bot.core.practice import PracticePrompt, Season
from bot.core.turn import Line, Move
from bot.usecases.desk import draft
from bot.usecases.desk.screens import Screen, Table, back, press


async def push(at: Table) -> list[Move]:
    """Begin a push: where the campaign stands."""
    await at.organizers.prompts(at.me)
    if draft.editing(at) is None:
        at.notes["draft"] = {}
    seasons = [press("season", s.value, label=f"season.{s.value}") for s in Season]
    anyway = press("season", "any", label="any")
    rows = [seasons[:2], seasons[2:4], [seasons[4], anyway], list(back("home"))]
    return at.say("organizing.choose.season", rows=rows)


async def season(at: Table) -> list[Move]:
    """Keep the season; which story."""
    at.draft["season"] = at.argument
    return await stages(at)


async def stages(at: Table) -> list[Move]:
    """Which of the three stories the prompt practises."""
    rows = [
        [press("stage", s.value, label=f"stage.{s.value}") for s in StoryOf],
        [press("stage", "any", label="any")],
        list(back("push")),
    ]
    return at.say("organizing.choose.stage", rows=rows)


async def stage(at: Table) -> list[Move]:
    """Keep the story; the first prompt."""
    at.draft.update(stage=at.argument, move="", at=0)
    return await prompts(at)


async def moves(at: Table) -> list[Move]:
    """Which move of the story: those that have a prompt."""
    at.draft["move"] = ""
    known = {prompt.move for prompt in await _found(at)}
    each = [press("move", e.short, label=f"move.{e.value}") for e in Element if e in known]
    rows = [each[n : n + 2] for n in range(0, len(each), 2)]
    return at.say("organizing.choose.move", rows=[*rows, list(back("prompts"))])


async def move(at: Table) -> list[Move]:
    """Keep the move; the first prompt."""
    at.draft.update(move=f"{at.draft.get('stage', 'any')}.{at.argument}", at=0)
    return await prompts(at)


async def prompts(at: Table) -> list[Move]:
    """One prompt, as it reads, with the next a tap away."""
    found = await _found(at)
    if not found:
        return at.say("organizing.choose.none", rows=[list(back("stages"))])
    number = int(at.draft.get("at", 0)) % len(found)
    prompt = found[number]
    at.draft["shown"] = prompt.id
    lines = [
        Line("organizing.choose.number", {"number": str(number + 1), "all": str(len(found))}),
        Line("organizing.choose.prompt", {"prompt": prompt.text(at.visit.language)}),
    ]
    if prompt.own:
        lines.append(Line("organizing.choose.own"))
    rows = [[press("use"), *([press("next")] if len(found) > 1 else [])]]
    is_of_a_story = at.draft.get("stage") in set(StoryOf)
    if is_of_a_story and (at.draft.get("move") or len({p.move for p in found}) > 1):
        rows.append([press("moves")])
    if prompt.own:
        rows.append([press("retire")])
    return at.say(*lines, rows=[*rows, list(back("stages"))])


async def next_(at: Table) -> list[Move]:
    """The prompt after this one; after the last comes the first."""
    at.draft["at"] = int(at.draft.get("at", 0)) + 1
    return await prompts(at)


async def retire(at: Table) -> list[Move]:
    """Take an organizer's own prompt out of the library."""
    await at.organizers.retire_prompt(at.me, str(at.draft.get("shown", "")))
    at.trouble.append(Line("organizing.choose.retired"))
    return await prompts(at)


async def _found(at: Table) -> list[PracticePrompt]:
    wished, told = str(at.draft.get("season", "any")), str(at.draft.get("stage", "any"))
    practised = str(at.draft.get("move", ""))
    return await at.organizers.prompts(
        at.me,
        stage=StoryOf(told) if told in set(StoryOf) else None,
        move=Element(practised) if practised in set(Element) else None,
        season=Season(wished) if wished in set(Season) else None,
    )


SCREENS: dict[str, Screen] = {
    "push": push,
    "season": season,
    "stages": stages,
    "stage": stage,
    "moves": moves,
    "move": move,
    "prompts": prompts,
    "next": next_,
    "retire": retire,
}

"""What became of pushed prompts, in numbers: posts exactly, people never singled out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.movement import ALL, Cell, Movement, Shown, Step, shown
from bot.core.practice import PracticePrompt
from bot.usecases.people import Actor, require
from bot.usecases.ports import Store
from bot.usecases.practice_ports import Followed, Outcome


@dataclass(frozen=True)
class Posts:
    """Deliveries by what became of them; `failed` and `left_out` by reason.

    `taken_back`: follow-ups whose teller withdrew their words, before or after they were posted.
    """

    posted: int = 0
    waiting: int = 0
    unknown: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    taken_back: int = 0


@dataclass(frozen=True)
class Row:
    """One line of results. `people` by step, with small numbers hidden."""

    key: str
    title: str
    posts: Posts
    people: Mapping[Step, Shown]


@dataclass(frozen=True)
class Moved:
    """A group's movement, as its people report it, with small numbers hidden."""

    group_id: str
    title: str
    people: Mapping[Movement, Shown]


@dataclass(frozen=True)
class Told:
    """What became of follow-ups to one prompt: those with numbers, or those with tellers' words."""

    prompt_id: str
    title: str
    has_words: bool
    posts: Posts


@dataclass(frozen=True)
class Unsure:
    """A post of which nobody knows whether it arrived: a prompt, or a follow-up to one."""

    group: str
    prompt: str
    due_at: datetime
    is_follow_up: bool = False


@dataclass(frozen=True)
class Results:
    """Everything an organizer may know. `weeks` are ISO weeks such as 2026-W48, UTC."""

    total: Row
    groups: tuple[Row, ...]
    prompts: tuple[Row, ...]
    weeks: tuple[Row, ...]
    movement: tuple[Moved, ...]
    unsure: tuple[Unsure, ...]
    follow_ups: tuple[Told, ...] = ()


class ResultsBoard:
    """Results for organizers. Never who, never a word of what anybody wrote."""

    def __init__(
        self, store: Store, library: Mapping[str, PracticePrompt], languages: Sequence[str]
    ) -> None:
        """`library` and `languages` as for Organizers."""
        self._store, self._library, self._languages = store, library, languages

    async def results(self, actor: Actor) -> Results:
        """Results of every push so far. Raises NotAllowed.

        There is one set of tables and no filter: two filters a person apart would tell on them.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            outcomes = await work.practice.outcomes()
            moved = await work.practice.movement()
            titles = {t.group.id: t.group.title for t in await work.practice.targets()}
            own = {p.id: p for p in await work.practice.prompts()}
            followed = await work.practice.followed()
        prompts = {**self._library, **own}
        begins = {p: _begins(prompts[p].text(self._languages[0])) for p in prompts}
        reached = [o for o in outcomes if o.fate in ("posted", "unknown")]
        people = await asyncio.to_thread(shown, _cells(reached), list(Step))
        movement = await asyncio.to_thread(_moved, moved)

        def rows(
            table: str, key: Callable[[Outcome], str], names: Mapping[str, str]
        ) -> tuple[Row, ...]:
            by_key: dict[str, list[Outcome]] = {}
            for outcome in outcomes:
                by_key.setdefault(key(outcome), []).append(outcome)
            return tuple(
                Row(k, names.get(k, k), _posts(those), _steps(people.get(table, {}).get(k, {})))
                for k, those in by_key.items()
            )

        return Results(
            Row(ALL, "", _posts(outcomes), _steps(people[ALL][ALL])),
            rows("group", lambda o: o.group_id, titles),
            rows("prompt", lambda o: o.prompt_id, begins),
            rows("week", lambda o: week(o.due_at), {}),
            tuple(Moved(g, titles.get(g, g), kinds) for g, kinds in movement.items()),
            tuple(
                Unsure(titles.get(o.group_id, "?"), begins.get(o.prompt_id, "?"), o.due_at)
                for o in outcomes
                if o.fate == "unknown"
            )
            + tuple(
                Unsure(
                    titles.get(f.follow_up.group_id, "?"),
                    begins.get(f.follow_up.prompt_id, "?"),
                    f.follow_up.posted_at,
                    is_follow_up=True,
                )
                for f in followed
                if f.fate == "unknown"
            ),
            _told(followed, begins),
        )


def week(at: datetime) -> str:
    """The ISO week a moment lies in, such as 2026-W48."""
    year, number, _ = at.isocalendar()
    return f"{year}-W{number:02}"


def _begins(text: str) -> str:
    words = text.split()
    return " ".join(words[:8]) + ("…" if len(words) > 8 else "")


def _cells(outcomes: Iterable[Outcome]) -> list[Cell]:
    """People by group, prompt and week; each person counts once for each post they tapped."""
    sums: dict[tuple[str, str, str], dict[str, int]] = {}
    for outcome in outcomes:
        key = (outcome.group_id, outcome.prompt_id, week(outcome.due_at))
        cell = sums.setdefault(key, {step.value: 0 for step in Step})
        for step, number in outcome.people.items():
            cell[step.value] += number
    return [
        Cell({"group": group, "prompt": prompt, "week": in_week}, people)
        for (group, prompt, in_week), people in sums.items()
    ]


def _moved(counts: Mapping[tuple[str, Movement], int]) -> dict[str, dict[Movement, Shown]]:
    """Movement by group. Somebody who listened need not have told: kinds are not nested."""
    groups = sorted({group for group, _ in counts})
    cells = [
        Cell({"group": g}, {kind.value: counts.get((g, kind), 0) for kind in Movement})
        for g in groups
    ]
    tables = shown(cells, [kind.value for kind in Movement], nested=False)
    return {g: {kind: tables["group"][g][kind.value] for kind in Movement} for g in groups}


def _told(followed: Iterable[Followed], begins: Mapping[str, str]) -> tuple[Told, ...]:
    """Follow-ups by prompt and by whether they show words. Which teller's is not told apart."""
    by_kind: dict[tuple[str, bool], list[Followed]] = {}
    for each in followed:
        kind = (each.follow_up.prompt_id, each.follow_up.story_id is not None)
        by_kind.setdefault(kind, []).append(each)
    return tuple(
        Told(prompt_id, begins.get(prompt_id, "?"), has_words, _posts(those))
        for (prompt_id, has_words), those in by_kind.items()
    )


def _posts(outcomes: Iterable[Outcome | Followed]) -> Posts:
    fates = {"posted": 0, "waiting": 0, "unknown": 0, "taken_back": 0}
    failed: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.fate in fates:
            fates[outcome.fate] += 1
        else:
            reasons = failed if outcome.fate == "failed" else left_out
            reasons[outcome.reason or "?"] = reasons.get(outcome.reason or "?", 0) + 1
    return Posts(
        fates["posted"], fates["waiting"], fates["unknown"], failed, left_out, fates["taken_back"]
    )


def _steps(found: Mapping[str, Shown]) -> dict[Step, Shown]:
    """Empty for a row nobody could have tapped: nothing of it was posted."""
    return {step: found[step.value] for step in Step if step.value in found}

"""Closing the loop: a post to the groups a prompt went to, with how far they came together.

Only a number that results may show is said; where it is small, or another follows from it, the
group is thanked in words. Nobody is named, and no word of a story is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.core.movement import Shown, Step
from bot.core.practice import PracticePrompt
from bot.core.turn import Choice, Line, Say
from bot.usecases.organizers import Refused
from bot.usecases.outgoing import body_of
from bot.usecases.people import Actor, act, require
from bot.usecases.ports import Clock, OutboxItem, Store, UnitOfWork
from bot.usecases.practice_ports import Target
from bot.usecases.pushing import language_of, organizers_in, out_of_reach, usable
from bot.usecases.results import Results, ResultsBoard


@dataclass(frozen=True)
class Followed:
    """What a group will see."""

    target: Target
    language: str
    say: Say


class FollowUps:
    """Posts that tell groups how far they came since a prompt."""

    def __init__(
        self,
        store: Store,
        library: Mapping[str, PracticePrompt],
        languages: Sequence[str],
        clock: Clock,
        bot: Callable[[], str],
    ) -> None:
        """As for Pushing."""
        self._store, self._library, self._languages = store, library, languages
        self._clock, self._bot = clock, bot
        self._board = ResultsBoard(store, library, languages)

    async def preview(self, actor: Actor, prompt_id: str) -> list[Followed]:
        """What each group that had the prompt would see now, in the groups' order.

        Groups that cannot be reached, or that no organizer answers for, are left out. Raises
        Refused when none is left, NotAllowed.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            return await self._posts(work, actor, prompt_id)

    async def post(self, actor: Actor, prompt_id: str) -> int:
        """Post it, each group once; how many. Counted and checked anew. Raises as preview does."""
        async with self._store.work() as work:
            await act(work, actor, "organize", "followed_up", prompt_id, self._clock.now())
            posts = await self._posts(work, actor, prompt_id)
            await work.outbox.add(
                [
                    OutboxItem(
                        each.target.group.chat_id,
                        body_of(each.say, each.language, 0),
                        urgency="push",
                        repeatable=False,
                        topic=each.target.group.topic,
                    )
                    for each in posts
                ]
            )
            await work.commit()
        return len(posts)

    async def _posts(self, work: UnitOfWork, actor: Actor, prompt_id: str) -> list[Followed]:
        prompt = usable(self._library, await work.practice.prompts()).get(prompt_id)
        if prompt is None:
            raise Refused("unknown_prompt")
        had = {
            o.group_id
            for o in await work.practice.outcomes()
            if o.prompt_id == prompt_id and o.fate == "posted"
        }
        results = await self._board.results(actor)
        paused, organizers = await work.recipients.paused(), await organizers_in(work)
        posts = [
            self._post(target, prompt, results)
            for target in await work.practice.targets(had)
            if out_of_reach(target, paused, organizers) is None
        ]
        if not posts:
            raise Refused("no_groups")
        return posts

    def _post(self, target: Target, prompt: PracticePrompt, results: Results) -> Followed:
        language = language_of(target.group, self._languages)
        row = next((r for r in results.groups if r.key == target.group.id), None)
        told: Shown | None = row.people.get(Step.FINISHED) if row is not None else None
        words = {"prompt": prompt.text(language)}
        line = (
            Line("practice.follow.counted", {**words, "count": str(told)})
            if isinstance(told, int)
            else Line("practice.follow.open", words)
        )
        link = f"https://t.me/{self._bot()}?start=practice"
        button = Choice("practice", "practice.button", link=link)
        return Followed(target, language, Say((line,), ((button,),)))

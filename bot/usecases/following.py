"""Closing the loop: a post to the groups a prompt went to, with what came of it.

Either how far they came together: a number only where results may show it, thanks in words where
it is small or another follows from it. Or a story, or a passage of one, whose teller offered
exactly that for these groups; then nothing of the teller is in it that they did not put there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.core.consent import AgeBand, Offer
from bot.core.conversation.caring import CARE_STEPS
from bot.core.conversation.offering import post_of
from bot.core.movement import Shown, Step
from bot.core.practice import PracticePrompt
from bot.core.story import Folder
from bot.core.turn import Choice, Line, Say
from bot.usecases.organizers import Refused
from bot.usecases.outgoing import body_of
from bot.usecases.people import CONSOLE, Actor, act, require
from bot.usecases.ports import Clock, OutboxItem, Store, UnitOfWork
from bot.usecases.practice_ports import FollowUp, Offered, Target
from bot.usecases.pushing import language_of, organizers_in, out_of_reach, usable
from bot.usecases.results import Results, ResultsBoard
from bot.usecases.reviewing import tell


@dataclass(frozen=True)
class Post:
    """What a group will see, in which language."""

    target: Target
    language: str
    say: Say


class FollowUps:
    """Posts that tell groups what came of a prompt."""

    def __init__(
        self,
        store: Store,
        library: Mapping[str, PracticePrompt],
        languages: Sequence[str],
        clock: Clock,
        new_id: Callable[[], str],
        bot: Callable[[], str],
    ) -> None:
        """As for Pushing; `bot` gives "" where the bot's name is not known."""
        self._store, self._library, self._languages = store, library, languages
        self._clock, self._new_id, self._bot = clock, new_id, bot
        self._board = ResultsBoard(store, library, languages)

    async def offers(self, actor: Actor, prompt_id: str) -> list[Offered]:
        """What tellers offer for this prompt and some group can still be shown, oldest first.

        Raises NotAllowed.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            found = await work.practice.offers(prompt_id, self._clock.now())
            return [
                each
                for each in found
                if await self._teller(work, each) is not None
                and await self._targets(work, actor, each.offer)
            ]

    async def preview(
        self, actor: Actor, prompt_id: str, offer_id: str | None = None
    ) -> list[Post]:
        """What each group would see now, in the groups' order: an offer, or without one numbers.

        Groups that cannot be reached, that no organizer answers for, or that had the same offer
        are left out. Raises Refused when none is left or the offer stands no more, NotAllowed.
        """
        async with self._store.work() as work:
            await require(work, actor, "organize")
            if offer_id is None:
                return await self._numbers(work, actor, prompt_id)
            posts, *_ = await self._words(work, actor, prompt_id, offer_id)
            return posts

    async def post(self, actor: Actor, prompt_id: str, offer_id: str | None = None) -> int:
        """Post it; how many. Counted and checked anew. Raises as preview does.

        A group has each offer once, and numbers about a prompt once a UTC day. An offer's teller
        is told; they cannot end it between this check and the commit, and ending it later takes
        back what still waits.
        """
        now = self._clock.now()
        async with self._store.work() as work:
            what = "followed_up" if offer_id is None else "followed_up_story"
            await act(work, actor, "organize", what, offer_id or prompt_id, now)
            story_id = None
            if offer_id is None:
                posts = await self._numbers(work, actor, prompt_id)
            else:
                if not await work.practice.hold_offer(offer_id, now):
                    raise Refused("not_offered")
                posts, folder, offered = await self._words(work, actor, prompt_id, offer_id)
                story_id = offered.story_id
                await self._tell(work, folder, offered, posts)
            act_id = offer_id or _numbers_of(prompt_id, now)
            await self._keep(work, posts, prompt_id, act_id, story_id, now)
            await work.commit()
        return len(posts)

    async def _keep(
        self,
        work: UnitOfWork,
        posts: Sequence[Post],
        prompt_id: str,
        act_id: str,
        story_id: str | None,
        now: datetime,
    ) -> None:
        sent = await work.outbox.add(
            [
                OutboxItem(
                    each.target.group.chat_id,
                    body_of(each.say, each.language, 0),
                    urgency="push",
                    repeatable=False,
                    topic=each.target.group.topic,
                    story=story_id,
                )
                for each in posts
            ]
        )
        await work.practice.follow_up(
            [
                FollowUp(
                    self._new_id(), act_id, each.target.group.id, prompt_id, now, item, story_id
                )
                for each, item in zip(posts, sent, strict=True)
            ]
        )

    # -- numbers --------------------------------------------------------------------------------

    async def _numbers(self, work: UnitOfWork, actor: Actor, prompt_id: str) -> list[Post]:
        prompt = usable(self._library, await work.practice.prompts()).get(prompt_id)
        if prompt is None:
            raise Refused("unknown_prompt")
        results = await self._board.results(actor)
        reachable = await self._reachable(work, actor, await work.practice.asked(prompt_id))
        if not reachable:
            raise Refused("no_groups")
        had = await self._had(work, _numbers_of(prompt_id, self._clock.now()))
        targets = [t for t in reachable if t.group.id not in had]
        if not targets:
            raise Refused("all_told")
        return [self._counted(target, prompt, results) for target in targets]

    def _counted(self, target: Target, prompt: PracticePrompt, results: Results) -> Post:
        language = language_of(target.group, self._languages)
        row = next((r for r in results.groups if r.key == target.group.id), None)
        told: Shown | None = row.people.get(Step.FINISHED) if row is not None else None
        words = {"prompt": prompt.text(language)}
        line = (
            Line("practice.follow.counted", {**words, "count": str(told)})
            if isinstance(told, int)
            else Line("practice.follow.open", words)
        )
        return Post(target, language, self._with_button(line))

    def _with_button(self, line: Line) -> Say:
        """The post with a way into private chat, where the bot's own name is known."""
        bot = self._bot()
        link = f"https://t.me/{bot}?start=practice"
        return Say((line,), ((Choice("practice", "practice.button", link=link),),) if bot else ())

    # -- a teller's words -----------------------------------------------------------------------

    async def _words(
        self, work: UnitOfWork, actor: Actor, prompt_id: str, offer_id: str
    ) -> tuple[list[Post], Folder, Offered]:
        found = await work.practice.offers(prompt_id, self._clock.now())
        offered = next((o for o in found if o.offer.release.id == offer_id), None)
        folder = await self._teller(work, offered) if offered is not None else None
        if offered is None or folder is None:
            raise Refused("not_offered")
        targets = await self._targets(work, actor, offered.offer)
        if not targets:
            raise Refused("all_told")
        say = self._with_button(post_of(offered.story_id, offered.offer))
        language = offered.offer.release.language
        return [Post(target, language, say) for target in targets], folder, offered

    async def _teller(self, work: UnitOfWork, offered: Offered) -> Folder | None:
        """Who offers it, if it stands: a grown-up's words as they are now, and nobody in danger."""
        found = await work.folders.story(offered.story_id)
        if found is None:
            return None
        folder = found[0]
        story = next(s for s in folder.stories if s.id == offered.story_id)
        live = story.live_offer(self._clock.now())
        stands = live is not None and live.release.id == offered.offer.release.id
        is_adult = folder.resident.age_band is AgeBand.ADULT
        is_safe = folder.session.step not in CARE_STEPS
        return folder if stands and is_adult and is_safe else None

    async def _targets(self, work: UnitOfWork, actor: Actor, offer: Offer) -> list[Target]:
        """The groups it is for that can be reached and have not had it."""
        had = await self._had(work, offer.release.id)
        return await self._reachable(work, actor, {group_id for group_id, _ in offer.groups} - had)

    async def _had(self, work: UnitOfWork, act_id: str) -> set[str]:
        return {f.follow_up.group_id for f in await work.practice.followed(act=act_id)}

    async def _reachable(
        self, work: UnitOfWork, actor: Actor, group_ids: Collection[str]
    ) -> list[Target]:
        paused = await work.recipients.paused()
        organizers = None if actor == CONSOLE else await organizers_in(work)
        return [
            target
            for target in await work.practice.targets(group_ids)
            if out_of_reach(target, paused, organizers) is None
        ]

    async def _tell(
        self, work: UnitOfWork, folder: Folder, offered: Offered, posts: Sequence[Post]
    ) -> None:
        titles = ", ".join(post.target.group.title for post in posts)
        words = {"groups": titles, "story": offered.story_id, "offer": offered.offer.release.id}
        await tell(work, folder, Line("offering.posted", words))


def _numbers_of(prompt_id: str, now: datetime) -> str:
    """What names one telling of numbers: two organizers on one day tell a group once."""
    return f"{prompt_id} {now.astimezone(UTC):%Y-%m-%d}"

"""Updates, repeats, restarts, refusals, lost answers, blocks and moves in any order keep promises.

Promise 4 of design.md: nothing received is lost, nothing is done twice, a group never gets one
post twice. Promise 2: what a person says privately is said to nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.console.botapi import AnswerLost, ConnectionLost, Faults
from bot.console.people import Group, Person
from bot.console.refusal import Refused
from tests.proof import IS_WHOLE
from tests.proof.house import House

NAMES = ("Ana", "Ben", "Cleo")
WHO = st.sampled_from(range(len(NAMES)))
METHODS = st.sampled_from(
    ["sendMessage", "getUpdates", "editMessageReplyMarkup", "answerCallbackQuery"]
)
HEALING = 300.0
"""Seconds after which all is well again, when nothing more goes wrong."""
TROUBLES: dict[str, Callable[[], Exception]] = {
    "lost": ConnectionLost,
    "answer lost": AnswerLost,
    "500": lambda: Refused(500, "Internal Server Error"),
    "429": lambda: Refused(429, "Too Many Requests: retry after 3", {"retry_after": 3}),
}


class AnythingInAnyOrder(RuleBasedStateMachine):
    """Three people and a group; the program may be stopped or killed between any two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(NAMES)
        self.said: dict[str, list[str]] = {name: [] for name in NAMES}
        self.posts: dict[int, str] = {}
        self.groups: list[Group] = [self.house.group]
        self.is_gone: set[int] = set()

    def person(self, who: int) -> Person:
        return self.house.people[who]

    @initialize()
    def begins(self) -> None:
        self.house.begins()
        self.house.passes(1)

    # -- people and groups ----------------------------------------------------------------------

    @rule(who=WHO, times=st.integers(1, 3))
    def says(self, who: int, times: int) -> None:
        person = self.person(who)
        if person.chat.gone:
            return
        for _ in range(times):
            line = f"{person.name.lower()}{len(self.said[person.name])} saw the bus go by"
            self.said[person.name].append(line)
            person.says(line)

    @rule(who=WHO)
    def sends_a_voice_note(self, who: int) -> None:
        if not self.person(who).chat.gone:
            self.person(who).sends_voice()

    @rule(who=WHO)
    def presses_the_last_button_but_one(self, who: int) -> None:
        shown = self.person(who).chat.last_keyboard()
        if shown is not None and shown.rows() and not self.person(who).chat.gone:
            # "Show me an example": it changes nothing that was told.
            data = str(shown.rows()[-1][0]["callback_data"])
            if data.endswith("example"):
                self.person(who).presses_on(shown.id, data)

    @rule(who=WHO)
    def blocks(self, who: int) -> None:
        if not self.person(who).chat.gone:
            self.person(who).blocks()

    @rule(who=WHO)
    def unblocks(self, who: int) -> None:
        if self.person(who).chat.gone:
            self.person(who).unblocks()

    @precondition(lambda self: len(self.groups) == 1)
    @rule()
    def the_group_moves(self) -> None:
        self.groups.append(self.groups[-1].moves())

    @rule()
    def a_post_is_due(self) -> None:
        number, words = self.house.posts_to_group()
        self.posts[number] = words

    # -- the platform ---------------------------------------------------------------------------

    @rule(back=st.integers(0, 5))
    def an_update_comes_again(self, back: int) -> None:
        self.house.queue.again(back)

    @rule(method=METHODS, trouble=st.sampled_from(sorted(TROUBLES)), times=st.integers(1, 3))
    def telegram_is_in_trouble(self, method: str, trouble: str, times: int) -> None:
        self.house.api.faults.plan(method, TROUBLES[trouble](), times=times)

    @rule(who=WHO, seconds=st.integers(0, 30))
    def one_chat_is_told_to_wait(self, who: int, seconds: int) -> None:
        chat = self.person(who).id
        self.house.api.faults.too_many_requests("sendMessage", seconds, chat_id=chat)

    @rule(before=st.integers(0, 2), after=st.integers(0, 2))
    def the_disk_is_in_trouble(self, before: int, after: int) -> None:
        self.house.store.fails_before += before
        self.house.store.fails_after += after

    # -- the program ----------------------------------------------------------------------------

    @rule(steps=st.integers(0, 60))
    def it_goes_on_a_little(self, steps: int) -> None:
        self.house.turns_over(steps)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1, 5, 40]))
    def time_passes(self, seconds: float) -> None:
        self.house.passes(seconds)

    @rule(steps=st.integers(0, 40))
    def it_is_killed(self, steps: int) -> None:
        self.house.turns_over(steps)
        self.house.is_killed()
        self.house.starts()

    @rule(who=WHO, moment=st.integers(0, 40))
    def it_is_killed_at_some_moment_of_a_turn(self, who: int, moment: int) -> None:
        self.says(who=who, times=1)
        self.house.passes(moment / 400)
        self.it_is_killed(steps=0)

    @rule(moment=st.integers(0, 16))
    def it_is_killed_at_some_moment_of_a_post(self, moment: int) -> None:
        self.a_post_is_due()
        self.house.wakes()
        self.house.passes(moment / 400)
        self.it_is_killed(steps=0)

    @rule()
    def it_is_restarted(self) -> None:
        self.house.stops()
        self.house.starts()

    # -- what must be so ------------------------------------------------------------------------

    @invariant()
    def nobody_hears_what_somebody_else_said(self) -> None:
        api = self.house.api
        for chat in [*self.house.people, *self.groups]:
            heard = "\n".join(e.text for e in api.transcript(chat) if e.who == "bot")
            for name in NAMES:
                if not (isinstance(chat, Person) and chat.name == name):
                    assert f"{name.lower()}0" not in heard, "a private word went elsewhere"
                    assert not any(line in heard for line in self.said[name])

    @invariant()
    def no_post_stands_twice(self) -> None:
        shown = self.shown_posts()
        for words in self.posts.values():
            assert shown.count(words) <= 1, "a group got one post twice"

    def shown_posts(self) -> list[str]:
        """What the bot said in the group, under all its ids."""
        return [e.text for g in self.groups for e in self.house.api.transcript(g) if e.who == "bot"]

    def teardown(self) -> None:
        try:
            if self.house.running is not None:
                self.everything_heals()
                self.everybody_was_heard()
                self.every_post_has_its_true_fate()
        finally:
            self.house.closes()

    def everything_heals(self) -> None:
        self.house.api.faults = Faults()
        self.house.store.fails_before = self.house.store.fails_after = 0
        for person in self.house.people:
            if person.chat.gone:
                person.unblocks()
        self.house.passes(HEALING)

    def everybody_was_heard(self) -> None:
        for person in self.house.people:
            assert self.house.told(person) == self.said[person.name], "every line once, in order"
            assert not self.house.waits(person), f"{person.name} waits for an answer"
        counted = [k.state for k in self.house.store.state.inbox.values()]
        assert set(counted) <= {"done"}, "every update was handled"

    def every_post_has_its_true_fate(self) -> None:
        shown = self.shown_posts()
        for number, words in self.posts.items():
            state = self.house.store.state.outbox[number].state
            times = shown.count(words)
            meant = {"sent": {1}, "unknown": {0, 1}, "failed": {0}}
            assert times in meant[state], f"a post noted as {state} stands there {times} times"


TestAnythingInAnyOrder = AnythingInAnyOrder.TestCase
TestAnythingInAnyOrder.settings = settings(
    max_examples=2_000 if IS_WHOLE else 150,
    stateful_step_count=30,
    deadline=None,
    derandomize=not IS_WHOLE,
    # Shrinking replays whole days again and again; thirty steps can be read as they are.
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    if IS_WHOLE
    else (Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

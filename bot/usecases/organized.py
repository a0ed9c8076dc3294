"""All that organizers and staff need around one bot: the desk, pushing, and its clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.core.practice import PracticePrompt
from bot.core.turn import Phrasebook
from bot.usecases.desk import Desk, Room
from bot.usecases.desk.arriving import Arriving
from bot.usecases.desk.inviting import Inviting
from bot.usecases.desk.organizing import Organizing
from bot.usecases.desk.reviewing import Review
from bot.usecases.desk.reviewing_mine import Mine
from bot.usecases.desk.reviewing_screens import Staffed
from bot.usecases.desk.screens import ROOM, Admins, Around
from bot.usecases.groups import Telegram
from bot.usecases.ports import Clock, Store, UnitOfWork
from bot.usecases.pusher import Pusher
from bot.usecases.pushing import Pushing


@dataclass(frozen=True)
class Organized:
    """Made once for a bot. Whoever runs the bot runs `pusher` beside it."""

    desk: Desk
    pushing: Pushing
    pusher: Pusher

    async def arrived(self, work: UnitOfWork, telegram_id: int, group_id: str) -> None:
        """An organizer brought the bot into a group: they are asked for what it needs first."""
        await self.desk.show(work, telegram_id, ROOM, "arrived", group_id)


def organize(
    store: Store,
    library: Mapping[str, PracticePrompt],
    book: Phrasebook,
    clock: Clock,
    new_id: Callable[[], str],
    new_token: Callable[[], str],
    telegram: Telegram,
    wake: Callable[[], None],
    staffed: Staffed | None = None,
) -> Organized:
    """`wake` is called when there is something new to send; for `new_token` see People.

    Without what staff need, staff have no room.
    """
    around = Around(library, book.languages, clock, new_id, new_token, telegram, Admins(telegram))
    rooms: list[Callable[[Store], Room]] = [
        lambda store: Arriving(store, around),
        lambda store: Inviting(store, around),
        lambda store: Organizing(store, around),
        lambda store: Mine(store, clock),
    ]
    if staffed is not None:
        rooms.append(lambda store: Review(store, staffed))
    pushing = Pushing(
        store, library, book.languages, clock, new_id, new_token, lambda: telegram.name
    )
    return Organized(Desk(store, rooms, book, clock), pushing, Pusher(pushing, clock, wake))

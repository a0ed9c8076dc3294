"""Staff bring in organizers: /invite makes a link that works once, to be sent on."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.turn import Heard, Line, Move, Say
from bot.usecases.desk import Visit, button
from bot.usecases.desk.screens import Around, local
from bot.usecases.people import ORGANIZER, NotAllowed, People
from bot.usecases.ports import Store

ROOM = "inviting"
COMMAND = "invite"


class Inviting:
    """The room that /invite leads to, for whoever holds the right "invite"."""

    name = ROOM

    def __init__(self, store: Store, around: Around) -> None:
        """Over the store of one visit."""
        self._people = People(store, around.clock, around.new_token)
        self._bot = around.telegram

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """/invite."""
        return ("home", ()) if heard.command == COMMAND else None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Say what an invitation is, or make one; the right is asked for in the act itself."""
        make = button(ROOM, "make", label="invitations.b.make")
        if "invite" not in visit.rights:
            return [Say((Line("invitations.not_yours"),))]
        if visit.verb != "make":
            return [Say((Line("invitations.what"),), ((make,),))]
        try:
            made = await self._people.invite(visit.sender.telegram_id, ORGANIZER)
        except NotAllowed:
            return [Say((Line("invitations.not_yours"),))]
        link = f"https://t.me/{self._bot.name}?start={made.token}"
        again = button(ROOM, "make", label="invitations.b.another")
        return [
            Say((Line("invitations.link", {"link": link}),)),
            Say((local("invitations.once", made.expires_at),), ((again,),)),
        ]

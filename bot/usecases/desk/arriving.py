"""Invitations: the link's first opener gets its rights, and is shown where to begin."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.turn import Heard, Line, Move, Say
from bot.usecases.desk import Visit
from bot.usecases.desk.screens import Around, add_link, press
from bot.usecases.people import People, is_invitation
from bot.usecases.ports import Store


class Arriving:
    """The room that `/start i_…` leads to."""

    name = "arriving"

    def __init__(self, store: Store, around: Around) -> None:
        """Over the store of one visit."""
        self._around = around
        self._people = People(store, around.clock, around.new_token)

    def verb_of(self, heard: Heard) -> tuple[str, tuple[str, ...]] | None:
        """Only an invitation's token is ours; every other /start is a resident's."""
        if heard.command == "start" and is_invitation(heard.argument):
            return "accept", (heard.argument,)
        return None

    async def visit(self, visit: Visit) -> Sequence[Move]:
        """Accept, or say kindly that this link opens nothing any more."""
        token = visit.arguments[0] if visit.arguments else ""
        given = await self._people.accept(visit.sender.telegram_id, token)
        home = ((press("home", label="home"),),)
        adds = ((add_link(self._around),), (press("home", label="begin"),))
        if given is None:
            if "organize" in visit.rights:
                return [Say((Line("invitations.already"),), home)]
            return [Say((Line("invitations.worthless"),))]
        lines = []
        if given - {"organize"}:
            lines.append(Line("invitations.welcome.staff"))
        if "invite" in given:
            lines.append(Line("invitations.welcome.inviter"))
        if "organize" in given:
            lines += [Line("invitations.welcome.organizer"), Line("invitations.welcome.add")]
            return [Say(tuple(lines), adds)]
        return [Say(tuple(lines), home if "organize" in visit.rights else ())]

"""Seats at the desk on SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import bindparam, insert, select, update

from bot.store.prepared import Hand, Prepared
from bot.store.tables import seats
from bot.store.transaction import Transaction
from bot.usecases.ports import Seat

_OF = Prepared(select(seats).where(seats.c.telegram_id == bindparam("person")))


def seat_of(hand: Hand, telegram_id: int) -> Callable[[], Seat | None]:
    """Asks for this person's seat, if they ever came to the desk; the call waits for it."""
    asked = hand.send(_OF, person=telegram_id)

    def seat() -> Seat | None:
        rows = asked.rows()
        return Seat(**rows[0]._asdict()) if rows else None

    return seat


class SqlSeats:
    """The port Seats, within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def of(self, telegram_id: int) -> Seat | None:
        """This person's seat, if they ever came to the desk."""
        return await self._transaction.ask(lambda hand: seat_of(hand, telegram_id)())

    async def save(self, seat: Seat) -> None:
        """Write the seat."""
        row = asdict(seat)
        known = seats.c.telegram_id == seat.telegram_id
        if not await self._transaction.write(update(seats).where(known).values(row)):
            await self._transaction.write(insert(seats).values(row))

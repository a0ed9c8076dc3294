"""A crew on PostgreSQL: lanes leased by row, a leader by advisory lock, woken by NOTIFY.

Each process keeps one session of its own. Over it the process beats: it says that it is alive,
renews its lanes, takes what others let expire, and gives back what is more than its fair part.
All times are the database's, so clocks of machines need not agree. A process that could not
beat in time stops serving by itself before anybody else may take its lanes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy.engine import make_url

from bot.store.locks import FETCHING, LEADING
from bot.usecases.crew import LANES, Aboard, lane_of

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

EXPIRES_AFTER = 3.0
"""Seconds after its last beat that a process's lanes are anybody's."""
BEAT_EVERY = 0.75
"""Seconds between beats."""
TRUSTED_FOR = 2.5
"""Seconds after the beginning of its last good beat that a process serves; less than the lease."""
CHANNEL = "coach"
ANSWERS_WITHIN = 2.0
"""Seconds a beat may take before the session counts as lost."""
PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""How long a server that is out of reach is waited for, in seconds; the last in milliseconds."""

_ALIVE = """
INSERT INTO crew (id, alive_until) VALUES (%(me)s, clock_timestamp() + %(lease)s::interval)
ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until
"""
_RENEW = """
UPDATE lanes SET expires_at = clock_timestamp() + %(lease)s::interval
WHERE owner = %(me)s RETURNING lane
"""
_TAKE = """
UPDATE lanes SET owner = %(me)s, expires_at = clock_timestamp() + %(lease)s::interval
WHERE lane IN (
  SELECT lane FROM lanes WHERE owner IS NULL OR expires_at < clock_timestamp()
  ORDER BY lane LIMIT %(most)s FOR UPDATE SKIP LOCKED
) RETURNING lane
"""
_GIVE = "UPDATE lanes SET owner = NULL WHERE owner = %(me)s AND lane = ANY(%(lanes)s)"
_BURY = "DELETE FROM crew WHERE alive_until < clock_timestamp() - interval '1 minute'"
_COUNT = "SELECT count(*) FROM crew WHERE alive_until > clock_timestamp()"
_LEAD = "SELECT pg_try_advisory_lock(%(lock)s)"


class PostgresCrew:
    """The port Crew on PostgreSQL."""

    def __init__(self, url: str, may_fetch: bool = True) -> None:
        """`url` is an SQLAlchemy address; nothing is connected yet.

        Without `may_fetch` we leave fetching updates to others, however long nobody does.
        """
        parsed = make_url(url).set(drivername="postgresql")
        self._address = parsed.render_as_string(hide_password=False)
        self._me = uuid4().hex
        self._held: frozenset[int] = frozenset()
        self._leaving: frozenset[int] = frozenset()
        self._good_until = 0.0
        self._wanted = {LEADING, *([FETCHING] if may_fetch else [])}
        self._locks: set[int] = set()
        self._aboard: Aboard | None = None
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Event()

    @property
    def lanes(self) -> frozenset[int] | None:
        """Those leased to us, while the lease can be trusted."""
        return self._held - self._leaving if self._is_good else frozenset()

    @property
    def share(self) -> float:
        """Our lanes of all: the shares of a crew never add up to more than the whole."""
        return len(self._held) / LANES if self._is_good else 0.0

    @property
    def leads(self) -> bool:
        """Whether our session holds the leader's lock."""
        return LEADING in self._locks and self._is_good

    @property
    def fetches(self) -> bool:
        """Whether our session holds the fetcher's lock."""
        return FETCHING in self._locks and self._is_good

    @property
    def _is_good(self) -> bool:
        return time.monotonic() < self._good_until

    def serves(self, chat: int) -> bool:
        """Whether the chat's lane is leased to us and stays so for the next moment."""
        lane = abs(chat) % LANES
        return self._is_good and lane in self._held and lane not in self._leaving

    async def join(self, aboard: Aboard) -> None:
        """Begin to beat; returns after the first one, or after a moment if there is none yet."""
        self._aboard = aboard
        self._task = asyncio.create_task(self._run(), name="crew")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._first.wait()

    async def leave(self) -> None:
        """Free our lanes, so that others take them at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._good_until, self._locks = 0.0, set()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN), await self._connected() as session:
                what = {"me": self._me, "lanes": list(range(LANES))}
                await session.execute(_GIVE, what)
                await session.execute("DELETE FROM crew WHERE id = %(me)s", what)
                await session.execute("SELECT pg_notify(%s, 'lanes')", (CHANNEL,))
        except Exception as error:
            log.info("lanes expire by themselves: %s", type(error).__name__)

    # -- the beat -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                async with await self._connected() as session:
                    await session.execute(f"LISTEN {CHANNEL}")
                    # What came before we listened was not announced to us.
                    self._tell_all()
                    while True:
                        await self._beat(session)
                        await self._listen(session)
            except Exception as error:
                log.warning("crew: the session was lost: %s", type(error).__name__)
            self._locks = set()
            # Our lease stays good until it is not; another session may renew it in time.
            await asyncio.sleep(0.3)

    async def _connected(self) -> AsyncConnection[Any]:
        import psycopg

        async with asyncio.timeout(ANSWERS_WITHIN * 2):
            return await psycopg.AsyncConnection.connect(
                self._address,
                autocommit=True,
                application_name=f"coach {os.getpid()} {self._me}",
                **PATIENCE,
            )

    async def _beat(self, session: AsyncConnection[Any]) -> None:
        begun = time.monotonic()
        if not self._is_good and self._aboard is not None:
            # Others may have had all that was ours: whatever we get now is new to us.
            self._aboard.reassigned()
        before = self.lanes, self.share, self.leads
        async with asyncio.timeout(ANSWERS_WITHIN):
            async with session.transaction():
                held, fair = await self._leased(session)
            for lock in self._wanted - self._locks:
                found = await (await session.execute(_LEAD, {"lock": lock})).fetchone()
                if found and found[0]:
                    self._locks.add(lock)
        self._held, self._good_until = frozenset(held), begun + TRUSTED_FOR
        # What is more than our part goes as soon as nothing is under way there.
        self._leaving = frozenset(sorted(held)[fair:])
        self._first.set()
        if before != (self.lanes, self.share, self.leads) and self._aboard is not None:
            self._aboard.reassigned()

    async def _leased(self, session: AsyncConnection[Any]) -> tuple[set[int], int]:
        what: dict[str, Any] = {"me": self._me, "lease": f"{EXPIRES_AFTER} seconds"}
        await session.execute(_BURY)
        await session.execute(_ALIVE, what)
        renewed = await session.execute(_RENEW, what)
        held = {row[0] for row in await renewed.fetchall()}
        free = self._leaving & held
        if self._aboard is not None:
            free -= self._aboard.busy()
        if free:
            await session.execute(_GIVE, {"me": self._me, "lanes": list(free)})
            await session.execute("SELECT pg_notify(%s, 'lanes')", (CHANNEL,))
            held -= free
        count = await (await session.execute(_COUNT)).fetchone()
        fair = math.ceil(LANES / max(1, count[0] if count else 1))
        if len(held) < fair:
            what["most"] = fair - len(held)
            taken = await session.execute(_TAKE, what)
            held |= {row[0] for row in await taken.fetchall()}
        return held, fair

    async def _listen(self, session: AsyncConnection[Any]) -> None:
        """Until the next beat, pass on what others announce."""
        beat_at = time.monotonic() + BEAT_EVERY
        while (left := beat_at - time.monotonic()) > 0:
            async for note in session.notifies(timeout=left, stop_after=1):
                if note.payload == "lanes":
                    return
                self._pass_on(note.payload)

    def _pass_on(self, payload: str) -> None:
        kind, _, chat = payload.partition(":")
        if self._aboard is None or not chat.removeprefix("-").isdigit():
            return
        if lane_of(int(chat)) not in self._held:
            return
        if kind == "in" and 0 <= int(chat) < LANES:
            # An earlier version of the program names the lane; no chat has such a number.
            self._aboard.arrived()
        elif kind == "in":
            self._aboard.arrived(int(chat))
        elif kind == "out":
            self._aboard.queued()

    def _tell_all(self) -> None:
        if self._aboard is not None:
            self._aboard.arrived()
            self._aboard.queued()

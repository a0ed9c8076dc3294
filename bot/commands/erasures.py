"""What `coach doctor` says about erasures that wait: for an index server, or a data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.usecases.library_ports import FILES_AT, DataFolder, PendingErasure
from bot.wiring import Parts, opened

WIPE = (
    "stop the Chroma server, delete its folder and start it again (the index is built anew by "
    "itself), then run `coach doctor --chroma-files FOLDER` on its machine"
)


async def waiting(parts: Parts) -> tuple[str, Sequence[Mapping[str, object]]]:
    """What still waits, in one sentence, empty when nothing does; and details for programs."""
    async with opened(parts) as store, store.work() as work:
        pending = await work.library.erasures()
        homes = await work.library.homes()
    on_server = _on_server(pending)
    said, details = [], []
    if on_server:
        since = min(one.asked_at for one in on_server)
        said.append(
            f"vectors of {_of(len(on_server), 'erasure')} (the first of {since:%Y-%m-%d %H:%M} "
            f"UTC) may still stand in the Chroma server's files, though in no answer: {WIPE}"
        )
    for home in homes:
        left = [one for one in pending if _waits_for(one, home)]
        if left:
            details.append({"folder": home.id, "machine": home.machine, "erasures": len(left)})
            said.append(
                f"{_of(len(left), 'erasure')} cannot reach the data folder on {home.machine}, "
                f"where nothing ran since {home.seen_at:%Y-%m-%d %H:%M} UTC: start a coach there, "
                f"or if it is destroyed: coach doctor --folder-gone {home.id}"
            )
    return "; ".join(said), details


async def verify(parts: Parts, folder: Path) -> tuple[bool, str]:
    """Look into a Chroma server's folder, and note the erasures it is clean of."""
    from bot.retrieval.server_files import look

    async with opened(parts) as store:
        async with store.work() as work:
            on_server = _on_server(await work.library.erasures())
            installation = await work.indexes.installation()
            await work.commit()
        stories = [story for one in on_server for story in one.story_ids]
        found = await asyncio.to_thread(look, folder, installation, stories)
        if found.begun_at is None:
            return False, (
                f"{folder} is not the folder of the Chroma server that this index is on, or "
                "nothing was built there yet"
            )
        clean = [one for one in on_server if found.is_clean_of(one.story_ids, one.asked_at)]
        async with store.work() as work:
            for one in clean:
                count = one.steps.get("unused", 0)
                await work.library.erased(one.id, "index", count, parts.clock.now())
            await work.commit()
    begun = f"begun {found.begun_at:%Y-%m-%d %H:%M} UTC"
    if len(clean) < len(on_server):
        return False, (
            f"{folder}, {begun}, may still hold vectors of "
            f"{_of(len(on_server) - len(clean), 'erasure')}"
            f"{' (ids of theirs were found)' if found.still else ''}: {WIPE}"
        )
    if clean:
        return True, f"{folder}, {begun}, is clean; {_of(len(clean), 'erasure')} noted as done"
    return True, f"{folder}, {begun}, holds nothing that was taken back"


async def folder_gone(parts: Parts, home: str) -> tuple[bool, str]:
    """Note that a data folder is destroyed, so that erasures need not wait for it."""
    async with opened(parts) as store, store.work() as work:
        if home not in [one.id for one in await work.library.homes()]:
            return False, "There is no data folder with that id; `coach doctor` names them."
        settled = await work.library.home_is_gone(home)
        await work.commit()
    return True, (
        f"Noted: that folder is destroyed; {_of(settled, 'erasure')} need not wait for it. "
        "Exports that lay there are listed to staff."
    )


def _on_server(pending: Sequence[PendingErasure]) -> list[PendingErasure]:
    return [
        one
        for one in pending
        if one.in_index and one.story_ids and "unused" in one.steps and "index" not in one.steps
    ]


def _waits_for(one: PendingErasure, home: DataFolder) -> bool:
    has_words = bool(one.story_ids or one.chat_sha256)
    return has_words and "free_pages" in one.steps and FILES_AT + home.id not in one.steps


def _of(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

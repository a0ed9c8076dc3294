"""`coach restore`: a backup back into the database, of either engine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TextIO

from bot.commands.backup import backups_left, show_backups
from bot.commands.export import progress
from bot.commands.forget import exports_left, show_left
from bot.settings import load_settings
from bot.usecases.backing_up import Settling
from bot.usecases.backup_ports import Restored
from bot.usecases.ports import StoreUnavailable
from bot.wiring import Parts, erasing_store, new_id, opened, owned


def run(file: Path, replace: bool, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Restore: 0 done. Raises BadBackup, StoreUnavailable, HomeBusy, OSError."""
    parts = Parts(load_settings())
    with owned(parts.settings.coach_home):
        asyncio.run(_restore(parts, file, replace, as_json, stdout, stderr))
    return 0


async def _restore(
    parts: Parts, file: Path, replace: bool, as_json: bool, stdout: TextIO, stderr: TextIO
) -> None:
    from bot.store.restore import Told, restore

    now = parts.clock.now()
    settling = Settling(parts.words, new_id)
    with progress(stderr, "rows") as told:
        done = await restore(
            parts.settings.database, file, Told(replace, now, settling.settle, told)
        )
    if as_json:
        print(json.dumps(_line(done)), file=stdout)
    else:
        for sentence in sentences(done):
            print(sentence, file=stdout)
    async with opened(parts) as store:
        # The words of what was replaced leave the disk, and the index follows the database.
        try:
            await erasing_store(parts, store).scrub(now)
        except StoreUnavailable as error:
            print(f"The backup is restored; not all is tidied up: {error}", file=stderr)
        show_left(await exports_left(store), stderr)
        show_backups(await backups_left(store), stderr)


def sentences(done: Restored) -> list[str]:
    """What was done and what could not be known, a line each."""
    made = f"{done.made_at:%Y-%m-%d %H:%M} UTC"
    said = [f"Restored {done.rows} rows from the backup of {made}. What was told since is gone."]
    again = (
        f"{_of(done.stories, 'story', 'stories')} withdrawn, "
        f"{_of(done.residents, 'person', 'people')} forgotten and "
        f"{_of(done.releases, 'permission', 'permissions')} ended"
    )
    if done.knew == "everything":
        said.append(f"Applied again, from the database that was replaced: {again} since then.")
    elif done.knew == "some":
        said.append(
            f"The database that was replaced did not know this backup. What it did know was "
            f"applied again: {again}. Whether more was withdrawn after {made} cannot be known."
        )
    else:
        said.append(
            f"There was no database that could tell what was withdrawn, forgotten or revoked "
            f"after {made}: such stories are back. Ask whoever may have taken theirs back, then "
            "use `coach withdraw` and `coach forget`."
        )
    if done.knew != "everything":
        said.append(
            "Rights given or taken since are not known either: check them with `coach revoke`. "
            f"{_of(done.invitations, 'unused invitation', 'unused invitations')} ended."
        )
    said.append(
        f"Group posts that waited then may have been posted since, so they are not posted: "
        f"{done.kept_back}. Schedules go on from now: {done.schedules}; what fell due in between "
        "is not posted. Replies that waited are sent, some perhaps a second time; messages that "
        "waited are answered."
    )
    return said


def _of(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _line(done: Restored) -> dict[str, object]:
    return {
        "made_at": done.made_at.isoformat(), "revision": done.revision, "rows": done.rows,
        "knew": done.knew, "residents_forgotten": done.residents,
        "stories_withdrawn": done.stories, "releases_ended": done.releases,
        "posts_kept_back": done.kept_back, "schedules_moved": done.schedules,
        "invitations_ended": done.invitations,
    }  # fmt: skip

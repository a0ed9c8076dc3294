"""`coach withdraw`: one story taken back for its teller."""

from __future__ import annotations

import asyncio
from typing import TextIO

from bot.commands.backup import backups_left, show_backups
from bot.commands.forget import agreed, exports_left, show, show_left
from bot.settings import load_settings
from bot.usecases.staff import Staff
from bot.wiring import Parts, erasing_store, new_id, opened, owned_alone


def run(story: str, yes: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """Withdraw a story: 0 done, 1 when there is none or no is said."""
    parts = Parts(load_settings())
    with owned_alone(parts.settings):
        return asyncio.run(_withdraw(parts, story, yes, stdin, stdout, stderr))


async def _withdraw(
    parts: Parts, story: str, yes: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    if not yes and not agreed("Withdraw this story and erase its words?", stdin, stdout):
        print("Nothing was withdrawn.", file=stderr)
        return 1
    async with opened(parts) as store:
        erasing = erasing_store(parts, store)
        receipts = await Staff(erasing, parts.words, parts.clock, new_id).withdraw(story)
        left, backups = await exports_left(store), await backups_left(store)
    if receipts is None:
        print("There is no story with that id; `coach stories` lists them.", file=stderr)
        return 1
    print("Withdrawn: gone from every list, its words erased.", file=stdout)
    show(receipts, stdout)
    show_left(left, stdout)
    show_backups(backups, stdout)
    return 0

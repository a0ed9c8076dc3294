"""`coach forget` and `coach withdraw`: erase for somebody who asked, with a receipt per place."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from bot.commands.backup import backups_left, show_backups
from bot.commands.terminal import erase_files
from bot.settings import load_settings
from bot.usecases.library_ports import ToDestroy
from bot.usecases.ports import Receipt, Store
from bot.usecases.staff import Staff
from bot.wiring import Parts, erasing_store, new_id, opened, owned_alone

PLACES = {
    "database": "database rows",
    "inbox": "messages received",
    "outbox": "messages to send",
    "free_pages": "free pages of the database",
    "index": "passages in the example index",
    "index_later": "passages out of use (then see `coach doctor --chroma-files`)",
    "files": "files",
}


def run(reference: str, yes: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """Erase a resident: 0 done, 1 when nobody or more than one person is meant, or no is said."""
    parts = Parts(load_settings())
    with owned_alone(parts.settings):
        return asyncio.run(_forget(parts, reference, yes, stdin, stdout, stderr))


async def _forget(
    parts: Parts, reference: str, yes: bool, stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    async with opened(parts) as store:
        staff = Staff(erasing_store(parts, store), parts.words, parts.clock, new_id)
        found = await staff.find(reference)
        if len(found) != 1:
            what = "Nobody is" if not found else f"{len(found)} residents are"
            print(f"{what} known as that. Use the resident id from `coach stories`.", file=stderr)
            return 1
        folder = found[0]
        question = f"Erase everything held about this resident ({len(folder.stories)} stories)?"
        if not yes and not agreed(question, stdin, stdout):
            print("Nothing was erased.", file=stderr)
            return 1
        # The terminal's memory goes first: who is erased cannot be found in it afterwards.
        # Where there are other data folders, each erases what lies in it when it is asked below.
        chat = folder.identity.chat_id
        files = 0 if parts.settings.is_shared else forget_terminal(parts, chat)
        receipts = await staff.forget(folder.resident.id)
        if files:
            receipts.append(Receipt("files", files, parts.clock.now()))
        show(receipts, stdout)
        show_left(await exports_left(store), stdout)
        show_backups(await backups_left(store), stdout)
    return 0


async def exports_left(store: Store) -> list[ToDestroy]:
    """Earlier export files that hold what they no longer may, and lie where we cannot erase."""
    async with store.work() as work:
        return [x for x in await work.library.to_destroy() if not x.is_erased_here]


def show_left(left: Sequence[ToDestroy], stdout: TextIO) -> None:
    """Tell where somebody has to destroy files by hand."""
    for path, export_id in dict.fromkeys((x.where, x.export_id) for x in left):
        print(f"Still to destroy by hand: {path}", file=stdout)
        print(f"  then: coach export --acknowledge {export_id}", file=stdout)


def forget_terminal(parts: Parts, chat_id: int) -> int:
    """Remove what `coach chat` keeps about a person; the number of files. Raises OSError."""
    from bot.console.ledger import Ledger

    home = parts.settings.coach_home
    count = erase_files(home, chat_id)
    if (home / "console.json").exists():
        Ledger.open(home / "console.json").leave(chat_id)
    return count


def agreed(question: str, stdin: TextIO, stdout: TextIO) -> bool:
    """Ask in the terminal; only yes is yes."""
    print(f"{question} This can't be undone. Type yes: ", end="", file=stdout, flush=True)
    return stdin.readline().strip().casefold() in ("yes", "y", "sí", "si")


def show(receipts: Sequence[Receipt], stdout: TextIO) -> None:
    """A line per place."""
    counts: Counter[str] = Counter()
    for receipt in receipts:
        counts[receipt.place] += receipt.count
    for place, count in counts.items():
        print(f"{PLACES[place]}: {count} erased", file=stdout)

"""`make picture`: README's picture, drawn from a real conversation with the real bot.

Writes docs/conversation.svg. The resident is invented; the coach says whatever it says today.
"""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bot.console.botapi import BotApi
from bot.console.request import InProcessRequest
from bot.console.screen import RichScreen
from bot.settings import load_settings
from bot.wiring import Parts, telegram_coach

WIDTH = 84
BEFORE = ("Yes, in English", "18 or older", "Yes, begin", "they shut the pool on weekdays",
          "the old ones who swim for their backs, and the kids from the flats", "skip")  # fmt: skip
SHOWN = (
    "i do the desk there 6 years. its about respect for people. we all work hard",
    "that's it",
    "march. they read the closing list out in the staff room and it was our pool. everyone looked "
    "at the floor. i had my bag packed to go home. i stood up and said read the name again please",
    "my nan, she used to say if you see it you say it",
)


async def talk() -> list[tuple[str, str, list[str]]]:
    """The shown part of the conversation: who, words, button labels."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(load_settings(coach_home=Path(folder)))
        api = BotApi(None)
        async with telegram_coach(
            parts, api.token, InProcessRequest(api), InProcessRequest(api)
        ) as coach:
            await coach.start()
            person = api.person("Dee", "en")
            person.starts()
            await settle(api, coach)
            for line in BEFORE:
                person.says(line)
                await settle(api, coach)
            known = len(api.transcript(person)) - 1
            for line in SHOWN:
                person.says(line)
                await settle(api, coach)
            entries = api.transcript(person)[known:]
            await coach.stop()
    return [(e.who, e.text, [label for row in e.buttons for label in row]) for e in entries]


async def settle(api: BotApi, coach: object) -> None:
    """Wait until the coach has said what it has to say."""
    await api.updates.confirmed()
    await coach.idle()  # type: ignore[attr-defined]


def main() -> None:
    """Draw the conversation and save it."""
    console = Console(
        record=True,
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        file=io.StringIO(),
    )
    screen = RichScreen(console.file, console)
    entries = asyncio.run(talk())
    for number, (who, text, labels) in enumerate(entries):
        if who == "bot":
            screen.bot(text, [])
            if labels and number + 1 == len(entries):
                screen.buttons(labels)
        else:
            console.print(Text.assemble(("› ", "bold cyan"), text))
    drawing = console.export_svg(title="make chat")
    # Rich names a font on a far server; the reader's own monospace will do.
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    Path("docs/conversation.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()

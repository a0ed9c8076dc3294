"""A coach in a process of its own that can be killed: python -m tests.wiring.talker HOME.

Reads lines "ID TEXT" (update id, then a message in JSON), keeps each like Telegram does, prints
"kept ID" once it is confirmed and "said TEXT" (JSON) for everything the bot says.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bot.console.botapi import BotApi
from bot.console.chats import Event, Json
from bot.console.people import Person
from bot.console.updates import UpdateQueue
from tests.telegram.stage import running


def deliver(updates: UpdateQueue, ana: Person, update_id: int, text: str) -> None:
    """Give the bot an update of a chosen id, as Telegram does when it delivers one again."""
    message: Json = {
        "message_id": update_id,
        "date": 0,
        "chat": ana.chat.payload(),
        "from": ana.payload(),
        "text": text,
    }
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    updates._next_id = lambda: update_id
    updates.put("message", message)


def say(event: Event) -> None:
    if event.kind == "message" and event.message is not None:
        print("said", json.dumps(event.message.text), flush=True)


async def talk(home: Path) -> None:
    api = BotApi(home / "console.json")
    api.listen(say)
    ana = api.person("Ana")
    api.ledger.know(ana.id)
    ana.chat.started = True
    async with running(home, api=api) as stage:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            number, _, text = line.partition(" ")
            deliver(api.updates, ana, int(number), json.loads(text))
            await api.updates.confirmed()
            print("kept", number, flush=True)
        await stage.settled()


if __name__ == "__main__":
    asyncio.run(talk(Path(sys.argv[1])))

"""How long the coach takes to answer a 90-word telling, and a retelling with one new sentence."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bot.console.botapi import BotApi
from bot.console.request import InProcessRequest
from bot.core.narrative import StoryOf
from bot.reading.embedded import EmbeddedReader
from bot.settings import load_settings
from bot.wiring import Parts, telegram_coach

TELLING = (
    "Last winter the lift stopped and nobody came. It was a Tuesday and I had the shopping. "
    "Mrs Ortega from nine sat on the bottom stair with her cylinder beside her. I could have gone "
    "up, my own door is on the second floor. I put the milk down and sat with her. We rang the "
    "owner eleven times. At six the boys from the fourth came home and the three of us carried "
    "her up in a kitchen chair, stopping on every landing. She held my sleeve the whole way. "
    "Since then I know every name on those stairs."
)
CHANGED = TELLING.replace("At six the boys from the fourth", "At seven two boys from the fifth")


async def reading() -> tuple[float, float]:
    """Milliseconds to read the telling afresh, and to read it with one sentence changed."""
    reader = EmbeddedReader.bundled()
    await reader.read(StoryOf.SELF, "Warm up.", "en")
    fresh, again = [], []
    for number in range(5):
        telling = TELLING.replace("Tuesday", f"Tuesday {number}")
        text = " ".join(f"{s}" for s in telling.split(" "))
        marked = text.replace("eleven", str(number + 20)).replace("winter", f"winter{number}")
        began = time.perf_counter()
        await reader.read(StoryOf.SELF, marked, "en")
        fresh.append(time.perf_counter() - began)
        mended = marked.replace("At six the boys", "At seven two boys")
        began = time.perf_counter()
        await reader.read(StoryOf.SELF, mended, "en")
        again.append(time.perf_counter() - began)
    return statistics.median(fresh) * 1000, statistics.median(again) * 1000


async def turn() -> float:
    """Milliseconds from a person's "that's it" to the coach's question, everything durable."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(load_settings(coach_home=Path(folder)))
        api = BotApi(None)
        async with telegram_coach(
            parts, api.token, InProcessRequest(api), InProcessRequest(api)
        ) as coach:
            await coach.start()
            person = api.person("Bench", "en")
            taken = []
            for line in ("/start", "Yes, in English", "40", "yes", "skip", "skip", "skip"):
                person.starts() if line == "/start" else person.says(line)
                await _settled(api, coach)
            for number in range(4):
                person.says(TELLING.replace("Tuesday", f"day {number}"))
                await _settled(api, coach)
                began = time.perf_counter()
                person.says("that's it")
                await _settled(api, coach)
                taken.append(time.perf_counter() - began)
                person.says("another part")
                await _settled(api, coach)
                person.says("my story")
                await _settled(api, coach)
            await coach.stop()
    return statistics.median(taken[1:]) * 1000


async def _settled(api: BotApi, coach: object) -> None:
    await api.updates.confirmed()
    await coach.idle()  # type: ignore[attr-defined]


def measure() -> list[tuple[str, str, str, str]]:
    """Rows: what, figure, goal, beside the yardstick."""
    fresh, again = asyncio.run(reading())
    whole = asyncio.run(turn())
    return [
        ("reading a 90-word telling", f"{fresh:.0f} ms", "", ""),
        ("a turn with it, durable", f"{whole:.0f} ms", "300 ms", f"{whole / fresh:.2f}× reading"),
        (
            "reading it with one sentence changed",
            f"{again:.0f} ms",
            "60 ms",
            f"{again / fresh:.2f}× the first reading",
        ),
    ]

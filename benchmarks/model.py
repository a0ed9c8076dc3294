"""What our path adds to asking a model: the same request bare, and through adapter and guards."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from bot.core.coaching import CoachingNotes
from bot.core.guards import weigh
from bot.core.masking import masked
from bot.core.narrative import StoryOf
from bot.screening.screener import find_spans
from bot.usecases.modelled import to_model, unmasked
from tests.fakes import reading
from tests.llm.residents import coach_at
from tests.llm.servers import says, told_server
from tests.llm.test_faults import TOLD, answer

TIMES = 40


async def times() -> tuple[float, float, float]:
    """Milliseconds, medians in one run: a bare openai call, our whole path, guards alone."""
    import openai

    with told_server(says(answer())) as server:
        coach = coach_at(server.where, 30)
        client = openai.AsyncOpenAI(
            api_key=server.where.key, base_url=server.where.base_url, max_retries=0
        )
        await ours(coach)
        body: dict[str, Any] = server.asked[-1]
        bare, whole = [], []
        for _ in range(TIMES):
            began = time.perf_counter()
            await client.chat.completions.create(**body)
            bare.append(time.perf_counter() - began)
            began = time.perf_counter()
            found = await ours(coach)
            whole.append(time.perf_counter() - began)
    alone = []
    for _ in range(TIMES):
        began = time.perf_counter()
        weigh(found, reading(StoryOf.SELF), TOLD, "en", CoachingNotes())
        alone.append(time.perf_counter() - began)
    return tuple(statistics.median(t) * 1000 for t in (bare, whole, alone))  # type: ignore[return-value]


async def ours(coach: Any) -> Any:
    """Everything a turn does around a model: screening, masking, asking, unmasking, weighing."""
    out = masked(TOLD, find_spans(TOLD), ("Ana Gil",))
    found = await coach.coach(to_model(StoryOf.SELF, out.text, "en", CoachingNotes()))
    reply = unmasked(found.reply, out)
    weigh(reply, reading(StoryOf.SELF), TOLD, "en", CoachingNotes())
    return reply


def measure() -> list[tuple[str, str, str, str]]:
    """Rows: what, figure, goal, beside the yardstick. The server answers at once."""
    bare, whole, alone = asyncio.run(times())
    return [
        (
            "asking a model, whole path",
            f"{whole:.1f} ms",
            "",
            f"{whole / bare:.2f}× a bare openai call",
        ),
        ("the same without the call", f"{whole - bare:.1f} ms", "25 ms", ""),
        ("guards alone", f"{alone:.2f} ms", "5 ms", ""),
    ]


if __name__ == "__main__":
    for row in measure():
        print("  ".join(row))

"""A language model as ports.Coach, through langchain: one structured call a turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from langsmith import tracing_context
from pydantic import BaseModel, SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from bot.core.narrative import StoryOf
from bot.llm.breaker import Breaker
from bot.llm.faults import HOPELESS, TELLS_NOTHING, pause_before_retry, reason_of
from bot.llm.instructions import Instructions
from bot.llm.schema import reply_of, schema_of
from bot.usecases.ports import CoachUnavailable, FromModel, Spent, ToModel

log = logging.getLogger(__name__)

MOST_TOKENS = 900
"""Tokens of an answer; one that needs more has lost its way."""

CHARACTERS_PER_TOKEN = 3
"""For estimates only; rather too many tokens than too few."""

NO_KEY = "none-needed"
"""What is sent as a key to servers of one's own."""


@dataclass(frozen=True)
class Where:
    """Which model, where, and its price in US dollars a million tokens read and written."""

    model: str
    key: str = NO_KEY
    base_url: str | None = None
    price_read: float = 0.0
    price_written: float = 0.0


class ModelCoach:
    """Implements ports.Coach with any server that speaks OpenAI's chat completions."""

    def __init__(
        self,
        where: Where,
        instructions: Instructions,
        seconds: float = 5.7,
        breaker: Breaker | None = None,
        most_tokens: int = MOST_TOKENS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` is the longest one call may take, its retry included."""
        self._where, self._instructions = where, instructions
        self._seconds, self._monotonic = seconds, monotonic
        self.breaker = breaker or Breaker(monotonic)
        self._model = ChatOpenAI(
            model=where.model,
            api_key=SecretStr(where.key),
            base_url=where.base_url,
            timeout=seconds,
            max_retries=0,
            max_completion_tokens=most_tokens,
            use_responses_api=False,
            streaming=False,
        )
        self._bound: dict[StoryOf, Runnable[Any, Any]] = {}
        self.reader = f"{where.model}/coach-{instructions.version}"

    @property
    def instructions(self) -> Instructions:
        """What the model is told."""
        return self._instructions

    def estimate(self, telling: ToModel) -> Spent:
        """What asking costs at least, for calls whose end nobody saw."""
        read = len(self._instructions.system(telling.stage)) + len(telling.text)
        return self._spent(read // CHARACTERS_PER_TOKEN, 0)

    async def coach(self, telling: ToModel) -> FromModel:
        """Ask once, with at most one retry where that is safe. Raises CoachUnavailable."""
        if not self.breaker.lets_pass():
            raise CoachUnavailable("resting")
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._asked(telling)
        except asyncio.CancelledError:
            self.breaker.gave_up()
            raise
        except TimeoutError:
            self.breaker.failed()
            raise CoachUnavailable("late") from None
        except Exception as error:
            reason = reason_of(error)
            if reason in TELLS_NOTHING:
                self.breaker.succeeded()
            else:
                self.breaker.failed(hopeless=reason in HOPELESS)
            log.warning("no answer of a model: %s (%s)", reason, type(error).__name__)
            # The error's own words may hold the telling.
            raise CoachUnavailable(reason) from None
        self.breaker.succeeded()
        return found

    async def _asked(self, telling: ToModel) -> FromModel:
        began = self._monotonic()

        def left() -> float:
            return self._seconds - (self._monotonic() - began)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return pause_before_retry(error, left()) or 0.0

        trying = AsyncRetrying(
            stop=stop_after_attempt(2),
            retry=retry_if_exception(lambda e: pause_before_retry(e, left()) is not None),
            wait=wait,
            reraise=True,
        )
        said: dict[str, Any] = await trying(self._once, telling)
        raw, answer = said["raw"], said["parsed"]
        if said["parsing_error"] is not None or not isinstance(answer, BaseModel):
            raise said["parsing_error"] or ValueError("no answer")
        reply = reply_of(telling.stage, answer, self.reader, self._instructions.marks)
        return FromModel(reply, self._cost(raw, telling))

    async def _once(self, telling: ToModel) -> dict[str, Any]:
        """One request: the instructions in the system part, the telling in the human part."""
        messages: list[BaseMessage] = [
            SystemMessage(self._instructions.system(telling.stage)),
            HumanMessage(self._instructions.human(telling)),
        ]
        asking = self._asking(telling.stage)
        # Tracing would send the telling to a third place that nobody agreed to.
        with tracing_context(enabled=False):
            said = await asking.ainvoke(messages)
        assert isinstance(said, dict)
        return said

    def _asking(self, stage: StoryOf) -> Runnable[Any, Any]:
        """The model bound to a stage's shape; bound once, because binding takes milliseconds."""
        if stage not in self._bound:
            self._bound[stage] = self._model.with_structured_output(
                schema_of(stage), method="json_schema", strict=True, include_raw=True
            )
        return self._bound[stage]

    def _cost(self, raw: Any, telling: ToModel) -> Spent:
        usage = getattr(raw, "usage_metadata", None) or {}
        read, written = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        return self._spent(read, written) if read or written else self.estimate(telling)

    def _spent(self, read: int, written: int) -> Spent:
        dollars = read * self._where.price_read + written * self._where.price_written
        return Spent(read + written, dollars / 1_000_000)

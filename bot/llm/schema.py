"""The one shape a model may answer in, per stage; strict, so that a server can enforce it."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from bot.core.guards import Reply
from bot.core.narrative import ORDER_OF_CARE, Element, Status, StoryOf

_STRICT = ConfigDict(extra="forbid")


class Part(BaseModel):
    """One element as heard: the words that show it, then how far it stands."""

    model_config = _STRICT
    quote: str
    status: Literal["present", "weak", "missing"]


@cache
def schema_of(stage: StoryOf) -> type[BaseModel]:
    """A stage's answer: every element by its short name, then value, aim and question."""
    elements = ORDER_OF_CARE[stage]
    aims: Any = Literal[(*(e.short for e in elements), "none")]
    fields: dict[str, Any] = {e.short: (Part, ...) for e in elements}
    return create_model(
        f"StoryOf{stage.value.capitalize()}",
        __config__=_STRICT,
        **fields,
        value=(str, ...),
        aim=(aims, ...),
        question=(str, ...),
    )


def reply_of(stage: StoryOf, answer: BaseModel, reader: str, orders: frozenset[int]) -> Reply:
    """An answer of that shape in the core's words. Still not believed."""
    given = answer.model_dump()
    elements = ORDER_OF_CARE[stage]
    aim = given["aim"]
    return Reply(
        stage,
        {e: Status(given[e.short]["status"]) for e in elements},
        {e: given[e.short]["quote"] for e in elements},
        given["value"],
        None if aim == "none" else Element.of(stage, aim),
        given["question"],
        reader,
        orders,
    )

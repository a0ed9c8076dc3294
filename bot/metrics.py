"""Figures for whoever watches the machine; the only room that knows prometheus-client."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bot.usecases.ports import Counted, Summed, Timed

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.8, 2.5, 5.0, 10.0, 30.0)
"""Upper edges of the times counted; 1.8 is where the coach stops waiting for a reading."""


class Figures:
    """The port Meter on a registry of its own: nothing of other libraries gets in.

    Every label is a fixed word of the program. No name, id or word of anybody is ever counted.
    """

    def __init__(self) -> None:
        """Everything begins at nothing."""
        registry = self._registry = CollectorRegistry()
        self._updates = Counter(
            "coach_updates", "Updates received, by fate.", ["fate"], registry=registry
        )
        self._turns = Counter("coach_turns", "Turns taken, by fate.", ["fate"], registry=registry)
        self._calls = Counter(
            "coach_telegram_calls",
            "Calls of the Bot API, by method and outcome (ok, or the kind of error).",
            ["method", "outcome"],
            registry=registry,
        )
        self._refused = Counter(
            "coach_telegram_too_many_requests",
            "Calls that Telegram answered with 429, by method.",
            ["method"],
            registry=registry,
        )
        self._model = Counter(
            "coach_model_readings", "Readings asked of a model, by outcome.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self._refusals = Counter(
            "coach_model_refusals", "What was refused of a model's replies, by reason.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._sums = {
            "tokens": Counter("coach_model_tokens", "Tokens of a model.", registry=registry),
            "dollars": Counter("coach_model_dollars", "Cost at the prices set.", registry=registry),
        }
        self._times = {
            "turn": _times("coach_turn", "A turn, by the step it began in.", "step", registry),
            "reading": _times("coach_reader", "Reading a telling.", None, registry),
            "safety": _times("coach_safety_screening", "Looking for danger.", None, registry),
            "privacy": _times("coach_privacy_screening", "Looking for others.", None, registry),
            "example": _times("coach_example", "Finding an example.", None, registry),
            "model": _times("coach_model", "Asking a language model.", None, registry),
        }
        self._inbox = Gauge(
            "coach_inbox_depth", "Updates that wait for their turn.", registry=registry
        )
        self._quarantined = Gauge(
            "coach_quarantined", "Updates set aside; see coach doctor.", registry=registry
        )
        self._outbox = Gauge(
            "coach_outbox_depth", "Messages that wait to be sent.", registry=registry
        )
        self._sends = Gauge(
            "coach_messages", "Messages in the outbox, by what became of them.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self._pending = Gauge(
            "coach_telegram_pending", "Updates that wait at Telegram, as last asked.",
            registry=registry,
        )  # fmt: skip
        # Known from the start, so that a first increase is seen as one.
        for fate in ("kept", "repeated", "unreadable", "not_kept"):
            self._updates.labels(fate)
        for fate in ("handled", "ignored", "failed", "delayed", "set_aside"):
            self._turns.labels(fate)
        self._refused.labels("sendMessage")
        # Looking a counter up by its labels takes many times as long as counting.
        self._counted: dict[tuple[Counted, str, str], list[Counter]] = {}
        self._timed: dict[tuple[Timed, str], Histogram] = {}

    def count(self, what: Counted, kind: str, outcome: str = "") -> None:
        """See ports.Meter."""
        counters = self._counted.get((what, kind, outcome))
        if counters is None:
            counters = self._counted[what, kind, outcome] = self._counters(what, kind, outcome)
        for counter in counters:
            counter.inc()

    def _counters(self, what: Counted, kind: str, outcome: str) -> list[Counter]:
        match what:
            case "update":
                return [self._updates.labels(kind)]
            case "turn":
                return [self._turns.labels(kind)]
            case "call":
                refused = [self._refused.labels(kind)] if outcome == "RetryAfter" else []
                return [self._calls.labels(kind, outcome), *refused]
            case "model":
                return [self._model.labels(kind)]
            case "refusal":
                return [self._refusals.labels(kind)]

    def add(self, what: Summed, amount: float) -> None:
        """See ports.Meter."""
        self._sums[what].inc(amount)

    def took(self, what: Timed, seconds: float, kind: str = "") -> None:
        """See ports.Meter."""
        times = self._timed.get((what, kind))
        if times is None:
            every = self._times[what]
            times = self._timed[what, kind] = every.labels(kind) if what == "turn" else every
        times.observe(seconds)

    def page(self, depths: Mapping[str, Mapping[str, int]]) -> bytes:
        """Everything in Prometheus' text form. `depths` are TelegramCoach.depths."""
        inbox, outbox = depths.get("inbox", {}), depths.get("outbox", {})
        self._inbox.set(inbox.get("waiting", 0))
        self._quarantined.set(inbox.get("quarantined", 0))
        self._outbox.set(outbox.get("waiting", 0) + outbox.get("sending", 0))
        for outcome, number in outbox.items():
            self._sends.labels(outcome).set(number)
        if "telegram" in depths:
            self._pending.set(depths["telegram"].get("pending", 0))
        return generate_latest(self._registry)


def _times(name: str, words: str, label: str | None, registry: CollectorRegistry) -> Histogram:
    return Histogram(
        f"{name}_seconds",
        f"{words} Seconds.",
        [label] if label else [],
        buckets=SECONDS,
        registry=registry,
    )

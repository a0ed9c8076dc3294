"""How well screening does on held-back messages, beside a keyword list.

Printed by `python -m bot.commands.screen report`, which brings the embedder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bot.core.care import Safety, Span, SpanKind
from bot.screening.labelled import PrivacyMessage, SafetyMessage

_KEYWORDS = re.compile(
    r"suicid|kill|die\b|dying|dead|hurt|hit|abus|knife|gun|matar|morir|muer|muert|golpe|pega|arma|morr|bate"
)
_SAD_WORDS = re.compile(
    r"\bcry|died|lost|panic|grief|shak|nightmare|llor|perd|murió|duele|miedo|chor|dói"
)
_NAIVE_SPANS = {
    SpanKind.PHONE: re.compile(r"\d{3}[-. ]\d{3,4}[-. ]?\d*"),
    SpanKind.EMAIL: re.compile(r"\S+@\S+\.\w+"),
    SpanKind.HANDLE: re.compile(r"@\w+"),
    SpanKind.FULL_NAME_THIRD_PARTY: re.compile(r"[A-Z]\w+ [A-Z]\w+"),
    SpanKind.ADDRESS: re.compile(r"\d+ \w+ (?:Street|Road|Avenue)|[Cc]alle \w+ \d+"),
    SpanKind.ID_NUMBER: re.compile(r"\d{7,}\w?"),
    SpanKind.HEALTH_THIRD_PARTY: re.compile(r"HIV|VIH|cancer|cáncer|pregnant|embarazada"),
    SpanKind.IMMIGRATION_THIRD_PARTY: re.compile(r"undocumented|papers|papeles|deport\w+"),
}


def naive_safety(text: str) -> Safety:
    """What a keyword list would say."""
    if _KEYWORDS.search(text.lower()):
        return Safety.CRISIS
    return Safety.DISTRESS if _SAD_WORDS.search(text.lower()) else Safety.NONE


def naive_spans(text: str) -> tuple[Span, ...]:
    """What a handful of plain patterns would flag."""
    return tuple(
        Span(m[0], kind, m.start()) for kind, p in _NAIVE_SPANS.items() for m in p.finditer(text)
    )


def confusion(
    messages: Sequence[SafetyMessage], judge: Callable[[str], Safety]
) -> Counter[tuple[Safety, Safety]]:
    """How often each label (first) was answered with each (second)."""
    return Counter((m.safety, judge(m.text)) for m in messages)


def same_passage(left: Span, right: Span) -> bool:
    """True when two spans are of one kind and share at least half of their joint stretch."""
    left_end, right_end = left.start + len(left.text), right.start + len(right.text)
    shared = min(left_end, right_end) - max(left.start, right.start)
    joint = max(left_end, right_end) - min(left.start, right.start)
    return left.kind is right.kind and joint > 0 and shared / joint >= 0.5


def span_counts(
    messages: Sequence[PrivacyMessage], find: Callable[[str], Sequence[Span]]
) -> dict[SpanKind, tuple[int, int, int]]:
    """Per kind: found rightly, flagged wrongly, missed. Matching as in `same_passage`."""
    counts = {kind: (0, 0, 0) for kind in SpanKind}
    for message in messages:
        found = find(message.text)
        for span in found:
            hit, false, missed = counts[span.kind]
            right = any(same_passage(span, gold) for gold in message.spans)
            counts[span.kind] = (hit + right, false + (not right), missed)
        for gold in message.spans:
            if not any(same_passage(span, gold) for span in found):
                hit, false, missed = counts[gold.kind]
                counts[gold.kind] = (hit, false, missed + 1)
    return counts


def f1(hit: int, false: int, missed: int) -> float:
    """Harmonic mean of precision and recall, 0 to 1; 1 when there was nothing to find."""
    return 2 * hit / (2 * hit + false + missed) if hit + false + missed else 1.0


def lines(
    safety: Sequence[SafetyMessage],
    privacy: Sequence[PrivacyMessage],
    judge: Callable[[str], Safety],
    find: Callable[[str], Sequence[Span]],
) -> Iterator[str]:
    """The report as lines of text: held-back messages only, ours beside the naive baseline."""
    safety = [m for m in safety if m.held_back]
    privacy = [m for m in privacy if m.held_back]
    yield f"Safety, {len(safety)} held-back messages: precision and recall (keyword list)"
    ours, naive = confusion(safety, judge), confusion(safety, naive_safety)
    for label in (Safety.CRISIS, Safety.DISTRESS, Safety.NONE):
        yield f"  {label.value:10} {_rates(ours, label)}   ({_rates(naive, label)})"
    calm = [m for m in safety if m.safety is Safety.NONE]
    yield f"  false alarms on {len(calm)} calm messages: {ours[Safety.NONE, Safety.CRISIS]}"
    yield f"Privacy, {len(privacy)} held-back messages: right, wrong, missed, F1 (plain patterns)"
    found, plain = span_counts(privacy, find), span_counts(privacy, naive_spans)
    for kind in SpanKind:
        yield f"  {kind.value:25} {_row(found[kind])}   ({_row(plain[kind])})"
    yield f"  {'all':25} {_row(_total(found))}   ({_row(_total(plain))})"


def _rates(counts: Counter[tuple[Safety, Safety]], label: Safety) -> str:
    said = sum(n for (_, answer), n in counts.items() if answer is label)
    true = sum(n for (gold, _), n in counts.items() if gold is label)
    right = counts[label, label]
    return f"{right / said if said else 0:.3f} {right / true if true else 0:.3f}"


def _row(counts: tuple[int, int, int]) -> str:
    return f"{counts[0]:3} {counts[1]:3} {counts[2]:3} {f1(*counts):.3f}"


def _total(counts: dict[SpanKind, tuple[int, int, int]]) -> tuple[int, int, int]:
    rows = list(counts.values())
    return sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows)

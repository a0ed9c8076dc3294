"""Trains the safety head: `python -m bot.commands.screen train`, which brings the embedder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.core.care import Safety
from bot.screening.labelled import SafetyMessage
from bot.usecases.ports import Embedder

HARDNESS = 3.0
"""C of the crisis boundary; chosen by cross-validation over authors, as is PENALTY."""
PENALTY = 0.01
"""Inverse ridge strength of distress against none."""
CRISIS_TELLING_WEIGHT, PAIN_TELLING_WEIGHT = 0.5, 0.1
"""What a telling, longer and calmer than a message, counts where each boundary is learned."""
CRISIS_PART_WEIGHT, PAIN_PART_WEIGHT = 0.25, 0.05
"""What a part of a calm telling counts. In a conversation people send some sentences at a time;
without such parts, one calm sentence in forty raised an alarm."""


def train(
    messages: Sequence[SafetyMessage],
    tellings: Sequence[SafetyMessage],
    parts: Sequence[str],
    embedder: Embedder,
) -> dict[str, NDArray[np.float32] | float]:
    """Fit the head; the same messages, tellings and embedder give the same weights.

    `tellings` teach above all what is neither crisis nor distress, as do calm `parts` of them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    labelled = [*messages, *tellings]
    texts = [*(m.text for m in labelled), *parts]
    vectors = np.asarray(embedder.embed(texts), dtype=np.float64)
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    points = (vectors - mean) / scale
    sizes = [len(messages), len(tellings), len(parts)]
    calm = [Safety.NONE] * len(parts)
    safety = [*(m.safety for m in labelled), *calm]
    crisis = np.asarray([s is Safety.CRISIS for s in safety])
    weight = np.repeat([1.0, CRISIS_TELLING_WEIGHT, CRISIS_PART_WEIGHT], sizes)
    weight[crisis] *= weight[~crisis].sum() / weight[crisis].sum()
    boundary = SVC(C=HARDNESS, gamma=1 / points.shape[1])
    boundary.fit(points, crisis, sample_weight=weight)
    distress = np.asarray([s is Safety.DISTRESS for s in safety])
    weight = np.repeat([1.0, PAIN_TELLING_WEIGHT, PAIN_PART_WEIGHT], sizes)
    pain = LogisticRegression(C=PENALTY, max_iter=3000, class_weight="balanced")
    pain.fit(points[~crisis], distress[~crisis], sample_weight=weight[~crisis])
    return {
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
        "anchors": boundary.support_vectors_.astype(np.float16).astype(np.float32),
        "pull": boundary.dual_coef_[0].astype(np.float32),
        "level": float(boundary.intercept_[0]),
        "pain": pain.coef_[0].astype(np.float32),
        "pain_level": float(pain.intercept_[0]),
    }

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


def train(
    messages: Sequence[SafetyMessage], tellings: Sequence[SafetyMessage], embedder: Embedder
) -> dict[str, NDArray[np.float32] | float]:
    """Fit the head; the same messages, tellings and embedder give the same weights.

    `tellings` teach above all what is neither crisis nor distress.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    everything = [*messages, *tellings]
    vectors = np.asarray(embedder.embed([m.text for m in everything]), dtype=np.float64)
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    points = (vectors - mean) / scale
    telling = np.arange(len(everything)) >= len(messages)
    crisis = np.asarray([m.safety is Safety.CRISIS for m in everything])
    boundary = SVC(C=HARDNESS, gamma=1 / points.shape[1], class_weight="balanced")
    boundary.fit(points, crisis, sample_weight=np.where(telling, CRISIS_TELLING_WEIGHT, 1.0))
    distress = np.asarray([m.safety is Safety.DISTRESS for m in everything])
    pain = LogisticRegression(C=PENALTY, max_iter=3000, class_weight="balanced")
    weight = np.where(telling, PAIN_TELLING_WEIGHT, 1.0)
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

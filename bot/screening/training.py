"""Trains the safety head: `python -m bot.commands.screen train`, which brings the embedder."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from bot.screening.head import CLASSES
from bot.screening.labelled import SafetyMessage
from bot.usecases.ports import Embedder

PENALTY = 0.01
"""Inverse strength of the ridge penalty; chosen by cross-validation over authors."""


def train(messages: Sequence[SafetyMessage], embedder: Embedder) -> dict[str, object]:
    """Fit the head on `messages`; the same messages and embedder give the same weights."""
    from sklearn.linear_model import LogisticRegression

    vectors = np.asarray(embedder.embed([m.text for m in messages]), dtype=np.float64)
    labels = [CLASSES.index(m.safety) for m in messages]
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    model = LogisticRegression(C=PENALTY, max_iter=3000, class_weight="balanced")
    model.fit((vectors - mean) / scale, labels)
    weights = model.coef_ / scale
    bias = model.intercept_ - weights @ mean
    return {
        "weights": [[float(f"{w:.5g}") for w in row] for row in weights],
        "bias": [float(f"{b:.6g}") for b in bias],
    }

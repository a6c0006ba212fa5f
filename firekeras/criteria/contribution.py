"""How much of what a filter puts out arrives in the layers that read it: a criterion of firekeras's own."""

from __future__ import annotations

import numpy as np

from firekeras.channels.registry import find_rule
from firekeras.channels.rules.mixing import array
from firekeras.channels.rules.normalization import batch_normalization
from firekeras.channels.walk import leaf_layers
from firekeras.criteria.activations import moments_read
from firekeras.criteria.gaussian import variances_read
from firekeras.criteria.readers import Readers
from firekeras.criteria.registry import criterion
from firekeras.profile import FilterScores


@criterion("contribution", needs="model")
def small_contribution(model) -> FilterScores:
    """TODO"""
    readers = Readers(model)
    gains = gains_behind(model, readers.trace)
    variances = variances_read(model, readers, gains.keys())
    missing = "passes no BatchNormalization that would tell its variance: measure it, with 'contribution_measured'"
    return _scores(readers, gains, variances, "contribution", missing)


@criterion("contribution_measured", needs="data")
def small_measured_contribution(model, data) -> FilterScores:
    """The same with the variance of each channel measured on data where it is read."""
    readers = Readers(model)
    measured = moments_read(model, readers, data)
    variances = {path: variance for path, (_, variance) in measured.items()}
    return _scores(readers, gains_behind(model, readers.trace), variances, "contribution_measured", "is not read")


def _scores(readers, gains, variances, name, missing):
    total = np.zeros(readers.graph.num_units)
    for path, variance in variances.items():
        strengths = readers[path].strengths()
        gain = gains.get(path, np.full(strengths.shape[1], np.nan))
        readers[path].sum_over_units(total, contributions(variance, strengths, gain))
    return readers.scores(-total / np.maximum(readers.graph.unit_sizes, 1), name, missing)


def contributions(variance, strengths, gain) -> np.ndarray:
    """What each channel contributes to a reader's outputs, `(channels,)`."""
    lost = variance[:, None] * strengths
    total = lost.sum(axis=0)
    share = np.divide(lost, total, out=np.where(np.isnan(lost), np.nan, 0.0), where=total > 0)
    return np.where(np.isnan(gain), share, lost * gain).sum(axis=1)


def gains_behind(model, trace) -> dict[str, np.ndarray]:
    """What a BatchNormalization right behind a layer multiplies variances by: gamma^2 / (variance + epsilon).

    Returns:
        For each layer with filters that one follows, by path, `(filters,)`; NaN for filters that none follows.
    """
    gains: dict = {}
    for _, layer in leaf_layers(model):
        if find_rule(layer) is batch_normalization:
            gamma = 1.0 if layer.gamma is None else array(layer.gamma).astype("float64")
            gain = np.square(gamma) / (array(layer.moving_variance).astype("float64") + layer.epsilon)
            for label, value in zip(trace.weights[id(layer.moving_variance)][0].tolist(), gain, strict=True):
                if label in trace.births:
                    name, filter = trace.births[label]
                    gains.setdefault(name, np.full(trace.graph.widths[name], np.nan))[filter] = value
    return gains

"""How much of what a filter puts out arrives in the layers that read it: a criterion of firekeras's own."""

from __future__ import annotations

import numpy as np

from firekeras.channels.rules.mixing import array
from firekeras.scores.criteria.activations import moments_read
from firekeras.scores.criteria.gaussian import variances_read
from firekeras.scores.criteria.readers import Readers
from firekeras.scores.criteria.registry import criterion
from firekeras.scores.profile import FilterScores


@criterion("contribution", needs="model")
def small_contribution(model) -> FilterScores:
    """Minus the variance that the layers that read a filter would lose without it, in closed form, without data.

    Behind a BatchNormalization a channel is about Gaussian with mean beta and deviation |gamma|; from
    there its variance v is followed to where it is read (`firekeras.scores.criteria.gaussian` says how: a
    rectified Gaussian's has a closed form). An output of a layer that reads it loses v times the sum of
    its squared weights on that channel, as far as channels vary independently. That is counted in the
    units of what comes next: times gamma^2 / (moving variance + epsilon) where a BatchNormalization
    follows, else as a share of the output's whole variance. Losses are added up over outputs and over
    all layers that read the channel. Filters that only go together share what they lose together.

    firekeras's own. Related: Molchanov et al. 2017 for activations, and Yu et al. 2018, "NISP", for how
    importance arrives through the next layer's weights.
    """
    readers = Readers(model)
    gains = gains_behind(readers.network)
    variances = variances_read(model, readers, gains.keys())
    missing = "passes no BatchNormalization that would tell its variance: measure it, with 'contribution_measured'"
    return _scores(readers, gains, variances, "contribution", missing)


@criterion("contribution_measured", needs="data")
def small_measured_contribution(model, data) -> FilterScores:
    """`"contribution"` with the variance of each channel measured on data where it is read.

    For networks without BatchNormalization, and where the view of Gaussian channels fails: behind
    pooling, deep in residual streams, in networks that were trained for a short time.
    """
    readers = Readers(model)
    measured = moments_read(model, readers, data)
    variances = {path: variance for path, (_, variance) in measured.items()}
    return _scores(readers, gains_behind(readers.network), variances, "contribution_measured", "is not read")


def _scores(readers, gains, variances, name, missing):
    total = np.zeros(readers.graph.num_units)
    for path, variance in variances.items():
        strengths = readers[path].strengths()
        gain = gains.get(path, np.full(strengths.shape[1], np.nan))
        readers[path].sum_over_units(total, contributions(variance, strengths, gain))
    return readers.scores(-total / np.maximum(readers.graph.unit_sizes, 1), name, missing)


def contributions(variance, strengths, gain) -> np.ndarray:
    """What a layer's outputs owe to each channel that it reads, in all.

    Args:
        variance: Of each channel, `(channels,)`.
        strengths: How strongly each output depends on it, `Reader.strengths()`, `(channels, outputs)`.
        gain: What a BatchNormalization behind the layer multiplies each output's variance by,
            `(outputs,)`; NaN where there is none.

    Returns:
        float64 array `(channels,)`.

    Example:
    >>> from firekeras.scores.criteria.contribution import contributions
    >>> contributions([1.0, 3.0], [[1.0], [1.0]], [float("nan")])  # shares of the output's variance
    array([0.25, 0.75])
    >>> contributions([1.0, 3.0], [[1.0], [1.0]], [0.5])
    array([0.5, 1.5])
    """
    variance, strengths, gain = (np.asarray(one, "float64") for one in (variance, strengths, gain))
    lost = variance[:, None] * strengths
    total = lost.sum(axis=0)
    share = np.divide(lost, total, out=np.where(np.isnan(lost), np.nan, 0.0), where=total > 0)
    return np.where(np.isnan(gain), share, lost * gain).sum(axis=1)


def gains_behind(network) -> dict[str, np.ndarray]:
    """What a BatchNormalization right behind a layer multiplies variances by: gamma^2 / (variance + epsilon).

    Returns:
        For each layer with filters that one follows, by path, `(filters,)`; NaN for filters that none follows.
    """
    gains: dict = {}
    for layer in network.batch_norms.values():
        gamma = 1.0 if layer.gamma is None else array(layer.gamma).astype("float64")
        gain = np.square(gamma) / (array(layer.moving_variance).astype("float64") + layer.epsilon)
        for label, value in zip(network.weights[id(layer.moving_variance)][0].tolist(), gain, strict=True):
            if label in network.births:
                name, filter = network.births[label]
                gains.setdefault(name, np.full(network.graph.widths[name], np.nan))[filter] = value
    return gains

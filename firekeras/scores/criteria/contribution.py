"""How much of a filter's output reaches the layers that read it: firekeras's own criterion."""

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
    """Minus the variance that the readers of a filter would lose without it, in closed form, without data.

    Behind a BatchNormalization a channel is roughly Gaussian with mean beta and deviation |gamma|; from
    there its variance v is propagated to where it is read (see `firekeras.scores.criteria.gaussian`; the
    variance of a rectified Gaussian has a closed form). An output of a layer that reads it loses v times
    the sum of its squared weights on that channel, if channels vary independently. The loss is scaled
    by gamma^2 / (moving variance + epsilon) if a BatchNormalization follows, else divided by the output's
    total variance. Losses are summed over outputs and over all layers that read the channel. Coupled
    filters share their joint loss.

    firekeras's own. Related: Molchanov et al. 2017 for activations, and Yu et al. 2018, "NISP", for how
    importance arrives through the next layer's weights.
    """
    readers = Readers(model)
    gains = gains_behind(readers.network)
    variances = variances_read(model, readers, gains.keys())
    missing = "passes no BatchNormalization that determines its variance: measure it, with 'contribution_measured'"
    return _scores(readers, gains, variances, "contribution", missing)


@criterion("contribution_measured", needs="data")
def small_measured_contribution(model, data) -> FilterScores:
    """`"contribution"` with the variance of each channel measured on data where it is read.

    For networks without BatchNormalization, and where channels are not Gaussian: behind pooling, deep
    in residual streams, in networks that were trained only briefly.
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
    """The total contribution of each channel that a layer reads to the variance of its outputs.

    Args:
        variance: The variance of each channel, `(channels,)`.
        strengths: How strongly each output depends on it, `Reader.strengths()`, `(channels, outputs)`.
        gain: The factor by which a BatchNormalization behind the layer multiplies each output's
            variance, `(outputs,)`; NaN without one.

    Returns:
        float64 array `(channels,)`.

    Example:
    >>> from firekeras.scores.criteria.contribution import contributions
    >>> contributions([1.0, 3.0], [[1.0], [1.0]], [float("nan")])  # shares of the output's variance
    array([0.25, 0.75])
    >>> contributions([1.0, 3.0], [[1.0], [1.0]], [0.5])
    array([0.5, 1.5])
    """
    variance, strengths, gain = (np.asarray(values, "float64") for values in (variance, strengths, gain))
    lost = variance[:, None] * strengths
    total = lost.sum(axis=0)
    share = np.divide(lost, total, out=np.where(np.isnan(lost), np.nan, 0.0), where=total > 0)
    return np.where(np.isnan(gain), share, lost * gain).sum(axis=1)


def gains_behind(network) -> dict[str, np.ndarray]:
    """The factor by which a BatchNormalization behind a layer multiplies variances: gamma^2 / (variance + epsilon).

    Returns:
        For each layer followed by one, by path, the factors `(filters,)`; NaN for filters without one.
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

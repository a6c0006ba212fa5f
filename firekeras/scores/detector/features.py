"""The features of the FIRE detector: 14 statistics of a filter's weights, and its BatchNormalization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

FEATURE_NAMES = (
    "channel_num",
    "layer",
    "sum",
    "l1",
    "max",
    "min",
    "mean",
    "median",
    "midrange",
    "range",
    "std",
    "q1",
    "q3",
    "quartile_deviation",
)
BN_FEATURE_NAMES = ("bn_mean", "bn_deviation", "bn_fire", "bn")
FEATURES = {"paper": FEATURE_NAMES, "bn": FEATURE_NAMES + BN_FEATURE_NAMES}  # each begins with the one before
LAYER_FEATURE = FEATURE_NAMES.index("layer")

_WEIGHTS_AT_ONCE = 1 << 22  # bounds the float64 copies: a Dense layer may hold 100 million weights


def filter_features(weights, layer_index: int, channels: int) -> np.ndarray:
    """The 14 features of each filter of one layer, in the order of `FEATURE_NAMES`.

    Over a filter's weights w, without its bias: input channels, layer index, Σw, Σ|w|, max, min,
    mean, median, (max + min) / 2, max - min, population standard deviation, first and third
    quartile, and "quartile deviation", which is Q3 - Q1 here, not half of it. Quantiles are
    interpolated linearly. Everything is computed in float64.

    Args:
        weights: The weights of each filter in a row, shape `(filters, taps * channels)`.
        layer_index: Position of the layer in its network, counted from 0.
        channels: The number of input channels of each filter.

    Returns:
        float64 array of shape `(filters, 14)`.

    Raises:
        ValueError: If `weights` is not 2-D, or empty.

    Example:
    >>> from firekeras.scores.detector.features import filter_features
    >>> features = filter_features([[1.0, -2.0, 3.0, 4.0]], layer_index=0, channels=1)
    >>> features[0].tolist()
    [1.0, 0.0, 6.0, 10.0, 4.0, -2.0, 1.5, 2.0, 1.0, 6.0, 2.29128784747792, 0.25, 3.25, 3.0]

    Source: FIREPruning (Fang et al. 2020), Table 1.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or not weights.size:
        raise ValueError(
            "Features are computed from one row of weights per filter: expected a non-empty array "
            f"of shape (filters, taps * channels). Received: shape {weights.shape}. For a kernel "
            "with filters on its last axis pass kernel.reshape(-1, filters).T."
        )
    rows = max(1, _WEIGHTS_AT_ONCE // weights.shape[1])
    parts = [_statistics(weights[i : i + rows]) for i in range(0, len(weights), rows)]
    place = np.tile([float(channels), float(layer_index)], (len(weights), 1))
    return np.hstack([place, np.vstack(parts)])


def bn_features(moments) -> np.ndarray:
    """The features of the BatchNormalization between each filter and its ReLU.

    They are mean and deviation behind it, FIRE in closed form, and 1; without one they are neutral: 0,
    1, 0.5, and 0.

    Args:
        moments: Mean and deviation of each filter behind its BatchNormalization, NaN without one,
            shape `(filters, 2)`.

    Returns:
        float64 array of shape `(filters, 4)`, in the order of `BN_FEATURE_NAMES`.

    Example:
    >>> from firekeras.scores.detector.features import bn_features
    >>> bn_features([[1.0, 0.5], [np.nan, np.nan]]).round(3).tolist()
    [[1.0, 0.5, 0.023, 1.0], [0.0, 1.0, 0.5, 0.0]]
    """
    moments = np.asarray(moments, "float64").reshape(-1, 2)
    known = ~np.isnan(moments).all(axis=1)
    mean, deviation = np.where(known[:, None], moments, [0.0, 1.0]).T
    return np.stack([mean, deviation, gaussian_fire(mean, deviation), known], axis=1)


def gaussian_fire(mean, deviation) -> np.ndarray:
    """FIRE of a filter whose pre-activation z is Gaussian, in closed form.

    Its ReLU is zero if z <= 0, and z = mean + deviation * n with n standard normal:
    FIRE = P(n <= -mean / deviation) = Phi(-mean / deviation). Behind a BatchNormalization the mean
    is beta, and the deviation |gamma| up to epsilon. An upper limit, as in ReLU6, adds no zeros.

    Args:
        mean: The mean of each filter's pre-activation, shape `(filters,)`.
        deviation: Its standard deviation, at least 0; with 0 the filter is constant.

    Returns:
        float64 array `(filters,)`, values in [0, 1].

    Example:
    >>> from firekeras.scores.detector.features import gaussian_fire
    >>> gaussian_fire([0.0, 1.0, -1.0], [2.0, 0.0, 0.0])
    array([0.5, 0. , 1. ])
    """
    from scipy.special import ndtr  # takes long to import, and reading a profile does not need it

    mean, deviation = np.asarray(mean, "float64"), np.asarray(deviation, "float64")
    constant = np.where(mean > 0, -np.inf, np.inf)
    return ndtr(np.divide(-mean, deviation, out=constant, where=deviation != 0))


def extract_features(model) -> dict[str, np.ndarray]:
    """The features of every filter of a model: the 14 of its weights, then those of its BatchNormalization.

    The latter is the last one that the filter's channel passes before its ReLU. Layers count from 0, in
    topological order.

    Args:
        model: A `keras.Model`.

    Returns:
        For each layer name (path for nested layers), float64 features of shape `(filters, 18)`, in
        the order of `FEATURES["bn"]`.

    Example:
    >>> from firekeras.scores.detector.features import extract_features
    >>> extract_features(model)["conv1"].shape
    (8, 18)

    Source: FIREPruning (Fang et al. 2020), Table 1 and section 3.3.1, for the first 14; those of the
    BatchNormalization are firekeras's own.
    """
    from firekeras.network import Network

    network = Network.of(model)
    moments = network.moments()
    return {
        name: np.hstack([_kernel_features(network.kernel(name), index), bn_features(moments[name])])
        for index, name in enumerate(network.graph.filter_layers)
    }


def _kernel_features(kernel, layer_index):
    return filter_features(kernel.reshape(-1, kernel.shape[-1]).T, layer_index, kernel.shape[-2])


def renumbered(features: Mapping[str, np.ndarray], known: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Features with the numbering of the network that a detector was trained on, which it keeps in all rounds.

    Args:
        features: As `extract_features` returns them.
        known: The index of each layer of that network; other layers get the next free index.

    Returns:
        A copy of the features.

    Example:
    >>> from firekeras.scores.detector.features import extract_features, renumbered
    >>> renumbered(extract_features(model), {"conv2": 0})["conv1"][0, :2].tolist()   # channels, layer
    [1.0, 1.0]
    """
    copies = {name: values.copy() for name, values in features.items()}
    for name, index in number_layers(features, known).items():
        copies[name][:, LAYER_FEATURE] = index
    return copies


def number_layers(names: Iterable[str], known: Mapping[str, int] | None = None) -> dict[str, int]:
    """The index of each layer: the known one, else the next after all that are taken.

    Args:
        names: Layer names, in topological order.
        known: Indices that are already fixed, by layer name.

    Returns:
        The index of each layer in `names`.

    Example:
    >>> from firekeras.scores.detector.features import number_layers
    >>> number_layers(["a", "new", "b"], known={"a": 0, "b": 1})
    {'a': 0, 'new': 2, 'b': 1}
    """
    indices = dict(known or {})
    names = list(names)
    for name in names:
        indices.setdefault(name, max(indices.values(), default=-1) + 1)
    return {name: indices[name] for name in names}


def _statistics(weights):
    w = weights.astype("float64")
    low, q1, median, q3, high = np.quantile(w, [0, 0.25, 0.5, 0.75, 1], axis=1)
    columns = [w.sum(1), np.abs(w).sum(1), high, low, w.mean(1), median]
    columns += [(high + low) / 2, high - low, w.std(1), q1, q3, q3 - q1]
    return np.stack(columns, axis=1)

"""Criteria that measure the outputs of filters."""

from __future__ import annotations

import numpy as np
from keras import ops

from firekeras.data.checks import checked_data, num_samples
from firekeras.network.observing import check_finite, moments, observed, pooled
from firekeras.scores.criteria.readers import Readers
from firekeras.scores.criteria.registry import criterion
from firekeras.scores.fire.measuring import measure_fire
from firekeras.scores.profile import FilterScores


@criterion("fire", needs="data")
def fire(model, data):
    """FIRE: how often a filter's ReLU is silent (FIREPruning, Fang et al. 2020, eq. 1-3)."""
    return measure_fire(model, data)


@criterion("apoz", needs="data")
def apoz(model, data):
    """The average percentage of zeros behind a filter's ReLU (Hu et al. 2016, "Network Trimming", eq. 1).

    It is the same number as FIRE, digit for digit.
    """
    profile = measure_fire(model, data)
    return FilterScores(profile, criterion="apoz", l1=profile.l1, reasons=profile.reasons)


@criterion("activation_mean", needs="data")
def small_activation_mean(model, data):
    """Minus the mean absolute output of a filter, E|z|, where it is read, behind activation and pooling.

    Behind a ReLU this is the mean activation of Molchanov et al. 2017, "Pruning Convolutional Neural
    Networks for Resource Efficient Inference", 2.2. If several layers read it, their mean.
    """
    readers = Readers(model)
    total, count = np.zeros((2, readers.graph.num_units))
    for path, (mean, _) in moments_read(model, readers, data, ops.abs).items():
        channels = np.zeros_like(total)
        share = np.zeros_like(total)
        readers[path].sum_over_units(channels, np.ones_like(mean))
        readers[path].sum_over_units(share, mean)
        total += share / np.maximum(channels, 1)
        count += channels > 0
    return readers.scores(-total / np.maximum(count, 1), "activation_mean")


def moments_read(model, readers, data, function=lambda x: x) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Measures the inputs of readers.

    Args:
        model: The model. It runs in inference mode, and is not changed.
        readers: Its `Readers`.
        data: Data as `model.fit` takes them; of arrays all whole batches of 128 are used, at least one.
        function: Applied to each value first. Defaults to no change.

    Returns:
        For each path, mean and variance of each channel over samples, positions and calls, `(channels,)`.
    """

    def watch(visit, x, run):
        if visit.path not in readers:
            return None
        return None, moments(function(ops.cast(x, "float32")), readers[visit.path].axis)

    rows_by_path = observed(model, data, watch, samples=num_samples(checked_data(model, data)))
    measured = {path: pooled(*rows) for path, rows in rows_by_path.items()}
    check_finite(measured)
    return measured

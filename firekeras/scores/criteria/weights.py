"""Criteria that only use weights."""

from __future__ import annotations

import numpy as np

from firekeras.channels.rules.mixing import array
from firekeras.network import Network
from firekeras.scores.criteria.registry import criterion
from firekeras.scores.criteria.units import scores_of_units


def l1_norm(kernel):
    """The l1 norm of each filter of a kernel `(..., filters)`, in float64."""
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)), dtype="float64")


@criterion("l1")
def small_l1(kernel, rng):
    """Minus the l1 norm of the filter's weights (Li et al. 2017, "Pruning Filters for Efficient ConvNets", 3.1)."""
    return -l1_norm(kernel)


@criterion("l2")
def small_l2(kernel, rng):
    """Minus the l2 norm of the filter's weights (Li et al. 2017, 3.1; He et al. 2018, "Soft Filter Pruning", 3.2)."""
    return -np.sqrt(np.square(kernel).sum(axis=tuple(range(kernel.ndim - 1)), dtype="float64"))


@criterion("fpgm")
def near_geometric_median(kernel, rng):
    """Minus the mean distance to the other filters of the layer: a filter near all of them can be replaced by them.

    He et al. 2019, "Filter Pruning via Geometric Median", 3.3, whose sum of distances ranks the filters
    of a layer in the same order; the mean makes layers of different widths comparable.
    """
    filters = kernel.reshape(-1, kernel.shape[-1]).T.astype("float64")
    squares = np.square(filters).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * filters @ filters.T, 0))
    return -distances.sum(axis=1) / max(1, len(filters) - 1)


@criterion("random")
def random(kernel, rng):
    """A random number: the control that every criterion has to beat."""
    return rng.uniform(size=kernel.shape[-1])


@criterion("bn_scale", needs="model")
def small_bn_scale(model):
    """Minus |gamma| of the BatchNormalization that a filter passes (Liu et al. 2017, "Network Slimming", 3).

    The mean if its channel, or those coupled with it, pass several. Meant for networks trained with an
    l1 penalty on gamma, as in the paper.
    """
    network = Network.of(model)
    total, count = np.zeros((2, network.graph.num_units))
    for layer in network.batch_norms.values():
        if layer.gamma is not None:
            units = network.units_along(layer.gamma, 0)
            known = units >= 0
            np.add.at(total, units[known], np.abs(array(layer.gamma).astype("float64"))[known])
            np.add.at(count, units[known], 1)
    values = np.divide(-total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return scores_of_units(network.graph, values, "bn_scale", "passes no BatchNormalization that has a scale")

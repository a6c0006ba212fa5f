"""The l1 norms of filters, with or without the weights that read removed channels (Li et al. 2017, 3.1-3.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from firekeras.channels.graph import FIXED_UNIT
from firekeras.methods.shortcuts import projections
from firekeras.network import Network


@dataclasses.dataclass(frozen=True)
class RankedLayer:
    """A convolution, and which of its filters are ranked against each other.

    Args:
        name: Its path.
        sums: The sum of the absolute weights with which each filter reads each input, `(inputs, filters)`.
        reads: The unit of each input, -1 if it comes from no filter, `(inputs,)`.
        makes: The unit of each filter, `(filters,)`.
        rankable: Which filters may go by their own norm, ascending.
    """

    name: str
    sums: np.ndarray
    reads: np.ndarray
    makes: np.ndarray
    rankable: np.ndarray

    def order(self, gone) -> np.ndarray:
        """The rankable filters in ascending order of their norms, ties by position.

        Args:
            gone: Removed units; weights that read them do not count.
        """
        norms = self.sums[~np.isin(self.reads, gone)].sum(axis=0)
        return self.rankable[np.argsort(norms[self.rankable], kind="stable")]


def independent_orders(layers: Iterable[RankedLayer]) -> dict[str, np.ndarray]:
    """The ranked filters of each layer, by all of their weights."""
    return {layer.name: layer.order(()) for layer in layers}


def greedy_orders(layers: Iterable[RankedLayer], counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The ranked filters of each layer, ignoring the weights that read channels that earlier layers lose.

    Args:
        layers: The layers in topological order.
        counts: How many filters each layer loses.
    """
    gone: list[int] = []
    orders = {}
    for layer in layers:
        orders[layer.name] = layer.order(gone)
        gone += layer.makes[orders[layer.name][: counts.get(layer.name, 0)]].tolist()
    return orders


def ranked_layers(network: Network, kernels: Mapping, shortcuts: bool) -> list[RankedLayer]:
    """The convolutions that have filters to rank, in topological order.

    Filters that go only together with those of other layers have no norm of their own and are left out;
    with `shortcuts`, a projection decides for everything that its output is added to (section 3.3, figure 4).

    Args:
        network: The network.
        kernels: The kernel of each of its convolutions, `(*taps, input channels, filters)`.
        shortcuts: Whether residual stages that begin with a projection are pruned.
    """
    deciding = projections(network, kernels) if shortcuts else []
    left = np.ones(network.graph.num_units, bool)
    left[list(network.graph.locks)] = False
    alone = left & (_filters_per_unit(network) == 1)
    layers = []
    for name, kernel in kernels.items():
        layers.append(_ranked(network, name, kernel, left if name in deciding else alone))
        left[layers[-1].makes[layers[-1].rankable]] = False  # of several projections of a stage the first decides
    return [layer for layer in layers if layer.rankable.size]


def convolution_kernels(network: Network) -> dict[str, np.ndarray]:
    """The kernel of each convolution that is not depthwise, `(*taps, input channels, filters)`."""
    names = [name for name in network.graph.filter_layers if network.graph.layers[name].is_conv]
    return {name: network.kernel(name) for name in names if not network.goes_with_its_input(name)}


def _filters_per_unit(network):
    """How many filters each unit holds, not counting those of depthwise convolutions, `(num_units,)`."""
    graph = network.graph
    own = [graph.filters(name) for name in graph.filter_layers if not network.goes_with_its_input(name)]
    return np.bincount(np.concatenate([*own, np.zeros(0, "int64")]), minlength=graph.num_units)


def _ranked(network, name, kernel, may_go):
    makes = network.graph.filters(name)
    once = np.bincount(makes, minlength=may_go.size) == 1
    return RankedLayer(
        name=name,
        sums=np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 2)), dtype="float64"),
        reads=_reads(network, name, kernel.shape[-2]),
        makes=makes,
        rankable=np.flatnonzero((once & may_go)[makes]),
    )


def _reads(network, name, inputs):
    """The unit of each input that a convolution's filters read; a grouped one's go with what they read."""
    reading = network.readings.get(name)
    return network.units_along(*reading.kernels[-1]) if reading else np.full(inputs, FIXED_UNIT)

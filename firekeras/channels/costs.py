"""What a network costs: MACs and parameters, by exact arithmetic."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.strict_json import Count

if TYPE_CHECKING:
    import keras

COSTS = {"conv_macs": "conv MACs", "macs": "MACs", "params": "parameters"}  # the costs of a network, with their titles


@dataclasses.dataclass(frozen=True)
class LayerCosts:
    """The costs of one layer: multiply-accumulates per sample, and parameters."""

    macs: Count
    params: Count


@dataclasses.dataclass(frozen=True)
class Costs:
    """The costs of a network, per sample.

    MACs are counted as the papers do (Li et al. 2017, section 3; FIREPruning, section 4.3, where
    they are called FLOPs): `Kh*Kw*Cin/groups*Cout*Hout*Wout` for a convolution, `Cin*Cout` for a
    dense layer; recurrent layers per step, attention with its scores and weighted sums, and products of
    tensors. Biases, normalization, activations and pooling are not counted. Sizes that the model leaves
    open count as 224.

    Args:
        conv_macs: MACs of the convolutions.
        macs: MACs of all layers, and of products of tensors (`keras.ops.matmul`, `einsum`, ...).
        params: All weights, including BatchNormalization's statistics, as `count_params()` counts them.
        by_layer: `LayerCosts` of each layer that has any.
        uncounted: The names of layers whose multiplications are unknown: their MACs are left out.
    """

    conv_macs: Count
    macs: Count
    params: Count
    by_layer: dict[str, LayerCosts] = dataclasses.field(repr=False)
    uncounted: tuple[str, ...] = ()

    @property
    def totals(self) -> dict[str, int]:
        """The costs of the whole network, by the names in `COSTS`."""
        return {name: getattr(self, name) for name in COSTS}

    @property
    def headline(self) -> str:
        """The cost to name if there is room for one: `"conv_macs"`, or `"macs"` if nothing is a convolution."""
        return "conv_macs" if self.conv_macs else "macs"

    @property
    def macs_title(self) -> str:
        """A title for the MACs in a table, including what they leave out."""
        return "MACs" + (f" without {named_or_counted(self.uncounted)}" if self.uncounted else "")


def named_or_counted(names: Sequence[str], kind: str = "layers") -> str:
    """A single name as it is; of several names their number."""
    return names[0] if len(names) == 1 else f"{len(names)} {kind}"


@typed
def count_costs(model_or_graph: keras.Model | ChannelGraph) -> Costs:
    """Counts the MACs per sample and the parameters of a network.

    Args:
        model_or_graph: A built Functional or Sequential model, or its `ChannelGraph`.

    Returns:
        `Costs`.

    Raises:
        ValueError: If the model is subclassed, not built, or holds something that surgery cannot preserve.

    Example:
    >>> costs = firekeras.count_costs(firekeras.zoo.digits_cnn())
    >>> costs.conv_macs, costs.params
    (1492992, 66218)
    """
    return costs_without(as_graph(model_or_graph))


def costs_without(graph: ChannelGraph, gone: np.ndarray | None = None) -> Costs:
    """The exact costs of a network without the units in the mask `gone`, `(num_units,)`."""
    kept = kept_lengths(graph, gone)
    by_layer, conv = {}, 0
    for layer in graph.layers.values():
        macs, params = _total(layer.macs, kept), _total(layer.weights, kept)
        conv += macs * layer.is_conv
        if macs or params:
            by_layer[layer.name] = LayerCosts(macs, params)
    macs, params = (sum(getattr(c, field) for c in by_layer.values()) for field in ("macs", "params"))
    uncounted = tuple(layer.name for layer in graph.layers.values() if layer.uncounted)
    return Costs(conv, macs, params, by_layer, uncounted)


def costs_of_units(graph: ChannelGraph, measure: str) -> np.ndarray:
    """How much of a cost the removal of each unit alone would save, `(num_units,)`.

    This is the cost of its filters and of everything that reads them. If a weight has the unit along two axes,
    their intersection is counted twice.

    Args:
        graph: The model's `ChannelGraph`.
        measure: `"conv_macs"`, `"macs"` or `"params"`.
    """
    lengths, saved = kept_lengths(graph), graph.padded(np.zeros(graph.num_units), 0)
    for product in _products(graph, measure):
        for place, axis in enumerate(product.axes):
            others = product.axes[:place] + product.axes[place + 1 :]
            np.add.at(saved, graph.axes[axis], product.factor * math.prod(lengths[other] for other in others))
    return saved[:-1]


def _products(graph, measure):
    """The products whose sum is a cost."""
    layers = [layer for layer in graph.layers.values() if layer.is_conv or measure != "conv_macs"]
    return [product for layer in layers for product in (layer.weights if measure == "params" else layer.macs)]


def kept_lengths(graph: ChannelGraph, gone: np.ndarray | None = None) -> list[int]:
    """How many channels stay along each of the graph's axes."""
    if gone is None:
        return [axis.size for axis in graph.axes]
    stays = graph.padded(~gone, True)
    return [int(np.count_nonzero(stays[axis])) for axis in graph.axes]


def _total(products, kept):
    return sum(p.factor * math.prod(kept[axis] for axis in p.axes) for p in products)


def as_graph(model_or_graph: keras.Model | ChannelGraph) -> ChannelGraph:
    """The channel graph of a model; a graph is returned unchanged."""
    if isinstance(model_or_graph, ChannelGraph):
        return model_or_graph
    from firekeras.channels import channel_graph

    return channel_graph(model_or_graph)

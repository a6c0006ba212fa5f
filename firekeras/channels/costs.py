"""What a network costs: MACs and parameters, by exact arithmetic."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from firekeras.channels.graph import ChannelGraph


@dataclasses.dataclass(frozen=True)
class LayerCosts:
    """The costs of one layer: multiply-accumulates per sample, and parameters."""

    macs: int
    params: int


@dataclasses.dataclass(frozen=True)
class Costs:
    """The costs of a network, per sample.

    MACs are counted as the papers do (Li et al. 2017, section 3; FIREPruning, section 4.3, where
    they are called FLOPs): `Kh*Kw*Cin/groups*Cout*Hout*Wout` for a convolution, `Cin*Cout` for a
    dense layer; recurrent layers by step, attention with its scores and its sums of values, and products of
    tensors. Biases, normalisation, activations and pooling are not counted, nor are sizes that the model
    leaves open known: they count as 224.

    Args:
        conv_macs: MACs of the convolutions.
        macs: MACs of all layers, and of products of tensors (`keras.ops.matmul`, `einsum`, ...).
        params: All weights, those of BatchNormalization's statistics included, as `count_params()`.
        by_layer: `LayerCosts` of each layer that has any.
        uncounted: The names of layers that multiply in a way that nobody knows: their MACs are left out.
    """

    conv_macs: int
    macs: int
    params: int
    by_layer: dict[str, LayerCosts] = dataclasses.field(repr=False)
    uncounted: tuple[str, ...] = ()

    @property
    def macs_title(self) -> str:
        """What to call the MACs in a table: with what they leave out."""
        return "MACs" + (f" without {named_or_counted(self.uncounted)}" if self.uncounted else "")


def named_or_counted(names, kind="layers") -> str:
    """A single name, or how many there are."""
    return names[0] if len(names) == 1 else f"{len(names)} {kind}"


def count_costs(model_or_graph) -> Costs:
    """Counts MACs and parameters.

    Args:
        model_or_graph: A built Functional or Sequential model, or its `ChannelGraph`.

    Returns:
        `Costs`.

    Example:
    >>> costs = firekeras.count_costs(firekeras.zoo.digits_cnn())
    >>> costs.conv_macs, costs.params
    (1492992, 66218)
    """
    return costs_without(as_graph(model_or_graph))


def costs_without(graph: ChannelGraph, gone=None) -> Costs:
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
    """How much of a cost goes with each unit where it goes alone, `(num_units,)`.

    That of its filters and of all that reads them; where a weight has the unit along two axes, what both
    have in common is counted twice.

    Args:
        graph: The model's `ChannelGraph`.
        measure: `"conv_macs"`, `"macs"` or `"params"`.
    """
    lengths, saved = kept_lengths(graph), np.zeros(graph.num_units + 1)  # the last is for channels of no filter
    for product in _products(graph, measure):
        for place, axis in enumerate(product.axes):
            others = product.axes[:place] + product.axes[place + 1 :]
            np.add.at(saved, graph.axes[axis], product.factor * math.prod(lengths[other] for other in others))
    return saved[:-1]


def _products(graph, measure):
    """The sizes that add up to a cost."""
    layers = [layer for layer in graph.layers.values() if layer.is_conv or measure != "conv_macs"]
    return [product for layer in layers for product in (layer.weights if measure == "params" else layer.macs)]


def kept_lengths(graph, gone=None) -> list[int]:
    """For each of the graph's axes, how many of its channels stay."""
    if gone is None:
        return [axis.size for axis in graph.axes]
    stays = np.append(~gone, True)  # the last entry serves unit -1: it comes from no filter, and stays
    return [int(np.count_nonzero(stays[axis])) for axis in graph.axes]


def _total(products, kept):
    return sum(p.factor * math.prod(kept[axis] for axis in p.axes) for p in products)


def as_graph(model_or_graph) -> ChannelGraph:
    """The channel graph of a model; a graph as it is."""
    if isinstance(model_or_graph, ChannelGraph):
        return model_or_graph
    from firekeras.channels import channel_graph

    return channel_graph(model_or_graph)

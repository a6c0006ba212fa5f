"""What a network costs: MACs, parameters, RAM and file size, by exact arithmetic; latency, by a table. `COSTS` names
each of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.channels.lite import arena, file_size
from firekeras.channels.program import Product, Term
from firekeras.strict_json import Count, Meta

if TYPE_CHECKING:
    import keras


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
        ram: The RAM in bytes that its tensors take in LiteRT for Microcontrollers, in int8 throughout, inputs and
            outputs included: the head of the arena. Its tail, some hundred bytes for each layer, depends on the
            device and is not in it. A file exported with `int8=True` alone may need more: its inputs and outputs are
            float32; that of `int8_inputs=True` is meant. None if the graph comes from a file of an earlier release.
        flash: The size of its `.tflite` file in bytes, in int8 throughout.
        ram_layer: The layer that runs when `ram` is needed: pruning elsewhere does not lower it.
        ram_float32: As `ram`, in float32.
        flash_float16, flash_float32: As `flash`, with weights in float16, and in float32.
        estimated: The names of layers of which it is unknown what the exported file does: RAM and file size take
            each as one step.
        latency: The seconds of a pass on the device of a `LatencyTable`, as that predicts them. None without one.
    """

    conv_macs: Count
    macs: Count
    params: Count
    by_layer: dict[str, LayerCosts] = dataclasses.field(repr=False)
    uncounted: tuple[str, ...] = ()
    ram: Count | None = None
    flash: Count | None = None
    ram_layer: str = ""
    ram_float32: Count | None = None
    flash_float16: Count | None = None
    flash_float32: Count | None = None
    estimated: tuple[str, ...] = ()
    latency: Annotated[float, Meta(ge=0)] | None = None

    @property
    def totals(self) -> dict[str, int]:
        """The costs of the whole network that reports show, by their names in `COSTS`, as far as they are known."""
        return {name: getattr(self, name) for name in SHOWN if getattr(self, name) is not None}

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
    by_layer = {}
    for layer in graph.layers.values():
        macs, params = _total(layer.macs, kept), _total(layer.weights, kept)
        if macs or params:
            by_layer[layer.name] = LayerCosts(macs, params)
    program = graph.program
    peak = arena.peak(program, kept) if program else None
    counted = {name: cost.count(graph, kept) for name, cost in COSTS.items() if name != "ram"}
    counted["ram"] = peak and peak.planned  # not laid out twice
    uncounted = tuple(layer.name for layer in graph.layers.values() if layer.uncounted)
    at = peak.layer if peak else ""
    estimated = program.unknown if program else ()
    return Costs(**counted, by_layer=by_layer, uncounted=uncounted, ram_layer=at, estimated=estimated)


def cost_without(graph: ChannelGraph, measure: str, gone: np.ndarray | None = None) -> Any:
    """One cost of a network without the units in the mask `gone`, `(num_units,)`.

    Raises:
        ValueError: If it is unknown for this graph, which comes from a file of an earlier release, or has no times.
    """
    amount = COSTS[measure].count(graph, kept_lengths(graph, gone))
    if amount is None:
        raise ValueError(f"The {COSTS[measure].title} of this network is unknown: {COSTS[measure].unknown}")
    return amount


def costs_of_units(graph: ChannelGraph, measure: str, gone: np.ndarray | None = None) -> np.ndarray:
    """How much of a cost the removal of each unit alone would save, `(num_units,)`.

    This is the cost of its filters and of everything that reads them. If a weight has the unit along two axes,
    their intersection is counted twice. RAM is that of the buffers that lie upon each other at its peak.

    Args:
        graph: The model's `ChannelGraph`.
        measure: A name in `COSTS`.
        gone: A mask over units that are already gone, `(num_units,)`. Defaults to none.
    """
    lengths = kept_lengths(graph, gone)
    return saved_by_units(graph, COSTS[measure].products(graph, lengths), lengths)


def saved_by_units(graph: ChannelGraph, products: Iterable[Product | Term], lengths: Sequence[int]) -> np.ndarray:
    """How much of a sum of products the removal of each unit alone would save, `(num_units,)`.

    Args:
        graph: The model's `ChannelGraph`.
        products: The products.
        lengths: How many channels stay along each of the graph's axes.
    """
    saved = graph.padded(np.zeros(graph.num_units), 0)
    for product in products:
        for place, axis in enumerate(product.axes):
            others = product.axes[:place] + product.axes[place + 1 :]
            np.add.at(saved, graph.axes[axis], product.factor * math.prod(lengths[other] for other in others))
    return saved[:-1]


def kept_lengths(graph: ChannelGraph, gone: np.ndarray | None = None) -> list[int]:
    """How many channels stay along each of the graph's axes."""
    if gone is None:
        return [axis.size for axis in graph.axes]
    stays = graph.padded(~gone, True)
    return [int(np.count_nonzero(stays[axis])) for axis in graph.axes]


def _total(products, kept):
    return sum(product.of(kept) for product in products)


def as_graph(model_or_graph: keras.Model | ChannelGraph) -> ChannelGraph:
    """The channel graph of a model; a graph is returned unchanged."""
    if isinstance(model_or_graph, ChannelGraph):
        return model_or_graph
    from firekeras.channels import channel_graph

    return channel_graph(model_or_graph)


# The costs


@dataclasses.dataclass(frozen=True)
class Cost:
    """A cost that networks are pruned for. What is in `COSTS` is a target, and if it is shown a column, everywhere.

    Args:
        title: Its name for people, as in "76% of the conv MACs left".
        count: A function of a graph and of the kept length of each of its axes that gives the amount; None if unknown.
        products: A function of the same that gives the products whose sum is the cost, or the part of it that pruning
            can lower.
        layer: A function of the same that names the layer that is in the way of less.
        at: What is said of that layer, `"{} has the largest part of it"`.
        unit: Its unit, such as `"B"`. Defaults to none.
        shown: Whether reports list it. Defaults to True.
        unknown: Why the amount may be unknown, and what to do: completes "The cost is unknown: ".
    """

    title: str
    count: Callable[[ChannelGraph, Sequence[int]], float | None]
    products: Callable[[ChannelGraph, Sequence[int]], Iterable[Product | Term]]
    layer: Callable[[ChannelGraph, Sequence[int]], str]
    at: str = "{} has the largest part of it"
    unit: str = ""
    shown: bool = True
    unknown: str = "its channel graph was written by an earlier release. Measure the model again."


def _per_layer(title, products_of):
    """A cost that is a sum over layers."""

    def products(graph, kept):
        return [product for layer in graph.layers.values() for product in products_of(layer)]

    def largest(graph, kept):
        return max(graph.layers.values(), key=lambda layer: _total(products_of(layer), kept)).name

    return Cost(title, lambda graph, kept: _total(products(graph, kept), kept), products, largest)


def _of_ram(form, width, **settings):
    """The RAM of tensors whose numbers have so many bytes."""

    def count(graph, kept):
        return arena.planned(graph.program, kept, width) if graph.program else None

    def products(graph, kept):
        return arena.peak(graph.program, kept, width).stack if graph.program else ()

    def layer(graph, kept):
        return arena.peak(graph.program, kept, width).layer if graph.program else ""

    return Cost(f"{form} RAM", count, products, layer, "the peak stands at {}", unit="B", **settings)


def _of_flash(form, **settings):
    """The size of the exported file, in a form."""

    def count(graph, kept):
        return file_size.file_size(graph.program, kept, form) if graph.program else None

    def products(graph, kept):
        return file_size.products(graph.program, form) if graph.program else ()

    def layer(graph, kept):
        return file_size.largest_layer(graph.program, kept, form) if graph.program else ""

    return Cost(f"{form} flash", count, products, layer, unit="B", **settings)


def _of_latency():
    """The time of a pass by a latency table."""

    def count(graph, kept):
        return sum(_total(terms, kept) for terms in graph.times.values()) if graph.times else None

    def products(graph, kept):
        return [term for terms in graph.times.values() for term in terms]

    def slowest(graph, kept):
        by_layer = {name: _total(terms, kept) for name, terms in graph.times.items() if name}
        return max(by_layer, key=by_layer.__getitem__, default="")

    return Cost("latency", count, products, slowest, "{} takes most of it", "s", shown=False, unknown=UNTIMED)


UNTIMED = (
    "no table says how long its layers take. Measure one on the device, latency=firekeras.latency_table(model), or "
    "load it, latency=firekeras.LatencyTable.load(path)."
)
COSTS = {
    "conv_macs": _per_layer("conv MACs", lambda layer: layer.macs * layer.is_conv),
    "macs": _per_layer("MACs", lambda layer: layer.macs),
    "params": _per_layer("parameters", lambda layer: layer.weights),
    "ram": _of_ram("int8", arena.INT8),
    "flash": _of_flash("int8"),
    "ram_float32": _of_ram("float32", arena.FLOAT32, shown=False),
    "flash_float16": _of_flash("float16", shown=False),
    "flash_float32": _of_flash("float32", shown=False),
    "latency": _of_latency(),
}
SHOWN = {name: cost.title for name, cost in COSTS.items() if cost.shown}  # what reports list, with titles


def in_the_way(graph: ChannelGraph, measure: str, gone: np.ndarray) -> str:
    """Which layer is in the way of less of a cost, without the units in a mask, as a sentence without its stop."""
    cost = COSTS[measure]
    return cost.at.format(cost.layer(graph, kept_lengths(graph, gone)))


def estimated_note(graph: ChannelGraph, measures: Iterable[str]) -> list[str]:
    """A note if a network has layers of which it is unknown what the exported file does, and it matters."""
    exported = not {"conv_macs", "macs", "params", "latency"}.issuperset(measures)
    names = graph.program.unknown if graph.program and exported else ()
    if not names:
        return []
    return [
        f"RAM and file size are estimates: it is unknown what the exported file does for {named_or_counted(names)}, "
        "and each counts as one step."
    ]

"""Whether a channel graph agrees with itself: a file may say anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firekeras.strict_json import LARGEST

if TYPE_CHECKING:
    from firekeras.channels.graph import ChannelGraph


def check_consistent(graph: ChannelGraph, names: Sequence[str]) -> None:
    """Raises `ValueError` if a graph contradicts itself; says where.

    Units are numbered from 0, and each is that of some filter: a single number of 10^8 would take gigabytes.

    Args:
        graph: The graph.
        names: The names of its layers, as the file lists them.
    """
    if len(set(names)) < len(names):
        raise ValueError("two of its layers have the same name")
    for layer in graph.layers.values():
        _check_layer(layer, len(graph.axes))
    for part in graph.parts:
        _check_index(f"its part {part.name!r}", [part.axis], len(graph.axes))
    if graph.program is not None:
        _check_program(graph.program, len(graph.axes))
    _check_units(graph)
    _check_costs(graph)


def _check_layer(layer, axes):
    what = f"its layer {layer.name!r}"
    _check_index(what, [] if layer.filters is None else [layer.filters], axes)
    for product in (*layer.weights, *layer.macs):
        _check_index(what, product.axes, axes)
    if layer.kernel is not None:
        _check_index(what, [layer.kernel.weight], len(layer.weights), "weight")
        _check_index(what, [-1 - axis for axis in layer.kernel.axes], 8, "axis of a weight, from its end,")
        if len(set(layer.kernel.axes)) < len(layer.kernel.axes):
            raise ValueError(f"{what} names an axis of its kernel twice")


def _check_program(program, axes):
    for product in program.products():
        _check_index("its program", product.axes, axes)
    places = [*program.inputs, *program.outputs, *(k for step in program.steps for k in (*step.reads, *step.makes))]
    _check_index("its program", places, len(program.tensors), "tensor")


def _check_index(what, indices, count, kind="axis"):
    for index in indices:
        if not 0 <= index < count:
            raise ValueError(f"{what} names the {kind} {index} of {count}")


def _check_units(graph):
    axes = [graph.axes[layer.filters] for layer in graph.layers.values() if layer.filters is not None]
    known = np.unique(np.concatenate([*axes, np.zeros(0, "int64")]))
    if any(not axis.size for axis in axes):
        raise ValueError("a layer of it has filters, but none is listed")
    if not np.array_equal(known, np.arange(known.size)):
        raise ValueError("its units are not numbered from 0 without gaps")
    if any(axis.size and (axis.min() < -1 or axis.max() >= known.size) for axis in graph.axes):
        raise ValueError(f"it names units other than the {known.size} of its filters")
    strangers = [unit for unit in graph.locks if not 0 <= unit < known.size]
    if strangers:
        raise ValueError(f"it locks a unit {strangers[0]}, and has {known.size}")


def _check_costs(graph):
    products = [product for layer in graph.layers.values() for product in (*layer.weights, *layer.macs)]
    products += graph.program.products() if graph.program is not None else ()
    if sum(one.factor * math.prod(graph.axes[axis].size for axis in one.axes) for one in products) > LARGEST:
        raise ValueError("its costs are larger than those of any network")

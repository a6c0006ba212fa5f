"""Folds the mean outputs of removed channels into the biases of the layers that read them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from firekeras.arguments import typed
from firekeras.channels.check import check_model
from firekeras.channels.walk import functional_graph, leaf_layers, visits
from firekeras.keras_models.devices import scope_of
from firekeras.keras_models.rebuilding import bare_config
from firekeras.network import Network
from firekeras.network.observing import check_finite, moments, observed, pooled
from firekeras.plan.planning import PruningPlan
from firekeras.plan.pruning import checked_units


@typed
def fold_means(
    model: keras.Model,
    smaller: keras.Model,
    plan: PruningPlan,
    data: Any,
    batch_size: int | None = None,
    *,
    samples: int = 1000,
) -> list[str]:
    """Adds the mean contributions of removed channels to the biases of the layers that read them.

    A removed channel is seldom zero where it is read: behind a BatchNormalization even a filter that
    never fires is a constant. The contribution of its mean to each output of the reader is measured in
    the model before the cut, over samples and positions, and added to the reader's bias; if it has none,
    it is subtracted from the moving mean of the BatchNormalization that directly follows it (bias
    propagation: Evci et al., "Mean Replacement Pruning"). Depthwise convolutions read only their own
    channel, and need no correction.

    Each reader's outputs then keep their mean, if the remaining channels are unchanged. If all removed
    channels are constant, the smaller model computes exactly what the larger one does behind dense layers
    and convolutions with `padding="valid"`, where all positions receive the same from a constant. With
    `padding="same"` that holds except at the border; for a transposed convolution with strides only on
    average. A reader followed by a BatchNormalization gains nothing beyond `reestimate_batch_norm`.

    Args:
        model: The model before the cut. It is not changed.
        smaller: `firekeras.prune(model, plan)`. Changed in place: biases, and moving means.
        plan: The `PruningPlan`.
        data: Data as `model.fit` takes them. Labels are ignored.
        batch_size: Batch size for arrays. Defaults to 128.
        samples: The number of samples to use: of arrays a random choice, in whole batches; of data in
            batches the first ones. Defaults to 1000.

    Returns:
        Notes on which layers could not be corrected, and why.

    Raises:
        ValueError: If `smaller` is not `model` cut by `plan`, or the data do not fit the model.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> notes = firekeras.fold_means(model, smaller, plan, x_train)
    """
    network = Network.of(model)
    gone = checked_units(network.graph, plan)
    check_model(smaller)
    _check_cut(network, gone, smaller)
    homes, notes = _homes(network, gone)
    with scope_of(model):
        parts = {path: RemovedPart(network, gone, path) for path in homes}
    leaves = dict(leaf_layers(smaller))
    for path, shift in _shifts(model, parts, data, batch_size, samples).items():
        home = homes[path]
        variable = getattr(leaves[home.path], home.weight)
        variable.assign(ops.convert_to_numpy(variable).astype("float64") + home.sign * shift)
    return notes


def _shifts(model, parts, data, batch_size, samples) -> dict[str, np.ndarray]:
    """How much the outputs of each layer lose with the removed channels, `(remaining filters,)`."""

    def watch(visit, x, run):
        return (None, parts[visit.path].rows(x)) if visit.path in parts else None

    if not parts:
        return {}
    helpers = [part.layer for part in parts.values()]
    observations = observed(model, data, watch, helpers, batch_size=batch_size, samples=samples)
    shifts = {path: pooled(*rows)[0][parts[path].kept] for path, rows in observations.items()}
    check_finite(shifts)
    return shifts


def _check_cut(network, gone, smaller):
    expected = {path: [_cut_shape(network, gone, v) for v in layer.variables] for path, layer in network.leaves.items()}
    received = {path: [tuple(v.shape) for v in layer.variables] for path, layer in leaf_layers(smaller)}
    wrong = next((path for path in expected if expected[path] != received.get(path)), None)
    if wrong is not None:
        raise ValueError(
            f"Expected the model that the plan leaves, in which the weights of layer {wrong!r} have shapes "
            f"{expected[wrong]}. Received {smaller.name!r}, with {received.get(wrong)}. Pass the result of prune."
        )


def _cut_shape(network, gone, variable):
    axes = network.weights.get(id(variable), (None,) * len(variable.shape))
    sizes = zip(axes, variable.shape, strict=True)
    return tuple(size if labels is None else network.keep(gone, labels).size for labels, size in sizes)


# Who misses what is removed, and what makes up for it


class Home(NamedTuple):
    """The weight that a shift is added to, and its sign."""

    path: str
    weight: str
    sign: int


def _homes(network, gone) -> tuple[dict[str, Home], list[str]]:
    """The home of the shift of each layer that reads removed channels, and notes on layers without one."""
    norms = _own_norms(network)
    homes, notes = {}, []
    for path, layer in network.leaves.items():
        reading = network.readings.get(path)
        if reading and any(_lost(network, gone, *kernel).size for kernel in (*reading.kernels, *reading.back)):
            home = _home(path, reading, norms)
            if isinstance(home, Home):
                homes[path] = home
            else:
                notes.append(f"The mean of what {path} ({type(layer).__name__}) no longer reads is lost: it {home}.")
    return homes, notes


def _home(path, reading, norms) -> Home | str:
    """The home of a layer's shift; or the reason why it has none."""
    layer = reading.layer
    if not reading.linear:
        return "is neither a convolution nor a dense layer"
    if layer.use_bias:
        return Home(path, "bias", 1)
    if layer.activation is not keras.activations.linear or path not in norms:
        return "has no bias, and no BatchNormalization of its own right behind it"
    return Home(norms[path], "moving_mean", -1)


def _lost(network, gone, variable, axis):
    """The removed positions along an axis of a weight, ascending."""
    return np.flatnonzero(network.graph.padded(gone, False)[network.units_along(variable, axis)])


def _own_norms(network) -> dict[str, str]:
    """The BatchNormalization of each layer whose outputs go only there, if it reads nothing else."""
    made, read, readers = _wiring(network.model)
    found = {}
    for path, tensors in made.items():
        names = set().union(*(readers[tensor] for tensor in tensors))
        norm = names.pop() if len(names) == 1 else None
        if norm and read[norm] == tensors and _follows(network.readings.get(path), network.batch_norms.get(norm)):
            found[path] = norm
    return found


def _wiring(model):
    """The tensors that each path makes and reads, by id; the readers of each tensor, "" for the outside."""
    made: dict[str, set] = defaultdict(set)
    read: dict[str, set] = defaultdict(set)
    calls = list(visits(model))
    for visit in calls:
        made[visit.path].update(map(id, visit.node.outputs))
        read[visit.path].update(map(id, visit.node.input_tensors))
    graphs = filter(None, map(functional_graph, [model, *(visit.operation for visit in calls)]))
    readers: dict[int, set] = defaultdict(set)
    for path, tensors in [*read.items(), *(("", map(id, graph.outputs)) for graph in graphs)]:
        for tensor in tensors:
            readers[tensor].add(path)
    return made, read, readers


def _follows(reading, norm):
    """Whether `norm` normalizes the output channels of a layer."""
    if norm is None or reading is None or not reading.linear:
        return False
    return (norm.axis - reading.axis) % norm.input_spec.ndim == 0


# What is missed


class RemovedPart:
    """A layer's response to the removed channels: the layer on them alone, without bias and activation.

    Args:
        network: The `Network`.
        gone: A mask over units.
        path: That of the layer, whose `Reading` is linear.

    Attributes:
        layer: That part of the layer, with all its filters.
        kept: The indices of the filters that stay.
    """

    def __init__(self, network, gone, path):
        reading = network.readings[path]
        weights = reading.kernels
        lost = [_lost(network, gone, *weight) for weight in weights]
        self.axis, self.channels = reading.axis, lost[0]
        self.layer = _linear(reading.layer)
        self.layer.build(self._input_shape(weights[0][0]))
        values = [np.take(ops.convert_to_numpy(w), k, axis) for (w, axis), k in zip(weights, lost, strict=True)]
        self.layer.set_weights(values)
        self.kept = np.flatnonzero(~gone[network.graph.filters(path)])

    def _input_shape(self, kernel):
        shape = [None] * len(kernel.shape)
        shape[self.axis] = self.channels.size
        return tuple(shape)

    def rows(self, x):
        """The moments of the contribution of removed channels of `x` to the layer's outputs."""
        return moments(self.layer(ops.take(x, self.channels, axis=self.axis)), self.axis)


def _linear(layer):
    settings = {"use_bias": False, "dtype": "float32", "trainable": False}
    return type(layer).from_config(bare_config(layer) | settings)

"""What removed channels gave on average is folded into the biases of the layers that read them."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from firekeras.channels.walk import functional_graph, leaf_layers, visits
from firekeras.keras_models.devices import scope_of
from firekeras.keras_models.rebuilding import bare_config
from firekeras.network import Network
from firekeras.network.observing import check_finite, moments, observed, pooled
from firekeras.plan.pruning import checked_units


def fold_means(model, smaller, plan, data, batch_size=None, *, samples=1000) -> list[str]:
    """Adds what removed channels gave on average to the biases of the layers that read them.

    A removed channel is seldom zero where it is read: behind a BatchNormalization even a filter that
    never fires is a constant. What its mean adds to each output through the reader's weights is
    measured in the model before the cut, over samples and positions, and added to the reader's bias;
    where it has none, taken from the moving mean of the BatchNormalization that directly follows it
    (bias propagation: Evci et al., "Mean Replacement Pruning"). Depthwise convolutions read nothing
    but their own channel, and miss nothing.

    Each reader's outputs then keep the mean that they had, as far as the channels that are left are
    what they were. Where all that goes is constant, the smaller model computes just what the larger one
    does, if each position gets the same of a constant: behind dense layers and convolutions with
    `padding="valid"`. With `padding="same"` that holds but for the border, where the constant ends; of
    a transposed convolution with strides, on average only. A reader that is followed by a
    BatchNormalization gains nothing that `reestimate_batch_norm` would not give it.

    Args:
        model: The model before the cut. It is not changed.
        smaller: `firekeras.prune(model, plan)`. Changed in place: biases, and moving means.
        plan: The `PruningPlan`.
        data: What `model.fit` takes. Labels are not looked at.
        batch_size: For arrays. Defaults to 128.
        samples: How many samples to look at: of arrays so many at random, in whole batches; of data in
            batches the first ones. Defaults to 1000.

    Returns:
        Notes: which layers could not take it, and why.

    Raises:
        ValueError: If `smaller` is not `model` cut by `plan`, or the data do not fit the model.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> notes = firekeras.fold_means(model, smaller, plan, x_train)
    """
    network = Network.of(model)
    gone = checked_units(network.graph, plan)
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
    """By how much the outputs of each layer with a part miss what was removed, `(filters left,)`."""

    def watch(visit, x, run):
        return (None, parts[visit.path].rows(x)) if visit.path in parts else None

    if not parts:
        return {}
    helpers = [part.layer for part in parts.values()]
    found = observed(model, data, watch, helpers, batch_size=batch_size, samples=samples)
    shifts = {path: pooled(*rows)[0][parts[path].kept] for path, rows in found.items()}
    check_finite(shifts)
    return shifts


def _check_cut(network, gone, smaller):
    expected = {path: [_cut_shape(network, gone, v) for v in layer.variables] for path, layer in network.leaves.items()}
    found = {path: [tuple(v.shape) for v in layer.variables] for path, layer in leaf_layers(smaller)}
    wrong = next((path for path in expected if expected[path] != found.get(path)), None)
    if wrong is not None:
        raise ValueError(
            f"Expected the model that the plan leaves, where the weights of layer {wrong!r} have shapes "
            f"{expected[wrong]}. Received {smaller.name!r}, where they have {found.get(wrong)}. Pass what prune gave."
        )


def _cut_shape(network, gone, variable):
    axes = network.weights.get(id(variable), (None,) * len(variable.shape))
    sizes = zip(axes, variable.shape, strict=True)
    return tuple(size if labels is None else network.keep(gone, labels).size for labels, size in sizes)


# Who misses what is removed, and what makes up for it


class Home(NamedTuple):
    """The weight that takes up a shift, and with which sign."""

    path: str
    weight: str
    sign: int


def _homes(network, gone) -> tuple[dict[str, Home], list[str]]:
    """Where the shift of each layer that reads removed channels is taken up; and notes on those where it is not."""
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
    """Where a layer's shift is taken up; or why nowhere, in words."""
    layer = reading.layer
    if not reading.linear:
        return "is neither a convolution nor a dense layer"
    if layer.use_bias:
        return Home(path, "bias", 1)
    if layer.activation is not keras.activations.linear or path not in norms:
        return "has no bias, and no BatchNormalization of its own right behind it"
    return Home(norms[path], "moving_mean", -1)


def _lost(network, gone, variable, axis):
    """Which positions go along an axis of a weight."""
    labels = network.weights.get(id(variable), {axis: None})[axis]
    return np.zeros(0, "int64") if labels is None else np.setdiff1d(np.arange(labels.size), network.keep(gone, labels))


def _own_norms(network) -> dict[str, str]:
    """For each layer whose outputs all go to one BatchNormalization, and nowhere else, which reads nothing else."""
    made, read, readers = _wiring(network.model)
    found = {}
    for path, tensors in made.items():
        names = set().union(*(readers[tensor] for tensor in tensors))
        norm = names.pop() if len(names) == 1 else None
        if norm and read[norm] == tensors and _follows(network.readings.get(path), network.batch_norms.get(norm)):
            found[path] = norm
    return found


def _wiring(model):
    """For each path the tensors that it makes and reads, by id; for each tensor who reads it, "" for the outside."""
    made: dict[str, set] = defaultdict(set)
    read: dict[str, set] = defaultdict(set)
    for visit in visits(model):
        made[visit.path].update(map(id, visit.node.outputs))
        read[visit.path].update(map(id, visit.node.input_tensors))
    graphs = filter(None, map(functional_graph, [model, *(visit.operation for visit in visits(model))]))
    readers: dict[int, set] = defaultdict(set)
    for path, tensors in [*read.items(), *(("", map(id, graph.outputs)) for graph in graphs)]:
        for tensor in tensors:
            readers[tensor].add(path)
    return made, read, readers


def _follows(reading, norm):
    """Whether `norm` normalises the channels that a layer makes of those that it reads."""
    if norm is None or reading is None or not reading.linear:
        return False
    return (norm.axis - reading.axis) % norm.input_spec.ndim == 0


# What is missed


class RemovedPart:
    """What a layer makes of the channels that go: itself, without bias and activation, on them alone.

    Args:
        network: The `Network`.
        gone: A mask over units.
        path: That of the layer, whose `Reading` is linear.

    Attributes:
        layer: That part of the layer, with all its filters.
        kept: Which of these stay.
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
        """The moments of what the removed channels of `x` add to the layer's outputs."""
        return moments(self.layer(ops.take(x, self.channels, axis=self.axis)), self.axis)


def _linear(layer):
    settings = {"use_bias": False, "dtype": "float32", "trainable": False}
    return type(layer).from_config(bare_config(layer) | settings)

"""Runs a model on labels instead of numbers, and so finds out what depends on which filters."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict

import keras
import numpy as np

from firekeras.channels.graph import FIXED_UNIT, ChannelGraph, LayerInfo, Product
from firekeras.channels.labels import FIXED, Channels, LabelSpace
from firekeras.channels.probe import probed
from firekeras.channels.registry import find_rule
from firekeras.channels.walk import functional_graph, leaf_layers, walk

NOMINAL_SIZE = 224  # stands in for sizes that the model leaves open; only its MACs depend on it


@dataclasses.dataclass(frozen=True)
class Count:
    """In a layer's settings: the number of these channels that are kept."""

    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Kept:
    """In a call's arguments: a constant array, without what these labels along `axis` lose."""

    array: np.ndarray
    axis: int
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Inner:
    """In a wrapper's settings: the layer that it wraps, built again."""

    layer: keras.Layer


@dataclasses.dataclass
class Relu:
    """A ReLU and the filters of which it is the first: `labels` runs along `axis` of its output."""

    key: tuple
    axis: int
    labels: np.ndarray


@dataclasses.dataclass
class Trace:
    """All that running a model on labels tells.

    Args:
        graph: The channel graph.
        classes: For each label its class.
        unit_of: For each class its unit; `-1` where no filter is in it.
        weights: For each variable (by id), the labels along each of its axes, None where fixed.
        settings: For each layer or operation (by id), the settings that depend on channels.
        arguments: For each call (by id of its node), the arguments that do, by position.
        inputs: For each input of a nested model (by its id, and number): axis and labels of its channels.
        relus: The ReLUs that some filter passes first.
        kernels: For each layer with filters, a function that gives their weights.
        births: For each label that a filter was born with: (layer name, filter).
        unscored: For layers whose filters meet no ReLU of their own, what they meet.
    """

    graph: ChannelGraph
    classes: np.ndarray
    unit_of: np.ndarray
    weights: dict
    settings: dict
    arguments: dict
    inputs: dict
    relus: list
    kernels: dict
    births: dict
    unscored: dict

    def keep(self, gone, labels):
        """Which positions of `labels` stay, ascending, where the units in mask `gone` go."""
        units = self.unit_of[self.classes[labels]]
        return np.flatnonzero((units == FIXED_UNIT) | ~np.append(gone, False)[units])


class Tracer:
    """The state of one run on labels; rules talk to it through their `Call`."""

    def __init__(self):
        self.space = LabelSpace()
        self.weights: dict[int, tuple] = {}
        self.settings: dict[int, dict] = defaultdict(dict)
        self.arguments: dict[int, dict] = defaultdict(dict)
        self.inputs: dict[tuple, tuple] = {}
        self.macs: dict[str, list] = defaultdict(list)
        self.convs: set[str] = set()
        self.shapes: dict[str, tuple] = {}
        self.kinds: dict[str, str] = {}
        self.filters: dict[str, np.ndarray] = {}
        self.kernels: dict[str, object] = {}
        self.births: dict[int, tuple[str, int]] = {}
        self.relus: list[Relu] = []
        self.bound: set[int] = set()
        self.unscored: dict[str, str] = {}
        self.notes: list[str] = []

    def run(self, model, inputs, prefix=(), path=""):
        """Runs a functional model, and those nested in it, on `Channels`."""

        def call(node, args, kwargs):
            operation = node.operation
            if functional_graph(operation) is not None:
                given = keras.tree.flatten((args, kwargs))
                tensors = [x for x in given if isinstance(x, Channels)]
                self.enter(operation, tensors, path + operation.name)
                return self.run(operation, tensors, (*prefix, id(node)), f"{path}{operation.name}/")
            return Call(self, node, (*prefix, id(node)), path + operation.name).trace(args, kwargs)

        return walk(model, inputs, call)

    def enter(self, model, tensors, name):
        """Declares the channels that a nested model is given: its inputs get smaller with them."""
        for k, x in enumerate(tensors):
            axes = x.axes()
            axis = axes[0] if len(axes) == 1 else x.rank - 1
            if len(axes) > 1:
                self.space.lock(x.labels, f"{name} is given channels along several axes")
            vector = x.vector(axis) if len(axes) < 2 else np.full(x.shape[axis], FIXED)
            known, _ = self.inputs.setdefault((id(model), k), (axis, vector))
            if known == axis:
                self.declare(self.weights, (id(model), "input", k), (vector,), name)
            else:
                self.space.lock(np.append(vector, self.inputs[id(model), k][1]), f"{name} is given channels unalike")

    def declare(self, store, key, vectors, where):
        """Records labels of a weight or setting; where it is used again, ties both uses together."""
        known = store.setdefault(key, vectors)
        for one, other in zip(known, vectors, strict=True):
            if one is not None and one is not other:
                self.space.tie(one, other, f"{where} is used in several places, one of which is fixed")

    def direct_filters(self, x: Channels):
        """The labels in `x` that come straight from a filter, with its layer's name."""
        return [(int(label), self.births[int(label)][0]) for label in np.unique(x.labels) if int(label) in self.births]

    def bind_relu(self, key, x: Channels):
        """Takes a ReLU as that of all filters that arrive directly and have met none before."""
        mine = [label for label, _ in self.direct_filters(x) if label not in self.bound]
        axes = x.axes() or [x.rank - 1]
        if mine and len(axes) == 1:
            self.bound.update(mine)
            vector = x.vector(axes[0])
            first = np.isin(np.arange(vector.size), np.unique(vector, return_index=True)[1])
            self.relus.append(Relu(key, axes[0], np.where(first & np.isin(vector, mine), vector, FIXED)))

    def mark_unscored(self, x: Channels, reason):
        """Notes why filters that arrive directly, and have met no ReLU yet, have none of their own."""
        for label, layer in self.direct_filters(x):
            if label not in self.bound:
                self.unscored.setdefault(layer, f"its output {reason}")


def labels_in(value):
    """Yields the labels that a setting depends on."""
    if isinstance(value, (Count, Kept)):
        yield value.labels
    elif isinstance(value, slice):
        yield from labels_in((value.start, value.stop))
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from labels_in(part)


class Call:
    """One call of one layer or operation, as its rule sees it.

    Args:
        name: The layer's path, `"backbone/conv1"`.
        layer: The layer or operation that is called.
        where: The same in words, for reasons: `"conv1 (Conv2D)"`.
    """

    def __init__(self, tracer: Tracer, node, key, name):
        self.tracer, self.node, self.key, self.name = tracer, node, key, name
        self.layer = node.operation
        self.where = f"{name} ({type(self.layer).__name__})"

    def trace(self, args, kwargs):
        """Applies the operation's rule."""
        self.output_shapes = self._output_shapes(args, kwargs)
        self.tracer.shapes.setdefault(self.name, self.output_shapes[0])
        self.tracer.kinds.setdefault(self.name, type(self.layer).__name__)
        apply = find_rule(self.layer) or probed
        said = {key: value for key, value in kwargs.items() if value is not None and key != "training"}
        return apply(self, *args, **said)

    def _output_shapes(self, args, kwargs):
        given = [x.shape for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
        if given == [tensor.shape for tensor in self.node.input_tensors]:
            return [tensor.shape for tensor in self.node.outputs]
        symbols = iter(keras.KerasTensor(s, t.dtype) for s, t in zip(given, self.node.input_tensors, strict=True))
        args, kwargs = keras.tree.map_structure(
            lambda x: next(symbols) if isinstance(x, Channels) else x, (args, kwargs)
        )
        return [spec.shape for spec in keras.tree.flatten(self.layer.compute_output_spec(*args, **kwargs))]

    @property
    def output_shape(self):
        """The shape of what the call gives, batch included."""
        return self.output_shapes[0]

    def refuse(self, args, kwargs, reason):
        """Locks all that comes in, and takes all that goes out as fixed."""
        for x in keras.tree.flatten((args, kwargs)):
            if isinstance(x, Channels):
                self.tracer.mark_unscored(x, f"meets {self.where} before any ReLU")
                self.lock(x, reason)
        return [Channels.fixed(shape) for shape in self.output_shapes]

    def lock(self, x: Channels, reason: str):
        """Forbids to remove any of these channels; the reason completes "NAME (TYPE) ..."."""
        self.tracer.space.lock(x.labels, f"{self.where} {reason}")

    def inexact(self):
        """Notes that what this call computes from channels depends on all of them."""
        note = f"{self.where} normalises over channels: without some, the others change, so removal is not exact."
        if note not in self.tracer.notes:
            self.tracer.notes.append(note)

    def tie(self, a, b, reason="is computed from channels that are fixed"):
        """Makes labels go only together."""
        self.tracer.space.tie(a, b, f"{self.where} {reason}")

    def consume(self, x: Channels, axis: int) -> np.ndarray:
        """The labels along the channel axis of an input that ends here, mixed into new channels."""
        self.tracer.mark_unscored(x, f"meets {self.where} before any ReLU")
        return self.vector(x, axis)

    def vector(self, x: Channels, axis: int) -> np.ndarray:
        """The labels of `x` along its channel axis; locks them if they vary along another axis."""
        axis %= x.rank
        if not x.varies_only_along(axis):
            self.lock(x, "uses the axis of these channels as something other than channels")
            return np.full(x.shape[axis], FIXED)
        return x.vector(axis)

    def filters(self, count: int, kernel) -> np.ndarray:
        """Labels for the filters of this layer, `(count,)`, new at each call and tied to the layer.

        Args:
            count: How many filters.
            kernel: A function without arguments that gives their weights as a NumPy array of
                shape `(..., input channels, filters)`.
        """
        labels = self.tracer.space.new(count)
        known = self.tracer.filters.setdefault(self.name, labels)
        self.tracer.kernels[self.name] = kernel
        self.tie(known, labels)
        self.tracer.births.update((int(label), (self.name, k)) for k, label in enumerate(labels))
        return labels

    def weight(self, variable, *axes):
        """Declares which labels run along each axis of a weight; None for an axis that is fixed."""
        if variable is not None:
            self.tracer.declare(self.tracer.weights, id(variable), axes, self.where)

    def setting(self, **entries):
        """Declares config entries of the layer that hold a `Count` (or `Inner`), alone or within tuples."""
        for key, value in entries.items():
            self._dependent(self.tracer.settings[id(self.layer)], id(self.layer), key, value)

    def argument(self, position: int, value):
        """Declares an argument of this call that holds a `Count` or is `Kept`."""
        self._dependent(self.tracer.arguments[id(self.node)], id(self.node), position, value)

    def _dependent(self, store, owner, key, value):
        store.setdefault(key, value)
        self.tracer.declare(self.tracer.weights, (owner, key), tuple(labels_in(value)), self.where)

    def cost(self, factor: int, *axes, conv=False):
        """Declares multiply-accumulates: `factor` times the number of channels along each axis."""
        self.tracer.macs[self.name].append((int(factor), axes))
        if conv:
            self.tracer.convs.add(self.name)

    def positions(self, axis: int) -> int:
        """The number of positions that the output has beside its channels and the batch."""
        return math.prod(
            size for k, size in enumerate(self.output_shape) if k not in (0, axis % len(self.output_shape))
        )

    def output(self, axis: int, labels) -> Channels:
        """What the call gives, with these labels along `axis`."""
        return Channels.along(self.output_shape, axis, labels)

    def passed_on(self, x: Channels) -> Channels:
        """What the call gives if it works channel by channel, linearly or by pooling."""
        return Channels(self.output_shape, x.labels)

    def fresh_like(self, x: Channels, reason="") -> Channels:
        """What the call gives if it works channel by channel, but ends a filter's way to its ReLU."""
        self.tracer.mark_unscored(x, reason or f"meets {self.where} before any ReLU")
        labels = self.tracer.space.new(x.labels.size).reshape(x.labels.shape)
        labels = np.where(x.labels == FIXED, FIXED, labels)
        self.tie(labels, np.where(x.labels == FIXED, labels, x.labels))
        return Channels(self.output_shape, labels)

    def relu(self, x: Channels) -> Channels:
        """What the call gives if it rectifies: the first ReLU of the filters that arrive directly."""
        self.tracer.bind_relu(self.key, x)
        return self.fresh_like(x)


def trace_model(model) -> Trace:
    """Runs a whole model on labels."""
    tracer = Tracer()
    inputs = [Channels.fixed(_nominal(tracer, tensor.shape)) for tensor in model.inputs]
    for name, x in zip(output_names(model), tracer.run(model, inputs), strict=True):
        tracer.mark_unscored(x, "is an output of the model")
        tracer.space.lock(x.labels, f"it is part of the model's output {name!r}, whose size must stay")
    return _solve(model, tracer)


def output_names(model):
    """The names of the model's outputs, flat."""
    return functional_graph(model).output_names


def _nominal(tracer, shape):
    if None not in shape[1:]:
        return shape
    note = f"The input size is open {shape}: MACs are counted for {NOMINAL_SIZE} wherever it is."
    tracer.notes.append(note)
    return (shape[0], *(size or NOMINAL_SIZE for size in shape[1:]))


def _solve(model, tracer):
    classes, locks = tracer.space.solve()
    unit_of = np.full(classes.max() + 1, FIXED_UNIT)
    births = np.array([label for labels in tracer.filters.values() for label in labels], "int64")
    members = list(dict.fromkeys(classes[births].tolist()))  # units are numbered as their filters come
    unit_of[members] = np.arange(len(members))
    units = _Axes(unit_of[classes])
    layers = [_layer_info(tracer, units, name, layer) for name, layer in _layers(model, tracer)]
    named = {int(unit_of[c]): reason for c, reason in locks.items() if unit_of[c] != FIXED_UNIT}
    graph = ChannelGraph(layers, units.axes, named, tracer.notes)
    return Trace(
        graph=graph,
        classes=classes,
        unit_of=unit_of,
        weights=tracer.weights,
        settings=tracer.settings,
        arguments=tracer.arguments,
        inputs=tracer.inputs,
        relus=tracer.relus,
        kernels=tracer.kernels,
        births=tracer.births,
        unscored=tracer.unscored,
    )


def _layers(model, tracer):
    order = {name: k for k, name in enumerate(tracer.kinds)}
    found = [(name, layer) for name, layer in leaf_layers(model) if name in order]
    return sorted(found, key=lambda pair: order[pair[0]])


class _Axes:
    """Collects arrays of units, each once."""

    def __init__(self, unit_of_label):
        self.unit_of_label = unit_of_label
        self.axes: list[np.ndarray] = []
        self._index: dict[bytes, int] = {}

    def index(self, labels):
        axis = self.unit_of_label[labels]
        if axis.tobytes() not in self._index:
            self._index[axis.tobytes()] = len(self.axes)
            self.axes.append(axis)
        return self._index[axis.tobytes()]

    def product(self, factor, vectors):
        return Product(int(factor), tuple(self.index(v) for v in vectors))


def _layer_info(tracer, units, name, layer):
    filters = tracer.filters.get(name)
    return LayerInfo(
        name=name,
        kind=tracer.kinds[name],
        output_shape=tuple(tracer.shapes[name]),
        filters=None if filters is None else units.index(filters),
        weights=tuple(_weight_size(tracer, units, w) for w in layer.weights),
        macs=tuple(units.product(factor, axes) for factor, axes in tracer.macs[name]),
        is_conv=name in tracer.convs,
    )


def _weight_size(tracer, units, variable):
    axes = tracer.weights.get(id(variable), (None,) * len(variable.shape))
    fixed = math.prod(size for size, labels in zip(variable.shape, axes, strict=True) if labels is None)
    return units.product(fixed, [labels for labels in axes if labels is not None])

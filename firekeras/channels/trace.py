"""Runs a model on labels instead of numbers, to find out what depends on which filters."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict

import keras
import numpy as np

from firekeras.channels.call import Call
from firekeras.channels.check import check_loads
from firekeras.channels.graph import FIXED_UNIT, ChannelGraph, Kernel, LayerInfo
from firekeras.channels.labels import FIXED, Channels, LabelSpace
from firekeras.channels.lite.drafts import Ran, ran_of
from firekeras.channels.lite.lowering import Lowering
from firekeras.channels.parts import parts_of
from firekeras.channels.program import Product
from firekeras.channels.reading import Reading
from firekeras.channels.walk import Visit, functional_graph, graph_inside, leaf_layers, walk
from firekeras.keras_models.classes import loss_of_class
from firekeras.refusals import listed

NOMINAL_SIZE = 224  # replaces sizes that the model leaves open; only its MACs depend on it


@dataclasses.dataclass
class Relu:
    """A ReLU and the filters whose first ReLU it is: `labels` run along `axis` of its output."""

    key: tuple
    axis: int
    labels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """Everything that running a model on labels reveals.

    Args:
        graph: The channel graph.
        classes: The class of each label.
        unit_of: The unit of each class; `-1` for a class without filters.
        weights: For each variable (by id), the labels along each of its axes, None for fixed axes.
        settings: For each layer or operation (by id), the settings that depend on channels.
        arguments: For each call (by id of its node), the arguments that depend on channels, by position.
        inputs: For each input of a nested model (by its id and index): axis and labels of its channels.
        relus: The ReLUs that are the first one of some filter.
        kernels: For each layer with filters, a function that returns their weights.
        births: For each label that a filter started with: (layer name, filter).
        norms: For each such label that met a BatchNormalization before its ReLU: (moments, channel); see
            `Call.normalised`.
        unscored: For layers whose filters reach no ReLU of their own, what they meet instead.
        consumed: For each layer that mixes channels, their labels, one array per input.
        readings: For each layer whose rule declares how it mixes channels, a `Reading`.
        normalisers: For each path of a layer that normalizes channels one by one, that layer.
        sums: The calls (by id of their nodes) that add up their inputs.
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
    norms: dict
    unscored: dict
    consumed: dict
    readings: dict
    normalisers: dict
    sums: set

    def keep(self, gone, labels):
        """Which positions of `labels` stay, ascending, without the units in mask `gone`."""
        return np.flatnonzero(self.graph.padded(~gone, True)[self.unit_of[self.classes[labels]]])

    def units_along(self, variable, axis) -> np.ndarray:
        """The unit of each position along an axis of a weight, -1 for none, `(size,)`."""
        labels = self.weights.get(id(variable), (None,) * len(variable.shape))[axis]
        if labels is None:
            return np.full(variable.shape[axis], FIXED_UNIT)
        return self.unit_of[self.classes[labels]]

    def units_read(self, name) -> np.ndarray:
        """The units of all channels that a layer reads and mixes, ascending, `(units,)`."""
        labels = np.concatenate([np.zeros(0, "int64"), *self.consumed.get(name, ())])
        units = np.unique(self.unit_of[self.classes[labels]])
        return units[units != FIXED_UNIT]

    def goes_with_its_input(self, name) -> bool:
        """Whether all filters of a layer are coupled with channels that it reads, as in depthwise layers."""
        units = self.graph.filters(name)
        return name not in self.readings and bool(np.isin(units, [*self.units_read(name), *self.graph.locks]).all())

    def moments(self) -> dict[str, np.ndarray]:
        """Mean and deviation of each filter behind the BatchNormalization before its ReLU, `(filters, 2)`.

        NaN without one. If a layer is called several times, its first call counts.
        """
        by_layer = {name: np.full((width, 2), np.nan) for name, width in self.graph.widths.items()}
        values = {moments: moments() for moments in {moments for moments, _ in self.norms.values()}}
        for label, (moments, channel) in reversed(self.norms.items()):
            name, filter = self.births[label]
            by_layer[name][filter] = values[moments][:, channel]
        return by_layer


class Tracer:
    """The state of one run on labels; rules access it through their `Call`."""

    def __init__(self):
        self.space = LabelSpace()
        self.weights: dict[int, tuple] = {}
        self.settings: dict[int, dict] = defaultdict(dict)
        self.arguments: dict[int, dict] = defaultdict(dict)
        self.inputs: dict[tuple, tuple] = {}
        self.macs: dict[str, list] = defaultdict(list)
        self.convs: set[str] = set()
        self.unknown: set[str] = set()
        self.uncounted: set[str] = set()
        self.need_caps: set[str] = set()
        self.shapes: dict[str, tuple] = {}
        self.kinds: dict[str, str] = {}
        self.filters: dict[str, np.ndarray] = {}
        self.kernels: dict[str, object] = {}
        self.births: dict[int, tuple[str, int]] = {}
        self.norms: dict[int, tuple] = {}
        self.consumed: dict[str, list[np.ndarray]] = defaultdict(list)
        self.readings: dict[str, Reading] = {}
        self.normalisers: dict[str, keras.Layer] = {}
        self.sums: set[int] = set()
        self.places: dict[str, tuple] = {}  # (weight, axes) of filters that lie along several axes
        self.calls: dict[str, int] = defaultdict(int)
        self.relus: list[Relu] = []
        self.bound: set[int] = set()
        self.unscored: dict[str, str] = {}
        self.notes: list[str] = []
        self.rebuilding: dict[int, str | None] = {}  # for each layer why it cannot be rebuilt
        self.made: list[tuple[str, np.ndarray]] = []
        self.ran: list[Ran] = []

    def call(self, visit: Visit, args, kwargs):
        """What a call gives, by the rule for its layer or operation."""
        outputs = Call(self, visit.node, visit.key, visit.path).trace(args, kwargs)
        outputs = keras.tree.map_structure(
            dataclasses.replace, outputs
        )  # objects of their own, even if nothing changed
        self.ran.append(ran_of(visit.path, visit.operation, args, kwargs, outputs))
        return outputs

    def sized(self, shape, where):
        """A shape with a nominal size for each open size behind the batch; adds a note."""
        if None not in shape[1:]:
            return tuple(shape)
        note = f"The size of {where} is open, {tuple(shape)}: MACs are counted for {NOMINAL_SIZE} instead."
        if note not in self.notes:
            self.notes.append(note)
        return (shape[0], *(NOMINAL_SIZE if size is None else size for size in shape[1:]))

    def enter(self, visit: Visit, tensors):
        """Declares the channels that enter a nested model: its inputs shrink with them."""
        model, name = visit.operation, visit.path
        notes = loss_of_class(model, name) if graph_inside(model) is not None else [_opened_note(model, name)]
        self.notes += [note for note in notes if note not in self.notes]
        for k, x in enumerate(tensors):
            self._give(model, k, self._along_one_axis(x, name), name)

    def _give(self, model, number, channels, name):
        """Notes that an input is given channels: axis and labels, the same ones at each call of the model."""
        known = self.inputs.setdefault((id(model), number), channels)
        if known[0] == channels[0]:
            self.declare(self.weights, (id(model), "input", number), (channels[1],), name)
        else:
            self.space.lock(
                np.append(channels[1], known[1]), f"{name} receives channels along a different axis each time"
            )

    def _along_one_axis(self, x, name):
        """The axis along which channels lie, the last one if there are none, and their labels."""
        axes = x.axes()
        if len(axes) > 1:
            self.space.lock(x.labels, f"{name} receives channels along several axes")
            return x.rank - 1, np.full(x.shape[-1], FIXED)
        axis = axes[0] if axes else x.rank - 1
        return axis, x.vector(axis)

    def declare(self, store, key, vectors, where):
        """Records the labels of a weight or setting; if it is used again, ties both uses."""
        known = store.setdefault(key, vectors)
        for first, second in zip(known, vectors, strict=True):
            if first is not None and first is not second:
                self.space.tie(first, second, f"{where} is used in several places, one of which is fixed")

    def note_parts(self, name, outputs):
        """Records the output channels of a call, which may be only a part of a layer's channels."""
        for k, x in enumerate(outputs):
            if not x.is_fixed:
                self.made.append((f"{name}[{k}]" if len(outputs) > 1 else name, x.labels.ravel()))

    def direct_filters(self, x: Channels):
        """The labels in `x` that come directly from a filter, with its layer's name."""
        return [(int(label), self.births[int(label)][0]) for label in np.unique(x.labels) if int(label) in self.births]

    def bind_relu(self, key, x: Channels):
        """Makes a ReLU that of all filters that arrive directly and have met none before."""
        mine = [label for label, _ in self.direct_filters(x) if label not in self.bound]
        axes = x.axes() or [x.rank - 1]
        if mine and len(axes) == 1:
            self.bound.update(mine)
            vector = x.vector(axes[0])
            self.relus.append(Relu(key, axes[0], np.where(np.isin(vector, mine), vector, FIXED)))

    def normalise(self, x: Channels, axis, moments):
        """Makes a normalization that of all filters that arrive directly and have met no ReLU yet."""
        for channel, label in enumerate(x.vector(axis).tolist()):
            if label in self.births and label not in self.bound:
                self.norms[label] = (moments, channel)

    def mark_unscored(self, x: Channels, reason):
        """Records why filters that arrive directly, and have met no ReLU yet, have none of their own."""
        for label, layer in self.direct_filters(x):
            if label not in self.bound:
                self.unscored.setdefault(layer, f"its output {reason}")


def _opened_note(layer, name):
    return (
        f"{name} ({type(layer).__name__}) is made of layers: if filters inside it go, it is replaced by a keras.Model "
        "of these layers, of the same name."
    )


def trace_model(model) -> Trace:
    """Runs a whole model on labels."""
    check_loads(model)
    tracer = Tracer()
    tracer.notes += loss_of_class(model, model.name)
    inputs = [Channels.fixed(tracer.sized(tensor.shape, "the input")) for tensor in model.inputs]
    outputs = walk(model, inputs, tracer.call, tracer.enter)
    for name, x in zip(output_names(model), outputs, strict=True):
        tracer.mark_unscored(x, "is an output of the model")
        tracer.space.lock(x.labels, f"it is part of the model's output {name!r}, whose size must stay")
    return _solve(model, tracer, inputs, outputs)


def output_names(model):
    """The names of the model's outputs, flat."""
    return functional_graph(model).output_names


def _solve(model, tracer, inputs, outputs):
    classes, locks = tracer.space.solve()
    unit_of = np.full(classes.max() + 1, FIXED_UNIT)
    births = np.array([label for labels in tracer.filters.values() for label in labels], "int64")
    members = list(dict.fromkeys(classes[births].tolist()))  # units are numbered as their filters come
    unit_of[members] = np.arange(len(members))
    units = Axes(unit_of[classes])
    layers = [_layer_info(tracer, units, name, layer) for name, layer in _layers(model, tracer)]
    tracer.notes += uncounted_note(layers)
    parts = parts_of(units, layers, tracer.made)
    named = {int(unit_of[c]): reason for c, reason in locks.items() if unit_of[c] != FIXED_UNIT}
    entries = [(x, tensor.dtype, tensor.name) for x, tensor in zip(inputs, model.inputs, strict=True)]
    program = Lowering(tracer, units, model.name).program(tracer.ran, entries, outputs)
    graph = ChannelGraph(layers, units.axes, named, tracer.notes, parts, program)
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
        norms={label: norm for label, norm in tracer.norms.items() if label in tracer.bound},
        unscored=tracer.unscored,
        consumed=dict(tracer.consumed),
        readings=tracer.readings,
        normalisers=tracer.normalisers,
        sums=tracer.sums,
    )


def _layers(model, tracer):
    order = {name: k for k, name in enumerate(tracer.kinds)}
    layers = [(name, layer) for name, layer in leaf_layers(model) if name in order]
    others = {*tracer.macs, *tracer.uncounted, *tracer.filters}.difference(name for name, _ in layers)
    layers += [(name, None) for name in others]  # operations, and parts of layers
    return sorted(layers, key=lambda pair: order[pair[0]])


class Axes:
    """Collects distinct arrays of units."""

    def __init__(self, unit_of_label):
        self.unit_of_label = unit_of_label
        self.axes: list[np.ndarray] = []
        self._index: dict[bytes, int] = {}

    def index(self, labels):
        """The index of the axis along which these labels run."""
        return self.of_units(self.unit_of_label[labels])

    def of_units(self, axis):
        """The index of an axis of units."""
        if axis.tobytes() not in self._index:
            self._index[axis.tobytes()] = len(self.axes)
            self.axes.append(axis)
        return self._index[axis.tobytes()]

    def product(self, factor, vectors):
        """The `Product` of a factor and the kept lengths of these labels."""
        return Product(int(factor), tuple(self.index(v) for v in vectors))

    def weight_size(self, tracer, variable):
        """The `Product` that is the size of a weight."""
        axes = tracer.weights.get(id(variable), (None,) * len(variable.shape))
        fixed = math.prod(size for size, labels in zip(variable.shape, axes, strict=True) if labels is None)
        return self.product(fixed, [labels for labels in axes if labels is not None])


def _layer_info(tracer, units, name, layer):
    filters = tracer.filters.get(name)
    return LayerInfo(
        name=name,
        kind=tracer.kinds[name],
        output_shape=tuple(tracer.shapes[name]),
        filters=None if filters is None else units.index(filters),
        weights=tuple(units.weight_size(tracer, w) for w in _weights(layer)),
        macs=tuple(units.product(factor, axes) for factor, axes in tracer.macs[name]),
        is_conv=name in tracer.convs,
        uncounted=name in tracer.uncounted or _multiplies_unseen(tracer, name, layer),
        needs_cap=name in tracer.need_caps,
        kernel=_kernel(tracer, name, layer),
        calls=tracer.calls.get(name, 1),
    )


def _kernel(tracer, name, layer):
    """Where the filters of a layer lie: in the first of its weights with an axis that runs along what it makes."""
    weights = _weights(layer)
    if name in tracer.places:
        variable, axes = tracer.places[name]
        return next((Kernel(k, axes) for k, weight in enumerate(weights) if weight is variable), None)
    read = {(id(variable), axis % len(variable.shape)) for variable, axis in _read(tracer.readings.get(name))}
    for number, weight in enumerate(weights):
        rank, along = len(weight.shape), tracer.weights.get(id(weight), ())
        for axis, labels in enumerate(along) if rank > 1 else ():
            if (id(weight), axis) not in read and np.array_equal(labels, tracer.filters.get(name, ())):
                return Kernel(number, (axis - rank,))
    return None


def _read(reading):
    return (*reading.kernels, *reading.back) if reading else ()


def _weights(layer):
    return [] if layer is None else layer.weights


def _multiplies_unseen(tracer, name, layer):
    """Whether a layer without a rule holds a matrix, by which it must multiply."""
    unseen = name in tracer.unknown and not tracer.macs[name]
    return unseen and any(len(variable.shape) > 1 for variable in _weights(layer))


def uncounted_note(layers) -> list[str]:
    """A note on costs that leave something out."""
    names = [f"{layer.name} ({layer.kind})" for layer in layers if layer.uncounted]
    return [f"MACs leave out {listed(names)}, whose multiplications are unknown."] if names else []

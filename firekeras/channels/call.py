"""One call of one layer, as its rule sees it: what comes in, and what depends on which channels."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import keras
import numpy as np

from firekeras.channels.labels import FIXED, Channels
from firekeras.channels.probe import probed
from firekeras.channels.reading import Reading
from firekeras.channels.registry import find_rule
from firekeras.channels.sizes import output_shapes
from firekeras.keras_models.rebuilding import why_not

if TYPE_CHECKING:
    from firekeras.channels.trace import Tracer


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


def _random_like(x, rng):
    """Two random samples in place of a tensor that is followed."""
    return rng.uniform(-1, 1, (x.shape[0] or 2, *x.shape[1:])).astype("float32") if isinstance(x, Channels) else x


def _channels_in(value):
    return [x for x in keras.tree.flatten(value) if isinstance(x, Channels)]


def labels_in(value):
    """Yields the labels that a setting depends on."""
    if isinstance(value, (Count, Kept)):
        yield value.labels
    elif isinstance(value, slice):
        yield from labels_in((value.start, value.stop))
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from labels_in(part)


def dependent_labels(trace, layer):
    """Yields the labels that a layer's weights and settings depend on, as a `Trace` or `Tracer` knows them."""
    for variable in getattr(layer, "variables", ()):
        yield from (labels for labels in trace.weights.get(id(variable), ()) if labels is not None)
    for value in trace.settings.get(id(layer), {}).values():
        yield from dependent_labels(trace, value.layer) if isinstance(value, Inner) else labels_in(value)


class Call:
    """One call of one layer or operation, as its rule sees it.

    Args:
        name: The layer's path, `"backbone/conv1"`.
        layer: The layer or operation that is called.
        where: The same in words, for reasons: `"conv1 (Conv2D)"`.
        samples: How many samples come in for each that the network is given.
    """

    samples: Fraction | int = 1
    samples_given: Fraction | int = 1  # for each that comes in

    def __init__(self, tracer: Tracer, node, key, name):
        self.tracer, self.node, self.key, self.name = tracer, node, key, name
        self.layer = node.operation
        self.where = f"{name} ({type(self.layer).__name__})"

    def trace(self, args, kwargs):
        """Applies the operation's rule."""
        self.output_shapes = self._output_shapes(args, kwargs)
        self.samples = max((x.samples for x in _channels_in((args, kwargs))), default=1)
        self.tracer.shapes.setdefault(self.name, self.output_shapes[0])
        self.tracer.kinds.setdefault(self.name, type(self.layer).__name__)
        self.tracer.calls[self.name] += 1
        apply = find_rule(self.layer) or probed
        said = {key: value for key, value in kwargs.items() if value is not None and key != "training"}
        given = self._with_samples(apply(self, *args, **said))
        self._lock_what_cannot_be_rebuilt(args, said)
        self.tracer.note_parts(self.name, keras.tree.flatten(given))
        return given

    def _with_samples(self, given):
        samples = self.samples * self.samples_given
        if samples == 1:
            return given
        return keras.tree.map_structure(lambda x: dataclasses.replace(x, samples=samples), given)

    def _lock_what_cannot_be_rebuilt(self, args, kwargs):
        labels = [some for some in dependent_labels(self.tracer, self.layer) if some.any()]
        if labels:
            reason = self._why_not_rebuilt(args, kwargs)
            for some in labels if reason else ():
                self.tracer.space.lock(some, f"{self.where} {reason}")

    def _why_not_rebuilt(self, args, kwargs):
        """Tried once for each layer."""
        tried = self.tracer.rebuilding
        if id(self.layer) not in tried:
            rng = np.random.default_rng(0)
            args, kwargs = keras.tree.map_structure(lambda x: _random_like(x, rng), (args, kwargs))
            settings = self.tracer.settings.get(id(self.layer), {})
            wrapped = {name: value.layer for name, value in settings.items() if isinstance(value, Inner)}
            tried[id(self.layer)] = why_not(self.layer, wrapped, args, kwargs)
        return tried[id(self.layer)]

    def _output_shapes(self, args, kwargs):
        """The shapes of what the call gives; sizes that are open even so are taken as nominal."""
        return [self.tracer.sized(shape, self.where) for shape in output_shapes(self.node, args, kwargs)]

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
        self.tracer.unknown.add(self.name)
        return self.fixed_outputs()

    def fixed_outputs(self):
        """What the call gives, as channels that no removal may touch."""
        return [Channels.fixed(shape) for shape in self.output_shapes]

    def lock(self, x: Channels, reason: str):
        """Forbids to remove any of these channels; the reason completes "NAME (TYPE) ..."."""
        self.tracer.space.lock(x.labels, f"{self.where} {reason}")

    def inexact(self):
        """Notes that what this call computes from channels depends on all of them."""
        note = f"{self.where} normalises over channels: without some, the others change, so removal is not exact."
        if note not in self.tracer.notes:
            self.tracer.notes.append(note)

    def gives_samples(self, ratio):
        """Declares how many samples come out for each that comes in; costs count for all of them."""
        self.samples_given = ratio

    def tie(self, a, b, reason="is computed from channels that are fixed"):
        """Makes labels go only together."""
        self.tracer.space.tie(a, b, f"{self.where} {reason}")

    def consume(self, x: Channels, axis: int) -> np.ndarray:
        """The labels along the channel axis of an input that ends here, mixed into new channels."""
        self.tracer.mark_unscored(x, f"meets {self.where} before any ReLU")
        labels = self.vector(x, axis)
        self.tracer.consumed[self.name].append(labels)
        return labels

    def reads(self, axis: int, *kernels, back=(), strengths=None, linear=False):
        """Declares how this layer mixes the channels that it reads; see `Reading`.

        Args:
            axis: The axis of the channels of its input.
            kernels: `(variable, axis)` of each weight that reads.
            back, strengths, linear: As `Reading` has them.
        """
        self.tracer.readings[self.name] = Reading(self.layer, axis, kernels, tuple(back), strengths, linear)

    def vector(self, x: Channels, axis: int) -> np.ndarray:
        """The labels of `x` along its channel axis; locks them if they vary along another axis."""
        axis %= x.rank
        if not x.varies_only_along(axis):
            self.lock(x, "uses the axis of these channels as something other than channels")
            return np.full(x.shape[axis], FIXED)
        return x.vector(axis)

    def filters(self, count: int, kernel, part="", needs_cap=False) -> np.ndarray:
        """Labels for the filters of this layer, `(count,)`, new at each call and tied to the layer.

        Args:
            count: How many filters.
            kernel: A function without arguments that gives their weights as a NumPy array of
                shape `(..., input channels, filters)`.
            part: What they are, if they stand beside the filters that the layer is known for: they go by the name
                `"LAYER/part"`. Defaults to those.
            needs_cap: Whether they go only if a layer cap names them. Defaults to False.
        """
        name = f"{self.name}/{part}" if part else self.name
        self.tracer.shapes.setdefault(name, self.output_shape)
        self.tracer.kinds.setdefault(name, type(self.layer).__name__)
        labels = self.tracer.space.new(count)
        known = self.tracer.filters.setdefault(name, labels)
        if needs_cap:
            self.tracer.need_caps.add(name)
        self.tracer.kernels[name] = kernel
        self.tie(known, labels)
        self.tracer.births.update((int(label), (name, k)) for k, label in enumerate(labels))
        return labels

    def lie_in(self, variable, *axes):
        """Declares where the filters of this layer lie, if `weight` does not say so: along several axes of a weight."""
        self.tracer.places[self.name] = (variable, axes)

    def adds(self):
        """Declares that what comes out is the sum of what comes in."""
        self.tracer.sums.add(id(self.node))

    def weight(self, variable, *axes):
        """Declares which labels run along each axis of a weight; None for an axis that is fixed."""
        if variable is not None:
            self.tracer.declare(self.tracer.weights, id(variable), axes, self.where)

    def normalised(self, x: Channels, axis: int, moments):
        """Declares that this call gives each channel a mean and a deviation of its own.

        Args:
            x: What comes in, with its channels along `axis`.
            axis: The axis of the channels.
            moments: A function without arguments that gives means and deviations, `(2, channels)`.
        """
        self.tracer.normalisers.setdefault(self.name, self.layer)
        self.tracer.normalise(x, axis, moments)

    def setting(self, **entries):
        """Declares config entries of the layer that hold a `Count` (or `Inner`), alone or within tuples.

        A dict changes those entries of a config within the config, `cell={"config": {"units": Count(labels)}}`.
        """
        for key, value in entries.items():
            self._dependent(self.tracer.settings[id(self.layer)], id(self.layer), key, value)

    def argument(self, position: int, value):
        """Declares an argument of this call that holds a `Count` or is `Kept`."""
        self._dependent(self.tracer.arguments[id(self.node)], id(self.node), position, value)

    def _dependent(self, store, owner, key, value):
        store.setdefault(key, value)
        self.tracer.declare(self.tracer.weights, (owner, key), tuple(labels_in(value)), self.where)

    def cost(self, factor: int, *axes, conv=False):
        """Declares multiply-accumulates: `factor` times the number of channels along each axis; 0 if there are none."""
        self.tracer.macs[self.name].append((int(factor * self.samples), axes))
        if conv:
            self.tracer.convs.add(self.name)

    def uncounted(self):
        """Declares that the call multiplies, but nobody knows how often."""
        self.tracer.uncounted.add(self.name)

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

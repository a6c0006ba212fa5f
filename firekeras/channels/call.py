"""One call of one layer, as its rule sees it: the inputs, and what depends on which channels."""

from __future__ import annotations

import dataclasses
import inspect
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
from firekeras.refusals import cause

if TYPE_CHECKING:
    from firekeras.channels.trace import Tracer


@dataclasses.dataclass(frozen=True)
class Count:
    """A value in a layer's settings: how many of these channels are kept."""

    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Kept:
    """A value in a call's arguments: a constant array, cut along `axis` with these labels."""

    array: np.ndarray
    axis: int
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Inner:
    """A value in a wrapper's settings: the wrapped layer, rebuilt."""

    layer: keras.Layer


def _takes(apply, *args, **kwargs):
    """Whether a rule can be called with these arguments."""
    try:
        inspect.signature(apply).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _random_like(x, rng):
    """Two random samples in place of a tracked tensor."""
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
    """Yields the labels that a layer's weights and settings depend on, according to a `Trace` or `Tracer`."""
    for variable in getattr(layer, "variables", ()):
        yield from (labels for labels in trace.weights.get(id(variable), ()) if labels is not None)
    for value in trace.settings.get(id(layer), {}).values():
        yield from dependent_labels(trace, value.layer) if isinstance(value, Inner) else labels_in(value)


class Call:
    """One call of one layer or operation, as its rule sees it.

    Args:
        name: The layer's path, `"backbone/conv1"`.
        layer: The layer or operation that is called.
        where: The layer as reasons name it: `"conv1 (Conv2D)"`.
        samples: How many samples come in per sample of the network's input.
    """

    samples: Fraction | int = 1
    samples_given: Fraction | int = 1  # per sample that comes in

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
        outputs = self._with_samples(self._applied(apply, args, said))
        self._lock_what_cannot_be_rebuilt(args, said)
        self.tracer.note_parts(self.name, keras.tree.flatten(outputs))
        return outputs

    def _applied(self, apply, args, kwargs):
        """What the rule gives; inputs that it does not know, as the mask of a normalization, are locked."""
        try:
            return apply(self, *args, **kwargs)
        except (TypeError, AttributeError, IndexError) as error:
            if not _takes(apply, self, *args, **kwargs):
                return self.refuse(args, kwargs, "is called with inputs that firekeras does not follow")
            raise ValueError(f"{self.where} is called in a way that cannot be followed: {cause(error)}.") from error

    def _with_samples(self, outputs):
        samples = self.samples * self.samples_given
        if samples == 1:
            return outputs
        return keras.tree.map_structure(lambda x: dataclasses.replace(x, samples=samples), outputs)

    def _lock_what_cannot_be_rebuilt(self, args, kwargs):
        labels = [some for some in dependent_labels(self.tracer, self.layer) if some.any()]
        if labels:
            reason = self._why_not_rebuilt(args, kwargs)
            for some in labels if reason else ():
                self.tracer.space.lock(some, f"{self.where} {reason}")

    def _why_not_rebuilt(self, args, kwargs):
        """Why the layer cannot be rebuilt; tried once per layer."""
        tried = self.tracer.rebuilding
        if id(self.layer) not in tried:
            rng = np.random.default_rng(0)
            args, kwargs = keras.tree.map_structure(lambda x: _random_like(x, rng), (args, kwargs))
            settings = self.tracer.settings.get(id(self.layer), {})
            wrapped = {name: value.layer for name, value in settings.items() if isinstance(value, Inner)}
            tried[id(self.layer)] = why_not(self.layer, wrapped, args, kwargs)
        return tried[id(self.layer)]

    def _output_shapes(self, args, kwargs):
        """The shapes of the outputs, with nominal sizes for those that stay open."""
        return [self.tracer.sized(shape, self.where) for shape in output_shapes(self.node, args, kwargs)]

    @property
    def output_shape(self):
        """The shape of the first output, batch included."""
        return self.output_shapes[0]

    def refuse(self, args, kwargs, reason):
        """Locks everything that comes in, and treats everything that goes out as fixed."""
        for x in keras.tree.flatten((args, kwargs)):
            if isinstance(x, Channels):
                self.tracer.mark_unscored(x, f"meets {self.where} before any ReLU")
                self.lock(x, reason)
        self.tracer.unknown.add(self.name)
        return self.fixed_outputs()

    def fixed_outputs(self):
        """The outputs, as channels that must not be removed."""
        return [Channels.fixed(shape) for shape in self.output_shapes]

    def lock(self, x: Channels, reason: str):
        """Forbids removing any of these channels; the reason completes "NAME (TYPE) ..."."""
        self.tracer.space.lock(x.labels, f"{self.where} {reason}")

    def inexact(self):
        """Notes that each output of this call depends on all channels."""
        note = f"{self.where} normalises over channels: without some, the others change, so removal is not exact."
        if note not in self.tracer.notes:
            self.tracer.notes.append(note)

    def gives_samples(self, ratio):
        """Declares how many samples come out per sample that comes in; costs are counted for all of them."""
        self.samples_given = ratio

    def tie(self, a, b, reason="is computed from channels that are fixed"):
        """Ties labels: they can only be removed together."""
        self.tracer.space.tie(a, b, f"{self.where} {reason}")

    def consume(self, x: Channels, axis: int) -> np.ndarray:
        """The labels along the channel axis of an input whose channels end here, mixed into new ones."""
        self.tracer.mark_unscored(x, f"meets {self.where} before any ReLU")
        labels = self.vector(x, axis)
        self.tracer.consumed[self.name].append(labels)
        return labels

    def reads(self, axis: int, *kernels, back=(), strengths=None, linear=False):
        """Declares how this layer mixes the channels that it reads (see `Reading`).

        Args:
            axis: The channel axis of its input.
            kernels: `(variable, axis)` of each weight that reads.
            back, strengths, linear: As in `Reading`.
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
            count: The number of filters.
            kernel: A function without arguments that returns their weights as a NumPy array of
                shape `(..., input channels, filters)`.
            part: A name for filters besides the layer's main ones, such as attention heads: they are listed as
                `"LAYER/part"`. Defaults to the main ones.
            needs_cap: Whether they are removed only if a layer cap names them. Defaults to False.
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
        """Declares the labels along each axis of a weight; None for a fixed axis."""
        if variable is not None:
            self.tracer.declare(self.tracer.weights, id(variable), axes, self.where)

    def normalised(self, x: Channels, axis: int, moments):
        """Declares that this call sets the mean and deviation of each channel.

        Args:
            x: The input, with its channels along `axis`.
            axis: The channel axis.
            moments: A function without arguments that returns means and deviations, `(2, channels)`.
        """
        self.tracer.normalisers.setdefault(self.name, self.layer)
        self.tracer.normalise(x, axis, moments)

    def setting(self, **entries):
        """Declares config entries of the layer that are a `Count` (or `Inner`), or a tuple with some.

        A dict changes entries of a nested config, `cell={"config": {"units": Count(labels)}}`.
        """
        for key, value in entries.items():
            self._dependent(self.tracer.settings[id(self.layer)], id(self.layer), key, value)

    def argument(self, position: int, value):
        """Declares an argument of this call that holds a `Count`, or is a `Kept`."""
        self._dependent(self.tracer.arguments[id(self.node)], id(self.node), position, value)

    def _dependent(self, store, owner, key, value):
        store.setdefault(key, value)
        self.tracer.declare(self.tracer.weights, (owner, key), tuple(labels_in(value)), self.where)

    def cost(self, factor: int, *axes, conv=False):
        """Declares multiply-accumulates: `factor` times the number of channels along each axis; 0 for none."""
        self.tracer.macs[self.name].append((int(factor * self.samples), axes))
        if conv:
            self.tracer.convs.add(self.name)

    def uncounted(self):
        """Declares that the call multiplies an unknown number of times."""
        self.tracer.uncounted.add(self.name)

    def positions(self, axis: int) -> int:
        """The number of positions of the output, without channels and batch."""
        return math.prod(
            size for k, size in enumerate(self.output_shape) if k not in (0, axis % len(self.output_shape))
        )

    def output(self, axis: int, labels) -> Channels:
        """The output, with these labels along `axis`."""
        return Channels.along(self.output_shape, axis, labels)

    def passed_on(self, x: Channels) -> Channels:
        """The output of a call that works channel by channel, linearly or by pooling."""
        return Channels(self.output_shape, x.labels)

    def fresh_like(self, x: Channels, reason="") -> Channels:
        """The output of a call that works channel by channel, behind which a ReLU no longer counts for the filter."""
        self.tracer.mark_unscored(x, reason or f"meets {self.where} before any ReLU")
        labels = self.tracer.space.new(x.labels.size).reshape(x.labels.shape)
        labels = np.where(x.labels == FIXED, FIXED, labels)
        self.tie(labels, np.where(x.labels == FIXED, labels, x.labels))
        return Channels(self.output_shape, labels)

    def relu(self, x: Channels) -> Channels:
        """The output of a ReLU: the first one of the filters that arrive directly."""
        self.tracer.bind_relu(self.key, x)
        return self.fresh_like(x)

"""Probes operations without a rule: disturbs one channel at a time, and observes which outputs change.

Only a clean result counts, each output channel following exactly one input channel, and only once
it is proven: on random subsets, cutting channels before the operation gives the same as cutting them
after it. Everything else is locked.
"""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels.labels import Channels
from firekeras.channels.opening import why_closed
from firekeras.keras_models.internals import at_inference_arguments

VALUES_AT_ONCE = 1 << 24  # the most input values in one run
CHOICES = 3  # random subsets of channels for which a mapping has to hold


def probed(call, *args, **kwargs):
    """Replaces a rule: tracks channels through an operation by probing it."""
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
    if all(x.is_fixed for x in tensors):
        call.tracer.unknown.add(call.name)
        return call.fixed_outputs()
    reason = _cannot_be_tried(call, args, tensors)
    if reason:
        return call.refuse(args, kwargs, reason)
    return _followed(call, args, kwargs, tensors[0])


def _cannot_be_tried(call, args, tensors):
    if any(np.prod(weight.shape) > 1 for weight in getattr(call.layer, "weights", ())):
        closed = why_closed(call.layer)
        return closed or "has weights, but no rule for its type; register one (firekeras.channels.rule)"
    if len(tensors) != 1 or not isinstance(args[0], Channels) or len(call.output_shapes) != 1:
        return "takes or returns several tensors, and has no rule for its type; register one (firekeras.channels.rule)"
    if len(tensors[0].axes()) != 1:
        return "has no rule for its type, and reads channels along several axes"
    return None


def _followed(call, args, kwargs, x):
    axis = x.axes()[0]
    trial = Trial(call.layer, args[1:], kwargs, x.shape, axis)
    try:
        mapping = trial.mapping()
    except Exception as error:
        mapping = f"fails when it is tested: {str(error).splitlines()[0][:100]}"
    if isinstance(mapping, str):
        return call.refuse(args, kwargs, f"has no rule for its type, and {mapping}")
    out_axis, sources = mapping
    return call.fresh_like(Channels.along(call.output_shape, out_axis, x.vector(axis)[sources]))


def follows_itself(function, x):
    """Why the output channels of a function do not depend on the same channel of `x` alone; None if they do.

    Args:
        function: A function that keeps the shape of its input, whatever the size of other axes.
        x: The `Channels` of its input.
    """
    axis = next(iter(x.axes()), x.rank - 1)
    if len(x.axes()) > 1:
        return "reads channels along several axes"
    shape = [min(size, 2) if k != axis else size for k, size in enumerate(x.shape[1:], 1)]
    try:
        mapping = Trial(function, (), {}, (None, *shape), axis).mapping()
    except Exception as error:
        return f"fails when it is tested: {str(error).splitlines()[0][:100]}"
    if isinstance(mapping, str):
        return mapping
    itself = mapping[0] == axis and np.array_equal(mapping[1], np.arange(x.shape[axis]))
    return None if itself or x.shape[axis] == 1 else "moves channels"


def tried(function, x, *args, **kwargs):
    """The result of an operation, layer or function for an array, at inference."""
    kwargs = at_inference_arguments(function, kwargs)
    return keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x), *args, **kwargs))


class Trial:
    """Probes an operation on small random inputs."""

    def __init__(self, operation, args, kwargs, shape, axis):
        self.operation, self.args = operation, args
        self.kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        self.shape, self.axis, self.channels = tuple(shape[1:]), axis, shape[axis]
        self.rng = np.random.default_rng(0)

    def run(self, x):
        """The result of the operation for an array."""
        return tried(self.operation, x, *self.args, **self.kwargs)

    def sample(self, count=2):
        """Random inputs."""
        return self.rng.uniform(-2, 2, (count, *self.shape)).astype("float32")

    def mapping(self):
        """The output axis, and the input channel of each output channel; or the reason why there is none."""
        base = self.sample(1)
        before = self.run(base)
        if not np.array_equal(before, self.run(base), equal_nan=True):
            return "gives a different result each time"
        touched = self._touched(base, before)
        axes = [axis for axis in range(1, before.ndim) if _varies(touched, axis)]
        if len(axes) > 1 or before.shape[0] != 1:
            return "mixes channels, or moves them to several axes"
        axis = axes[0] if axes else before.ndim - 1
        follows = touched.any(axis=tuple(k for k in range(1, touched.ndim) if k != axis))
        if (follows.sum(axis=0) != 1).any():
            worst = int(np.argmax(follows.sum(axis=0) != 1))
            return f"mixes channels: channel {worst} of its output follows {follows[:, worst].sum()} of its input"
        sources = follows.argmax(axis=0)
        return (axis, sources) if self._proven(axis, sources) else "computes something else when channels are missing"

    def _touched(self, base, before):
        """Which outputs change with each input channel, `(channels, *output)`."""
        touched = []
        at_once = max(1, VALUES_AT_ONCE // max(1, base.size))
        for start in range(0, self.channels, at_once):
            batch = range(start, min(start + at_once, self.channels))
            touched += [self._disturbed(base, before, batch, "nan") | self._disturbed(base, before, batch, "other")]
        return np.concatenate(touched)

    def _disturbed(self, base, before, batch, how):
        x = np.repeat(base, len(batch), axis=0)
        for row, channel in enumerate(batch):
            place = [row] + [slice(None)] * (x.ndim - 1)
            place[self.axis] = channel
            x[tuple(place)] = np.nan if how == "nan" else self.rng.uniform(-3, 3, x[tuple(place)].shape)
        after = self.run(x)
        # the ends of vectors are rounded differently, so equality is too strict; NaN leaves no doubt
        return ~np.isclose(after, before, rtol=1e-5, atol=1e-6, equal_nan=True)

    def _proven(self, axis, sources):
        return all(self._holds_for(axis, sources) for _ in range(CHOICES))

    def _holds_for(self, axis, sources):
        kept = np.flatnonzero(self.rng.uniform(size=self.channels) < 0.6)
        kept = kept if 0 < kept.size < self.channels else np.arange(max(1, self.channels - 1))
        x = self.sample()
        cut_before = self.run(np.take(x, kept, self.axis))
        cut_after = np.take(self.run(x), np.flatnonzero(np.isin(sources, kept)), axis)
        return cut_before.shape == cut_after.shape and np.allclose(cut_before, cut_after, equal_nan=True)


def _varies(touched, axis):
    return touched.shape[axis] > 1 and (touched != np.take(touched, [0], axis=axis)).any()
